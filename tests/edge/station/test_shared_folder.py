"""Two stations that share a data folder: the second does not start, and changes nothing."""

from pathlib import Path
from threading import Event as StopEvent

import pytest

from edge.events.journal import Journal, JournalError
from edge.station.last_product import STATE, remember
from edge.station.open import run_station
from edge.station.settings import Station


def test_a_second_station_in_a_data_folder_is_refused_before_it_opens_anything(
    tmp_path: Path,
) -> None:
    """It would have deleted the product that the first was switched to, and taken its camera."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "data")
    folder = tmp_path / "data" / "lid"
    with Journal(folder, reserve_bytes=4096):
        remember(folder, ("lid", None), ("cap", "2"))
        for data in (tmp_path / "data", link):
            settings = Station(data=data, station="lid", source="no such camera")
            with pytest.raises(JournalError, match="another process writes the log"):
                run_station(settings, ("other", None), StopEvent())
        assert (folder / STATE).exists()
