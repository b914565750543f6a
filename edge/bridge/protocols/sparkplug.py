"""Sparkplug B beside the plain topics: the bridge is an edge node, the station its device.

A result that comes in time is sent once, as it comes; any other (late, of an outage, without a
verdict) comes from the station's log and is historical. Where the newest part has no verdict, or
the line cannot judge, all metrics of the result are null; so they are in each birth.

sparkplug_node.py has the session, sparkplug_metrics.py the metrics.
"""

import time
from collections.abc import Callable, Mapping

from edge.base.closeable import Closeable
from edge.base.epoch import now_ms
from edge.bridge.feed import Feed, check_station
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.sparkplug_commands import SparkplugCommands
from edge.bridge.protocols.sparkplug_metrics import (
    NO_RESULT,
    NO_TROUBLE,
    captured_ms,
    result_values,
    samples_of,
    state_values,
)
from edge.bridge.protocols.sparkplug_node import Node
from edge.bridge.protocols.sparkplug_payload import Value
from edge.bridge.signals import Signals, Trouble
from edge.events.event import Event, Inspection

POLL_S = 0.05
REMEMBERED = 10_000  # results that were sent, and that the log has yet to come to

Key = tuple[str, int]
"""A result: its stream and its number there."""


class Sparkplug(Closeable):
    """A station's births, deaths, states and results. Owns the node."""

    def __init__(self, node: Node, station: str, numbers: Mapping[str, int]) -> None:
        self._node, self._station, self._numbers = node, station, numbers
        self._born_of = 0  # the node's birth that the device's belongs to
        self._published: dict[str, Value] = {}
        self._result_shown = False
        self._newest = 0  # inspection id of the last result that came in time
        self._sent: dict[Key, int] = {}  # -> the connection that it was sent in
        self._commands: SparkplugCommands | None = None
        self._begun = time.monotonic()

    def result(self, inspection: Inspection) -> None:
        """Send a verdict that came in time, if it can be sent now. Raises BridgeError."""
        self._check(inspection.station)
        with self._node.lock:
            if self._is_born() and not self._was_sent(_key(inspection)):
                self._send_result(inspection, historical=False)
                self._newest = inspection.inspection_id

    def record(
        self,
        event: Event,
        age_s: Callable[[Inspection], float],
        deadline_s: float,
        stopped: Callable[[], bool],
    ) -> bool:
        """Send a part of the log unless `result` has, and wait for it; False when `stopped`."""
        part = event.header
        self._check(part.station)
        if not isinstance(part, Inspection):
            return True
        due = time.monotonic() + deadline_s - age_s(part)
        while not stopped():
            connection = self._offer(part, in_time=time.monotonic() < due)
            if connection is None:
                time.sleep(POLL_S / 5)
            elif self._node.has_passed(connection, stopped):
                with self._node.lock:
                    self._sent.pop(_key(part), None)
                return True
        return False

    def _offer(self, part: Inspection, *, in_time: bool) -> int | None:
        """The connection in which the part was sent; None if it cannot be sent, or not yet."""
        with self._node.lock:
            if not self._is_born():
                return None
            if self._was_sent(_key(part)):
                return self._node.connection
            if in_time and part.verdict != "NO_VERDICT":
                return None  # `result` may still send it
            newest = in_time and part.inspection_id > self._newest
            self._send_result(part, historical=not newest)
            return self._node.connection

    def _send_result(self, part: Inspection, *, historical: bool) -> None:
        values = result_values(part, self._numbers)
        samples = [*samples_of(values, captured_ms(part), historical=historical)]
        shown = not historical and part.verdict != "NO_VERDICT"
        if shown:  # `result` is called without a trouble: no host shows a verdict beside one
            samples += samples_of(NO_TROUBLE, now_ms())
            self._published |= NO_TROUBLE
        self._node.send("DDATA", samples)
        if not historical:
            self._result_shown = shown
        self._sent[_key(part)] = self._node.connection
        if len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def _was_sent(self, key: Key) -> bool:
        """In this connection: the end of another may have swallowed it."""
        return self._sent.get(key) == self._node.connection

    def _check(self, station: str) -> None:
        if station != "simulated":
            check_station(station, self._station)

    def _is_born(self) -> bool:
        return bool(self._node.birth) and self._born_of == self._node.birth

    def watch(self, feed: Feed, changes: ProductChanges, stopped: Callable[[], bool]) -> None:
        """Births, deaths and states, until `stopped`. Raises BridgeError for a taken name."""
        if changes.numbers:
            self._commands = SparkplugCommands(changes)
            self._node.on_command = self._commands.take
        while not stopped():
            self._node.raise_if_taken()
            if self._node.host_gone:
                self._node.leave()
            with self._node.lock:
                self._node.keep_alive()
                if self._node.ours:
                    self._show(feed.signals())
            self._node.wake.wait(POLL_S)
            self._node.wake.clear()

    def _show(self, signals: Signals) -> None:
        if not signals.online:
            if self._is_born():
                self._node.send("DDEATH")
            self._born_of = 0
            return
        outcome = self._commands.outcome() if self._commands else None
        state = state_values(signals, self._numbers, outcome, int(time.monotonic() - self._begun))
        if not self._is_born():
            self._born_of = self._node.birth
            values: dict[str, Value] = state | NO_RESULT
            self._node.send("DBIRTH", samples_of(values, now_ms()), birth=True)
            self._result_shown = False
        else:
            self._change(state, withdraw=signals.trouble is not Trouble.NONE and self._result_shown)
        self._published = state

    def _change(self, state: dict[str, Value], *, withdraw: bool) -> None:
        """Send what has changed; after a command also what has not."""
        answered = self._commands is not None and self._commands.has_news()
        changed = {
            name: value
            for name, value in state.items()
            if self._published.get(name) != value or (answered and name.startswith("Product/"))
        }
        if withdraw:
            changed |= NO_RESULT
            self._result_shown = False
        if changed:
            self._node.send("DDATA", samples_of(changed, now_ms()))

    def close(self) -> None:
        self._node.close()


def _key(part: Inspection) -> Key:
    return part.stream_id, part.seq
