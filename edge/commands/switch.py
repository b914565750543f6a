"""Change the product of a running line without stopping it.

The engine of the new product is loaded and verified while the line runs; the line changes between
two frames. If that fails, the line goes on with its product, and the reason is printed. A restarted
line runs the product that it was switched to.
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
from edge.station.proof import ChangeoverError

log = logging.getLogger(__name__)

POLL_S = 0.1
TIMEOUT_S = 600.0


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
            raise PublishError(
                f"{error}: start the line, and check that this key is allowed"
            ) from error
    return 0


def switch(asking: RequestClient, wanted: SwitchRequest, timeout_s: float = TIMEOUT_S) -> None:
    """Request a change and wait until it is done. Raises ChangeoverError, NoAnswer."""
    reply = _reply(asking.ask(wanted)[0])
    number, end = reply.change.number, time.monotonic() + timeout_s
    with console().status(f"loading and verifying {wanted.product} while the line runs"):
        while reply.change.state == "loading" and reply.change.number == number:
            if time.monotonic() > end:
                raise ChangeoverError(
                    f"{wanted.product} is not ready after {timeout_s:.0f} s, and still being "
                    "prepared: see 'draem control product', and the line's log"
                )
            time.sleep(POLL_S)
            reply = _asked_again(asking, reply)
    change = reply.change
    if change.number != number:
        raise ChangeoverError(f"another change, to {change.product}, was requested meanwhile")
    if change.state != "done":
        raise ChangeoverError(
            f"the line still judges {reply.product} version {reply.version}: {change.message}"
        )
    if change.message:
        log.warning("%s", change.message)
    log.info("the line judges %s version %s", reply.product, reply.version)


def _asked_again(asking: RequestClient, before: ProductReply) -> ProductReply:
    """The status; the one before where a busy line did not answer in time."""
    try:
        return _reply(asking.ask(Request(request="product"))[0])
    except NoAnswer:
        return before


def _reply(message: bytes) -> ProductReply:
    """Raises ChangeoverError with the line's own message where it refuses."""
    try:
        return ProductReply.model_validate_json(message)
    except ValidationError:
        raise ChangeoverError(ErrorReply.model_validate_json(message).message) from None
