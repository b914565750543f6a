"""Pictures: stored once, named when they are there, deleted when nobody names them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, update

from edge.archive.database import writing
from edge.archive.errors import ArchiveError
from edge.archive.labels import Given, add_label
from edge.archive.objects import delete_unwanted, keep_objects, note_unwanted
from edge.archive.picture_fetcher import PictureFetcher
from edge.archive.picture_store import PictureStore
from edge.archive.retention import ArchiveLimits, ArchiveRetention
from edge.archive.tables import PictureState, inspection, unwanted
from edge.archive.writer import Writer
from edge.events.client import NoAnswer, RequestClient
from edge.events.replay_server import Frames
from tests.support.archived import inspected, rows, write
from tests.support.logging_line import Line, line
from tests.support.waiting import wait_until

NOW = timedelta(0)
FRAME = b"\x89PNG\r\n\x1a\n frame %d"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bucket of a real server."""
    with pytest.MonkeyPatch.context() as patch:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
        address = "http://{}:{}".format(*server.get_host_and_port())
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="plant")
        yield "s3://plant/pictures"
        server.stop()


@pytest.fixture(params=["folder", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> PictureStore:
    if request.param == "folder":
        return PictureStore(str(tmp_path / "any"))
    return PictureStore(request.getfixturevalue("s3"))


def test_an_object_is_found_by_its_digest_and_deleted(any_store: PictureStore) -> None:
    digests = any_store.put_all([b"one", b"two", b"one"])
    assert digests == [sha256(data).digest() for data in (b"one", b"two", b"one")]
    assert any_store.get(digests[1]) == b"two"
    any_store.delete(digests[1])
    any_store.delete(digests[1])
    with pytest.raises(ArchiveError, match="lacks the picture"):
        any_store.get(digests[1])


def test_an_object_is_never_written_again(tmp_path: Path) -> None:
    store = PictureStore(str(tmp_path))
    store.put_all([b"one"])
    (path,) = tmp_path.rglob("*.png")
    written = path.stat().st_mtime_ns
    store.put_all([b"one"])
    assert path.stat().st_mtime_ns == written
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [path.name]


def test_pictures_are_not_kept_in_the_memory_of_the_program() -> None:
    with pytest.raises(ArchiveError, match="would be lost at the end of the program"):
        PictureStore("memory://pictures")


def test_an_altered_object_is_refused(tmp_path: Path) -> None:
    store = PictureStore(str(tmp_path))
    (digest,) = store.put_all([b"one"])
    next(tmp_path.rglob("*.png")).write_bytes(b"two")
    with pytest.raises(ArchiveError, match="was altered"):
        store.get(digest)


@pytest.mark.parametrize("address", ["nosuch://x", "/proc/1/nowhere"])
def test_a_place_that_cannot_be_used_is_one_line(address: str) -> None:
    with pytest.raises(ArchiveError, match="pictures"):
        PictureStore(address)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Line]:
    """A station that answers for its log and its frames."""
    with line(tmp_path / "station") as started:
        yield started


@contextmanager
def fetcher(
    engine: Engine, store: PictureStore, endpoint: str, answer_ms: int = 2000
) -> Iterator[None]:
    with (
        RequestClient(endpoint, None, "--from", answer_ms) as client,
        PictureFetcher(engine, store, {"tcp://a:1": client}),
    ):
        yield


def test_frames_are_fetched_from_the_station_and_named(
    engine: Engine, writer: Writer, store: PictureStore, station: Line, tmp_path: Path
) -> None:
    folder = tmp_path / "station" / "pictures" / "01234567"
    folder.mkdir(parents=True)
    write(writer, [inspected(n, verdict="NG") for n in range(1, 251)])  # three pages
    for n in range(1, 251):
        (folder / f"{n}.png").write_bytes(FRAME % n)
    with fetcher(engine, store, station.replay.endpoint):
        wait_until(
            lambda: all(row["picture"] for row in rows(engine, inspection)), "all frames", 30
        )
    for row in rows(engine, inspection):
        assert store.get(row["picture"]) == FRAME % row["seq"]
        assert row["picture_state"] == PictureState.KEPT


def test_a_frame_that_the_station_no_longer_has_is_said_to_be_missing(
    engine: Engine,
    store: PictureStore,
    station: Line,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.archive.picture_fetcher.SETTLE_S", 1.0)
    monkeypatch.setattr("edge.archive.picture_fetcher.OK_SETTLE_S", 0.0)
    write(Writer(engine, store, ok_one_in=1), [inspected(1, verdict="NG"), inspected(2)])
    with fetcher(engine, store, station.replay.endpoint):
        wait_until(
            lambda: (
                [row["picture_state"] for row in rows(engine, inspection)]
                == [PictureState.MISSING, PictureState.NONE]
            ),
            "states",
        )


def test_frames_wait_while_the_station_does_not_answer(
    engine: Engine,
    writer: Writer,
    store: PictureStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.archive.picture_fetcher.SETTLE_S", 0.0)
    write(writer, [inspected(1, verdict="NG")])
    with fetcher(engine, store, "tcp://127.0.0.1:1", answer_ms=50):
        wait_until(lambda: "have to wait" in caplog.text, "a warning")
    assert rows(engine, inspection)[0]["picture_state"] == PictureState.AWAITED


def test_frames_of_a_path_outside_are_not_given(station: Line) -> None:
    asked = Frames.model_construct(stream_id="../../../etc", inspection_ids=[1])
    with RequestClient(station.replay.endpoint, None, "--from") as client:
        assert b"should match pattern" in client.ask(asked)[0]
        with pytest.raises(NoAnswer):
            client.frames("../../../etc", [1])


def test_old_pictures_are_deleted_and_labelled_ones_stay(
    engine: Engine, writer: Writer, store: PictureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.archive.objects.LEFT_FOR", NOW)
    write(writer, [inspected(1, verdict="NG"), inspected(2), inspected(3, verdict="NG")])
    pictures = keep_objects(engine, store, [b"p1", b"p2", b"p3"])
    with writing(engine) as connection:
        for n, picture in enumerate(pictures, 1):
            values = {"picture": picture, "picture_state": PictureState.KEPT}
            this = inspection.c.seq == n
            connection.execute(update(inspection).where(this).values(values))
        add_label(connection, "1-3", Given("missed", "eva"), "here")
    retention = ArchiveRetention(engine, store, ArchiveLimits(0, 0))
    retention.trim()
    delete_unwanted(engine, store, NOW)
    states = [row["picture_state"] for row in rows(engine, inspection)]
    assert states == [PictureState.TRIMMED, PictureState.TRIMMED, PictureState.KEPT]
    assert store.get(pictures[2]) == b"p3"
    for gone in pictures[:2]:
        with pytest.raises(ArchiveError, match="lacks"):
            store.get(gone)
    assert rows(engine, unwanted) == []


def test_an_object_that_is_wanted_again_stays(
    engine: Engine, writer: Writer, store: PictureStore
) -> None:
    (digest,) = keep_objects(engine, store, [b"one"])
    with writing(engine) as connection:
        note_unwanted(connection, [digest])
    keep_objects(engine, store, [b"one"])  # named by a row in a moment
    delete_unwanted(engine, store, NOW)
    assert store.get(digest) == b"one"


def test_an_object_that_two_rows_name_is_deleted_with_the_last(
    engine: Engine, writer: Writer, store: PictureStore
) -> None:
    write(writer, [inspected(1, verdict="NG"), inspected(2)])
    (digest,) = keep_objects(engine, store, [b"one"])
    with writing(engine) as connection:
        connection.execute(update(inspection).values(picture=digest))
    for n in (1, 2):
        with writing(engine) as connection:
            connection.execute(update(inspection).where(inspection.c.seq == n).values(picture=None))
            note_unwanted(connection, [digest])
        delete_unwanted(engine, store, NOW)
        if n == 1:
            assert store.get(digest) == b"one"
    with pytest.raises(ArchiveError):
        store.get(digest)


def test_a_deletion_that_is_cut_short_is_done_later(
    engine: Engine, store: PictureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (digest,) = keep_objects(engine, store, [b"one"])
    with writing(engine) as connection:
        note_unwanted(connection, [digest])
    with monkeypatch.context() as patch:
        patch.setattr(PictureStore, "delete", cut_short)
        with pytest.raises(ArchiveError, match="the cable was cut"):
            delete_unwanted(engine, store, NOW)
    assert len(rows(engine, unwanted)) == 1
    delete_unwanted(engine, store, NOW)
    assert rows(engine, unwanted) == []


def cut_short(store: PictureStore, digest: bytes) -> None:
    raise ArchiveError("the cable was cut")


def test_a_reply_with_frames_ends_when_it_is_large(station: Line, tmp_path: Path) -> None:
    folder = tmp_path / "station" / "pictures" / "01234567"
    folder.mkdir(parents=True)
    for n in range(1, 6):
        (folder / f"{n}.png").write_bytes(FRAME % n + b" " * 3_000_000)
    with RequestClient(station.replay.endpoint, None, "--from") as client:
        assert list(client.frames("0123456789", [1, 2, 3, 4, 5])) == [1, 2]


def test_a_station_that_sends_other_frames_than_asked_for_holds_up_nothing(
    engine: Engine, writer: Writer, store: PictureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.archive.picture_fetcher.SETTLE_S", 0.0)
    monkeypatch.setattr(
        RequestClient, "ask", lambda *_: [b'{"inspection_ids": [7, 8]}', FRAME % 7, FRAME % 8]
    )
    write(writer, [inspected(1, verdict="NG")])
    with fetcher(engine, store, "tcp://127.0.0.1:1"):
        wait_until(
            lambda: rows(engine, inspection)[0]["picture_state"] == PictureState.MISSING, "an end"
        )


def test_two_archives_do_not_share_a_folder_of_pictures(store: PictureStore) -> None:
    store.claim("one")
    store.claim("one")
    with pytest.raises(ArchiveError, match="those of another archive"):
        store.claim("two")


def test_a_cut_object_is_written_again(tmp_path: Path) -> None:
    """As a loss of power may leave it."""
    store = PictureStore(str(tmp_path))
    (digest,) = store.put_all([b"whole"])
    next(tmp_path.rglob("*.png")).write_bytes(b"")
    store.put_all([b"whole"])
    assert store.get(digest) == b"whole"
