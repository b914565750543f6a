"""An error says what is really wrong, and how to fix that."""

import errno
import resource
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.base.errors import PublishError
from edge.base.files import write_json
from edge.base.os_errors import how_to_fix
from edge.events.access_list import AllowedClient, read_allowed, write_allowed
from edge.events.journal import Journal, JournalError
from edge.events.keys import Credentials, KeysError, make_pair, read_pair, read_public
from edge.events.notices import Notice
from edge.events.sockets import Sockets
from edge.events.subscriber import events
from tests.support.commands import draem_in_process
from tests.support.ports import free_ports
from tests.support.running_station import Running


def said(tmp_path: Path, *words: str) -> str:
    """The one line with which a command refuses."""
    done = draem_in_process(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    return done.stderr


@pytest.fixture
def no_more_files() -> Iterator[None]:
    """This process may open no further file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    held = [open("/dev/null") for _ in range(used)]  # noqa: SIM115  fills the gaps in the numbers
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(f.fileno() for f in held) + 1, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for file in held:
        file.close()


def test_too_many_open_files_is_no_full_disk(tmp_path: Path, no_more_files: None) -> None:
    with pytest.raises(OSError, match="Too many") as raised:
        (tmp_path / "x").open("w")
    assert "LimitNOFILE" in how_to_fix(raised.value)
    with pytest.raises(sqlite3.OperationalError, match="unable to open") as refused:
        sqlite3.connect(tmp_path / "x.db").execute("CREATE TABLE a (b)")
    assert "LimitNOFILE" in how_to_fix(refused.value)


def test_a_log_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_bytes(b"no database, but a text of some length" * 200)
    with pytest.raises(JournalError, match=r"not a database.*move it to another folder"):
        Journal(tmp_path)
    (tmp_path / "b" / "events.db").mkdir(parents=True)
    with pytest.raises(JournalError, match="is a folder: move it"):
        Journal(tmp_path / "b")


def test_a_port_that_cannot_be_served_says_why(tmp_path: Path) -> None:
    with Sockets() as sockets, pytest.raises(PublishError, match="has not 1 to 107 bytes"):
        sockets.serve(1, f"ipc://{tmp_path}/{'x' * 200}", "--endpoint", {})
    for wire in ("modbus", "opcua"):
        extra = ("--plc", "192.0.2.9") if wire == "modbus" else ("--login", "login")
        (tmp_path / "login").write_text("a:b")
        text = said(tmp_path, "bridge", wire, "--listen", "192.0.2.1:5000", *extra)
        assert "no network card of this machine has this address" in text
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            text = said(tmp_path, "bridge", wire, "--listen", f"127.0.0.1:{port}")
            assert "another program (perhaps a bridge) has it" in text


def test_an_address_without_a_port_is_not_one_of_other_machines(tmp_path: Path) -> None:
    with Sockets() as sockets, pytest.raises(PublishError, match="has no port") as raised:
        sockets.serve(1, "tcp://127.0.0.1", "--endpoint", {})
    assert "other machines" not in str(raised.value)


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        write_json(tmp_path / "nowhere" / "g.json", {})
    assert raised.value.filename == str(tmp_path / "nowhere" / "g.json")


def test_a_line_that_does_not_answer_a_client_without_a_key(tmp_path: Path) -> None:
    endpoint = f"tcp://127.0.0.1:{free_ports(4)[0]}"
    for words in (("control", "health"), ("switch", "--product", "lid")):
        text = said(tmp_path, *words, "--endpoint", endpoint)
        assert "start the line, correct --endpoint" in text
        assert "this key" not in text


def test_a_wrong_key_is_one_of_the_reasons_for_silence(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    for name in ("server", "known", "stranger"):
        make_pair(folder, name)
    known = read_pair(folder / "known.key").public
    write_allowed(folder, {"known": AllowedClient(role="watch", key=known)})
    station = Running(tmp_path / "data", keys=folder)
    try:
        with_key = ("--server-key", str(folder / "server.pub"), "--endpoint", station.endpoint)
        stranger = ("--key", str(folder / "stranger.key"), *with_key)
        done = draem_in_process("control", "health", *stranger, cwd=tmp_path)
        assert "draem keys list" in done.stderr.splitlines()[-1]
        assert "give --key" in said(tmp_path, "control", "health", *with_key[2:])
        notices: list[Notice] = []
        credentials = Credentials(
            read_pair(folder / "stranger.key"), read_public(folder / "server.pub")
        )
        stopped = lambda: any(notice.kind == "stale" for notice in notices)  # noqa: E731
        received = events(
            station.endpoint, notify=notices.append, stopped=stopped, credentials=credentials
        )
        assert list(received) == []
        assert "refuses this key" in notices[-1].text
    finally:
        station.close()


def test_keys_name_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    for words in (("list",), ("revoke", "a"), ("allow", "a")):
        assert "is no folder of keys: correct --keys" in said(tmp_path, "keys", *words)
    make_pair(folder, "a")
    with pytest.raises(KeysError, match=r"a public key: name the pair, .*a\.key"):
        read_pair(folder / "a.pub")
    (folder / "allowed.toml").mkdir()
    with pytest.raises(KeysError, match="Is a directory"):
        read_allowed(folder)


def test_a_log_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with Journal(tmp_path / "data" / "press-4"):
        pass
    text = said(tmp_path, "log", "--station", "press-5")
    assert "name the station with --station (one of press-4)" in text
    assert "--data" in said(tmp_path, "log", "--data", "nowhere")


def test_an_address_of_another_kind_is_not_a_missing_file(tmp_path: Path) -> None:
    text = said(tmp_path, "record", "--to", "x", "--source", "ftp://camera/x")
    assert "is no kind of source" in text
    assert "does not exist" not in text


@pytest.mark.parametrize(
    "source",
    ["http://camera:99999/x", "rtsp://user:pw@[fd00::1]:65536", "http://camera:0", "rtsp://c:-1/x"],
)
def test_a_port_of_a_camera_that_there_is_not_is_no_other_port(tmp_path: Path, source: str) -> None:
    text = said(tmp_path, "record", "--to", "x", "--source", source)
    assert "has no port between 1 and 65535" in text
    assert "pw" not in text


def test_a_message_of_ours_has_no_words_of_a_library_before_it(tmp_path: Path) -> None:
    text = said(tmp_path, "record", "--to", "x", "--source", "line://moulded?rate=1e-300")
    assert "rate (give 0, or 0.001 to 1000 parts a second)" in text


def test_every_error_of_the_disk_has_its_own_fix() -> None:
    fixes = {how_to_fix(OSError(n, "")) for n in (errno.EMFILE, errno.ENOSPC, errno.EACCES)}
    assert len(fixes) == 3
    assert how_to_fix(ValueError()) == ""
