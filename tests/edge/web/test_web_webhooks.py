"""Webhooks: what is sent, how it is signed, where it may go, and that no end loses any."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError

from edge.archive.archive import Archive
from edge.archive.database import open_database
from edge.archive.picture_store import PictureStore
from edge.archive.writer import Writer
from edge.events.codes import Code
from edge.events.event import CodeName, Event
from edge.web.accounts.accounts import Accounts
from edge.web.background import Background
from edge.web.server import open_site
from edge.web.settings import WebSettings
from edge.web.webhooks.addresses import WebhookError, check_url, resolve
from edge.web.webhooks.hooks import EVENTS, TEST, Hook, Hooks, NewHook
from edge.web.webhooks.queue import DISABLED_AFTER_S, TRY_AGAIN_S, Message, Queue
from edge.web.webhooks.sender import Sender
from edge.web.webhooks.watcher import Watcher
from tests.support.archived import inspected, reported, running, write
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Receiver

ALL = tuple(EVENTS)


class Plant:
    """An archive with its writer, hooks, and a clock that a test turns."""

    def __init__(self, folder: Path) -> None:
        self.now = time.time()
        self.database = str(folder / "archive.db")
        self.engine = open_database(self.database, create=True)
        self.writer = Writer(self.engine, PictureStore(str(folder / "pictures")))
        self.archive = Archive(self.database)
        self.accounts = Accounts(folder / "web" / "accounts.db", lambda: self.now)
        self.begin()

    def begin(self) -> None:
        """As after a start of the program."""
        self.hooks = Hooks(self.accounts.engine, lambda: self.now)
        self.queue = Queue(self.accounts.engine, lambda: self.now)
        self.watcher = Watcher(self.archive, self.hooks)
        self.sender = Sender(self.hooks, self.queue)

    def add(self, url: str, *events: str, ng: int = 3, of: int = 5) -> str:
        """A hook in the plant's network; its secret."""
        return self.hooks.add(NewHook(url, events or ALL, is_local=True, ng=ng, of=of), "test")

    def waiting(self) -> list[str]:
        """The events in the queue, oldest first."""
        return [one.event for one in self.queue.newest()[::-1]]

    def hook(self) -> Hook:
        """The only hook."""
        [one] = self.hooks.all()
        return one

    def close(self) -> None:
        for opened in (self.sender, self.archive, self.accounts):
            opened.close()
        self.engine.dispose()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


def drifted(seq: int) -> Event:
    fault = reported(seq).header
    code = CodeName.of(Code.LENS_DIRTY)
    return Event(fault.model_copy(update={"code": code, "message": "clean the lens"}))


def test_web_webhooks_tell_of_all_that_happens_while_nobody_looks(plant: Plant) -> None:
    write(plant.writer, [running(1, "lid"), reported(2)])
    plant.add("http://127.0.0.1:1/")
    plant.watcher.look()  # what was before is not sent
    assert plant.waiting() == []
    bad = [inspected(n, verdict="NG") for n in range(4, 7)]
    news = [inspected(3), *bad, running(7, "lid"), running(8, "case"), reported(9), drifted(10)]
    write(plant.writer, news)
    plant.begin()
    plant.watcher.look()
    assert sorted(plant.waiting()) == [
        "station.drift", "station.fault", "station.ng_series", "station.product_changed",
    ]  # fmt: skip
    bodies = {one.event: json.loads(one.body)["data"] for one in plant.queue.newest()}
    assert bodies["station.ng_series"] | {"ng": 3, "parts": 4} == bodies["station.ng_series"]
    assert bodies["station.product_changed"]["new"] == {"product": "case", "version": "1"}
    plant.watcher.look()
    assert len(plant.waiting()) == 4
    new = "fedcba9876543210"  # a station that is met now: from its first event on
    write(plant.writer, [reported(1, stream=new, station="line-2")], "tcp://a:2")
    plant.watcher.look()
    assert plant.waiting()[4:] == ["station.fault"]


def test_web_webhooks_count_a_series_over_restarts_and_anew_after_it(plant: Plant) -> None:
    write(plant.writer, [inspected(1)])
    plant.add("http://127.0.0.1:1/", "station.ng_series", ng=3, of=5)
    plant.watcher.look()
    for seq in range(2, 8):
        write(plant.writer, [inspected(seq, verdict="NG")])
        plant.begin()
        plant.watcher.look()
    found = [json.loads(one.body)["data"]["event"] for one in plant.queue.newest()]
    assert found == [7, 4]


def test_web_webhooks_are_signed_as_standard_webhooks_says(
    plant: Plant, receiver: Receiver
) -> None:
    secret = plant.add(receiver.url)
    write(plant.writer, [inspected(1)])
    plant.watcher.look()
    write(plant.writer, [reported(2)])
    plant.watcher.look()
    plant.sender.send_due()
    wait_until(lambda: plant.queue.newest()[0].state == "sent", "sent", 20)
    [got] = receiver.got
    assert Webhook(secret).verify(got.body, got.headers)["data"]["code"] == "camera_lost"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body + b" ", got.headers)
    plant.sender.send_due()
    assert len(receiver.got) == 1


def test_web_webhooks_that_fail_are_tried_again_and_at_last_disabled(
    plant: Plant, receiver: Receiver
) -> None:
    plant.add(receiver.url)
    write(plant.writer, [inspected(1)])
    plant.watcher.look()
    write(plant.writer, [reported(2)])
    plant.watcher.look()
    receiver.status = 500
    for attempt, wait in enumerate(TRY_AGAIN_S, 1):
        plant.sender.send_due()
        wait_until(lambda n=attempt: plant.queue.newest()[0].attempts == n, "tried", 20)  # type: ignore[misc]
        one = plant.queue.newest()[0]
        assert (one.state, one.answer, one.due) == ("waiting", "500", plant.now + wait)
        assert plant.hook().failing_since is not None
        plant.now = one.due + 61
    wait_until(lambda: not plant.sender._busy, "idle", 20)
    plant.now += DISABLED_AFTER_S
    plant.sender.send_due()
    wait_until(lambda: plant.hook().disabled, "disabled", 20)
    assert plant.queue.newest()[0].state == "failed"
    wait_until(lambda: not plant.sender._busy, "idle", 20)
    count = len(receiver.got)
    plant.sender.send_due()
    receiver.status = 204
    plant.hooks.enable(plant.hook().id)
    plant.now += 61
    plant.sender.send_due()
    wait_until(lambda: plant.queue.newest()[0].state == "sent", "sent after all", 20)
    assert len(receiver.got) == count + 1
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert plant.hook().failing_since is None


def test_web_webhooks_keep_a_message_as_long_as_its_hook_is_enabled(
    plant: Plant, receiver: Receiver
) -> None:
    plant.add(receiver.url)
    plant.watcher.look()
    write(plant.writer, [reported(1)])
    plant.watcher.look()
    [one] = plant.queue.newest()
    for attempt in range(len(TRY_AGAIN_S) + 1):  # 51 hours, when the hook is not yet disabled
        plant.queue.failed(replace(one, attempts=attempt), "500")
    [one] = plant.queue.newest()
    assert (one.state, plant.hook().disabled) == ("waiting", "")
    plant.now = one.due
    plant.sender.send_due()
    wait_until(lambda: plant.queue.newest()[0].state == "sent", "sent after all", 20)


def test_web_webhooks_read_the_first_log_from_its_first_event(plant: Plant) -> None:
    plant.add("http://127.0.0.1:1/")
    plant.watcher.look()
    write(plant.writer, [reported(1)])
    plant.begin()
    plant.watcher.look()
    assert plant.waiting() == ["station.fault"]
    plant.watcher.look()
    assert plant.waiting() == ["station.fault"]


def test_web_webhooks_have_names_without_their_secrets(
    plant: Plant, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    url = f"{receiver.url}/T0/s3cret?key=s3cret"
    new = NewHook(url, ALL, is_local=True)
    plant.hooks.add(new, "test")
    receiver.status = 410
    plant.queue.add(plant.hooks.all(), Message("msg_1", TEST, datetime.now(UTC), {}))
    plant.sender.send_due()
    wait_until(lambda: plant.hook().disabled, "disabled", 20)
    wait_until(lambda: "is disabled" in caplog.text, "logged", 20)
    scheme_and_host = receiver.url.removesuffix("/hook")
    assert new.name == plant.hook().name == f"{scheme_and_host} {plant.hook().id}"
    assert "s3cret" not in caplog.text


def test_web_webhooks_are_sent_while_the_archive_cannot_be_read(
    plant: Plant, receiver: Receiver, tmp_path: Path
) -> None:
    settings = WebSettings((), plant.database, str(tmp_path), folder=tmp_path / "web")
    with ExitStack() as stack:
        site = open_site(settings, stack)
        background = stack.enter_context(Background(site))
        background.hooks.add(NewHook(receiver.url, ALL, is_local=True), "test")
        message = Message("msg_1", TEST, datetime.now(UTC), {"text": "a test"})
        background.queue.add(background.hooks.all(), message)
        with plant.engine.begin() as connection:
            connection.execute(text("DROP TABLE stream"))
        background.start()
        wait_until(lambda: receiver.got, "sent", 20)
        wait_until(lambda: "stream" in background.error, "said", 20)


def test_web_webhooks_follow_no_redirect(plant: Plant, receiver: Receiver) -> None:
    with Receiver() as other:
        receiver.status, receiver.location = 307, other.url
        plant.add(receiver.url)
        write(plant.writer, [inspected(1)])
        plant.watcher.look()
        write(plant.writer, [reported(2)])
        plant.watcher.look()
        plant.sender.send_due()
        wait_until(lambda: plant.queue.newest()[0].attempts == 1, "tried", 20)
        assert "redirects are not followed" in plant.queue.newest()[0].answer
        assert other.got == []


def test_web_webhooks_a_receiver_that_is_gone_is_left_alone(
    plant: Plant, receiver: Receiver
) -> None:
    receiver.status = 410
    plant.add(receiver.url)
    write(plant.writer, [inspected(1)])
    plant.watcher.look()
    write(plant.writer, [reported(2)])
    plant.watcher.look()
    plant.sender.send_due()
    wait_until(lambda: "gone" in plant.hook().disabled, "disabled", 20)


@pytest.mark.parametrize(
    ("url", "is_local", "why"),
    [
        ("http://example.com/", False, "http is not encrypted"),
        ("ftp://example.com/", True, "cannot be used"),
        ("file:///etc/passwd", True, "cannot be used"),
        ("https://", False, "cannot be used"),
        ("https://user:secret@example.com/", False, "no user, password or fragment"),
        ("https://example.com/#x", False, "no user, password or fragment"),
        ("https://example.com/" + "x" * 500, False, "at most 500"),
        ("", False, "cannot be used"),
    ],
)
def test_web_webhooks_refuse_addresses_of_other_forms(url: str, is_local: bool, why: str) -> None:
    with pytest.raises(WebhookError, match=why):
        check_url(url, is_local=is_local)


@pytest.mark.parametrize(
    ("url", "is_local", "why"),
    [
        ("https://127.0.0.1/", False, "private network"),
        ("https://10.1.2.3/", False, "private network"),
        ("https://[::1]/", False, "private network"),
        ("https://[::ffff:10.0.0.1]/", False, "private network"),
        ("https://localhost/", False, "private network"),
        ("https://169.254.169.254/latest/", True, "never called"),
        ("https://[fe80::1]/", True, "never called"),
        ("https://0.0.0.0/", True, "never called"),
        ("https://224.0.0.1/", True, "never called"),
        ("https://100.64.0.1/", False, "not public"),
        ("http://8.8.8.8/", True, "outside the plant"),
        ("https://no-such-host.invalid/", False, "not found"),
        ("https://2130706433/", False, "private network|not found"),
    ],
)
def test_web_webhooks_refuse_addresses_of_other_networks(
    url: str, is_local: bool, why: str
) -> None:
    with pytest.raises(WebhookError, match=why):
        resolve(url, is_local=is_local)


def test_web_webhooks_connect_to_the_address_that_was_checked() -> None:
    target = resolve("http://localhost:8123/a?b=c", is_local=True)
    assert (target.host, target.header) == ("localhost", "localhost:8123")
    assert str(target.url) in ("http://127.0.0.1:8123/a?b=c", "http://[::1]:8123/a?b=c")


LOOKER = """
import sys
from edge.archive.archive import Archive
from pathlib import Path
from edge.web.accounts.accounts import Accounts
from edge.web.webhooks.hooks import Hooks
from edge.web.webhooks.watcher import Watcher
watcher = Watcher(Archive(sys.argv[1]), Hooks(Accounts(Path(sys.argv[2])).engine))
print("ready", flush=True)
while True:
    watcher.look()
"""


def test_web_webhooks_lose_and_double_nothing_when_killed(plant: Plant, tmp_path: Path) -> None:
    write(plant.writer, [inspected(1)])
    plant.add("http://127.0.0.1:1/", "station.fault")
    plant.watcher.look()
    accounts = str(tmp_path / "web" / "accounts.db")
    command = [sys.executable, "-c", LOOKER, plant.database, accounts]
    seq = 2
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(20):
                write(plant.writer, [reported(seq)])
                seq += 1
            process.send_signal(signal.SIGKILL)
            process.wait()
    plant.watcher.look()
    waiting = plant.queue.newest(1000)
    found = sorted(json.loads(one.body)["data"]["event"] for one in waiting)
    assert found == list(range(2, seq))
    assert len({one.message_id for one in waiting}) == len(found)
