"""What a person at the terminal sees."""

from collections import deque

from rich.console import Console

from edge.commands.watch import _table, line
from edge.event import AnyHeader, Code, CodeName, Fault
from tests.edge.test_event import COMMON, inspection


def test_the_table_shows_verdicts_faults_and_any_text() -> None:
    message = "'/data/run[/a].avi' holds no frame"
    fault = Fault.model_validate(COMMON | {"code": CodeName.of(Code.CAMERA), "message": message})
    rows: deque[AnyHeader] = deque([inspection(passed_over=2), fault])
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(_table(rows))
    shown = console.export_text()
    console.file.close()
    assert message in shown
    assert "3x4 at 1,2, 2 frames passed over" in shown
    assert "NG" in line(rows[0])
    assert "camera" in line(fault)
