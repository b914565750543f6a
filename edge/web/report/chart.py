"""The chart of a report: parts and NG rate of each hour."""

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from edge.archive.statistics import Counts
from edge.base.html_page import STYLE
from edge.web.report.shift_report import parts_of
from edge.web.texts import Texts

DPI, LEAST_HOURS = 160, 8


def hours_png(hours: Sequence[Counts], texts: Texts) -> bytes:
    """Bars for the parts, a line for the NG rate."""
    names = [one.group[11:16] for one in hours]
    places = range(len(hours))
    with mpl.rc_context(STYLE):
        figure = Figure((7.2, 2.1), layout="constrained")
        axes = figure.subplots()
        axes.bar(places, [parts_of(one) for one in hours], color="#b9cbe0", width=0.7)
        axes.set_ylabel(texts.say("Parts"))
        axes.set_xticks(places, names)
        axes.set_xlim(-0.6, max(len(hours), LEAST_HOURS) - 0.4)
        rates = axes.twinx()
        percent = [float("nan") if one.ng_rate is None else 100 * one.ng_rate for one in hours]
        rates.plot(places, percent, "o-", color="#b00020", linewidth=1.5, markersize=4)
        rates.set_ylim(bottom=0)
        rates.set_ylabel(texts.say("NG rate in %"))
        rates.spines["right"].set_visible(True)
        rates.grid(False)
        made = io.BytesIO()
        figure.savefig(made, format="png", dpi=DPI)
    return made.getvalue()
