"""Copy the kept pictures of a station to a file server, until Ctrl-C.

  draem deliver --to sftp://draem@files.plant/pictures
  draem deliver --to smb://draem@nas.plant/quality/pictures --password-file nas.password
  draem deliver --to /mnt/quality/pictures --name-template '{date}/{part_id}_{verdict}.png' --json

It may be stopped, killed and started again at any time: it goes on after the last picture. The
folder of --to must be there; folders below it are made.
"""

import argparse
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

from edge.base.errors import SettingsError
from edge.base.files import exclusive_lock, read_text
from edge.base.metrics import served_metrics
from edge.base.service import notify
from edge.commands.arguments import (
    add_station,
    credentials,
    expected_station,
    parse_cursor_name,
    parse_whole,
    settings_of,
)
from edge.commands.signals import stop_on_signal
from edge.commands.stations import refuse_another
from edge.delivery.delivery import Delivery
from edge.delivery.errors import DeliveryError
from edge.delivery.pace import Pace
from edge.delivery.place import Access, parse_place
from edge.delivery.progress import Progress
from edge.delivery.station_log import ANSWER_MS, StationLog
from edge.delivery.target import Target
from edge.delivery.template import DEFAULT, FIELDS, parse_template
from edge.delivery.waits import waiting
from edge.delivery.wanted import Wanted
from edge.events.client import RequestClient, service_endpoint
from edge.station.settings import Station

log = logging.getLogger(__name__)

PASSWORD = "DRAEM_DELIVER_PASSWORD"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--to", required=True, metavar="ADDRESS", help="sftp://user@host/path, "
        "smb://user@host/share/path, or a folder; without a password")  # fmt: skip
    add("--name-template", default=DEFAULT, metavar="TEMPLATE",
        help=f"a picture's path below --to (default {DEFAULT}); fields: {', '.join(FIELDS)}",
    )  # fmt: skip
    add("--ok-one-in", dest="delivered_ok_one_in", type=parse_whole, default=0, metavar="N",
        help="also the picture of one OK part in N (default 0: none)")  # fmt: skip
    add("--json", dest="with_json", action="store_true", help="the event beside it, NAME.json")
    add("--mask", dest="with_mask", action="store_true", help="its mask beside it, NAME_mask.png")
    add("--mb-per-s", type=parse_rate, default=5.0, metavar="N",
        help="megabytes a second, at most (default 5)")  # fmt: skip
    add("--files-per-s", type=parse_rate, default=20.0, metavar="N",
        help="files a second, at most (default 20)")  # fmt: skip
    add("--from-now", action="store_true", help="at the first start begin with the next part, not "
        "with the oldest event of the log")  # fmt: skip
    add("--name", type=parse_cursor_name, default="deliver",
        help="this delivery's name at the station (default deliver)")  # fmt: skip
    add("--metrics", dest="delivery_metrics", metavar="[HOST:]PORT", help="serve metrics for "
        "Prometheus (default off; without a host, on loopback)")  # fmt: skip
    _add_access(parser)
    add_station(parser, "data", "endpoint", "replay", "key", "server_key")


def _add_access(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("access to the file server").add_argument
    add("--password-file", type=Path, metavar="FILE", help="a file with the password, or that of "
        f"--ssh-key, readable by its owner only (or the variable {PASSWORD})")  # fmt: skip
    add("--ssh-key", type=Path, metavar="FILE", help="a private key for SFTP (default: without a "
        "password, the agent's and those in ~/.ssh)")  # fmt: skip
    add("--known-hosts", type=Path, metavar="FILE", help="the host keys of SFTP servers (default "
        "~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts)")  # fmt: skip
    add("--allow-unencrypted", action="store_true", help="an SMB server older than SMB 3: all who "
        "see the network see the pictures")  # fmt: skip


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    template, place, access = (
        parse_template(options.name_template),
        parse_place(options.to),
        _access(options),
    )
    for library in ("paramiko", "smbprotocol", "spnego"):  # what they say is in our own errors
        logging.getLogger(library).setLevel(logging.CRITICAL)
    expected = expected_station(options, settings)
    wanted = Wanted(options.delivered_ok_one_in, options.with_json, options.with_mask)
    with ExitStack() as stack:
        wait = waiting(stack.enter_context(stop_on_signal()).wait)
        pace = Pace(options.mb_per_s * 1e6, options.files_per_s, wait)
        target = stack.enter_context(Target(place, access, pace))
        target.check()
        progress = stack.enter_context(_progress(options, settings))
        station = stack.enter_context(_station(options, settings, wait))
        delivery = Delivery(
            station, target, progress, template, wanted, wait,
            lambda name: refuse_another(expected, name, settings.endpoint),
        )  # fmt: skip
        stack.enter_context(_metrics(options, delivery, station))
        log.info("delivering pictures to %s (Ctrl-C ends)", place)
        notify("READY=1")
        delivery.run(begin_now=options.from_now)
        log.info("%d pictures delivered, %d missing", progress.delivered, progress.missing)
    return 0


@contextmanager
def _progress(options: argparse.Namespace, settings: Station) -> Iterator[Progress]:
    """How far the delivery of this name is, for one process at a time."""
    path = settings.data / settings.station / f"deliver-{options.name}.json"
    refusal = DeliveryError(
        f"a delivery '{options.name}' of {settings.station} runs already: stop it, or give this "
        "one another --name"
    )
    with exclusive_lock(path.with_suffix(".lock"), refusal):
        yield Progress(path)


def _station(
    options: argparse.Namespace, settings: Station, wait: Callable[[float], None]
) -> StationLog:
    address = settings.replay or service_endpoint(settings.endpoint)
    option = "--replay" if settings.replay else "--endpoint"
    client = RequestClient(address, credentials(settings), option, ANSWER_MS)
    return StationLog(client, options.name, wait)


def _metrics(
    options: argparse.Namespace, delivery: Delivery, station: StationLog
) -> AbstractContextManager[None]:
    if options.delivery_metrics is None:
        return nullcontext()
    from edge.delivery.metrics import DeliveryMetrics  # an extra

    return served_metrics(options.delivery_metrics, DeliveryMetrics(delivery, station))


def _access(options: argparse.Namespace) -> Access:
    """Raises SettingsError for a file that is not there, or that others can read."""
    for name in ("ssh_key", "known_hosts"):
        path = getattr(options, name)
        if path is not None and not path.is_file():
            raise SettingsError(f"{path} does not exist: correct --{name.replace('_', '-')}")
    password = os.environ.get(PASSWORD) or None
    if options.password_file is not None:
        password = _password(options.password_file)
    encrypted = not options.allow_unencrypted
    return Access(password, options.ssh_key, options.known_hosts, encrypted)


def _password(path: Path) -> str:
    if not path.is_file():  # its name is not shown: it may be the password itself
        raise SettingsError("--password-file names no file: write the password into one, name that")
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"others can read {path}: run 'chmod 600 {path}'")
    password = read_text(path, SettingsError).removesuffix("\n").removesuffix("\r")
    if not password or "\n" in password:
        raise SettingsError(f"{path} has no password: write it alone into the first line")
    return password


def parse_rate(text: str) -> float:
    """A number above 0, so that a delivery goes on."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 1e6:
        raise argparse.ArgumentTypeError("write a number from 0.01 to 1000000")
    return value
