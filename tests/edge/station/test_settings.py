"""Command line, then environment, then station.toml; nothing unknown is accepted."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.base.errors import PublishError, SettingsError
from edge.events.client import service_endpoint
from edge.station.settings import load_settings
from tests.support.commands import draem_in_process


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("station.toml").write_text('product = "file"\nstation = "file"\nmode = "triggered"\n')
    monkeypatch.setenv("DRAEM_PRODUCT", "variable")
    monkeypatch.setenv("DRAEM_STATION", "variable")
    settings = load_settings({"product": "typed", "source": None})
    assert (settings.product, settings.station, settings.mode) == ("typed", "variable", "triggered")


def test_an_unknown_key_in_the_file_is_refused() -> None:
    Path("station.toml").write_text("porduct = 'x'\n")
    with pytest.raises(SettingsError, match="porduct"):
        load_settings({})


@pytest.mark.parametrize("name", ["DRAEM_PORDUCT", "draem_porduct"])
def test_an_unknown_variable_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsError, match=name):
        load_settings({})


def test_a_file_that_is_not_toml_is_named() -> None:
    Path("station.toml").write_text("product = \n")
    with pytest.raises(SettingsError, match=r"station\.toml"):
        load_settings({})


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAEM_STATION_FILE", "elsewhere.toml")
    with pytest.raises(SettingsError, match=r"elsewhere\.toml"):
        load_settings({})
    Path("elsewhere.toml").write_text("product = 'there'\n")
    assert load_settings({}).product == "there"


def test_the_variables_of_the_archive_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAEM_ARCHIVE_DATABASE", "postgresql+psycopg://draem@plant/archive")
    assert load_settings({}).station == "station-1"


@pytest.mark.parametrize(
    ("name", "value"), [("mode", "sometimes"), ("bit_depth", 7), ("subscribers", "many")]
)
def test_an_impossible_value_names_its_setting(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        setattr(load_settings({}), "product", "other")  # noqa: B010


BAD_NAMES = ["../../x", "..", ".", "", " ", "a/b", "press 4", "Station-Ä", "x" * 101, "a\n", "a\0"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("setting", ["station", "product"])
def test_a_name_that_is_no_folder_s_name_is_refused(setting: str, name: str) -> None:
    with pytest.raises(SettingsError, match=f"setting '{setting}' cannot be") as raised:
        load_settings({setting: name})
    assert "letters, digits" in str(raised.value) or "give it a value" in str(raised.value)
    with pytest.raises(SettingsError, match="recipes"):
        load_settings({"recipes": {1: name}})


def test_a_station_s_name_does_not_write_outside_its_data_folder(tmp_path: Path) -> None:
    for words in (
        *(("log",), ("run", "--product", "lid", "--source", "line://moulded?parts=1")),
        *(("bridge", "modbus", "--simulate", "5"), ("bridge", "mqtt"), ("bridge", "opcua")),
    ):
        done = draem_in_process(*words, "--station", "../../x", cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "the setting 'station' cannot be '../../x'" in done.stderr
    assert list(tmp_path.iterdir()) == []


NUMBERS = (
    *("live_rate", "keep_days", "keep_mb", "cursor_days", "pictures_mb", "backlog", "ok_one_in"),
    *("ring", "subscribers", "read_deadline_ms", "bit_depth"),
)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e300", "9" * 5000, "", "x", "0x1"])
@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_is_impossible(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = f"the setting '{name}' cannot be"
    with pytest.raises(SettingsError, match=message) as raised:
        load_settings({name: value})
    assert len(str(raised.value)) < 300
    if value in ("nan", "inf", "-inf", "1e300"):
        Path("station.toml").write_text(f"{name} = {value}\n")
        with pytest.raises(SettingsError, match=message):
            load_settings({})
        Path("station.toml").unlink()
    if value:
        monkeypatch.setenv(f"DRAEM_{name.upper()}", value)
        with pytest.raises(SettingsError, match=message):
            load_settings({})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", ["true", "[1]", "{ a = 1 }", "1979-05-27", '"many"', '"a\\u0000"']
)
def test_no_number_is_of_another_type(name: str, value: str) -> None:
    Path("station.toml").write_text(f"{name} = {value}\n")
    with pytest.raises(SettingsError, match=f"the setting '{name}"):
        load_settings({})


@pytest.mark.parametrize(
    "endpoint",
    [
        *("tcp://127.0.0.1:99999", "tcp://127.0.0.1:0", "tcp://127.0.0.1:-1", "tcp://127.0.0.1"),
        *("tcp://127.0.0.1:", "tcp://:5570", "tcp://127.0.0.1:5570/x", "tcp://127.0.0.1:5 570"),
        *(
            "127.0.0.1:5570",
            "udp://127.0.0.1:5570",
            "tcp://my host:5570",
            "tcp://127.0.0.1:55\uff170",
        ),
        *("tcp://::1:5570", "tcp://[::1]", "tcp://[::1:5570"),
    ],
)
@pytest.mark.parametrize("words", ["watch", "control health", "switch --product lid"])
def test_an_address_without_a_possible_port_is_refused(
    endpoint: str, words: str, tmp_path: Path
) -> None:
    """ZeroMQ itself takes port 99999 as 34463."""
    done = draem_in_process(*words.split(), "--endpoint", endpoint, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "tcp://127.0.0.1:5570" in done.stderr
    assert "other machines" not in done.stderr


def test_an_endpoint_leaves_ports_for_the_other_sockets() -> None:
    with pytest.raises(PublishError, match="choose a port below 65532"):
        service_endpoint("tcp://127.0.0.1:65534", "control")
    assert service_endpoint("tcp://127.0.0.1:65532", "live") == "tcp://127.0.0.1:65535"


@pytest.mark.parametrize(
    "wire",
    [
        *("modbus --listen", "opcua --listen", "mqtt --broker", "s7 --s7"),
        "ethernet-ip --controller",
    ],
)
@pytest.mark.parametrize("port", ["0", "-1", "99999", "", "x", "\uff11", "1e3"])
def test_a_bridge_refuses_a_port_that_does_not_exist(wire: str, port: str, tmp_path: Path) -> None:
    done = draem_in_process("bridge", *wire.split(), f"127.0.0.1:{port}", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "and a port" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        *("log --last 99999999999999999999", "log mark 99999999999999999999 missed"),
        *("record --to x --frames -1", "bridge s7 --s7 127.0.0.1:1 --block 70000"),
        *("bridge s7 --s7 127.0.0.1:1 --rack 8", "bridge modbus --simulate nan"),
        *("bridge modbus --deadline-ms 99999999999999", "bridge modbus --buffer 0"),
        *("calibrate --costs inf:1:0.5", "calibrate --false-reject-rate nan"),
    ],
)
def test_numbers_of_a_command_line_are_bounded(words: str, tmp_path: Path) -> None:
    done = draem_in_process(*words.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "argument" in done.stderr
