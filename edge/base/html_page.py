"""HTML reports in one file: a Jinja template that extends page.html, SVG plots, embedded images.

It imports matplotlib, so the inspecting process must not import it.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import jinja2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge.base.files import write_atomic
from edge.base.text import printable

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "draem",  # the same numbers give the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}


def write_page(path: Path, template: Path, **values: object) -> None:
    """Render a template to one file; values are escaped, and a missing one is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    text = environment.get_template(template.name).render(**values)
    write_atomic(path, printable(text).encode())


def svg(draw: Callable[[Axes], None], size: tuple[float, float] = (4.2, 3.2)) -> str:
    """What `draw` draws on new axes, as an <svg> element; `size` is (width, height) in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(size, layout="constrained")
        draw(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def histogram(scores: Mapping[str, Sequence[float]], threshold: float | None) -> str:
    """A stacked histogram of the scores of each kind, with the threshold."""

    def draw(axes: Axes) -> None:
        kinds = list(scores)
        top = max(max(values) for values in scores.values())
        edges = [*np.linspace(0, top * 1.0001, 41)]
        axes.hist([list(scores[k]) for k in kinds], bins=edges, stacked=True, label=kinds)
        if threshold is not None:
            axes.axvline(threshold, color="black", linestyle="--", label="threshold")
        axes.set(xlabel="score", ylabel="images")
        axes.legend(fontsize=8)

    return svg(draw, (6.4, 3.2))


def data_uri(image: NDArray[np.uint8]) -> str:
    """The image (HWC BGR) as JPEG in the source of an <img>."""
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
