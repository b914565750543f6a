"""A subscriber's own cursor: the last event that it has processed, kept in a file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.base.errors import PublishError


@dataclass(frozen=True)
class Cursor:
    """The last event that was processed; `seq` 0 is before the first of a stream."""

    stream_id: str
    seq: int


def read_cursor(path: Path | None) -> Cursor | None:
    """The cursor in a file, None if there is no file yet. Raises PublishError for another file."""
    if path is None or not path.exists():
        return None
    try:
        return Cursor(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise PublishError(
            f"{path} is not a cursor: delete it to begin with the first event of the log"
        ) from error


def write_cursor(path: Path | None, cursor: Cursor) -> None:
    """Replace the file; without fsync, which would cost milliseconds for each event."""
    if path is None:
        return
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(asdict(cursor)), encoding="utf-8")
    temporary.replace(path)
