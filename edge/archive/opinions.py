"""What several people said of the same parts."""

from itertools import groupby

from sqlalchemy import Connection, func, select

from edge.archive.conditions import conditions
from edge.archive.labels import Given, given_of, standing
from edge.archive.query import Query
from edge.archive.tables import PART, inspection, label

Opinions = dict[str, dict[str, Given]]


def opinions(connection: Connection, query: Query) -> Opinions:
    """By part and person, the last label that was not withdrawn; parts of two people or more."""
    key = (label.c.stream, label.c.seq)
    several = select(*key).group_by(*key).having(func.count(label.c.who.distinct()) > 1).subquery()
    statement = (
        select(label)
        .join(several, (several.c.stream == label.c.stream) & (several.c.seq == label.c.seq))
        .join(inspection, (PART.stream == label.c.stream) & (PART.seq == label.c.seq))
        .where(*conditions(connection, query))
        .order_by(*key, label.c.id)
    )
    made: Opinions = {}
    rows = connection.execute(statement).all()
    for (number, seq), of_part in groupby(rows, lambda row: (row.stream, row.seq)):
        last = {given.who: given for given in standing([given_of(row) for row in of_part])}
        if len(last) > 1:
            made[f"{number}-{seq}"] = last
    return made
