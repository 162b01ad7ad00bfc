"""A plain WebSocket on asyncio, in both roles."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from kedge._core import (
    Connection,
    Disconnected,
    LimitError,
    Mailbox,
    Opened,
    Refused,
)
from kedge.aio._address import Address, address_of
from kedge.aio._mailbox import new_mailbox
from kedge.aio._socket import open_socket
from kedge.aio._wire import CLOSE_TIMEOUT, ConnectionEvent, Wire
from kedge.errors import ClosedError, RefusedError

MESSAGES_MAX = 64


class WebSocket:
    """An open WebSocket: an asynchronous iterator of its messages, str or bytes as they were sent.

    The iteration ends when the connection does, however it does; `closed` then tells. A peer whose
    messages are not taken is not read from.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        messages_max: int = MESSAGES_MAX,
        on_open: Callable[[WebSocket], object] | None = None,
        on_gone: Callable[[], object] | None = None,
        target: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._wire = wire
        self._on_open = on_open
        self._on_gone = on_gone
        self._mailbox: Mailbox[str | bytes] = new_mailbox(messages_max, wire.steer)
        wire.mailbox = self._mailbox
        wire.tells_written = False
        self._room: asyncio.Future[None] | None = None
        self._over = asyncio.get_running_loop().create_future()
        transport = wire.transport
        self.peer = transport.get_extra_info("peername") if transport is not None else None
        """The peer's address."""
        self.target = target
        """Path and query of the request."""
        self.headers = tuple(headers)
        """The headers of the client's request, names in lower case."""
        self.subprotocol: str | None = None
        self.closed: Disconnected | None = None
        """How it ended, None while it has not."""
        self.opened = False
        self.refused: Refused | None = None
        """A client's: the HTTP answer that was no upgrade."""

    def __repr__(self) -> str:
        state = "open" if self.closed is None else f"closed {self.closed.code}"
        return f"<kedge.websocket.WebSocket {self.peer} {state}>"

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self._mailbox

    async def __anext__(self) -> str | bytes:
        return await self._mailbox.get()

    async def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Sends a message, str as text; waits while the peer does not take what was sent before.

        Raises ClosedError once the connection is over, LimitError for a message larger than the
        queue.
        """
        while True:
            if self.closed is not None:
                raise ClosedError("the WebSocket is closed")
            try:
                self._wire.send(message)
            except LimitError:
                if not self._wire.connection.output_waiting:
                    raise
            else:
                break
            self._wire.flush_soon()
            await self._wait_for_room()
        if self._wire.held and self.closed is None:
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
            self._wire.tells_written = True
        await asyncio.shield(self._room)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes it, and waits until it is closed; the peer has some seconds to agree."""
        self.begin_close(code, reason)
        await self.wait_closed()

    def begin_close(self, code: int = 1000, reason: str = "") -> None:
        """The same without waiting; no effect if it is closing or closed."""
        if self._wire.begin_close(code, reason):
            self._mailbox.end()

    async def wait_closed(self) -> None:
        """Waits until the connection is gone."""
        await asyncio.shield(self._over)

    def abort(self) -> None:
        """Drops the socket as it is."""
        self._wire.abort()

    # ---- for its host --------------------------------------------------------------------------

    def nobody_listens(self) -> None:
        """The handler ended: nothing is queued any more."""
        self._mailbox.discard()
        self._wire.steer()

    # As the owner of a wire.

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        """The wire's: these happened."""
        for event in events:
            if type(event) is Opened:
                self.opened = True
                self.subprotocol = event.subprotocol
                if self._on_open is not None:
                    self._on_open(self)
            elif type(event) is Refused:
                self.refused = event
            else:
                assert type(event) is Disconnected
                self.closed = event
                self._mailbox.end()
                self._make_room()

    def gone(self, wire: Wire) -> None:
        """The wire's: it is."""
        self._mailbox.end()
        self._make_room()
        self._over.set_result(None)
        if self._on_gone is not None:
            self._on_gone()
        self._on_gone = self._on_open = None

    def written(self, wire: Wire) -> None:
        """The wire's: the socket took something."""
        if not wire.held:
            self._make_room()

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None
        self._wire.tells_written = False


class _Opening:
    """The owner of a client's wire until the WebSocket is there."""

    def __init__(self, address: Address, messages_max: int) -> None:
        self._address = address
        self._messages_max = messages_max
        self.socket: WebSocket | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        self.socket = WebSocket(
            wire, messages_max=self._messages_max, target=self._address.target or "/"
        )
        wire.owner = self.socket
        self.socket.deliver(wire, events)
        if not self.opened.done():
            self.opened.set_result(None)

    def gone(self, wire: Wire) -> None:
        """Whatever ends it is delivered before, and hands the wire on."""

    def written(self, wire: Wire) -> None:
        """That was the request."""


class Connecting:
    """What kedge.connect(url) gives: an asynchronous context manager; its target is a WebSocket."""

    def __init__(
        self,
        url: str,
        *,
        ssl: ssl_module.SSLContext | None,
        open_timeout: float,
        headers: Iterable[tuple[str, str]],
        events_max: int | None,
        options: dict[str, Any],
    ) -> None:
        self._address = address_of(url)
        self._ssl = ssl
        self._open_timeout = open_timeout
        self._messages_max = MESSAGES_MAX if events_max is None else events_max
        self._options = dict(options, headers=tuple(headers), handshake_timeout=open_timeout)
        self._socket: WebSocket | None = None

    async def __aenter__(self) -> WebSocket:
        opening = _Opening(self._address, self._messages_max)
        wire = Wire(opening, self._begin)
        await open_socket(wire, self._address, self._ssl, self._open_timeout)
        try:
            await opening.opened
        except BaseException:
            wire.abort()
            raise
        socket = opening.socket
        if socket is None or not socket.opened:
            wire.abort()
            refused = None if socket is None else socket.refused
            raise RefusedError(*((refused.status, refused.headers) if refused else (0,)))
        self._socket = socket
        return socket

    def _begin(self, wire: Wire) -> Connection:
        return Connection.open(
            self._address.host_header, self._address.target or "/", **self._options
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        socket = self._socket
        assert socket is not None
        if isinstance(error, asyncio.CancelledError):
            socket.abort()
            return
        socket.begin_close(1000 if error is None else 1001)
        try:
            await asyncio.wait_for(socket.wait_closed(), 2 * CLOSE_TIMEOUT)
        except (asyncio.TimeoutError, TimeoutError):
            pass
        finally:
            socket.abort()
