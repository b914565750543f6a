"""Registered webhooks: added, listed, enabled, removed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import Engine, delete, insert, select, update

from edge.web.accounts.database import reading, writing
from edge.web.texts import mark
from edge.web.webhooks.addresses import WebhookError, check_url, name_of
from edge.web.webhooks.signature import new_secret
from edge.web.webhooks.tables import delivery, hook, metadata

EVENTS = {
    "station.ng_series": mark("many NG parts in a row"),
    "station.drift": mark("drift: camera, light, lens or scores"),
    "station.fault": mark("fault"),
    "station.product_changed": mark("product change"),
    "shift.report": mark("shift report written"),
}
TEST = "webhook.test"
MOST_OF = 1000


@dataclass(frozen=True)
class Hook:
    """A registered address. `disabled` is why nothing is sent, empty where it is."""

    id: str
    url: str
    secret: str
    events: tuple[str, ...]
    is_local: bool
    ng: int
    of: int
    made_by: str
    created: float
    failing_since: float | None
    disabled: str

    @property
    def name(self) -> str:
        """It without its path."""
        return name_of(self.url, self.id)


@dataclass(frozen=True)
class NewHook:
    """What an administrator registers."""

    url: str
    events: Sequence[str]
    is_local: bool = False
    ng: int = 5
    of: int = 20
    id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def name(self) -> str:
        """It without its path. Raises WebhookError."""
        return name_of(str(check_url(self.url, is_local=self.is_local)), self.id)


class Hooks:
    """The hooks of a database; usable from any thread. Raises AccountsError, WebhookError."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self.engine, self.clock = engine, clock
        with writing(engine) as connection:
            metadata.create_all(connection)

    def all(self) -> list[Hook]:
        """In the order in which they were registered."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(hook).order_by(hook.c.created)).all()
        return [
            Hook(**{**row._mapping, "events": tuple(row.events.split()),
                    "is_local": bool(row.is_local)})
            for row in rows
        ]  # fmt: skip

    def add(self, new: NewHook, made_by: str) -> str:
        """Register an address; the secret with which its messages are signed."""
        url = str(check_url(new.url, is_local=new.is_local))
        if not new.events or not set(new.events) <= set(EVENTS):
            raise WebhookError(f"choose one event at least, of {', '.join(EVENTS)}")
        if not 1 <= new.ng <= new.of <= MOST_OF:
            raise WebhookError(f"write 1 to {MOST_OF} NG parts, of as many parts or more")
        secret, now = new_secret(), self.clock()
        values: dict[str, object] = {"id": new.id, "url": url, "secret": secret}
        values["events"] = " ".join(new.events)
        values |= {"is_local": int(new.is_local), "ng": new.ng, "of": new.of}
        values |= {"made_by": made_by, "created": now}
        with writing(self.engine) as connection:
            connection.execute(insert(hook).values(values))
        return secret

    def remove(self, which: str) -> None:
        """With all that waits for it."""
        with writing(self.engine) as connection:
            if not connection.execute(delete(hook).where(hook.c.id == which)).rowcount:
                raise WebhookError("this webhook was removed before: load the page again")

    def enable(self, which: str) -> None:
        """Send again, what has waited or failed too, beginning now."""
        values = {"disabled": "", "failing_since": None}
        again = {"state": "waiting", "due": self.clock(), "attempts": 0, "ended": None}
        not_sent = delivery.c.hook == which, delivery.c.state != "sent"
        with writing(self.engine) as connection:
            connection.execute(update(hook).where(hook.c.id == which).values(values))
            connection.execute(update(delivery).where(*not_sent).values(again))
