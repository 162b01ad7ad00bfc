"""What carries links beneath other libraries' WebSockets: the part that all adapters share.

An adapter gives a `Socket` for each of its library's WebSockets. A `Carrier` joins that with a
link; a `Courier` has the carrier of a server's link, from the request on; a `CarriedStream` makes a
new one for each connection of a client.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from kedge._core import (
    Abort,
    Binary,
    Close,
    Decline,
    Event,
    Handshake,
    HubLink,
    LimitError,
    StateError,
    Text,
    Upgrade,
    _Client,
)
from kedge._hub import HubCalls as Hub
from kedge._log import logger
from kedge.aio import _state
from kedge.aio._driver import Driver, driven
from kedge.aio._link import NO_HOST, Link
from kedge.aio._stream import Stream
from kedge.errors import ClosedError, RefusedError

LinkHandler: TypeAlias = Callable[[Link], Awaitable[object]]

OUTPUT_LIMIT = 1 << 16
PINGED = frozenset({"flowlayer", "blobhub"})
"""Protocols without a keep-alive of their own: the library's pings find a dead peer."""
PING_INTERVAL = 30.0
PING_TIMEOUT = 20.0
CLOSE_TIMEOUT = 5.0
RETRY_AFTER_MAX = 86_400.0
HEADERS_MAX = 100
"""As many headers of a request as links take, as the servers of kedge's own do."""


class Ended(NamedTuple):
    """A WebSocket is over: the peer closed it, the host library did by its own judgement, or it was
    lost without a word (or after our own close)."""

    by: Literal["peer", "host", "nobody"] = "nobody"
    code: int | None = None
    reason: str = ""


class Socket(ABC):
    """An open WebSocket of a host library."""

    faults: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """What the library raises where the connection is gone."""

    @abstractmethod
    async def send(self, message: Text | Binary) -> None:
        """Sends it; returns when the library takes more."""

    @abstractmethod
    async def receive(self) -> str | bytes | Text | Ended:
        """The next message, Text where the library gives that as bytes. Once it has ended it is
        not asked again. A peer's close is answered by the library, or here."""

    @abstractmethod
    async def close(self, code: int, reason: str) -> None:
        """Closes it, and waits for the peer to agree, within a bound."""

    def abort(self) -> None:  # noqa: B027
        """Drops it as it is, where the library has a way to."""

    async def end(self) -> None:  # noqa: B027
        """Whatever the library needs to leave nothing behind, when it is over."""


class Carrier:
    """Carries a link over a WebSocket by two loops: one receives; the other sends, and takes the
    next from the link only when the host took the last, so that a slow reader's backlog stays in
    its history."""

    def __init__(
        self,
        core: HubLink | _Client,
        take: Callable[[Sequence[Event]], object],
        full: Callable[[], bool],
        sent: Callable[[], object] = lambda: None,
    ) -> None:
        """`take` is given the events; while `full`, nothing is read; `sent` is called when
        something may have been."""
        self._core = core
        self._take = take
        self._full = full
        self._sent = sent
        self._socket: Socket | None = None
        self._to_send = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._written: asyncio.Future[None] | None = None
        self._closed = False
        self._over = False

    async def answer(self) -> Upgrade | Decline | None:
        """What a server's link says to the request, as soon as it does; None if it never will."""
        while not self._core.finished:
            for output in self._core.outputs():
                return output if isinstance(output, Upgrade | Decline) else None
            await self._rest()
        return None

    async def carry(self, socket: Socket) -> None:
        """Serves the open WebSocket to its end."""
        self._socket = socket
        self._take(self._core.opened())
        receiver = asyncio.create_task(self._receive(socket))
        try:
            await self._send(socket)
        finally:
            receiver.cancel()
            await asyncio.wait([receiver])
            self._closed = True
            self._socket = None
            if not self._over:
                socket.abort()
            await socket.end()
            raise_failure(receiver)

    # ---- sending -------------------------------------------------------------------------------

    async def _send(self, socket: Socket) -> None:
        with self._broken_off(socket):
            while not self._closed:
                outputs = self._core.outputs(OUTPUT_LIMIT)
                for output in outputs:
                    await self._deliver(socket, output)
                self.steer()
                self._sent()
                if not outputs and not self._closed:
                    # Only one who has seen that there is nothing is told when there is something.
                    await self._rest()

    async def _deliver(
        self, socket: Socket, output: Upgrade | Decline | Text | Binary | Close | Abort
    ) -> None:
        if isinstance(output, Text | Binary):
            await socket.send(output)
            return
        self._closed = True
        if isinstance(output, Close):
            await socket.close(output.code, output.reason)
            self._over = True

    async def _rest(self) -> None:
        """Nothing waits to be sent; waits until something may."""
        if self._written is not None and not self._written.done():
            self._written.set_result(None)
        await self._to_send.wait()
        self._to_send.clear()

    # ---- receiving -----------------------------------------------------------------------------

    async def _receive(self, socket: Socket) -> None:
        with self._broken_off(socket):
            while True:
                await self._may_read.wait()
                message = await socket.receive()
                if isinstance(message, Ended):
                    self._over = True
                    self._disconnected(message)
                    break
                if not self._closed:
                    self._take(self._fed(message))
                    self.flush_soon()
                    self.steer()

    def _fed(self, message: str | bytes | Text) -> list[Event]:
        if isinstance(message, Text):
            return self._core.receive_text(message.data)
        return self._core.receive(message)

    def _disconnected(self, ended: Ended) -> None:
        if self._closed:
            # The link knows; a client's may be upon its next connection already.
            return
        self._closed = True
        events: list[Event] = []
        if ended.by == "peer":
            events = self._core.peer_closed(ended.code, ended.reason)
        elif ended.by == "host":
            events = self._core.host_closed(ended.code, ended.reason)
        self._take([*events, *self._core.lost()])

    @contextlib.contextmanager
    def _broken_off(self, socket: Socket) -> Iterator[None]:
        """What libraries raise where a connection is gone is the connection's end, no error."""
        try:
            yield
        except socket.faults as error:
            logger.debug("a connection broke: %r", error)
            self._disconnected(Ended())
        finally:
            self._closed = True
            self.flush_soon()

    # ---- for links and streams -----------------------------------------------------------------

    def look(self) -> None:
        if not self._closed:
            self._take(self._core.events())
            self.flush_soon()

    def flush_soon(self) -> None:
        self._to_send.set()

    def steer(self) -> None:
        if self._closed or (self._core.reading_wanted and not self._full()):
            self._may_read.set()
        else:
            self._may_read.clear()

    def abort(self) -> None:
        """The link is done with it: the socket is dropped, unless it is closing."""
        if not self._closed:
            self._closed = True
            self.flush_soon()
            if self._socket is not None:
                self._socket.abort()

    async def write_out(self, task: asyncio.Task[None]) -> None:
        """Waits until nothing waits to be sent, since a close drops what does: the answer that was
        given last, say. `task` is what carries."""
        self._written = asyncio.get_running_loop().create_future()
        self.flush_soon()
        await asyncio.wait(
            [self._written, task], timeout=CLOSE_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )


def raise_failure(task: asyncio.Task[Any]) -> None:
    """Raises what an ended task failed with."""
    if not task.cancelled() and (failure := task.exception()) is not None:
        raise failure


# ---- servers -------------------------------------------------------------------------------------


class Courier(ABC):
    """Carries one link of a hub: an asynchronous context manager, whose target is the link."""

    link_type: ClassVar[type[Link]] = Link
    faults: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """What accept and decline raise where the client is gone."""

    def __init__(
        self,
        hub: Hub,
        *,
        events_max: int,
        peer: Any,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        upgrade: bool = True,
    ) -> None:
        """`target` and `headers` are as they came. `upgrade` is False for a plain request, which
        the protocol may answer."""
        self._hub = hub
        self._events_max = events_max
        self._peer = peer
        self._target = target
        self._headers = headers
        self._upgrade = upgrade
        self._holds: ExitStack
        self._carrying: ExitStack
        self._core: HubLink | None = None
        self._carrier: Carrier
        self._task: asyncio.Task[None]
        self._link: Link

    @abstractmethod
    async def accept(self, upgrade: Upgrade) -> Socket:
        """Answers the request with yes."""

    @abstractmethod
    async def decline(self, decline: Decline) -> None:
        """Answers it with no."""

    # ---- the block -----------------------------------------------------------------------------

    async def __aenter__(self) -> Any:
        with ExitStack() as holds, ExitStack() as carrying:
            driver = holds.enter_context(driven(self._hub))
            carrying.enter_context(driver.carrying())
            declined = self._begin(driver)
            self._holds, self._carrying = holds.pop_all(), carrying.pop_all()
        self._task = asyncio.create_task(self._run(declined))
        return self._link

    def _begin(self, driver: Driver) -> Decline | None:
        """Asks the hub; what to answer at once if the request is too large for it, or it takes
        nobody in: it is full, or stops."""
        if len(self._headers) > HEADERS_MAX:
            return self._turned_away(Decline(431))
        try:
            core = self._hub.link()
        except (LimitError, StateError):
            return self._turned_away(Decline(503, (("Retry-After", "1"),)))
        if driver.claim is not None:
            driver.claim.confirm()
        self._core = core
        self._carrier = Carrier(core, self._take, lambda: self._link._full)
        self._link = self.link_type(
            core,
            hub=self._hub,
            host=self._carrier,
            events_max=self._events_max,
            peer=self._peer,
            target=text_of(self._target),
            headers=[(text_of(name), text_of(value)) for name, value in self._headers],
        )
        self._take(core.requested(self._target, self._headers, upgrade=self._upgrade))
        return None

    def _turned_away(self, decline: Decline) -> Decline:
        self._link = self.link_type(
            None, hub=self._hub, host=NO_HOST, http_status=decline.status, peer=self._peer
        )
        return decline

    def _take(self, events: Sequence[Event]) -> None:
        self._link._take(events)

    async def _run(self, declined: Decline | None) -> None:
        try:
            answer = declined or await self._carrier.answer()
            if isinstance(answer, Upgrade):
                await self._carrier.carry(await self.accept(answer))
            elif answer is not None:
                await self.decline(answer)
        except self.faults as error:
            logger.debug("the request of %r broke off: %r", self._link, error)
        finally:
            self._link._over()
            self._carrying.close()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._link._nobody_listens()
        try:
            if error is None or isinstance(error, Exception):
                await self._say_goodbye(error)
        finally:
            await self._end()

    async def _say_goodbye(self, error: Exception | None) -> None:
        if self._core is not None:
            await self._carrier.write_out(self._task)
            if error is None:
                self._link.close()
            else:
                self._link._fail()
        await asyncio.wait([self._task], timeout=CLOSE_TIMEOUT)

    async def _end(self) -> None:
        self._task.cancel()
        try:
            await asyncio.wait([self._task])
        finally:
            if self._core is not None:
                self._take(self._core.lost())
                self._link._ended()
                # The two keep each other, and the core.
                del self._carrier
                self._core = None
            self._holds.close()
        raise_failure(self._task)


def text_of(data: bytes) -> str:
    """What came in a request; bytes of it that are no UTF-8 are kept as the core keeps them."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


async def attend(courier: Courier, handler: LinkHandler) -> None:
    """Serves a courier's link by a handler, as kedge.serve does."""
    link: Link | None = None
    try:
        async with courier as link:
            await handler(link)
    except ClosedError:
        pass  # and where it was not the link's, it was closed by now
    except Exception:
        logger.exception("the handler of %r failed", link)


async def stop(
    hub: Hub, *, state: _state.StatePath | None = None, close_timeout: float = CLOSE_TIMEOUT
) -> None:
    """Ends a hub's service: seals it, saves it to `state`, closes every link with 4008, and waits
    until those are written, `close_timeout` at the most. For hosts that tell in their own way that
    they stop."""
    with driven(hub) as driver:
        claim = driver.claim
        if state is None:
            hub.seal()
        elif claim is not None and claim.is_of(state):
            await claim.seal()
        else:
            await _state.seal(hub, state)
        hub.stop()
        await driver.wait_until_idle(close_timeout)


# ---- clients -------------------------------------------------------------------------------------


class CarriedStream(Stream):
    """A stream over another library's WebSockets."""

    @abstractmethod
    async def _open(self, url: str, wish: Handshake) -> Socket:
        """Connects. Raises RefusedError for an answer that is no upgrade, OSError where there is
        none, what it likes for its caller's mistakes."""

    async def _dial(self) -> None:
        for line in self._lines:
            line.abort()
        wish = self._client.handshake()
        try:
            socket = await self._opened(wish)
        except RefusedError as error:
            self._failed(str(error), error.code, retry_after_of(error.headers))
            return
        carrier = Carrier(self._client, self._take, lambda: self._full, self._settle)
        self._begin_line(carrier)
        try:
            await carrier.carry(socket)
        finally:
            self._end_line(carrier)

    async def _opened(self, wish: Handshake) -> Socket:
        """The socket, in time, or none: that which comes too late is dropped."""
        address = self._address
        url = f"{'wss' if address.secure else 'ws'}://{address.host_header}{wish.target}"
        opening = asyncio.create_task(self._open(url, wish))
        try:
            await asyncio.wait([opening], timeout=self._open_timeout)
        except BaseException:
            await give_up(opening)
            raise
        if not opening.done():
            await give_up(opening)
            raise TimeoutError("no connection in time")
        return opening.result()


async def give_up(opening: asyncio.Task[Socket]) -> None:
    opening.cancel()
    await asyncio.wait([opening])
    if not opening.cancelled() and opening.exception() is None:
        socket = opening.result()
        socket.abort()
        await socket.end()


def retry_after_of(headers: Iterable[tuple[str, str]]) -> float:
    """The seconds that a server asks to wait, a day at most, 0 if it does not or names a date."""
    for name, text in headers:
        if name == "retry-after" and text.isascii() and text.isdigit():
            return min(float(text), RETRY_AFTER_MAX)
    return 0.0
