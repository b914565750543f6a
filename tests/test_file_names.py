"""Names of files and folders that are not UTF-8, as Windows and old cameras leave them."""

import json
import os
import shutil
from pathlib import Path

import pytest

from edge.base.errors import ImageError
from edge.base.text import printable
from edge.events.event import CodeName
from edge.product.product import load_product
from tests.conftest import Plant, draem, write_parts
from tests.support.commands import draem_in_process
from tests.support.ports import free_ports

LATIN, FOLDER = os.fsdecode(b"teil_\xfc.png"), os.fsdecode(b"gepr\xfcft")


def latin_folder(parent: Path, name: str, parts: list[Path]) -> Path:
    """The folder of `parts` renamed, and the first of them; OpenCV cannot write to such names."""
    parts[0].rename(parts[0].with_name(LATIN))
    return parts[0].parent.rename(parent / name)


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A folder of such a name with 12 good parts, one of them of such a name too."""
    return latin_folder(tmp_path, FOLDER, write_parts(tmp_path / "parts", 12, seed=4))


@pytest.fixture
def plant_here(calibrated: Plant, tmp_path: Path) -> Path:
    """A folder to work in, whose products are in a folder of such a name."""
    work = tmp_path / os.fsdecode(b"h\xf6he")
    shutil.copytree(calibrated.products, work / "products", symlinks=True)
    return work


def output(cwd: Path, *words: str | Path) -> str:
    """What `draem WORDS` prints as valid UTF-8; it ends well and shows no escaped bytes."""
    done = draem(*map(str, words), cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "udcfc" not in done.stdout + done.stderr
    return done.stdout


def test_a_name_is_shown_with_its_bytes_replaced() -> None:
    assert printable(Path("a") / LATIN) == "a/teil_\ufffd.png"
    assert printable("größer 良品 😀") == "größer 良品 😀"
    event_part = CodeName(number=1, name=LATIN).model_dump_json()
    assert json.loads(event_part)["name"] == "teil_\ufffd.png"
    assert str(ImageError(f"{LATIN} is cut")) == "teil_\ufffd.png is cut"


def test_inspect_judges_and_prints_them(plant_here: Path, latin: Path) -> None:
    maps = latin.parent / os.fsdecode(b"k\xe4rtchen")
    shown = output(plant_here, "inspect", latin, "--product", "lid", "--maps", maps)
    assert "gepr\ufffdft/teil_\ufffd.png" in shown
    assert len(list(maps.iterdir())) == 24
    (row,) = output(plant_here, "inspect", latin / LATIN, "--product", "lid", "--json").splitlines()
    assert "\\udcfc" not in row
    assert json.loads(row)["path"].endswith("gepr\ufffdft/teil_\ufffd.png")


def test_a_line_judges_them_and_its_events_carry_the_name(plant_here: Path, latin: Path) -> None:
    ports = [f"tcp://127.0.0.1:{port}" for port in free_ports(3)]
    places = [
        word for pair in zip(("--endpoint", "--replay", "--control"), ports, strict=True)
        for word in pair
    ]  # fmt: skip
    output(plant_here, "run", "--product", "lid", "--source", latin, *places)
    output(plant_here, "log", "--last", "100", "--csv", os.fsdecode(b"tag_\xfc.csv"))
    table = (plant_here / os.fsdecode(b"tag_\xfc.csv")).read_text(encoding="utf-8")
    assert "teil_\ufffd.png" in table
    assert table.count("part_0") == 11


def test_collect_saves_frames_below_such_a_folder(plant_here: Path, latin: Path) -> None:
    target = latin.parent / os.fsdecode(b"gute_\xfc")
    output(plant_here, "collect", "--source", latin, "--frames", "2", "--to", target)
    records = (target / "frames.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(records) == 2
    assert "udcfc" not in "".join(records)


def test_calibrate_and_evaluate_write_their_reports(plant_here: Path, latin: Path) -> None:
    output(plant_here, "calibrate", "--product", "lid", "--images", latin)
    page = plant_here / "products/lid/current/calibration.html"
    assert "teil_\ufffd" in page.read_text(encoding="utf-8")
    tests = latin.parent / "tests"
    write_parts(tests / "test/good", 3, seed=7)
    bad = write_parts(tests / "test/scratch", 3, seed=8, defective=True)
    latin_folder(tests / "test", os.fsdecode(b"kr\xe4tzer"), bad)
    report = latin.parent / os.fsdecode(b"bericht_\xfc.html")
    output(plant_here, "evaluate", tests, "--product", "lid", "--report", report)
    text = report.read_text(encoding="utf-8")
    assert "teil_\ufffd.png" in text
    assert "kr\ufffdtzer" in text


def test_a_product_trained_from_such_a_folder_can_be_loaded(plant_here: Path, latin: Path) -> None:
    # In a process of its own: pytest cannot send what it captures of the log to its other ones.
    output(
        plant_here,
        *("train", latin, "--product", "cap", "--network", "pixels", "--size", "tiny"),
        *("--steps", "2", "--input", "64x64", "--batch", "2", "--textures", latin),
        *("--runs", os.fsdecode(b"l\xe4ufe")),
    )
    made = load_product(plant_here / "products", "cap")
    assert str(made.manifest.origin["images"]).endswith("gepr\ufffdft")


@pytest.mark.parametrize("scheme", ["gst", "rtsp", "http", "tcp", "ipc"])
def test_an_address_that_is_not_utf_8_is_refused_in_one_line(scheme: str, tmp_path: Path) -> None:
    address = f"{scheme}://{LATIN}:1"
    collect = ("collect", "--to", "x", "--source", address)
    control = ("control", "health", "--endpoint", address)
    words = control if scheme in ("tcp", "ipc") else collect
    done = draem_in_process(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "teil_\ufffd.png:1" in done.stderr
    assert "is not UTF-8, as an address must be" in done.stderr
