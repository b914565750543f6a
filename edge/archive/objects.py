"""Objects of the picture store that rows name: kept before, deleted after, whatever is killed.

An object that no row names any more is noted as unwanted, and deleted some minutes later unless
somebody wants it again meanwhile. Who wants an object removes its note first: then it is either
still there and stays, or is seen to be missing and written again.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, Exists, delete, exists, select

from edge.archive.database import insert_into, reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.picture_store import PictureStore
from edge.archive.rows import digest_of, microseconds
from edge.archive.tables import inspection, unwanted

LEFT_FOR = timedelta(minutes=10)
BATCH = 500


def keep_objects(engine: Engine, store: PictureStore, objects: Sequence[bytes]) -> list[bytes]:
    """Store objects, so that rows may name the digests that it returns. Raises ArchiveError."""
    if not objects:
        return []
    wanted = unwanted.c.digest.in_([digest_of(data) for data in objects])
    with writing(engine) as connection:
        connection.execute(delete(unwanted).where(wanted))
    return store.put_all(objects)


def note_unwanted(connection: Connection, digests: Collection[bytes]) -> None:
    """In the transaction in which rows stop naming these objects."""
    statement = insert_into(connection, unwanted).on_conflict_do_nothing()
    now = microseconds(datetime.now(UTC))
    if digests:
        connection.execute(statement, [{"digest": digest, "at": now} for digest in digests])


def delete_unwanted(engine: Engine, store: PictureStore, left_for: timedelta = LEFT_FOR) -> None:
    """Delete what was noted long enough ago and is named by no row."""
    before = microseconds(datetime.now(UTC) - left_for)
    old = select(unwanted.c.digest).where(unwanted.c.at <= before).limit(BATCH)
    with reading(engine) as connection:
        digests = list(connection.execute(old).scalars())
    failed: ArchiveError | None = None
    for digest in digests:
        try:
            _delete(engine, store, digest)
        except ArchiveError as error:
            failed = error  # the others go first
    if failed:
        raise failed


def _delete(engine: Engine, store: PictureStore, digest: bytes) -> None:
    this = unwanted.c.digest == digest
    with writing(engine) as connection:
        if not connection.execute(select(unwanted).where(this).with_for_update()).first():
            return  # wanted again
        if not connection.execute(select(_named(digest))).scalar():
            store.delete(digest)
        connection.execute(delete(unwanted).where(this))


def _named(digest: bytes) -> Exists:
    part = inspection.c
    return exists().where((part.picture == digest) | (part.mask == digest))
