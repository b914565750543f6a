"""What is changed on a line or in its products folder is in its events, with who and why."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

import pytest
from pydantic import BaseModel, ConfigDict

from deploy.release.lifecycle import activate, seal
from edge.base.person import Person
from edge.events.client import RequestClient, service_endpoint
from edge.events.control_messages import ProductReply, Request, SwitchRequest, ask_as
from edge.events.event import Event, RecordedChange, Status
from edge.events.server import ErrorReply
from edge.events.subscriber import events
from edge.product.change_journal import CHANGES, record_change, recorded_changes
from edge.product.product import read_version
from edge.station.active_product import ActiveProduct
from edge.station.change_report import STATE, ChangeReporter, Report
from edge.station.changeover import Changeover
from tests.support.commands import draem_in_process
from tests.support.minimal_station import PRODUCT, MeanEngine
from tests.support.release_files import build, make
from tests.support.running_station import Running
from tests.support.waiting import wait_until


def load(name: str, version: str | None, stopped: object) -> ActiveProduct:
    return ActiveProduct.of(PRODUCT, MeanEngine())


@pytest.fixture
def products(tmp_path: Path) -> Path:
    """One product of one version."""
    build(make(tmp_path / "products"))
    return tmp_path / "products"


@pytest.fixture
def station(tmp_path: Path, products: Path) -> Iterator[Running]:
    changeover = Changeover(MeanEngine(), load, lambda *_: None)
    running = Running(tmp_path / "data", changeover, products=products)
    try:
        yield running
    finally:
        running.close()
        changeover.close()


class Changes:
    """The changes of a station's status events, from the log's first event on."""

    def __init__(self, station: Running, cursor: Path) -> None:
        self.found: list[RecordedChange] = []
        self.states: list[str] = []
        self._stop = StopEvent()
        self._events = events(station.endpoint, cursor, stopped=self._stop.is_set)
        self._thread = Thread(target=self._receive)

    def _receive(self) -> None:
        for event in self._events:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event.header, Status):
            self.states.append(event.header.state)
            self.found += event.header.changes

    def __enter__(self) -> "Changes":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def wait_for(self, count: int) -> list[RecordedChange]:
        wait_until(lambda: len(self.found) >= count, f"{count} changes, not {self.found}")
        return self.found


def control(station: Running, *words: str) -> None:
    done = draem_in_process(*words, "--endpoint", station.endpoint, cwd=station.settings.data)
    assert done.returncode == 0, done.stderr


def test_archive_learns_who_paused_and_resumed_a_line(station: Running, tmp_path: Path) -> None:
    with Changes(station, tmp_path / "cursor") as changes:
        control(station, "control", "pause", "--who", "Eva  Ölund", "--reason", "clean the lens")
        control(station, "control", "pause", "--who", "max")  # it is paused already
        control(station, "control", "resume", "--who", "max")
        paused, resumed = changes.wait_for(2)
        control(station, "control", "pause")
        changes.wait_for(3)
        assert changes.states == ["running", "paused", "running", "paused"]
    assert (paused.who, paused.action, paused.target) == ("Eva Ölund", "pause", "station station-1")
    assert (paused.old, paused.new, paused.reason) == ("running", "paused", "clean the lens")
    assert "@" in paused.origin
    assert (resumed.who, resumed.action, resumed.old, resumed.new) == (
        "max", "resume", "paused", "running",
    )  # fmt: skip


def test_archive_learns_of_a_pause_and_a_resume_within_one_turn_of_the_loop(
    station: Running, tmp_path: Path
) -> None:
    with (
        Changes(station, tmp_path / "cursor") as changes,
        RequestClient(service_endpoint(station.endpoint, "control"), None, "--control") as client,
    ):
        for _ in range(20):
            client.ask(Request(request="pause"))
            client.ask(Request(request="resume"))
        found = changes.wait_for(40)
        assert [change.action for change in found] == ["pause", "resume"] * 20
        assert {change.who for change in found} == {""}, "a client that does not say who it is"
    assert len({change.id for change in found}) == 40


def test_archive_learns_who_switched_the_product_and_what_it_was(
    station: Running, tmp_path: Path
) -> None:
    with Changes(station, tmp_path / "cursor") as changes:
        control(station, "switch", "--product", "lid", "--who", "eva", "--reason", "order 7")
        (change,) = changes.wait_for(1)
    assert (change.who, change.action, change.reason) == ("eva", "switch", "order 7")
    assert (change.old, change.new) == ("lid 1", "lid 1")


@pytest.mark.parametrize(
    "field", [{"who": "x" * 101}, {"reason": "a\x1b[2Jb"}, {"origin": "a\u202eb"}, {"who": 7}]
)
def test_archive_names_are_bounded_and_printable(station: Running, field: dict[str, str]) -> None:
    class Anything(BaseModel):
        model_config = ConfigDict(extra="allow")

    endpoint = service_endpoint(station.endpoint, "control")
    with RequestClient(endpoint, None, "--control") as client:
        answer = json.loads(client.ask(Anything(request="pause", **field))[0])
    assert answer["reply"] == "error"
    assert not station.controls.paused


def test_archive_names_are_left_out_for_an_older_station() -> None:
    class Old(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        request: str
        product: str

    class OldLine:
        def ask(self, question: BaseModel) -> list[bytes]:
            try:
                Old.model_validate_json(question.model_dump_json(exclude_none=True))
            except ValueError as error:
                text = f"{error.errors()[0]['msg']}; see docs"  # type: ignore[attr-defined]
                return [ErrorReply(message=text).model_dump_json().encode()]
            return [ProductReply(product="lid").model_dump_json().encode()]

    person = Person("eva", "eva@panel", "order 7")
    answer = ask_as(person, OldLine(), SwitchRequest(product="lid"))
    assert ProductReply.model_validate_json(answer[0]).product == "lid"


def test_archive_learns_what_was_changed_in_the_products_folder_while_a_line_was_down(
    tmp_path: Path, products: Path
) -> None:
    """Each change once, over restarts; again, with the same id, where the state is lost."""
    seal(products / "lid" / "1", by=Person("eva", "eva@bench", "approved"))
    data, cursor = tmp_path / "data", tmp_path / "cursor"
    station = Running(data, products=products)
    with Changes(station, cursor) as changes:
        (sealed,) = changes.wait_for(1)
        second = make(products, b"second")
        build(second)
        seal(second.path, by=Person("eva", "eva@bench"))
        last = changes.wait_for(2)[-1].id
        state = data / station.settings.station / STATE
        wait_until(lambda: state.exists() and last in state.read_text(), "the state")
        station.close()
    assert (sealed.who, sealed.action, sealed.reason) == ("eva", "seal", "approved")
    seal_of = read_version(products / "lid" / "1").seal
    assert seal_of is not None
    assert sealed.new == f"content {seal_of.content}"
    activate(second.path, "openvino", Person("max", "max@bench"))
    station = Running(data, products=products)
    with Changes(station, cursor) as changes:
        found = changes.wait_for(1)
        station.close()
    assert [(c.who, c.action, c.target) for c in found] == [("max", "activate", "lid")]
    assert found[0].old == "version 1, threshold 0.5000"
    assert found[0].new == "version 2, threshold 0.5000"
    state.write_text("rubbish")
    station = Running(data, products=products)
    with Changes(station, cursor) as changes:
        again = changes.wait_for(3)
        station.close()
    assert [c.id for c in again] == [c.id for c in recorded_changes(products / "lid")]


class NeverLogs:
    """A loop that takes reports and cannot log them."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._report: Report | None = None

    @property
    def report(self) -> Report | None:
        return None

    @report.setter
    def report(self, report: Report | None) -> None:
        if report is not None:
            self.reports.append(report)


def test_archive_misses_no_change_while_the_log_cannot_be_written(
    tmp_path: Path, products: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.station.change_report.POLL_S", 0.05)
    monkeypatch.setattr("edge.station.change_report.LOGGED_S", 0.2)
    for number in range(25):
        record_change(products / "lid", Person("eva"), "calibrate", f"lid {number}")
    loop = NeverLogs()
    with ChangeReporter(products, tmp_path, loop):
        wait_until(lambda: len(loop.reports) == 3, "it is reported again")
        assert {len(report.changes) for report in loop.reports} == {20}
        assert not (tmp_path / STATE).exists()
        loop.reports[-1].logged.set()
        wait_until(lambda: len(loop.reports[-1].changes) == 5, "the rest")


def test_archive_journal_of_a_product_survives_a_line_that_was_cut(products: Path) -> None:
    folder = products / "lid"
    record_change(folder, Person("eva"), "seal", "lid 1")
    with (folder / CHANGES).open("ab") as file:
        file.write(b'{"id": "cut')
    assert len(recorded_changes(folder)) == 1
    record_change(folder, Person("max"), "seal", "lid 1")
    assert [change.who for change in recorded_changes(folder)] == ["eva", "max"]
