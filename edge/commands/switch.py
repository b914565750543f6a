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
from edge.base.person import Person
from edge.commands.arguments import (
    add_person,
    add_station,
    opened_control,
    person_of,
    product_name,
    settings_of,
    unanswered,
)
from edge.events.client import NoAnswer, RequestClient
from edge.events.control_messages import ProductReply, Request, SwitchRequest, ask_as
from edge.events.server import ErrorReply
from edge.station.proof import ChangeoverError

log = logging.getLogger(__name__)

POLL_S = 0.1
TIMEOUT_S = 600.0
UNANSWERED_S = 10.0  # a busy line may miss some answers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", help="the product's version (default: its current one)")
    add_person(parser)
    add_station(parser, "product", "endpoint", "control", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    name = product_name(settings)
    with opened_control(options, settings) as asking:
        try:
            wanted = SwitchRequest(product=name, version=options.version)
            switch(asking, wanted, person_of(options))
        except NoAnswer as error:
            raise unanswered(error, settings) from error
    return 0


def switch(
    asking: RequestClient,
    wanted: SwitchRequest,
    by: Person | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Request a change and wait until it is done. Raises ChangeoverError, NoAnswer."""
    reply = _reply(ask_as(by or Person(), asking, wanted)[0])
    number, end = reply.change.number, time.monotonic() + timeout_s
    with console().status(f"loading and verifying {wanted.product} while the line runs"):
        while reply.change.state == "loading" and reply.change.number == number:
            if time.monotonic() > end:
                raise ChangeoverError(
                    f"{wanted.product} is not ready after {timeout_s:.0f} s, and still being "
                    "prepared: see 'draem control product', and the line's log"
                )
            time.sleep(POLL_S)
            reply = _asked_again(asking)
    change, line = reply.change, f"the station {reply.station}" if reply.station else "the line"
    if change.number < number:
        raise ChangeoverError(
            f"{line} was started again meanwhile, and judges {reply.product} version "
            f"{reply.version}: switch again"
        )
    if change.number != number:
        raise ChangeoverError(f"another change, to {change.product}, was requested meanwhile")
    if change.state != "done":
        raise ChangeoverError(
            f"{line} still judges {reply.product} version {reply.version}: {change.message}"
        )
    if change.message:
        log.warning("%s", change.message)
    log.info("%s judges %s version %s", line, reply.product, reply.version)


def _asked_again(asking: RequestClient) -> ProductReply:
    """The status. Raises ChangeoverError once the line has not answered for UNANSWERED_S."""
    end = time.monotonic() + UNANSWERED_S
    while True:
        try:
            return _reply(asking.ask(Request(request="product"))[0])
        except NoAnswer:
            if time.monotonic() > end:
                raise ChangeoverError(
                    f"the line has not answered for {UNANSWERED_S:.0f} s, so whether it changes is "
                    "not known: it has ended or hangs; see its log, start it and switch again"
                ) from None


def _reply(message: bytes) -> ProductReply:
    """Raises ChangeoverError with the line's own message where it refuses."""
    try:
        return ProductReply.model_validate_json(message)
    except ValidationError:
        raise ChangeoverError(ErrorReply.model_validate_json(message).message) from None
