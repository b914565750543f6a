"""Which station a command is about: the one of --station, or the only one that there is."""

import os
from collections.abc import Mapping
from pathlib import Path

from edge.base.errors import PublishError, SettingsError
from edge.station.settings import FILE, PREFIX, Station, load_settings

FOLDER = Path("stations")
ADDRESSES = ("endpoint", "control", "replay", "data")


def station_settings(given: Mapping[str, object]) -> Station:
    """The settings of the station that `given`, from the command line, is about.

    A station of stations/NAME.toml is found by that name, or by its setting `station`. Raises
    SettingsError where there are several, and nothing says which.
    """
    name = given.get("station") or os.environ.get(f"{PREFIX}STATION")
    if os.environ.get(f"{PREFIX}STATION_FILE"):
        return load_settings(given)
    addressed = any(given.get(a) or os.environ.get(PREFIX + a.upper()) for a in ADDRESSES)
    if name is None and addressed:
        return load_settings(given)
    files = sorted(FOLDER.glob("*.toml"))
    names = [file.stem for file in files]
    found = [file for file in files if name in (None, file.stem)] or [
        file for file in files if load_settings({}, file).station == name
    ]
    is_single = FILE.is_file() and name in (None, load_settings({}).station)
    if len(found) + is_single > 1 or (files and not found and not is_single and not addressed):
        of_file = f", or {load_settings({}).station} of {FILE}" * is_single
        what = "are several stations" if found else f"is no station {name}"
        raise SettingsError(
            f"there {what} in {FOLDER}/: name one with --station ({', '.join(names)}{of_file})"
        )
    if not found:
        return load_settings(given)
    return load_settings({k: v for k, v in given.items() if k != "station"}, found[0])


def expected_name(given: Mapping[str, object], settings: Station) -> str:
    """The name that the station at the other end must have; empty if only an address is given."""
    addressed = any(given.get(name) for name in ADDRESSES[:3])
    named = "station" in settings.model_fields_set and not addressed
    return settings.station if given.get("station") or named else ""


def refuse_another(expected: str, found: str, endpoint: str) -> None:
    """Raise PublishError where another station answers than the one that is meant."""
    if expected and found and found != expected:
        raise PublishError(
            f"the station at {endpoint} is {found}, not {expected}: correct the endpoint of "
            f"{expected}, or name {found} with --station"
        )
