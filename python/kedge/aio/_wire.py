"""A Connection on an asyncio transport, for both roles, with a link and without."""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, cast

from kedge import _core
from kedge._core import (
    Connection,
    Disconnected,
    Event,
    HttpRequest,
    Opened,
    Received,
    Refused,
    Requested,
    StateError,
)

ConnectionEvent: TypeAlias = (
    Event | Opened | Requested | HttpRequest | Refused | Received | Disconnected
)

BUFFER_SIZE = 1 << 16
CLOSE_TIMEOUT = 5.0


_here = threading.local()


def shared_buffer() -> memoryview:
    """What sockets are read into, one for all of a thread: bytes are used up as they come."""
    try:
        buffer: memoryview = _here.buffer
    except AttributeError:
        buffer = _here.buffer = memoryview(bytearray(BUFFER_SIZE))
    return buffer


PLAIN = {
    ("asyncio.selector_events", "_SelectorSocketTransport"),
    ("uvloop.loop", "TCPTransport"),
    ("uvloop.loop", "UnixTransport"),
}


def plain_socket(transport: asyncio.BaseTransport) -> int:
    """The socket of a transport that writes to it what it is given, and tells how much of that it
    still has: while it has nothing others may write there, too, at less cost. -1: it does more, as
    TLS does, or is of a kind that is not known."""
    kind = type(transport)
    if (kind.__module__, kind.__name__) not in PLAIN:
        return -1
    descriptor: int = transport.get_extra_info("socket").fileno()
    return descriptor


class Carrier(_core.Wire, asyncio.BufferedProtocol):
    """Reads from a transport into a connection and writes what that gives, as long as the transport
    takes it: what a slow peer does not read stays in the connection, and so in its session's
    history.

    What happens at each read and write is in C, in the class this is made from, which calls the
    methods below where something else is due.
    """

    __slots__ = ("_loop", "_patience", "_timer")

    def __init__(self) -> None:
        super().__init__(shared_buffer())
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None

    # ---- what is made of it --------------------------------------------------------------------

    @abstractmethod
    def _begin(self) -> Connection:
        """Makes the connection; the transport is there."""

    @abstractmethod
    def _deliver(self, events: Sequence[ConnectionEvent]) -> None:
        """These happened, in this order."""

    @abstractmethod
    def _written(self) -> None:
        """The socket took something. Called only while `tells_written` is set."""

    def _gone(self) -> None:
        """The transport is gone; nothing comes after it."""

    # ---- what asyncio calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        try:
            connection = self._begin()
        except BaseException:
            stream.abort()
            raise
        self._attach(connection, stream, self._loop, plain_socket(stream))
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is None:
            return
        self._detach()
        self.leave_time_to_hub()
        if self._patience is not None:
            self._patience.cancel()
        self._deliver(self.connection.lost())
        self._gone()

    # ---- what owners call ----------------------------------------------------------------------

    def begin_close(self, code: int, reason: str) -> bool:
        """Begins the closing handshake; False if there is none to begin any more."""
        if self.transport is None:
            return False
        try:
            self.connection.close(code, reason)
        except StateError:
            return False
        self.flush_soon()
        return True

    def leave_time_to_hub(self) -> None:
        """From now on a hub's deadline includes this connection's."""
        self._leave_time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- what the base calls -------------------------------------------------------------------

    def _set_alarm(self, deadline: float | None) -> None:
        """Something is due then, earlier than was told before; None: nothing is any more. Deadlines
        that move away are found out when it rings, since moving a timer each time would cost
        more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is None:
            return
        delay = max(0.0, deadline - self.connection.clock())
        self._timer = self._loop.call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._alarm_rang()

    def _pause(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.reading = False
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.reading = True
            self.transport.resume_reading()

    def _finish(self) -> None:
        """All is told and written."""
        if self._patience is None and self.transport is not None:
            self.transport.close()
            self._patience = self._loop.call_later(CLOSE_TIMEOUT, self.transport.abort)


class Owner(Protocol):
    """Whoever a wire's connection belongs to. It is called from within the loop's callbacks, and
    must not raise. Messages go into the wire's mailbox; while that is full nothing is read."""

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        """These happened, in this order."""

    def gone(self, wire: Wire) -> None:
        """The transport is gone; nothing comes after it."""

    def written(self, wire: Wire) -> None:
        """The socket took something; see `held` for whether it takes more. Told only while
        `tells_written` is set."""


class _Nobody:
    """The owner of a wire that is gone, so that the two do not keep each other."""

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        """There is nobody to tell."""

    def gone(self, wire: Wire) -> None:
        """It is known."""

    def written(self, wire: Wire) -> None:
        """There is nobody to tell."""


class Wire(Carrier):
    """One that belongs to somebody else, and may change hands."""

    __slots__ = ("_make", "owner")

    owner: Owner

    def __init__(self, owner: Owner, make: Callable[[Wire], Connection]) -> None:
        """`make` makes the connection, once the transport is there."""
        super().__init__()
        self._make = make
        self.owner = owner

    def received(self, message: str | bytes) -> None:
        """A message came while there was no mailbox yet."""
        if self.mailbox is not None:
            self.mailbox.add(message)

    def _begin(self) -> Connection:
        return self._make(self)

    def _deliver(self, events: Sequence[ConnectionEvent]) -> None:
        self.owner.deliver(self, events)

    def _written(self) -> None:
        self.owner.written(self)

    def _gone(self) -> None:
        owner, self.owner = self.owner, _Nobody()
        owner.gone(self)
