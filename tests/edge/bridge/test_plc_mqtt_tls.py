"""`draem bridge mqtt` and a mosquitto that encrypts, with certificates made on the spot."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.certificates import PASSWORD, Authority
from tests.support.bridge.mqtt import Bridge, Broker, needs_mosquitto
from tests.support.running_station import Running

pytestmark = needs_mosquitto


@pytest.fixture
def plant(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "plant-ca")


def broker(folder: Path, ca: Authority, address: str = "127.0.0.1", *lines: str) -> Broker:
    certificate, key = ca.issue("broker", address)
    return Broker(folder, f"certfile {certificate}", f"keyfile {key}", *lines)


@pytest.fixture
def encrypting(tmp_path: Path, plant: Authority) -> Iterator[Broker]:
    made = broker(tmp_path, plant, "127.0.0.1", "allow_anonymous true")
    yield made
    made.kill()


@pytest.fixture
def asking(tmp_path: Path, plant: Authority) -> Iterator[Broker]:
    """One that lets in nobody without a certificate."""
    lines = [f"cafile {plant.certificate}", "require_certificate true"]
    made = broker(tmp_path, plant, "127.0.0.1", "use_identity_as_username true", *lines)
    yield made
    made.kill()


def hear_one(
    broker: Broker, ca: Path, certificate: Path | None = None, key: Path | None = None
) -> dict[str, Any]:
    """The first result that a subscriber gets over TLS."""
    heard: list[dict[str, Any]] = []

    def subscribe(*_: Any) -> None:
        client.subscribe("draem/station-1/result")

    client = paho.Client(CallbackAPIVersion.VERSION2, "ear")
    client.tls_set(str(ca), str(certificate) if certificate else None, str(key) if key else None)
    client.on_connect = subscribe
    client.on_message = lambda client, userdata, message: heard.append(json.loads(message.payload))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    end = time.monotonic() + 20
    while not heard:
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()
    return heard[0]


# paho leaves the socket of a failed handshake open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_of_another_ca_or_place_or_in_the_clear_is_refused(
    tmp_path: Path, plant: Authority, encrypting: Broker, mistaken: Mistaken
) -> None:
    def refused(at: Broker, *words: str) -> str:
        return mistaken("mqtt", "--broker", f"127.0.0.1:{at.port}", *words)

    folder = tmp_path / "other"
    folder.mkdir()
    stranger = Authority(folder, "stranger-ca")
    said = refused(encrypting, "--ca", str(stranger.certificate))
    assert "certificate verify failed" in said
    assert "--ca" in said
    elsewhere = broker(folder, plant, "127.0.0.2", "allow_anonymous true")
    plain = Broker(tmp_path, "allow_anonymous true")
    try:
        said = refused(elsewhere, "--ca", str(plant.certificate))
        assert "certificate is not valid for '127.0.0.1'" in said
        assert "cannot be reached" in refused(plain, "--ca", str(plant.certificate))
        assert "does it want --ca" in refused(encrypting), "it encrypts, we did not"
    finally:
        elsewhere.kill()
        plain.kill()


def test_plc_broker_that_asks_for_a_certificate_gets_ours(
    station: Running, plant: Authority, asking: Broker, mistaken: Mistaken
) -> None:
    ours = plant.issue("press-4")
    words = ["--client-cert", str(ours[0]), "--client-key", str(ours[1])]
    bridge = Bridge(station, asking, "--ca", str(plant.certificate), *words)
    assert hear_one(asking, plant.certificate, *plant.issue("ear"))["verdict"] in ("OK", "NG")
    assert "Traceback" not in bridge.close()
    words = ["--broker", f"127.0.0.1:{asking.port}", "--ca", str(plant.certificate)]
    assert "--client-cert" in mistaken("mqtt", *words)


def test_plc_results_go_encrypted_and_a_login_is_never_shown(
    station: Running, plant: Authority, encrypting: Broker, tmp_path: Path
) -> None:
    login = tmp_path / "login"
    login.write_text("plant:s3cret-word\n")
    bridge = Bridge(station, encrypting, "--ca", str(plant.certificate), "--login", str(login))
    assert hear_one(encrypting, plant.certificate)["verdict"] in ("OK", "NG")
    said = bridge.close()
    assert "Traceback" not in said
    assert "s3cret-word" not in said
    assert "PRIVATE KEY" not in said


def test_mistakes_with_certificates_are_one_line_each(
    tmp_path: Path,
    plant: Authority,
    mistaken: Mistaken,
) -> None:
    certificate, key = (str(path) for path in plant.issue("press-4"))
    locked, ca = str(tmp_path / "press-4.locked.key"), str(plant.certificate)
    ours = ["--ca", ca, "--client-cert", certificate, "--client-key"]
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("nothing")
    for words, says in (
        (["--ca", str(rubbish)], "is no certificate in PEM"),
        (["--ca", ca, "--client-cert", certificate], "belong together"),
        (["--client-cert", certificate, "--client-key", key], "add --ca FILE"),
        ([*ours, "none"], "correct --client-key"),
        ([*ours, ca], "must be PEM"),
        ([*ours, locked], "no password"),
        (["--broker", "broker.plant:8883"], "another machine: name its certificate with --ca"),
        (["--broker", "no.such.broker.invalid:8883", "--ca", ca], "cannot be reached"),
        (["--broker", "a/b:8883"], "write a name or an address"),
    ):
        said = mistaken("mqtt", *words)
        assert says in said, words
        assert PASSWORD.decode() not in said
