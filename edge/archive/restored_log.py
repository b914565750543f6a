"""Where to go on at a station whose log may have been restored from a copy.

Such a log uses numbers again: what the archive has of these numbers is another event.
"""

from collections.abc import Callable

from sqlalchemy import Connection, select

from edge.archive.rows import event_row
from edge.archive.tables import fault, inspection, refused, status, stream
from edge.events.client import RequestClient
from edge.events.cursor_file import Cursor
from edge.events.event import Event

TABLES = {"inspection": inspection, "fault": fault, "status": status}


def is_archived(connection: Connection, event: Event) -> bool:
    """Whether this event, not another with its number, is in the database."""
    header, table = event.header, TABLES[event.header.kind]
    epochs = select(stream.c.id).where(stream.c.stream_id == header.stream_id)
    of_number = refused.c.stream.in_(epochs) & (refused.c.seq == header.seq)
    if connection.execute(select(refused.c.seq).where(of_number)).first():
        return True
    of_number = table.c.stream.in_(epochs) & (table.c.seq == header.seq)
    found = connection.execute(select(table.c.at).where(of_number)).scalars()
    return event_row(header, 0)["at"] in set(found)


def where_to_go_on(
    client: RequestClient, cursor: Cursor, archived: Callable[[Event], bool]
) -> Cursor:
    """The cursor, or where the log begins to differ from what was archived. Raises NoAnswer."""
    if cursor.seq < 1:
        return cursor
    header, found = client.page(cursor.seq - 1, 1)
    if header.stream_id != cursor.stream_id or header.first > cursor.seq:
        return cursor
    if found and found[0].header.seq == cursor.seq and archived(found[0]):
        return cursor
    same, differs = max(0, header.first - 1), min(cursor.seq, header.head)
    while same < differs:
        middle = (same + differs) // 2
        _, found = client.page(middle, 1)
        if found and archived(found[0]):
            same = middle + 1
        else:
            differs = middle
    return Cursor(cursor.stream_id, same)
