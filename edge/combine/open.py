"""Opens what `draem combine` needs, runs its loop, and closes everything again."""

import gc
import logging
from collections import Counter
from contextlib import ExitStack
from threading import Event as StopEvent

from edge.base.errors import SettingsError
from edge.combine.control import Controls, control
from edge.combine.joiner import Joiner, Rules
from edge.combine.loop import Combiner
from edge.combine.memory import remembered
from edge.combine.progress import Progress
from edge.combine.receivers import Receivers
from edge.combine.settings import Combine, ViewAddress
from edge.combine.writer import CombineWriter
from edge.events.access_list import AccessList
from edge.events.client import service_endpoint
from edge.events.cursors import Cursors
from edge.events.endpoints import check_endpoint
from edge.events.journal import BUSY_S, Journal, JournalError
from edge.events.keys import Credentials, read_pair, read_public
from edge.events.publisher import Publisher
from edge.events.replay_server import serve_replay
from edge.events.retention import Retention, RetentionLimits
from edge.events.sockets import Sockets

log = logging.getLogger(__name__)


def run_combine(settings: Combine, stop: StopEvent) -> Counter[str]:
    """Join the views until `stop`; the number of each verdict. Raises DraemError."""
    for view in settings.views.values():
        check_endpoint(view.endpoint, "--view")
    credentials = {name: _credentials(settings, view) for name, view in settings.views.items()}
    folder = settings.data / settings.station
    rules = Rules(tuple(settings.views), settings.by, settings.deadline, settings.fitting)
    with ExitStack() as opened:
        enter = opened.enter_context
        journal = enter(Journal(folder, settings.durability))
        memory = remembered(folder, settings.by, settings.deadline)
        progress = Progress(folder, settings.views)
        controls = Controls(settings.station)
        writer = _writer(settings, rules, journal, controls, opened)
        combiner = Combiner(Joiner(rules, memory), writer, progress, controls)
        receivers = enter(Receivers(settings.views, progress.saved, settings.station, credentials))
        gc.freeze()  # what is here now stays: searching it again would delay parts
        combiner.run(receivers, stop)
        if writer.unlogged:
            raise JournalError(
                f"{writer.unlogged} events are not in the log: free space on the disk"
            )
    return controls.verdicts


def _writer(
    settings: Combine, rules: Rules, journal: Journal, controls: Controls, opened: ExitStack
) -> CombineWriter:
    """The sockets, and what writes to them; `opened` closes them."""
    folder, enter = settings.data / settings.station, opened.enter_context
    limits = RetentionLimits(settings.keep_days, settings.keep_mb, settings.cursor_days)
    retention = Retention(journal, enter(Cursors(folder, BUSY_S)), limits)
    sockets = enter(Sockets(AccessList(settings.keys) if settings.keys else None))
    at = settings.endpoint
    publisher = enter(Publisher(sockets, at))
    replay = settings.replay or service_endpoint(at, "replay")
    replaying = enter(serve_replay(sockets, replay, folder))
    enter(control(sockets, settings.control or service_endpoint(at, "control"), controls))
    log.info("publishing on %s, answering on %s", publisher.endpoint, replaying.endpoint)
    return CombineWriter(settings.station, rules, journal, publisher, retention)


def _credentials(settings: Combine, view: ViewAddress) -> Credentials | None:
    """The keys for one view's station; None without keys."""
    server_key = view.server_key or settings.server_key
    if settings.key is None and server_key is None:
        return None
    if settings.key is None or server_key is None:
        raise SettingsError("--key and --server-key belong together: give both, or none")
    return Credentials(read_pair(settings.key), read_public(server_key))
