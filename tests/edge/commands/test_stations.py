"""Of several stations on one device, a command takes the one that is meant, or none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.base.errors import SettingsError
from edge.commands.stations import station_settings
from edge.events.control_messages import ProductReply, Request
from edge.events.subscriber import events
from edge.station.proof import ChangeoverError
from tests.support.commands import draem_in_process
from tests.support.running_station import Running


@pytest.fixture
def stations(tmp_path: Path) -> Iterator[dict[str, Running]]:
    """Two running stations, each with its file in stations/."""
    (tmp_path / "stations").mkdir()
    running = {name: Running(tmp_path / "data", station=name) for name in ("top", "side")}
    for name, one in running.items():
        text = f'station = "{name}"\nendpoint = "{one.endpoint}"\ndata = "{tmp_path}/data"\n'
        (tmp_path / "stations" / f"{name}.toml").write_text(text)
    try:
        yield running
    finally:
        for one in running.values():
            one.close()


def test_pause_takes_the_named_station_and_the_answer_says_which(
    stations: dict[str, Running], tmp_path: Path
) -> None:
    done = draem_in_process("control", "pause", cwd=tmp_path)
    assert done.returncode == 2
    assert "--station (side, top)" in done.stderr
    assert not any(one.controls.paused for one in stations.values())
    done = draem_in_process("control", "pause", "--station", "side", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout)
    assert (reply["station"], reply["product"], reply["version"]) == ("side", "lid", "1")
    assert stations["side"].controls.paused
    assert not stations["top"].controls.paused


@pytest.mark.parametrize("request_", ["health", "product", "counters", "resume"])
def test_every_answer_names_station_and_product(
    request_: str, stations: dict[str, Running], tmp_path: Path
) -> None:
    done = draem_in_process("control", request_, "--station", "top", cwd=tmp_path)
    reply = json.loads(done.stdout)
    assert (reply["station"], reply["product"], reply["version"]) == ("top", "lid", "1")


@pytest.mark.parametrize(
    "words",
    [
        ("switch", "--product", "cap"), ("watch",), ("log",), ("log", "cursors"),
        ("log", "mark", "1", "missed"), ("bridge", "modbus"), ("bridge", "mqtt"),
        ("bridge", "opcua"),
    ],
)  # fmt: skip
def test_a_command_that_could_mean_several_stations_is_refused(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "stations").mkdir()
    for name in ("top", "side"):
        (tmp_path / "stations" / f"{name}.toml").write_text(f'station = "{name}"\n')
    for more in ((), ("--station", "none")):
        done = draem_in_process(*words, *more, cwd=tmp_path)
        assert done.returncode == 2
        assert "name one with --station (side, top)" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_station_at_another_ones_address_is_not_paused(
    stations: dict[str, Running], tmp_path: Path
) -> None:
    """Both files have the same endpoint, as when it was left out of both."""
    text = f'station = "side"\nendpoint = "{stations["top"].endpoint}"\n'
    (tmp_path / "stations" / "side.toml").write_text(text)
    for words in (("control", "pause"), ("switch", "--product", "cap"), ("watch",)):
        done = draem_in_process(*words, "--station", "side", cwd=tmp_path)
        assert done.returncode == 2
        assert "is top, not side" in done.stderr
    assert not stations["top"].controls.paused


def test_an_address_on_the_command_line_names_the_station(
    stations: dict[str, Running], tmp_path: Path
) -> None:
    endpoint = stations["top"].endpoint
    done = draem_in_process("control", "pause", "--endpoint", endpoint, cwd=tmp_path)
    assert json.loads(done.stdout)["station"] == "top"
    words = ("control", "resume", "--endpoint", endpoint, "--station", "side")
    assert "is top, not side" in draem_in_process(*words, cwd=tmp_path).stderr
    assert stations["top"].controls.paused


def test_the_log_of_a_named_station_is_shown(stations: dict[str, Running], tmp_path: Path) -> None:
    next(events(stations["top"].endpoint))
    done = draem_in_process("log", "--station", "top", "--last", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "station top" in done.stderr


@pytest.mark.parametrize("fixed", [False, True])
def test_which_file_is_taken(fixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stations").mkdir()
    only = tmp_path / "stations" / "lid.toml"
    only.write_text('station = "lid-top"\nring = 7\n')
    if fixed:
        monkeypatch.setenv("DRAEM_STATION_FILE", str(only))
    assert station_settings({}).ring == 7
    assert station_settings({"station": "lid"}).ring == 7
    assert station_settings({"station": "lid-top"}).station == "lid-top"
    assert station_settings({"endpoint": "tcp://127.0.0.1:1"}).ring == (7 if fixed else 50)


def test_station_toml_is_one_of_the_stations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "station.toml").write_text('station = "old"\nring = 7\n')
    assert station_settings({}).ring == 7
    assert station_settings({"station": "any"}).station == "any", "a name alone, as before"
    (tmp_path / "stations").mkdir()
    (tmp_path / "stations" / "lid.toml").write_text('station = "lid"\n')
    for given in ({}, {"station": "any"}):
        with pytest.raises(SettingsError, match=r"\(lid, or old of station.toml\)|\(lid\)"):
            station_settings(given)
    assert station_settings({"station": "old"}).ring == 7
    assert station_settings({"station": "lid"}).station == "lid"
    assert station_settings({"station": "gone", "data": "data"}).station == "gone"


def test_a_switch_ends_soon_when_the_line_ends_or_starts_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edge.commands import switch as command
    from edge.events.client import NoAnswer
    from edge.events.control_messages import ChangeStatus, SwitchRequest

    class Line:
        """Answers the first request, then `later`."""

        def __init__(self, later: ProductReply | None) -> None:
            self._later, self.asked = later, 0

        def ask(self, request: Request | SwitchRequest) -> list[bytes]:
            self.asked += 1
            if isinstance(request, SwitchRequest):
                loading = ChangeStatus(number=3, state="loading", product="cap")
                reply = ProductReply(station="top", product="lid", version="1", change=loading)
                return [reply.model_dump_json().encode()]
            if self._later is None:
                clock[0] += 2
                raise NoAnswer("no answer")
            return [self._later.model_dump_json().encode()]

    clock = [0.0]
    monkeypatch.setattr("edge.commands.switch.time.monotonic", lambda: clock[0])
    wanted = SwitchRequest(product="cap")
    ended = Line(None)
    with pytest.raises(ChangeoverError, match="has not answered for 10 s"):
        command.switch(ended, wanted)  # type: ignore[arg-type]
    assert ended.asked < 10
    restarted = ProductReply(station="top", product="lid", version="1")
    with pytest.raises(ChangeoverError, match="station top was started again meanwhile"):
        command.switch(Line(restarted), wanted)  # type: ignore[arg-type]
