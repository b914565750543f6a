"""Show the state of a running line, or pause and resume it.

While a line is paused every part is NO_VERDICT with the code `paused`.
"""

import argparse

from edge.commands.arguments import (
    add_person,
    add_station,
    opened_control,
    person_of,
    settings_of,
    unanswered,
)
from edge.events.client import NoAnswer
from edge.events.control_messages import Request, ask_as


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("request", choices=("health", "product", "counters", "pause", "resume"))
    add_person(parser)
    add_station(parser, "endpoint", "control", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with opened_control(options, settings) as asking:
        try:
            request = Request(request=options.request)
            changes = options.request in ("pause", "resume")
            answer = ask_as(person_of(options), asking, request) if changes else asking.ask(request)
        except NoAnswer as error:
            raise unanswered(error, settings) from error
    reply = answer[0].decode()
    print(reply)
    return 2 if '"reply":"error"' in reply else 0
