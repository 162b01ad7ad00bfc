"""kedge on asyncio: `connect` for clients, `serve` for servers, `driven` for hosts of your own.

Whatever the two give is an asynchronous context manager, and nothing of it is left behind when that
is left, in whatever way: no task, no socket, no timer.
"""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Iterable, Sequence
from typing import Any, overload

from kedge._core import _Client
from kedge._hub import HubCalls as Hub
from kedge.aio._driver import Driver, driven
from kedge.aio._link import Link
from kedge.aio._server import (
    PATHS,
    HttpHandler,
    LinkHandler,
    Server,
    SocketHandler,
    check_path,
)
from kedge.aio._state import StatePath
from kedge.aio._stream import Stream, WireStream
from kedge.aio._websocket import Connecting, WebSocket

__all__ = [
    "Connecting",
    "Driver",
    "Link",
    "Server",
    "Stream",
    "WebSocket",
    "connect",
    "driven",
    "serve",
]

PING_INTERVAL = 20.0


@overload
def connect(
    url: str,
    client: _Client,
    *,
    ssl: ssl_module.SSLContext | None = None,
    headers: Iterable[tuple[str, str]] = (),
    open_timeout: float = 10.0,
    events_max: int | None = None,
) -> Stream: ...


@overload
def connect(
    url: str,
    client: None = None,
    *,
    ssl: ssl_module.SSLContext | None = None,
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: Iterable[str] = (),
    open_timeout: float = 10.0,
    events_max: int | None = None,
    message_limit: int = 1 << 20,
    ping_interval: float = PING_INTERVAL,
    ping_timeout: float = 20.0,
) -> Connecting: ...


def connect(
    url: str,
    client: _Client | None = None,
    *,
    ssl: ssl_module.SSLContext | None = None,
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: Iterable[str] = (),
    open_timeout: float = 10.0,
    events_max: int | None = None,
    message_limit: int = 1 << 20,
    ping_interval: float = PING_INTERVAL,
    ping_timeout: float = 20.0,
) -> Stream | Connecting:
    """A client's session over as many connections as it takes, or without `client` one plain
    WebSocket.

    ::

        client = kedge.gateway.Client(token=token, compress=True)
        async with kedge.connect("wss://chat.example.org", client) as stream:
            async for event in stream:
                match event:
                    case Dispatch(name="message_create", seq=n):
                        show(n, event.data)

    `url` tells scheme, host and port (ws, wss). The path is the client's, "/gateway" unless it was
    made with another; where the url has one too, the two must be the same. `ssl` is a context of
    your own, `headers` go into each request, `open_timeout` is for TCP and TLS together and once
    more for the upgrade, `events_max` events may wait (256) before reading pauses.

    Without a client::

        async with kedge.connect("ws://127.0.0.1:8765/echo") as websocket:
            await websocket.send("hello")
            async for message in websocket:
                ...

    Entering it raises OSError or RefusedError where no WebSocket comes of it. It pings after
    `ping_interval` seconds of silence (0: never), and is lost `ping_timeout` later.
    """
    if client is not None:
        return WireStream(
            url,
            client,
            ssl=ssl,
            open_timeout=open_timeout,
            headers=headers,
            events_max=events_max,
            options={},
        )
    options: dict[str, Any] = {
        "subprotocols": tuple(subprotocols),
        "message_limit": message_limit,
        "ping_interval": ping_interval,
        "ping_timeout": ping_timeout,
    }
    return Connecting(
        url,
        ssl=ssl,
        open_timeout=open_timeout,
        headers=headers,
        events_max=events_max,
        options=options,
    )


@overload
def serve(
    handler: LinkHandler,
    host: str | Sequence[str] | None = "127.0.0.1",
    port: int = 0,
    *,
    hub: Hub,
    path: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    origins: Iterable[str] | None = None,
    http: HttpHandler | None = None,
    state: StatePath | None = None,
    max_connections: int | None = None,
    events_max: int | None = None,
    handshake_timeout: float = 10.0,
    close_timeout: float = 5.0,
    ping_interval: float | None = None,
    ping_timeout: float = 20.0,
) -> Server: ...


@overload
def serve(
    handler: SocketHandler,
    host: str | Sequence[str] | None = "127.0.0.1",
    port: int = 0,
    *,
    hub: None = None,
    path: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    subprotocols: Iterable[str] = (),
    origins: Iterable[str] | None = None,
    http: HttpHandler | None = None,
    max_connections: int | None = None,
    events_max: int | None = None,
    message_limit: int = 1 << 20,
    handshake_timeout: float = 10.0,
    close_timeout: float = 5.0,
    ping_interval: float | None = None,
    ping_timeout: float = 20.0,
) -> Server: ...


def serve(
    handler: LinkHandler | SocketHandler,
    host: str | Sequence[str] | None = "127.0.0.1",
    port: int = 0,
    *,
    hub: Hub | None = None,
    path: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    subprotocols: Iterable[str] = (),
    origins: Iterable[str] | None = None,
    http: HttpHandler | None = None,
    state: StatePath | None = None,
    max_connections: int | None = None,
    events_max: int | None = None,
    message_limit: int = 1 << 20,
    handshake_timeout: float = 10.0,
    close_timeout: float = 5.0,
    ping_interval: float | None = None,
    ping_timeout: float = 20.0,
) -> Server:
    """A server: of a protocol's links with a `hub`, else of plain WebSockets.

    ::

        hub = kedge.gateway.Hub()

        async def handler(link):
            async for event in link:
                match event:
                    case Identify(token=token) | Resume(token=token):
                        link.accept(event, user=await user_of(token), topics=["feed:500"])

        async with kedge.serve(handler, "127.0.0.1", 8765, hub=hub) as server:
            hub.publish("feed:500", "message_create", {"text": "hello"})
            await asyncio.Event().wait()

    The handler is a coroutine for each connection, begun when that is open; where the protocol asks
    for credentials before that, with that question, and the connection opens when it is answered.
    When it returns, the connection is closed with 1000, which ends a gateway's session: stay in the
    loop for as long as the client should. When it raises, that is logged with its traceback and the
    connection closed, a gateway's with 4000 (its client comes back and resumes), others with 1011;
    no other is touched.

    Only requests for `path` are let in; others get a 404 (None: with a hub where its protocol's
    clients look for it, "/gateway", "/ws" or "/v1/"; without one any path). Of browsers only those
    on a page of `origins` are ("https://example.org"; None: any), others get a 403. Past
    `max_connections` the answer is 503. `http` is called with each request that asks for no upgrade
    (kedge.websocket.HttpRequest); it gives status, headers and body of the answer, or None.
    FlowLayer's "/health" is answered without it.

    `port` 0 is any free one, see `server.port` and `server.urls`. `state` names a file: the hub's
    sealed state is taken from there at the beginning and put there at the end, so that a restart
    loses nothing. `message_limit` is for plain WebSockets, a hub has its own. These are pinged
    after 20 seconds of silence, and links where the protocol has no keep-alive of its own;
    `ping_interval` sets it otherwise (plain: 0 is never).
    """
    if hub is not None and path is None:
        path = PATHS[hub.protocol]
    check_path(path)
    if ping_interval is None:
        ping_interval = 0.0 if hub is not None else PING_INTERVAL
    return Server(
        handler,
        host,
        port,
        hub=hub,
        path=path,
        ssl=ssl,
        subprotocols=subprotocols,
        origins=origins,
        http=http,
        state=state,
        max_connections=max_connections,
        events_max=events_max,
        close_timeout=close_timeout,
        options={
            "message_limit": message_limit,
            "handshake_timeout": handshake_timeout,
            "close_timeout": close_timeout,
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
        },
    )
