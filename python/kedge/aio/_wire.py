"""A Connection on an asyncio transport, for both roles, with a link and without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, cast

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
from kedge.aio._alarm import Alarm

ConnectionEvent: TypeAlias = (
    Event | Opened | Requested | HttpRequest | Refused | Received | Disconnected
)

BUFFER_SIZE = 1 << 16
CLOSE_TIMEOUT = 5.0


def new_buffer() -> memoryview:
    """What sockets are read into. All of a loop may share one: bytes are used up as they come."""
    return memoryview(bytearray(BUFFER_SIZE))


class Owner(Protocol):
    """Whoever a wire's connection belongs to. It is called from within the loop's callbacks, and
    must not raise."""

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        """These happened, in this order."""

    def gone(self, wire: Wire) -> None:
        """The transport is gone; nothing comes after it."""

    def written(self, wire: Wire) -> None:
        """The socket took something; see `held` for whether it takes more."""

    @property
    def full(self) -> bool:
        """True while nothing more should be read."""


class _Nobody:
    """The owner of a wire that is gone, so that the two do not keep each other."""

    full = False

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        """There is nobody to tell."""

    def gone(self, wire: Wire) -> None:
        """It is known."""

    def written(self, wire: Wire) -> None:
        """There is nobody to tell."""


class Wire(asyncio.BufferedProtocol):
    """Reads from a transport into a connection and writes what that gives, as long as the transport
    takes it: what a slow peer does not read stays in the connection, and so in its session's
    history.
    """

    __slots__ = (
        "_alarm",
        "_buffer",
        "_flush_comes",
        "_held",
        "_loop",
        "_make",
        "_patience",
        "_reading",
        "connection",
        "owner",
        "transport",
    )

    connection: Connection
    owner: Owner

    def __init__(
        self, owner: Owner, make: Callable[[Wire], Connection], buffer: memoryview
    ) -> None:
        """`make` makes the connection, once the transport is there."""
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._buffer = buffer
        self._held = False
        self._reading = True
        self._flush_comes = False
        self._alarm: Alarm | None = None
        self._patience: asyncio.TimerHandle | None = None
        self.owner = owner
        self.transport: asyncio.Transport | None = None

    @property
    def begun(self) -> bool:
        """There was a connection."""
        return hasattr(self, "connection")

    @property
    def held(self) -> bool:
        """The transport takes nothing for now, or it is gone."""
        return self._held or self.transport is None

    # ---- what asyncio calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        try:
            self.connection = self._make(self)
        except BaseException:
            stream.abort()
            raise
        self.transport = stream
        self._alarm = Alarm(self._loop, self.connection.clock, self.look)
        self._pump(())

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._pump(self.connection.receive_buffer(self._buffer[:nbytes]))

    def pause_writing(self) -> None:
        self._held = True

    def resume_writing(self) -> None:
        self._held = False
        self._pump(())
        self.owner.written(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is None:
            return
        self.transport = None
        self.leave_time_to_hub()
        if self._patience is not None:
            self._patience.cancel()
        owner, self.owner = self.owner, _Nobody()
        owner.deliver(self, self.connection.lost())
        owner.gone(self)

    # ---- what owners call ----------------------------------------------------------------------

    def look(self) -> None:
        """Takes what happened otherwise than by bytes that came; does what is due."""
        if self.transport is not None:
            self._pump(self.connection.events())

    def flush_soon(self) -> None:
        """Writes what there is once everybody had their turn, so that it is written at once."""
        if not self._flush_comes:
            self._flush_comes = True
            self._loop.call_soon(self._flush)

    def steer(self) -> None:
        """Reads on, or pauses, as connection and owner want it."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        reading = self.connection.reading_wanted and not self.owner.full
        if reading != self._reading:
            self._reading = reading
            if reading:
                transport.resume_reading()
            else:
                transport.pause_reading()

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

    def abort(self) -> None:
        """Drops the socket as it is."""
        if self.transport is not None:
            self.transport.abort()

    def leave_time_to_hub(self) -> None:
        """From now on a hub's deadline includes this connection's."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    # ---- the rest ------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._flush_comes = False
        if self.transport is not None:
            self._pump(())

    def _pump(self, events: Sequence[ConnectionEvent]) -> None:
        """Delivers and writes until there is nothing of either."""
        while True:
            if events:
                self.owner.deliver(self, events)
            if not self._write():
                break
            events = self.connection.events()
        self._settle()

    def _write(self) -> bool:
        transport = self.transport
        wrote = False
        while transport is not None and not self._held:
            data = self.connection.output(BUFFER_SIZE)
            if not data:
                break
            transport.write(data)
            wrote = True
        if wrote:
            self.owner.written(self)
        return wrote

    def _settle(self) -> None:
        transport = self.transport
        if transport is None:
            return
        if not self.connection.finished:
            self.steer()
            if self._alarm is not None:
                self._alarm.set(self.connection.deadline)
        elif self._patience is None:
            transport.close()
            self._patience = self._loop.call_later(CLOSE_TIMEOUT, transport.abort)
