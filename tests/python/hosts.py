"""The libraries beneath which links run, servers and clients, behind one face each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import aiohttp
import kedge
import uvicorn
from aio_world import soon, until
from aiohttp import web
from fastapi import FastAPI, WebSocket
from kedge._core import _Client as Client
from kedge._hub import HubCalls as Hub
from kedge.adapters import aiohttp as aiohttp_adapter
from kedge.adapters import starlette
from kedge.adapters import websockets as websockets_adapter
from kedge.aio import Link, Stream
from kedge.aio._server import PATHS

Handler: TypeAlias = Callable[[Link], Awaitable[object]]
Host: TypeAlias = Callable[..., AbstractAsyncContextManager[int]]
Dialer: TypeAlias = Callable[..., AbstractAsyncContextManager[Stream]]


class Uvicorn(uvicorn.Server):
    """A server in the test's own loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def uvicorn_of(app: FastAPI, ws: str, **options: Any) -> AsyncIterator[int]:
    """The application on a port of its own."""
    config = uvicorn.Config(app, ws=ws, log_config=None, ws_per_message_deflate=False, **options)
    server = Uvicorn(config)
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started or task.done())
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await soon(task)


# ---- servers: a handler and a hub at a port ------------------------------------------------------


@asynccontextmanager
async def kedge_host(handler: Handler, hub: Hub, **options: Any) -> AsyncIterator[int]:
    async with kedge.serve(handler, hub=hub, **options) as server:
        yield server.port


@asynccontextmanager
async def starlette_host(
    handler: Handler,
    hub: Hub,
    *,
    state: Any = None,
    ws: str = "websockets-sansio",
) -> AsyncIterator[int]:
    app = FastAPI()

    @app.websocket(PATHS[hub.protocol])
    async def gateway(ws: WebSocket) -> None:
        async with starlette.link(ws, hub) as link:
            await handler(link)

    # Without a signal to catch: the hub stops before uvicorn closes by itself.
    async with (
        starlette.lifespan(hub, state=state),
        uvicorn_of(app, ws, ws_max_size=hub.message_limit) as port,
    ):
        yield port
        await starlette.stop(hub, state=state)


@asynccontextmanager
async def aiohttp_host(
    handler: Handler, hub: Hub, *, state: Any = None, **options: Any
) -> AsyncIterator[int]:
    app = web.Application()
    aiohttp_adapter.setup(app, hub, state=state)

    async def gateway(request: web.Request) -> web.StreamResponse:
        async with aiohttp_adapter.link(request, hub, **options) as link:
            await handler(link)
        response: web.StreamResponse = link.response
        return response

    app.router.add_get(PATHS[hub.protocol], gateway)
    app.router.add_get("/health", gateway)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await soon(runner.cleanup())


@asynccontextmanager
async def websockets_host(handler: Handler, hub: Hub, **options: Any) -> AsyncIterator[int]:
    async with websockets_adapter.serve(handler, hub=hub, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


HOSTS: dict[str, Host] = {
    "kedge": kedge_host,
    "starlette": starlette_host,
    "starlette-websockets": partial(starlette_host, ws="websockets"),
    "aiohttp": aiohttp_host,
    "websockets": websockets_host,
}


# ---- clients: a stream to a url ------------------------------------------------------------------


@asynccontextmanager
async def kedge_dialer(url: str, client: Client, **options: Any) -> AsyncIterator[Stream]:
    async with kedge.connect(url, client, **options) as stream:
        yield stream


@asynccontextmanager
async def aiohttp_dialer(
    url: str, client: Client, close_timeout: float = 5.0, **options: Any
) -> AsyncIterator[Stream]:
    options["timeout"] = aiohttp.ClientWSTimeout(ws_close=close_timeout)
    async with (
        aiohttp.ClientSession() as http,
        aiohttp_adapter.connect(http, url, client, **options) as stream,
    ):
        yield stream


@asynccontextmanager
async def websockets_dialer(url: str, client: Client, **options: Any) -> AsyncIterator[Stream]:
    async with websockets_adapter.connect(url, client, **options) as stream:
        yield stream


DIALERS: dict[str, Dialer] = {
    "kedge": kedge_dialer,
    "aiohttp": aiohttp_dialer,
    "websockets": websockets_dialer,
}
