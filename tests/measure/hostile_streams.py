"""Streams whose frames are cut at random: none of these may be judged.

Run by './just hostile-streams [--frames N] [--seed N]'. Every fifth frame is cut, over HTTP
(multipart JPEG) and over RTSP (JPEG, H.264 and H.265, whose packets are lost). The frames are read
as a line reads them. A frame without a code is one that would be judged: it must show a picture
that was not cut, equal to what a decoder makes of the undamaged stream. Prints figures, and ends
with 1 where one frame is wrong.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import cv2

from edge.base.errors import CameraError
from edge.camera import Camera
from edge.camera.http_jpeg import open_http
from edge.camera.video import VideoCamera
from edge.events.codes import Code
from edge.vision.frame import Frame
from edge.vision.image_files import Image, decode_image
from tests.support.http_camera import HttpCamera, part
from tests.support.numbered_pictures import number_of, pictures
from tests.support.rtp_camera import Packets, RtpCamera, rtp_packets

END = b"\xff\xd9"
CUT_SHARE = 0.2


class Result(NamedTuple):
    """What became of one stream's frames."""

    name: str
    sent: int
    cut: int
    whole: int
    incomplete: int
    wrong: int
    """Frames that would be judged although they were cut or differ from what was sent."""

    @property
    def passed(self) -> bool:
        return self.wrong == 0 and self.whole > 0


def cut_jpeg(jpeg: bytes, chance: random.Random) -> bytes:
    """One part with a picture of which the end is missing, in one of many ways."""
    kept = jpeg[: chance.randrange(len(jpeg) - 2)]
    zeros = bytes(len(jpeg) - len(kept))
    return chance.choice(
        [
            part(kept, len(kept)),
            part(kept),
            part(kept, len(jpeg)),  # it says more than it sends
            part(kept, chance.randrange(2 * len(jpeg))),
            part(kept + END, len(kept) + 2),
            part(kept + END),
            part(kept + zeros, len(jpeg)),
            part(kept + zeros[2:] + END, len(jpeg)),
            part(kept + jpeg[-chance.randrange(1, len(zeros)) :], len(jpeg)),  # a gap
        ]
    )


def frames_of(camera: Camera | None) -> Iterator[Frame]:
    """All frames of a live camera until its stream ends."""
    assert camera is not None
    with camera:
        while True:
            try:
                yield camera.read()
            except CameraError:
                return


def compared(
    name: str, frames: Iterator[Frame], sent: dict[int, Image], cut: set[int], count: int
) -> Result:
    """Compare what came with what was `sent`: the whole pictures, by their numbers."""
    codes: Counter[Code] = Counter()
    wrong = 0
    for frame in frames:
        codes[frame.code] += 1
        if frame.code is Code.NONE:
            number = number_of(frame.image)
            as_sent = number in sent and bool((sent[number] == frame.image).all())
            wrong += number in cut or not as_sent
    whole, incomplete = codes[Code.NONE], codes[Code.INCOMPLETE]
    return Result(name, count, len(cut), whole, incomplete, wrong)


def over_http(count: int, seed: int) -> Result:
    """Multipart JPEG, cut in many ways, with true, wrong and missing lengths."""
    chance = random.Random(seed)
    jpegs = [cv2.imencode(".jpg", image)[1].tobytes() for image in pictures(count)]
    sent = {i: decode_image(jpeg, "sent") for i, jpeg in enumerate(jpegs)}
    cut = {i for i in range(count) if chance.random() < CUT_SHARE}
    parts = (
        cut_jpeg(jpeg, chance) if i in cut else part(jpeg, _stated_length(jpeg, chance))
        for i, jpeg in enumerate(jpegs)
    )
    with HttpCamera(parts) as camera:
        return compared("HTTP", frames_of(open_http(camera.source, 800)), sent, cut, count)


def _stated_length(jpeg: bytes, chance: random.Random) -> int | None:
    """Of a whole picture: true as a rule, else missing or too small."""
    return chance.choice([len(jpeg), len(jpeg), None, chance.randrange(len(jpeg))])


def over_rtsp(codec: str, count: int, seed: int) -> Result:
    """Lost RTP packets: the first, the last, one, all from one on, or all of a frame."""
    chance = random.Random(seed)
    packets = rtp_packets(pictures(count), codec)
    sent = {number_of(f.image): f.image for f in _rtsp_frames(packets, codec) if not f.code}
    cut: set[int] = set()
    lossy = [_lossy(i, frame, cut, chance) for i, frame in enumerate(packets)]
    return compared(f"RTSP {codec}", _rtsp_frames(lossy, codec), sent, cut, count)


def _lossy(number: int, frame: Packets, cut: set[int], chance: random.Random) -> Packets:
    if chance.random() >= CUT_SHARE:
        return frame
    cut.add(number)
    at = chance.randrange(len(frame))
    return chance.choice([frame[1:], frame[:-1], frame[:at] + frame[at + 1 :], frame[:at], []])


def _rtsp_frames(packets: list[Packets], codec: str) -> Iterator[Frame]:
    with RtpCamera(packets, codec) as camera:
        yield from frames_of(VideoCamera(camera.source, triggered=False, deadline_ms=800))


def streams(count: int, seed: int) -> Iterator[Result]:
    """Half of the frames over HTTP, half over RTSP."""
    yield over_http(count // 2, seed)
    for codec in ("mjpeg", "libx264", "libx265"):
        yield over_rtsp(codec, count // 6, seed)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    passed = True
    for result in streams(options.frames, options.seed):
        print(
            f"{result.name}: {result.sent} frames sent, {result.cut} of them cut; "
            f"{result.whole} received whole, {result.incomplete} incomplete, "
            f"{result.wrong} judged wrongly",
            flush=True,
        )
        passed &= result.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
