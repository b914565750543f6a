"""The commands as a user meets them: help texts, mistakes of one line, exit codes."""

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import draem as program
from tests.conftest import Plant, write_parts
from tests.support.commands import draem_in_process


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, one line, no traceback, and the words that say what to do."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (last,) = [row for row in done.stderr.splitlines() if row.startswith("draem: ")]
    for word in words:
        assert word in last, last


@pytest.mark.parametrize("command", program.COMMANDS)
def test_every_command_has_help(command: str, tmp_path: Path) -> None:
    done = draem_in_process(command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"draem {command}" in done.stdout


def test_the_front_page_lists_the_workflow(tmp_path: Path) -> None:
    page = draem_in_process(cwd=tmp_path).stdout
    steps = [page.index(f"draem {c}") for c in ("collect", "train", "build", "calibrate", "run")]
    assert steps == sorted(steps)


def test_inspect_prints_json_and_maps(calibrated: Plant, tmp_path: Path) -> None:
    paths = write_parts(tmp_path / "images", 3, seed=9)
    blot = cv2.imread(str(paths[1]))
    assert blot is not None
    cv2.circle(blot, (160, 120), 18, (10, 10, 220), -1)
    cv2.imwrite(str(paths[1]), blot)
    words = ("--product", "lid", "--json", "--maps", str(tmp_path / "maps"))
    done = draem_in_process("inspect", str(tmp_path / "images"), *words, cwd=calibrated.root)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == [str(p) for p in paths]
    assert [row["verdict"] for row in rows] == ["OK", "NG", "OK"]
    assert all((r["verdict"] == "NG") == (r["score"] >= r["threshold"]) for r in rows)
    x, y, width, height = rows[1]["regions"][0]["box"]
    assert x < 160 < x + width
    assert y < 120 < y + height
    heat = cv2.imread(str(tmp_path / "maps" / "0002_part_001_heatmap.png"), cv2.IMREAD_UNCHANGED)
    assert heat is not None
    assert heat.dtype == np.uint16
    assert heat.shape == (64, 64)
    overlay = cv2.imread(str(tmp_path / "maps" / "0002_part_001_overlay.png"))
    assert overlay is not None
    assert overlay.shape == blot.shape


def test_an_uncalibrated_product_gives_scores_without_verdicts(
    plant: Plant, tmp_path: Path
) -> None:
    (path,) = write_parts(tmp_path / "images", 1, seed=9)
    words = ("--product", "lid", "--version", "1", "--json")
    row = json.loads(draem_in_process("inspect", str(path), *words, cwd=plant.root).stdout)
    assert row["threshold"] is None
    assert row["verdict"] == "NO_VERDICT"
    assert 0 <= row["score"] <= 1
    assert row["regions"] == []


def test_inspect_judges_all_images_that_can_be_read(calibrated: Plant, tmp_path: Path) -> None:
    """However many others cannot: each of those is a row without a verdict, as on the line."""
    paths = write_parts(tmp_path / "images", 6, seed=9)
    for path in paths[:2]:
        path.write_bytes(b"broken")
    words = ("inspect", str(tmp_path / "images"), "--product", "lid")
    done = draem_in_process(*words, "--json", "--maps", str(tmp_path / "maps"), cwd=calibrated.root)
    assert done.returncode == 0
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert [row["verdict"] for row in rows[:2]] == ["NO_VERDICT"] * 2
    assert [(row["code"], row["score"]) for row in rows[:2]] == [("frame_unreadable", None)] * 2
    assert all(row["verdict"] in ("OK", "NG") for row in rows[2:])
    assert "2 of 6 images cannot be read" in done.stderr
    assert "part_001.png" in done.stderr
    for path in paths:
        path.write_bytes(b"broken")
    again = draem_in_process(*words, cwd=calibrated.root)
    assert again.returncode == 2
    assert again.stdout.count("no score") == 6


def test_a_page_in_no_folder_is_refused_by_that_folder(calibrated: Plant, tmp_path: Path) -> None:
    """Before any work where that takes long, and never by the name of a temporary file."""
    page = tmp_path / "nowhere" / "page.html"
    words = ("evaluate", str(tmp_path), "--product", "lid", "--report", str(page))
    refused(draem_in_process(*words, cwd=calibrated.root), "its folder does not exist")
    roi = ("--roi", "a=1,1,9,1,9,9")
    done = draem_in_process("station", *roi, "--to", str(page), cwd=tmp_path)
    refused(done, f"{page}: No such file")
    assert ".page" not in done.stderr


def test_mistakes_are_one_line_that_names_the_fix(calibrated: Plant, tmp_path: Path) -> None:
    root = calibrated.root
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(
        draem_in_process("inspect", "x.png", "--product", "lid", cwd=root), "x.png does not exist"
    )
    refused(
        draem_in_process("inspect", "x.png", "--product", "cap", cwd=root),
        "there are: lid",
        "draem train",
    )
    refused(draem_in_process("inspect", "x.png", cwd=root), "--product")
    refused(
        draem_in_process("run", "--product", "lid", "--source", str(empty), cwd=root),
        "holds no images",
    )
    refused(
        draem_in_process("run", "--product", "lid", "--source", "nowhere", cwd=root),
        "does not exist",
    )
    refused(
        draem_in_process("run", "--product", "lid", "--source", "line://wooden", cwd=root),
        "moulded",
    )
    refused(
        draem_in_process("run", "--product", "lid", "--source", "line://?speed=1", cwd=root),
        "speed",
    )
    refused(draem_in_process("train", str(empty), "--product", "new", cwd=root), "holds no images")
    refused(
        draem_in_process("train", str(empty), "--product", "new", "--steps", "0", cwd=root),
        "--steps",
    )
    refused(
        draem_in_process(
            "collect", "--source", "line://", "--to", str(empty), "--frames", "0", cwd=root
        )
    )
    assert not (root / "products" / "new").exists()


def test_a_mistyped_command_or_option_is_one_line(tmp_path: Path) -> None:
    refused(draem_in_process("trian", cwd=tmp_path), "train", "draem --help")
    refused(
        draem_in_process("build", "--prodcut", "lid", cwd=tmp_path),
        "--prodcut",
        "draem build --help",
    )
    words = ("train", "x", "--product", "lid", "--input", "100")
    refused(draem_in_process(*words, cwd=tmp_path), "multiples of 32")


def test_bench_times_every_stage_and_torch_beside_the_engine(plant: Plant) -> None:
    words = ("bench", "--product", "lid", "--version", "1", "--frames", "12", "--json")
    done = draem_in_process(*words, cwd=plant.root)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert list(figures["stages_ms"]) == ["fit", "infer", "judge", "encode", "send", "receive"]
    assert all(0 < row["p50"] <= row["p99"] for row in figures["stages_ms"].values())
    assert figures["compared"]["torch eager"]["ratio"] > 0
    refused(
        draem_in_process("bench", "--product", "lid", "--frames", "0", cwd=plant.root), "--frames"
    )


def test_doctor_never_fails(tmp_path: Path) -> None:
    done = draem_in_process("doctor", cwd=tmp_path)
    assert done.returncode == 0
    rows = ("Python", "cores", "free disk", "clock", "GPU", "NVIDIA driver", "CUDA toolkit")
    for word in (*rows, "engine tensorrt", "engine openvino", "pycuda", "cameras", "port of live"):
        assert word in done.stdout
    if "pycuda is missing" in done.stdout:
        assert ".[pycuda]" in done.stdout, "a table must not swallow brackets"


def test_doctor_reports_a_port_in_use_and_goes_on_after_errors(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        done = draem_in_process("doctor", "--endpoint", endpoint, cwd=tmp_path)
    assert done.returncode == 0
    assert "a station runs" in done.stdout
    done = draem_in_process("doctor", "--endpoint", "rubbish", cwd=tmp_path)
    assert done.returncode == 0
    assert "rubbish: " in done.stdout
    (tmp_path / "station.toml").write_text("enpoint = 1\n")
    done = draem_in_process("doctor", cwd=tmp_path)
    assert done.returncode == 0
    assert "enpoint" in done.stdout


def test_settings_are_checked_everywhere(
    calibrated: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAEM_SPEED", "9")
    refused(
        draem_in_process("inspect", "x.png", "--product", "lid", cwd=calibrated.root), "DRAEM_SPEED"
    )


def test_a_port_in_use_is_refused(calibrated: Plant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        words = ("run", "--product", "lid", "--source", "line://", "--endpoint", endpoint)
        refused(draem_in_process(*words, cwd=calibrated.root), "choose another --endpoint")


def test_an_altered_model_is_refused(calibrated: Plant, tmp_path: Path) -> None:
    import shutil

    version = calibrated.product.version
    copied = shutil.copytree(calibrated.product.path, tmp_path / "products" / "lid" / version)
    (tmp_path / "products" / "lid" / "current").symlink_to(version)
    model = copied / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    refused(
        draem_in_process("inspect", "x.png", "--product", "lid", cwd=tmp_path),
        "model.onnx",
        "SHA-256",
    )


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EACCES, "permissions"),
        (errno.EMFILE, "allow more open files"),
        (errno.ENFILE, "allow more open files"),
        (errno.EIO, "Input/output error: check the disk"),
        (errno.ETIMEDOUT, "correct it"),
    ],
)
def test_errors_of_the_system_say_how_to_fix_them(number: int, word: str) -> None:
    assert word in program.os_error(OSError(number, os.strerror(number), "products"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_one_line(calibrated: Plant, tmp_path: Path) -> None:
    (tmp_path / "truth").symlink_to("/dev/full")
    source = f"line://moulded?rate=0&truth={tmp_path / 'truth'}"
    words = ("collect", "--source", source, "--to", str(tmp_path / "good"), "--frames", "2")
    refused(draem_in_process(*words, cwd=tmp_path), "free space")


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("collect", "--source", "line://?rate=0", "--to", "{}", "--frames", "1"), "."),
        (("inspect", "{}/part_000.png", "--product", "lid", "--maps", "{}/maps"), "maps"),
    ],
)
def test_a_file_that_cannot_be_written_whole_leaves_nothing(
    words: tuple[str, ...], left: str, calibrated: Plant, tmp_path: Path
) -> None:
    """A limit on the size of files stands in for the disk that fills up within one."""
    import resource

    write_parts(tmp_path, 1, seed=1)
    before = set(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "draem", *(word.format(tmp_path) for word in words)],
        cwd=calibrated.root,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    refused(done, "too large")
    after = set(tmp_path.rglob("*")) - before - {tmp_path / left}
    assert after == set()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = ("collect", "--source", "line://?rate=0", "--to", str(tmp_path / "file" / "good"))
    refused(draem_in_process(*words, cwd=tmp_path), "choose another path")


def zmq_is_open(process: subprocess.Popen[str], _: Path) -> bool:
    """Whether a process has a ZeroMQ context, by the names of its threads."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/comm")
    return any(task.read_text().startswith("ZMQbg") for task in tasks)


def frame_is_saved(_: subprocess.Popen[str], root: Path) -> bool:
    return any((root / "good").glob("*.png"))


def training_has_begun(_: subprocess.Popen[str], root: Path) -> bool:
    return (root / "runs" / "cap").exists()


LINE = ("--product", "lid", "--source", "line://moulded", "--endpoint", "tcp://127.0.0.1:*")


@pytest.mark.parametrize(
    ("words", "at_work", "code"),
    [
        (("watch",), zmq_is_open, 0),
        (
            ("collect", "--source", "line://moulded?rate=50", "--to", "good", "--frames", "99999"),
            frame_is_saved,
            130,
        ),
        (("train", "images", "--product", "cap", "--input", "64"), training_has_begun, 130),
        (("run", *LINE), zmq_is_open, 0),
    ],
)
def test_ctrl_c_ends_a_command_without_a_traceback(
    words: tuple[str, ...],
    at_work: Callable[[subprocess.Popen[str], Path], bool],
    code: int,
    calibrated: Plant,
    tmp_path: Path,
) -> None:
    (tmp_path / "products").symlink_to(calibrated.products)
    write_parts(tmp_path / "images", 14, seed=3)
    process = subprocess.Popen(
        [sys.executable, "-m", "draem", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + 60
        while not at_work(process, tmp_path):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "Traceback" not in errors
    # Python ends by the signal itself where it came in the middle of an import: 130 to a shell.
    ended = process.returncode if process.returncode >= 0 else 128 - process.returncode
    assert ended == code, errors
    assert not list((tmp_path / "products").glob("cap/*"))


@pytest.mark.parametrize(
    "words", [("collect", "--to="), ("inspect", ""), ("build", "--version", "")]
)
def test_an_empty_word_is_not_the_current_folder_or_version(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    name = next((word.rstrip("=") for word in words if word.startswith("--")), "an argument")
    refused(draem_in_process(*words, cwd=tmp_path), f"{name} is empty", "leave it out")
    assert not list(tmp_path.iterdir())


def test_no_text_of_a_message_acts_on_the_terminal_or_looks_like_another_line(
    tmp_path: Path,
) -> None:
    name = "a\x1b[31m\x07\ndraem: OK"
    done = draem_in_process("inspect", name, "--product", "lid", cwd=tmp_path)
    refused(done, "does not exist")
    assert "\x1b" not in done.stderr
    record = logging.LogRecord("x", 40, "x", 1, "%s cannot be read", (name,), None)
    shown = program.Formatter("%(message)s").format(record)
    assert shown == "a\ufffd[31m\ufffd draem: OK cannot be read"
