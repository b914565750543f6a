"""Results as OPC 40100-1 has them: kept for a while, found by id or filter, as structures."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncua import ua

from edge.bridge.protocols.opcua_model import COMPLETED, result_of
from edge.bridge.protocols.opcua_nodeset import value_of
from edge.bridge.simulated_line import SIMULATED
from edge.events.event import Inspection

KEPT = 500
CONTENT = ("Verdict", "Score", "TriggerId", "Encoder")
"""The fields of our own result that the standard has no place for."""


@dataclass(frozen=True)
class Job:
    """An execution: of one part, or of all until it is stopped. A client may give it a MeasId."""

    id: str = ""
    meas_id: str = ""


@dataclass(frozen=True)
class KeptResult:
    """A result that was offered, and the job that it belongs to."""

    inspection: Inspection
    job: Job


class Results:
    """The newest results that were offered; `number_of` gives a product's number."""

    def __init__(self, number_of: Callable[[str], str], space: int) -> None:
        self._kept: deque[KeptResult] = deque(maxlen=KEPT)
        self._number_of, self._space = number_of, space

    def add(self, inspection: Inspection, job: Job) -> dict[str, Any]:
        """Keep it; its fields, by the names of the standard."""
        self._kept.append(KeptResult(inspection, job))
        return self._fields(self._kept[-1])

    def get(self, result_id: str) -> dict[str, Any] | None:
        """The fields of a result; None where it is not kept."""
        for kept in reversed(self._kept):
            if str(kept.inspection.inspection_id) == result_id:
                return self._fields(kept)
        return None

    def find(self, wanted: Mapping[str, str], state: int) -> list[dict[str, Any]]:
        """Those whose ids are as wanted, newest first; an empty id and state 0 are any."""
        return list(self._found(wanted, state))

    def _found(self, wanted: Mapping[str, str], state: int) -> Iterator[dict[str, Any]]:
        for kept in reversed(self._kept):
            fields = self._fields(kept)
            ids = {name: getattr(fields.get(name), "Id", "") for name in wanted}
            if state in (0, fields["ResultState"]) and all(
                not value or ids[name] == value for name, value in wanted.items()
            ):
                yield fields

    def _fields(self, kept: KeptResult) -> dict[str, Any]:
        one, job = kept.inspection, kept.job
        times = datetime.fromisoformat(one.captured_at), datetime.fromisoformat(one.published_at)
        fields = {
            "ResultId": value_of("ResultIdDataType", Id=str(one.inspection_id)),
            "IsPartial": False,
            "IsSimulated": one.stream_id == SIMULATED,
            "ResultState": COMPLETED,
            "ExternalRecipeId": value_of(
                "RecipeIdExternalDataType", Id=self._number_of(one.product)
            ),
            "InternalRecipeId": value_of("RecipeIdInternalDataType", Id=one.product),
            "ProductId": value_of("ProductIdDataType", Id=one.product),
            "InternalConfigurationId": value_of("ConfigurationIdDataType", Id=one.version or ""),
            "JobId": value_of("JobIdDataType", Id=job.id),
            "CreationTime": times[0],
            "ProcessingTimes": value_of(
                "ProcessingTimesDataType", StartTime=times[0], EndTime=times[1]
            ),
            "ResultContent": self._content(one),
        }
        if job.meas_id:
            fields["MeasId"] = value_of("MeasIdDataType", Id=job.meas_id)
        if one.part_id:
            fields["PartId"] = value_of("PartIdDataType", Id=one.part_id)
        return fields

    def _content(self, inspection: Inspection) -> list[Any]:
        ours = result_of(inspection, {})
        return [
            ua.KeyValuePair(ua.QualifiedName(name, ua.UInt16(self._space)), ua.Variant(ours[name]))
            for name in CONTENT
        ]


def structure(fields: Mapping[str, Any]) -> Any:
    """The fields as a ResultDataType."""
    content = [ua.Variant(one) for one in fields["ResultContent"]]
    return value_of("ResultDataType", **{**fields, "ResultContent": content})
