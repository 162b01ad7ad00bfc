"""Servers on asyncio: of a hub's links, and of plain WebSockets."""

from __future__ import annotations

import asyncio
import logging
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from kedge._core import (
    Connection,
    HttpRequest,
    LimitError,
    Requested,
    StateError,
)
from kedge.aio import _state
from kedge.aio._address import url_of
from kedge.aio._driver import driven
from kedge.aio._link import EVENTS_MAX, Link
from kedge.aio._websocket import MESSAGES_MAX, WebSocket
from kedge.aio._wire import ConnectionEvent, Wire
from kedge.errors import ClosedError
from kedge.gateway import CloseCode, Hub

LinkHandler: TypeAlias = Callable[[Link], Awaitable[object]]
SocketHandler: TypeAlias = Callable[[WebSocket], Awaitable[object]]

GOING_AWAY = 1001
INTERNAL_ERROR = 1011
TLS_HANDSHAKE_TIMEOUT = 10.0

logger = logging.getLogger("kedge")


class Server:
    """What kedge.serve(...) gives: an asynchronous context manager; it listens within."""

    def __init__(
        self,
        handler: LinkHandler | SocketHandler,
        host: str | Sequence[str] | None,
        port: int,
        *,
        hub: Hub | None,
        path: str | None,
        ssl: ssl_module.SSLContext | None,
        subprotocols: Iterable[str],
        state: _state.StatePath | None,
        max_connections: int | None,
        events_max: int | None,
        close_timeout: float,
        options: dict[str, Any],
    ) -> None:
        self._handler: Callable[[Any], Awaitable[object]] = handler
        self._host = host
        self._wanted_port = port
        self._hub = hub
        self._path = path
        self._ssl = ssl
        self._subprotocols = tuple(subprotocols)
        self._state = state
        self._max_connections = max_connections
        self._events_max = events_max
        self._close_timeout = close_timeout
        self._options = options
        self._listener: asyncio.Server | None = None
        self._addresses: list[tuple[str, int]] = []
        self._holds = ExitStack()
        self._arrivals: set[Wire] = set()
        self._open: dict[Wire, Link | WebSocket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty: asyncio.Future[None] | None = None
        self._closing = False

    # ---- what it is ----------------------------------------------------------------------------

    @property
    def hub(self) -> Hub | None:
        return self._hub

    @property
    def port(self) -> int:
        """The port it listens on; with several addresses that of the first."""
        return self._addresses[0][1]

    @property
    def urls(self) -> list[str]:
        """Where it can be reached, one for each address that it listens on."""
        path = self._path or "/"
        return [url_of(self._ssl is not None, address, path) for address in self._addresses]

    @property
    def connections(self) -> int:
        """How many there are now, those not yet open included."""
        return len(self._arrivals) + len(self._open)

    def __repr__(self) -> str:
        return f"<kedge.Server {' '.join(self.urls)}>"

    # ---- beginning and end ---------------------------------------------------------------------

    async def __aenter__(self) -> Server:
        if self._hub is not None:
            if self._state is not None:
                _state.restore(self._hub, self._state)
            self._holds.enter_context(driven(self._hub))
        try:
            await self._listen()
        except BaseException:
            self._holds.close()
            raise
        return self

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if self._ssl is not None:
            options = {"ssl": self._ssl, "ssl_handshake_timeout": TLS_HANDSHAKE_TIMEOUT}
        self._listener = await loop.create_server(
            self._arrive, self._host, self._wanted_port, **options
        )
        self._addresses = [socket.getsockname()[:2] for socket in self._listener.sockets]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stops: no more connections are taken; a hub is sealed and saved if there is `state`;
        links close with 4008 (their sessions stay), plain WebSockets with 1001. Whoever has not
        finished after `close_timeout` is dropped, his handler cancelled."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        self._closing = True
        listener.close()
        try:
            if self._hub is not None and self._state is not None:
                await _state.seal(self._hub, self._state)
            self._stop_all()
            await self._wait_until_empty()
        finally:
            self._drop_all()
            await self._end_handlers()
            self._holds.close()

    def _stop_all(self) -> None:
        for wire in self._arrivals:
            wire.abort()
        for served in list(self._open.values()):
            if isinstance(served, Link):
                served.stop()
            else:
                served.begin_close(GOING_AWAY)

    async def _wait_until_empty(self) -> None:
        self._empty = asyncio.get_running_loop().create_future()
        self._look_whether_empty()
        waited = asyncio.gather(self._empty, *self._other_tasks(), return_exceptions=True)
        try:
            await asyncio.wait_for(waited, self._close_timeout)
        except (asyncio.TimeoutError, TimeoutError):
            logger.warning("%d connections did not close in time", self.connections)

    def _look_whether_empty(self) -> None:
        if self._empty is not None and not self._empty.done() and self.connections == 0:
            self._empty.set_result(None)

    def _drop_all(self) -> None:
        for wire in [*self._arrivals, *self._open]:
            wire.abort()

    def _other_tasks(self) -> list[asyncio.Task[None]]:
        """The handlers', but for the one that calls."""
        return [task for task in self._tasks if task is not asyncio.current_task()]

    async def _end_handlers(self) -> None:
        tasks = self._other_tasks()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # ---- connections ---------------------------------------------------------------------------

    def _arrive(self) -> Wire:
        return Wire(_Arrival(self), self._begin)

    def _begin(self, wire: Wire) -> Connection:
        # Not before: a failed TLS handshake ends without a word to the protocol.
        self._arrivals.add(wire)
        if self._hub is not None:
            return Connection.accept(clock=self._hub.clock, **self._options)
        return Connection.accept(**self._options)

    def judge(self, wire: Wire, request: Requested) -> None:
        """Lets a request in, or answers why not."""
        connection = wire.connection
        if not self._is_path(request.target):
            connection.answer(404)
        elif self._closing or self._is_full():
            connection.answer(503, [("Retry-After", "1")])
        elif self._hub is None:
            self._serve_socket(wire, request)
        else:
            self._serve_link(wire, request, self._hub)

    def turn_away(self, wire: Wire, request: HttpRequest) -> None:
        """Answers a request that asks for no upgrade."""
        if self._is_path(request.target):
            wire.connection.answer(426, [("Upgrade", "websocket")])
        else:
            wire.connection.answer(404)

    def _is_path(self, target: str) -> bool:
        return self._path is None or target.partition("?")[0] == self._path

    def _is_full(self) -> bool:
        return self._max_connections is not None and len(self._open) >= self._max_connections

    def _serve_link(self, wire: Wire, request: Requested, hub: Hub) -> None:
        try:
            core = hub.link()
        except (LimitError, StateError):
            wire.connection.answer(503, [("Retry-After", "1")])
            return
        link = Link(
            core,
            hub=hub,
            host=wire,
            events_max=EVENTS_MAX if self._events_max is None else self._events_max,
            on_open=self._start,
            on_gone=partial(self.forget, wire),
            peer=peer_of(wire),
            target=request.target,
            headers=request.headers,
        )
        wire.leave_time_to_hub()
        wire.mailbox = link.mailbox
        self._adopt(wire, link)
        wire.connection.join(core)

    def _serve_socket(self, wire: Wire, request: Requested) -> None:
        chosen = next((name for name in request.subprotocols if name in self._subprotocols), None)
        socket = WebSocket(
            wire,
            messages_max=MESSAGES_MAX if self._events_max is None else self._events_max,
            on_open=self._start,
            on_gone=partial(self.forget, wire),
            target=request.target,
            headers=request.headers,
        )
        self._adopt(wire, socket)
        wire.connection.upgrade(chosen)

    def _adopt(self, wire: Wire, served: Link | WebSocket) -> None:
        self._arrivals.discard(wire)
        self._open[wire] = served
        wire.owner = served

    def forget(self, wire: Wire) -> None:
        """Its transport is gone."""
        self._arrivals.discard(wire)
        self._open.pop(wire, None)
        self._look_whether_empty()

    # ---- handlers ------------------------------------------------------------------------------

    def _start(self, served: Link | WebSocket) -> None:
        task = asyncio.get_running_loop().create_task(self._handle(served))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, served: Link | WebSocket) -> None:
        try:
            await self._handler(served)
        except asyncio.CancelledError:
            stop(served)
            raise
        except ClosedError:
            if served.closed is None:
                fail(served)
        except Exception:
            logger.exception("the handler of %r failed", served)
            fail(served)
        else:
            finish(served)
        finally:
            served.nobody_listens()


def peer_of(wire: Wire) -> Any:
    return None if wire.transport is None else wire.transport.get_extra_info("peername")


def stop(served: Link | WebSocket) -> None:
    """Ends it since the server wants so."""
    if isinstance(served, Link):
        served.stop()
    else:
        served.begin_close(GOING_AWAY)


def fail(served: Link | WebSocket) -> None:
    """Ends it since its handler failed: a gateway's client comes back and resumes."""
    if isinstance(served, Link):
        served.look()
        served.close(CloseCode.UNKNOWN_ERROR)
    else:
        served.begin_close(INTERNAL_ERROR)


def finish(served: Link | WebSocket) -> None:
    """Ends it since its handler is done with it."""
    if isinstance(served, Link):
        served.look()
        served.close(1000)
    else:
        served.begin_close()


class _Arrival:
    """The owner of a wire until its request was judged."""

    __slots__ = ("_server",)

    def __init__(self, server: Server) -> None:
        self._server = server

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        for event in events:
            if type(event) is Requested:
                self._server.judge(wire, event)
            elif type(event) is HttpRequest:
                self._server.turn_away(wire, event)

    def gone(self, wire: Wire) -> None:
        self._server.forget(wire)

    def written(self, wire: Wire) -> None:
        pass


def check_path(path: str | None) -> None:
    """Raises for what is no path."""
    if path is not None and (not path.startswith("/") or urlsplit(path).path != path):
        raise ValueError(f"{path!r} is not a path: it begins with a slash and has no query")
