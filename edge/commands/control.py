"""Ask a running line how it is, or pause and resume it.

While a line is paused every part ends as NO_VERDICT, code paused.
"""

import argparse

from edge.base.errors import PublishError
from edge.commands.arguments import add_settings, ask_control, settings_of
from edge.events.client import NoAnswer
from edge.events.control_messages import Request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("request", choices=("health", "product", "counters", "pause", "resume"))
    add_settings(parser, "endpoint", "control", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with ask_control(settings) as asking:
        try:
            reply = asking.ask(Request(request=options.request))[0].decode()
        except NoAnswer as error:
            raise PublishError(f"{error}: is the line running, and is this key listed?") from error
    print(reply)
    return 2 if '"reply":"error"' in reply else 0
