"""A TCP proxy that cuts, half-closes and delays connections, on a thread of its own."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from edge.base.closeable import Closeable

DELAY_S = 1.0


class Proxy(Closeable):
    """Passes bytes between `listen` and `to` on this machine until it is told to disturb them."""

    def __init__(self, listen: int, to: int) -> None:
        self._listen, self._to = listen, to
        self._writers: set[asyncio.StreamWriter] = set()
        self._clear_at = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", self._listen)
        )
        self._loop.run_forever()
        self._server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._abort()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pipe(reader, far_writer), self._pipe(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, RuntimeError):
            while data := await reader.read(65536):
                await asyncio.sleep(max(0.0, self._clear_at - self._loop.time()))
                writer.write(data)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        """Abort every connection."""
        self._do(self._abort)

    def half_close(self) -> None:
        """End one direction of every connection, and keep the other."""
        self._do(lambda: [self._end(w) for w in list(self._writers)[::2]])

    def delay(self) -> None:
        """Delay all bytes for DELAY_S."""
        self._do(lambda: setattr(self, "_clear_at", self._loop.time() + DELAY_S))

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    @staticmethod
    def _end(writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            sock = writer.get_extra_info("socket")
            if sock is not None:
                socket.socket.shutdown(sock._sock, socket.SHUT_WR)

    def _do(self, action: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(action)

    def close(self) -> None:
        self._do(self._loop.stop)
        self._thread.join(5)
