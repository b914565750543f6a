"""The information model of the OPC UA server: its states, and the fields of methods and events.

Names and values are those of OPC 40100-1, wherever it has one.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.ua import VariantType as Type

from edge.bridge.signals import Trouble
from edge.events.event import Inspection

Fields = tuple[tuple[str, Type], ...]

COMPLETED = 1  # ResultState
STATES = {
    Trouble.STARTING: "Preoperational",
    Trouble.LINE_SILENT: "Error",
    Trouble.LINE_FAULT: "Error",
    Trouble.LOG_SILENT: "Error",
    Trouble.LINE_PAUSED: "Halted",
    Trouble.HALTED: "Halted",
}
"""In all others the line judges each part by itself: Operational, ContinuousExecution."""
RECIPE_STATES = {"loading": "Preparing", "done": "Prepared", "failed": "Failed"}

FIELDS: Fields = (
    ("ResultId", Type.String),
    ("IsPartial", Type.Boolean),
    ("ResultState", Type.Int32),
    ("InternalRecipeId", Type.String),
    ("InternalConfigurationId", Type.String),
    ("JobId", Type.String),
    ("CreationTime", Type.DateTime),
    ("Verdict", Type.String),
    ("Score", Type.Double),
    ("TriggerId", Type.Int64),
    ("Encoder", Type.Int64),
    ("PartId", Type.String),
    ("ExternalRecipeId", Type.String),
)
"""What GetLatestResult returns, and what ResultReadyEventType carries."""

RECIPE: Fields = (("ExternalId", Type.String), ("InternalId", Type.String))
"""What RecipePreparedEventType carries."""

PREPARE_IN: Fields = (("ExternalId", Type.String), ("InternalIdIn", Type.String))
PREPARE_OUT: Fields = (
    ("InternalIdOut", Type.String),
    ("IsCompleted", Type.Boolean),
    ("Error", Type.Int32),
)
TRIGGER_IN: Fields = (("TriggerId", Type.Int64), ("Encoder", Type.Int64), ("PartId", Type.String))
TRIGGER_OUT: Fields = (("Given", Type.Boolean), ("Error", Type.Int32))


def result_of(inspection: Inspection | None, numbers: Mapping[str, int]) -> dict[str, Any]:
    """The values of FIELDS for a result; without one, no id and NG."""
    if inspection is None:
        empty: dict[str, Any] = dict.fromkeys((name for name, _ in FIELDS), "")
        return empty | {
            "IsPartial": False, "ResultState": 0, "CreationTime": datetime.now(UTC),
            "Verdict": "NG", "Score": 0.0, "TriggerId": 0, "Encoder": 0, "ExternalRecipeId": "0",
        }  # fmt: skip
    return {
        "ResultId": str(inspection.inspection_id),
        "IsPartial": False,
        "ResultState": COMPLETED,
        "InternalRecipeId": inspection.product,
        "InternalConfigurationId": inspection.version,
        "JobId": str(inspection.trigger_id or inspection.frame_id),
        "CreationTime": datetime.fromisoformat(inspection.captured_at),
        "Verdict": inspection.verdict,
        "Score": inspection.score or 0.0,
        "TriggerId": _int64(inspection.trigger_id or 0),
        "Encoder": _int64(inspection.encoder or 0),
        "PartId": inspection.part_id or "",
        "ExternalRecipeId": str(numbers.get(inspection.product, 0)),
    }


def _int64(value: int) -> int:
    """Modulo 2^64, signed: a camera's counter may be unsigned."""
    return (value + 2**63) % 2**64 - 2**63


def arguments(fields: Fields) -> list[ua.Argument]:
    """The fields as a method declares them."""
    return [
        ua.Argument(Name=name, DataType=ua.NodeId(ua.Int32(kind.value))) for name, kind in fields
    ]


def variants(fields: Fields, values: Iterable[Any]) -> tuple[ua.Variant, ...]:
    """One value for each field, with the field's type."""
    return tuple(ua.Variant(value, kind) for value, (_, kind) in zip(values, fields, strict=True))
