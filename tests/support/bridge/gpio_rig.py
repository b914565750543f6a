"""A machine without a PLC: a line that says what the test says, a bridge, a chip, a clock."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from edge.base.closeable import Closeable
from edge.bridge import feed as feed_module
from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.pass_queue import PassQueue, Way
from edge.bridge.protocols import gpio, gpio_lines, gpio_positions
from edge.bridge.protocols.gpio_lines import Pins, Wiring, parse_line
from edge.bridge.protocols.gpio_positions import ByTime, Positions
from edge.bridge.signals import Missed
from edge.events.clock import boot_id
from edge.events.event import Verdict
from tests.support.bridge.events import inspection
from tests.support.bridge.gate_model import Clock, Script, Threads
from tests.support.bridge.gpio_chip import Chip, replaced

REJECT, OK, READY, HEARTBEAT, FEEDBACK, ENCODER = 17, 22, 27, 5, 23, 24
OUTPUTS = {"reject": REJECT, "ok": OK, "ready": READY, "heartbeat": HEARTBEAT}
WAY = Way(delay=300, pulse=40, shortest=1, longest_s=float("inf"))
SETTLE_S = 0.02


def wiring(encoder: int | None = None, feedback: str = "") -> Wiring:
    """All outputs, at their usual lines."""
    outputs: Any = {name: parse_line(str(line)) for name, line in OUTPUTS.items()}
    inputs: Any = {"reject": parse_line(feedback)} if feedback else {}
    line = None if encoder is None else parse_line(str(encoder))
    return Wiring("/dev/gpiochip0", outputs, inputs, line)


class Rig(Closeable):
    """Its line is alive; a cycle of the bridge runs when the test says so."""

    def __init__(
        self,
        way: Way = WAY,
        positions: Callable[[Pins], Positions] = lambda pins: ByTime(),
        lines: Wiring | None = None,
    ) -> None:
        self.clock, self.chip, threads = Clock(), Chip(), Threads()
        self.script = Script(threads)
        self.missed: list[Missed] = []
        with ExitStack() as stack:
            for patched in (
                *(patch.object(feed_module, name, self.clock) for name in ("time", "datetime")),
                patch.object(feed_module, "threading", threads),
                *(patch.object(module, "time", self.clock) for module in (gpio, gpio_positions)),
                replaced(self.chip),
            ):
                stack.enter_context(patched)
            self.chip.clock = self.clock.monotonic_ns
            if lines is not None and lines.feedback:
                self.chip.wires[FEEDBACK] = REJECT
            self.pins = stack.enter_context(gpio_lines.Pins(lines or wiring()))
            self.outputs = gpio.Outputs(self.pins, PassQueue(way), positions(self.pins), SETTLE_S)
            self.feed = stack.enter_context(
                Feed(Gate(Rules(plc_silent_s=0)), self.script.source, self.outputs.in_time,
                     self.missed.append, left_out=self.outputs.left_out)
            )  # fmt: skip
            self.beat()
            self.outputs.check_start()
            self._stack = stack.pop_all()

    def beat(self, state: str = "running") -> None:
        """A heartbeat of the line."""
        self.script.beat(state, "lid", 0)

    def part(
        self, number: int, verdict: Verdict = "OK", age_s: float = 0.1, encoder: int | None = None
    ) -> None:
        """A verdict, so long after its trigger."""
        captured_ns = round((self.clock.s - age_s) * 1e9)
        self.script.deliver(
            inspection(number, verdict, captured_ns=captured_ns, encoder=encoder, boot_id=boot_id())
        )
        self.outputs.cycle(self.feed)

    def after(self, seconds: float) -> bool:
        """Whether the gate is open then; the line stays alive, and the bridge looks twice."""
        for _ in range(2):
            self.clock.s += seconds / 2
            if seconds:
                self.beat()
            self.outputs.cycle(self.feed)
        return self.passes()

    def passes(self) -> bool:
        """Whether the gate is open; its two lines never agree, unless one is stuck."""
        assert self.chip.shorts or self.chip.high(OK) is self.chip.high(REJECT)
        return self.chip.high(OK)

    @property
    def ready(self) -> bool:
        return self.chip.high(READY)

    def close(self) -> None:
        self._stack.close()
