"""Sessions under aiohttp, as its server and as its client.

A server::

    hub = kedge.gateway.Hub()
    app = web.Application()
    kedge.adapters.aiohttp.setup(app, hub, state="gateway.state")

    @routes.get("/gateway")
    async def gateway(request):
        async with kedge.adapters.aiohttp.link(request, hub) as link:
            async for event in link:
                match event:
                    case Identify(token=token) | Resume(token=token):
                        link.accept(event, user=await user_of(token), topics=["feed:500"])
        return link.response

A client::

    client = kedge.gateway.Client(token=token)
    async with aiohttp.ClientSession() as http:
        async with kedge.adapters.aiohttp.connect(http, "wss://chat.example.org", client) as stream:
            async for event in stream:
                ...

What the protocol needs of aiohttp's WebSockets is set: the largest message, no permessage-deflate,
no close of aiohttp's own (it answers 1000 to any), pings only where the protocol has no keep-alive.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar, TypeAlias

import aiohttp
from aiohttp import web

from kedge._core import Binary, Decline, Handshake, Text, Upgrade, _Client
from kedge._hub import HubCalls as Hub
from kedge.aio import _link, _state
from kedge.aio._carrier import (
    CLOSE_TIMEOUT,
    PING_INTERVAL,
    PINGED,
    CarriedStream,
    Courier,
    Ended,
    Socket,
    bytes_of,
    stop,
)
from kedge.aio._driver import driven
from kedge.aio._link import EVENTS_MAX
from kedge.aio._stream import Stream
from kedge.errors import RefusedError

__all__ = ["Link", "Stream", "connect", "link", "setup", "stop"]

NORMAL = 1000

_WebSocket: TypeAlias = "web.WebSocketResponse[Any] | aiohttp.ClientWebSocketResponse[Any]"


class _Socket(Socket):
    """The part that is the same of aiohttp's two kinds of WebSocket."""

    def __init__(self, ws: _WebSocket) -> None:
        self._ws = ws

    async def send(self, message: Text | Binary) -> None:
        kind = aiohttp.WSMsgType.TEXT if isinstance(message, Text) else aiohttp.WSMsgType.BINARY
        await self._ws.send_frame(message.data, kind)

    async def receive(self) -> bytes | Text | Ended:
        message = await self._ws.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return Text(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            data: bytes = message.data
            return data
        if message.type is aiohttp.WSMsgType.CLOSE:
            await self._ws.close(code=message.data or NORMAL)
            return Ended("peer", message.data or None, message.extra or "")
        if isinstance(message.data, aiohttp.WebSocketError):
            return Ended("host", message.data.code)
        return Ended()

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code=code, message=reason.encode())

    async def end(self) -> None:
        await self._ws.close()


def heartbeat_of(protocol: str) -> float | None:
    """aiohttp's own pings, only where the protocol has no keep-alive."""
    return PING_INTERVAL if protocol in PINGED else None


# ---- servers -------------------------------------------------------------------------------------


class Link(_link.Link):
    """A link, and what its route returns to aiohttp at the end."""

    response: web.StreamResponse = web.StreamResponse(status=503)
    """The WebSocket, or the answer to a request that was declined."""


def link(
    request: web.Request, hub: Hub, *, events_max: int = EVENTS_MAX, **options: Any
) -> _Courier:
    """One request's link: an asynchronous context manager, whose target is a Link. Return its
    `response` from the route. `options` go to aiohttp's WebSocketResponse.

    When the block ends while the link is open, it is closed with 1000, which ends a gateway's
    session; if it raises, with 4000 (others: 1011), so that the client comes back, and the
    exception goes on to aiohttp, which logs it. Nothing is left behind when it is cancelled; the
    session stays.

    FlowLayer's /health is answered in the same way: let its route do the same as that of "/ws".
    """
    return _Courier(request, hub, events_max, options)


class _ServerSocket(_Socket):
    def __init__(self, ws: web.WebSocketResponse[Any], request: web.Request) -> None:
        super().__init__(ws)
        self._request = request

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


class _Courier(Courier):
    link_type: ClassVar[type[_link.Link]] = Link

    def __init__(
        self, request: web.Request, hub: Hub, events_max: int, options: dict[str, Any]
    ) -> None:
        super().__init__(
            hub,
            events_max=events_max,
            peer=request.remote,
            target=bytes_of(request.raw_path),
            headers=request.raw_headers,
            upgrade="Upgrade" in request.headers,
        )
        self._request = request
        self._options = options

    async def accept(self, upgrade: Upgrade) -> Socket:
        defaults: dict[str, Any] = {
            "timeout": CLOSE_TIMEOUT,
            "autoclose": False,
            "compress": False,
            "decode_text": False,
            "heartbeat": heartbeat_of(self._hub.protocol),
            "max_msg_size": self._hub.message_limit + 1,  # aiohttp: less than that
            "protocols": () if upgrade.subprotocol is None else (upgrade.subprotocol,),
        }
        ws = web.WebSocketResponse[Any](**(defaults | self._options))
        ws.headers.extend(upgrade.headers)
        await ws.prepare(self._request)
        self._respond(ws)
        return _ServerSocket(ws, self._request)

    async def decline(self, decline: Decline) -> None:
        self._respond(
            web.Response(status=decline.status, headers=decline.headers, body=decline.body)
        )

    def _respond(self, response: web.StreamResponse) -> None:
        link = self._link
        assert isinstance(link, Link)
        link.response = response


def setup(
    app: web.Application,
    hub: Hub,
    *,
    state: _state.StatePath | None = None,
    close_timeout: float = CLOSE_TIMEOUT,
) -> None:
    """Gives the hub the life of the application: when that stops the hub does, which closes its
    links with 4008 before aiohttp closes anything.

    `state` names a file: the hub's sealed state is taken from there at the beginning, and put
    there at the end, so that a restart loses nothing. aiohttp begins before it has its port, and
    does not say when it has: so the state is restored, but the file stays until the first link, or
    until something is published. A process that finds the port taken leaves it, or puts it back; a
    state that another put there meanwhile stays.
    """

    async def live(app: web.Application) -> AsyncIterator[None]:
        with driven(hub) as driver:
            if state is not None:
                driver.claim = _state.Claim(hub, state)
            yield

    async def shut_down(app: web.Application) -> None:
        await stop(hub, state=state, close_timeout=close_timeout)

    app.cleanup_ctx.append(live)
    app.on_shutdown.append(shut_down)


# ---- clients -------------------------------------------------------------------------------------


def connect(
    http: aiohttp.ClientSession,
    url: str,
    client: _Client,
    *,
    headers: Iterable[tuple[str, str]] = (),
    open_timeout: float = 10.0,
    events_max: int | None = None,
    **options: Any,
) -> Stream:
    """A client's session over as many of aiohttp's WebSockets as it takes: what kedge.connect
    gives. `options` go to the ws_connect of `http`: ssl, proxy, ..."""
    return _Stream(
        http,
        url,
        client,
        headers=headers,
        open_timeout=open_timeout,
        events_max=events_max,
        options=options,
    )


class _ClientSocket(_Socket):
    def abort(self) -> None:
        # aiohttp lets nobody at the transport; without its socket what end() says goes nowhere.
        carrier: socket.socket | None = self._ws.get_extra_info("socket")
        if carrier is not None:
            with contextlib.suppress(OSError):
                carrier.shutdown(socket.SHUT_RDWR)


class _Stream(CarriedStream):
    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        client: _Client,
        *,
        headers: Iterable[tuple[str, str]],
        open_timeout: float,
        events_max: int | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__(url, client, open_timeout=open_timeout, events_max=events_max)
        self._http = http
        self._headers = tuple(headers)
        self._options = options

    async def _open(self, url: str, wish: Handshake) -> Socket:
        defaults: dict[str, Any] = {
            "autoclose": False,
            "compress": 0,
            "decode_text": False,
            "heartbeat": heartbeat_of(self._client.protocol),
            "max_msg_size": wish.message_limit + 1,  # aiohttp: less than that
            "timeout": aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
        }
        try:
            ws = await self._http.ws_connect(
                url,
                headers=[*self._headers, *wish.headers],
                protocols=wish.subprotocols,
                **(defaults | self._options),
            )
        except aiohttp.WSServerHandshakeError as error:
            answered = () if error.headers is None else tuple(error.headers.items())
            raise RefusedError(error.status, answered) from None
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from None
        return _ClientSocket(ws)
