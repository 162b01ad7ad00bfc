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
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any, TypeAlias

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from kedge._core import Binary, Decline, Text, Upgrade
from kedge._hub import HubCalls as Hub
from kedge._log import logger
from kedge.aio import _state
from kedge.aio._carrier import CLOSE_TIMEOUT, Courier, Ended, Socket, stop
from kedge.aio._driver import driven
from kedge.aio._link import EVENTS_MAX, Link

__all__ = ["Link", "lifespan", "link", "stop"]

# By these the server beneath closes of its own accord: faults it found, its keep-alive, its end.
HOST_CODES = frozenset({1002, 1007, 1009, 1011, 1012})
NO_CODE = 1005
LOST = 1006

# What servers raise, and what Starlette makes of that, where a connection is gone.
FAULTS = (OSError, RuntimeError, WebSocketDisconnect)

_SignalHandler: TypeAlias = Callable[[int, "FrameType | None"], Any]


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


class _Socket(Socket):
    """ASGI gives texts as str alone, and has no way to drop a connection but to return."""

    faults = FAULTS

    def __init__(self, ws: WebSocket) -> None:
        self._ws = ws

    async def send(self, message: Text | Binary) -> None:
        if isinstance(message, Text):
            await self._ws.send({"type": "websocket.send", "text": message.text})
        else:
            await self._ws.send({"type": "websocket.send", "bytes": message.data})

    async def receive(self) -> str | bytes | Ended:
        message = await self._ws.receive()
        if message["type"] == "websocket.disconnect":
            return ended_by(message.get("code"), message.get("reason") or "")
        text: str | None = message.get("text")
        data: str | bytes = message["bytes"] if text is None else text
        return data

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code, reason)


def ended_by(code: int | None, reason: str) -> Ended:
    if code is None or code == NO_CODE:
        return Ended("peer", None, reason)
    if code == LOST:
        return Ended()
    return Ended("host" if code in HOST_CODES else "peer", code, reason)


class _Courier(Courier):
    faults = FAULTS

    def __init__(self, ws: WebSocket, hub: Hub, events_max: int) -> None:
        super().__init__(
            hub,
            events_max=events_max,
            peer=ws.client,
            target=target_of(ws),
            headers=ws.scope["headers"],
        )
        self._ws = ws

    async def accept(self, upgrade: Upgrade) -> Socket:
        if self._ws.application_state is WebSocketState.CONNECTING:
            raw = [
                (name.encode("latin-1"), text.encode("latin-1")) for name, text in upgrade.headers
            ]
            await self._ws.accept(upgrade.subprotocol, raw)
        return _Socket(self._ws)

    async def decline(self, decline: Decline) -> None:
        if self._ws.client_state is WebSocketState.CONNECTING:
            await self._ws.receive()
        can_answer = "websocket.http.response" in self._ws.scope.get("extensions", {})
        if self._ws.application_state is WebSocketState.CONNECTING and can_answer:
            response = Response(decline.body, decline.status, dict(decline.headers))
            await self._ws.send_denial_response(response)
        else:
            await self._ws.close(1013 if decline.status == 503 else 1008)


def target_of(ws: WebSocket) -> bytes:
    """Path and query as they stood in the request."""
    scope = ws.scope
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path


# ---- the application's life ----------------------------------------------------------------------


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
    at the end (whole or not at all, readable by the owner alone). Servers begin a lifespan before
    they have their port: so the state is restored, but the file stays until the first link, or
    until something is published. A process that finds the port taken leaves it, or puts it back; a
    state that another put there meanwhile stays.

    Servers close their WebSockets themselves before they tell the application of their end, uvicorn
    with 1012. So that clients see the 4008 that they resume upon, the first of the `signals` is
    held back until the hub has stopped, and only then reaches the server's handler; a second one
    does at once. Where the server has no handler of Python's own, as outside of the main thread,
    clients see what the server does, and the hub stops with the lifespan.

    From then on the hub is sealed: publishing raises StateError, new connections get a 503.
    """
    ending = _Ending(lambda: stop(hub, state=state, close_timeout=close_timeout))
    with driven(hub) as driver:
        if state is not None:
            driver.claim = _state.Claim(hub, state)
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
