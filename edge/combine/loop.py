"""The loop of `draem combine`: what the views send in, joined parts out."""

import time
from threading import Event as StopEvent

from edge.base.errors import PublishError
from edge.base.service import Watchdog, notify
from edge.combine.control import Controls
from edge.combine.joiner import Joiner
from edge.combine.progress import Progress
from edge.combine.receivers import Received, Receivers
from edge.combine.sight import Now, sight_of
from edge.combine.view_state import ViewState, standing
from edge.combine.writer import CombineWriter
from edge.events.cursor_file import Cursor
from edge.events.event import Event, Heartbeat, Inspection
from edge.events.logged_writer import Standing
from edge.events.notices import Notice

TURN_S = 0.05


class Combiner:
    """Joiner, writer and cursors, fed by `receivers`; belongs to one thread."""

    def __init__(
        self, joiner: Joiner, writer: CombineWriter, progress: Progress, controls: Controls
    ) -> None:
        self._joiner, self._writer = joiner, writer
        self._progress, self._controls = progress, controls
        now = time.monotonic()
        self._views = {name: ViewState(name, now) for name in joiner.rules.views}
        controls.standing = self._standing(now)  # no view was heard yet

    def run(self, receivers: Receivers, stop: StopEvent) -> None:
        """Join until `stop`. Raises what has ended a subscription."""
        watchdog = Watchdog()
        notify("READY=1\nSTATUS=joining " + ", ".join(self._views))
        try:
            while not stop.is_set():
                watchdog.feed()
                for received in receivers.take(self._wake_at()):
                    self.take(received)
                self.turn()
        finally:
            notify("STOPPING=1")
            now = self._controls.standing
            self._writer.status("stopped", now.product, now.version)

    def _wake_at(self) -> float:
        """When something is due at the latest, in seconds of the monotonic clock."""
        at = time.monotonic() + TURN_S
        due = self._joiner.next_deadline()
        return at if due is None else min(at, due)

    def take(self, received: Received) -> None:
        """What came from a view. Raises what has ended its subscription."""
        view, at, what = received
        if isinstance(what, BaseException):
            raise what
        if isinstance(what, Notice):
            self._views[view].notice(what, at)
            if what.heartbeat is not None:
                self._beat(view, what.heartbeat)
            return
        self._take_event(view, what)
        self._progress.received(view, Cursor(what.header.stream_id, what.header.seq))

    def _beat(self, view: str, beat: Heartbeat) -> None:
        self._progress.begins(view, Cursor(beat.stream_id, beat.head))
        for other in self._views.values():
            if other.name != view and other.beat and other.beat.stream_id == beat.stream_id:
                names = f"{other.name} and {view}"
                raise PublishError(
                    f"views {names} are one station ({beat.station}): correct --view"
                )

    def _take_event(self, view: str, event: Event) -> None:
        if isinstance(event.header, Inspection):
            now = Now.read()
            self._joiner.receive(sight_of(view, event.header, event.mask_png, now), now)

    def turn(self) -> None:
        """Write what is decided, then what follows from the state of the views."""
        controls, writer = self._controls, self._writer
        if released := list(self._joiner.release(Now.read())):
            for header in writer.parts(released):
                controls.verdicts[header.verdict] += 1
        while self._joiner.faults:
            writer.fault(*self._joiner.faults.popleft())
        if not writer.unlogged:  # else a kill now would lose those parts
            self._progress.save_when_due(self._joiner.undecided)
        now = time.monotonic()
        controls.standing = self._standing(now)
        writer.tick(controls.standing)
        controls.turned, controls.head, controls.unlogged = now, writer.head, writer.unlogged
        controls.views = dict(self._joiner.counts)

    def _standing(self, now: float) -> Standing:
        return standing(list(self._views.values()), self._joiner.rules.products, now)
