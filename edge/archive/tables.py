"""The tables of the archive. Times are microseconds since 1970 in UTC; digests are SHA-256.

`inspection`, `fault` and `status` have the stations' events, once each by (stream, seq). `tally`
counts inspections by quarter of an hour in the same transaction, so that statistics over months
need not read the inspections. Migrations (migrations/versions) make these tables.
"""

from enum import IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

VERDICTS = ("OK", "NG", "NO_VERDICT")  # stored as their index
BUCKET_US = 15 * 60 * 1_000_000  # shifts and time zones begin at quarters of an hour
SCORE_BUCKET_US = 4 * BUCKET_US


class PictureState(IntEnum):
    """What the archive knows of an inspection's picture. Numbers never change their meaning."""

    NONE = 0  # there is none: no frame, or the station does not keep it
    AWAITED = 1  # the station has yet to be asked
    KEPT = 2
    MISSING = 3  # it should be there, but the station no longer has it
    TRIMMED = 4  # deleted by the archive's own limits


metadata = MetaData()

stream = Table(
    "stream",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("stream_id", Text, nullable=False),
    Column("epoch", Integer, nullable=False),  # counts restored copies, which use numbers again
    Column("station", Text, nullable=False),
    Column("endpoint", Text, nullable=False),  # where its last event came from
    Column("head", BigInteger, nullable=False),  # the last archived event
    UniqueConstraint("stream_id", "epoch"),
)
Index("stream_endpoint", stream.c.endpoint)
gap = Table(  # events that the station had deleted before they were archived
    "gap",
    metadata,
    Column("stream", ForeignKey("stream.id"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)
product = Table(
    "product",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
version = Table(
    "version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product", ForeignKey("product.id"), nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("product", "name"),
)


def _event_columns() -> list[Column[int]]:
    return [
        Column("stream", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("at", BigInteger, nullable=False),
    ]


inspection = Table(
    "inspection",
    metadata,
    *_event_columns(),  # `at` is the time of capture
    Column("archived", BigInteger, nullable=False),  # by the archive's own clock, for retention
    Column("product", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("inspection_id", BigInteger, nullable=False),
    Column("frame_id", BigInteger, nullable=False),
    Column("trigger_id", BigInteger),
    Column("encoder", BigInteger),
    Column("part_id", Text),
    Column("verdict", SmallInteger, nullable=False),
    Column("code", SmallInteger, nullable=False),
    Column("score", Double),
    Column("threshold", Double),
    Column("roi", Text),
    Column("passed_over", Integer, nullable=False),
    Column("regions", SmallInteger, nullable=False),
    Column("details", Text, nullable=False),  # JSON: stages_ms, chunks, camera_ns, mask
    Column("mask", LargeBinary),
    Column("picture", LargeBinary),
    Column("picture_state", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)
PART = inspection.c
region = Table(
    "region",
    metadata,
    Column("stream", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("product", Integer, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("x", "y", "width", "height", "area")),
    Column("score", Float, nullable=False),
    *(Column(f"{name}_mm", Float) for name in ("x", "y", "width", "height")),
    Column("area_mm2", Float),
    sqlite_with_rowid=False,
)
fault = Table(
    "fault",
    metadata,
    *_event_columns(),
    Column("code", SmallInteger, nullable=False),
    Column("message", Text, nullable=False),
)
status = Table(
    "status",
    metadata,
    *_event_columns(),
    Column("state", Text, nullable=False),
    Column("product", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)
tally = Table(
    "tally",
    metadata,
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),  # its begin
    Column("stream", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("verdict", SmallInteger, primary_key=True, autoincrement=False),
    Column("code", SmallInteger, primary_key=True, autoincrement=False),
    Column("again", SmallInteger, primary_key=True, autoincrement=False),  # 1: part id came before
    Column("count", BigInteger, nullable=False),
    Column("passed_over", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
score_tally = Table(
    "score_tally",
    metadata,
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),  # of an hour
    Column("stream", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("score_bin", SmallInteger, primary_key=True, autoincrement=False),  # rows.score_bin
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
refused = Table(  # events that cannot be stored as what they are, with the reason
    "refused",
    metadata,
    Column("stream", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("archived", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("header", Text, nullable=False),
    sqlite_with_rowid=False,
)
about = Table(  # one row: which archive this is
    "about", metadata, Column("archive_id", Text, primary_key=True)
)
defect_kind = Table("defect_kind", metadata, Column("name", Text, primary_key=True))
label = Table(  # append-only: the newest row of an inspection counts, the others are its history
    "label",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("stream", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("label", Text, nullable=False),
    Column("kind", Text),
    Column("who", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("remark", Text, nullable=False),
    Column("newest", SmallInteger, nullable=False),  # 1, or 0 for history
)
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("who", "origin", "action", "target")),
    *(Column(name, Text, nullable=False) for name in ("old", "new", "reason")),
    Column("digest", LargeBinary, nullable=False),  # of this row and the digest before it
    Column("happened", BigInteger),  # when it was made, if not when it was recorded
    Column("change_id", Text),  # of a change that may be reported more than once
)
audit_head = Table(  # one row, so that the removal of the last entries is found too
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
unwanted = Table(  # objects whose rows are gone: deleted from the store next
    "unwanted",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

NOT_OK = "verdict <> 0"  # written so in the queries too: SQLite compares the text
AWAITED = "picture_state = 1"
HAS_OBJECT = "(picture IS NOT NULL OR mask IS NOT NULL)"


def _partial_index(name: str, *columns: Column[Any], where: str) -> None:
    """An index of the rows that fulfil `where`."""
    Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


Index("inspection_at", PART.at)
_partial_index("inspection_rejects", PART.product, PART.verdict, PART.at, where=NOT_OK)
_partial_index("inspection_not_ok", PART.verdict, PART.at, where=NOT_OK)
_partial_index("inspection_objects", PART.verdict, PART.archived, where=HAS_OBJECT)
_partial_index("inspection_awaited", PART.stream, PART.seq, where=AWAITED)
for column in (PART.part_id, PART.trigger_id):
    name = column.name
    _partial_index(f"inspection_{name}", column, PART.at, where=f"{name} IS NOT NULL")
for column in (PART.picture, PART.mask):
    _partial_index(f"inspection_{column.name}", column, where=f"{column.name} IS NOT NULL")
Index("audit_change_id", audit.c.change_id, unique=True)
Index("region_place", region.c.product, region.c.at)
Index("fault_at", fault.c.at)
Index("status_at", status.c.at)
Index("label_part", label.c.stream, label.c.seq)
Index("label_newest", label.c.label, label.c.at)
