"""`draem deliver` as a user meets it: over SFTP, killed and cut; mistakes of one line; secrets."""

import codecs
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from edge.delivery.place import parse_place
from tests.support.commands import draem_in_process
from tests.support.file_servers import PASSWORD, SftpServer, sftp_server
from tests.support.pictured_log import PicturedLog, picture_of
from tests.support.waiting import wait_until

PARTS = 14


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with sftp_server(tmp_path / "served", tmp_path / "keys") as made:
        yield made


class Deliver:
    """`draem deliver` as a process that is killed and started again."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.log = folder / "deliver.log"
        self._folder, self._words = folder, words
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "draem", "deliver", *self._words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def found(server: SftpServer) -> list[bytes]:
    return sorted(p.read_bytes() for p in server.served.folder.rglob("*.png"))


def test_deliver_over_sftp_brings_each_picture_once_whatever_is_killed_or_cut(
    tmp_path: Path,
) -> None:
    """kill -9 of the delivery, and an end of the server, both in the middle of files."""
    with PicturedLog(tmp_path / "station") as station:
        for number in range(PARTS):
            station.add("NG", part_id="A" if number % 2 else f"B{number}")
        with sftp_server(tmp_path / "served", tmp_path / "keys") as server:
            port = server.port
            words = ("--to", server.address, "--replay", station.replay, "--known-hosts",
                     str(server.known_hosts), "--password-file", str(server.password_file),
                     "--name-template", "{part_id}.png", "--mb-per-s", "0.3")  # fmt: skip
            deliver = Deliver(tmp_path, *words)
            try:
                wait_until(lambda: len(found(server)) >= 2, "two pictures")
                command = Path(f"/proc/{deliver.process.pid}/cmdline").read_text()
                environment = Path(f"/proc/{deliver.process.pid}/environ").read_text()
                deliver.kill()
                deliver.start()
                wait_until(lambda: len(found(server)) >= 5, "five pictures")
                server.close()
                with sftp_server(tmp_path / "served", tmp_path / "keys", port) as again:
                    wait_until(lambda: len(found(again)) >= PARTS, "all pictures")
                    assert found(again) == [picture_of(n) for n in range(1, PARTS + 1)]
                    deliver.process.terminate()
                    assert deliver.process.wait(20) == 0
                    assert not list(again.served.folder.rglob("*.part"))
            finally:
                deliver.kill()
    said = deliver.log.read_text(encoding="utf-8")
    assert said.count("pictures have to wait at the station") == 1, said
    assert "pictures are delivered again" in said
    assert f"{PARTS} pictures delivered, 0 missing" in said
    assert "Traceback" not in said
    assert "s3cret" not in command + environment + said


def refusal(tmp_path: Path, *words: str) -> str:
    """The one line of a command that ends with 2."""
    done = draem_in_process("deliver", *words, "--replay", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert "s3cret" not in line
    return line


def access(server: SftpServer) -> tuple[str, ...]:
    files = ("--known-hosts", str(server.known_hosts), "--password-file", str(server.password_file))
    return ("--to", server.address, *files)


def test_deliver_refuses_a_server_that_it_does_not_know(server: SftpServer, tmp_path: Path) -> None:
    server.known_hosts.write_text("")
    line = refusal(tmp_path, *access(server))
    assert "is not known" in line
    assert f"ssh-keyscan -p {server.port} 127.0.0.1 >> {server.known_hosts}" in line
    server.trust(asyncssh.generate_private_key("ssh-ed25519"))
    assert "another host key than before" in refusal(tmp_path, *access(server))


def test_a_file_of_keys_that_ssh_cannot_read_is_named(server: SftpServer, tmp_path: Path) -> None:
    good = server.known_hosts.read_bytes()
    for data, says in {
        good.rstrip() + b" S\xfcd\n": "is not UTF-8: byte",
        codecs.BOM_UTF8 + good: "begins with a byte order mark, which SSH does not read",
    }.items():
        server.known_hosts.write_bytes(data)
        assert f"{server.known_hosts} {says}" in refusal(tmp_path, *access(server))
    server.known_hosts.write_bytes(good)
    key = tmp_path / "key"
    key.write_text("-----BEGIN", encoding="utf-16")
    assert f"{key} is in UTF-16" in refusal(tmp_path, *access(server), "--ssh-key", str(key))


def test_deliver_refuses_a_wrong_password_and_a_missing_folder(
    server: SftpServer, tmp_path: Path
) -> None:
    server.password_file.write_text("wrong")
    assert "refuses this user" in refusal(tmp_path, *access(server))
    server.password_file.write_text(PASSWORD, encoding="utf-8")
    words = access(server)[2:]
    line = refusal(tmp_path, "--to", f"{server.address}/nowhere", *words)
    assert "there is no folder /in/nowhere for the pictures: make it there, or mount" in line
    server.full = True
    assert "no space left" in refusal(tmp_path, *access(server))
    server.close()
    assert "does not take pictures" in refusal(tmp_path, *access(server))


def test_deliver_takes_the_password_from_a_variable(
    server: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAEM_DELIVER_PASSWORD", PASSWORD)
    words = ("--to", f"{server.address}/nowhere", "--known-hosts", str(server.known_hosts))
    assert "there is no folder" in refusal(tmp_path, *words), "it was let in"
    monkeypatch.setenv("DRAEM_DELIVER_PASWORD", PASSWORD)
    assert "DRAEM_DELIVER_PASWORD" in refusal(tmp_path, *words)


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("sftp://eva:s3cret@host/in", "contains a password"),
        (f"sftp://eva:{PASSWORD.replace(' ', '')}@host/in", "no password"),
        ("ftp://host/in", "write sftp://"),
        ("sftp:///in", "names no host"),
        ("smb://nas/", "names no share"),
        ("file://mnt/pictures", "three slashes"),
        ("sftp://host/../in", "leads upwards"),
        ("sftp://host:99999/in", "a number as port"),
        ("sftp://[::1/in", "cannot be used"),
        ("sftp://host/in?x=1", "%3F"),
    ],
)
def test_deliver_refuses_an_address_in_one_line(to: str, why: str, tmp_path: Path) -> None:
    assert why in refusal(tmp_path, "--to", to)


def test_deliver_takes_each_sign_of_a_user_as_it_is_written() -> None:
    assert parse_place("smb://PLANT;eva@nas/in").user == "PLANT\\eva"
    assert parse_place("smb://PLANT;e%3Bva%40x@nas/in").user == "PLANT\\e;va@x"
    assert parse_place("sftp://e%3Bva@host/in").user == "e;va"


def test_deliver_refuses_files_of_secrets_that_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x")
    (tmp_path / "password").chmod(0o644)
    (tmp_path / "empty").touch(0o600)
    place = ("--to", str(tmp_path))
    assert "chmod 600" in refusal(tmp_path, *place, "--password-file", "password")
    assert "has no password" in refusal(tmp_path, *place, "--password-file", "empty")
    assert "names no file" in refusal(tmp_path, *place, "--password-file", PASSWORD)
    assert "correct --ssh-key" in refusal(tmp_path, *place, "--ssh-key", "nowhere")
    assert "0.01" in refusal(tmp_path, *place, "--mb-per-s", "0")


def test_deliver_runs_once_for_each_name_and_begins_now_if_asked(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with PicturedLog(tmp_path / "station") as station:
        station.add("NG")
        words = ("--to", "out", "--replay", station.replay, "--from-now")
        deliver = Deliver(tmp_path, *words)
        try:
            progress = tmp_path / "data" / "station-1" / "deliver-deliver.json"
            wait_until(progress.exists, "a cursor")
            assert "runs already" in refusal(tmp_path, "--to", "out")
            station.add("NG")
            wait_until(lambda: list((tmp_path / "out").rglob("*.png")), "a picture")
        finally:
            deliver.kill()
    assert [p.name for p in (tmp_path / "out").rglob("*.png")] == ["p2_NG.png"]
