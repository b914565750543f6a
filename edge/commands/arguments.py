"""Settings of a station as options of a command line, and the types of other options."""

import argparse
import ipaddress
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from edge.base.errors import PublishError, SettingsError
from edge.base.person import LONGEST_REASON, LONGEST_WHO, Person, one_line, user
from edge.commands.stations import expected_name, refuse_another, station_settings
from edge.events.client import ANSWER_MS, NoAnswer, RequestClient, service_endpoint
from edge.events.control_messages import Health, Request
from edge.events.endpoints import MAX_PORT
from edge.events.event import UINT32_MAX
from edge.events.keys import Credentials, read_pair, read_public
from edge.events.replay_server import CURSOR_NAME
from edge.station.settings import Station, load_settings

PORT = re.compile(r"[1-9][0-9]{0,4}")


def add_settings(
    parser: argparse.ArgumentParser, *names: str, of: type[BaseModel] = Station
) -> None:
    """An option for each named setting, with the setting's own description as help."""
    group = parser.add_argument_group("settings of the station")
    for name in names:
        field = of.model_fields[name]
        default = "" if field.default is None else f" (default {field.default})"
        kinds = (field.annotation, *typing.get_args(field.annotation))  # of X and of X | None
        choices = [c for kind in kinds for c in typing.get_args(kind) if isinstance(c, str)]
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            metavar=None if choices else name.upper(),
            choices=choices or None,
            help=f"{field.description}{default}".replace("%", "%%"),
        )


def add_station(parser: argparse.ArgumentParser, *names: str) -> None:
    """Settings of a command about a running station, or its log: --station finds its file."""
    add_settings(parser, "station", *names)
    parser.set_defaults(finds_station=True)


def add_progress(parser: argparse.ArgumentParser) -> None:
    """The option of commands that take a while."""
    parser.add_argument("--progress", type=Path, metavar="FILE",
        help="append JSON lines that say how far it is, for a program that shows it")  # fmt: skip


def add_person(parser: argparse.ArgumentParser) -> None:
    """Who changes something, and why; for the audit trail of the archive."""
    add = parser.add_argument
    add("--who", type=_line(LONGEST_WHO), default=user(), help="your name (default: the user's)")
    add("--reason", type=_line(LONGEST_REASON), default="", help="why, for the audit trail")


def person_of(options: argparse.Namespace) -> Person:
    """What `add_person` has read."""
    return Person(options.who, reason=options.reason)


def _line(longest: int) -> Callable[[str], str]:
    """The type of an option that takes a line of text."""

    def parse(text: str) -> str:
        try:
            line = one_line(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if len(line) > longest:
            raise argparse.ArgumentTypeError(f"write at most {longest} characters")
        return line

    return parse


def settings_of(options: argparse.Namespace) -> Station:
    """The settings of the station; the command line goes first. Raises SettingsError."""
    found = getattr(options, "finds_station", False)
    return station_settings(_given(options)) if found else load_settings(_given(options))


def _given(options: argparse.Namespace) -> dict[str, Any]:
    return {k: v for k, v in vars(options).items() if k in Station.model_fields}


def credentials(settings: Station) -> Credentials | None:
    """The keys of this client; None without keys. Raises DraemError."""
    if settings.key is None and settings.server_key is None:
        return None
    if settings.key is None or settings.server_key is None:
        raise SettingsError("--key and --server-key belong together: give both, or none")
    return Credentials(read_pair(settings.key), read_public(settings.server_key))


def expected_station(options: argparse.Namespace, settings: Station) -> str:
    """The name that the station at the other end must have; empty if any will do."""
    return expected_name(_given(options), settings)


def opened_control(options: argparse.Namespace, settings: Station) -> RequestClient:
    """A client of the control socket of the station that is meant.

    Raises PublishError for an unusable address, no answer, or another station at that address.
    """
    asking = ask_control(settings)
    try:
        health = Health.model_validate_json(asking.ask(Request(request="health"))[0])
        refuse_another(expected_station(options, settings), health.station, asking.endpoint)
    except NoAnswer as error:
        asking.close()
        raise unanswered(error, settings) from None
    except ValidationError:
        pass  # an error, which the next request gets too
    except PublishError:
        asking.close()
        raise
    return asking


def ask_control(settings: Station, answer_ms: int = ANSWER_MS) -> RequestClient:
    """A client of the control socket. Raises PublishError for an unusable address."""
    endpoint = settings.control or service_endpoint(settings.endpoint, "control")
    option = "--control" if settings.control else "--endpoint"
    return RequestClient(endpoint, credentials(settings), option, answer_ms)


def unanswered(error: NoAnswer, settings: Station) -> PublishError:
    """What may be wrong where no line answers."""
    if settings.key is None:
        fix = "start the line, correct --endpoint, or give --key and --server-key if it has keys"
    else:
        fix = (
            "start the line, correct --endpoint, see that 'draem keys list' there has this key, "
            "and that --server-key is its server.pub"
        )
    return PublishError(f"{error}: {fix}")


def product_name(settings: Station) -> str:
    """The product to work on. Raises SettingsError where none is named."""
    if settings.product is None:
        raise SettingsError("no product named: add --product NAME (or set it in station.toml)")
    return settings.product


def parse_box(text: str) -> tuple[int, int, int, int]:
    """x,y,width,height from a command line."""
    try:
        x, y, width, height = (int(v) for v in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("write x,y,width,height in pixels") from None
    if min(x, y) < 0 or min(width, height) < 1:
        raise argparse.ArgumentTypeError("x and y must be 0 or more, width and height 1 or more")
    return x, y, width, height


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of a network's input from 256 or 192x256: multiples of 32."""
    height, width = parse_sides(text)
    if height % 32 or width % 32:
        raise argparse.ArgumentTypeError("write one side or HEIGHTxWIDTH, multiples of 32")
    return height, width


def parse_sides(text: str) -> tuple[int, int]:
    """Height and width from 256 or 500x1260, each 32 or more."""
    try:
        sides = [int(v) for v in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or min(sides) < 32:
        raise argparse.ArgumentTypeError("write one side or HEIGHTxWIDTH, 32 or more")
    return sides[0], sides[-1]


def parse_widths(text: str) -> tuple[int, int]:
    """Widths of the reconstructive and the discriminative network, from 16/8."""
    rec, _, seg = text.partition("/")
    if not (rec.isdecimal() and seg.isdecimal() and int(rec) and int(seg)):
        raise argparse.ArgumentTypeError("write two widths, as 16/8")
    return int(rec), int(seg)


def parse_address(text: str) -> tuple[str, int]:
    """An IP address and a port from 192.168.0.5:502 or [fd00::5]:502."""
    try:
        host, port = parse_server(text)
        ipaddress.ip_address(host)
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            "write an address and a port, as 192.168.0.5:502 or [fd00::5]:502"
        ) from None
    return host, port


def parse_server(text: str) -> tuple[str, int]:
    """A name or an address, and a port, from broker.plant:8883."""
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[\w.-]+|\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]", host) or not PORT.fullmatch(port):
        raise argparse.ArgumentTypeError("write a name or an address, and a port, as plant:8883")
    if int(port) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"write a name or an address, and a port up to {MAX_PORT}")
    return host.strip("[]"), int(port)


def parse_host(text: str) -> str:
    """An IP address, in its usual spelling."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError("write an address, as 192.168.0.10") from None


def whole_number(low: int, high: int = UINT32_MAX) -> Callable[[str], int]:
    """The type of an option that takes a whole number in these limits."""

    def parse(text: str) -> int:
        digits = re.fullmatch(rf"[0-9]{{1,{len(str(high))}}}", text)
        if digits is None or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


parse_whole, parse_count = whole_number(0), whole_number(1)


def parse_cursor_name(text: str) -> str:
    """A name that a station's log takes."""
    if not re.fullmatch(CURSOR_NAME, text):
        raise argparse.ArgumentTypeError("write letters, digits, _, . and -, at most 64")
    return text


def parse_recipe(text: str) -> tuple[str, str]:
    """A product's number and its name from 1=lid."""
    number, equals, name = text.partition("=")
    if not equals or not number.isdecimal() or not name:
        raise argparse.ArgumentTypeError("write a number and a product's name, as 1=lid")
    return number, name
