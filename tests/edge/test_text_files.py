"""Files that people edit may have a byte order mark; what is no UTF-8 is named with its byte."""

import codecs
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.base.errors import DraemError, SettingsError
from edge.base.files import read_text
from edge.commands.bridges.options import read_login
from edge.events.access_list import AccessList, read_allowed
from edge.events.keys import make_pair, read_pair, read_public
from edge.station.settings import load_settings
from edge.vision.geometry import read_geometry
from tests.support.commands import draem_in_process

Read = Callable[[Path], object]


def station(path: Path) -> object:
    (path.parent / "station.toml").write_bytes(path.read_bytes())
    return load_settings({}).product


def allowed(path: Path) -> object:
    (path.parent / "allowed.toml").write_bytes(path.read_bytes())
    return sorted(read_allowed(path.parent))


def pair(path: Path) -> object:
    path.chmod(0o600)
    return read_pair(path).public


KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
FILES: list[tuple[Read, str, object]] = [
    (station, 'product = "lid"  # Prüfplatz\n', "lid"),
    (allowed, f'# Prüfplatz\n[plc]\nrole = "watch"\nkey = "{KEY}"\n', ["plc"]),
    (pair, f'# Prüfplatz\npublic = "{KEY}"\nsecret = "{KEY}"\n', KEY),
    (read_public, KEY + "\n", KEY),
    (read_login, "plc:Prüf:wort\n", ("plc", "Prüf:wort")),
    (lambda path: read_geometry(path).mm_per_pixel, json.dumps({"mm_per_pixel": 0.5}), 0.5),
]
PARAMETERS = pytest.mark.parametrize(("read", "text", "expected"), FILES)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@PARAMETERS
@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(
    read: Read, text: str, expected: object, bom: bytes, end: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bom + text.encode().replace(b"\n", end))
    assert read(path) == expected


@PARAMETERS
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda text: "# ä\n".encode("latin-1") + text.encode(), r"byte 2 \(0xe4, in line 1\)"),
        (lambda text: codecs.BOM_UTF8 + b"\n\xff" + text.encode(), r"byte 4 \(0xff, in line 2\)"),
        (lambda text: text.encode("utf-16"), "is in UTF-16"),
        (lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"), "is in UTF-16"),
        (lambda text: text.encode("utf-16-le"), r"byte \d+ \("),
        (lambda text: b"a\0" + text.encode(), r"byte 1 \(0x00"),
    ],
)
def test_what_is_not_utf_8_is_named_with_file_and_byte(
    read: Read,
    text: str,
    expected: object,
    wrong: Callable[[str], bytes],
    says: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(wrong(text))
    with pytest.raises(DraemError, match=says) as raised:
        read(path)
    assert "save it as UTF-8" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"\xe4", b"", codecs.BOM_UTF8, b"\xed\xa0\x80", b"\xc3"])
def test_any_bytes_are_a_text_or_an_error_for_the_user(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for read, _, _ in FILES:
        with contextlib.suppress(DraemError):
            read(path)
    if content == codecs.BOM_UTF8:
        assert read_text(path, SettingsError) == ""


def test_a_list_of_clients_that_becomes_no_text_refuses_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o700)
    make_pair(tmp_path, "server")
    access = AccessList(tmp_path)
    (tmp_path / "allowed.toml").write_bytes("# Süd\n".encode("latin-1"))
    assert not access.callback("", KEY.encode())
    assert "allowed.toml is not UTF-8: byte 3" in caplog.text


def test_a_command_names_the_byte_in_its_station_file(tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_bytes('station = "Süd"\n'.encode("latin-1"))
    done = draem_in_process("log", cwd=tmp_path)
    assert done.returncode == 2
    assert "station.toml is not UTF-8: byte 12 (0xfc, in line 1)" in done.stderr


@pytest.mark.parametrize("text", ["plc", "", "a:b\nc:d\n", ":password"])
def test_a_login_is_one_line_of_user_and_password(text: str, tmp_path: Path) -> None:
    (tmp_path / "login").write_text(text)
    with pytest.raises(DraemError, match="write user:password into it, in one line"):
        read_login(tmp_path / "login")


def test_a_login_given_in_place_of_its_file_is_not_shown(tmp_path: Path) -> None:
    done = draem_in_process("bridge", "opcua", "--login", "plc:S3CRET", cwd=tmp_path)
    assert done.returncode == 2
    assert "S3CRET" not in done.stderr
    assert "write user:password into a file" in done.stderr


def test_allowing_a_client_without_a_key_names_the_client_s_key(tmp_path: Path) -> None:
    make_pair(tmp_path / "keys", "server")
    done = draem_in_process("keys", "allow", "nobody", cwd=tmp_path)
    assert done.returncode == 2
    assert "keys/nobody.pub" in done.stderr
    assert "draem keys make nobody" in done.stderr
    assert "server.pub" not in done.stderr
