"""Counters and NG rate of the current shift."""

from collections import Counter

from nicegui import ui

from edge.web.live.live_station import LiveStation
from edge.web.live.station_feed import Key
from edge.web.shifts import shift_name
from edge.web.texts import Texts


class ShiftCounts:
    """What was inspected in this shift: from the archive, and the events since its last one."""

    def __init__(self, station: LiveStation, texts: Texts) -> None:
        now = station.archive.now
        self.shift, self.begin = now.shift, now.begin
        self.numbers: Counter[str] | None = None
        self.note = ""
        if now.error:
            self.note = now.error
        elif not now.at:
            self.note = texts.say("asking the archive")
        elif now.head is None:
            self.note = texts.say("The archive has nothing of this station.")
        else:
            self._count(station, texts, now.head)

    def _count(self, station: LiveStation, texts: Texts, head: int) -> None:
        now = station.archive.now
        since = station.feed.counted_since(Key(now.stream_id, head), now.begin)
        self.numbers = Counter(OK=0)
        if (counts := now.counts) is not None:
            self.numbers.update(OK=counts.ok, NG=counts.ng, NO_VERDICT=counts.no_verdict)
        if since is not None:
            self.numbers += since
            return
        behind = max(0, station.feed.head.seq - head)
        self.note = texts.say_count(
            "without the last event, which the archive does not have yet",
            "without the last {count} events, which the archive does not have yet",
            behind,
        ) if now.stream_id == station.feed.head.stream_id else texts.say(
            "without the events of the station's new log")  # fmt: skip

    def number(self, verdict: str, texts: Texts) -> str:
        """A number, or a dash where it is not known."""
        return "-" if self.numbers is None else texts.number(self.numbers[verdict])

    def rate(self, texts: Texts) -> str:
        """NG among the parts with a verdict."""
        numbers = self.numbers
        judged = numbers["OK"] + numbers["NG"] if numbers is not None else 0
        return texts.percent(numbers["NG"] / judged if numbers is not None and judged else None)


class ShiftCard:
    """The numbers as a card; made once, updated in place."""

    def __init__(self, station: LiveStation, texts: Texts) -> None:
        self._station, self._texts = station, texts
        say = texts.say
        with ui.element("section").classes("card live-shift"):
            with ui.element("h2"):
                self._title = ui.label(say("Shift"))
            with ui.element("dl").classes("live-numbers number"):
                self._rate = _number(say("NG rate"))
                self._ng = _number(say("NG"))
                self._ok = _number(say("OK"))
                self._none = _number(say("no verdict"))
            self._note = ui.label().classes("state-warning")

    def draw(self) -> None:
        """Show the numbers of now."""
        texts, now = self._texts, ShiftCounts(self._station, self._texts)
        if now.shift:
            begin = texts.moment(now.begin, seconds=False)
            self._title.text = texts.say(
                "Shift {name}, since {time}", name=shift_name(now.shift, texts), time=begin
            )
        self._rate.text = now.rate(texts)
        self._ng.text = now.number("NG", texts)
        self._ok.text = now.number("OK", texts)
        self._none.text = now.number("NO_VERDICT", texts)
        self._note.text, self._note.visible = now.note, bool(now.note)


def _number(name: str) -> ui.label:
    with ui.element("div"):
        with ui.element("dt").classes("muted"):
            ui.label(name)
        with ui.element("dd"):
            return ui.label("-")
