"""Nodes of the OPC UA server: string ids that are their browse path, descriptions, units, events.

An id that counts the nodes in the order of their creation would change with each new node, and
clients keep ids. asyncua gives such ids by default.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.event_generator import EventGenerator
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from edge.bridge.protocols.opcua_model import DESCRIPTIONS, Fields, arguments

log = logging.getLogger(__name__)

SERVER = ua.NodeId(ua.Int32(ObjectIds.Server))
UNITS = "http://www.opcfoundation.org/UA/units/un/cefact"
ONE = "C62"  # the code of UN/CEFACT for a number of pieces


class Nodes:
    """Adds nodes to a server, in the namespace with the index `space`."""

    def __init__(self, server: Server, space: int) -> None:
        self._server, self._space = server, space

    async def add_object(self, name: str, kind: Node) -> Node:
        """An object of a type below Objects, whose events the Server object passes on."""
        objects = self._server.nodes.objects
        node = await self.add_part(objects, self._name(name), kind, name)
        await describe(node, DESCRIPTIONS[name])
        await self._server.nodes.server.add_reference(node, ObjectIds.HasNotifier)
        return node

    async def add_part(self, parent: Node, name: ua.QualifiedName, kind: Node, path: str) -> Node:
        """An object with what its type demands, whose ids begin with `path`."""
        return await parent.add_object(
            self._id(path), name, objecttype=kind.nodeid, instantiate_optional=False
        )

    async def add_variable(self, parent: Node, name: str, value: Any, *, counts: bool) -> Node:
        """A variable of the value's type; `counts` gives it a unit."""
        path = _path(parent, name)
        node = await parent.add_variable(self._id(path), self._name(name), value)
        await describe(node, DESCRIPTIONS[name])
        if counts:
            code = int.from_bytes(ONE.encode(), "big")
            unit = ua.EUInformation(UNITS, code, ua.LocalizedText("1"), ua.LocalizedText("pieces"))
            where = self._id(f"{path}.EngineeringUnits"), ua.QualifiedName("EngineeringUnits", 0)
            await node.add_property(*where, unit)
        return node

    async def add_method(
        self, parent: Node, name: str, function: "Method", wanted: Fields, answer: Fields
    ) -> None:
        """A method whose arguments are checked before `function` gets their values."""
        path = _path(parent, name)
        checked = check_arguments(wanted, function)
        node = await parent.add_method(self._id(path), self._name(name), checked)
        await describe(node, DESCRIPTIONS[name])
        for title, fields in (("InputArguments", wanted), ("OutputArguments", answer)):
            if fields:
                where = self._id(f"{path}.{title}"), ua.QualifiedName(title, 0)
                kind = ua.VariantType.ExtensionObject
                await node.add_property(*where, arguments(fields), kind, ObjectIds.Argument)

    async def add_event(self, emitter: Node, name: str, fields: Fields) -> "Event":
        """A type of event with these fields, which `emitter` sends."""
        base = self._server.nodes.base_event_type
        node = await base.add_object_type(self._id(name), self._name(name))
        await describe(node, DESCRIPTIONS[name])
        for field, kind in fields:
            where = self._id(f"{name}.{field}"), self._name(field)
            added = await node.add_property(*where, ua.get_default_value(kind), kind)
            await added.set_modelling_rule(True)
            await describe(added, DESCRIPTIONS[field])
        return await self.event_of(emitter, node)

    async def event_of(self, emitter: Node, kind: Node) -> "Event":
        """Events of a type that is there, which `emitter` sends."""
        generator = await self._server.get_event_generator(kind, emitter.nodeid)
        fields = [(await one.read_browse_name()).Name for one in await kind.get_properties()]
        return Event(self._server, generator, frozenset(fields))

    def _id(self, path: str) -> ua.NodeId:
        return ua.NodeId(ua.String(path), ua.Int16(self._space))

    def _name(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, ua.UInt16(self._space))


class Event:
    """Sends events of one type from its emitter, and from the Server object.

    Generic clients subscribe there: the standard wants all events of a server at that object.
    """

    def __init__(self, server: Server, generator: EventGenerator, fields: frozenset[str]) -> None:
        self._session, self._generator = server.iserver.isession, generator
        self._fields = fields  # of the type itself

    async def send(self, message: str, values: Iterable[tuple[str, Any]]) -> None:
        """Send it with these values, which have the types of the event's fields."""
        event = self._generator.event
        for name, value in values:
            setattr(event, name, value)
        await self._trigger(message)

    async def send_variants(self, message: str, values: Mapping[str, ua.Variant]) -> None:
        """Send it with these values; the type's other fields are null."""
        event = self._generator.event
        for name in self._fields - values.keys():
            event.add_property(name, None, ua.VariantType.Null)
        for name, value in values.items():
            event.add_property(name, value.Value, value.VariantType)
        await self._trigger(message)

    async def _trigger(self, message: str) -> None:
        event = self._generator.event
        await self._generator.trigger(message=message)
        emitter, event.emitting_node = event.emitting_node, SERVER
        try:
            await self._session.subscription_service.trigger_event(event)
        finally:
            event.emitting_node = emitter


Method = Callable[..., Awaitable[Iterable[ua.Variant]]]


def check_arguments(fields: Fields, function: Method) -> Callable[..., Awaitable[Any]]:
    """The function as asyncua calls it; wrong arguments get the status code of the standard."""

    async def call(parent: ua.NodeId, *given: ua.Variant) -> Any:
        if len(given) < len(fields):
            return status(StatusCodes.BadArgumentsMissing)
        if len(given) > len(fields):
            return status(StatusCodes.BadTooManyArguments)
        fits = [_fits(one, kind) for one, (_, kind) in zip(given, fields, strict=True)]
        if not all(fits):
            codes = (StatusCodes.Good if fit else StatusCodes.BadTypeMismatch for fit in fits)
            return ua.CallMethodResult(
                StatusCode=status(StatusCodes.BadInvalidArgument),
                InputArgumentResults=[status(code) for code in codes],
            )
        return list(await function(*(one.Value for one in given)))

    return call


def _fits(given: ua.Variant, kind: ua.VariantType) -> bool:
    """A text, which may be null; a method checks its numbers itself, and answers what is wrong."""
    return kind is not ua.VariantType.String or isinstance(given.Value, str | None)


def status(code: int) -> ua.StatusCode:
    """A status code as a value."""
    return ua.StatusCode(ua.UInt32(code))


def _path(parent: Node, name: str) -> str:
    return f"{parent.nodeid.Identifier!s}.{name}"


async def describe(node: Node, text: str) -> None:
    """Give a node its description."""
    value = ua.DataValue(ua.Variant(ua.LocalizedText(text, "en")))
    await node.write_attribute(AttributeIds.Description, value)
