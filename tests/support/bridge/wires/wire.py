"""What the state machine of the gate asks of a wire."""

from contextlib import ExitStack
from typing import Any

from edge.bridge.feed import Feed
from edge.bridge.gate import Mode
from edge.bridge.signals import Inputs
from edge.events.event import Inspection
from tests.support.bridge.gate_model import Clock

PRODUCTS = {"lid": 1, "cap": 2}
NAMES = {0: "", **{number: name for name, number in PRODUCTS.items()}}
View = dict[str, Any]
"""What a PLC reads, in the words of `expected_view`; a wire has those that it carries."""


class Wire:
    """One bridge after another; what belongs to the PLC stays. It carries nothing by itself."""

    modes: tuple[Mode, ...] = ("free-running",)
    handshakes = holds = halts = sends = drives = loses_connection = False
    """Whether its PLC acknowledges and has a heartbeat, holds back, halts; whether each verdict is
    a message; whether it drives a gate; whether the bridge has a connection that it can lose."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.messages: list[tuple[int, str]] = []
        """Id and verdict of each message of the present bridge."""
        self.patches = ExitStack()

    def start(self, feed: Feed) -> list[Inputs]:
        """A bridge begins; what it finds of its PLC's."""
        self.feed = feed
        self.messages = []
        return []

    def in_time(self, inspection: Inspection) -> None:
        """Called by the feed."""

    def left_out(self, inspection: Inspection) -> None:
        """Called by the feed."""

    def look(self) -> View | None:
        """One cycle of the bridge, then what the PLC reads; None where no bridge is there."""
        raise NotImplementedError

    def write(self, inputs: Inputs) -> list[Inputs]:
        """The PLC writes this, as far as the wire can; what the gate must make of it, in turn."""
        return []

    def lose_connection(self) -> None:
        """Until `find_connection`."""

    def find_connection(self) -> None:
        """The bridge connects again."""

    def lose_memory(self) -> None:
        """The PLC was without power."""

    def end(self) -> None:
        """The bridge ends as on SIGTERM; afterwards the PLC must have no OK."""

    def reads_ok(self) -> bool:
        """Whether a PLC that looks now, with no bridge there, finds a valid OK."""
        return False

    def close(self) -> None:
        self.patches.close()
