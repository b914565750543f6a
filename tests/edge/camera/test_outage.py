"""How long to wait before each new connection."""

from types import SimpleNamespace

import pytest

from edge.camera import CameraNotice
from edge.camera.outage import Outages
from edge.events.codes import Code


def test_the_wait_between_connections_doubles_up_to_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.camera.outage.time", SimpleNamespace(monotonic=lambda: 0.0))
    outages = Outages("camera T", {"outages": 0, "reconnected": 0})

    def waits(tries: int) -> list[float]:
        found = []
        for _ in range(tries):
            outages.back_off()
            found.append(outages.next_try_in_s())
        return found

    assert waits(6) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1, 1])
    with pytest.raises(CameraNotice):
        outages.report(Code.CAMERA_LOST, "no answer")
    with pytest.raises(CameraNotice):
        outages.end()
    assert waits(1) == pytest.approx([0.1])
