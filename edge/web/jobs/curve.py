"""The validations of a training as a curve, live."""

from typing import Any

from nicegui import ui

from edge.web.jobs.progress import Progress
from edge.web.texts import Texts

COLOURS = ("#1f77b4", "#d9730d")
GRID_LINES = {"lineStyle": {"color": "rgba(128, 128, 128, 0.3)"}}


class Curve:
    """Image AUROC and pixel AP over the steps; hidden before the first validation."""

    def __init__(self, texts: Texts) -> None:
        self._texts, self._count = texts, 0
        # Made with the first point: a chart that goes before it was seen fails in the browser.
        self._chart: ui.echart | None = None
        self._box = ui.element("div")
        self._expected = ui.label().classes("job-expected")
        self._expected.visible = False

    def draw(self, progress: Progress) -> None:
        """Show the points that there are now, and the training's last word."""
        self._expected.text = progress.expected
        self._expected.visible = bool(progress.expected)
        if len(progress.points) == self._count:
            return
        self._count = len(progress.points)
        if self._chart is None:
            with self._box:
                self._chart = ui.echart(_options(self._texts), renderer="svg")
                self._chart.classes("chart job-curve")
        for number in (0, 1):
            series = [[point[0], point[1 + number]] for point in progress.points]
            self._chart.options["series"][number]["data"] = series
        self._chart.update()


def _options(texts: Texts) -> dict[str, Any]:
    names = (
        texts.say("image AUROC on simulated anomalies"),
        texts.say("pixel AP on simulated anomalies"),
    )
    shapes = ("circle", "rect")
    return {
        "animation": False,
        "color": COLOURS,
        "legend": {"top": 0, "data": list(names)},
        "grid": {"left": 44, "right": 16, "top": 52, "bottom": 36},
        "xAxis": {"type": "value", "name": texts.say("step"), "nameLocation": "middle",
                  "nameGap": 22, "min": 0, "splitLine": GRID_LINES},
        "yAxis": {"type": "value", "max": 1, "scale": True, "splitLine": GRID_LINES},
        "series": [
            {"name": name, "type": "line", "symbol": shape, "symbolSize": 8, "data": []}
            for name, shape in zip(names, shapes, strict=True)
        ],
    }  # fmt: skip
