"""Real sockets with keys: strangers get nothing, roles do what they may, secrets stay secret."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

import pytest
import zmq

from edge.base.errors import PublishError
from edge.events.access_list import ALLOWED, AccessList, AllowedClient, read_allowed, write_allowed
from edge.events.client import NoAnswer, RequestClient, connect, service_endpoint
from edge.events.control_messages import Request
from edge.events.cursors import Role
from edge.events.endpoints import is_local
from edge.events.event import Heartbeat
from edge.events.keys import Credentials, KeysError, make_pair, read_pair, read_public
from edge.events.publisher import LIVE_OPTIONS, Publisher
from edge.events.receiver import live
from edge.events.replay_server import Acknowledge, ListCursors, Page
from edge.events.sockets import Sockets
from edge.events.subscriber import events
from tests.conftest import draem
from tests.support.running_station import Running

SILENCE_MS = 1500


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A station's folder of keys with a watcher, a bridge and an operator; a stranger beside."""
    folder = tmp_path / "keys"
    for name in ("server", "screen", "plc", "boss", "stranger"):
        make_pair(folder, name)
    roles: dict[str, Role] = {"screen": "watch", "plc": "bridge", "boss": "operator"}
    clients = {
        n: AllowedClient(role=r, key=read_public(folder / f"{n}.pub")) for n, r in roles.items()
    }
    write_allowed(folder, clients)
    return folder


@pytest.fixture
def station(keys: Path, tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "data", keys=keys)
    try:
        yield running
    finally:
        running.close()


def credentials(keys: Path, name: str) -> Credentials:
    return Credentials(read_pair(keys / f"{name}.key"), read_public(keys / "server.pub"))


def hears(endpoint: str, shown: Credentials | None) -> bool:
    """Whether anything at all arrives from a publisher."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.set(zmq.LINGER, 0)
        connect(socket, endpoint, "--endpoint", shown)
        socket.subscribe(b"")
        return bool(socket.poll(SILENCE_MS))


Ask = Callable[[str, object], str]


@pytest.fixture
def ask(station: Running, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """(name of the key, or "nobody"; question) -> the kind of the reply, or "silence"."""
    monkeypatch.setattr("edge.events.client.ANSWER_MS", SILENCE_MS)

    def asked(name: str, question: object) -> str:
        shown = None if name == "nobody" else credentials(keys, name)
        service = service_endpoint(
            station.endpoint, "control" if isinstance(question, Request) else "replay"
        )
        with RequestClient(service, shown, "--endpoint") as asking:
            try:
                reply = asking.ask(question)[0]  # type: ignore[arg-type]
            except NoAnswer:
                return "silence"
            return str(json.loads(reply)["reply"])

    return asked


@pytest.mark.parametrize("service", ["events", "live"])
def test_security_clients_that_are_not_listed_receive_nothing(
    station: Running, keys: Path, service: str
) -> None:
    endpoint = (
        station.endpoint if service == "events" else service_endpoint(station.endpoint, "live")
    )
    assert hears(endpoint, credentials(keys, "screen"))
    assert not hears(endpoint, credentials(keys, "stranger"))
    assert not hears(endpoint, None)


def test_security_a_server_with_a_wrong_key_is_refused(station: Running, keys: Path) -> None:
    wrong = Credentials(read_pair(keys / "screen.key"), read_public(keys / "stranger.pub"))
    assert not hears(station.endpoint, wrong)


def test_security_roles_of_replay_and_control(ask: Ask) -> None:
    page, health, pause = Page(after=0), Request(request="health"), Request(request="pause")
    mine = Acknowledge(cursor="plc", stream_id="x", seq=1)
    assert ask("nobody", page) == ask("stranger", page) == "silence"
    assert ask("nobody", pause) == ask("stranger", pause) == "silence"
    assert ask("screen", page) == ask("plc", page) == ask("boss", page) == "page"
    assert ask("screen", health) == ask("plc", health) == "health"
    assert ask("screen", pause) == ask("plc", pause) == "error"
    assert ask("boss", pause) == "health"
    assert ask("plc", mine) == "cursors"
    assert ask("boss", mine) == "error", "an operator has no cursor"
    assert ask("screen", mine) == "error", "nobody moves another's cursor"
    assert ask("screen", ListCursors()) == "cursors"


def test_security_the_role_is_that_of_the_key(ask: Ask, station: Running) -> None:
    """A watcher that calls itself a bridge holds nothing back."""
    claim = Acknowledge(cursor="screen", role="bridge", stream_id="x", seq=1)
    assert ask("screen", claim) == "cursors"
    words = ("log", "cursors", "--data", str(station.settings.data))
    assert "watch" in draem(*words, cwd=station.settings.data).stdout


def test_security_the_list_is_read_again(ask: Ask, station: Running, keys: Path) -> None:
    page = Page(after=0)
    root = keys.parent
    assert ask("stranger", page) == "silence"
    assert draem("keys", "allow", "stranger", cwd=root).returncode == 0
    assert ask("stranger", page) == "page"
    with RequestClient(
        service_endpoint(station.endpoint), credentials(keys, "stranger"), "--endpoint"
    ) as connected:
        assert json.loads(connected.ask(page)[0])["reply"] == "page"
        assert draem("keys", "revoke", "stranger", cwd=root).returncode == 0
        assert json.loads(connected.ask(page)[0])["reply"] == "error", "at the next question"
    assert ask("stranger", page) == "silence"
    (keys / ALLOWED).write_text("[screen\n")
    assert ask("screen", page) == "silence", "a list that cannot be read lets nobody in"


def test_security_watch_and_control_take_keys(station: Running, keys: Path) -> None:
    at = ("--endpoint", station.endpoint)
    shown = ("--key", str(keys / "boss.key"), "--server-key", str(keys / "server.pub"))
    done = draem("control", "health", *at, *shown, cwd=keys)
    assert json.loads(done.stdout)["state"] == "running"
    done = draem("control", "health", *at, *shown[:2], cwd=keys)
    assert (done.returncode, "belong together" in done.stderr) == (2, True)
    found = live(station.endpoint, credentials=credentials(keys, "boss"))
    assert any(
        isinstance(message, Heartbeat) for message, _ in zip(found, range(500), strict=False)
    )


@pytest.mark.parametrize(
    "endpoint", ["tcp://*:5570", "tcp://0.0.0.0:5570", "tcp://192.168.1.4:1", "tcp://eth0:1",
                 "tcp://[::]:5570", "tcp://plant.example:5570"],
)  # fmt: skip
def test_security_a_wide_address_without_keys_is_refused(endpoint: str) -> None:
    assert not is_local(endpoint)
    with Sockets() as sockets, pytest.raises(PublishError) as told:
        Publisher(sockets, endpoint)
    assert "draem keys make server" in str(told.value)
    assert "--keys keys" in str(told.value)


def test_security_a_wide_address_with_keys_is_served(keys: Path) -> None:
    assert is_local("tcp://127.0.0.1:1")
    assert is_local("tcp://[::1]:1")
    assert is_local("ipc:///run/x")
    with (
        Sockets(AccessList(keys)) as sockets,
        Publisher(sockets, "tcp://*:*", options=LIVE_OPTIONS) as p,
    ):
        assert "0.0.0.0" in p.endpoint


def test_security_secrets_are_for_their_owner(keys: Path, tmp_path: Path) -> None:
    secret = keys / "plc.key"
    assert oct(os.stat(secret).st_mode & 0o777) == "0o600"
    assert oct(os.stat(keys).st_mode & 0o777) == "0o700"
    secret.chmod(0o644)
    with pytest.raises(KeysError, match="chmod 600"):
        read_pair(secret)
    assert draem("keys", "make", "new", cwd=tmp_path).returncode == 0
    assert draem("keys", "make", "plc", cwd=tmp_path).returncode == 2
    assert draem("keys", "make", "../plc", cwd=tmp_path).returncode == 2
    assert draem("keys", "allow", cwd=tmp_path).returncode == 2
    assert read_allowed(keys)["plc"].role == "bridge"


def test_security_no_secret_in_any_log(
    keys: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    pairs = [read_pair(path) for path in keys.glob("*.key")]
    running = Running(tmp_path / "log", keys=keys)
    hears(running.endpoint, credentials(keys, "screen"))
    hears(running.endpoint, credentials(keys, "stranger"))
    print(pairs)
    running.close()
    said = caplog.text + "".join(capfd.readouterr())
    assert "unlisted key" in said
    for pair in pairs:
        assert pair.secret not in said
        assert pair.secret not in (keys / ALLOWED).read_text()


@pytest.mark.parametrize("text", ["", "public = 1", 'public = "x"\nsecret = "y"', "\x00", "[a]"])
def test_security_a_malformed_key_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeysError, match=r"no key pair|is not UTF-8"):
        read_pair(path)
    with pytest.raises(KeysError, match=r"no public key|is not UTF-8"):
        read_public(path)
    (tmp_path / ALLOWED).write_text('[a]\nrole = "king"\n')
    with pytest.raises(KeysError, match="all clients are refused"):
        read_allowed(tmp_path)
    with pytest.raises(KeysError, match="draem keys make server"):
        AccessList(tmp_path / "none")
    assert make_pair(tmp_path / "new", "server").exists()


def test_security_a_refused_client_connects_once_it_is_listed(
    station: Running, keys: Path, tmp_path: Path
) -> None:
    """ZeroMQ gives up a connection that was refused; a bridge must not."""
    clients = read_allowed(keys)
    found: list[int] = []
    kinds: list[str] = []
    stop = StopEvent()
    told = events(
        station.endpoint, tmp_path / "cursor", credentials=credentials(keys, "stranger"),
        stopped=stop.is_set, notify=lambda notice: kinds.append(notice.kind),
    )  # fmt: skip
    far = Thread(target=lambda: found.extend(event.header.seq for event in told))
    far.start()
    time.sleep(2.5)
    assert found == []
    key = read_public(keys / "stranger.pub")
    write_allowed(keys, clients | {"stranger": AllowedClient(role="watch", key=key)})
    for _ in range(150):
        time.sleep(0.1)
        if len(found) > 100 and "heartbeat" in kinds:
            break
    stop.set()
    far.join(10)
    assert not far.is_alive()
    assert found == list(range(1, len(found) + 1))
    assert len(found) > 100
    assert "heartbeat" in kinds, "live again, not from the log alone"


def test_security_a_list_that_could_not_be_read_once_is_read_again(keys: Path) -> None:
    guard, key = AccessList(keys), read_public(keys / "plc.pub")
    assert guard.client(key) == ("plc", "bridge")
    text = (keys / ALLOWED).read_text()
    (keys / ALLOWED).unlink()
    (keys / ALLOWED).mkdir()
    assert guard.client(key) is None
    (keys / ALLOWED).rmdir()
    (keys / ALLOWED).write_text(text)
    assert guard.client(key) == ("plc", "bridge")


def test_security_a_running_line_refuses_all_once_others_may_write_the_keys(
    keys: Path, station: Running, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    health = Request(request="health")
    assert ask("boss", health) == "health"
    for path, safe, fix in ((keys, 0o700, "chmod 700"), (keys / ALLOWED, 0o600, "chmod 600")):
        path.chmod(0o777)
        keys.chmod(0o755 if path != keys else 0o777)
        assert ask("boss", health) == "silence"
        assert caplog.text.count("may be written by others") == 1
        assert fix in caplog.text
        with pytest.raises(KeysError, match=fix):
            AccessList(keys)
        path.chmod(safe)
        assert ask("boss", health) == "health"
        caplog.clear()
    (keys / ALLOWED).chmod(0o664)  # of a user whose group is its own
    keys.chmod(0o700)
    assert ask("boss", health) == "health"
    assert station.controls.paused is False


def test_security_a_name_cannot_break_the_list(keys: Path) -> None:
    words = ("keys", "allow", "plc.1", "--public", str(keys / "plc.pub"))
    assert draem(*words, cwd=keys.parent).returncode == 2
    assert "plc" in read_allowed(keys)
