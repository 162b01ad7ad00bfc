"""A peer that says what a test says, and insists on what the test expects."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from kedge._core import (
    Close,
    Connection,
    Disconnected,
    HttpRequest,
    Opened,
    Received,
    Refused,
    Requested,
    StateError,
)
from kedge._words import printable
from kedge.aio._address import address_of
from kedge.transcript import Line, Step, Transcript, explain, masked, masked_text

WITHIN = 5.0
SHOWN = 160
LINES = 1_000_000

Role: TypeAlias = Literal["client", "server"]
Protocol: TypeAlias = Literal["gateway", "flowlayer", "messaging", "blobhub", "raw"]
Pattern: TypeAlias = Any
Headers: TypeAlias = Iterable[tuple[str, str]]


class Mismatch(AssertionError):  # noqa: N818  (it is what a test asserts, not an error of its own)
    """The other side did not do what was expected of it."""


def mismatch(lead: str, wanted: str, got: str) -> Mismatch:
    """What was wanted and what came, below each other."""
    return Mismatch(f"{lead}{wanted}\n{'got: ':>{len(lead)}}{got}")


def matches(pattern: Pattern, value: Any) -> bool:
    """Whether a decoded message is as the pattern says: of an object the members that it names, of
    an array each element; `...` is anything, a type any value of it, the rest equality."""
    if pattern is ...:
        return True
    if isinstance(pattern, type):
        return isinstance(value, pattern)
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            name in value and matches(member, value[name]) for name, member in pattern.items()
        )
    if isinstance(pattern, list):
        return (
            isinstance(value, list)
            and len(pattern) == len(value)
            and all(map(matches, pattern, value))
        )
    return bool(pattern == value)


def shown(pattern: Pattern) -> str:
    """A pattern or a message, for people."""
    if isinstance(pattern, dict):
        members = ", ".join(f"{json.dumps(name)}: {shown(m)}" for name, m in pattern.items())
        return f"{{{members}}}"
    if isinstance(pattern, list):
        return f"[{', '.join(map(shown, pattern))}]"
    if pattern is ...:
        return "..."
    if isinstance(pattern, type):
        return pattern.__name__
    if isinstance(pattern, bytes):
        return f"{len(pattern)} bytes {pattern[:16].hex()}"
    return json.dumps(pattern, ensure_ascii=False)


def decoded(message: str | bytes) -> Any:
    """A text message as what its JSON says, or as it stands where it is none."""
    if isinstance(message, bytes):
        return message
    try:
        return json.loads(message)
    except ValueError:
        return message


def heard(message: Any) -> str:
    """What came, for people, without tokens."""
    if isinstance(message, str | bytes):
        return shown(masked(Line(0.0, "client", message)).message)
    return masked_text(shown(message))


@dataclass(frozen=True)
class Record:
    """What was said in one conversation; its report judges it by the protocol's tables."""

    title: str
    protocol: Protocol
    transcript: Transcript

    def __str__(self) -> str:
        lines = self.transcript.lines
        if self.protocol == "raw":
            return "\n".join([self.title, *map(said, lines)])
        return "\n".join([self.title, *map(judged, explain(self.protocol, lines))])


def said(line: Line) -> str:
    """A line of a report."""
    what = line.message if isinstance(line.message, str) else shown(line.message)
    return f"{line.t:10.3f} s  {line.sender:6}  {line.ending or printable(what, SHOWN)}"


def judged(step: Step) -> str:
    """The same, and what both sides had come to by it."""
    told = [said(step.line)]
    told.append(f"client {step.seen.client_state}, server {step.seen.server_state}")
    if step.breach:
        told.append(f"! broken {step.breach}")
    return f"\n{'':22}".join(told)


class Conversation:
    """One connection, as the scripted side of it: send, expect, misbehave.

    What is expected is the next message that is not ignored and not answered by itself; another
    one fails the test, and so does silence.
    """

    def __init__(self, socket: _Socket, record: Record, seed: int) -> None:
        self._socket = socket
        self._record = record
        self._random = random.Random(seed)
        self.request: Requested | None = None
        """What the client asked for, where the peer is a server."""

    def __repr__(self) -> str:
        return f"<kedge.testing.Conversation {self._record.title}>"

    @property
    def lines(self) -> list[Line]:
        """What was said so far, without tokens; kedge.transcript.write() makes a file of it."""
        return list(self._record.transcript.lines)

    # ---- say -----------------------------------------------------------------------------------

    def send(self, message: Any) -> None:
        """Sends a message: bytes as binary, str as the text that it is, anything else as JSON."""
        if not isinstance(message, str | bytes):
            message = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        self._socket.send(message)

    def send_raw(self, data: bytes) -> None:
        """Sends bytes as they are, below the frames."""
        self._socket.send_raw(data)

    def send_garbage(self, size: int = 64) -> None:
        """Sends random bytes, by the seed of the test."""
        self.send_raw(self._random.randbytes(size))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begins the closing handshake."""
        self._socket.close(code, reason)

    def cut(self) -> None:
        """Breaks the connection without a word."""
        self._socket.cut()

    def go_silent(self) -> None:
        """Reads nothing any more, and so answers nothing, pings included; the connection stays."""
        self._socket.go_silent()

    def go_on(self) -> None:
        """Reads on, with what came meanwhile."""
        self._socket.go_on()

    # ---- hear ----------------------------------------------------------------------------------

    def ignore(self, pattern: Pattern) -> None:
        """From now on messages like this are passed over."""
        self._socket.passing.append((pattern, None))

    def answer(self, pattern: Pattern, reply: Any) -> None:
        """From now on messages like this are answered with `reply`, which may be a function of the
        message."""

        def respond(message: Any) -> None:
            self.send(reply(message) if callable(reply) else reply)

        self._socket.passing.append((pattern, respond))

    async def expect(self, pattern: Pattern = ..., *, within: float = WITHIN) -> Any:
        """The next message, decoded; Mismatch if it is not as the pattern says (see `matches`), or
        none comes."""
        message = await self._next(shown(pattern), within)
        if isinstance(message, Disconnected):
            raise self._mismatch(shown(pattern), _ended(message))
        if not matches(pattern, message):
            raise self._mismatch(shown(pattern), heard(message))
        return message

    async def expect_close(
        self, code: int | None = None, *, within: float = WITHIN
    ) -> Disconnected:
        """The end of the connection, with that code if one is given."""
        wanted = "the end of the connection" if code is None else f"a close with {code}"
        message = await self._next(wanted, within)
        if not isinstance(message, Disconnected):
            raise self._mismatch(wanted, heard(message))
        if code is not None and message.code != code:
            raise self._mismatch(wanted, _ended(message))
        return message

    async def expect_nothing(self, seconds: float) -> None:
        """Nothing comes for so long."""
        try:
            message = await self._socket.next(seconds)
        except asyncio.TimeoutError:
            return
        got = _ended(message) if isinstance(message, Disconnected) else heard(message)
        raise self._mismatch(f"nothing for {seconds:g} s", got)

    async def _next(self, wanted: str, within: float) -> Any:
        try:
            return await self._socket.next(within)
        except asyncio.TimeoutError:
            raise self._mismatch(wanted, f"nothing within {within:g} s") from None

    def _mismatch(self, wanted: str, got: str) -> Mismatch:
        other = "server" if self._socket.role == "client" else "client"
        return mismatch(f"expected of the {other}: ", wanted, got)


def _ended(event: Disconnected) -> str:
    if event.code is None:
        return "the connection broke"
    return f"a close with {event.code} {event.reason}".rstrip()


class Host:
    """A scripted server: each connection is a conversation."""

    def __init__(self, peers: Peers, protocol: Protocol) -> None:
        self._peers = peers
        self._protocol = protocol
        self._arrived: asyncio.Queue[Conversation] = asyncio.Queue()
        self._answers: deque[tuple[int, Headers, bytes]] = deque()
        self._sockets: set[_Socket] = set()
        self.port = 0
        self.subprotocol: str | None = None
        """What an upgrade is answered with."""

    @property
    def url(self) -> str:
        """Where it can be reached, without a path."""
        return f"ws://127.0.0.1:{self.port}"

    def decline(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """The next upgrade that is asked for is answered with this instead."""
        self._answers.append((status, headers, body))

    async def accepted(self, *, within: float = WITHIN) -> Conversation:
        """The next connection, once it is open."""
        try:
            return await asyncio.wait_for(self._arrived.get(), within)
        except asyncio.TimeoutError:
            raise mismatch(
                "expected: ", "a client that connects", f"none within {within:g} s"
            ) from None

    def arrive(self) -> _Socket:
        """For the loop: a connection comes."""
        loop = asyncio.get_running_loop()
        record = self._peers.record(
            f"a client of the scripted {self._protocol} server", self._protocol
        )
        socket = _Socket("server", Connection.accept(clock=loop.time), record)
        conversation = Conversation(socket, record, self._peers.seed)
        socket.on_request = lambda event: self._judge(conversation, event)
        socket.on_open = lambda: self._arrived.put_nowait(conversation)
        self._sockets.add(socket)
        return socket

    def _judge(self, conversation: Conversation, event: Requested | HttpRequest) -> None:
        connection = conversation._socket.connection
        if self._answers:
            connection.answer(*self._answers.popleft())
        elif isinstance(event, HttpRequest):
            connection.answer(404)
        else:
            conversation.request = event
            connection.upgrade(self.subprotocol)

    def end(self) -> None:
        """Cuts what it still has."""
        for socket in self._sockets:
            socket.cut()


class Peers:
    """Makes scripted peers, of any protocol and role; "raw" is a WebSocket without one.

    ::

        async with kedge_peer.connect("ws://127.0.0.1:8765/gateway", "gateway") as peer:
            await peer.expect({"type": "hello"})
            peer.send({"type": "identify", "d": {"token": "anna"}})
            await peer.expect({"type": "ready", "seq": 1})

        async with kedge_peer.serve("gateway") as host:
            ...  # a client under test connects to host.url
            peer = await host.accepted()
            peer.send({"type": "hello", "seq": 0, "d": {"heartbeat_interval": 45000}})
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._records: list[Record] = []

    def record(self, title: str, protocol: Protocol) -> Record:
        """A new record, which the report will have."""
        record = Record(title, protocol, Transcript(limit=LINES))
        self._records.append(record)
        return record

    @property
    def report(self) -> str:
        """What was said in all conversations."""
        return "\n\n".join(map(str, self._records))

    @asynccontextmanager
    async def connect(
        self,
        url: str,
        protocol: Protocol = "raw",
        *,
        headers: Headers = (),
        subprotocols: Iterable[str] = (),
        within: float = WITHIN,
    ) -> AsyncIterator[Conversation]:
        """A scripted client. Mismatch if the server does not let it in within that time."""
        loop = asyncio.get_running_loop()
        address = address_of(url)
        record = self.record(f"the scripted {protocol} client of {url}", protocol)
        connection = Connection.open(
            address.host_header,
            address.target or "/",
            headers=headers,
            subprotocols=subprotocols,
            clock=loop.time,
        )
        socket = _Socket("client", connection, record)
        await loop.create_connection(lambda: socket, address.host, address.port)
        try:
            await socket.opened(within)
            yield Conversation(socket, record, self.seed)
        finally:
            socket.cut()
            await asyncio.sleep(0)

    @asynccontextmanager
    async def serve(self, protocol: Protocol = "raw", *, port: int = 0) -> AsyncIterator[Host]:
        """A scripted server, on that port or any free one."""
        host = Host(self, protocol)
        server = await asyncio.get_running_loop().create_server(host.arrive, "127.0.0.1", port)
        host.port = server.sockets[0].getsockname()[1]
        try:
            yield host
        finally:
            server.close()
            host.end()
            await asyncio.sleep(0)


class _Socket(asyncio.Protocol):
    """A WebSocket without a session protocol; what came waits until it is asked for."""

    def __init__(self, role: Role, connection: Connection, record: Record) -> None:
        self.role: Role = role
        self.connection = connection
        self.passing: list[tuple[Pattern, Callable[[Any], None] | None]] = []
        self.on_request: Callable[[Requested | HttpRequest], object] = lambda event: None
        self.on_open: Callable[[], object] = lambda: None
        self._other: Role = "server" if role == "client" else "client"
        self._transcript = record.transcript
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        self._open: asyncio.Future[None] = self._loop.create_future()
        self._over = False
        self._silent = False
        self._unread: list[bytes] = []

    # ---- what the loop calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._silent:
            self._unread.append(data)
            return
        self._take(self.connection.receive(data))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if not self._silent:
            self._take(self.connection.lost())

    # ---- what the conversation calls -----------------------------------------------------------

    async def opened(self, within: float) -> None:
        try:
            await asyncio.wait_for(self._open, within)
        except asyncio.TimeoutError:
            raise mismatch("expected: ", "the upgrade", f"nothing within {within:g} s") from None

    async def next(self, within: float) -> Any:
        return await asyncio.wait_for(self._heard.get(), within)

    def send(self, message: str | bytes) -> None:
        try:
            self.connection.send(message)
        except StateError:
            raise Mismatch(f"the connection is over; not sent: {heard(decoded(message))}") from None
        self._note(self.role, message)
        self._flush()

    def send_raw(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self, code: int, reason: str) -> None:
        self.connection.close(code, reason)
        self._note(self.role, Close(code, reason))
        self._flush()

    def cut(self) -> None:
        if self._transport is not None:
            self._over = True
            self._transport.abort()

    def go_silent(self) -> None:
        self._silent = True

    def go_on(self) -> None:
        self._silent = False
        unread, self._unread = self._unread, []
        for data in unread:
            self.data_received(data)
        if self._transport is None:
            self._take(self.connection.lost())

    # ---- the rest ------------------------------------------------------------------------------

    def _take(self, events: Iterable[Any]) -> None:
        for event in events:
            self._hear(event)
        self._flush()

    def _hear(self, event: Any) -> None:
        match event:
            case Received(message=message):
                self._note(self._other, message)
                self._sort(decoded(message))
            case Opened():
                self._settle(None)
                self.on_open()
            case Requested() | HttpRequest():
                self.on_request(event)
                self._take(self.connection.events())
            case Refused(status=status):
                self._settle(f"{status}")
            case _:
                self._end(event)

    def _note(self, sender: Role, message: str | bytes | Close | None) -> None:
        self._transcript(self._loop.time(), sender, message, None)

    def _sort(self, message: Any) -> None:
        for pattern, respond in self.passing:
            if matches(pattern, message):
                if respond is not None:
                    respond(message)
                return
        self._heard.put_nowait(message)

    def _settle(self, got: str | None) -> None:
        """The upgrade came, or something else did."""
        if self._open.done():
            return
        if got is None:
            self._open.set_result(None)
        else:
            self._open.set_exception(mismatch("expected: ", "the upgrade", got))

    def _end(self, event: Disconnected) -> None:
        self._settle(_ended(event))
        if not self._over:
            self._over = True
            code = event.received
            self._note(self._other, None if code is None else Close(code, event.reason))
        self._heard.put_nowait(event)

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        while data := self.connection.output():
            transport.write(data)
        if self.connection.finished:
            transport.close()
