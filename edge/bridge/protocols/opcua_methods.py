"""Methods of OPC 40100-1: their arguments are those that the nodeset declares, and are checked."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError
from asyncua.ua.uatypes import VariantType

from edge.bridge.protocols.opcua_nodes import describe, status
from edge.bridge.protocols.opcua_nodeset import Standard

NUMBERS = {
    "Handle": VariantType.UInt32,
    "ResultStateDataType": VariantType.Int32,
    "TriStateBooleanDataType": VariantType.Int32,
}
Function = Callable[..., Awaitable[Sequence[Any]]]
"""Gets the values of the arguments, and returns those of the answer; raises `Refused`."""


class Refused(Exception):
    """A method cannot be called now; `code` is the status code of the call."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


@dataclass(frozen=True)
class Kind:
    """The type of an argument; `structure` is its class, where it is one of the standard."""

    variant: VariantType
    structure: type | None = None
    is_array: bool = False

    def fits(self, given: ua.Variant) -> bool:
        """A null fits everywhere: clients leave out what is optional."""
        if given.Value is None or self.variant is VariantType.Variant:
            return True
        if self.structure is not None:
            return isinstance(given.Value, self.structure)
        return given.VariantType is self.variant and not given.is_array

    def variant_of(self, value: Any) -> ua.Variant:
        """A value of the answer; asyncua finds the type where the standard leaves it open."""
        if value is None or self.variant is VariantType.Variant:
            return ua.Variant(value)
        return ua.Variant(value, self.variant, is_array=self.is_array)


class Methods:
    """Links functions to the methods of one object of the standard, whose type is `type_name`."""

    def __init__(self, standard: Standard, owner: Node, type_name: str) -> None:
        self._standard, self._owner = standard, owner
        self._type = standard.type(type_name)

    async def link(self, name: str, function: Function, text: str) -> None:
        """A client may call the object's own method, or name that of its type."""
        declared = await self._standard.child(self._type, name)
        try:
            own = await self._standard.child(self._owner, name)
        except UaError:  # an optional one: the object shows that of its type
            await self._owner.add_reference(declared, ObjectIds.HasComponent)
            own = declared
        call = self._checked(
            await self._kinds(declared, "0:InputArguments"),
            await self._kinds(declared, "0:OutputArguments"),
            function,
        )
        await describe(own, text)
        for node in (own, declared):
            self._standard.server.link_method(node, call)

    def _checked(
        self, wanted: Sequence[Kind], answer: Sequence[Kind], function: Function
    ) -> Callable[..., Awaitable[Any]]:
        async def call(parent: ua.NodeId, *given: ua.Variant) -> Any:
            if parent != self._owner.nodeid:
                return status(StatusCodes.BadMethodInvalid)
            if len(given) < len(wanted):
                return status(StatusCodes.BadArgumentsMissing)
            if len(given) > len(wanted):
                return status(StatusCodes.BadTooManyArguments)
            fits = [kind.fits(one) for kind, one in zip(wanted, given, strict=True)]
            if not all(fits):
                codes = (StatusCodes.Good if fit else StatusCodes.BadTypeMismatch for fit in fits)
                return ua.CallMethodResult(
                    StatusCode=status(StatusCodes.BadInvalidArgument),
                    InputArgumentResults=[status(code) for code in codes],
                )
            try:
                values = await function(*(one.Value for one in given))
            except Refused as refused:
                return status(refused.code)
            return [kind.variant_of(one) for kind, one in zip(answer, values, strict=True)]

        return call

    async def _kinds(self, method: Node, name: str) -> list[Kind]:
        try:
            arguments = await (await method.get_child(name)).read_value()
        except UaError:
            return []
        return [await self._kind(one) for one in arguments]

    async def _kind(self, argument: ua.Argument) -> Kind:
        is_array = argument.ValueRank == 1
        number = argument.DataType
        if number.NamespaceIndex == 0:
            if number.Identifier == ObjectIds.UtcTime:
                return Kind(VariantType.DateTime)
            return Kind(VariantType(number.Identifier), is_array=is_array)
        name = (await self._standard.server.get_node(number).read_browse_name()).Name
        if name in NUMBERS:
            return Kind(NUMBERS[name])
        return Kind(VariantType.ExtensionObject, getattr(ua, name), is_array)
