"""Frame ids with gaps, wraps and restarts."""

import pytest

from edge.camera.frame_ids import FrameIds


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ((10, 11, 14, 15), 2),
        ((65534, 65535, 1, 2), 0),  # 16 bits wrap from 65535 to 1
        ((65534, 3), 3),
        ((65535, 65536, 70000), 4463),  # 64 bits do not
        ((40000, 39999), 0),  # the camera counts from the beginning again
        ((5, None, 8, None, 10, 11), 1),  # an unknown id fills part of the gap
        ((7, 7), 0),
    ],
)
def test_gaps_are_counted(numbers: tuple[int | None, ...], lost: int) -> None:
    ids = FrameIds()
    for number in numbers:
        ids.follow(number)
    assert (ids.lost, ids.count) == (lost, len(numbers) + lost)


def test_a_restart_of_the_camera_is_no_gap() -> None:
    ids = FrameIds()
    for number in (40000, None):
        ids.follow(number)
    ids.restart()
    ids.follow(60000)
    ids.follow(60003)
    assert (ids.lost, ids.count) == (2, 6)
