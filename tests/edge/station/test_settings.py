"""Command line, then environment, then station.toml; nothing unknown is accepted."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.base.errors import SettingsError
from edge.station.settings import load_settings


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


@pytest.mark.parametrize(
    ("name", "value"), [("mode", "sometimes"), ("bit_depth", 7), ("subscribers", "many")]
)
def test_an_impossible_value_names_its_setting(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        setattr(load_settings({}), "product", "other")  # noqa: B010
