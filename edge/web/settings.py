"""What `draem web` is told at its start."""

from dataclasses import dataclass, field
from pathlib import Path

from edge.archive.statistics import Shifts
from edge.events.keys import Credentials


@dataclass(frozen=True)
class StationAddresses:
    """A station to show: its name, its sockets' addresses, and this program's keys there.

    `config` is the file of its settings, for commands that this program starts; `data` and
    `products` are its folders, which are there if the station runs on this machine.
    """

    name: str
    events: str
    replay: str
    control: str
    live: str
    credentials: Credentials | None = None
    config: Path | None = None
    data: Path | None = None
    products: Path | None = None


@dataclass(frozen=True)
class WebSettings:
    """All settings of the page. Paths are as seen from the working folder."""

    stations: tuple[StationAddresses, ...]
    database: str
    pictures: str
    host: str = "127.0.0.1"
    port: int = 8090
    certificate: Path | None = None
    key: Path | None = None
    folder: Path = Path("web")  # accounts, jobs, uploads
    products: Path = Path("products")
    images: Path = Path("images")  # a folder of good parts for each new product
    shifts: Shifts = field(default_factory=Shifts)
    language: str = "en"  # of reports that no account asks for
    reports: Path | None = None  # where the report of each shift is written
    names: tuple[str, ...] = ()  # host names under which browsers may reach it

    @property
    def is_local(self) -> bool:
        """Whether only browsers of this machine can connect."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def address(self) -> str:
        """What a person writes into the browser."""
        scheme = "https" if self.certificate else "http"
        host = self.names[0] if self.names else self.host
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"
