"""Live pictures for viewers: JPEG, at a bounded rate, on a socket of their own.

A message has four parts: topic `picture`, JSON that names the event, the frame and the heatmap as
JPEG (the heatmap empty where there is none). Nothing is encoded without a subscriber.
"""

import json
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.events.event import Inspection
from edge.events.publisher import Publisher

TOPIC = b"picture"
LONGEST_SIDE = 1280
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]
POLL_S = 0.1

Heat = Callable[[], NDArray[np.float32] | None]
"""Gives the heatmap in the frame; called only for a picture that is sent, not by the line."""


class _Picture(NamedTuple):
    header: Inspection
    image: NDArray[np.uint8]
    heat: Heat


class LiveView(Closeable):
    """Publishes at most `rate` pictures a second; its thread takes over `publisher`."""

    def __init__(self, publisher: Publisher, rate: float) -> None:
        self._publisher, self._interval = publisher, 1 / rate
        self._slot: _Picture | None = None
        self._wanted, self._closed, self._due = False, False, 0.0
        self._changed = Condition()
        self._thread = Thread(target=self._send_all, name="live", daemon=True)
        self._thread.start()

    def offer(self, header: Inspection, image: NDArray[np.uint8], heat: Heat) -> None:
        """Show this picture if there is a viewer and the rate allows it; never waits."""
        now = time.monotonic()
        if not self._wanted or now < self._due or image.size == 0:
            return
        self._due = now + self._interval
        with self._changed:
            self._slot = _Picture(header, image, heat)
            self._changed.notify()

    def _send_all(self) -> None:
        while not self._closed:
            self._wanted = self._publisher.count_subscribers() > 0
            with self._changed:
                self._changed.wait_for(lambda: self._slot or self._closed, POLL_S)
                shown, self._slot = self._slot, None
            if shown is not None:
                self._publisher.send(encode_picture(shown.header, shown.image, shown.heat()))

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()


def encode_picture(
    header: Inspection, image: NDArray[np.uint8], heatmap: NDArray[np.float32] | None
) -> list[bytes]:
    """The four parts of a message; large ones are reduced, heat 0..1 becomes gray 0..255."""
    named = {
        "kind": "picture",
        "stream_id": header.stream_id,
        "seq": header.seq,
        "inspection_id": header.inspection_id,
        "verdict": header.verdict,
        "width": image.shape[1],  # of the camera's frame, which boxes refer to
        "height": image.shape[0],
        "mask": header.mask and header.mask.model_dump(),
    }
    heat = b""
    if heatmap is not None:
        heat = _jpeg((_reduced(heatmap).clip(0, 1) * 255).astype(np.uint8))
    return [TOPIC, json.dumps(named).encode(), _jpeg(_reduced(image)), heat]


def _reduced(image: NDArray[Any]) -> NDArray[Any]:
    """At most LONGEST_SIDE a side."""
    scale = min(1.0, LONGEST_SIDE / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image


def _jpeg(image: NDArray[np.uint8] | cv2.typing.MatLike) -> bytes:
    return cv2.imencode(".jpg", image, QUALITY)[1].tobytes()
