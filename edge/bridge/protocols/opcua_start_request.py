"""What a client asks for with StartContinuous and StartSingleJob."""

from typing import Any, NamedTuple

from edge.bridge.protocols.opcua_line import OpcuaLine
from edge.bridge.protocols.opcua_nodeset import id_of

LONGEST = 200  # characters of a client's MeasId, and of its texts in the log


class StartRequest(NamedTuple):
    """The arguments of both methods, in the order of OPC 40100-1."""

    meas: Any
    part: Any
    recipe: Any
    product: Any
    parameters: Any

    def why_refused(self, line: OpcuaLine) -> str:
        """What a line cannot do of it; empty where it can do all."""
        running = line.feed.running()
        wanted = id_of(self.recipe)
        if wanted and wanted not in (running, line.number_of(running)):
            return f"the line judges {running}, not {wanted[:LONGEST]!r}: call PrepareRecipe"
        if id_of(self.product) not in ("", running):
            return f"the line judges {running}, not {id_of(self.product)[:LONGEST]!r}"
        if self.parameters:
            return "a line has no parameters"
        if len(id_of(self.meas)) > LONGEST:
            return f"its MeasId is longer than {LONGEST} characters"
        return ""
