"""An OPC UA server of OPC 40100-1, machine vision (asyncua).

Objects/VisionSystem is a VisionSystemType, with its state machines, recipes, results and events,
and with variables and methods of our own in plain types; GetLatestResult is what is valid at that
moment, and NG otherwise.
"""

import asyncio
import logging
from queue import SimpleQueue
from typing import Any, cast

from edge.base.tcp import keep_alive
from edge.bridge.feed import BridgeError
from edge.bridge.protocols.opcua_line import POLL_S, LineParts, OpcuaLine
from edge.bridge.protocols.opcua_security import OpcuaSecurity, server_of
from edge.bridge.protocols.opcua_vision_system import VisionSystem
from edge.events.event import Inspection

log = logging.getLogger(__name__)


async def serve(
    parts: LineParts,
    results: SimpleQueue[Inspection],
    security: OpcuaSecurity,
    nodeset: str,
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set or the feed has died. Raises BridgeError where it cannot listen.

    `results` is filled by the feed's thread; `nodeset` is that of OPC 40100-1, as XML.
    """
    server = await server_of(security)
    system = VisionSystem(server, OpcuaLine(parts), results, security)
    await system.build(nodeset)
    try:
        await server.start()
    except OSError as error:
        raise BridgeError(
            f"cannot listen on {security.host}:{security.port} ({error.strerror}): another program "
            "(perhaps a bridge) has the port, or the address is not of this machine: "
            "choose another --listen"
        ) from error
    for listening in cast(Any, server.bserver)._server.sockets:  # asyncua sets no options itself
        keep_alive(listening)
    watching = asyncio.create_task(parts.triggering.stall.watch())
    log.info("OPC UA on %s", server.endpoint.geturl())
    try:
        while not stop.is_set() and parts.feed.died is None:
            await system.publish()
            await asyncio.sleep(POLL_S)
    finally:
        watching.cancel()
        await server.stop()
