"""A small run of './just hostile-streams': no frame that was cut would be judged."""

import pytest

from tests.measure.hostile_streams import Result, over_http, over_rtsp


def check(result: Result) -> None:
    assert result.wrong == 0, result
    assert result.whole > 20, result
    assert result.cut > 20, result


def test_no_cut_frame_over_http_is_judged() -> None:
    result = over_http(150, seed=2)
    check(result)
    assert (result.whole, result.incomplete) == (150 - result.cut, result.cut), "none is skipped"


@pytest.mark.parametrize("codec", ["mjpeg", "libx264", "libx265"])
def test_no_frame_with_lost_rtp_packets_is_judged(codec: str) -> None:
    """FFmpeg tells in its log alone that it completed them from the frames before."""
    result = over_rtsp(codec, 150, seed=2)
    check(result)
    assert result.incomplete > 0, result
