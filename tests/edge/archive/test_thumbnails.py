"""Thumbnails: small, kept in bounds, and only of pictures that are there."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.archive.archive import Archive
from edge.archive.database import open_database
from edge.archive.errors import ArchiveError
from edge.archive.picture_store import PictureStore
from edge.archive.thumbnails import Thumbnails


def png(height: int, width: int, gray: int = 100, *, mask: bool = False) -> bytes:
    shape = (height, width) if mask else (height, width, 3)
    return cv2.imencode(".png", np.full(shape, gray, np.uint8))[1].tobytes()


def decoded(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return np.asarray(image)


@pytest.mark.parametrize("mask", [False, True])
def test_archive_makes_a_picture_as_small_as_asked(tmp_path: Path, mask: bool) -> None:
    database, pictures = str(tmp_path / "a.db"), str(tmp_path / "pictures")
    open_database(database, create=True).dispose()
    large, small = PictureStore(pictures).put_all([png(600, 900, mask=mask), png(20, 30)])
    with Archive(database, pictures) as archive:
        image = decoded(archive.thumbnail(large.hex(), 90))
        assert image.shape == (60, 90, 3)
        assert abs(int(image.mean()) - 100) < 3
        assert decoded(archive.thumbnail(small.hex())).shape == (20, 30, 3), "never made larger"
        with pytest.raises(ArchiveError, match="16 to 1280 pixels, not 5000"):
            archive.thumbnail(large.hex(), 5000)


def test_archive_keeps_thumbnails_and_shows_none_of_a_deleted_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PictureStore(str(tmp_path))
    (digest,) = store.put_all([png(100, 100)])
    thumbnails = Thumbnails(store)
    made = thumbnails.get(digest, 50)
    with monkeypatch.context() as patch:
        patch.setattr(store, "get", None)  # reading the picture again would fail
        assert thumbnails.get(digest, 50) == made
    assert decoded(thumbnails.get(digest, 25)).shape == (25, 25, 3), "each size is its own"
    store.delete(digest)
    for side in (50, 25):
        with pytest.raises(ArchiveError, match="deleted by hand"):
            thumbnails.get(digest, side)


def test_archive_keeps_as_many_thumbnails_as_it_may(tmp_path: Path) -> None:
    store = PictureStore(str(tmp_path))
    digests = store.put_all([png(64, 64, gray) for gray in range(50)])
    one = len(Thumbnails(store).get(digests[0], 64))
    thumbnails = Thumbnails(store, kept_bytes=10 * one)
    for digest in digests:
        thumbnails.get(digest, 64)
        thumbnails.get(digests[0], 64)
    kept = [digest for digest, _ in thumbnails._kept]
    assert digests[0] in kept, "what is asked for stays"
    assert 5 <= len(kept) <= 12
    assert thumbnails._bytes == sum(map(len, thumbnails._kept.values())) <= 10 * one


def test_archive_says_that_a_picture_cannot_be_decoded(tmp_path: Path) -> None:
    store = PictureStore(str(tmp_path))
    (digest,) = store.put_all([b"\x89PNG\r\n\x1a\nrubbish"])
    with pytest.raises(ArchiveError, match="a picture in the archive"):
        Thumbnails(store).get(digest, 64)
