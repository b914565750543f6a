"""Change what a running line judges, without stopping it.

The product's engine is loaded and proven beside the one that runs; the line takes it between two
frames. Where that fails, the old product goes on and the reason is told. A line that is started
again runs what it was switched to.
"""

import argparse
import logging
import time

from pydantic import ValidationError

from edge.base.console import console
from edge.base.errors import PublishError
from edge.commands.arguments import add_settings, ask_control, product_name, settings_of
from edge.events.client import NoAnswer, RequestClient
from edge.events.control_messages import ProductReply, Request, SwitchRequest
from edge.events.server import ErrorReply
from edge.station.active_product import ChangeoverError

log = logging.getLogger(__name__)

POLL_S = 0.1
PATIENCE_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", help="the product's version (default: its current one)")
    add_settings(parser, "product", "endpoint", "control", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    name = product_name(settings)
    with ask_control(settings) as asking:
        try:
            switch(asking, SwitchRequest(product=name, version=options.version))
        except NoAnswer as error:
            raise PublishError(f"{error}: is the line running, and is this key listed?") from error
    return 0


def switch(asking: RequestClient, wanted: SwitchRequest, patience_s: float = PATIENCE_S) -> None:
    """Ask for a change and wait until it is done. Raises ChangeoverError, NoAnswer."""
    reply = _reply(asking.ask(wanted)[0])
    number, end = reply.change.number, time.monotonic() + patience_s
    with console().status(f"{wanted.product} is loaded and proven beside the running product"):
        while reply.change.state == "loading" and reply.change.number == number:
            if time.monotonic() > end:
                raise ChangeoverError(
                    f"{wanted.product} is not ready after {patience_s:.0f} s, and still being made "
                    "so: see 'draem control product', and the line's log"
                )
            time.sleep(POLL_S)
            reply = _asked_again(asking, reply)
    change = reply.change
    if change.number != number:
        raise ChangeoverError(f"another change, to {change.product}, was asked for meanwhile")
    if change.state != "done":
        raise ChangeoverError(
            f"the line still judges {reply.product} version {reply.version}: {change.message}"
        )
    if change.message:
        log.warning("%s", change.message)
    log.info("the line judges %s version %s", reply.product, reply.version)


def _asked_again(asking: RequestClient, before: ProductReply) -> ProductReply:
    """A busy line may miss one question: the change goes on meanwhile."""
    try:
        return _reply(asking.ask(Request(request="product"))[0])
    except NoAnswer:
        return before


def _reply(message: bytes) -> ProductReply:
    """Raises ChangeoverError with the line's own words where it refuses."""
    try:
        return ProductReply.model_validate_json(message)
    except ValidationError:
        raise ChangeoverError(ErrorReply.model_validate_json(message).message) from None
