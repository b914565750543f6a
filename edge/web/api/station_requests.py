"""Requests to a station's control socket."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from edge.base.errors import DraemError
from edge.base.person import Person
from edge.events.client import NoAnswer, RequestClient
from edge.events.control_messages import Request, SwitchRequest, ask_as
from edge.events.server import ErrorReply
from edge.web.live.station_feed import StationFeed

Reply = TypeVar("Reply", bound=BaseModel)
NOBODY = Person("", "", "")


class Refused(DraemError):
    """The station refuses what was asked of it."""


def ask(
    feed: StationFeed,
    request: Request | SwitchRequest,
    kind: type[Reply],
    person: Person = NOBODY,
) -> Reply:
    """Ask and wait for the answer. Raises Refused and NoAnswer."""
    addresses = feed.addresses
    with RequestClient(addresses.control, addresses.credentials, "--control") as client:
        answer = ask_as(person, client, request)[0]
    try:
        return kind.model_validate_json(answer)
    except ValidationError:
        pass
    try:
        raise Refused(ErrorReply.model_validate_json(answer).message)
    except ValidationError:
        raise NoAnswer(f"what answers at {addresses.control} is no line") from None
