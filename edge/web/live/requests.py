"""Requests to a station's control and replay sockets, each answered or an error with its fix."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from edge.base.errors import DraemError
from edge.base.person import Person
from edge.events.client import NoAnswer, RequestClient
from edge.events.control_messages import Health, ProductReply, Request, SwitchRequest, ask_as
from edge.events.server import ErrorReply
from edge.web.settings import StationAddresses

Reply = TypeVar("Reply", bound=BaseModel)

CHANGE_MS = 3000


class StationRefused(DraemError):
    """The station does not answer, or refuses a request."""


def ask(client: RequestClient, request: BaseModel, kind: type[Reply]) -> Reply:
    """One request and its reply. Raises StationRefused, NoAnswer."""
    return parsed(client.ask(request)[0], client, kind)


def parsed(message: bytes, client: RequestClient, kind: type[Reply]) -> Reply:
    """A reply, or the error that the station sends instead. Raises StationRefused."""
    try:
        return kind.model_validate_json(message)
    except ValidationError:
        pass
    try:
        raise StationRefused(ErrorReply.model_validate_json(message).message)
    except ValidationError:
        raise StationRefused(f"what answers at {client.endpoint} is no station") from None


def pause(addresses: StationAddresses, by: Person) -> Health:
    """Every part is NO_VERDICT from now on. Raises StationRefused."""
    return _change(addresses, by, Request(request="pause"), Health)


def resume(addresses: StationAddresses, by: Person) -> Health:
    """Parts are judged again. Raises StationRefused."""
    return _change(addresses, by, Request(request="resume"), Health)


def switch(
    addresses: StationAddresses, by: Person, product: str, version: str | None
) -> ProductReply:
    """Begin a change of product; replies to `product` have its progress. Raises StationRefused."""
    return _change(addresses, by, SwitchRequest(product=product, version=version), ProductReply)


def _change(
    addresses: StationAddresses, by: Person, request: Request | SwitchRequest, kind: type[Reply]
) -> Reply:
    """A request that changes something: only of the station of this name."""
    with RequestClient(addresses.control, addresses.credentials, "--control", CHANGE_MS) as client:
        try:
            station = ask(client, Request(request="health"), Health).station
            if station != addresses.name:
                raise StationRefused(
                    f"the station at {addresses.control} is {station}, not {addresses.name}: "
                    "correct the address or the name in its settings"
                )
            return parsed(ask_as(by, client, request)[0], client, kind)
        except NoAnswer as error:
            raise StationRefused(
                f"{error}: whether it was done is not known; see whether the station runs"
            ) from error
