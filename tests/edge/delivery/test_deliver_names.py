"""Name templates, and names that every file system takes."""

import time
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.base.errors import SettingsError
from edge.delivery.safe_names import FORBIDDEN, RESERVED
from edge.delivery.template import DEFAULT, FIELDS, parse_template
from edge.delivery.wanted import stems
from edge.events.codes import Code
from edge.events.event import Inspection
from tests.support.archived import inspected


def part(**changes: Any) -> Inspection:
    header = inspected(7, **changes).header
    assert isinstance(header, Inspection)
    return header


def stem(template: str = "{part_id}.png", **changes: Any) -> str:
    return parse_template(template).stem(part(**changes))


def test_deliver_names_a_picture_by_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        every = "/".join(f"{{{field}}}" for field in FIELDS) + ".png"
        found = stem(
            every, part_id="A-1", verdict="NO_VERDICT", code=Code.BRIGHTNESS, trigger_id=None,
            captured_at="2026-11-02T23:30:05.250+00:00",
        )  # fmt: skip
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == "2026-11-03/00-30-05-250/line-1/lid/3/A-1/none/7/NO_VERDICT/brightness"


@pytest.mark.parametrize(
    ("part_id", "name"),
    [
        ("../../etc/passwd", "_.._.._etc_passwd"),
        ("..", "_"),
        (".hidden", "_.hidden"),
        ("C:\\a\0b", "C__a_b"),
        ("lot 7/3", "lot 7_3"),
        (" blanks. ", "blanks"),
        ("NUL", "_NUL"),
        ("con.1", "_con.1"),
        ("größe 良品 😀", "größe 良品 😀"),
        ("e\u0301", "é"),
        ("a\u202eb\nc", "a_b_c"),
        ("", "none"),
        (None, "none"),
        ("{verdict}", "{verdict}"),
    ],
)
def test_deliver_makes_values_safe(part_id: str | None, name: str) -> None:
    assert stem(part_id=part_id) == name


def test_deliver_keeps_long_names_short_and_different() -> None:
    one, two = stem(part_id="x" * 4000 + "1"), stem(part_id="x" * 4000 + "2")
    assert one != two
    assert len(one) == len(two) == 80
    many = stem("{part_id}{product}{version}.png", part_id="x" * 99, product="y" * 99)
    assert len(many) <= 160


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_deliver_never_leaves_its_folder(one: str, two: str) -> None:
    found = parse_template("a/{part_id}{product}/{station}.png").stem(
        part(part_id=one, product=two, station=two)
    )
    names = found.split("/")
    assert len(names) == 3
    for name in names:
        assert name.isprintable()
        assert not FORBIDDEN & set(name)
        assert not name.startswith((".", " "))
        assert not name.endswith((".", " "))
        assert name.split(".")[0].strip().upper() not in RESERVED
        assert 0 < len(f"{name}_01234567-12345678901-99_mask.png".encode()) < 255


def test_deliver_tries_names_that_stay_different() -> None:
    tried = list(stems("a/b", part(stream="0123456789abcdef")))
    assert tried[:3] == ["a/b", "a/b_01234567-7", "a/b_01234567-7-2"]
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{date}/{product}.png", "one name"),
        ("{part}.png", "'{part}'"),
        ("{part_id.__class__}.png", "choose from {date}"),
        ("{part_id!r}.png", "is no field"),
        ("{part_id:>9}.png", "is no field"),
        ("{}.png", "is no field"),
        ("{part_id.png", "write fields as"),
        ("{part_id}.jpg", "end with .png"),
        ("{part_id}", "end with .png"),
        ("", "end with .png"),
        ("/x/{part_id}.png", "below the target"),
        ("../{part_id}.png", "below the target"),
        ("a//{part_id}.png", "below the target"),
        (".x/{part_id}.png", "below the target"),
        ("NUL/{part_id}.png", "below the target"),
        ("a/{part_id}/.png", "below the target"),
        ("{part_id}:{code}.png", "':'"),
        ("a\\{part_id}.png", "leave it out"),
        ("{part_id}\0.png", "leave it out"),
    ],
)
def test_deliver_refuses_a_template_in_one_line(template: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_template(template)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_deliver_has_a_template_of_its_own() -> None:
    assert PurePosixPath(stem(DEFAULT, part_id="A-1")).name == "A-1_OK"
