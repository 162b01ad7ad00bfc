"""Servers on asyncio: of a hub's links, and of plain WebSockets."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from kedge._core import (
    Connection,
    Decline,
    HttpRequest,
    LimitError,
    Requested,
    StateError,
    Upgrade,
)
from kedge._hub import HubCalls as Hub
from kedge._log import logger
from kedge.aio import _state
from kedge.aio._address import url_of
from kedge.aio._carrier import Courier, Socket, attend, bytes_of
from kedge.aio._driver import driven
from kedge.aio._link import EVENTS_MAX, Link, LinkOwner
from kedge.aio._websocket import MESSAGES_MAX, WebSocket
from kedge.aio._wire import ConnectionEvent, Owner, Wire
from kedge.errors import ClosedError

LinkHandler: TypeAlias = Callable[[Link], Awaitable[object]]
SocketHandler: TypeAlias = Callable[[WebSocket], Awaitable[object]]
HttpAnswer: TypeAlias = tuple[int, Iterable[tuple[str, str]], bytes]
"""Status, headers, body."""
HttpHandler: TypeAlias = Callable[[HttpRequest], HttpAnswer | None]

PATHS = {"gateway": "/gateway", "flowlayer": "/ws", "messaging": "/ws", "blobhub": "/v1/"}
"""Where the protocols' clients look for their server unless told otherwise."""
HEALTH = "/health"
GOING_AWAY = 1001
INTERNAL_ERROR = 1011
TLS_HANDSHAKE_TIMEOUT = 10.0


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
        origins: Iterable[str] | None,
        http: HttpHandler | None,
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
        self._origins = None if origins is None else frozenset(origins)
        self._http = http
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
        """The hub that it serves; None: it serves plain WebSockets."""
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
        try:
            listener = await self._bind()
            if self._hub is not None:
                self._holds.enter_context(driven(self._hub))
                # Not before: then the state is in no file any more, and without a server lost.
                if self._state is not None:
                    _state.restore(self._hub, self._state)
            await listener.start_serving()
        except BaseException:
            self._unbind()
            self._holds.close()
            raise
        return self

    def _unbind(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    async def _bind(self) -> asyncio.Server:
        """Takes the port; nobody is let in yet."""
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if self._ssl is not None:
            options = {"ssl": self._ssl, "ssl_handshake_timeout": TLS_HANDSHAKE_TIMEOUT}
        listener = self._listener = await loop.create_server(
            self._arrive, self._host, self._wanted_port, start_serving=False, **options
        )
        self._addresses = [socket.getsockname()[:2] for socket in listener.sockets]
        return listener

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stops: no more connections are taken; a hub is sealed and saved if there is `state`;
        links close as the protocol wants it (the gateway's with 4008, and their sessions stay; the
        others' with 1001), plain WebSockets with 1001. Whoever has not finished after
        `close_timeout` is dropped, his handler cancelled."""
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
        waited: list[asyncio.Future[Any]] = [self._empty, *self._other_tasks()]
        _, late = await asyncio.wait(waited, timeout=self._close_timeout)
        if late:
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
        """Cancels those that go on, once more where that was to no avail."""
        for _ in range(2):
            tasks = self._other_tasks()
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=self._close_timeout)
        if self._other_tasks():
            logger.error("a handler goes on though it was cancelled twice")

    # ---- connections ---------------------------------------------------------------------------

    def _arrive(self) -> Wire:
        return Wire(_Arrival(self), self._begin)

    def _begin(self, wire: Wire) -> Connection:
        # Not before: a failed TLS handshake ends without a word to the protocol.
        self._arrivals.add(wire)
        if self._closing:
            asyncio.get_running_loop().call_soon(wire.abort)
        if self._hub is not None:
            return Connection.accept(clock=self._hub.clock, **self._options)
        return Connection.accept(**self._options)

    def _judge(self, wire: Wire, request: Requested) -> None:
        """Lets a request in, or answers why not."""
        connection = wire.connection
        if not self._is_path(request.target):
            connection.answer(404)
        elif not self._is_origin(request.headers):
            logger.warning("turned %s away: its origin is not allowed", peer_of(wire))
            connection.answer(403)
        elif self._closing or self._is_full():
            logger.warning(
                "turned %s away: there are %d connections", peer_of(wire), len(self._open)
            )
            connection.answer(503, [("Retry-After", "1")])
        elif self._hub is None:
            self._serve_socket(wire, request)
        else:
            self._serve_link(wire, request, self._hub)

    def _answer_http(self, wire: Wire, request: HttpRequest) -> None:
        """Answers a request that asks for no upgrade."""
        answer: HttpAnswer | None = None
        if self._http is not None:
            try:
                answer = self._http(request)
            except Exception:
                logger.exception("the handler of plain HTTP failed")
                answer = (500, (), b"")
        if answer is not None:
            wire.connection.answer(*answer)
        elif self._is_health(request) and self._hub is not None:
            self._spawn(attend(_Health(wire, request, self._hub), self._handler))
        elif self._is_path(request.target):
            wire.connection.answer(426, [("Upgrade", "websocket")])
        else:
            wire.connection.answer(404)

    def _is_health(self, request: HttpRequest) -> bool:
        """FlowLayer's, for which its credentials are needed."""
        return (
            self._hub is not None
            and self._hub.protocol == "flowlayer"
            and request.method == "GET"
            and request.target.partition("?")[0] == HEALTH
        )

    def _is_path(self, target: str) -> bool:
        return self._path is None or target.partition("?")[0] == self._path

    def _is_origin(self, headers: Iterable[tuple[str, str]]) -> bool:
        """Only browsers tell one."""
        if self._origins is None:
            return True
        return all(text in self._origins for name, text in headers if name == "origin")

    def _is_full(self) -> bool:
        return self._max_connections is not None and len(self._open) >= self._max_connections

    def _serve_link(self, wire: Wire, request: Requested, hub: Hub) -> None:
        try:
            core = hub.link()
        except (LimitError, StateError) as error:
            logger.warning("turned %s away: %s", peer_of(wire), error)
            wire.connection.answer(503, [("Retry-After", "1")])
            return
        link = Link(
            core,
            hub=hub,
            host=wire,
            events_max=EVENTS_MAX if self._events_max is None else self._events_max,
            on_start=self._start_link,
            peer=peer_of(wire),
            target=request.target,
            headers=request.headers,
        )
        wire.leave_time_to_hub()
        wire.mailbox = link._mailbox
        wire.tells_written = False
        self._adopt(wire, link, LinkOwner(link, partial(self._forget, wire)))
        wire.connection.join(core)

    def _serve_socket(self, wire: Wire, request: Requested) -> None:
        chosen = next((name for name in request.subprotocols if name in self._subprotocols), None)
        socket = WebSocket(
            wire,
            messages_max=MESSAGES_MAX if self._events_max is None else self._events_max,
            on_open=self._start_socket,
            on_gone=partial(self._forget, wire),
            target=request.target,
            headers=request.headers,
        )
        self._adopt(wire, socket, socket)
        wire.connection.upgrade(chosen)

    def _adopt(self, wire: Wire, served: Link | WebSocket, owner: Owner) -> None:
        self._arrivals.discard(wire)
        self._open[wire] = served
        wire.owner = owner

    def _forget(self, wire: Wire) -> None:
        """Its transport is gone."""
        self._arrivals.discard(wire)
        self._open.pop(wire, None)
        self._look_whether_empty()

    # ---- handlers ------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _start_link(self, link: Link) -> None:
        self._spawn(self._handle_link(link))

    def _start_socket(self, socket: WebSocket) -> None:
        self._spawn(self._handle_socket(socket))

    async def _handle_link(self, link: Link) -> None:
        try:
            await self._handler(link)
        except asyncio.CancelledError:
            link.stop()
            raise
        except ClosedError:
            link._fail()  # where it was the link's own that is nothing any more
        except Exception:
            logger.exception("the handler of %r failed", link)
            link._look()
            link._fail()
        else:
            link._look()
            link.close()
        finally:
            link._nobody_listens()

    async def _handle_socket(self, socket: WebSocket) -> None:
        try:
            await self._handler(socket)
        except asyncio.CancelledError:
            socket.begin_close(GOING_AWAY)
            raise
        except ClosedError:
            socket.begin_close(INTERNAL_ERROR)  # likewise
        except Exception:
            logger.exception("the handler of %r failed", socket)
            socket.begin_close(INTERNAL_ERROR)
        else:
            socket.begin_close()
        finally:
            socket.nobody_listens()


def peer_of(wire: Wire) -> Any:
    return None if wire.transport is None else wire.transport.get_extra_info("peername")


class _Health(Courier):
    """A plain request that the protocol answers, after the handler said who it is."""

    def __init__(self, wire: Wire, request: HttpRequest, hub: Hub) -> None:
        super().__init__(
            hub,
            events_max=EVENTS_MAX,
            peer=peer_of(wire),
            target=bytes_of(request.target),
            headers=[(bytes_of(name), bytes_of(value)) for name, value in request.headers],
            upgrade=False,
        )
        self._wire = wire

    async def accept(self, upgrade: Upgrade) -> Socket:
        raise NotImplementedError("a plain request is never upgraded")

    async def decline(self, decline: Decline) -> None:
        if self._wire.transport is not None:
            self._wire.connection.answer(decline.status, decline.headers, decline.body)
            self._wire.flush_soon()


class _Arrival:
    """The owner of a wire until its request was judged."""

    __slots__ = ("_server",)

    def __init__(self, server: Server) -> None:
        self._server = server

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        for event in events:
            if type(event) is Requested:
                self._server._judge(wire, event)
            elif type(event) is HttpRequest:
                self._server._answer_http(wire, event)

    def gone(self, wire: Wire) -> None:
        self._server._forget(wire)

    def written(self, wire: Wire) -> None:
        pass


def check_path(path: str | None) -> None:
    """Raises for what is no path."""
    if path is not None and (not path.startswith("/") or urlsplit(path).path != path):
        raise ValueError(f"{path!r} is not a path: it begins with a slash and has no query")
