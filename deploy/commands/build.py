"""Compile the product's model into the engine of this device, and prove it.

The engine has to give the trained network's scores and maps on the product's golden frames, must
not give those of an untrained one, and must not move the scores of the good frames that a
calibration kept. Only a proven engine is put in place.

An engine for a GPU can be compiled without one, where the flavour can: '--for SM86,SM120' names
the compute capabilities. 'draem run' refuses such an engine until 'draem build --prove' has proven
it on the device.

An engine in bfloat16 or int8 has to find simulated anomalies on held-out parts as well as the
trained network does, and serves instead of the one before it. '--precision auto' builds all that
this device has, and keeps the fastest that passes.
"""

import argparse
import logging
import re
import time

from rich.progress import Progress as Bar

from deploy.engine.build import AUTO, Report, build, build_ahead, prove_ahead
from edge.base.console import console
from edge.base.errors import SettingsError
from edge.base.progress_file import report_progress_to, tell_progress
from edge.commands.arguments import add_progress, add_settings, product_name, settings_of
from edge.engine.plan import ANY_DEVICE, NAMES, Record, build_command
from edge.product.product import Product, load_product

log = logging.getLogger(__name__)

ACCURACY = ("image_auroc", "image_auroc_float32", "pixel_ap", "pixel_ap_float32")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--version", default="newest", help="the product's version (default: its newest one)")
    add("--batch", type=parse_batches, metavar="N,N", help="sizes of batches that the engine takes "
        "at once, on a GPU (default: 1, always there)")  # fmt: skip
    add("--precision", choices=[*NAMES.values(), AUTO],
        help="what the engine computes in (default: float32 on a CPU, float16 on a GPU); int8 "
        "takes minutes, and the extra 'int8'")  # fmt: skip
    add("--for", dest="capabilities", type=parse_capabilities, metavar="SM86,SM120",
        help="compile for these compute capabilities; no GPU is needed, nothing is "
        "proven")  # fmt: skip
    add("--prove", action="store_true", help="prove here what was compiled elsewhere with --for")
    add_progress(parser)
    add_settings(parser, "product", "products", "flavour")


def main(options: argparse.Namespace) -> int:
    report_progress_to(options.progress)
    settings = settings_of(options)
    if options.prove and (options.capabilities or options.batch or options.precision):
        raise SettingsError(
            "--prove takes an engine as it is: leave --for, --batch and --precision out"
        )
    product = load_product(settings.products, product_name(settings), options.version)
    batches = options.batch or [1]
    short = {name: key for key, name in NAMES.items()}
    precision = short.get(options.precision, options.precision)
    if options.prove:
        tell(product, prove_ahead(product, settings.flavour), "proven for")
        return 0
    for capability in options.capabilities or [None]:
        start = time.monotonic()
        with Bar(console=console(), transient=True) as bar:
            report = drawn(bar)
            if capability is None:
                record = build(product, settings.flavour, batches, report, precision)
            else:
                record = build_ahead(
                    product, settings.flavour, capability, batches, report, precision
                )
        tell(product, record, f"built in {time.monotonic() - start:.1f} s for")
    return 0


def drawn(bar: Bar) -> Report:
    """A report that moves a bar."""
    task = bar.add_task("compiling", total=1.0)

    def report(share: float, phase: str) -> None:
        bar.update(task, completed=share, description=f"compiling: {phase.lower()}"[:60])
        tell_progress("compiling", share, 1.0)

    return report


def tell(product: Product, record: Record, what: str) -> None:
    """What was made and how well it was proven."""
    key = record.key
    place = f"any GPU of {key.capability}" if key.device == ANY_DEVICE else key.device
    log.info(
        "%s version %s: %s %s (%s %s, %s, batches %s)",
        *(product.name, product.version, what, place, key.flavour, key.version, key.precision),
        ",".join(map(str, record.batches)),
    )
    if not record.proven:
        command = build_command(product, key, prove=True)
        log.info("not proven yet: on the device, with engines/, run '%s'", command)
        return
    log.info(
        "proven: score within %.5f, map within %.5f (99.9 %%), at most %.5f",
        *(record.proof[name] for name in ("score_max", "map_p999", "map_max")),
    )
    if "pixel_ap" in record.proof:
        log.info(
            "on simulated anomalies: image AUROC %.4f (float32 %.4f), pixel AP %.4f (float32 %.4f)",
            *(record.proof[name] for name in ACCURACY),
        )
    if product.calibration is None:
        log.info("next: 'draem calibrate --product %s'", product.name)
    if "shift_median" in record.proof:
        log.info(
            "scores of the calibration's good frames have moved by %+.5f (median), at most %.5f",
            *(record.proof[name] for name in ("shift_median", "shift_max")),
        )


def parse_batches(text: str) -> list[int]:
    """Batch sizes from 1,4,8."""
    if not re.fullmatch(r"[1-9]\d{0,2}(,[1-9]\d{0,2})*", text):
        raise argparse.ArgumentTypeError("write sizes from 1 to 999, as 1,4,8")
    return [int(size) for size in text.split(",")]


def parse_capabilities(text: str) -> list[str]:
    """Compute capabilities (8.6) from SM86,SM120."""
    names = text.upper().split(",")
    if not all(re.fullmatch(r"SM\d{2,3}", name) for name in names):
        raise argparse.ArgumentTypeError("write compute capabilities as SM86,SM120")
    return [f"{name[2:-1]}.{name[-1]}" for name in names]
