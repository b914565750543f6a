"""Releases of a product: what runs changes only when somebody says so, and can go back.

  draem release seal                      the newest version: read-only from here on
  draem release activate 3                runs from the line's next start, or a switch, on
  draem release rollback                  back to what ran before
  draem release export 3 --to lid-3.draem one file for another station
  draem release import lid-3.draem        there; then build, calibrate where needed, activate
  draem release list, show 3, diff 2 3    what there is
  draem release key plant-1               a key pair, to sign seals with

docs/release.md tells the story of a changeover.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from deploy.release import lifecycle, listing
from edge.base.errors import ProductError
from edge.commands.arguments import add_person, add_settings, person_of, product_name, settings_of
from edge.product.product import find_version, load_product
from edge.station.settings import Station

log = logging.getLogger(__name__)

SUFFIX = ".draem"
SETTINGS = ("product", "products", "flavour")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str, *settings: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
        add_settings(made, *settings)
        return made

    action("list", "all versions, and which one is current", *SETTINGS)
    show = action("show", "one version, each of its files checked", *SETTINGS)
    show.add_argument("version", nargs="?", help="(default: the current one)")
    diff = action("diff", "what differs between two versions", *SETTINGS[:2])
    diff.add_argument("version", metavar="A")
    diff.add_argument("other", metavar="B")
    seal = action("seal", "make a version read-only, and name its content", *SETTINGS[:2])
    seal.add_argument("version", nargs="?", default="newest", help="(default: the newest one)")
    seal.add_argument(
        "--key", dest="private", type=Path, metavar="FILE", help="sign it: a NAME.release.key"
    )
    act = action("activate", "make a version the one that runs", *SETTINGS)
    act.add_argument("version", help="its number, or newest")
    back = action("rollback", "make current what ran before", *SETTINGS)
    export = action("export", "write a sealed version as one file", *SETTINGS[:2])
    export.add_argument("version", help="its number, or newest")
    export.add_argument(
        "--to",
        type=str,
        metavar="FILE",
        help="a folder, or a file NAME.draem (default: PRODUCT-VERSION.draem)",
    )
    take = action("import", "take a release in, checked before it is written", "products", "trust")
    take.add_argument("file", type=Path)
    for changes in (seal, act, back, take):
        add_person(changes)
    key = action("key", "make a key pair to sign with")
    key.add_argument("name")
    key.add_argument(
        "--keys", dest="folder", type=Path, default=Path("keys"), help="folder (default keys)"
    )


def main(options: argparse.Namespace) -> int:
    if options.action == "key":
        return make_key(options)
    action: Callable[[Station, argparse.Namespace], None] = ACTIONS[options.action]
    action(settings_of(options), options)
    return 0


def show_list(settings: Station, options: argparse.Namespace) -> None:
    folder = find_version(settings.products, product_name(settings), "newest").parent
    print(listing.table(list(listing.rows(folder, settings.flavour))))


def show(settings: Station, options: argparse.Namespace) -> None:
    product = load_product(settings.products, product_name(settings), options.version)
    for name, value in listing.described(product, settings.flavour):
        print(f"{name:<12} {value}")


def diff(settings: Station, options: argparse.Namespace) -> None:
    name = product_name(settings)
    one, other = (
        load_product(settings.products, name, v) for v in (options.version, options.other)
    )
    lines = list(listing.difference(one, other))
    print("\n".join(lines) or f"versions {one.version} and {other.version} hold the same")


def seal(settings: Station, options: argparse.Namespace) -> None:
    path = find_version(settings.products, product_name(settings), options.version)
    made = lifecycle.seal(path, options.private, person_of(options))
    signed = f", signed with {made.key[:16]}" if made.key else ""
    log.info("%s version %s is sealed%s", path.parent.name, path.name, signed)
    log.info("content %s", made.content)


def activate(settings: Station, options: argparse.Namespace) -> None:
    path = find_version(settings.products, product_name(settings), options.version)
    done = lifecycle.activate(path, settings.flavour, person_of(options))
    log.info("%s version %s is current%s", path.parent.name, path.name, "" if done else " already")
    _tell_running_lines(path.parent.name)


def rollback(settings: Station, options: argparse.Namespace) -> None:
    left, product = lifecycle.rollback(
        settings.products, product_name(settings), settings.flavour, person_of(options)
    )
    log.info(
        "%s version %s is current again, after version %s", product.name, product.version, left
    )
    _tell_running_lines(product.name)


def _tell_running_lines(name: str) -> None:
    log.info(
        "a line runs it from its next start on; a running one: 'draem switch --product %s'", name
    )


def export(settings: Station, options: argparse.Namespace) -> None:
    product = load_product(settings.products, product_name(settings), options.version)
    name = f"{product.name}-{product.version}{SUFFIX}"
    target = Path(options.to or name)
    if target.is_dir():
        target /= name
    elif target.suffix != SUFFIX or str(options.to).endswith("/"):
        raise ProductError(
            f"{target} is no folder: make it or mount it, or name a file that ends in {SUFFIX}"
        )
    lifecycle.export(product, target)
    log.info("%s: %.1f MB, read back and whole", target, target.stat().st_size / 1e6)


def take_in(settings: Station, options: argparse.Namespace) -> None:
    product, new = lifecycle.import_release(
        options.file, settings.products, settings.trust, person_of(options)
    )
    if not new:
        log.info("%s is already here as version %s", product.name, product.version)
        return
    log.info("%s version %s is here, whole and sealed", product.name, product.version)
    at = f"--product {product.name} --version {product.version}"
    if product.calibration is None:
        log.info("next: 'draem build %s', then 'draem calibrate %s --images DIR'", at, at)
    else:
        command = f"draem release activate {product.version} --product {product.name}"
        log.info("next: 'draem build %s', then '%s'", at, command)


def make_key(options: argparse.Namespace) -> int:
    from deploy.release.signing import make_key as make

    private, public = make(options.folder, options.name)
    log.info("%s is for whoever seals, alone; give stations %s", private, public)
    return 0


ACTIONS: dict[str, Callable[[Station, argparse.Namespace], None]] = {
    "list": show_list,
    "show": show,
    "diff": diff,
    "seal": seal,
    "activate": activate,
    "rollback": rollback,
    "export": export,
    "import": take_in,
}
