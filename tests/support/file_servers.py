"""Real file servers for deliveries: asyncssh's SFTP in this process, OpenSSH, and Samba."""

import asyncio
import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import asyncssh

from edge.base.closeable import Closeable
from edge.delivery.place import Access, Place
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

_PATH = f"{os.environ['PATH']}:/usr/sbin"
SSHD, SFTP = shutil.which("sshd", path=_PATH), Path("/usr/lib/openssh/sftp-server")
SMBD, SMBPASSWD = shutil.which("smbd", path=_PATH), shutil.which("smbpasswd")
asyncssh.set_log_level("WARNING")
USER, PASSWORD = "eva", "s3cret-Ü #1"


@dataclass(frozen=True)
class Served:
    """A folder of this machine, and how a delivery reaches it over a server."""

    folder: Path
    place: Place
    access: Access


class _Login(asyncssh.SSHServer):
    """Asks for user and password, and is as `server.login` says."""

    def __init__(self, server: "SftpServer") -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.connections.add(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        if self._server.login == "cut":
            self._connection.abort()
        elif self._server.login == "silent":
            await asyncio.sleep(60)
        return (username, password) == (USER, PASSWORD)


class SftpServer(Closeable):
    """Serves `folder` as the root, from a thread; `full` lets each write fail.

    With `login` "cut" or "silent" it ends or forgets connections instead of letting them in.
    """

    def __init__(self, folder: Path, keys: Path, port: int | None = None) -> None:
        self.folder, self.full = folder, False
        self.login: Literal["", "cut", "silent"] = ""
        self.port = port or free_ports(1)[0]
        self.known_hosts = keys / "known_hosts"
        self.password_file = keys / "password"
        self.password_file.write_text(PASSWORD + "\n", encoding="utf-8")
        self.password_file.chmod(0o600)
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self.trust()
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(self._listen())
        self._thread = Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        self._thread.start()

    @property
    def served(self) -> Served:
        place = Place("sftp", "/in", "127.0.0.1", self.port, USER)
        return Served(self.folder / "in", place, Access(PASSWORD, None, self.known_hosts))

    @property
    def address(self) -> str:
        return str(self.served.place)

    def trust(self, key: asyncssh.SSHKey | None = None) -> None:
        """Put the server's key, or another, among the known ones."""
        public = (key or self._key).export_public_key().decode()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}")

    async def _listen(self) -> asyncssh.SSHAcceptor:
        server = self

        class Sftp(asyncssh.SFTPServer):
            def __init__(self, channel: Any) -> None:
                super().__init__(channel, chroot=str(server.folder).encode())

            def write(self, file_obj: object, offset: int, data: bytes) -> Any:
                if server.full:
                    raise asyncssh.SFTPNoSpaceOnFilesystem("no space left")
                return super().write(file_obj, offset, data)

        return await asyncssh.create_server(
            lambda: _Login(self), "127.0.0.1", self.port,
            server_host_keys=[self._key], sftp_factory=Sftp,
        )  # fmt: skip

    def close(self) -> None:
        """Cut all connections."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        for connection in self.connections:
            connection.abort()
            await connection.wait_closed()


@contextmanager
def sftp_server(folder: Path, keys: Path, port: int | None = None) -> Iterator[SftpServer]:
    """A server of folder/in, with its key and the password's file in `keys`."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    keys.mkdir(exist_ok=True)
    with SftpServer(folder, keys, port) as server:
        yield server


@contextmanager
def openssh(folder: Path, keys: Path) -> Iterator[Served]:
    """OpenSSH's server for the user of this process, who logs in with a key."""
    (port,) = free_ports(1)
    keys.mkdir(mode=0o700)
    target = folder / "in"
    target.mkdir(parents=True)
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)]
        subprocess.run(words, check=True)
    (keys / "authorized").write_text((keys / "user.pub").read_text())
    known = keys / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": keys / "host", "UsePAM": "no",
        "AuthorizedKeysFile": keys / "authorized", "StrictModes": "no", "PidFile": "none",
        "PermitRootLogin": "yes", "Subsystem": f"sftp {SFTP}",
    }  # fmt: skip
    words = [f"-o{name}={value}" for name, value in options.items()]
    with _running(str(SSHD), "-D", "-e", "-f", "/dev/null", *words, log=keys / "log") as log:
        wait_until(lambda: "listening" in log.read_text(), "sshd")
        place = Place("sftp", str(target), "127.0.0.1", port, getpass.getuser())
        yield Served(target, place, Access(None, keys / "user", known))


@contextmanager
def samba(folder: Path, state: Path) -> Iterator[Served]:
    """Samba with a share `quality`, whose user is that of this process; only for root."""
    (port,) = free_ports(1)
    target = folder / "in"
    target.mkdir(parents=True)
    state.mkdir()
    user, conf = getpass.getuser(), state / "smb.conf"
    folders = ("private dir", "lock directory", "state directory", "cache directory")
    rows = [f"{name} = {state}" for name in (*folders, "pid directory", "ncalrpc dir")]
    conf.write_text(
        "\n".join(
            ["[global]", f"smb ports = {port}", "interfaces = 127.0.0.1", "security = user",
             "bind interfaces only = yes", "server min protocol = SMB3", "disable netbios = yes",
             "load printers = no", "smb encrypt = required", *rows,
             "[quality]", f"path = {folder}", "read only = no"]
        )
    )  # fmt: skip
    typed = f"{PASSWORD}\n" * 2
    words = [str(SMBPASSWD), "-c", str(conf), "-s", "-a", user]
    subprocess.run(words, input=typed, text=True, check=True, capture_output=True)
    words = [str(SMBD), "-F", "--no-process-group", "-s", str(conf), "--debug-stdout"]
    with _running(*words, log=state / "log") as log:
        wait_until(lambda: "daemon_ready" in log.read_text() or _listens(port), "smbd")
        place = Place("smb", "/quality/in", "127.0.0.1", port, user)
        yield Served(target, place, Access(PASSWORD))


def _listens(port: int) -> bool:
    with open("/proc/net/tcp") as table:
        return f":{port:04X} 00000000:0000 0A" in table.read()


@contextmanager
def _running(*command: str, log: Path) -> Iterator[Path]:
    """A process until the end of the block, with its children."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield log
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)
