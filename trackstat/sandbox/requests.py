"""A request under the fault plan: delayed, refused, cut off before or after the thing was done."""

import asyncio
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from trackstat.sandbox.faults import Faults
from trackstat.sandbox.ledger import Ledger

Answer = Callable[[int, int], web.Response]


async def under_faults(
    request: web.Request,
    faults: Faults,
    ledger: Ledger,
    where: str,
    subject: dict[str, str],
    act: Callable[[], web.Response],
    error: Answer,
) -> web.Response:
    """`act` accepts or refuses; `error(status, retry_after)` words an error as the service would."""
    if not faults.rules:
        return act()
    latency = faults.latency(where, **subject)
    if latency:
        await asyncio.sleep(latency)
    fault = faults.pick(where, **subject)
    if fault is None:
        return act()
    ledger.append("fault", where=where, action=fault.action, subject=subject.get("to"))
    if fault.action == "429":
        return error(429, fault.retry_after)
    if fault.action == "500_before":
        return error(fault.status, 0)
    if fault.action == "reset_before":
        return reset(request)
    if fault.action == "stall_before":
        await asyncio.sleep(fault.seconds)
        return reset(request)
    response = act()
    if fault.action == "500_after":
        return error(fault.status, 0)
    if fault.action == "reset_after":
        return reset(request)
    await asyncio.sleep(fault.seconds)
    return response


def reset(request: web.Request) -> web.Response:
    """Cut the connection with a TCP reset; the response returned is never seen."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)
