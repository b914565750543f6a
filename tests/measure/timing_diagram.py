"""A timing diagram: levels of signals and spans with a text, recorded and drawn."""

from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SIGNALS = ("Trigger", "PLC heartbeat", "Results Valid", "Results Ack", "Busy", "Fault")
PULSE_S = 0.006  # a trigger is drawn so wide
COLOURS = {"OK": "#2e7d32", "NG": "#c62828"}


@dataclass
class Recording:
    """What was read, second by second: levels of each signal, and spans with a text."""

    levels: dict[str, list[tuple[float, int]]] = field(
        default_factory=lambda: {name: [(0.0, 0)] for name in SIGNALS}
    )
    results: list[tuple[float, str]] = field(default_factory=list)
    troubles: list[tuple[float, str]] = field(default_factory=list)
    notes: list[tuple[float, str]] = field(default_factory=list)
    seconds: float = 0.0

    def see(self, at: float, name: str, level: int) -> None:
        if self.levels[name][-1][1] != level:
            self.levels[name].append((at, level))

    def say(self, spans: list[tuple[float, str]], at: float, text: str) -> None:
        if not spans or spans[-1][1] != text:
            spans.append((at, text))


def draw(recording: Recording, title: str, path: Path) -> None:
    """One row for each signal, over milliseconds."""
    rows = [name for name in SIGNALS if len(recording.levels[name]) > 1]
    height = 0.42 * (len(rows) + 3) + 0.6
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    for row, name in enumerate(rows):
        draw_level(axes, recording.levels[name], recording.seconds, -row)
    draw_spans(axes, recording.results, recording.seconds, -len(rows))
    draw_spans(axes, recording.troubles, recording.seconds, -len(rows) - 1)
    for at, text in recording.notes:
        axes.axvline(1000 * at, color="#888", linewidth=0.8, linestyle=":")
        axes.annotate(text, (1000 * at, 0.85), fontsize=8, color="#444")
    names = [*rows, "Result", "Trouble"]
    axes.set_yticks([0.3 - row for row in range(len(names))], names)
    axes.set_xlabel("ms")
    axes.set_xlim(0, 1000 * recording.seconds)
    axes.set_ylim(-len(rows) - 1.2, 1.2)
    axes.set_title(title, loc="left")
    axes.tick_params(left=False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#ddd", linewidth=0.5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "draem"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def draw_level(axes: Axes, level: list[tuple[float, int]], seconds: float, base: float) -> None:
    times = [1000 * at for at, _ in level] + [1000 * seconds]
    values = [base + 0.6 * value for _, value in level]
    axes.step(times, [*values, values[-1]], where="post", color="#1f3b57", linewidth=1.3)


def draw_spans(axes: Axes, spans: list[tuple[float, str]], seconds: float, base: float) -> None:
    ends = [at for at, _ in spans[1:]] + [seconds]
    for (start, text), end in zip(spans, ends, strict=True):
        if not text:
            continue
        colour = COLOURS.get(text.split()[-1], "#b26a00")
        left, width = 1000 * start, 1000 * (end - start)
        axes.barh(base + 0.3, width, 0.6, left, color=colour, edgecolor="white")
        if width < 40 * seconds:
            continue  # no room for words
        axes.text(
            left + width / 2, base + 0.3, text, ha="center", va="center", color="white",
            fontsize=8, clip_on=True,
        )  # fmt: skip
