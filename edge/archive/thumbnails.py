"""Small pictures for lists, made from the archive's own and kept in memory, up to a limit.

A thumbnail is found by the digest of its picture, which never changes. It is given only while the
picture is in the store, so that nothing shows a picture that was deleted.
"""

from collections import OrderedDict
from threading import Lock

import cv2

from edge.archive.errors import ArchiveError
from edge.archive.picture_store import PictureStore
from edge.base.errors import ImageError
from edge.vision.decode import as_bgr8, decode

SIDES = range(16, 1281)
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]
KEPT_BYTES = 32 << 20


class Thumbnails:
    """JPEGs of a store's pictures and masks; may be used by several threads."""

    def __init__(self, store: PictureStore, kept_bytes: int = KEPT_BYTES) -> None:
        self._store, self._limit = store, kept_bytes
        self._kept: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()
        self._bytes, self._lock = 0, Lock()

    def get(self, digest: bytes, side: int) -> bytes:
        """A JPEG whose longer side has at most `side` pixels. Raises ArchiveError."""
        if side not in SIDES:
            raise ArchiveError(f"a thumbnail has {SIDES[0]} to {SIDES[-1]} pixels, not {side}")
        with self._lock:
            kept = self._kept.get((digest, side))
            if kept is not None:
                self._kept.move_to_end((digest, side))
        if kept is not None and self._store.has(digest):
            return kept
        made = _smaller(self._store.get(digest), side)
        self._keep((digest, side), made)
        return made

    def _keep(self, key: tuple[bytes, int], made: bytes) -> None:
        """Keep it as the newest; what was not asked for longest makes room."""
        with self._lock:
            self._bytes += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self._bytes > self._limit:
                self._bytes -= len(self._kept.popitem(last=False)[1])


def _smaller(png: bytes, side: int) -> bytes:
    try:
        image = as_bgr8(decode(png)[0], 16)
    except ImageError as error:
        raise ArchiveError(f"a picture in the archive {error}") from error
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, QUALITY)[1].tobytes()
