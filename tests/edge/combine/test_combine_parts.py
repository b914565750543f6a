"""The verdict of a part from those of its views, without sockets: what the joined event says."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import draem
from edge.base.errors import SettingsError
from edge.combine.header import joined_part
from edge.combine.joiner import Joiner, Released, Rules
from edge.combine.memory import Memory
from edge.combine.products import Products
from edge.combine.settings import load_combine
from edge.combine.sight import EPOCH, Now, Sight, sight_of
from edge.combine.view_state import ViewState, standing
from edge.events.codes import Code
from edge.events.event import Heartbeat, Inspection, Verdict
from edge.events.notices import Notice
from tests.support.combine.clock import Clock
from tests.support.combine.simulated_view import SimulatedView, inspection

DEADLINE_S = 1.0
NOW_US = 1_800_000_000_000_000


class Bench:
    """A joiner of two views, and what it has released."""

    def __init__(self, products: Products | None = None, size: int = 100) -> None:
        self.rules = Rules(("top", "side"), "trigger-id", DEADLINE_S, products or Products())
        self.joiner = Joiner(self.rules, Memory(0, DEADLINE_S, size))
        self.s, self.numbers = 100.0, 0
        self.released: list[Released] = []

    @property
    def now(self) -> Now:
        return Now("here", round(self.s * 1e9), NOW_US + round(self.s * 1e6))

    def sight(self, view: str, key: int | None, verdict: Verdict = "OK", age_s: float = 0.0,
              boot_id: str = "here", **values: Any) -> Sight:  # fmt: skip
        """An event of a part that was captured some seconds ago."""
        self.numbers += 1
        captured = EPOCH + timedelta(microseconds=self.now.wall_us - round(age_s * 1e6))
        given: dict[str, object] = {
            "stream_id": view, "seq": self.numbers, "trigger_id": key, "boot_id": boot_id,
            "captured_ns": round((self.s - age_s) * 1e9), "captured_at": captured.isoformat(),
        }  # fmt: skip
        return sight_of(view, inspection(verdict, **(given | values)), b"", self.now)

    def send(self, view: str, key: int | None, verdict: Verdict = "OK", age_s: float = 0.0,
             **values: Any) -> None:  # fmt: skip
        """Receive it, and release what is decided."""
        self.joiner.receive(self.sight(view, key, verdict, age_s, **values), self.now)
        self.turn()

    def turn(self, seconds: float = 0.0) -> None:
        """Time passes."""
        self.s += seconds
        self.released += self.joiner.release(self.now)

    def said(self) -> list[tuple[object, str, str]]:
        """Key, verdict and code of each part that was released."""
        return [
            (one.part.key, one.decision.verdict, one.decision.code.name.lower())
            for one in self.released
        ]

    def header(self) -> Inspection:
        """The event of the last part."""
        return joined_part(self.released[-1], self.rules, self.s)[0]


def test_combine_passes_no_part_whose_views_have_read_different_ids() -> None:
    bench = Bench()
    bench.send("top", 1, part_id="A-1")
    bench.send("side", 1, part_id="A-2")
    assert bench.said() == [(1, "NO_VERDICT", "views_differ")]
    assert bench.header().part_id is None
    bench.send("top", 2, part_id="A-3")
    bench.send("side", 2, part_id=None)
    assert (bench.said()[1:], bench.header().part_id) == ([(2, "OK", "none")], "A-3")


def test_combine_says_ng_at_once_and_names_what_has_not_come() -> None:
    bench = Bench()
    bench.send("side", 1, "NG", product="lid")
    assert bench.said() == [(1, "NG", "none")]
    header = bench.header()
    assert (header.view, header.score, len(header.regions)) == ("side", 0.9, 1)
    assert header.views is not None
    assert [(v.name, v.verdict, v.code.name) for v in header.views] == [
        ("top", None, "view_missing"), ("side", "NG", "none")
    ]  # fmt: skip
    bench.send("top", 1)
    assert bench.joiner.counts["after_ng"] == 1
    assert len(bench.released) == 1
    for key, others in enumerate(["OK", "NO_VERDICT"], start=2):
        bench.send("top", key, "OK" if others == "OK" else "NO_VERDICT")
        bench.send("side", key, "NG")
        assert bench.said()[-1] == (key, "NG", "none")


def test_combine_has_no_verdict_for_a_view_that_is_missing_late_or_without_one() -> None:
    bench = Bench()
    bench.send("top", 1)
    bench.turn(DEADLINE_S - 0.001)
    assert bench.said() == []
    bench.turn(0.001)
    bench.send("top", 2)
    bench.send("side", 2, "NO_VERDICT")
    bench.send("top", 3)
    bench.send("side", 3, age_s=DEADLINE_S)
    bench.send("top", 4)
    bench.send("side", 4, age_s=-0.2)  # a clock that is ahead: nobody knows how old the part is
    bench.send("top", 5, boot_id="another machine", age_s=0.4)
    bench.send("side", 5, boot_id="another machine", age_s=0.5)
    assert bench.said() == [
        (1, "NO_VERDICT", "view_missing"), (2, "NO_VERDICT", "view_no_verdict"),
        (3, "NO_VERDICT", "view_late"), (4, "NO_VERDICT", "view_late"), (5, "OK", "none"),
    ]  # fmt: skip
    header = bench.header()
    assert header.captured_ns == round((bench.s - 0.5) * 1e9), "the first picture, on this clock"
    assert header.stages_ms["wait"] == pytest.approx(500, abs=1)


def test_combine_gives_an_id_that_comes_twice_no_ok() -> None:
    bench = Bench()
    bench.send("top", 1)
    bench.send("top", 1)
    assert bench.said() == [(1, "NO_VERDICT", "view_twice")]
    bench.send("top", 2)
    bench.send("side", 2)
    bench.send("side", 2)  # after its OK: a part of its own, which has none
    bench.send("top", 2)
    assert bench.said()[1:] == [(2, "OK", "none"), (2, "NO_VERDICT", "view_twice")]
    bench.turn(3 * DEADLINE_S)
    bench.send("top", 2)
    bench.send("side", 2)
    assert bench.said()[-1] == (2, "OK", "none"), "a counter that began again"


def test_combine_gives_a_trigger_without_a_frame_one_verdict_whichever_view_comes_first() -> None:
    """A station notices it at a later trigger, which may be long after the part has passed."""
    bench = Bench()
    bench.send("side", 1)
    bench.turn(5)
    bench.send("top", 1, "NO_VERDICT", frame_id=0)
    captured_s = bench.s
    bench.turn(5)
    bench.send("top", 2, "NO_VERDICT", frame_id=0)
    bench.turn(5)
    bench.send("side", 2, age_s=bench.s - captured_s)
    assert bench.said() == [(key, "NO_VERDICT", "view_missing") for key in (1, 2)]
    bench.turn(5)
    for view in ("top", "side"):
        bench.send(view, 2)
    assert bench.said()[-1] == (2, "OK", "none"), "the counter began again"


def test_combine_keeps_the_order_of_the_line() -> None:
    bench = Bench()
    bench.send("top", 1)
    bench.send("top", 2)
    bench.send("top", 3, "NG")
    assert bench.said() == [], "part 1 is before it"
    bench.send("side", 1)
    bench.send("side", 2)
    assert [key for key, _, _ in bench.said()] == [1, 2, 3]


def test_combine_puts_a_part_that_one_view_has_missed_before_those_after_it() -> None:
    bench = Bench()
    bench.send("top", 7)
    bench.send("top", 8)
    bench.send("side", 6)  # its trigger was lost at the top view
    bench.send("side", 7)
    bench.send("side", 8)
    assert bench.said() == []
    bench.turn(DEADLINE_S - 0.001)
    bench.turn(0.001)
    assert [key for key, _, _ in bench.said()] == [6, 7, 8]


def test_combine_tells_products_that_do_not_fit_together() -> None:
    bench = Bench()
    bench.send("top", 1, product="lid")
    bench.send("side", 1, product="cap")
    assert bench.said() == [(1, "NO_VERDICT", "views_differ")]
    assert (bench.header().product, bench.header().version) == ("lid+cap", "3")
    table = {"lid": {"top": "lid-top", "side": "lid-side"}, "cap": {"top": "c", "side": "c"}}
    bench = Bench(Products(table))
    for key, (top, side) in enumerate([("lid-top", "lid-side"), ("lid-top", "c"), ("c", "c")]):
        bench.send("top", key, product=top, version="3")
        bench.send("side", key, product=side, version="4")
    assert [code for _, _, code in bench.said()] == ["none", "views_differ", "none"]
    assert (bench.header().product, bench.header().version) == ("cap", "0")


def test_combine_reports_parts_that_it_cannot_join() -> None:
    bench = Bench(size=2)
    bench.send("top", None)
    bench.send("top", None)
    assert [code.name for code, _ in bench.joiner.faults] == ["VIEW_WITHOUT_ID"]
    for key in range(1, 5):
        bench.turn(1)
        for view in ("top", "side"):
            bench.send(view, key)
    bench.joiner.faults.clear()
    for key in (97, 98):
        bench.send("top", key, age_s=3600)  # from before all that is remembered
    assert [code.name for code, _ in bench.joiner.faults] == ["VIEW_TOO_OLD"]
    assert "from 1 on" in bench.joiner.faults[0][1]
    assert bench.joiner.counts["too_old"] == 2
    assert len(bench.released) == 4


@given(st.permutations([(view, key) for view in ("top", "side") for key in (1, 2, 3)]))
def test_combine_joins_whatever_comes_first(order: list[tuple[str, int]]) -> None:
    bench = Bench()
    for view, key in order:
        bench.send(view, key)
    assert sorted(bench.said()) == [(key, "OK", "none") for key in (1, 2, 3)]


def test_combine_heartbeat_names_every_view_that_is_wrong() -> None:
    views = [ViewState(name, 0.0) for name in ("top", "side")]
    lines = {view.name: SimulatedView(view.name, Clock()) for view in views}

    def beat(name: str, **values: object) -> None:
        heartbeat: Heartbeat = lines[name].heartbeat(**values)  # type: ignore[arg-type]
        state = next(view for view in views if view.name == name)
        state.notice(Notice("heartbeat", "", heartbeat), 10.0)

    assert "top was not heard yet" in standing(views, Products(), 1.0).message
    beat("top")
    beat("side")
    now = standing(views, Products(), 10.5)
    assert now == ("running", "lid", "3", Code.NONE, "")
    silent = standing(views, Products(), 11.1)
    assert (silent.code, silent.message.count("silent")) == (Code.VIEW_LOST, 2)
    beat("side", state="fault", code=Code.CAMERA_LOST, message="its cable")
    fault = standing(views, Products(), 10.5)
    assert (fault.code, fault.message) == (Code.VIEW_FAULT, "view side: camera_lost its cable")
    beat("side", product="cap")
    assert standing(views, Products(), 10.5).code is Code.VIEWS_DIFFER
    beat("side", state="paused")
    assert standing(views, Products(), 10.5)[0::4] == ("paused", "paused: view side")
    views[0].notice(Notice("unanswered", ""), 10.0)
    assert "view top: its log does not answer" in standing(views, Products(), 10.5).message
    views[0].notice(Notice("answered", ""), 10.0)
    assert standing(views, Products(), 10.5).code is Code.NONE


TWO = {"top": {"endpoint": "tcp://127.0.0.1:1"}, "side": {"endpoint": "tcp://127.0.0.1:2"}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"views": dict([*TWO.items()][:1])}, "2 to 16 views"),
        ({"views": {**TWO, "end": TWO["top"]}}, "one endpoint"),
        ({"views": TWO, "deadline": "500"}, "as 500ms or 0.5s"),
        ({"views": TWO, "deadline": "0s"}, "greater than 0"),
        ({"views": TWO, "by": "serial"}, "part-id"),
        ({"views": TWO, "products": {"lid": {"top": "lid"}}}, "one product for each view"),
        ({"views": TWO, "products": {"a": dict.fromkeys(TWO, "x"), "b": dict.fromkeys(TWO, "x")}},
         "the same products"),
        ({"views": {"../x": TWO["top"], **TWO}}, "cannot be"),
    ],
)  # fmt: skip
def test_combine_refuses_settings_that_cannot_be(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_combine(given)


def test_combine_reads_its_file(tmp_path: Path) -> None:
    file = tmp_path / "lid.toml"
    file.write_text(
        'by = "part-id"\ndeadline = "1.5s"\n[views]\ntop = "tcp://127.0.0.1:1"\n'
        '[views.side]\nendpoint = "tcp://127.0.0.1:2"\nreplay = "tcp://127.0.0.1:9"\n'
        '[products.lid]\ntop = "lid-top"\nside = "lid-side"\n'
    )
    found = load_combine({"deadline": "250ms", "by": None}, file)
    assert (found.by, found.deadline, found.views["side"].replay) == (
        "part-id", 0.25, "tcp://127.0.0.1:9"
    )  # fmt: skip
    assert found.fitting.name({"top": "lid-top", "side": "lid-side"}) == "lid"
    file.write_text('dedline = "1s"\n')
    with pytest.raises(SettingsError, match="'dedline' is unknown: choose from views, by"):
        load_combine({}, file)
    with pytest.raises(SettingsError, match="does not exist"):
        load_combine({}, tmp_path / "none.toml")
    assert math.isclose(load_combine({"views": TWO}).deadline, 0.5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--view", "top"), "write a name and an address"),
        (("--view", "a=tcp://x:1", "--view", "a=tcp://x:2"), "--view names 'a' twice"),
        (("--view", "a=tcp://x:1", "--view", "b=nonsense"), "nonsense is no address"),
        (("--product", "lid=top"), "write a name and a product for each view"),
    ],
)
def test_combine_says_what_is_wrong_in_one_line(
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert draem.main(["combine", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "data").exists(), "nothing is begun"
