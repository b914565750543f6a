"""OPC UA in the terms of OPC 40100-1 (machine vision), without its full nodeset (asyncua).

Objects/VisionSystem: CurrentState, Trouble, Heartbeat, counts; the event ResultReady for each
verdict that came in time; the methods GetLatestResult (what is valid at that moment, and NG
otherwise), PrepareRecipe (change the product; RecipePrepared tells when it runs), Trigger, Halt and
Reset.
"""

import asyncio
import logging
from queue import SimpleQueue
from typing import Any, cast

from edge.base.tcp import keep_alive
from edge.bridge.feed import BridgeError, Feed
from edge.bridge.plc_trigger import PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.opcua_security import OpcuaSecurity, server_of
from edge.bridge.protocols.opcua_vision_system import POLL_S, VisionSystem
from edge.events.event import Inspection

log = logging.getLogger(__name__)


async def serve(
    feed: Feed,
    changes: ProductChanges,
    triggering: PlcTrigger,
    results: SimpleQueue[Inspection],
    deadline_s: float,
    security: OpcuaSecurity,
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set or the feed has died. Raises BridgeError where it cannot listen.

    `results` is filled by the feed's thread.
    """
    server = await server_of(security)
    system = VisionSystem(server, feed, changes, triggering, results, deadline_s, security)
    await system.build()
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
    watching = asyncio.create_task(triggering.stall.watch())
    log.info("OPC UA on %s", server.endpoint.geturl())
    try:
        while not stop.is_set() and feed.died is None:
            await system.publish()
            await asyncio.sleep(POLL_S)
    finally:
        watching.cancel()
        await server.stop()
