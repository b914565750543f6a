"""How far a delivery is: what a process that starts after kill -9 must know to lose nothing."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from edge.base.files import write_atomic
from edge.base.validation import first_cause, read_json
from edge.delivery.errors import DeliveryError
from edge.events.cursor_file import Cursor
from edge.events.event import Inspection


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sending(_Value):
    """A picture that is being written, and the name that was free for it."""

    stream_id: str
    seq: int
    place: str
    stem: str


class Saved(_Value):
    """The content of the file: the last event that is done with, and counts since the first."""

    stream_id: str = ""
    seq: int = Field(0, ge=0)
    published_at: str = ""
    sending: Sending | None = None
    delivered: int = 0
    missing: int = 0


class Progress:
    """The file; a name is in it before a file of that name is on the server.

    Raises DeliveryError where it is not what this program wrote.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.is_new = not path.exists()
        try:
            self._saved = Saved() if self.is_new else read_json(path, Saved)
        except ValueError as error:
            raise DeliveryError(
                f"{path} is not the progress of a delivery ({first_cause(error)}): delete it to "
                "begin with the first event of the log"
            ) from error
        self._on_disk = self._saved

    @property
    def cursor(self) -> Cursor:
        """The last event that is done with."""
        return Cursor(self._saved.stream_id, self._saved.seq)

    @property
    def published_at(self) -> str:
        """When the event of the cursor was published: another one may get its number."""
        return self._saved.published_at

    @property
    def saved_cursor(self) -> Cursor:
        """The one that a start after a kill would have."""
        return Cursor(self._on_disk.stream_id, self._on_disk.seq)

    @property
    def delivered(self) -> int:
        return self._saved.delivered

    @property
    def missing(self) -> int:
        return self._saved.missing

    def chosen(self, header: Inspection, place: str) -> str | None:
        """The name that a picture has already, if its delivery was begun."""
        sending = self._saved.sending
        if sending is None or (sending.stream_id, sending.seq, sending.place) != (
            header.stream_id, header.seq, place,
        ):  # fmt: skip
            return None
        return sending.stem

    def begin(self, header: Inspection, place: str, stem: str) -> None:
        """Save a picture's name; it is on the disk afterwards."""
        sending = Sending(stream_id=header.stream_id, seq=header.seq, place=place, stem=stem)
        self._set(sending=sending)
        self.save()

    def delivered_one(self) -> None:
        """Count a picture; the cursor follows with `passed`."""
        self._set(delivered=self.delivered + 1, sending=None)

    def missed_one(self) -> None:
        """Count a picture that the station no longer has."""
        self._set(missing=self.missing + 1, sending=None)

    def passed(self, cursor: Cursor, published_at: str = "") -> None:
        """An event is done with; `save` writes it."""
        self._set(stream_id=cursor.stream_id, seq=cursor.seq, published_at=published_at)

    def save(self) -> None:
        """Write what has changed. Raises OSError."""
        if self._saved is not self._on_disk:
            write_atomic(self._path, self._saved.model_dump_json().encode())
            self._on_disk = self._saved

    def _set(self, **changes: object) -> None:
        self._saved = self._saved.model_copy(update=changes)
