"""A warning that comes again and again is written once a minute, with its number."""

import logging
import subprocess
import sys

import pytest

from edge.base.repeats import RepeatsHandler


@pytest.fixture
def log() -> logging.Logger:
    made = logging.Logger("edge.any")
    made.addHandler(RepeatsHandler())
    return made


def test_identical_warnings_are_written_once_and_counted(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("edge.base.repeats.time.monotonic", lambda: clock[0])
    log.handlers[0].setStream(sys.stderr)  # type: ignore[attr-defined]
    for _ in range(20_000):
        log.warning("no light at %s", "lamp 1")
        clock[0] += 10 / 20_000
    log.warning("no light at %s", "lamp 2")
    log.info("started")
    log.info("started")
    assert capsys.readouterr().err.splitlines() == [
        "no light at lamp 1", "no light at lamp 2", "started", "started",
    ]  # fmt: skip
    clock[0] = 61
    log.warning("no light at %s", "lamp 1")
    assert capsys.readouterr().err.splitlines() == [
        "no light at lamp 1 (repeated 19999 times)", "no light at lamp 1",
    ]  # fmt: skip
    log.error("no light at %s", "lamp 1")
    log.handlers[0].close()
    assert capsys.readouterr().err == "no light at lamp 1 (repeated 1 times)\n"


def test_many_different_warnings_are_all_written_and_few_are_remembered(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = log.handlers[0]
    assert isinstance(handler, RepeatsHandler)
    handler.setStream(sys.stderr)
    for number in range(3000):
        log.warning("image %d is skipped", number)
    assert len(capsys.readouterr().err.splitlines()) == 3000
    assert len(handler._seen) <= 1000


def test_every_command_logs_in_this_way() -> None:
    program = """
import logging, draem, edge.commands.cameras
def main(options):
    for _ in range(500):
        logging.getLogger("edge.any").warning("again")
    return 0
edge.commands.cameras.main = main
raise SystemExit(draem.main(["cameras"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["again", "again (repeated 499 times)"]
