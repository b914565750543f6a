"""Events as rows of the archive's tables: values in, dictionaries out."""

import json
import math
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from edge.archive.tables import BUCKET_US, SCORE_BUCKET_US, VERDICTS
from edge.base.text import printable
from edge.events.event import AnyHeader, Inspection

Row = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BINS_PER_OCTAVE, MAX_BIN = 4, 40
LONGEST = 500
POSSIBLE_US = range(0, 7_258_118_400_000_000)  # 1970 to 2200: what else a clock says is wrong


def microseconds(moment: str | datetime) -> int:
    """Microseconds since 1970 of a time with its zone. Raises ValueError for one without."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    if at.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return (at - EPOCH) // timedelta(microseconds=1)


def clean(text: str | None) -> str | None:
    """A text that every database takes: without NUL, at most LONGEST characters."""
    return None if text is None else printable(text).replace("\0", "\ufffd")[:LONGEST]


def digest_of(data: bytes) -> bytes | None:
    """SHA-256, None of nothing."""
    return sha256(data).digest() if data else None


def score_bin(score: float | None, threshold: float | None) -> int | None:
    """The bin of score/threshold: 0 begins at the threshold, four bins to each factor of two."""
    if score is None or not threshold or threshold < 0:
        return None
    if score <= 0:
        return -MAX_BIN
    octaves = math.log2(score) - math.log2(threshold)
    return max(-MAX_BIN, min(MAX_BIN, math.floor(BINS_PER_OCTAVE * octaves)))


def event_row(header: AnyHeader, stream: int) -> Row:
    """What all events have; `at` is the time of capture, or that of publication."""
    at = microseconds(header.captured_at if isinstance(header, Inspection) else header.published_at)
    if at not in POSSIBLE_US:
        raise ValueError(f"the time {at} is not between 1970 and 2200")
    return {"stream": stream, "seq": header.seq, "at": at}


def inspection_row(header: Inspection, mask: bytes | None, state: int) -> Row:
    """The columns that an inspection adds; product and version are added by the writer."""
    placement = header.mask.model_dump(exclude_none=True) if header.mask else None
    details = {
        "stages_ms": header.stages_ms,
        "chunks": header.chunks or None,
        "camera_ns": header.camera_ns,
        "mask": placement,
    }
    copied = ("inspection_id", "frame_id", "trigger_id", "encoder", "score", "threshold")
    return {
        **{name: getattr(header, name) for name in (*copied, "passed_over")},
        "part_id": clean(header.part_id),
        "roi": clean(header.roi),
        "archived": microseconds(datetime.now(UTC)),
        "verdict": VERDICTS.index(header.verdict),
        "code": header.code.number,
        "regions": len(header.regions),
        "details": json.dumps(
            {k: v for k, v in details.items() if v is not None}, separators=(",", ":")
        ),
        "mask": mask,
        "picture": None,
        "picture_state": state,
    }


def region_rows(header: Inspection, row: Row) -> list[Row]:
    """One row for each region, numbered from 0 as in the event."""
    key = {name: row[name] for name in ("stream", "seq", "at", "product")}
    names = ("x", "y", "width", "height")
    return [
        {
            **key,
            "number": number,
            **dict(zip(names, region.box, strict=True)),
            "area": region.area,
            "score": region.score,
            **{
                f"{name}_mm": region.box_mm[i] if region.box_mm else None
                for i, name in enumerate(names)
            },
            "area_mm2": region.area_mm2,
        }
        for number, region in enumerate(header.regions)
    ]


def tally_key(row: Row, again: bool) -> tuple[int, ...]:
    """The key of `tally` that counts an inspection's row."""
    bucket = row["at"] // BUCKET_US * BUCKET_US
    return bucket, row["stream"], row["version"], row["verdict"], row["code"], int(again)


def score_tally_key(row: Row) -> tuple[int, ...] | None:
    """The key of `score_tally`; None for a row without a score or a threshold."""
    bucket = row["at"] // SCORE_BUCKET_US * SCORE_BUCKET_US
    number = score_bin(row["score"], row["threshold"])
    return None if number is None else (bucket, row["stream"], row["version"], number)
