"""A station's live pictures: one subscription for all viewers, and none without viewers."""

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import simplejpeg
import zmq
from pydantic import BaseModel, ConfigDict, ValidationError

from edge.events.client import connect
from edge.events.event import MaskPlacement, Verdict
from edge.web.live.station_feed import Key
from edge.web.live.watch import Watch
from edge.web.settings import StationAddresses

log = logging.getLogger(__name__)

TOPIC = b"picture"
POLL_MS = 200
SILENT_S = 5.0  # then the subscription is made again: ZeroMQ does not retry a refused key
MAX_BYTES = 32 << 20
NEWEST, NOT_OK = 8, 24  # pictures that are kept
SMALL_SIDE = 240
LONGEST_SIDE = 1280  # of a live picture; one that is shorter has the frame's own size


class PictureHeader(BaseModel):
    """What a live picture belongs to; `width` and `height` of the frame came with schema 1.3."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    stream_id: str
    seq: int
    inspection_id: int
    verdict: Verdict
    mask: MaskPlacement | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame as JPEG, its heatmap as gray JPEG (or nothing), and what they belong to."""

    header: PictureHeader
    jpeg: bytes
    heat: bytes
    shown: tuple[int, int]  # width and height of the JPEG

    @property
    def key(self) -> Key:
        """The event that it belongs to."""
        return Key(self.header.stream_id, self.header.seq)

    @property
    def frame(self) -> tuple[int, int] | None:
        """Width and height of the camera's frame; None where that is not known."""
        if self.header.width and self.header.height:
            return self.header.width, self.header.height
        return self.shown if max(self.shown) < LONGEST_SIDE else None

    @cached_property
    def small(self) -> bytes:
        """A JPEG of at most SMALL_SIDE pixels a side; nothing where it cannot be decoded."""
        image = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            return b""
        width, height = self.shown
        scale = min(1.0, SMALL_SIDE / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        reduced = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", reduced)[1].tobytes()


class PictureFeed(Watch):
    """The newest live pictures of a station, and the last ones that were not OK."""

    def __init__(self, addresses: StationAddresses) -> None:
        self._addresses = addresses
        self.newest: Picture | None = None
        self.newest_at = 0.0
        """When it came (monotonic)."""
        self.changes = 0
        self._newest: OrderedDict[Key, Picture] = OrderedDict()
        self._not_ok: dict[str, OrderedDict[Key, Picture]] = {
            "NG": OrderedDict(), "NO_VERDICT": OrderedDict()
        }  # fmt: skip
        super().__init__(f"pictures {addresses.name}")

    def find(self, key: Key) -> Picture | None:
        """The picture of an event, if it is kept."""
        for kept in (self._newest, *self._not_ok.values()):
            if (found := kept.get(key)) is not None:
                return found
        return None

    def _work(self) -> None:
        """One subscription, until nobody looks or nothing comes."""
        a = self._addresses
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            for option, value in ((zmq.LINGER, 0), (zmq.RCVHWM, 8), (zmq.HEARTBEAT_IVL, 1000)):
                socket.set(option, value)
            socket.set(zmq.MAXMSGSIZE, MAX_BYTES)
            connect(socket, a.live, "--live", a.credentials)
            socket.subscribe(TOPIC)
            heard = time.monotonic()
            while self.wanted and time.monotonic() < heard + SILENT_S:
                if socket.poll(POLL_MS):
                    heard = time.monotonic()
                    self._take(socket.recv_multipart())

    def _take(self, parts: list[bytes]) -> None:
        try:
            _, named, jpeg, heat = parts
            header = PictureHeader.model_validate_json(named)
            height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
        except (ValueError, ValidationError) as error:
            log.warning("ignored a live picture of %s: %s", self._addresses.name, error)
            return
        picture = Picture(header, jpeg, heat, (width, height))
        _keep(self._newest, picture, NEWEST)
        if header.verdict in self._not_ok:
            _keep(self._not_ok[header.verdict], picture, NOT_OK)
        self.newest, self.newest_at = picture, time.monotonic()
        self.changes += 1

    def _idle(self) -> None:
        self.newest = None


def _keep(kept: OrderedDict[Key, Picture], picture: Picture, limit: int) -> None:
    kept[picture.key] = picture
    while len(kept) > limit:
        kept.popitem(last=False)
