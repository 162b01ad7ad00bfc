"""A gateway under Starlette, FastAPI, or whatever else hands out Starlette's WebSocket.

::

    hub = kedge.gateway.Hub()
    app = FastAPI(lifespan=lambda app: starlette.lifespan(hub, state="gateway.state"))

    @app.websocket("/gateway")
    async def gateway(ws: WebSocket):
        async with starlette.link(ws, hub) as link:
            async for event in link:
                match event:
                    case Identify(token=token) | Resume(token=token):
                        user = await user_of(token)
                        if user is None:
                            link.refuse(event)
                        else:
                            link.accept(event, user=user.id, topics=user.feeds)

    @app.post("/feeds/{feed}/messages")
    async def post(feed: int, message: Message):
        hub.publish(f"feed:{feed}", "message_create", message.model_dump())

What the server beneath sets besides: the largest message it takes (uvicorn: `ws_max_size`), its own
pings (`ws_ping_interval`, `ws_ping_timeout`: uvicorn's cut a client that is dead after 40 s, with
1011, before the heartbeat would; when it comes back it resumes), permessage-deflate
(`ws_per_message_deflate`: better off, where clients ask for compress=zstd), and in how many
processes it runs: a hub is one process's, so that is one (`workers=1`).

A client whose url has another path gets FastAPI's 403, which reads as wrong credentials to it: it
stays at a Closed with the action WantCredentials and http_status 403.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager
from types import FrameType, TracebackType
from typing import Any, TypeAlias

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from kedge._core import (
    Abort,
    Binary,
    Close,
    Decline,
    HubLink,
    LimitError,
    StateError,
    Text,
    Upgrade,
)
from kedge.aio import _state
from kedge.aio._driver import driven
from kedge.aio._link import EVENTS_MAX, Link
from kedge.gateway import CloseCode, Hub

__all__ = ["Link", "lifespan", "link", "stop"]

OUTPUT_LIMIT = 1 << 16
CLOSE_TIMEOUT = 5.0

# By these the server beneath closes of its own accord: faults it found, its keep-alive, its end.
HOST_CODES = frozenset({1002, 1007, 1009, 1011, 1012})
NO_CODE = 1005
LOST = 1006

_SignalHandler: TypeAlias = Callable[[int, "FrameType | None"], Any]

logger = logging.getLogger("kedge")


def link(ws: WebSocket, hub: Hub, *, events_max: int = EVENTS_MAX) -> _Courier:
    """One connection's link: an asynchronous context manager, whose target is a kedge.gateway.Link.

    It accepts the WebSocket (unless you have: then a request that the gateway declines is closed
    instead), or declines it with the protocol's HTTP status; then nothing comes to iterate over. Do
    not use `ws` otherwise.

    When the block ends while the link is open, it is closed with 1000, which ends the session; if
    it raises, with 4000, so that the client comes back and resumes, and the exception goes on to
    the server, which logs it. Nothing is left behind when it is cancelled; the session stays.
    """
    return _Courier(ws, hub, events_max)


class _Courier:
    """Carries a link over a Starlette WebSocket by two tasks: one receives; the other sends, and
    takes the next from the link only when the server took the last, so that a slow reader's backlog
    stays in its history."""

    def __init__(self, ws: WebSocket, hub: Hub, events_max: int) -> None:
        self._ws = ws
        self._hub = hub
        self._events_max = events_max
        self._holds = ExitStack()
        self._carrying = ExitStack()
        self._core: HubLink | None = None
        self._link: Link
        self._sender: asyncio.Task[None] | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._written: asyncio.Future[None] | None = None
        self._to_send = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._closed = False

    # ---- the block -----------------------------------------------------------------------------

    async def __aenter__(self) -> Link:
        driver = self._holds.enter_context(driven(self._hub))
        self._carrying.enter_context(driver.carrying())
        try:
            await self._begin()
        except BaseException:
            await self._end()
            raise
        return self._link

    async def _begin(self) -> None:
        try:
            core = self._hub.link()
        except (LimitError, StateError):
            await self._turn_away()
            return
        self._core = core
        target = target_of(self._ws)
        headers = headers_of(self._ws)
        self._link = Link(
            core,
            hub=self._hub,
            host=self,
            events_max=self._events_max,
            peer=self._ws.client,
            target=target,
            headers=headers,
        )
        self._link.take(core.requested(target, headers))
        for output in core.outputs():
            await self._deliver(output)
        if not core.finished and not self._closed:
            self._sender = asyncio.create_task(self._send())
            self._receiver = asyncio.create_task(self._receive())

    async def _turn_away(self) -> None:
        """The hub takes nobody in: it is full, or stops."""
        self._link = Link(None, hub=self._hub, host=self)
        await self._decline(503, [("Retry-After", "1")], b"")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._link.nobody_listens()
        try:
            if not isinstance(error, asyncio.CancelledError):
                await self._write_out()
            if error is None:
                self._link.close(1000)
            elif isinstance(error, Exception):
                self._link.close(CloseCode.UNKNOWN_ERROR)
            if self._sender is not None and not isinstance(error, asyncio.CancelledError):
                await asyncio.wait([self._sender], timeout=CLOSE_TIMEOUT)
        finally:
            await self._end()

    async def _write_out(self) -> None:
        """Waits until nothing waits to be sent, since a close drops what does: the answer that the
        block gave last, say."""
        if self._sender is not None:
            self._written = asyncio.get_running_loop().create_future()
            self.flush_soon()
            await asyncio.wait(
                [self._written, self._sender],
                timeout=CLOSE_TIMEOUT,
                return_when=asyncio.FIRST_COMPLETED,
            )

    async def _end(self) -> None:
        tasks = [task for task in (self._sender, self._receiver) if task is not None]
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            if self._core is not None:
                self._link.take(self._core.lost())
                self._link.ended()
                self._core = None
            self._carrying.close()
            self._holds.close()

    # ---- sending -------------------------------------------------------------------------------

    async def _send(self) -> None:
        core = self._link.core
        with self._broken_off():
            while not self._closed:
                outputs = core.outputs(OUTPUT_LIMIT)
                for output in outputs:
                    await self._deliver(output)
                self.steer()
                if core.finished:
                    break
                if not outputs:
                    if self._written is not None and not self._written.done():
                        self._written.set_result(None)
                    # Only one who has seen that there is nothing is told when there is something.
                    await self._to_send.wait()
                    self._to_send.clear()
        self._carrying.close()

    async def _deliver(self, output: Upgrade | Decline | Text | Binary | Close | Abort) -> None:
        if isinstance(output, Text):
            await self._ws.send({"type": "websocket.send", "text": output.text})
        elif isinstance(output, Binary):
            await self._ws.send({"type": "websocket.send", "bytes": output.data})
        elif isinstance(output, Upgrade):
            await self._accept(output)
        elif isinstance(output, Close):
            self._closed = True
            await self._ws.close(output.code, output.reason)
        elif isinstance(output, Decline):
            await self._decline(output.status, output.headers, output.body)
        else:
            # ASGI has no other way to drop a connection than to return without a close.
            self._closed = True

    async def _accept(self, upgrade: Upgrade) -> None:
        if self._ws.application_state is WebSocketState.CONNECTING:
            raw = [
                (name.encode("latin-1"), text.encode("latin-1")) for name, text in upgrade.headers
            ]
            await self._ws.accept(upgrade.subprotocol, raw)
        self._link.take(self._link.core.opened())

    async def _decline(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self._closed = True
        if self._ws.client_state is WebSocketState.CONNECTING:
            await self._ws.receive()
        can_answer = "websocket.http.response" in self._ws.scope.get("extensions", {})
        if self._ws.application_state is WebSocketState.CONNECTING and can_answer:
            await self._ws.send_denial_response(Response(body, status, dict(headers)))
        else:
            await self._ws.close(1013 if status == 503 else 1008)

    # ---- receiving -----------------------------------------------------------------------------

    async def _receive(self) -> None:
        core = self._link.core
        with self._broken_off():
            while True:
                await self._may_read.wait()
                message = await self._ws.receive()
                if message["type"] == "websocket.disconnect":
                    self._disconnected(message.get("code"), message.get("reason") or "")
                    break
                text = message.get("text")
                self._link.take(core.receive(message["bytes"] if text is None else text))
                self.flush_soon()
                self.steer()

    def _disconnected(self, code: int | None, reason: str) -> None:
        core = self._link.core
        if self._closed or code == LOST:
            events = core.lost()
        elif code in HOST_CODES:
            events = core.host_closed(code, reason)
        else:
            events = core.peer_closed(None if code == NO_CODE else code, reason)
        self._closed = True
        self._link.take([*events, *core.lost()])
        self.flush_soon()

    @contextlib.contextmanager
    def _broken_off(self) -> Iterator[None]:
        """What servers raise where a connection is gone is the connection's end, no error."""
        try:
            yield
        except (OSError, RuntimeError, WebSocketDisconnect) as error:
            logger.debug("the connection of %r broke: %r", self._link, error)
            self._closed = True
            self._link.take(self._link.core.lost())
        finally:
            self._link.over()
            self.flush_soon()

    # ---- as the host of its link ---------------------------------------------------------------

    def look(self) -> None:
        if self._core is not None:
            self._link.take(self._core.events())
            self.flush_soon()

    def flush_soon(self) -> None:
        self._to_send.set()

    def steer(self) -> None:
        if self._core is None or (self._core.reading_wanted and not self._link.full):
            self._may_read.set()
        else:
            self._may_read.clear()


def target_of(ws: WebSocket) -> str:
    """Path and query as they stood in the request."""
    scope = ws.scope
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return (path + b"?" + query if query else path).decode("latin-1")


def headers_of(ws: WebSocket) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), text.decode("latin-1")) for name, text in ws.scope["headers"]]


# ---- the application's life ----------------------------------------------------------------------


async def stop(
    hub: Hub, *, state: _state.StatePath | None = None, close_timeout: float = CLOSE_TIMEOUT
) -> None:
    """Ends a hub's service: seals it, saves it to `state`, closes every link with 4008, and waits
    until those are written, `close_timeout` at the most. For hosts that tell in their own way that
    they stop; lifespan() does it by itself."""
    if state is None:
        hub.seal()
    else:
        await _state.seal(hub, state)
    hub.stop()
    with driven(hub) as driver:
        await driver.wait_until_idle(close_timeout)


@asynccontextmanager
async def lifespan(
    hub: Hub,
    *,
    state: _state.StatePath | None = None,
    signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    close_timeout: float = CLOSE_TIMEOUT,
) -> AsyncIterator[None]:
    """An application's lifespan, with a hub that survives its restarts.

    `state` names a file: the hub's sealed state is taken from there at the beginning, and put there
    at the end (whole or not at all, readable by the owner alone).

    Servers close their WebSockets themselves before they tell the application of their end, uvicorn
    with 1012. So that clients see the 4008 that they resume upon, the first of the `signals` is
    held back until the hub has stopped, and only then reaches the server's handler; a second one
    does at once. Where the server has no handler of Python's own, as outside of the main thread,
    clients see what the server does, and the hub stops with the lifespan.

    From then on the hub is sealed: publishing raises StateError, new connections get a 503.
    """
    if state is not None:
        _state.restore(hub, state)
    ending = _Ending(lambda: stop(hub, state=state, close_timeout=close_timeout))
    with driven(hub):
        with ending.before(signals):
            yield
        await ending.reach()


class _Ending:
    """Something that is to be done once, at the latest when the application ends."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        self._act = act
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    async def reach(self) -> None:
        """Does it, or waits until it is done."""
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        await self._act()

    @contextlib.contextmanager
    def before(self, signals: Iterable[signal.Signals]) -> Iterator[None]:
        """Does it when a signal comes, before whoever handles that now does."""
        former: dict[int, _SignalHandler] = {}

        def hold(number: int, frame: FrameType | None) -> None:
            self._loop.call_soon_threadsafe(self._hold, former[number], number)

        if threading.current_thread() is threading.main_thread():
            for wanted in signals:
                handler = signal.getsignal(wanted)
                if callable(handler):
                    former[wanted] = handler
                    signal.signal(wanted, hold)
        try:
            yield
        finally:
            for number, handler in former.items():
                if signal.getsignal(number) is hold:
                    signal.signal(number, handler)

    def _hold(self, handler: _SignalHandler, number: int) -> None:
        if self._task is not None:
            handler(number, None)
            return
        logger.info("stopping the hub first")
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(lambda _: handler(number, None))
