"""The tables of webhooks, in the accounts' database. Times are seconds since 1970."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

hook = Table(
    "webhook",
    metadata,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),  # to sign with, so it cannot be a digest
    Column("events", Text, nullable=False),  # words with spaces between
    Column("is_local", Integer, nullable=False),  # may be in the plant's own network
    Column("ng", Integer, nullable=False),  # so many NG
    Column("of", Integer, nullable=False),  # among so many parts in a row
    Column("made_by", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("failing_since", Float),
    Column("disabled", Text, nullable=False, server_default=""),  # why
)
delivery = Table(
    "webhook_delivery",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("hook", ForeignKey("webhook.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("state", Text, nullable=False, server_default="waiting"),  # sent, failed
    Column("answer", Text, nullable=False, server_default=""),  # of the last attempt
    Column("ended", Float),
    UniqueConstraint("hook", "message_id"),  # an event is queued once, however often it is read
)
Index("webhook_delivery_due", delivery.c.state, delivery.c.due)
position = Table(
    "webhook_position",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
series = Table(
    "webhook_series",
    metadata,
    Column("hook", ForeignKey("webhook.id", ondelete="CASCADE"), primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("verdicts", Text, nullable=False),  # the last ones: 1 for NG, 0 for OK
)
