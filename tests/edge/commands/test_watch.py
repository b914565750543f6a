"""What a person at the terminal sees."""

from collections import deque

import pytest
from rich.console import Console

from edge.commands.watch import _table, line
from edge.events.codes import Code
from edge.events.event import AnyHeader, CodeName, Fault
from edge.events.notices import Notice, NoticeKind, log_once
from tests.edge.events.test_event import COMMON, inspection


def test_the_table_shows_verdicts_faults_and_any_text() -> None:
    message = "'/data/run[/a].avi' holds no frame"
    fault = Fault.model_validate(COMMON | {"code": CodeName.of(Code.CAMERA), "message": message})
    rows: deque[AnyHeader] = deque([inspection(passed_over=2), fault])
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(_table(rows))
    shown = console.export_text()
    console.file.close()
    assert message in shown
    assert "3x4 at 1,2, 2 frames skipped" in shown
    assert "NG" in line(rows[0])
    assert "camera" in line(fault)


def test_an_outage_says_the_same_once_a_minute_and_again_when_it_comes_back(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that does not answer is asked at each heartbeat: a gap, and no answer, every time."""
    notify, clock = log_once(), [0.0]
    monkeypatch.setattr("edge.events.notices.time.monotonic", lambda: clock[0])
    caplog.set_level("INFO")
    for clock[0] in (1.0, 2.0, 3.0, 70.0):
        notify(Notice("gap", "events 1 to 3 are missing"))
        notify(Notice("unanswered", "no answer"))
    assert caplog.text.count("no answer") == 2
    assert caplog.text.count("are missing") == 2
    kinds: tuple[NoticeKind, ...] = ("stale", "back", "stale")
    for kind in kinds:
        notify(Notice(kind, f"it is {kind}"))
    assert caplog.text.count("it is stale") == 2
