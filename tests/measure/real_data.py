"""The real data sets, and two arrangements of them as links: few pictures, another split."""

import json
import os
import random
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("DATA", ROOT.parent / "shared/data")).resolve()
ANOTHER_SIZE = {"ksdd_tiles": "ksdd", "ksdd_256": "ksdd"}
"""Rows of a data set that differ in the size of the input alone."""


def prepared(name: str, links: Path) -> Path:
    """The folder of a data set; `<set>_20` has 20 of its good pictures, `mtd_random` a random split
    of all good tiles, as others publish. Both are made of links in `links`.
    """
    folder = links / name
    if (DATA / name).is_dir():
        return DATA / name
    if name in ANOTHER_SIZE:
        return DATA / ANOTHER_SIZE[name]
    if name == "mtd_random":
        split = json.loads((DATA / "mtd/random_split.json").read_text(encoding="utf-8"))
        good = {
            "train/good": [DATA / "mtd" / path for path in split["train_good"]],
            "test/good": [DATA / "mtd" / path for path in split["test_good"]],
        }
        source = DATA / "mtd"
    else:
        base, count = name.rsplit("_", 1)
        source = DATA / base
        pictures = sorted((source / "train/good").iterdir())
        chosen = random.Random(0).sample(pictures, int(count))
        good = {"train/good": chosen, "test/good": sorted((source / "test/good").iterdir())}
    for part, paths in good.items():
        link(paths, folder / part)
    for kind in sorted(path for path in (source / "test").iterdir() if path.name != "good"):
        link(sorted(kind.iterdir()), folder / "test" / kind.name)
    for kind in sorted((source / "ground_truth").iterdir()):
        link(sorted(kind.iterdir()), folder / "ground_truth" / kind.name)
    return folder


def link(paths: list[Path], folder: Path) -> None:
    """A link to each file."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        target = folder / path.name
        if not target.is_symlink():
            target.symlink_to(path)
