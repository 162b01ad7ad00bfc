"""A client's session on asyncio: it connects, reconnects and resumes."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

from kedge._core import (
    ArgumentError,
    BlobHubClient,
    Closed,
    Connect,
    Connection,
    Coordinates,
    Event,
    LimitError,
    Mailbox,
    Outcome,
    Request,
    Retry,
    StaleTicketError,
    StateError,
    Stop,
    _Client,
)
from kedge._enums import OutcomeKind, Status
from kedge._log import logger
from kedge.aio._address import address_of
from kedge.aio._alarm import Alarm
from kedge.aio._mailbox import new_mailbox
from kedge.aio._requests import Requests
from kedge.aio._socket import open_socket
from kedge.aio._wire import CLOSE_TIMEOUT, ConnectionEvent, Wire
from kedge.errors import ClosedError, RequestError

T = TypeVar("T")

EVENTS_MAX = 256
ENDED = "%r: %s"
"""The line of the log that tells how a connection ended."""


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

    Why a connection could not be made, or ended, is logged at INFO by the logger "kedge".

    Events that are not taken pause reading once `events_max` of them wait; the server's history
    then holds the rest. To go on in another process give client.save() to that one's client.load().
    """

    def __init__(
        self, url: str, client: _Client, *, open_timeout: float, events_max: int | None
    ) -> None:
        self._address = address_of(url)
        if self._address.target not in ("", "/", client.path):
            raise ArgumentError(
                f"the url's path is not the client's, {client.path!r}: give it to"
                f" kedge.{client.protocol}.Client(path=...), and a url without one here"
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
        self._requests = Requests()
        self._subscribing: dict[tuple[Coordinates, str], asyncio.Future[None]] = {}
        self._running = False
        self._failure: Exception | None = None
        self._asked = 0
        self._asked_before = 0
        """The last request's ticket, and the last's of the connections before this one."""

    def __repr__(self) -> str:
        return f"<kedge.Stream {self._address.host_header}{self._client.path}>"

    @property
    def client(self) -> _Client:
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

    # ---- what an application says --------------------------------------------------------------

    async def notify(self, name: str, payload: Any = None) -> None:
        """Sends a client's message: "presence_update", ...; waits while there is no session (yet,
        or since the connection was lost), or too much waits to be sent.

        What was accepted and did not get out before the connection broke is lost, and counted in
        that Closed's `unsent`. Raises ClosedError once the client has stopped, and what the payload
        deserves at once.
        """
        self._take(await self._when_possible(lambda: self._client.notify(name, payload)))
        self._flush_soon()

    async def request(self, name: str, payload: Any = None, *, timeout: float | None = None) -> Any:
        """Asks the server, in protocols that have requests, and gives the data of its answer.

        Waits like notify() until it can be sent; then an answer has `timeout` seconds (None: the
        client's own setting), as has the time before. Raises RequestError where the request ends
        otherwise: refused, not in time, or invalidated by the end of the connection, in which case
        nobody knows whether the server did it; it is never sent again by itself. Cancelled it
        cancels the request.
        """
        until = None if timeout is None else asyncio.get_running_loop().time() + timeout
        number = await self._when_possible(
            lambda: self._client.request(name, payload, timeout=timeout), name, until
        )
        self._flush_soon()
        self._settle()
        return (await self._requests.answer(number, self._cancel)).data

    def reply(self, request: Request, payload: Any = None) -> bool:
        """Answers a server's request (BlobHub). False if it is too late: the connection that it
        came by is gone. Raises StaleTicketError for one that was answered before."""
        return self._answer(request, lambda: self._client.reply(request, payload))

    def reply_error(
        self, request: Request, code: str | int, message: str = "", *, data: Any = None
    ) -> bool:
        """Answers it with an error."""
        return self._answer(
            request, lambda: self._client.reply_error(request, code, message, data=data)
        )

    def reply_failed(self, request: Request) -> bool:
        """Answers it in the protocol's own words for something that went wrong here."""
        return self._answer(request, lambda: self._client.reply_failed(request))

    async def subscribe(self, coordinates: Coordinates, *types: str) -> None:
        """Subscribes to events of these types there (BlobHub), and waits until the server said yes.

        From then on, reconnects included, they come as Subscription. Raises RequestError if the
        server refuses or does not answer.
        """
        client = self._client_of_blobhub("subscribe")
        fresh = [one for one in types if not client.subscribed(coordinates, one)]
        self._take(client.subscribe(coordinates, *types))
        self._flush_soon()
        for one in fresh:
            self._subscribing[coordinates, one] = asyncio.get_running_loop().create_future()
        keys = [(coordinates, one) for one in types if (coordinates, one) in self._subscribing]
        await asyncio.gather(*(asyncio.shield(self._subscribing[key]) for key in keys))

    def unsubscribe(self, coordinates: Coordinates, *types: str) -> None:
        """No longer. Where the server knows of any of them an Outcome named "subscription/remove"
        tells what it said. A subscribe() that still waits for one of them raises StateError."""
        client = self._client_of_blobhub("unsubscribe")
        self._take(client.unsubscribe(coordinates, *types))
        self._flush_soon()
        for one in types:
            waiting = self._subscribing.pop((coordinates, one), None)
            if waiting is not None:
                reject(waiting, StateError(f"unsubscribed from {one!r} meanwhile"))

    def _client_of_blobhub(self, what: str) -> BlobHubClient:
        if not isinstance(self._client, BlobHubClient):
            raise StateError(f"{self._client.protocol} has no {what}: that is BlobHub's")
        return self._client

    async def _when_possible(
        self, act: Callable[[], T], name: str = "", until: float | None = None
    ) -> T:
        """Does it as soon as there is a session, and room."""
        while True:
            if not self._running:
                raise ClosedError("the client has stopped")
            try:
                return act()
            except (StateError, LimitError) as error:
                if not self._passes(error):
                    raise
            self._flush_soon()
            if not await self._wait_for_change(until):
                raise RequestError(None, name)

    def _passes(self, error: StateError | LimitError) -> bool:
        """It will go away by itself."""
        if error.status is Status.LIMIT:
            return len(self._requests) > 0
        return error.status in (Status.WRONG_STATE, Status.QUEUE_FULL)

    def _answer(self, request: Request, act: Callable[[], Sequence[Event]]) -> bool:
        try:
            events = act()
        except StaleTicketError:
            # A client counts its tickets.
            if self._running and request.ticket > self._asked_before:
                raise
            return False
        self._take(events)
        self._flush_soon()
        return True

    def _cancel(self, number: int) -> None:
        self._take(self._client.cancel(number))
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
                self._end()
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
        dials = False
        for event in events:
            if type(event) is Connect:
                dials = True
            elif type(event) is Closed:
                self._note(event)
            elif type(event) is Request:
                self._asked = event.ticket
        told = self._requests.sift(events)
        if self._subscribing:
            told = [event for event in told if not self._is_awaited_subscription(event)]
        self._mailbox.put(event for event in told if isinstance(event, Event))
        if not self._running:
            self._end()
        self._settle()
        if dials:
            # Not before: an eager task runs at once, and what it does may tell more.
            task = asyncio.create_task(self._dial_safely())
            self._dialing.add(task)
            task.add_done_callback(self._dialing.discard)

    def _note(self, closed: Closed) -> None:
        """A connection is over."""
        self._asked_before = self._asked
        if isinstance(closed.action, Stop):
            self._running = False
        if closed.cause is not Status.STOPPED:
            logger.info(ENDED, self, told_of(closed))

    def _is_awaited_subscription(self, event: ConnectionEvent) -> bool:
        if not isinstance(event, Outcome) or event.name != "subscription/add":
            return False
        place = Coordinates(*(event.about.get(name, "") for name in Coordinates.__match_args__))
        keys = [(place, one) for one in event.about["types"]]
        awaited = [key for key in keys if key in self._subscribing]
        if event.outcome is OutcomeKind.INVALIDATED:
            return bool(awaited)  # it will be asked for again
        for key in awaited:
            settle(self._subscribing.pop(key), event)
        return bool(awaited)

    def _end(self) -> None:
        """Nothing more will come."""
        self._mailbox.end()
        self._requests.end()
        for waiting in self._subscribing.values():
            reject(waiting, ClosedError("the client has stopped"))
        self._subscribing.clear()

    async def _dial_safely(self) -> None:
        if not self._running:
            return  # stopped before this began
        self._client.tell_time()
        try:
            await self._dial()
        except OSError as error:
            self._failed(str(error))
        except Exception as error:
            self._failure = error
            self._drop()

    def _failed(self, why: str, status: int = 0, retry_after: float = 0.0) -> None:
        if not self._running:
            return  # stopped meanwhile
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
        self._end()
        for task in self._dialing:
            if task is not asyncio.current_task():
                task.cancel()
        for line in self._lines:
            line.abort()
        self._tell_change()

    def _begin_line(self, line: Line) -> None:
        self._line = line
        self._lines.add(line)
        if not self._running:
            # Stopped amid the connect, by a cancellation that came too late for that.
            asyncio.get_running_loop().call_soon(line.abort)

    def _end_line(self, line: Line) -> None:
        self._lines.discard(line)
        if self._line is line:
            self._line = None
        self._settle()

    # ---- waiting -------------------------------------------------------------------------------

    async def _wait_for_change(self, until: float | None = None) -> bool:
        """False if none came by then."""
        loop = asyncio.get_running_loop()
        if self._changed is None:
            self._changed = loop.create_future()
        changed = self._changed
        timeout = None if until is None else max(0.0, until - loop.time())
        await asyncio.wait([changed], timeout=timeout)
        return changed.done()

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
    def _full(self) -> bool:
        return self._mailbox.full


def settle(waiting: asyncio.Future[None], outcome: Outcome) -> None:
    if outcome.outcome is OutcomeKind.ANSWERED:
        waiting.set_result(None)
    else:
        reject(waiting, RequestError(outcome))


def reject(waiting: asyncio.Future[None], error: Exception) -> None:
    """Who waited may be gone, which is no reason to complain that nobody heard of it."""
    waiting.set_exception(error)
    waiting.exception()


def told_of(closed: Closed) -> str:
    """How a connection ended and what comes next, in words."""
    if closed.http_status is not None:
        why = f"HTTP {closed.http_status} instead of a WebSocket"
    else:
        why = f"closed by {closed.code}" if closed.code is not None else "lost"
    reason = f" {closed.reason[:80]!r}" if closed.reason else ""
    if isinstance(closed.action, Retry):
        then = f"again in {closed.action.after:.1f} s"
    else:
        then = "stopped" if isinstance(closed.action, Stop) else "waits for credentials"
    return f"{why}{reason} ({closed.cause}); {then}"


class WireStream(Stream):
    """A stream over sockets of our own; it is the owner of their wires."""

    def __init__(
        self,
        url: str,
        client: _Client,
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
