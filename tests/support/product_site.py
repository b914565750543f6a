"""`draem web` over a small product that was really trained, built and calibrated."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.conftest import Plant
from tests.support.ports import free_ports

JOB_MS = 120_000
"""A command imports PyTorch, and jobs are the last to get a busy machine's time."""


def copy_plant(plant: Plant, folder: Path) -> Path:
    """A folder with the products of a plant, and a station that does not run yet."""
    shutil.copytree(plant.products, folder / "products", symlinks=True)
    (folder / "station.toml").write_text(
        'station = "press-4"\nproduct = "lid"\n'
        'source = "line://moulded?rate=4&defects=0&seed=3"\n'
        f'endpoint = "tcp://127.0.0.1:{free_ports(4)[0]}"\n'
    )
    return folder


def expect_job(page: Page, kind: str, state: str = "done") -> None:
    """Wait until the newest job of a kind, which the page shows, is in a state."""
    shown = page.locator(f"[data-job={kind}] .job-state").first
    expect(shown).to_have_text(state, timeout=JOB_MS)


@contextmanager
def running_line(folder: Path) -> Iterator[None]:
    """`draem run` with the settings of a folder."""
    with (folder / "run.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "draem", "run"], cwd=folder, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
