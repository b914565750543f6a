"""One part, several cameras: joins the verdicts of several stations into a stream of its own.

`joiner.Joiner` is the state machine: events of views in, joined parts out. `loop.run` keeps it fed
and writes its parts; `open.run_combine` opens the log and the sockets, as a station does, so that
bridges, archive and `draem watch` read it like any station. It knows stations by their sockets
alone.
"""
