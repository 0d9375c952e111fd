"""The HTTP and SMTP servers of one sandbox."""

import asyncio
import ipaddress
import logging
import signal
import socket
from pathlib import Path

import aiohttp
from aiohttp import web

from trackstat.sandbox.control_api import ControlApi, said
from trackstat.sandbox.ehr_api import EhrApi
from trackstat.sandbox.ehr_control import EhrControl
from trackstat.sandbox.pages import Pages
from trackstat.sandbox.refusals import Refusal
from trackstat.sandbox.sandbox import Sandbox
from trackstat.sandbox.services import ServicesApi

log = logging.getLogger(__name__)


def application(sandbox: Sandbox, session: aiohttp.ClientSession, *, trust_network: bool = False) -> web.Application:
    @web.middleware
    async def edge(request: web.Request, handler) -> web.StreamResponse:
        ours = request.path.startswith("/sandbox")
        if ours and not trust_network and not _from_here(request):
            return said(
                {"error": "the sandbox is controlled from its own machine only; see --trust-network"}, status=403
            )
        try:
            return await handler(request)
        except Refusal as refusal:
            return refusal.answer()
        except ValueError as wrong:
            if ours:
                return said({"error": str(wrong)}, status=400)
            raise
        except web.HTTPNotFound:
            return said({"error": "not found"}, status=404) if ours else Refusal(20404, request.path).answer()

    app = web.Application(middlewares=[edge], client_max_size=30 * 1024**2)
    app.add_routes(sandbox.twilio.routes())
    app.add_routes(ServicesApi(sandbox.twilio).routes())
    app.add_routes(sandbox.mailgun.routes())
    ehr = EhrApi(sandbox.clock, sandbox.ehrs, sandbox.exports, sandbox.faults, sandbox.ledger, session)
    app.add_routes(ehr.routes())
    app.add_routes(ControlApi(sandbox, session).routes())
    app.add_routes(EhrControl(sandbox).routes())
    app.add_routes(Pages(sandbox, session).routes())
    return app


def _from_here(request: web.Request) -> bool:
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


async def serve(
    folder: Path, host: str, port: int, smtp_port: int, speed: float = 1.0, *, trust_network: bool = False
) -> None:
    """Run until SIGTERM or SIGINT. Prints one line when ready. Raises OSError where a port or the folder is taken."""
    sandbox = Sandbox(folder, speed)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        runner = web.AppRunner(
            application(sandbox, session, trust_network=trust_network), access_log=None, shutdown_timeout=1
        )
        await runner.setup()
        passing = asyncio.create_task(sandbox.run())
        try:
            # Opened here rather than by aiohttp, so that port 0 can be told.
            listening = socket.create_server((host, port), backlog=1024)
            await web.SockSite(runner, listening).start()
            smtp = await loop.create_server(sandbox.mailbox.server, host, smtp_port, backlog=1024)
            print(f"sandbox ready http={_address(listening)} smtp={_address(smtp.sockets[0])}", flush=True)
            await asyncio.wait([passing, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
            smtp.close()
        finally:
            await runner.cleanup()
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
            sandbox.close()
        if not passing.cancelled() and passing.exception():
            raise passing.exception()


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"{host}:{port}"
