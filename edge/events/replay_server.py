"""Requests to the log: pages of events, and acknowledged cursors.

`{"request": "page", "after": 1200, "limit": 100}` is answered with a JSON header, then three parts
for each event, as it was published. Kept frames are answered in the same way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from edge.events.cursors import Acknowledged, Cursors, Role
from edge.events.event import UINT32_MAX
from edge.events.journal import Message
from edge.events.journal_reader import JournalReader
from edge.events.kept_frames import read_frames
from edge.events.server import NotAllowed, Peer, RequestHandler, RequestServer, require_role
from edge.events.sockets import Sockets

MAX_PAGE = 1000
PAGE_BYTES = 4 << 20
CURSOR_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Page(_Request):
    """Request up to `limit` events after event `after`."""

    request: Literal["page"] = "page"
    after: int = Field(ge=0, lt=2**63)
    limit: int = Field(100, ge=1, le=MAX_PAGE)


class Acknowledge(_Request):
    """Report that all events up to `seq` are processed; a bridge's cursor keeps the rest.

    With keys, name and role must be those of the key.
    """

    request: Literal["acknowledge"] = "acknowledge"
    cursor: str = Field(pattern=CURSOR_NAME)
    role: Role = "watch"
    stream_id: str = Field(max_length=64)
    seq: int = Field(ge=0, lt=2**63)


class ListCursors(_Request):
    """Request all acknowledged cursors."""

    request: Literal["cursors"] = "cursors"


class Frames(_Request):
    """Request kept frames; a reply ends after 4 MB: ask again for the rest."""

    request: Literal["frames"] = "frames"
    stream_id: str = Field(pattern=r"^[0-9A-Za-z-]{8,64}$")
    inspection_ids: list[Annotated[int, Field(ge=1, le=UINT32_MAX)]] = Field(max_length=100)


AnyRequest = Page | Acknowledge | ListCursors | Frames
_REQUESTS: TypeAdapter[AnyRequest] = TypeAdapter(
    Annotated[AnyRequest, Field(discriminator="request")]
)


class PageHeader(BaseModel):
    """The first part of a page: stream, oldest and newest event, and how many events follow."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["page"] = "page"
    stream_id: str
    first: int
    head: int
    count: int


class FramesHeader(BaseModel):
    """The first part of the kept frames: the ids of the PNG files that follow."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["frames"] = "frames"
    inspection_ids: list[int]


class CursorsReply(BaseModel):
    """All acknowledged cursors."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["cursors"] = "cursors"
    cursors: list[Acknowledged]


def serve_replay(sockets: Sockets, endpoint: str, folder: Path) -> RequestServer:
    """Answer from the log in `folder`. Raises PublishError for an address that cannot be used."""
    return RequestServer(sockets, endpoint, "--replay", lambda: _open_handler(folder))


@contextmanager
def _open_handler(folder: Path) -> Iterator[RequestHandler]:
    with JournalReader(folder) as reader, Cursors(folder) as cursors:
        log = _Log(folder, reader, cursors)
        yield lambda request, peer: _reply(request, peer, log)


@dataclass(frozen=True)
class _Log:
    folder: Path
    reader: JournalReader
    cursors: Cursors


def _reply(request: bytes, peer: Peer, log: _Log) -> Message:
    """The parts of a reply. Raises ValidationError or DraemError."""
    asked, reader, cursors = _REQUESTS.validate_json(request), log.reader, log.cursors
    if isinstance(asked, Frames):
        frames = read_frames(log.folder, asked.stream_id, asked.inspection_ids)
        found = FramesHeader(inspection_ids=[number for number, _ in frames])
        return [found.model_dump_json().encode(), *(data for _, data in frames)]
    if isinstance(asked, Page):
        messages = reader.page(asked.after, asked.limit, PAGE_BYTES)
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
    """Store a cursor; with keys, a client can move only its own."""
    role = asked.role
    if peer.name:
        require_role(peer, "bridge", "watch")
        role = peer.role
        if asked.cursor != peer.name:
            raise NotAllowed(f"this key may move only the cursor '{peer.name}'")
    cursors.acknowledge(asked.cursor, role, asked.stream_id, asked.seq)
