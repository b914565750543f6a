"""Which pictures are delivered, and which files a part has."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge.events.event import Event, Inspection


@dataclass(frozen=True)
class Wanted:
    """Every NG and NO_VERDICT, one OK in `ok_one_in` (0: none); what lies beside a picture."""

    ok_one_in: int = 0
    with_json: bool = False
    with_mask: bool = False

    def has(self, inspection: Inspection) -> bool:
        """Whether its picture is delivered. Older stations do not say if there is one."""
        exists = inspection.picture
        if exists is None:
            exists = inspection.frame_id > 0
        every = self.ok_one_in
        sampled = every > 0 and inspection.inspection_id % every == 0
        return exists and (inspection.verdict != "OK" or sampled)

    def names(self, stem: str) -> list[str]:
        """The files of a part; the picture is the first, the JSON the last to be written."""
        mask, json = [f"{stem}_mask.png"] * self.with_mask, [f"{stem}.json"] * self.with_json
        return [f"{stem}.png", *mask, *json]

    def files(self, stem: str, event: Event, picture: bytes) -> Iterator[tuple[str, bytes]]:
        """Names and contents; an event without a mask has none."""
        for name in self.names(stem):
            data = picture
            if name.endswith(".json"):
                data = event.header.model_dump_json(indent=2).encode() + b"\n"
            elif name != f"{stem}.png":
                data = event.mask_png
            if data:
                yield name, data


def stems(stem: str, inspection: Inspection) -> Iterator[str]:
    """Names to try one after another: the template's, with log and event, and with a number."""
    yield stem
    unique = f"{stem}_{inspection.stream_id[:8]}-{inspection.seq}"
    yield unique
    for number in range(2, 100):
        yield f"{unique}-{number}"


def temporary_name(inspection: Inspection, name: str) -> str:
    """Of a file while it is written: hidden, and of this event alone."""
    suffix = PurePosixPath(name).suffix
    return f".{inspection.stream_id[:8]}-{inspection.seq}{suffix}.part"
