"""GPIO lines: the pads of a chip, and what a model of the way to the gate says of them."""

from dataclasses import dataclass
from unittest.mock import patch

from edge.bridge.feed import Feed
from edge.bridge.pass_queue import PassQueue, Way
from edge.bridge.protocols import gpio, gpio_lines, gpio_positions
from edge.bridge.signals import Inputs
from edge.events.event import Inspection
from tests.support.bridge.gate_model import DEADLINE_S, Clock
from tests.support.bridge.gpio_chip import Chip, replaced
from tests.support.bridge.wires.wire import View, Wire

REJECT, OK, READY = 17, 22, 27
PULSE_S = 0.2
"""A part reaches the gate when its deadline ends: a result that is in time is never late there."""
UNSURE_S = 1e-6


@dataclass
class Part:
    """When it is at the gate (seconds), and whether it may pass."""

    begins: float
    ok: bool


class Gpio(Wire):
    drives = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.patches.enter_context(patch.object(gpio, "time", clock))
        self.chip = Chip()
        self.patches.enter_context(replaced(self.chip))
        self._pins: gpio_lines.Pins | None = None

    def start(self, feed: Feed) -> list[Inputs]:
        super().start(feed)
        self.chip.owned.clear()  # the kernel does so when a process is killed
        names: dict[gpio_lines.Name, int] = {"reject": REJECT, "ok": OK, "ready": READY}
        outputs = {name: gpio_lines.parse_line(str(line)) for name, line in names.items()}
        self._pins = gpio_lines.Pins(gpio_lines.Wiring("/dev/gpiochip0", outputs, {}))
        way = Way(1000 * DEADLINE_S, 1000 * PULSE_S, 1e-6, float("inf"))
        positions = gpio_positions.ByTime()
        self._outputs = gpio.Outputs(self._pins, PassQueue(way), positions, settle_s=0.02)
        self._outputs.check_start()
        return []

    def in_time(self, inspection: Inspection) -> None:
        self._outputs.in_time(inspection)

    def left_out(self, inspection: Inspection) -> None:
        self._outputs.left_out(inspection)

    def look(self) -> View:
        before = len(self.chip.calls)
        self._outputs.cycle(self.feed)
        _ready_drops_first(self.chip.calls[before:])
        return {"ready": self.chip.high(READY), "passes": self._passes()}

    def _passes(self) -> bool:
        rejects, ok = not self.chip.high(REJECT), self.chip.high(OK)
        assert rejects is not ok
        return ok

    def end(self) -> None:
        assert self._pins is not None
        self._pins.close()

    def reads_ok(self) -> bool:
        return self._passes() or self.chip.high(READY)


def _ready_drops_first(calls: list[dict[int, bool]]) -> None:
    falls = [i for i, call in enumerate(calls) if call.get(READY) is False]
    rises = [i for i, call in enumerate(calls) if call.get(READY) is True]
    assert falls in ([], [0])
    assert rises in ([], [len(calls) - 1])


def passes(parts: list[Part], now: float) -> bool | None:
    """Whether a part may pass now; None where `now` is too near to a change to say."""
    edges = [edge - now for part in parts for edge in (part.begins, part.begins + PULSE_S)]
    if any(abs(edge) < UNSURE_S for edge in edges):
        return None
    here = [part for part in parts if part.begins < now < part.begins + PULSE_S]
    return bool(here) and all(part.ok for part in here)
