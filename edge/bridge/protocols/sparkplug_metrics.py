"""The metrics that the bridge publishes as Sparkplug B: names, types, units, values.

docs/plc/mqtt.md has the same table; a test compares the two.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from edge.bridge.line_requests import Failure, Outcome
from edge.bridge.protocols.sparkplug_payload import DataType, Metric, Sample, Value
from edge.bridge.signals import Signals, Trouble
from edge.events.event import Inspection

INT32, INT64, UINT64 = DataType.INT32, DataType.INT64, DataType.UINT64
GOOD, BAD = 192, 0  # of the property Quality

BD_SEQ = Metric("bdSeq", INT64)
REBIRTH = Metric("Node Control/Rebirth", DataType.BOOLEAN)
OWNER = Metric("Node Info/Owner", DataType.STRING)
READY, TROUBLE, TROUBLE_NAME = "State/Ready", "State/Trouble", "State/Trouble Name"
NUMBER, NAME = "Product/Number", "Product/Name"
VERDICT = "Result/Verdict"

_STATE = {
    READY: (DataType.BOOLEAN, ""),
    TROUBLE: (INT32, ""),
    TROUBLE_NAME: (DataType.STRING, ""),
    "State/Heartbeat": (INT64, "s"),
    NUMBER: (INT32, ""),
    NAME: (DataType.STRING, ""),
    "Product/Change State": (DataType.STRING, ""),
    "Product/Change Failure": (INT32, ""),
    "Product/Change Message": (DataType.STRING, ""),
    "Counts/Inspected": (UINT64, "parts"),
    "Counts/OK": (UINT64, "parts"),
    "Counts/NG": (UINT64, "parts"),
    "Counts/No Verdict": (UINT64, "parts"),
    "Counts/Expired": (UINT64, "parts"),
    "Counts/Overruns": (UINT64, "parts"),
}
_RESULT = {
    VERDICT: (DataType.STRING, ""),
    "Result/Inspection ID": (UINT64, ""),
    "Result/Event": (UINT64, ""),
    "Result/Stream ID": (DataType.STRING, ""),
    "Result/Trigger ID": (INT64, ""),
    "Result/Encoder": (INT64, "counts"),
    "Result/Part ID": (DataType.STRING, ""),
    "Result/Product Number": (INT32, ""),
    "Result/Product Name": (DataType.STRING, ""),
    "Result/Product Version": (DataType.STRING, ""),
    "Result/Score": (DataType.DOUBLE, ""),
    "Result/Threshold": (DataType.DOUBLE, ""),
    "Result/Defects": (INT32, ""),
    "Result/Code": (INT32, ""),
    "Result/Code Name": (DataType.STRING, ""),
    "Result/Captured At": (DataType.DATETIME, "ms"),
}
METRICS = {
    name: Metric(name, kind, alias, unit)
    for alias, (name, (kind, unit)) in enumerate((_STATE | _RESULT).items(), 1)
}
"""Of the device, by name; aliases are counted from 1 in this order."""
NO_RESULT: dict[str, Value] = dict.fromkeys(_RESULT)
NO_TROUBLE: dict[str, Value] = {READY: True, TROUBLE: 0, TROUBLE_NAME: Trouble.NONE.name.lower()}


def state_values(
    signals: Signals, numbers: Mapping[str, int], change: Outcome | None, heartbeat: int
) -> dict[str, Value]:
    """What holds now, without a result. `change` is the last product change over Sparkplug."""
    counts = signals.counts
    return {
        READY: signals.ready,
        TROUBLE: int(signals.trouble),
        TROUBLE_NAME: Trouble(signals.trouble).name.lower(),
        "State/Heartbeat": heartbeat,
        NUMBER: numbers.get(signals.running, 0),
        NAME: signals.running,
        "Product/Change State": change.state if change else "none",
        "Product/Change Failure": int(change.failure if change else Failure.NONE),
        "Product/Change Message": change.message if change else "",
        "Counts/Inspected": counts.get("inspected", 0),
        "Counts/OK": counts.get("ok", 0),
        "Counts/NG": counts.get("ng", 0),
        "Counts/No Verdict": counts.get("no_verdict", 0),
        "Counts/Expired": counts.get("expired", 0),
        "Counts/Overruns": counts.get("overruns", 0),
    }


def result_values(inspection: Inspection, numbers: Mapping[str, int]) -> dict[str, Value]:
    """One part; the verdict is null where there is none."""
    verdict = inspection.verdict
    return {
        VERDICT: None if verdict == "NO_VERDICT" else verdict,
        "Result/Inspection ID": inspection.inspection_id,
        "Result/Event": inspection.seq,
        "Result/Stream ID": inspection.stream_id,
        "Result/Trigger ID": inspection.trigger_id,
        "Result/Encoder": inspection.encoder,
        "Result/Part ID": inspection.part_id,
        "Result/Product Number": numbers.get(inspection.product, 0),
        "Result/Product Name": inspection.product,
        "Result/Product Version": inspection.version,
        "Result/Score": inspection.score,
        "Result/Threshold": inspection.threshold,
        "Result/Defects": len(inspection.regions),
        "Result/Code": inspection.code.number,
        "Result/Code Name": inspection.code.name,
        "Result/Captured At": captured_ms(inspection),
    }


def captured_ms(inspection: Inspection) -> int:
    """Milliseconds since 1970, UTC."""
    return round(datetime.fromisoformat(inspection.captured_at).timestamp() * 1000)


def samples_of(
    values: Mapping[str, Value], at_ms: int, *, historical: bool = False
) -> Iterable[Sample]:
    """The verdict has a quality too: good where there is one, bad where it is null."""
    for name, value in values.items():
        quality = None
        if name == VERDICT:
            quality = BAD if value is None else GOOD
        yield Sample(METRICS[name], value, at_ms, historical, quality)
