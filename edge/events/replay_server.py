"""Events of the log on request, and how far each subscriber has come.

`{"request": "page", "after": 1200, "limit": 100}` is answered with a JSON header, then three parts
for each event as they were published. Bridges acknowledge their cursors here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from edge.events.cursors import Acknowledged, Cursors, Role
from edge.events.journal import Message
from edge.events.journal_reader import JournalReader
from edge.events.server import NotAllowed, Peer, RequestHandler, RequestServer, require_role
from edge.events.sockets import Sockets

LARGEST_PAGE = 1000
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Page(_Request):
    """Ask for up to `limit` events after event `after`."""

    request: Literal["page"] = "page"
    after: int = Field(ge=0, lt=2**63)
    limit: int = Field(100, ge=1, le=LARGEST_PAGE)


class Acknowledge(_Request):
    """Tell that everything up to `seq` was dealt with; that of a bridge is kept until then.

    With keys, name and role are those of the key.
    """

    request: Literal["acknowledge"] = "acknowledge"
    cursor: str = Field(pattern=NAME)
    role: Role = "watch"
    stream_id: str = Field(max_length=64)
    seq: int = Field(ge=0, lt=2**63)


class ListCursors(_Request):
    """Ask for all acknowledged cursors."""

    request: Literal["cursors"] = "cursors"


_REQUESTS: TypeAdapter[Page | Acknowledge | ListCursors] = TypeAdapter(
    Annotated[Page | Acknowledge | ListCursors, Field(discriminator="request")]
)


class PageHeader(BaseModel):
    """What a page begins with: the stream, its oldest and newest event, and how many follow."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["page"] = "page"
    stream_id: str
    first: int
    head: int
    count: int


class CursorsReply(BaseModel):
    """The cursors as they are now."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["cursors"] = "cursors"
    cursors: list[Acknowledged]


def replay(sockets: Sockets, endpoint: str, folder: Path) -> RequestServer:
    """Answer from the log in `folder`. Raises PublishError for an address that cannot be used."""
    return RequestServer(sockets, endpoint, "--replay", lambda: _answers(folder))


@contextmanager
def _answers(folder: Path) -> Iterator[RequestHandler]:
    with JournalReader(folder) as reader, Cursors(folder) as cursors:
        yield lambda request, peer: answer(request, peer, reader, cursors)


def answer(request: bytes, peer: Peer, reader: JournalReader, cursors: Cursors) -> Message:
    """The parts of an answer. Raises ValidationError or DraemError for what has none."""
    asked = _REQUESTS.validate_json(request)
    if isinstance(asked, Page):
        messages = reader.page(asked.after, asked.limit)
        header = PageHeader(
            stream_id=reader.stream_id,
            first=reader.first(),
            head=reader.head(),
            count=len(messages),
        )
        parts = [part for message in messages for part in message]
        return [header.model_dump_json().encode(), *parts]
    if isinstance(asked, Acknowledge):
        _acknowledge(asked, peer, cursors)
    return [CursorsReply(cursors=cursors.all()).model_dump_json().encode()]


def _acknowledge(asked: Acknowledge, peer: Peer, cursors: Cursors) -> None:
    """Under the name of the key where there is one: nobody moves another's cursor."""
    role = asked.role
    if peer.name:
        require_role(peer, "bridge", "watch")
        role = peer.role
        if asked.cursor != peer.name:
            raise NotAllowed(f"this key may move the cursor '{peer.name}' alone")
    cursors.acknowledge(asked.cursor, role, asked.stream_id, asked.seq)
