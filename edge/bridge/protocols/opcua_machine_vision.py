"""The parts of OPC 40100-1 that a vision system has here: states, recipes and results (asyncua)."""

import logging
from collections.abc import Sequence
from typing import Any, TypeVar

from asyncua import ua
from asyncua.common.node import Node

from edge.bridge.line_requests import Failure
from edge.bridge.product_change import ChangeRequest
from edge.bridge.protocols.opcua_job_methods import JobMethods
from edge.bridge.protocols.opcua_jobs import Jobs
from edge.bridge.protocols.opcua_line import OpcuaLine
from edge.bridge.protocols.opcua_methods import Methods
from edge.bridge.protocols.opcua_nodes import Nodes, describe
from edge.bridge.protocols.opcua_nodeset import Standard, id_of, value_of
from edge.bridge.protocols.opcua_results import Results, structure
from edge.bridge.protocols.opcua_state_machines import StateMachines
from edge.bridge.signals import Signals
from edge.events.event import Inspection

log = logging.getLogger(__name__)

RECIPES, RESULTS = "RecipeManagementType", "ResultManagementType"
COMPONENTS = (
    "IsPartial", "IsSimulated", "ResultState", "MeasId", "PartId", "ExternalRecipeId",
    "InternalRecipeId", "ProductId", "ExternalConfigurationId", "InternalConfigurationId", "JobId",
    "CreationTime", "ProcessingTimes", "ResultContent",
)  # fmt: skip
"""What GetResultComponentsById answers between its handle and its error."""
ANY = 2  # TriStateBooleanDataType
One = TypeVar("One")


class MachineVision:
    """Fills the object VisionSystem: `build` once, then `publish`, `result` and `prepared`."""

    def __init__(self, standard: Standard, line: OpcuaLine, space: int) -> None:
        self._standard, self._line = standard, line
        self._results = Results(line.number_of, space)
        self._machines = StateMachines(standard)
        self._jobs = Jobs(line, self._machines)

    async def build(self, nodes: Nodes, system: Node) -> None:
        """Add what VisionSystemType leaves open."""
        methods = JobMethods(self._line, self._machines, self._jobs)
        await methods.link(self._standard, *await self._machines.build(nodes, system))
        self._ready = await nodes.event_of(system, self._standard.type("ResultReadyEventType"))
        self._recipe = await nodes.event_of(system, self._standard.type("RecipePreparedEventType"))
        await self._build_recipes(nodes, system)
        await self._build_results(nodes, system)

    async def publish(self, signals: Signals) -> None:
        """Show the state that the line is in."""
        await self._jobs.publish(signals.trouble)

    async def result(self, inspection: Inspection) -> None:
        """Keep a result that is offered, and send it."""
        fields = self._results.add(inspection, self._jobs.job_of(inspection))
        values = {name: ua.Variant(value) for name, value in fields.items()}
        values["ResultState"] = ua.Variant(fields["ResultState"], ua.VariantType.Int32)
        await self._ready.send_variants(f"part {inspection.trigger_id}", values)

    async def prepared(self, change: ChangeRequest) -> None:
        """Report that the line judges the product of a PrepareRecipe."""
        number = self._line.number_of(change.product)
        values = {
            "ExternalId": ua.Variant(value_of("RecipeIdExternalDataType", Id=number)),
            "InternalId": ua.Variant(value_of("RecipeIdInternalDataType", Id=change.product)),
            "ProductId": ua.Variant(value_of("ProductIdDataType", Id=change.product)),
        }
        await self._recipe.send_variants(f"the line judges {change.product}", values)

    async def _build_recipes(self, nodes: Nodes, system: Node) -> None:
        recipes = await self._part(nodes, system, "RecipeManagement", RECIPES)
        await describe(recipes, "The products of the table of recipes.")
        methods = Methods(self._standard, recipes, RECIPES)
        text = "The products of the table; the prepared one is what the line judges."
        await methods.link("GetRecipeListFiltered", self._list_recipes, text)
        text = "Changes the product that the line judges."
        await methods.link("PrepareRecipe", self._prepare, text)
        text = "Always refused: a line judges one product or another."
        await methods.link("UnprepareRecipe", self._unprepare, text)

    async def _build_results(self, nodes: Nodes, system: Node) -> None:
        results = await self._part(nodes, system, "ResultManagement", RESULTS)
        await describe(results, "The newest results that came in time; not for a reject gate.")
        methods = Methods(self._standard, results, RESULTS)
        text = "One of the newest results."
        await methods.link("GetResultById", self._get_result, text)
        await methods.link("GetResultComponentsById", self._get_components, text)
        text = "The newest results first."
        await methods.link("GetResultListFiltered", self._list_results, text)

    async def _part(self, nodes: Nodes, system: Node, name: str, kind: str) -> Node:
        where = f"{system.nodeid.Identifier!s}.{name}"
        return await nodes.add_part(
            system, self._standard.name(name), self._standard.type(kind), where
        )

    async def _list_recipes(
        self,
        external: Any,
        product: Any,
        prepared: int | None,
        limit: int | None,
        start: int | None,
        timeout: int | None,
    ) -> tuple[Any, ...]:
        running, wanted = self._line.feed.running(), id_of(external)
        names = [
            name
            for name, number in self._line.changes.numbers.items()
            if wanted in ("", name, str(number))
            and id_of(product) in ("", name)
            and (prepared is None or prepared == ANY or bool(prepared) == (name == running))
        ]
        names, is_complete = _page(names, limit, start)
        found = [value_of("RecipeIdInternalDataType", Id=name) for name in names]
        return is_complete, len(found), 0, found, 0

    async def _prepare(self, external: Any, internal: Any) -> tuple[Any, ...]:
        change = await self._line.prepare(id_of(external), id_of(internal))
        outcome = change.outcome
        name = value_of("RecipeIdInternalDataType", Id=change.product)
        return name, outcome.state == "done", -outcome.failure

    async def _unprepare(self, external: Any, internal: Any) -> tuple[Any, ...]:
        log.warning("UnprepareRecipe was refused: call PrepareRecipe for another product")
        return value_of("RecipeIdInternalDataType"), -Failure.REFUSED

    async def _get_result(self, result_id: Any, timeout: int | None) -> tuple[Any, ...]:
        fields = self._results.get(id_of(result_id))
        if fields is None:
            return 0, None, -Failure.UNKNOWN
        return 0, structure(fields), 0

    async def _get_components(self, result_id: Any, timeout: int | None) -> tuple[Any, ...]:
        fields = self._results.get(id_of(result_id))
        failure = Failure.UNKNOWN if fields is None else Failure.NONE
        return False, 0, *((fields or {}).get(name) for name in COMPONENTS), -failure

    async def _list_results(self, state: int | None, *rest: Any) -> tuple[Any, ...]:
        *ids, limit, start, _timeout = rest
        wanted = {name: id_of(value) for name, value in zip(FILTERS, ids, strict=True)}
        found, is_complete = _page(self._results.find(wanted, state or 0), limit, start)
        return is_complete, len(found), 0, [structure(one) for one in found], 0


FILTERS = (
    "MeasId", "PartId", "ExternalRecipeId", "InternalRecipeId", "ExternalConfigurationId",
    "InternalConfigurationId", "ProductId", "JobId",
)  # fmt: skip
"""The ids by which GetResultListFiltered chooses, in its order."""


def _page(found: Sequence[One], limit: int | None, start: int | None) -> tuple[list[One], bool]:
    """At most `limit` (0: all) from `start` on, and whether nothing is left after them."""
    rest = list(found)[start or 0 :]
    return rest[: limit or None], not limit or len(rest) <= limit
