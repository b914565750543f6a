"""Agreement of reviewers and outcomes of thresholds, against counts by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from edge.archive.around import Names
from edge.archive.labels import Given
from edge.archive.query import Label
from edge.archive.review_queue import Item
from edge.web.products.steps.comparison import labelled_rows
from edge.web.review.agreement import agreements, disagreements
from edge.web.review.choice import Choice
from edge.web.review.session import ReviewSession
from edge.web.review.threshold import labelled
from edge.web.review.threshold_page import _options, with_the_only
from edge.web.texts import Texts
from tests.support.found_parts import found_part


def said(first: Label, second: Label, kind: str | None = None) -> dict[str, Given]:
    """What eva and max said of a part."""
    return {"eva": Given(first, "eva", kind), "max": Given(second, "max")}


def test_web_kappa_of_the_textbook() -> None:
    # Cohen's table: 20 both yes, 15 both no, 5 and 10 apart: 70 %, kappa 0.4.
    given = [said("good", "good")] * 20 + [said("missed", "missed")] * 15
    given += [said("good", "missed")] * 5 + [said("missed", "good")] * 10
    (made,) = agreements({f"1-{n}": both for n, both in enumerate(given)})
    assert (made.first, made.second, made.parts, made.agreed) == ("eva", "max", 50, 35)
    assert made.kappa == pytest.approx(0.4)


def test_web_kappa_of_one_label_alone_is_not_defined() -> None:
    (made,) = agreements({"1-1": said("good", "good"), "1-2": said("good", "good")})
    assert (made.agreed, made.kappa) == (2, None)


def test_web_disagreements_have_other_kinds_too() -> None:
    found = {"1-1": said("good", "good"), "1-2": said("defect", "defect", "dent")}
    assert [key for key, _ in disagreements(found)] == ["1-2"]


def test_web_outcomes_follow_the_rule_of_the_judge() -> None:
    """NG if and only if the score is at or above the threshold."""
    part = found_part(threshold=0.5)
    made = labelled(
        [
            replace(part, score=0.6, label="false-reject"),
            replace(part, score=0.4, label="good"),
            replace(part, score=0.7, label="defect"),
            replace(part, score=0.45, label="missed"),
            replace(part, score=None, label="missed"),
        ]
    )
    assert (made.good, made.defective, made.threshold) == (2, 2, 0.5)
    found = {f: made.outcome(f) for f in (0.8, 0.9, 1.0, 1.2, 1.3, 1.5)}
    rejects = [found[f].false_rejects for f in (0.8, 0.9, 1.0, 1.2, 1.3, 1.5)]
    escapes = [found[f].escapes for f in (0.8, 0.9, 1.0, 1.2, 1.3, 1.5)]
    assert (rejects, escapes) == ([2, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 2])


def test_web_a_release_says_what_becomes_of_labelled_parts() -> None:
    part, texts = found_part(threshold=0.5), Texts("en")
    good = [replace(part, score=score, label="false-reject") for score in (0.52, 0.7)]
    bad = [replace(part, score=score, label="defect") for score in (0.55, 0.58, 0.9)]
    rows = labelled_rows(texts, labelled([*good, *bad]), 1.2)
    assert [row[1:] for row in rows] == [["2 of 2", "1 of 2"], ["0 of 3", "2 of 3"]]


def test_web_the_only_product_and_version_need_no_choice() -> None:
    one = Names(("line-1",), {"lid": ("3",)})
    assert with_the_only(Choice({"since": "1d"}), one).words == {
        "since": "1d",
        "product": "lid",
        "version": "3",
    }
    two = Names(("line-1",), {"lid": ("3", "2"), "cap": ("1",)})
    assert with_the_only(Choice({"since": "1d"}), two).words == {"since": "1d"}
    chosen = Choice({"product": "lid", "version": "2"})
    assert with_the_only(chosen, two) == chosen


def test_web_a_chart_draws_the_threshold_where_it_is() -> None:
    """The library rounds marks to two decimals by itself."""
    found = labelled([replace(found_part(threshold=0.4217), score=0.5, label="defect")])
    line = _options(Texts("en"), found)["series"][0]["markLine"]
    assert round(line["data"][0]["xAxis"], line.get("precision", 2)) == pytest.approx(0.4217)


def test_web_several_thresholds_are_changed_by_one_factor() -> None:
    part = found_part(threshold=0.5)
    rim = replace(part, score=0.3, threshold=0.2, label="false-reject")
    made = labelled([replace(part, score=0.9, label="defect"), rim])
    assert made.threshold is None
    assert made.outcome(1.6).false_rejects == 0


def test_web_a_label_that_cannot_be_stored_comes_back() -> None:
    items = [Item(found_part(key=f"1-{n}"), "ng") for n in range(3)]
    session = ReviewSession(items)
    first = session.label("unsure", None)
    session.label("good", None)
    session.take_back(first)
    assert (session.at, list(session.given)) == (0, ["1-1"])
    assert session.last() is items[1]
    session.undo()
    assert (session.at, session.given, session.last()) == (1, {}, None)


def test_web_a_choice_is_the_same_in_its_address() -> None:
    parameters = {"product": "lid", "since": "7d", "take": "ng,near", "one_in": "50"}
    choice = Choice.of(parameters)
    assert (choice.reasons, choice.ok_one_in, choice.is_second) == (("near", "ng"), 50, False)
    assert choice.address() == "/review?product=lid&since=7d&take=near%2Cng&one_in=50"
    plant = Choice.of({"since": "2026-11-02T06:00"}, ZoneInfo("Pacific/Kiritimati"))
    assert plant.query.since == datetime(2026, 11, 1, 16, tzinfo=UTC)
    assert Choice.of({"take": "all", "one_in": "0"}) == Choice({"since": "1d"})
