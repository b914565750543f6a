"""A station whose pictures take a while to arrive; everything else is answered at once."""

import json
import time
from threading import Thread

import zmq

from edge.base.closeable import Closeable
from edge.events.replay_server import CursorsReply, FramesHeader
from tests.support.pictured_log import picture_of


class SlowStation(Closeable):
    """Answers for pictures, `seconds` after each question, and cursors; `asked` has all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.asked: list[str] = []
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self.endpoint = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"
        self._is_ended = False
        self._thread = Thread(target=self._serve, name="slow station")
        self._thread.start()

    def _serve(self) -> None:
        while not self._is_ended:
            if self._socket.poll(50):
                peer, request = self._socket.recv_multipart()
                self._socket.send_multipart([peer, *self._answer(json.loads(request))])

    def _answer(self, request: dict[str, object]) -> list[bytes]:
        self.asked.append(str(request["request"]))
        if request["request"] != "frames":
            return [CursorsReply(cursors=[]).model_dump_json().encode()]
        time.sleep(self._seconds)
        return [FramesHeader(inspection_ids=[1]).model_dump_json().encode(), picture_of(1)]

    def close(self) -> None:
        self._is_ended = True
        self._thread.join(10)
        self._context.destroy(0)
