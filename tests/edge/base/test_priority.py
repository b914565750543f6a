"""Processes that yield to the line do so within their session, and between sessions."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os
from pathlib import Path
from edge.base.priority import yield_to_the_line
os.setpriority(os.PRIO_PROCESS, 0, max({before}, os.getpriority(os.PRIO_PROCESS, 0)))
yield_to_the_line(10)
print(os.getpriority(os.PRIO_PROCESS, 0))
print(Path("/proc/self/autogroup").read_text())
"""


def run(*, before: int, leads: bool) -> list[str]:
    words = [sys.executable, "-c", SCRIPT.format(before=before)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, start_new_session=leads
    )
    return done.stdout.split("\n")


needs_autogroup = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by session"
)


@needs_autogroup
def test_the_leader_of_a_session_lowers_the_session_too() -> None:
    nice, group, *_ = run(before=0, leads=True)
    assert nice == "10"
    assert group.endswith(" nice 5")


@needs_autogroup
def test_a_process_of_somebody_elses_session_leaves_that_as_it_is() -> None:
    own = Path("/proc/self/autogroup").read_text().strip()
    nice, group, *_ = run(before=0, leads=False)
    assert nice == "10"
    assert group == own


@needs_autogroup
def test_a_process_of_even_lower_priority_keeps_it() -> None:
    assert run(before=15, leads=False)[0] == "15"
