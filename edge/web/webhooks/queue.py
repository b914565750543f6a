"""The queue of webhooks: messages that wait, were sent, or failed. It survives any end."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from edge.web.accounts.database import reading, writing
from edge.web.webhooks.hooks import Hook
from edge.web.webhooks.tables import delivery, hook

TRY_AGAIN_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400)  # then each day
DISABLED_AFTER_S = 3 * 86_400.0
KEPT_S = 30 * 86_400.0
AT_ONCE = 20
SHOWN = 100


@dataclass(frozen=True)
class Message:
    """Something that happened; `id` is the same however often it is read from the archive."""

    id: str
    event: str
    at: datetime
    data: dict[str, Any]

    def body(self) -> str:
        """As it is sent."""
        content = {"type": self.event, "timestamp": self.at.isoformat(), "data": self.data}
        return json.dumps(content, ensure_ascii=False)


@dataclass(frozen=True)
class Delivery:
    """A message on its way to one hook."""

    number: int
    hook: str
    message_id: str
    event: str
    body: str
    created: float
    due: float
    attempts: int
    state: str
    answer: str
    ended: float | None


def add_messages(
    connection: Connection, to: Hook, messages: Collection[Message], now: float
) -> None:
    """In the transaction that moves the position behind them; a known message is left out."""
    for message in messages:
        values: dict[str, object] = {
            "hook": to.id,
            "message_id": message.id,
            "event": message.event,
        }
        values |= {"body": message.body(), "created": now, "due": now}
        connection.execute(insert(delivery).values(values).on_conflict_do_nothing())


class Queue:
    """What is to be sent; usable from any thread. Raises AccountsError."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine, self._clock = engine, clock

    def add(self, to: Collection[Hook], message: Message) -> None:
        """Queue one message for some hooks."""
        with writing(self._engine) as connection:
            for one in to:
                add_messages(connection, one, [message], self._clock())

    def due(self, of: Hook) -> list[Delivery]:
        """What is to be sent to a hook now, oldest first."""
        this = delivery.c.hook == of.id, delivery.c.state == "waiting"
        now = delivery.c.due <= self._clock()
        statement = select(delivery).where(*this, now).order_by(delivery.c.number).limit(AT_ONCE)
        with reading(self._engine) as connection:
            return [Delivery(**row._mapping) for row in connection.execute(statement)]

    def newest(self, limit: int = SHOWN) -> list[Delivery]:
        """The log, newest first."""
        statement = select(delivery).order_by(delivery.c.number.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [Delivery(**row._mapping) for row in connection.execute(statement)]

    def sent(self, one: Delivery, answer: str) -> None:
        """It has arrived."""
        done = {"state": "sent", "answer": answer, "ended": self._clock()}
        with writing(self._engine) as connection:
            self._set(connection, one, done | {"attempts": one.attempts + 1})
            this = update(hook).where(hook.c.id == one.hook)
            connection.execute(this.values(failing_since=None))

    def failed(self, one: Delivery, answer: str, *, is_gone: bool = False) -> str:
        """It has not: when to try again. Returns why the hook is disabled from now on, if it is.

        A message fails for good only with its hook, which sends it after all when it is enabled.
        """
        now, attempts = self._clock(), one.attempts + 1
        values: dict[str, Any] = {"attempts": attempts, "answer": answer}
        values["due"] = now + TRY_AGAIN_S[min(attempts, len(TRY_AGAIN_S)) - 1]
        with writing(self._engine) as connection:
            this = hook.c.id == one.hook
            since = connection.execute(select(hook.c.failing_since).where(this)).scalar()
            since = now if since is None else since
            why = "the receiver says that it is gone (410)" if is_gone else ""
            if now - since >= DISABLED_AFTER_S:
                why = f"nothing arrived for {DISABLED_AFTER_S / 86_400:.0f} days"
            if why:
                values |= {"state": "failed", "ended": now}
            self._set(connection, one, values)
            changed = {"failing_since": since} | ({"disabled": why} if why else {})
            connection.execute(update(hook).where(this).values(changed))
        return why

    def delete_old(self) -> None:
        """Keep the log for thirty days; what has waited for as long, at a disabled hook, too."""
        old = delivery.c.created < self._clock() - KEPT_S
        with writing(self._engine) as connection:
            connection.execute(delete(delivery).where(old))

    @staticmethod
    def _set(connection: Connection, one: Delivery, values: dict[str, Any]) -> None:
        this = delivery.c.number == one.number
        connection.execute(update(delivery).where(this).values(values))
