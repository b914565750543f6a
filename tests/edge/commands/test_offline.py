"""The program talks to no host but those in its settings, and leaves no process behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Plant

OBSERVED = """
import json, os, pwd, socket, sys

def nobody(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = nobody  # as in a container: a user without an entry, and without a home
events = []

def observe(event, words):
    if event == "socket.connect" and words[0].family == socket.AF_UNIX:
        return  # on this machine
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "os.fork"):
        events.append([event, repr(words)])

sys.addaudithook(observe)
import draem
code = draem.main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump(events, file)
sys.exit(code)
"""
NAMES = ("HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "CI")


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "--product", "lid", "good/part_000.png"),
        ("build", "--product", "lid"),
        ("calibrate", "--product", "lid", "--images", "good"),
        ("run", "--product", "lid", "--source", "good", "--endpoint", "ipc://events"),
        ("train", "good", "--product", "new", "--network", "pixels", "--widths", "2/2", "--input",
         "32x32", "--batch", "2", "--steps", "1"),
    ],
    ids=lambda words: str(words[0]),
)  # fmt: skip
def test_a_command_needs_no_network_and_no_home(
    calibrated: Plant, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """OpenVINO's telemetry asks for an analytics host, forks a sender, and needs a home."""
    (tmp_path / "products").symlink_to(calibrated.products)
    if words[0] in ("calibrate", "build", "train"):
        (tmp_path / "products").unlink()
        subprocess.run(["cp", "-a", calibrated.products, tmp_path / "products"], check=True)
    (tmp_path / "good").symlink_to(calibrated.root / "good")
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", OBSERVED, "events.json", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "events.json").read_text()) == []
    assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[str]:
    """The processes whose working folder it is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder.resolve():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found
