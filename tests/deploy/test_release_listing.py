"""What the release command prints: the list, differences, and each step of a changeover."""

import sys
from pathlib import Path

import pytest

import draem
from deploy.release.lifecycle import seal
from deploy.release.listing import difference, table
from edge.base.files import write_json
from edge.product.product import Product, read_version
from edge.product.versions import finish_version, new_version
from tests.support.minimal_station import PRODUCT
from tests.support.release_files import MANIFEST, build, make, released


def test_a_release_list_shows_what_each_version_has(tmp_path: Path) -> None:
    for model in (b"1", b"2"):
        released(tmp_path, model)
    sealed = make(tmp_path, b"3", calibrated=False)
    seal(sealed.path)
    build(make(tmp_path, b"4"))
    (tmp_path / "lid" / "2" / "manifest.json").chmod(0o644)
    (tmp_path / "lid" / "2" / "manifest.json").write_text("{")
    head, *rows = (line.split() for line in table(tmp_path / "lid", None))
    assert head == ["version", "created", "calibrated", "sealed", "signed", "engine"]
    date = read_version(sealed.path).seal
    assert date is not None
    assert rows[0][:2] == ["*", "1"]
    assert rows[0][3:] == ["yes", rows[0][4], "-", "yes"]
    assert rows[1][0] == "2"
    assert "cannot be read" in " ".join(rows[1])
    assert rows[2] == ["3", MANIFEST.created, "-", date.sealed, "-", "-"]
    assert rows[3] == ["4", MANIFEST.created, "yes", "-", "-", "yes"]


def test_a_release_list_shows_which_key_signed(tmp_path: Path) -> None:
    from deploy.release.signing import make_key

    product = make(tmp_path / "products")
    key = seal(product.path, make_key(tmp_path, "plant")[0]).key
    assert key is not None
    assert list(table(product.path.parent, None))[1].split()[-2] == key[:16]


def test_two_releases_differ_in_what_was_changed(tmp_path: Path) -> None:
    one, other = make(tmp_path), make(tmp_path, b"other")
    bare = make(tmp_path, calibrated=False)
    assert list(difference(one, one)) == []
    assert list(difference(one, other)) == ["model.onnx: changed"]
    lines = list(difference(one, bare))
    assert "calibration.threshold: 0.5 -> -" in lines
    assert "calibration/000.png: removed" in lines
    assert "calibration/000.png: added" in list(difference(bare, one))


def test_many_changed_frames_of_two_releases_are_one_line(tmp_path: Path) -> None:
    """Two hundred scores, one a line, would hide the threshold among them."""

    def calibrated(count: int) -> Product:
        assert PRODUCT.calibration is not None
        with new_version(tmp_path, "lid") as draft:
            for name in ("model.onnx", "golden.npz", "sources.json"):
                (draft / name).write_bytes(b"{}")
            frames = {f"{i:03d}.png": i / count for i in range(count)}
            made = PRODUCT.calibration.model_dump() | {"frames": frames}
            write_json(draft / "calibration.json", made)
            (draft / "calibration").mkdir()
            for name in frames:
                (draft / "calibration" / name).write_bytes(bytes([count]))
            return finish_version(draft, MANIFEST)

    assert list(difference(calibrated(20), calibrated(25))) == [
        "calibration.frames: 20 values -> 25 values",
        "calibration.json: changed",
        "calibration/: 20 files changed",
        "calibration/: 5 files added",
    ]


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; version 1 is current, version 2 is built but not sealed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "station.toml").write_text('product = "lid"\n')
    make(tmp_path / "products")
    build(make(tmp_path / "products", b"2"))
    return tmp_path


def test_the_release_command_reports_each_step(
    station: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def printed(*words: str) -> str:
        caplog.clear()
        assert draem.main(["release", *words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out + caplog.text

    for words, text in (
        (("list",), "\n* 1"),
        (("diff", "1", "2"), "model.onnx: changed"),
        (("key", "plant"), "copy keys/plant.release.pub to the stations"),
        (("seal", "--key", "keys/plant.release.key"), "lid version 2 is sealed, signed with"),
        (("activate", "2"), "is current: a line runs it from its next start on"),
        (("activate", "2"), "is already current"),
        (("export", "2", "--to", "."), "lid-2.draem: 0.0 MB, read back and checked"),
        (("import", "lid-2.draem"), "lid is already here as version 2"),
    ):
        assert text in printed(*words), words
    (station / "station.toml").write_text('products = "new"\ntrust = "keys/plant.release.pub"\n')
    assert "'draem build --product lid --version 2'" in printed("import", "lid-2.draem")
    assert "signed with" in printed("show", "2", "--product", "lid")


def test_without_the_signing_library_a_release_can_do_all_but_sign(
    station: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "deploy.release.signing", raising=False)
    for name in [n for n in sys.modules if n.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert draem.main(["release", "key", "plant"]) == 2
    refused = capsys.readouterr().err
    assert refused.startswith("draem: cryptography")
    assert "pip install '.[release]'" in refused
    assert draem.main(["release", "seal"]) == 0
    assert read_version(station / "products" / "lid" / "2").seal
