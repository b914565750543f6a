"""Fifty stations into one archive, with kills: every event once, every named picture there.

Five processes simulate ten stations each, real logs and sockets, a picture of 20 kB for one event
in ten. The archive writes to PostgreSQL and to a folder, or with --s3 to a server of objects.
Meanwhile stations, the archive, the database server and the server of objects are killed; at the
end the archive is compared with the logs.

  python -m tests.measure.plant --seconds 300 --rate 2000 --kills 30 [--s3]
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopEvent

import boto3
from sqlalchemy import Engine, func, select

from edge.archive.database import open_database, reading
from edge.archive.errors import ArchiveError
from edge.archive.picture_fetcher import PNG
from edge.archive.picture_store import PictureStore
from edge.archive.tables import PictureState, inspection, stream
from edge.events.encoding import encode
from edge.events.event import Inspection
from edge.events.journal import Journal
from edge.events.journal_reader import JournalReader
from edge.events.kept_frames import frame_name
from edge.events.publisher import Publisher
from edge.events.replay_server import serve_replay
from edge.events.sockets import Sockets
from tests.support.archived import inspected
from tests.support.ports import free_ports
from tests.support.postgresql import PostgreSql, postgresql

STATIONS, PROCESSES = 50, 5
BURST_S = 0.2  # events of one commit, so that fifty logs do not cost more than the archive
PICTURE_BYTES = 20_000
IN_TIME_S = 2.0


def simulate(folder: Path, ports: list[int], rate: float) -> None:
    """Some stations in one process, until SIGTERM; `rate` is of each."""
    stop = StopEvent()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as stack:
        stations = [stack.enter_context(_station(folder / f"s{port}", port)) for port in ports]
        due = time.monotonic()
        while not stop.is_set():
            for journal, publisher, at in stations:
                _burst(journal, publisher, at, max(1, round(rate * BURST_S)))
            due = max(due + BURST_S, time.monotonic() - 1)
            stop.wait(max(0.0, due - time.monotonic()))


@contextmanager
def _station(folder: Path, port: int) -> Iterator[tuple[Journal, Publisher, Path]]:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        Journal(folder) as journal,
        Sockets() as sockets,
        Publisher(sockets, f"tcp://127.0.0.1:{port}") as publisher,
        serve_replay(sockets, f"tcp://127.0.0.1:{port + 1}", folder),
    ):
        yield journal, publisher, folder


def _burst(journal: Journal, publisher: Publisher, folder: Path, count: int) -> None:
    headers = []
    for seq in range(journal.head + 1, journal.head + 1 + count):
        now = datetime.now(UTC).isoformat()
        event = inspected(
            seq,
            stream=journal.stream_id,
            station=folder.name,
            verdict="NG" if seq % 10 == 0 else "OK",
            captured_at=now,
            published_at=now,
        )
        assert isinstance(event.header, Inspection)
        headers.append(event.header)
        if event.header.verdict == "NG":
            path = folder / "pictures" / frame_name(journal.stream_id, event.header.inspection_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PNG + os.urandom(PICTURE_BYTES))
    messages = [encode(header, b"") for header in headers]
    journal.append(headers, messages)
    for message in messages:
        publisher.send(message)


class Plant:
    """All processes, each of which can be killed and comes back."""

    def __init__(self, folder: Path, database: str, pictures: str, rate: float) -> None:
        self._folder, self._rate = folder, rate / STATIONS
        self.ports = free_ports(2 * STATIONS)[::2]
        self._commands = {f"stations {n}": self._simulator(n) for n in range(PROCESSES)}
        archive = [sys.executable, "-m", "draem", "archive", "run", "--ok-one-in", "0"]
        archive += ["--database", database, "--pictures", pictures]
        archive += [w for port in self.ports for w in ("--from", f"tcp://127.0.0.1:{port}")]
        self._commands["archive"] = archive
        self._processes = {name: self._start(name) for name in self._commands}

    def _simulator(self, number: int) -> list[str]:
        ports = map(str, self.ports[number::PROCESSES])
        words = [sys.executable, "-m", "tests.measure.plant", "--simulate", *ports]
        return [*words, "--folder", str(self._folder), "--rate", str(self._rate)]

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(self._commands[name], stderr=log, stdout=log)

    def kill(self, name: str) -> None:
        """As `kill -9`, then started again."""
        self._processes[name].kill()
        self._processes[name].wait()
        self._processes[name] = self._start(name)

    def names(self) -> list[str]:
        return list(self._processes)

    def stop_stations_writing(self) -> None:
        """End the simulators and start them again without new events, to be asked for the rest."""
        self._rate = 0.0
        for n in range(PROCESSES):
            name = f"stations {n}"
            self._processes[name].terminate()
            self._processes[name].wait(60)
            self._commands[name] = [*self._simulator(n), "--quiet"]
            self._processes[name] = self._start(name)

    def rss_mb(self) -> float:
        """Resident memory of the archive."""
        text = Path(f"/proc/{self._processes['archive'].pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()


def lag_s(engine: Engine) -> float:
    """Seconds since the newest archived event of the station that is furthest behind."""
    newest = (stream.c.id == inspection.c.stream) & (stream.c.head == inspection.c.seq)
    with reading(engine) as connection:
        oldest = connection.execute(select(func.min(inspection.c.at)).join(stream, newest)).scalar()
    if oldest is None:
        raise ArchiveError("nothing is archived yet")
    return time.time() - int(oldest) / 1e6


def compare(engine: Engine, store: PictureStore, folder: Path) -> list[str]:
    """What is wrong between the stations' logs and the archive."""
    wrong: list[str] = []
    for place in sorted(folder.glob("s*")):
        if not place.is_dir():
            continue
        with JournalReader(place) as reader:
            logged, stream_id = reader.head(), reader.stream_id
        with reading(engine) as connection:
            query = select(inspection.c.seq).join(stream, stream.c.id == inspection.c.stream)
            found = connection.execute(query.where(stream.c.stream_id == stream_id)).scalars()
            seqs = sorted(found)
        if seqs != list(range(1, logged + 1)):
            wrong.append(f"{place.name}: {logged} events logged, {len(seqs)} archived")
    with reading(engine) as connection:
        query = select(inspection.c.picture).where(inspection.c.picture.is_not(None))
        for digest in connection.execute(query).scalars():
            try:
                store.get(digest)
            except ArchiveError as error:
                wrong.append(str(error))
        states = select(inspection.c.picture_state, func.count())
        counted = connection.execute(states.group_by(inspection.c.picture_state)).all()
    print({PictureState(state).name.lower(): count for state, count in counted})
    return wrong


class Objects:
    """moto's S3 server as a process; its objects live in memory, so it is only paused."""

    def __init__(self) -> None:
        (port,) = free_ports(1)
        server = [sys.executable, "-m", "moto.server", "-p", str(port)]
        self._process = subprocess.Popen(
            server, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        self.address = "s3://plant/pictures"
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="plant")

    def interrupt(self) -> None:
        """No answer for five seconds."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(5)
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def objects() -> Iterator[Objects]:
    server = Objects()
    try:
        yield server
    finally:
        server.close()


def run(
    options: argparse.Namespace, folder: Path, pictures: str, store: Objects | None
) -> list[str]:
    lags: list[float] = []
    memory: list[float] = []
    with postgresql() as server:
        database = server.new_database()
        engine = open_database(database, create=True)
        plant = Plant(folder, database, pictures, options.rate)
        try:
            _work(options, plant, engine, (lags, memory), (server, store))
            plant.stop_stations_writing()
            _settle(engine, folder)
            wrong = compare(engine, PictureStore(pictures), folder)
            with reading(engine) as connection:
                count = connection.execute(select(func.count()).select_from(inspection)).scalar()
        finally:
            plant.close()
            engine.dispose()
    p99 = statistics.quantiles(lags, n=100, method="inclusive")[-1]
    print(
        f"{count} events, {count / options.seconds:.0f} a second, {options.kills} kills; "
        f"lag median {statistics.median(lags):.2f} s, p99 {p99:.2f} s; "
        f"memory {memory[len(memory) // 4]:.0f} MB after a quarter, {memory[-1]:.0f} MB at the end"
    )
    return wrong


def _work(
    options: argparse.Namespace,
    plant: Plant,
    engine: Engine,
    samples: tuple[list[float], list[float]],
    servers: tuple[PostgreSql, Objects | None],
) -> None:
    """Sample lag and memory, and kill something now and then."""
    lags, memory = samples
    database, store = servers
    random_ = random.Random(options.seed)
    end = time.monotonic() + options.seconds
    kills = sorted(random_.uniform(5, options.seconds - 5) for _ in range(options.kills))
    begun = time.monotonic()
    while time.monotonic() < end:
        if kills and time.monotonic() - begun > kills[0]:
            kills.pop(0)
            name = random_.choice(
                [*plant.names(), "archive", "database", *(["objects"] if store else [])]
            )
            if name == "database":
                database.kill()
                database.start()
            elif name == "objects" and store:
                store.interrupt()
            else:
                plant.kill(name)
            continue
        time.sleep(0.5)
        try:
            lags.append(lag_s(engine))
            memory.append(plant.rss_mb())
        except (ArchiveError, OSError, IndexError):
            continue  # the database or the archive was just killed


def _settle(engine: Engine, folder: Path, seconds: float = 180) -> None:
    """Until nothing more comes and no frame is awaited."""
    end, last = time.monotonic() + seconds, -1
    while time.monotonic() < end:
        with reading(engine) as connection:
            count = connection.execute(select(func.count()).select_from(inspection)).scalar() or 0
            waiting = select(func.count()).where(inspection.c.picture_state == PictureState.AWAITED)
            awaited = connection.execute(waiting).scalar()
        if count == last and not awaited:
            return
        last = count
        time.sleep(3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--s3", action="store_true")
    parser.add_argument("--simulate", type=int, nargs="*")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.simulate:
        if options.quiet:
            wait_for_questions(options.folder, options.simulate)
        else:
            simulate(options.folder, options.simulate, options.rate)
        return 0
    with TemporaryDirectory() as folder:
        pictures = str(Path(folder) / "pictures")
        with objects() if options.s3 else nullcontext() as server:
            wrong = run(options, Path(folder), server.address if server else pictures, server)
    for line in wrong:
        print(f"WRONG: {line}")
    print("every event once, every picture there" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong else 0


def wait_for_questions(folder: Path, ports: list[int]) -> None:
    """Stations that only answer."""
    stop = StopEvent()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(_station(folder / f"s{port}", port))
        stop.wait()


if __name__ == "__main__":
    sys.exit(main())
