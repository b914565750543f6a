"""Join the verdicts of several stations that see one part: OK only if every view is OK.

  draem combine --view top=tcp://127.0.0.1:5570 --view side=tcp://127.0.0.1:5580 --deadline 500ms

It publishes events of its own, as a station does: give its --endpoint to 'draem bridge', 'draem
archive run' and 'draem watch'. The settings may also stand in combine.toml (docs/combine.md).
"""

import argparse
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge.base.errors import SettingsError
from edge.combine.open import run_combine
from edge.combine.settings import Combine, load_combine
from edge.commands.arguments import add_settings
from edge.commands.signals import stop_on_signal

log = logging.getLogger(__name__)

SETTINGS = (
    *("by", "deadline", "station", "endpoint", "replay", "control", "keys", "key", "server_key"),
    *("data", "durability", "keep_days", "keep_mb", "cursor_days"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--file", type=Path, help="the file of settings (default combine.toml)")
    add("--view", dest="views", action="append", type=parse_view, metavar="NAME=ENDPOINT",
        help="a view's name, and where its station publishes; again for each of 2 to 16. With "
        "NAME=ENDPOINT,REPLAY its log answers there (default: the port above)")  # fmt: skip
    add("--product", dest="products", action="append", type=parse_product,
        metavar="NAME=VIEW:PRODUCT,...",
        help="a part's product, and what each view judges for it; again for each (default: all "
        "views judge a product of one name)")  # fmt: skip
    add_settings(parser, *SETTINGS, of=Combine)


def main(options: argparse.Namespace) -> int:
    given = {k: v for k, v in vars(options).items() if k in Combine.model_fields}
    for name in ("views", "products"):
        given[name] = _each_once(name, given[name] or ())
    settings = load_combine(given, options.file)
    with stop_on_signal() as stop:
        verdicts = run_combine(settings, stop)
    log.info("ended: %s", ", ".join(f"{v} {n}" for v, n in sorted(verdicts.items())) or "no part")
    return 0


def _each_once(option: str, pairs: Iterable[tuple[str, dict[str, str]]]) -> dict[str, Any]:
    """Raise SettingsError where a name comes twice, so that no view is left out."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise SettingsError(f"--{option.rstrip('s')} names '{name}' twice: give each one name")
        found[name] = value
    return found


def parse_view(text: str) -> tuple[str, dict[str, str]]:
    """A view's name and addresses from top=tcp://127.0.0.1:5570."""
    name, _, addresses = text.partition("=")
    endpoint, comma, replay = addresses.partition(",")
    if not name or not endpoint or (comma and not replay):
        raise argparse.ArgumentTypeError("write a name and an address, as top=tcp://127.0.0.1:5570")
    return name, {"endpoint": endpoint} | ({"replay": replay} if replay else {})


def parse_product(text: str) -> tuple[str, dict[str, str]]:
    """A part's product and those of its views from lid=top:lid-top,side:lid-side."""
    name, _, rest = text.partition("=")
    pairs = [pair.partition(":") for pair in rest.split(",")]
    if not name or not all(view and product for view, _, product in pairs):
        raise argparse.ArgumentTypeError(
            "write a name and a product for each view, as lid=top:lid-top,side:lid-side"
        )
    return name, {view: product for view, _, product in pairs}
