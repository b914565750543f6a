"""Parts of an archive as pictures: which are taken, which are left out, and what is told."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.archive.data_set import ArchivedPicture, Wanted, archived_pictures
from edge.archive.errors import ArchiveError
from edge.archive.places import DATABASE, PICTURES, ArchiveAddress, fixed_query
from edge.archive.query import Query, parse_query, words_of
from edge.archive.tables import PictureState
from edge.base.files import digest
from edge.vision.marked_images import marked_as, provenance
from tests.conftest import write_parts
from tests.support.labelled_archive import Frame, label, make_archive

ALL = "archive:product=lid"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Pictures of twelve different parts."""
    return write_parts(tmp_path / "parts", 12, seed=3)


def read(folder: Path, wanted: Wanted, *queries: str) -> list[ArchivedPicture]:
    """What is found, after a look at the files."""
    address = ArchiveAddress(str(folder / DATABASE), str(folder / PICTURES))
    with archived_pictures(queries or (ALL,), address, wanted) as found:
        for picture in found:
            assert digest(picture.path) == picture.part.picture, "the bytes as archived"
            known = provenance(picture.path)["archived"]
            assert isinstance(known, dict)
            assert (known["key"], known["label"]) == (picture.part.key, picture.part.label)
        return found


def keys(found: list[ArchivedPicture]) -> list[str]:
    return [picture.part.key for picture in found]


def of_all_labels(files: list[Path]) -> list[Frame]:
    """Keys 1-1 to 1-12."""
    ng, none = "NG", "NO_VERDICT"
    return [
        Frame(files[0]),
        Frame(files[1], label="false-reject"),
        Frame(files[2], label="missed"),
        Frame(files[3], label="defect"),
        Frame(files[4], label="unsure"),
        Frame(files[5], ng),
        Frame(files[6], ng, "false-reject"),
        Frame(files[7], ng, "missed"),
        Frame(files[8], ng, "defect"),
        Frame(files[9], ng, "unsure"),
        Frame(files[10], none),
        Frame(files[11], none, "false-reject"),
    ]


def test_an_archive_gives_good_parts_only_and_says_what_it_left_out(
    files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_archive(tmp_path, of_all_labels(files))
    with caplog.at_level("INFO"):
        found = read(tmp_path, "good")
    assert keys(found) == ["1-7", "1-2", "1-1"], "newest first"
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{ALL}: 3 pictures; left out: ")
    assert set(line.partition("left out: ")[2].split(", ")) == {
        "2 labelled missed",
        "2 labelled defect",
        "2 labelled unsure",
        "1 NG without a label",
        "2 with NO_VERDICT",
    }


def test_an_archive_gives_labelled_parts_with_their_truth(
    files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_archive(tmp_path, of_all_labels(files))
    with caplog.at_level("INFO"):
        found = read(tmp_path, "labelled")
    assert {p.part.key: p.defect for p in found} == {
        "1-2": None, "1-7": None, "1-12": None,
        "1-3": "missed", "1-8": "missed", "1-4": "scratch", "1-9": "scratch",
    }  # fmt: skip
    assert "3 without a label" in caplog.text
    assert "2 labelled unsure" in caplog.text
    assert sorted(keys(read(tmp_path, "bad"))) == ["1-3", "1-4", "1-8", "1-9"]
    every = read(tmp_path, "any")
    assert len(every) == 12
    assert sum(picture.has_truth for picture in every) == 7


def test_the_newest_label_decides_in_an_archive(files: list[Path], tmp_path: Path) -> None:
    make_archive(tmp_path, [Frame(files[0], "NG", "defect"), Frame(files[1], "NG", "false-reject")])
    label(tmp_path, "1-1", "false-reject")
    label(tmp_path, "1-2", "defect")
    assert keys(read(tmp_path, "good")) == ["1-1"]


def test_a_picture_of_a_defect_is_not_taken_under_another_key_of_the_archive(
    files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The query does not ask for the part that has the label."""
    older = {"version": "2"}
    frames = [Frame(files[0], label="missed", header=older), Frame(files[0]), Frame(files[1])]
    make_archive(tmp_path, frames)
    with caplog.at_level("INFO"):
        found = read(tmp_path, "good", "archive:version=3")
    assert keys(found) == ["1-3"]
    assert "1 whose picture is also that of a part labelled as defective" in caplog.text


def test_parts_without_a_picture_in_the_archive_are_counted_by_reason(
    files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    states = (PictureState.NONE, PictureState.AWAITED, PictureState.MISSING, PictureState.TRIMMED)
    frames = [Frame(None, state=state) for state in (*states, PictureState.NONE)]
    make_archive(tmp_path, [*frames, Frame(files[0]), Frame(files[1]), Frame(files[2])])
    lost = digest(files[0])
    (tmp_path / PICTURES / lost[:2] / lost[2:4] / f"{lost}.png").unlink()
    altered = digest(files[1])
    (tmp_path / PICTURES / altered[:2] / altered[2:4] / f"{altered}.png").write_bytes(b"other")
    with caplog.at_level("INFO"):
        assert keys(read(tmp_path, "good")) == ["1-8"]
    for reason in (
        "2 whose picture was not kept",
        "1 whose picture has yet to come from the station",
        "1 whose picture the station had deleted",
        "1 whose picture the archive has deleted by its limits",
        "2 whose picture is lost",
    ):
        assert reason in caplog.text
    assert f"1-6 left out: {tmp_path / PICTURES} lacks the picture {lost}" in caplog.text


def test_two_queries_of_an_archive_take_a_part_once(files: list[Path], tmp_path: Path) -> None:
    make_archive(tmp_path, [Frame(files[0]), Frame(files[1], label="false-reject")])
    assert keys(read(tmp_path, "good", ALL, "archive:label=false-reject")) == ["1-2", "1-1"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("archive:product=cup", "no part fits it"),
        ("archive:verdict=NG", "left out: 1 NG without a label"),
        ("archive:colour=red", "'colour=red' is not NAME=VALUE"),
    ],
)
def test_a_query_of_an_archive_that_leaves_nothing_says_why(
    files: list[Path], tmp_path: Path, query: str, says: str
) -> None:
    make_archive(tmp_path, [Frame(files[0], "NG"), Frame(files[1])])
    with pytest.raises(ArchiveError, match=says):
        read(tmp_path, "good", query)


def test_pictures_of_an_archive_are_removed_after_use(files: list[Path], tmp_path: Path) -> None:
    make_archive(tmp_path, [Frame(files[0], label="false-reject"), Frame(files[1])])
    address = ArchiveAddress(str(tmp_path / DATABASE), str(tmp_path / PICTURES))
    with archived_pictures([ALL], address, "good") as found:
        assert [marked_as(p.path) for p in found] == ["archived", "false-reject"]
        paths = [p.path for p in found]
    assert not any(path.parent.exists() for path in paths)


def test_a_query_of_an_archive_is_of_the_product_and_of_fixed_times() -> None:
    before = datetime.now(UTC)
    text = fixed_query("archive:label=false-reject since=2h station='line 1'", "lid")
    assert "since=2h" not in text
    assert fixed_query(text, "lid") == text, "it means the same later"
    query = parse_query(shlex.split(text.removeprefix("archive:")))
    assert (query.product, query.label, query.station) == ("lid", "false-reject", "line 1")
    assert query.since is not None
    assert query.until is not None
    assert before <= query.until <= datetime.now(UTC)
    assert abs(before - query.since - timedelta(hours=2)) < timedelta(minutes=1)


def test_another_product_in_a_query_of_an_archive_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert "product=cup" in fixed_query("archive:product=cup", "lid")
    assert "asks for parts of cup, not of lid" in caplog.text
    with pytest.raises(ArchiveError, match="No closing quotation; close it"):
        fixed_query("archive:station='line 1", "lid")


zones = st.timezones()
queries = st.builds(
    Query,
    since=st.none() | st.datetimes(timezones=zones, min_value=datetime(1990, 1, 1)),
    station=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
    code=st.none() | st.integers(0, 2**15 - 1),
    score_from=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    verdict=st.none() | st.sampled_from(["OK", "NG"]),
    box=st.none() | st.tuples(*(st.integers(0, 2**31 - 1),) * 4),
)


@given(queries)
def test_the_words_of_a_query_to_the_archive_make_it_again(query: Query) -> None:
    assert parse_query(words_of(query)) == query
