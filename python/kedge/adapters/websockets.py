"""Sessions under the websockets library (websockets.asyncio), as its server and as its client.

A server::

    hub = kedge.gateway.Hub()

    async def handler(link):
        async for event in link:
            match event:
                case Identify(token=token) | Resume(token=token):
                    link.accept(event, user=await user_of(token), topics=["feed:500"])

    async with kedge.adapters.websockets.serve(handler, "127.0.0.1", 8765, hub=hub):
        await asyncio.Event().wait()

A client::

    client = kedge.gateway.Client(token=token)
    async with kedge.adapters.websockets.connect("wss://chat.example.org", client) as stream:
        async for event in stream:
            ...

Both take whatever websockets' own serve and connect take besides. What the protocol needs of them
is set already: the largest message, no permessage-deflate, pings only where the protocol has no
keep-alive of its own. A server of yours that has other routes as well uses `Service`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from kedge._core import Binary, Decline, Handshake, Text, Upgrade, _Client
from kedge._hub import HubCalls as Hub
from kedge.aio import _state
from kedge.aio._carrier import (
    CLOSE_TIMEOUT,
    PING_INTERVAL,
    PING_TIMEOUT,
    PINGED,
    CarriedStream,
    Courier,
    Ended,
    LinkHandler,
    Socket,
    attend,
    stop,
)
from kedge.aio._driver import driven
from kedge.aio._link import EVENTS_MAX, Link
from kedge.aio._server import HEALTH, PATHS
from kedge.aio._stream import Stream
from kedge.errors import RefusedError

__all__ = ["Link", "Service", "Stream", "connect", "serve", "stop"]

NO_CODE = 1005


class _Socket(Socket):
    """websockets gives no text as bytes without losing that it is one; it takes them."""

    faults = (ConnectionClosed, OSError)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def send(self, message: Text | Binary) -> None:
        await self._connection.send(message.data, text=isinstance(message, Text))

    async def receive(self) -> str | bytes | Ended:
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            return ended_by(closed)

    async def close(self, code: int, reason: str) -> None:
        await self._connection.close(code, reason)

    def abort(self) -> None:
        self._connection.transport.abort()

    async def end(self) -> None:
        await self._connection.wait_closed()
        # One of TLS that the peer closed complains, before Python 3.11, that nobody closed it.
        self._connection.transport.close()


def ended_by(closed: ConnectionClosed) -> Ended:
    """The library answers a peer's close with its own code, and closes by itself what breaks the
    protocol, or answers no ping."""
    received, sent = closed.rcvd, closed.sent
    if received is not None and closed.rcvd_then_sent is not False:
        code = None if received.code == NO_CODE else int(received.code)
        return Ended("peer", code, received.reason)
    if sent is not None:
        return Ended("host", int(sent.code), sent.reason)
    return Ended()


def pings_of(protocol: str) -> dict[str, float | None]:
    """The library's own keep-alive, only where the protocol has none."""
    if protocol in PINGED:
        return {"ping_interval": PING_INTERVAL, "ping_timeout": PING_TIMEOUT}
    return {"ping_interval": None}


# ---- servers -------------------------------------------------------------------------------------


class Service:
    """A handler of links as a handler of websockets' connections::

        service = Service(handler, hub)
        async with websockets.asyncio.server.serve(service, host, port, **service.options):
            ...

    `handler` is a coroutine for each link, as for kedge.serve; it is begun with the request, before
    the WebSocket is open. Only requests for `path` are let in (None: where the protocol's clients
    look for it), others get a 404. A server with more to do calls `process_request` and the other
    two from its own.
    """

    def __init__(
        self,
        handler: LinkHandler,
        hub: Hub,
        *,
        path: str | None = None,
        events_max: int = EVENTS_MAX,
    ) -> None:
        self._handler = handler
        self._hub = hub
        self._path = PATHS[hub.protocol] if path is None else path
        self._events_max = events_max
        self._couriers: dict[ServerConnection, _Courier] = {}

    @property
    def options(self) -> dict[str, Any]:
        """What websockets' serve is to be called with."""
        return {
            "process_request": self.process_request,
            "process_response": self.process_response,
            "select_subprotocol": self.select_subprotocol,
            "compression": None,
            "max_size": self._hub.message_limit,
            **pings_of(self._hub.protocol),
            "close_timeout": CLOSE_TIMEOUT,
        }

    async def process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        """Asks the hub, and where the protocol needs it the handler: None lets the request in."""
        path = request.path.partition("?")[0]
        is_health = self._hub.protocol == "flowlayer" and path == HEALTH
        if path != self._path and not is_health:
            return connection.respond(HTTPStatus.NOT_FOUND, "")
        courier = _Courier(self._hub, connection, request, self._events_max)
        self._couriers[connection] = courier
        courier.attended = asyncio.create_task(attend(courier, self._handler))
        courier.attended.add_done_callback(lambda _: self._couriers.pop(connection))
        answer = await courier.answer()
        if isinstance(answer, Upgrade):
            return None
        headers = Headers(answer.headers)
        headers["Content-Length"] = str(len(answer.body))
        headers["Connection"] = "close"
        return Response(answer.status, HTTPStatus(answer.status).phrase, headers, answer.body)

    def process_response(
        self, connection: ServerConnection, request: Request, response: Response
    ) -> None:
        """Adds the headers that the protocol wants in the answer."""
        courier = self._couriers.get(connection)
        if courier is not None and response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers.update(courier.upgrade.headers)

    def select_subprotocol(
        self, connection: ServerConnection, subprotocols: Sequence[Subprotocol]
    ) -> Subprotocol | None:
        """The one that the protocol chose of what the client offers."""
        courier = self._couriers.get(connection)
        chosen = None if courier is None else courier.upgrade.subprotocol
        return None if chosen is None else Subprotocol(chosen)

    async def __call__(self, connection: ServerConnection) -> None:
        """Serves the link of an open connection to its end, and its handler's."""
        courier = self._couriers[connection]
        courier.open()
        await asyncio.wait([courier.attended])


def sent_as(text: str) -> bytes:
    """What came, that the library made this text of: up to version 16 as ASCII, then Latin-1."""
    try:
        return text.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("latin-1")


class _Courier(Courier):
    """Its handler is asked within process_request; the WebSocket is there when the library calls
    the service, if it ever does."""

    attended: asyncio.Task[None]

    def __init__(
        self, hub: Hub, connection: ServerConnection, request: Request, events_max: int
    ) -> None:
        super().__init__(
            hub,
            events_max=events_max,
            peer=connection.remote_address,
            target=sent_as(request.path),
            headers=[(sent_as(name), sent_as(text)) for name, text in request.headers.raw_items()],
            upgrade="Upgrade" in request.headers,
        )
        self._connection = connection
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Upgrade | Decline] = loop.create_future()
        self._open: asyncio.Future[None] = loop.create_future()

    async def answer(self) -> Upgrade | Decline:
        """What there is to answer to the request."""
        either: list[asyncio.Future[Any]] = [self._answer, self.attended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return self._answer.result() if self._answer.done() else Decline(503)

    @property
    def upgrade(self) -> Upgrade:
        answer = self._answer.result()
        assert isinstance(answer, Upgrade)
        return answer

    def open(self) -> None:
        self._open.set_result(None)

    async def accept(self, upgrade: Upgrade) -> Socket:
        self._answer.set_result(upgrade)
        lost = asyncio.ensure_future(self._connection.wait_closed())
        try:
            await asyncio.wait([self._open, lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if not self._open.done():
            raise ConnectionResetError("the client left before the WebSocket was open")
        return _Socket(self._connection)

    async def decline(self, decline: Decline) -> None:
        self._answer.set_result(decline)


@asynccontextmanager
async def serve(
    handler: LinkHandler,
    host: str | None = "127.0.0.1",
    port: int = 0,
    *,
    hub: Hub,
    path: str | None = None,
    state: _state.StatePath | None = None,
    events_max: int = EVENTS_MAX,
    close_timeout: float = CLOSE_TIMEOUT,
    **options: Any,
) -> AsyncIterator[Server]:
    """A server of links, as kedge.serve, over websockets' own; `options` go to that.

    At its end the hub is stopped: its links close with 4008, and their sessions stay. `state`
    names a file: the hub's sealed state is taken from there at the beginning, and put there at the
    end, so that a restart loses nothing.
    """
    service = Service(handler, hub, path=path, events_max=events_max)
    with driven(hub):
        async with serve_websockets(
            service,
            host,
            port,
            **(service.options | {"close_timeout": close_timeout} | options),
            start_serving=False,
        ) as server:
            # Not before: then the state is in no file any more, and without a server lost.
            if state is not None:
                _state.restore(hub, state)
            await server.start_serving()
            try:
                yield server
            finally:
                await stop(hub, state=state, close_timeout=close_timeout)


# ---- clients -------------------------------------------------------------------------------------


def connect(
    url: str,
    client: _Client,
    *,
    open_timeout: float = 10.0,
    events_max: int | None = None,
    **options: Any,
) -> Stream:
    """A client's session over as many of websockets' connections as it takes: what kedge.connect
    gives. `options` go to websockets' connect: ssl, additional_headers, proxy, ..."""
    return _Stream(url, client, open_timeout=open_timeout, events_max=events_max, options=options)


class _Stream(CarriedStream):
    def __init__(
        self,
        url: str,
        client: _Client,
        *,
        open_timeout: float,
        events_max: int | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__(url, client, open_timeout=open_timeout, events_max=events_max)
        self._options = options

    async def _open(self, url: str, wish: Handshake) -> Socket:
        options = dict(self._options)
        headers = Headers(options.pop("additional_headers", None) or ())
        for name, text in wish.headers:
            headers[name] = text
        defaults = {
            "compression": None,
            "max_size": wish.message_limit,
            **pings_of(self._client.protocol),
            "close_timeout": CLOSE_TIMEOUT,
            "open_timeout": None,
            "subprotocols": [Subprotocol(name) for name in wish.subprotocols] or None,
        }
        connection: ClientConnection
        try:
            connection = await connect_websocket(
                url, additional_headers=headers, **(defaults | options)
            )
        except InvalidStatus as error:
            answer = error.response
            raise RefusedError(answer.status_code, tuple(answer.headers.raw_items())) from None
        except InvalidHandshake as error:
            raise ConnectionError(f"the answer was no WebSocket's: {error}") from None
        return _Socket(connection)
