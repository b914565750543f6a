"""`draem combine` in a process of its own, and what it has published."""

from collections.abc import Mapping
from pathlib import Path

from edge.events.client import NoAnswer, RequestClient, service_endpoint
from edge.events.control_messages import CountersReply, Health, Request
from edge.events.event import AnyHeader, Inspection
from tests.support.event_log import logged
from tests.support.ports import free_ports
from tests.support.restarted import Restarted
from tests.support.waiting import wait_until


class CombineProcess(Restarted):
    """The process; `views` are the addresses of its stations by name."""

    def __init__(self, folder: Path, views: Mapping[str, str], *words: str) -> None:
        self.folder = folder / "combined"
        self.endpoint = f"tcp://127.0.0.1:{free_ports(3)[0]}"
        named = [word for item in views.items() for word in ("--view", "=".join(item))]
        common = ("--endpoint", self.endpoint, "--data", str(folder))
        super().__init__("draem", "combine", *named, *common, *words)

    def events(self) -> list[AnyHeader]:
        """All events of its log."""
        return logged(self.folder) if (self.folder / "events.db").exists() else []

    def parts(self) -> list[Inspection]:
        """The joined parts of its log."""
        return [header for header in self.events() if isinstance(header, Inspection)]

    def faults(self) -> list[str]:
        """The messages of its faults."""
        return [header.message for header in self.events() if header.kind == "fault"]

    def wait_for(self, *triggers: int) -> list[Inspection]:
        """The parts of these triggers, once all have a verdict."""
        wait_until(
            lambda: {part.trigger_id for part in self.parts()} >= set(triggers), f"{triggers}"
        )
        return [part for part in self.parts() if part.trigger_id in triggers]

    def health(self) -> Health:
        """What its control socket answers."""
        return Health.model_validate_json(self.ask("health"))

    def counters(self) -> CountersReply:
        """What its control socket counts."""
        return CountersReply.model_validate_json(self.ask("counters"))

    def ask(self, request: str) -> bytes:
        """The answer of its control socket."""
        at = service_endpoint(self.endpoint, "control")
        with RequestClient(at, None, "--endpoint") as client:
            asked = Request.model_validate({"request": request})
            return client.ask(asked)[0]

    def wait_until_running(self, state: str = "running") -> None:
        """Until all views are heard, or as `state` says."""

        def is_so() -> bool:
            try:
                return self.health().state == state
            except NoAnswer:
                return False

        wait_until(is_so, f"combine is {state}")
