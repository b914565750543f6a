"""False rejects and escapes on real test images after a calibration for 1 %: `./just rates`.

Uses the products of `./just targets`, or of another folder. Each is built, calibrated for 1 % on
the good images that its training set aside, and judges the test images.
"""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from scipy import stats

from edge.product.product import load_product
from tests.measure.targets import DATA, RUNS, WORK

RATE = 0.01


def draem(*words: str) -> str:
    """Run one command and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "draem", *words], check=True, capture_output=True, text=True
    )
    return done.stdout


def judged(folder: Path, products: Path, name: str) -> dict[str, Counter[str]]:
    """Count the verdicts for each kind of test image."""
    rows = draem(
        "inspect", str(folder), "--product", name, "--products", str(products),
        "--version", "newest", "--json",
    ).splitlines()  # fmt: skip
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in map(json.loads, rows):
        verdicts[Path(row["path"]).parent.name][row["verdict"]] += 1
    return verdicts


def upper(count: int, of: int) -> float:
    """The exact upper bound of a rate, in per cent, with 95 % confidence."""
    test = stats.binomtest(count, of, alternative="less")
    return 100 * float(test.proportion_ci(0.95, method="exact").high)


def main(products: Path) -> int:
    runs = [run for run in RUNS if (products / run.product).is_dir()]
    if not runs or not DATA.is_dir():
        where = f"no products in {products} or no images in {DATA}"
        print(f"{where}: run './just targets' first, with DATA set to the folder of the data sets")
        return 2
    for run in runs:
        name, data = run.product, DATA / run.data
        common = ("--product", name, "--products", str(products))
        draem("build", *common, "--version", "1")
        draem("calibrate", *common, "--version", "1", "--false-reject-rate", str(RATE))
        calibration = load_product(products, name, "newest").calibration
        assert calibration is not None
        assert calibration.rate_bound is not None
        assert calibration.expected_rate is not None
        verdicts = judged(data / "test", products, name)
        print(
            f"\n{name}: threshold {calibration.threshold:.4f} from {len(calibration.scores)} "
            f"parts; expected {100 * calibration.expected_rate:.1f} %, "
            f"at most {100 * calibration.rate_bound:.1f} %"
        )
        good = verdicts.pop("good")
        total = good.total()
        rejected = total - good["OK"]
        print(
            f"  good           {rejected} of {total} not OK {dict(good)}, "
            f"at most {upper(rejected, total):.1f} %"
        )
        for kind, counts in sorted(verdicts.items()):
            print(f"  {kind:<14} {counts['OK']} of {counts.total()} escape {dict(counts)}")
        bad = sum(verdicts.values(), Counter[str]())
        print(f"  all defects    {bad['OK']} of {bad.total()} escape")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else WORK / "products"))
