"""The archive: inspections, faults, labels and pictures of one or many stations, to be found again.

A process of its own subscribes to the stations and writes a database; it imports nothing of
`station`. `Archive` (archive.py) is the API of search, statistics and labels; `collector` writes.
"""

import logging

logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs its own set-up at import
