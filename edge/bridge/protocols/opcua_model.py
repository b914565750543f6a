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

COUNT_TEXTS = {
    "inspected": "Parts that were inspected, since the start.",
    "ok": "Parts that are OK, since the start.",
    "ng": "Parts that are NG, since the start.",
    "no_verdict": "Parts without a verdict, since the start.",
    "expired": "Verdicts that came too late, since the start.",
    "overruns": "Results that were dropped, since the start.",
}
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

DESCRIPTIONS = {
    "VisionSystem": "The inspection of one station, in the terms of OPC 40100-1.",
    "CurrentState": "Preoperational, Halted, Error or Operational.",
    "OperationalState": "ContinuousExecution while Operational; else empty.",
    "Trouble": "Why there is no valid result; none where nothing is wrong.",
    "Heartbeat": "Counts up about 20 times a second while the bridge is alive.",
    "Certificate": "What is wrong with the server's certificate; empty where nothing is.",
    "RecipeState": "Of the last PrepareRecipe: Preparing, Prepared or Failed.",
    "RecipeError": "Why it failed, as a negative number; 0 where it did not.",
    **{f"Count_{name}": text for name, text in COUNT_TEXTS.items()},
    "GetLatestResult": "The result that is valid now; without one an empty ResultId and NG.",
    "PrepareRecipe": "Changes the product that the line judges.",
    "Trigger": "A part is under the camera: takes its picture.",
    "Halt": "Nothing is offered until Reset.",
    "Reset": "Ends Halt, and the trouble of a part.",
    "ResultReadyEventType": "A part was judged in time.",
    "RecipePreparedEventType": "The line judges the product of a PrepareRecipe.",
    "ResultId": "The inspection id; empty without a result.",
    "IsPartial": "False: the result is complete.",
    "ResultState": "1: completed; 0 without a result.",
    "InternalRecipeId": "The product's name.",
    "ExternalRecipeId": "The product's number in the table of recipes; 0 where it has none.",
    "InternalConfigurationId": "The version of the product that judged.",
    "JobId": "The trigger id, or the frame id without one.",
    "CreationTime": "Of the trigger, in UTC.",
    "Verdict": "OK or NG.",
    "Score": "NG from the threshold on.",
    "TriggerId": "Of the part; 0 without one.",
    "Encoder": "Count at the trigger, modulo 2^64, signed; 0 without one.",
    "PartId": "Of the part; empty without one.",
    "ExternalId": "A product's number in the table of recipes, or its name.",
    "InternalId": "The product's name.",
    "InternalIdIn": "The product's name; it has priority.",
    "InternalIdOut": "The product's name.",
    "IsCompleted": "Whether the line judges the product.",
    "Given": "Whether the line has accepted the trigger.",
    "Error": "Why it failed, as a negative number; 0 where it did not.",
}


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
        ua.Argument(
            Name=name,
            DataType=ua.NodeId(ua.Int32(kind.value)),
            Description=ua.LocalizedText(DESCRIPTIONS[name], "en"),
        )
        for name, kind in fields
    ]


def variants(fields: Fields, values: Iterable[Any]) -> tuple[ua.Variant, ...]:
    """One value for each field, with the field's type."""
    return tuple(ua.Variant(value, kind) for value, (_, kind) in zip(values, fields, strict=True))
