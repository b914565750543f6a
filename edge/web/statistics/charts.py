"""Options of the charts. Colours have a meaning beside a word, a shape or a place, never alone."""

from collections.abc import Sequence
from math import log2
from typing import Any

from edge.archive.control_chart import Point
from edge.archive.rows import BINS_PER_OCTAVE
from edge.archive.score_drift import ScoreLevel
from edge.archive.statistics import Counts
from edge.web.texts import Texts

ACCENT, GOOD, BAD, GRAY = "#3d85c6", "#3c9a5a", "#d64550", "#8a949d"
Options = dict[str, Any]
LABELS = {"hideOverlap": True, "width": 84, "overflow": "break"}
# in the browser: decimal points and separators of the page's language
SHOWN = "v => v == null ? '-' : v.toLocaleString(document.documentElement.lang)"


def control_chart(
    names: Sequence[str], points: Sequence[Point], mean: float, texts: Texts
) -> Options:
    """The NG rate of each period, its mean and its control limits; broken rules are triangles."""
    say = texts.say
    rates = [_percent(p.rejects / p.parts) if p.parts else None for p in points]
    marked = [
        {"value": rate, "symbol": "triangle" if p.broken else "circle",
         "symbolSize": 14 if p.broken else 7,
         "itemStyle": {"color": BAD if p.broken else ACCENT}}
        for rate, p in zip(rates, points, strict=True)
    ]  # fmt: skip
    limits = [(say("Upper limit"), [_percent(p.upper) for p in points])]
    limits += [(say("Lower limit"), [_percent(p.lower) for p in points])]
    rate: Options = {
        "name": say("NG rate"),
        "type": "line",
        "data": marked,
        "lineStyle": {"color": ACCENT},
        "itemStyle": {"color": ACCENT},
    }
    middle = {
        "name": say("Mean"), "type": "line", "data": [_percent(mean)] * len(points),
        "symbol": "none", "lineStyle": {"color": GRAY, "width": 1}, "itemStyle": {"color": GRAY},
    }  # fmt: skip
    lines = [
        {"name": name, "type": "line", "step": "middle", "data": data, "symbol": "none",
         "lineStyle": {"color": BAD, "type": "dashed", "width": 1}, "itemStyle": {"color": BAD}}
        for name, data in limits
    ]  # fmt: skip
    return _axes(names, say("NG rate in %"), [_still(one) for one in (rate, middle, *lines)])


def rates(names: Sequence[str], groups: Sequence[Counts], texts: Texts) -> Options:
    """The NG rate of each group."""
    values = [None if one.ng_rate is None else _percent(one.ng_rate) for one in groups]
    return _axes(names, texts.say("NG rate in %"), [_bars(texts.say("NG rate"), values, ACCENT)])


def pareto(found: Sequence[tuple[str, int]], texts: Texts) -> Options:
    """Bars by number, and a line of the part of all that they make up together."""
    counts = [count for _, count in found]
    total = sum(counts)
    summed = [_percent(sum(counts[: i + 1]) / total) for i in range(len(counts))]
    line = {
        "name": texts.say("Together in %"), "type": "line", "yAxisIndex": 1, "data": summed,
        "lineStyle": {"color": GRAY}, "itemStyle": {"color": GRAY},
    }  # fmt: skip
    series = [_bars(texts.say("Number"), counts, ACCENT), _still(line)]
    made = _axes([name for name, _ in found], texts.say("Number"), series)
    made["yAxis"] = [made["yAxis"], {"type": "value", "min": 0, "max": 100, "name": "%"}]
    made["yAxis"][1]["splitLine"] = {"show": False}
    return made


def scores(found: Sequence[tuple[float, int]], texts: Texts) -> Options:
    """Parts by score / threshold, below it and from it on in two colours and two series."""
    counts = {round(BINS_PER_OCTAVE * log2(part)): count for part, count in found}
    numbers = range(min([*counts, -1]), max([*counts, 0]) + 1)
    names = [texts.number(2 ** (n / BINS_PER_OCTAVE), 2) for n in numbers]
    below = [counts.get(n, 0) if n < 0 else 0 for n in numbers]
    above = [counts.get(n, 0) if n >= 0 else 0 for n in numbers]
    series = [
        _bars(texts.say("Below the threshold"), below, GOOD) | {"stack": "all"},
        _bars(texts.say("At the threshold or above"), above, BAD) | {"stack": "all"},
    ]
    made = _axes(names, texts.say("Parts"), series)
    made["xAxis"] |= {"name": texts.say("Score / threshold"), "nameLocation": "middle"}
    made["xAxis"]["nameGap"] = 32
    return made


def levels(names: Sequence[str], found: Sequence[ScoreLevel], texts: Texts) -> Options:
    """The median of score / threshold over time between its quartiles; 1 is the threshold."""
    say = texts.say
    lines = [
        (say("Median"), [one.median for one in found], ACCENT, "solid", 2),
        (say("A quarter is below"), [one.lower for one in found], GRAY, "dashed", 1),
        (say("A quarter is above"), [one.upper for one in found], GRAY, "dotted", 1),
        (say("Threshold"), [1.0] * len(found), BAD, "solid", 1),
    ]
    series = [
        _still(
            {"name": name, "type": "line", "data": [round(v, 4) for v in values],
             "symbol": "circle" if width > 1 else "none", "itemStyle": {"color": colour},
             "lineStyle": {"color": colour, "type": kind, "width": width}}
        )
        for name, values, colour, kind, width in lines
    ]  # fmt: skip
    return _axes(names, say("Score / threshold"), series)


def _bars(name: str, data: Sequence[float | None], colour: str) -> Options:
    bars = {"name": name, "type": "bar", "data": list(data), "itemStyle": {"color": colour}}
    return _still(bars | {"barMaxWidth": 48})


def _still(series: Options) -> Options:
    return series | {"emphasis": {"disabled": True}}


def _axes(names: Sequence[str], unit: str, series: Sequence[Options]) -> Options:
    return {
        "animation": False,
        "aria": {"enabled": False},
        "grid": {"left": 8, "right": 40, "top": 64, "bottom": 24, "containLabel": True},
        "legend": {"type": "scroll", "top": 0, "left": 0},
        "tooltip": {
            "trigger": "axis",
            "renderMode": "richText",  # names of parts and products are never HTML
            "confine": True,
            ":valueFormatter": SHOWN,
        },
        "xAxis": {"type": "category", "data": list(names), "axisLabel": LABELS},
        "yAxis": {
            "type": "value",
            "name": unit,
            "axisLabel": {":formatter": SHOWN},
            "nameTextStyle": {"align": "left"},
            "min": 0,
            "splitLine": {"lineStyle": {"color": "rgba(128, 128, 128, 0.3)"}},
        },
        "series": list(series),
    }


def _percent(rate: float) -> float:
    return round(100 * rate, 3)
