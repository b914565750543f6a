"""Frames that a station keeps, for those who ask: `<folder>/<log>/<inspection id>.png`."""

from collections.abc import Sequence
from pathlib import Path

PLACES = ("pictures", "marked", "ring")
MAX_REPLY_BYTES = 4_000_000


def frame_name(stream_id: str, inspection_id: int) -> str:
    """The name of a kept frame below its folder."""
    return f"{stream_id[:8]}/{inspection_id}.png"


def read_frames(
    folder: Path, stream_id: str, inspection_ids: Sequence[int]
) -> list[tuple[int, bytes]]:
    """Kept frames as PNG with their ids, in order, until they have MAX_REPLY_BYTES.

    Ids that are not kept are left out.
    """
    found: list[tuple[int, bytes]] = []
    size = 0
    for number in inspection_ids:
        data = _read(folder, frame_name(stream_id, number))
        if data:
            found.append((number, data))
            size += len(data)
        if size > MAX_REPLY_BYTES:
            break
    return found


def _read(folder: Path, name: str) -> bytes:
    for place in PLACES:
        try:
            return (folder / place / name).read_bytes()
        except OSError:
            continue  # it may be deleted at this moment
    return b""
