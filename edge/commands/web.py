"""Serve the web page: live view, history, review, statistics, products, accounts.

It shows the station of this folder (station.toml) and all of stations/*.toml, and the archive that
'draem archive run' fills. It can be stopped and started at any time; the line does not notice. On
loopback it prints an address that makes the first account; other machines need TLS.
"""

import argparse
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

from edge.base.errors import SettingsError
from edge.base.priority import yield_to_the_line
from edge.commands.archives.shared import add_archive
from edge.commands.archives.statistics import add_shifts, shifts_of
from edge.commands.arguments import add_settings, credentials, settings_of, whole_number
from edge.commands.stations import FOLDER
from edge.events.client import service_endpoint
from edge.events.endpoints import MAX_PORT, is_local
from edge.station.settings import FILE, Station, load_settings
from edge.web.certificate import make_certificate
from edge.web.server import serve
from edge.web.settings import StationAddresses, WebSettings
from edge.web.texts import LANGUAGES

WEB = Path("web")
HOST_NAME = r"(?=.{1,253}\Z)[A-Za-z0-9_](-*[A-Za-z0-9_])*(\.[A-Za-z0-9_](-*[A-Za-z0-9_])*)*"
NICE = 5  # below the line, above the jobs that the page starts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", type=parse_host_name, default="127.0.0.1", metavar="ADDRESS",
        help="the address to serve on (default 127.0.0.1: this machine only)")  # fmt: skip
    add("--port", type=whole_number(1, MAX_PORT), default=8090, metavar="N",
        help="the port (default 8090)")  # fmt: skip
    add("--name", dest="names", type=parse_host_name, action="append", default=[], metavar="HOST",
        help="a host name that browsers use; again for each")  # fmt: skip
    add("--certificate", type=Path, metavar="FILE", help="the server's certificate chain, PEM")
    add("--certificate-key", type=Path, metavar="FILE", help="its private key, PEM")
    add("--self-made", action="store_true",
        help=f"make a certificate in {WEB}/ once, and serve with it")  # fmt: skip
    add("--images", type=Path, default=Path("images"), metavar="DIR",
        help="where the page collects good parts of new products (default images)")  # fmt: skip
    add("--reports", type=Path, metavar="DIR",
        help="write the report of each finished shift into this folder, PDF and CSV")  # fmt: skip
    add("--language", choices=LANGUAGES, default="en", help="of these reports (default en)")
    add_shifts(parser)
    add_archive(parser)
    add_settings(parser, "endpoint", "key", "server_key", "products")


def parse_host_name(text: str) -> str:
    """A host's name, or an address; no pattern of names, which would let any site in."""
    if not re.fullmatch(HOST_NAME, text):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                "write a name or an address alone, as draem.plant.local or 192.168.0.10"
            ) from None
    return text


def main(options: argparse.Namespace) -> int:
    yield_to_the_line(NICE)
    certificate, key = _certificate(options)
    settings = settings_of(options)
    serve(
        WebSettings(
            stations=tuple(_stations(options, settings)),
            database=options.database,
            pictures=options.pictures,
            host=options.host,
            port=options.port,
            certificate=certificate,
            key=key,
            folder=WEB,
            products=settings.products,
            images=options.images,
            shifts=shifts_of(options),
            language=options.language,
            reports=options.reports,
            names=tuple(options.names),
        )
    )
    return 0


def _certificate(options: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """The files of the certificate and its key; none without TLS. Raises SettingsError."""
    given = options.certificate, options.certificate_key
    if options.self_made:
        if any(given):
            raise SettingsError("--self-made and --certificate exclude each other: give one")
        return make_certificate(WEB, [options.host, *options.names])
    if bool(given[0]) != bool(given[1]):
        raise SettingsError("--certificate and --certificate-key belong together: give both")
    for path in given:
        if path and not path.is_file():
            raise SettingsError(f"there is no file {path}: correct the path, or use --self-made")
    return given


def _stations(options: argparse.Namespace, settings: Station) -> Iterator[StationAddresses]:
    """The station of this folder or of --endpoint, then each of stations/."""
    files = [] if options.endpoint else sorted(FOLDER.glob("*.toml"))
    if options.endpoint or FILE.is_file() or not files:
        yield _addresses(settings, FILE if FILE.is_file() else None)
    for file in files:
        yield _addresses(load_settings({}, file), file)


def _addresses(settings: Station, config: Path | None) -> StationAddresses:
    return StationAddresses(
        settings.station,
        settings.endpoint,
        settings.replay or service_endpoint(settings.endpoint, "replay"),
        settings.control or service_endpoint(settings.endpoint, "control"),
        settings.live or service_endpoint(settings.endpoint, "live"),
        credentials(settings),
        config,
        settings.data / settings.station if is_local(settings.endpoint) else None,
        settings.products if is_local(settings.endpoint) else None,
    )
