"""A client's session on asyncio: it connects, reconnects and resumes."""

from __future__ import annotations

import asyncio
import logging
import ssl as ssl_module
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol

from kedge._core import (
    ArgumentError,
    Closed,
    Connect,
    Connection,
    Event,
    GatewayClient,
    LimitError,
    Mailbox,
    StateError,
    Stop,
)
from kedge.aio._address import address_of
from kedge.aio._alarm import Alarm
from kedge.aio._mailbox import new_mailbox
from kedge.aio._socket import open_socket
from kedge.aio._wire import CLOSE_TIMEOUT, ConnectionEvent, Wire
from kedge.errors import ClosedError

EVENTS_MAX = 256

logger = logging.getLogger("kedge")


class Line(Protocol):
    """One connection of a client, whatever carries it."""

    def look(self) -> None: ...
    def flush_soon(self) -> None: ...
    def steer(self) -> None: ...
    def abort(self) -> None: ...


class Stream(ABC):
    """What kedge.connect(url, client) gives: an asynchronous context manager, and in it an
    asynchronous iterator of events.

    Connections come and go below it: each begins with a Connect and ends with a Closed, whose
    `action` tells what comes next, and what lies between continues the session. The iteration ends
    when the client stops: after a Closed with the action Stop, or aclose().

    Why a connection could not be made is logged, at INFO by the logger "kedge", once for each
    attempt.

    Events that are not taken pause reading once `events_max` of them wait; the server's history
    then holds the rest. To go on in another process give client.save() to that one's client.load().
    """

    def __init__(
        self, url: str, client: GatewayClient, *, open_timeout: float, events_max: int | None
    ) -> None:
        self._address = address_of(url)
        if self._address.target not in ("", "/", client.path):
            raise ArgumentError(
                f"the url's path is not the client's, {client.path!r}: give it to"
                " kedge.gateway.Client(path=...), and a url without one here"
            )
        self._client = client
        self._open_timeout = open_timeout
        self._events_max = EVENTS_MAX if events_max is None else events_max
        self._mailbox: Mailbox[Event]
        self._alarm: Alarm
        self._line: Line | None = None
        self._lines: set[Line] = set()
        self._dialing: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Future[None] | None = None
        self._running = False
        self._failure: Exception | None = None

    def __repr__(self) -> str:
        return f"<kedge.Stream {self._address.host_header}{self._client.path}>"

    @property
    def client(self) -> GatewayClient:
        """The client without I/O beneath. Events that its methods give are the caller's."""
        return self._client

    async def __aenter__(self) -> Stream:
        loop = asyncio.get_running_loop()
        self._mailbox = new_mailbox(self._events_max, self._steer)
        self._alarm = Alarm(loop, self._client.clock, self._tick)
        self._running = True
        self._take(self._client.start())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._drop()
            await self._wait_for_dialing()
        else:
            await self.aclose()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self._mailbox.get()
        except StopAsyncIteration:
            if self._failure is not None:
                raise self._failure from None
            raise

    async def notify(self, name: str, payload: Any = None) -> None:
        """Sends a client's message: "presence_update", ...; waits while there is no session (yet,
        or since the connection was lost), or too much waits to be sent.

        What was accepted and did not get out before the connection broke is lost, and counted in
        that Closed's `unsent`. Raises ClosedError once the client has stopped, and what the payload
        deserves at once.
        """
        while True:
            if not self._running:
                raise ClosedError("the client has stopped")
            try:
                events = self._client.notify(name, payload)
            except (StateError, LimitError) as error:
                if error.status not in ("WRONG_STATE", "QUEUE_FULL"):
                    raise
                self._flush_soon()
                await self._wait_for_change()
            else:
                break
        self._take(events)
        self._flush_soon()

    def set_credentials(self, token: str) -> None:
        """Another token; a client that waits for one (WantCredentials) goes on."""
        self._take(self._client.set_credentials(token))

    async def aclose(self) -> None:
        """Says goodbye with 1000 and closes, within seconds; nothing is left behind, also if it is
        cancelled. Events that were not taken yet can still be."""
        try:
            if self._running:
                self._take(self._client.stop())
                self._running = False
                self._mailbox.end()
            if self._line is not None:
                self._line.look()
            await self._wait_for_lines(2 * CLOSE_TIMEOUT)
        finally:
            self._drop()
            await self._wait_for_dialing()

    # ---- connections ---------------------------------------------------------------------------

    @abstractmethod
    async def _dial(self) -> None:
        """Makes a connection, in answer to Connect, or tells the client that there is none."""

    def _time_is_watched(self) -> bool:
        """A line watches the client's time."""
        return False

    def _take(self, events: Sequence[ConnectionEvent]) -> None:
        """Queues the link's events, and does what they ask for."""
        for event in events:
            if type(event) is Connect:
                task = asyncio.create_task(self._dial_safely())
                self._dialing.add(task)
                task.add_done_callback(self._dialing.discard)
            elif type(event) is Closed and isinstance(event.action, Stop):
                self._running = False
        self._mailbox.put(event for event in events if isinstance(event, Event))
        if not self._running:
            self._mailbox.end()
        self._settle()

    async def _dial_safely(self) -> None:
        try:
            await self._dial()
        except OSError as error:
            self._failed(str(error))
        except Exception as error:
            self._failure = error
            self._drop()

    def _failed(self, why: str, status: int = 0, retry_after: float = 0.0) -> None:
        logger.info("no connection to %s: %s", self._address.host_header, why)
        self._take(self._client.connect_failed(status, retry_after=retry_after))

    def _settle(self) -> None:
        """Where no line does, the client's time is ours to watch."""
        if self._running and not self._time_is_watched():
            self._alarm.set(self._client.deadline)
        self._tell_change()

    def _tick(self) -> None:
        if self._running and not self._time_is_watched():
            self._take(self._client.tick())
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._line is not None:
            self._line.flush_soon()

    def _steer(self) -> None:
        if self._line is not None:
            self._line.steer()

    def _drop(self) -> None:
        """Leaves nothing behind that could still happen."""
        self._running = False
        self._alarm.cancel()
        self._mailbox.end()
        for task in self._dialing:
            if task is not asyncio.current_task():
                task.cancel()
        for line in self._lines:
            line.abort()
        self._tell_change()

    def _begin_line(self, line: Line) -> None:
        self._line = line
        self._lines.add(line)

    def _end_line(self, line: Line) -> None:
        self._lines.discard(line)
        if self._line is line:
            self._line = None
        self._settle()

    # ---- waiting -------------------------------------------------------------------------------

    async def _wait_for_change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _tell_change(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None

    async def _wait_for_dialing(self) -> None:
        """It has been cancelled and ends at once."""
        if self._dialing:
            await asyncio.wait(self._dialing)

    async def _wait_for_lines(self, timeout: float) -> None:
        async def wait() -> None:
            while self._lines:
                await self._wait_for_change()

        try:
            await asyncio.wait_for(wait(), timeout)
        except (asyncio.TimeoutError, TimeoutError):
            logger.debug("%s did not close in time", self._address.host_header)

    @property
    def full(self) -> bool:
        return self._mailbox.full


class WireStream(Stream):
    """A stream over sockets of our own; it is the owner of their wires."""

    def __init__(
        self,
        url: str,
        client: GatewayClient,
        *,
        ssl: ssl_module.SSLContext | None,
        open_timeout: float,
        headers: Iterable[tuple[str, str]],
        events_max: int | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__(url, client, open_timeout=open_timeout, events_max=events_max)
        self._ssl = ssl
        self._options = dict(options, headers=tuple(headers), handshake_timeout=open_timeout)

    def _time_is_watched(self) -> bool:
        return self._line is not None

    async def _dial(self) -> None:
        wire = Wire(self, self._begin)
        await open_socket(wire, self._address, self._ssl, self._open_timeout)
        if not wire.begun:
            self._failed("it ended at once")

    def _begin(self, wire: Wire) -> Connection:
        connection = Connection.open(self._address.host_header, link=self._client, **self._options)
        self._alarm.cancel()
        wire.mailbox = self._mailbox
        self._begin_line(wire)
        return connection

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        self._take(events)

    def gone(self, wire: Wire) -> None:
        self._end_line(wire)

    def written(self, wire: Wire) -> None:
        self._tell_change()
