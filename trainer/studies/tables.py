"""docs/results.json as tables, and accuracy against milliseconds as docs/widths.svg."""

import sys
from pathlib import Path

from matplotlib.axes import Axes

from edge.base.files import write_atomic
from edge.base.html_page import svg
from trainer.studies.plans import SETS, WIDTHS
from trainer.studies.results_file import ROOT, results

Row = dict[str, object]
PLOT = ROOT / "docs/widths.svg"
SHOWN = ("image AUROC", "pixel AP", "pixel AP, authors' mask rule", "pixel AUROC", "AUPRO")


def main() -> int:
    rows = results()
    print(table(rows, "targets"))
    print()
    print(table(rows, "widths"))
    if all(value(rows, study="widths", data=d, widths=w) for d in SETS for w in WIDTHS):
        plot(rows, PLOT)
        print(f"\n{PLOT.relative_to(ROOT)} is drawn")
    return 0


def value(rows: list[Row], **wanted: object) -> float | None:
    """The first figure (image AUROC unless told otherwise) with these fields."""
    wanted = {"figure": "image AUROC"} | wanted
    for row in rows:
        if all(row.get(name) == it for name, it in wanted.items()):
            return float(str(row["value"]))
    return None


def table(rows: list[Row], study: str) -> str:
    """One line a run, in Markdown."""
    lines = ["| data | widths | seed | steps | " + " | ".join(SHOWN) + " |"]
    lines.append("|---" * (4 + len(SHOWN)) + "|")
    for product in dict.fromkeys(row["product"] for row in rows if row["study"] == study):
        of = [row for row in rows if row["product"] == product]
        first = of[0]
        figures = [value(of, figure=name) for name in SHOWN]
        shown = " | ".join("-" if it is None else f"{it:.4f}" for it in figures)
        head = f"| {first['data']} | {first['widths']} | {first['seed']} | {first['steps']} | "
        lines.append(f"{head}{shown} |")
    return "\n".join(lines)


def plot(rows: list[Row], path: Path) -> None:
    """Image AUROC against the engine's milliseconds, a line for each data set."""

    def draw(axes: Axes) -> None:
        for data in SETS:
            points = [
                (value(rows, study="times", widths=w, figure=TIME),
                 value(rows, study="widths", data=data, widths=w))
                for w in WIDTHS
            ]  # fmt: skip
            axes.plot(*zip(*points, strict=True), marker="o", label=data)
        for width in WIDTHS:
            x = value(rows, study="times", widths=width, figure=TIME)
            y = value(rows, study="widths", data=SETS[0], widths=width)
            axes.annotate(width, (x or 0, y or 0), textcoords="offset points", xytext=(0, 7))
        axes.set_xscale("log")
        axes.set(xlabel="milliseconds an image at 128x128 (engine, 2 cores)", ylabel="image AUROC")
        axes.legend()

    write_atomic(path, svg(draw, (6.4, 4)).encode())


TIME = "engine, milliseconds, median of 100"


if __name__ == "__main__":
    sys.exit(main())
