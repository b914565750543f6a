"""IPv6 addresses work wherever a socket is named, and are as local as those of IPv4."""

import asyncio
import contextlib
import http.server
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import zmq
from asyncua.client.client import Client

from edge.base.errors import CameraError, PublishError, SettingsError
from edge.base.metrics import served_metrics
from edge.camera import all_frames
from edge.camera.open import open_camera
from edge.events.access_list import AccessList, AllowedClient, write_allowed
from edge.events.client import service_endpoint
from edge.events.endpoints import is_local, prepare
from edge.events.keys import Credentials, make_pair, read_pair
from edge.events.publisher import Publisher
from edge.events.receiver import live
from edge.events.sockets import Sockets
from edge.events.subscriber import events
from tests.support.bridge.opcua import connected
from tests.support.commands import draem_in_process
from tests.support.ports import free_ports
from tests.support.running_station import Running


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no ::1")


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path, endpoint=f"tcp://[::1]:{free_ports(4)[0]}")
    yield made
    made.close()


def test_a_station_serves_and_answers_on_ipv6_without_keys(
    station: Running, tmp_path: Path
) -> None:
    assert next(events(station.endpoint)).header.station == "station-1"
    for request in ("health", "product", "pause"):
        done = draem_in_process("control", request, "--endpoint", station.endpoint, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "reply" in json.loads(done.stdout)
    with zmq.Context() as context, context.socket(zmq.SUB) as viewer:
        prepare(viewer, service_endpoint(station.endpoint, "live"), "--live")
        viewer.connect(service_endpoint(station.endpoint, "live"))
        viewer.subscribe(b"")
        assert viewer.poll(10_000)
    doctor = draem_in_process("doctor", "--endpoint", station.endpoint, cwd=tmp_path)
    assert "Address already in use" in " ".join(doctor.stdout.split())


def test_an_ipv6_address_of_other_machines_needs_keys(tmp_path: Path) -> None:
    assert is_local("tcp://[::1]:5570")
    assert not is_local("tcp://[::]:5570")
    assert not is_local("tcp://[fe80::1%eth0]:5570")
    with Sockets() as sockets, pytest.raises(PublishError, match="other machines"):
        Publisher(sockets, "tcp://[::]:5570")
    folder = tmp_path / "keys"
    make_pair(folder, "server")
    make_pair(folder, "plc")
    mine, server = read_pair(folder / "plc.key"), read_pair(folder / "server.key").public
    write_allowed(folder, {"plc": AllowedClient(role="watch", key=mine.public)})
    for host in ("[::1]", "127.0.0.1"):  # [::] also serves IPv4
        with (
            Sockets(AccessList(folder)) as sockets,
            Publisher(sockets, "tcp://[::]:*") as publisher,
        ):
            port = publisher.endpoint.rpartition(":")[2]
            listening = live(f"tcp://{host}:{port}", credentials=Credentials(mine, server))
            next(listening)
            publisher.wait_for_subscribers(1, threading.Event())


def test_a_name_without_an_ipv4_address_is_reached_over_ipv6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolve(host: str, port: object, family: int) -> list[str]:
        if family == socket.AF_INET:
            raise socket.gaierror
        return ["::1"]

    with zmq.Context() as context, context.socket(zmq.SUB) as client:
        prepare(client, "tcp://localhost:5570", "--endpoint")
        assert not client.getsockopt(zmq.IPV6)
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        prepare(client, "tcp://plant:5570", "--endpoint")
        assert client.getsockopt(zmq.IPV6)


@contextlib.contextmanager
def bridge(tmp_path: Path, *words: str) -> Iterator[None]:
    command = [sys.executable, "-m", "draem", "bridge", *words, "--simulate", "20"]
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path)], cwd=root, stderr=subprocess.PIPE, text=True
    )
    try:
        yield
    finally:
        process.terminate()
        assert "Traceback" not in process.communicate(timeout=20)[1]


def test_bridges_listen_on_ipv6(tmp_path: Path) -> None:
    modbus, opcua = free_ports(2)
    with (
        bridge(tmp_path, "modbus", "--listen", f"[::1]:{modbus}"),
        bridge(tmp_path, "opcua", "--listen", f"[::1]:{opcua}"),
    ):

        async def opened() -> None:
            client = Client(f"opc.tcp://[::1]:{opcua}")
            await connected(client)
            await client.disconnect()

        asyncio.run(opened())
        with _connected(modbus) as plc:
            plc.sendall(bytes.fromhex("000100000006010400000001"))
            assert plc.recv(100)[7] == 4, "the registers are answered"


def _connected(port: int) -> socket.socket:
    for _ in range(200):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("::1", port), 10)
        threading.Event().wait(0.05)
    raise AssertionError("the bridge does not listen")


def test_an_mqtt_broker_is_reached_on_ipv6(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as broker:
        broker.settimeout(20)
        at = f"[::1]:{broker.getsockname()[1]}"
        with bridge(tmp_path, "mqtt", "--broker", at):
            accepted, _ = broker.accept()
            assert b"MQTT" in accepted.recv(100)
            accepted.close()


@pytest.mark.parametrize("wire", ["modbus --listen", "opcua --listen", "mqtt --broker"])
def test_an_ipv6_address_of_other_machines_is_refused_for_what_it_is(
    wire: str, tmp_path: Path
) -> None:
    done = draem_in_process("bridge", *wire.split(), "[fd00::9]:5000", cwd=tmp_path)
    assert done.returncode == 2
    assert "by others" in done.stderr or "another machine" in done.stderr


@pytest.mark.parametrize("wire", ["s7 --s7", "ethernet-ip --controller"])
def test_a_wire_without_ipv6_says_that_it_needs_ipv4(wire: str, tmp_path: Path) -> None:
    done = draem_in_process("bridge", *wire.split(), "[::1]:102", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "IPv4" in done.stderr


class Pictures(http.server.BaseHTTPRequestHandler):
    """Pictures that all differ, as a network camera sends them."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
        self.end_headers()
        for gray in range(250):
            picture = np.full((48, 64, 3), gray, np.uint8)
            data = cv2.imencode(".jpg", picture)[1].tobytes()
            head = f"--x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            with contextlib.suppress(OSError):
                self.wfile.write(head.encode() + data + b"\r\n")
            threading.Event().wait(0.02)

    def log_message(self, format: str, *words: object) -> None:
        """Not in the test's output."""


class Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


def test_a_network_camera_has_an_ipv6_address() -> None:
    with Server6(("::1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = f"http://user:pw@[::1]:{server.server_address[1]}/video.mjpg"
        with open_camera(source, triggered=False) as camera:
            assert next(all_frames(camera)).image.shape == (48, 64, 3)
        server.shutdown()


@pytest.mark.parametrize(
    "source", ["rtsp://fd00::5/x", "http://u:pw@::1/x", "https://fe80::1%eth0"]
)
def test_a_camera_s_address_without_brackets_is_refused_for_that(source: str) -> None:
    with pytest.raises(CameraError, match="needs brackets around its IPv6 address"):
        open_camera(source, triggered=False)


def test_metrics_are_served_on_ipv6_under_an_address_that_a_browser_takes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"), served_metrics("[::1]:0", Nothing()):
        assert "http://[::1]:" in caplog.text
    with pytest.raises(SettingsError, match="no name of a machine"):
        served_metrics("a..b:0", Nothing()).__enter__()


class Nothing:
    """Has no metrics."""

    def collect(self) -> list[object]:
        return []
