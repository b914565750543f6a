"""File servers: whole files under free names, on each kind of server."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from edge.delivery import sftp
from edge.delivery.errors import NameTaken, Stopped, TargetError
from edge.delivery.folder import Folder
from edge.delivery.pace import Pace
from edge.delivery.place import Access, Place
from edge.delivery.target import Target
from tests.support.file_servers import (
    SMBD,
    SSHD,
    Served,
    openssh,
    samba,
    sftp_server,
)

SERVERS = [
    "folder",
    "asyncssh",
    pytest.param("openssh", marks=pytest.mark.skipif(
        SSHD is None, reason="no OpenSSH here: sudo apt-get install openssh-server")),
    pytest.param("samba", marks=pytest.mark.skipif(
        SMBD is None or os.geteuid() != 0, reason="no Samba here (apt-get install samba), or not "
        "root")),
]  # fmt: skip
FAST = 1e9


@pytest.fixture(scope="module", params=SERVERS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    root = tmp_path_factory.mktemp(request.param)
    if request.param == "folder":
        (root / "in").mkdir()
        yield Served(root / "in", Place("file", str(root / "in")), Access())
    elif request.param == "asyncssh":
        with sftp_server(root / "root", root / "keys") as server:
            yield server.served
    else:
        with (openssh if request.param == "openssh" else samba)(root / "root", root / "s") as found:
            yield found


def target_of(served: Served, place: Place | None = None) -> Target:
    return Target(place or served.place, served.access, Pace(FAST, FAST, lambda seconds: None))


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_deliver_puts_whole_files_into_new_folders(served: Served) -> None:
    data = os.urandom(600_000)
    with target_of(served) as target:
        target.check()
        assert target.are_free(["a/größe 良/1.png"])
        target.put("a/größe 良/1.png", data, ".t.part")
        target.put("a/größe 良/2.png", b"two", ".t.part")
        assert not target.are_free(["a/größe 良/3.png", "a/größe 良/1.png"])
    assert files(served.folder / "a") == {"größe 良/1.png": data, "größe 良/2.png": b"two"}


def test_deliver_leaves_the_same_file_and_refuses_another_of_its_name(served: Served) -> None:
    with target_of(served) as target:
        target.put("b/1.png", b"one", ".t.part")
        (served.folder / "b" / ".t.part").write_bytes(b"on")  # as a kill leaves it
        target.put("b/1.png", b"one", ".t.part")
        for other in (b"two", b"three"):
            with pytest.raises(NameTaken):
                target.put("b/1.png", other, ".t.part")
        os.link(served.folder / "b" / "1.png", served.folder / "b" / ".t.part")
        target.put("b/2.png", b"two", ".t.part")
    assert files(served.folder / "b") == {"1.png": b"one", "2.png": b"two"}


def test_deliver_replaces_no_file_that_comes_while_it_writes(served: Served) -> None:
    taken = served.folder / "c" / "1.png"

    def comes(seconds: float) -> None:
        taken.parent.mkdir(exist_ok=True)
        taken.write_bytes(b"another program's")

    pace = Pace(FAST, FAST, comes)
    with Target(served.place, served.access, pace) as target, pytest.raises(NameTaken):
        target.put("c/1.png", b"ours", ".t.part")
    assert files(served.folder / "c") == {"1.png": b"another program's"}


def test_deliver_shows_no_file_that_is_not_whole(served: Served) -> None:
    seen: list[dict[str, bytes]] = []

    def looks(seconds: float) -> None:
        seen.append(files(served.folder / "d"))
        if len(seen) == 4:
            raise Stopped

    with Target(served.place, served.access, Pace(FAST, FAST, looks)) as target:
        with pytest.raises(Stopped):
            target.put("d/1.png", b"x" * 900_000, ".t.part")
        assert len(seen) == 4
        assert all(set(found) <= {".t.part"} for found in seen)
        target.put("d/1.png", b"new", ".t.part")
    assert files(served.folder / "d") == {"1.png": b"new"}


def test_deliver_makes_no_root_so_that_a_share_that_is_not_mounted_is_an_error(
    served: Served,
) -> None:
    place = Place(
        served.place.scheme, f"{served.place.path}/mount", served.place.host, served.place.port,
        served.place.user,
    )  # fmt: skip
    with target_of(served, place) as target:
        with pytest.raises(TargetError, match="there is no folder"):
            target.check()
        with pytest.raises(TargetError, match="there is no folder"):
            target.put("1.png", b"one", ".t.part")
    assert not (served.folder / "mount").exists()


@pytest.mark.parametrize("login", ["cut", "silent"])
def test_deliver_tries_again_where_a_login_was_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: Literal["cut", "silent"]
) -> None:
    """A server that is just shutting down or overloaded has not refused the user."""
    monkeypatch.setattr(sftp, "TIMEOUT_S", 1.0)
    with sftp_server(tmp_path / "root", tmp_path / "keys") as server:
        server.login = login
        with target_of(server.served) as target:
            with pytest.raises(TargetError) as failed:
                target.check()
            assert "Authentication" in str(failed.value)
            monkeypatch.undo()
            server.login = ""
            target.check()


def test_deliver_replaces_no_file_on_a_disk_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FAT, and many mounted shares."""

    def refuses(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuses)
    served = Served(tmp_path, Place("file", str(tmp_path)), Access())
    with target_of(served) as target:
        target.put("1.png", b"one", ".t.part")
    (tmp_path / "2").write_bytes(b"two")
    with pytest.raises(FileExistsError):
        Folder().mv(str(tmp_path / "2"), str(tmp_path / "1.png"))
    assert files(tmp_path) == {"1.png": b"one", "2": b"two"}
