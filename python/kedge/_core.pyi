"""The C core, as Python sees it: objects that are fed messages and a time, and give events and
messages.

Nothing here does I/O. Times are seconds of a monotonic clock, as float or int; where `now` is left
out the object asks its `clock` (time.monotonic unless another is given). A span of time may be
`math.inf`. Entropy is taken from os.urandom unless 32 bytes are given.

What a peer does never raises: it is an event, an answer or a close. What the caller does wrong
raises at once, says what, and changes nothing.

A payload that is given is encoded by `json`; None is no payload at all, and bytes (bytearray,
memoryview) are JSON already and only checked. Texts must be encodable in UTF-8.

An object must not be called by two threads at once, nor by its own `clock`, `decoder` or `wake`
while it is in the midst of a call: that raises StateError.
"""

import builtins
import sys
from asyncio import AbstractEventLoop, Transport
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from types import GenericAlias
from typing import Any, Generic, Literal, TypeAlias, TypeVar, final, overload

from typing_extensions import Self, disjoint_base

from kedge._enums import CredentialsKind, OutcomeKind, Status

_T = TypeVar("_T")
_Bytes: TypeAlias = bytes | bytearray | memoryview
_Message: TypeAlias = str | bytes | bytearray | memoryview
_Clock: TypeAlias = Callable[[], float]
_Decoder: TypeAlias = Callable[[bytes], Any]
_Headers: TypeAlias = Iterable[tuple[str | bytes, str | bytes]]
_Action: TypeAlias = Retry | WantCredentials | Stop

version: str
"""The version of the C library."""
statuses: tuple[tuple[int, str, str, int], ...]
"""Every status of the C library: number, name, sentence, close code (0: none)."""
gateway_close_codes: tuple[tuple[str, int, bool, str], ...]
"""Every close code of the gateway: name, code, whether the session survives it, meaning."""

# ---- errors --------------------------------------------------------------------------------------

class Error(Exception):
    """A call that could not be carried out; `status` is the library's Status."""

    status: Status

class ArgumentError(Error, ValueError):
    """An argument is empty, out of range or otherwise not to be used."""

class StateError(Error):
    """The call does not fit the state of the object, or its role."""

class StaleTicketError(StateError):
    """The question was answered before, or its link is gone."""

class LimitError(Error):
    """A limit that was set would be exceeded; nothing was changed."""

class UnknownError(Error, LookupError):
    """There is no such session or topic (any more)."""

class DecodeError(Error, ValueError):
    """Given text is not what it should be; it goes wrong with the byte at `offset`, if known.

    `kind` is the `status`; `id` is that of a message, where it could be read: an answer echoes it.
    """

    kind: Status
    offset: int | None
    id: str | int | float | None

class SnapshotError(Error, ValueError):
    """A snapshot that cannot be restored."""

# ---- events --------------------------------------------------------------------------------------
#
# Immutable, picklable, with `__match_args__`. Two are equal that have the same type and equal
# fields, `raw` aside; hashable where the fields are.

@disjoint_base
class Event:
    """Something that happened on a link."""

    @property
    def raw(self) -> memoryview | None:
        """The whole message (decompressed) that it came of, or None."""
    def __hash__(self) -> int: ...

class _PayloadEvent(Event):
    @property
    def payload(self) -> memoryview | None:
        """The payload as it came: JSON. None if there is none."""
    @property
    def data(self) -> Any:
        """The payload, decoded when first asked for: by json, or the `decoder` of its source."""
    def into(self, type: type[_T], /) -> _T:
        """The payload decoded and checked as that type, by msgspec (which must be installed)."""

@final
class Retry:
    """The client connects again after `after` seconds; `resume`: it goes on with its session, if it
    has one. False: it begins a new one."""

    __match_args__ = ("after", "resume")
    def __new__(cls, after: float = 0.0, resume: bool = False) -> Self: ...
    @property
    def after(self) -> float: ...
    @property
    def resume(self) -> bool:
        """It goes on with its session, if it has one."""
    def __hash__(self) -> int: ...

@final
class WantCredentials:
    """The client waits for GatewayClient.set_credentials."""

    __match_args__ = ()
    def __new__(cls) -> Self: ...
    def __hash__(self) -> int: ...

@final
class Stop:
    """The client does not come back by itself."""

    __match_args__ = ()
    def __new__(cls) -> Self: ...
    def __hash__(self) -> int: ...

@final
class Closed(Event):
    """A connection's conversation is over.

    `code` is the close code on the wire: the peer's if it closed first, else ours; None: there was
    none. `cause` is why, a Status. `action` is what a client does next; a server's link tells
    `session_id` and whether that session is kept (`resumable`). `unsent` counts what a client had
    accepted and did not send.
    """

    __match_args__ = ("code", "reason", "action")
    def __new__(
        cls,
        code: int | None = None,
        reason: str = "",
        action: _Action | None = None,
        cause: Status | str = "OK",
        sent: int | None = None,
        received: int | None = None,
        http_status: int | None = None,
        unsent: int = 0,
        resumable: bool = False,
        session_id: str | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def code(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def action(self) -> _Action | None: ...
    @property
    def cause(self) -> Status: ...
    @property
    def sent(self) -> int | None: ...
    @property
    def received(self) -> int | None: ...
    @property
    def http_status(self) -> int | None: ...
    @property
    def unsent(self) -> int: ...
    @property
    def resumable(self) -> bool: ...
    @property
    def session_id(self) -> str | None: ...

@final
class Identify(_PayloadEvent):
    """A server's question: whose token is this? Answer with accept or refuse.

    `capabilities` are those that the client asked for, None if it named none. The repr hides the
    token.
    """

    __match_args__ = ("token",)
    def __new__(
        cls,
        token: str,
        protocol_version: int = 1,
        capabilities: tuple[str, ...] | None = None,
        ticket: int = 0,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def protocol_version(self) -> int: ...
    @property
    def capabilities(self) -> tuple[str, ...] | None: ...
    @property
    def ticket(self) -> int: ...

@final
class Resume(_PayloadEvent):
    """A server's question: may whoever has this token go on with this session?

    Answer with accept (the hub then compares the session's user) or refuse. The repr hides the
    token.
    """

    __match_args__ = ("token", "session_id", "position")
    def __new__(
        cls,
        token: str,
        session_id: str,
        position: int = 0,
        ticket: int = 0,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def ticket(self) -> int: ...

@final
class Attached(Event):
    """The server's link has its session; `position` is what the client had seen of it."""

    __match_args__ = ("session", "resumed", "position")
    def __new__(
        cls,
        session: Session | None,
        resumed: bool = False,
        position: int = 0,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def session(self) -> Session | None:
        """None if it has ended by the time that the event was taken."""
    @property
    def resumed(self) -> bool: ...
    @property
    def position(self) -> int: ...

@final
class Message(_PayloadEvent):
    """A client's message, checked by the protocol's table if it is `known`."""

    __match_args__ = ("name",)
    def __new__(
        cls,
        name: str,
        known: bool = True,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def known(self) -> bool: ...

@final
class Connect(Event):
    """The client wants a connection now: the `attempt`-th since the last one that lasted."""

    __match_args__ = ("attempt", "resume")
    def __new__(cls, attempt: int = 1, resume: bool = False, raw: _Bytes | None = None) -> Self: ...
    @property
    def attempt(self) -> int: ...
    @property
    def resume(self) -> bool:
        """There is a session to go on with."""

@final
class Ready(_PayloadEvent):
    """The client has a new session."""

    __match_args__ = ("session_id", "seq")
    def __new__(
        cls,
        session_id: str,
        seq: int = 1,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def session_id(self) -> str: ...
    @property
    def seq(self) -> int: ...

@final
class Dispatch(_PayloadEvent):
    """An event of the session; `seq` is 0 where the server gave none."""

    __match_args__ = ("name", "seq")
    def __new__(
        cls,
        name: str,
        seq: int = 0,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def seq(self) -> int: ...

@final
class Resumed(Event):
    """The replay is over: `replayed` events were delivered, the position is `seq`."""

    __match_args__ = ("seq", "replayed")
    def __new__(cls, seq: int, replayed: int = 0, raw: _Bytes | None = None) -> Self: ...
    @property
    def seq(self) -> int: ...
    @property
    def replayed(self) -> int: ...

@final
class Gap(Event):
    """Numbers that will not come, `first` to `last`."""

    __match_args__ = ("first", "last")
    def __new__(cls, first: int, last: int, raw: _Bytes | None = None) -> Self: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...

@final
class Sync(Event):
    """The application should fetch its state anew by other means (`/sync`).

    `why`: HISTORY_LOST (the server's history was too short), LIMIT (resuming was given up), OK
    (after each resume, by the setting sync_after_resume).

    A new session needs the same and is told by Ready alone: without a Sync where the old one had
    expired (4009), say, while the client was away.
    """

    __match_args__ = ("why",)
    def __new__(cls, why: Status | str, raw: _Bytes | None = None) -> Self: ...
    @property
    def why(self) -> Status: ...

@final
class ErrorReport(_PayloadEvent):
    """The server reports an error; the connection stays."""

    __match_args__ = ("code", "message")
    def __new__(
        cls,
        code: Any = None,
        message: Any = None,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def code(self) -> Any: ...
    @property
    def message(self) -> Any: ...

@final
class Credentials(Event):
    """A server's question before the upgrade: whose are they? Answer with accept or refuse.

    `kind` is a CredentialsKind; where it is NONE there is no `secret`. The repr hides it.
    """

    __match_args__ = ("kind", "secret")
    def __new__(
        cls,
        kind: CredentialsKind | str,
        secret: str = "",
        ticket: int = 0,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def kind(self) -> CredentialsKind: ...
    @property
    def secret(self) -> str: ...
    @property
    def ticket(self) -> int: ...

@final
class Snapshot(Event):
    """A server's question: what is the state that a new client begins with? Answer with reply."""

    __match_args__ = ()
    def __new__(cls, ticket: int = 0, raw: _Bytes | None = None) -> Self: ...
    @property
    def ticket(self) -> int: ...

@final
class Request(_PayloadEvent):
    """The peer asks. Answer with reply, reply_error or reply_failed, at any later time.

    `id` is how the peer calls it; `known`: it is one of the protocol's own, checked by its table.
    """

    __match_args__ = ("name",)
    def __new__(
        cls,
        name: str,
        id: str = "",
        known: bool = True,
        ticket: int = 0,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def known(self) -> bool: ...
    @property
    def ticket(self) -> int: ...

@final
class Outcome(_PayloadEvent):
    """A request of ours ended: the one with that `number`, called `name`.

    `outcome` is an OutcomeKind. ANSWERED: the payload is the result. REFUSED: the payload is the
    error; `code` and `message` stand in it. `about`: what a subscription/add asked for.
    """

    __match_args__ = ("number", "outcome")
    def __new__(
        cls,
        number: int,
        outcome: OutcomeKind | str,
        name: str = "",
        code: str | int | None = None,
        message: str | None = None,
        about: Any = None,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def number(self) -> int: ...
    @property
    def outcome(self) -> OutcomeKind: ...
    @property
    def name(self) -> str: ...
    @property
    def code(self) -> str | int | None: ...
    @property
    def message(self) -> str | None: ...
    @property
    def about(self) -> Any: ...

@final
class Acknowledged(Event):
    """The client has what this link sent, up to `position`."""

    __match_args__ = ("position",)
    def __new__(cls, position: int, raw: _Bytes | None = None) -> Self: ...
    @property
    def position(self) -> int: ...

@final
class Stray(_PayloadEvent):
    """An answer to nothing: late, a second one, or of an unknown `id`."""

    __match_args__ = ("id",)
    def __new__(
        cls, id: str = "", payload: _Bytes | None = None, raw: _Bytes | None = None
    ) -> Self: ...
    @property
    def id(self) -> str: ...

@final
class Epoch(Event):
    """Another server process: the numbers start again, the position `last_before` is void."""

    __match_args__ = ("last_before",)
    def __new__(cls, last_before: int, raw: _Bytes | None = None) -> Self: ...
    @property
    def last_before(self) -> int: ...

@final
class Reconnected(_PayloadEvent):
    """The client is initialized again; what happened meanwhile is lost: fetch the state."""

    __match_args__ = ()
    def __new__(cls, payload: _Bytes | None = None, raw: _Bytes | None = None) -> Self: ...

@final
class Coordinates:
    """What a subscription is about; matching is exact, any may be empty."""

    __match_args__ = ("scope", "scope_id", "target", "target_id")
    def __new__(
        cls, scope: str = "", scope_id: str = "", target: str = "", target_id: str = ""
    ) -> Self: ...
    @property
    def scope(self) -> str: ...
    @property
    def scope_id(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def target_id(self) -> str: ...
    def __hash__(self) -> int: ...

@final
class Subscription(_PayloadEvent):
    """An event of what the client subscribed to; it is the payload."""

    __match_args__ = ("coordinates", "type")
    def __new__(
        cls,
        coordinates: Coordinates,
        type: str,
        payload: _Bytes | None = None,
        raw: _Bytes | None = None,
    ) -> Self: ...
    @property
    def coordinates(self) -> Coordinates: ...
    @property
    def type(self) -> str: ...

@final
class SessionEnded:
    """A session of a hub is over; `last` is the highest number that it gave."""

    __match_args__ = ("why", "session_id", "user", "last")
    def __new__(
        cls,
        why: Literal["expired", "evicted", "ended"],
        session_id: str,
        user: str,
        last: int = 0,
    ) -> Self: ...
    @property
    def why(self) -> Literal["expired", "evicted", "ended"]: ...
    @property
    def session_id(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def last(self) -> int: ...
    def __hash__(self) -> int: ...

# ---- outputs -------------------------------------------------------------------------------------

@final
class Upgrade:
    """Answer 101."""

    __match_args__ = ("subprotocol", "headers")
    def __new__(
        cls, subprotocol: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> Self: ...
    @property
    def subprotocol(self) -> str | None: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    def __hash__(self) -> int: ...

@final
class Decline:
    """Answer with this instead of 101."""

    __match_args__ = ("status", "headers", "body")
    def __new__(
        cls, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Self: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def body(self) -> bytes: ...
    def __hash__(self) -> int: ...

@final
class Text:
    """Send a text message. `data` is its UTF-8, `text` the same as str."""

    __match_args__ = ("data",)
    def __new__(cls, data: bytes) -> Self: ...
    @property
    def data(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    def __hash__(self) -> int: ...

@final
class Binary:
    """Send a binary message."""

    __match_args__ = ("data",)
    def __new__(cls, data: bytes) -> Self: ...
    @property
    def data(self) -> bytes: ...
    def __hash__(self) -> int: ...

@final
class Close:
    """Send a close frame, then nothing more."""

    __match_args__ = ("code", "reason")
    def __new__(cls, code: int, reason: str = "") -> Self: ...
    @property
    def code(self) -> int: ...
    @property
    def reason(self) -> str: ...
    def __hash__(self) -> int: ...

@final
class Abort:
    """Drop the connection without a close frame."""

    __match_args__ = ()
    def __new__(cls) -> Self: ...
    def __hash__(self) -> int: ...

_Output: TypeAlias = Upgrade | Decline | Text | Binary | Close | Abort

# ---- links ---------------------------------------------------------------------------------------

@final
class Handshake:
    """What a client asks for in its upgrade; `message_limit` is for the library below."""

    __match_args__ = ("target", "headers", "subprotocols", "message_limit")
    def __new__(
        cls,
        target: str,
        headers: tuple[tuple[str, str], ...] = (),
        subprotocols: tuple[str, ...] = (),
        message_limit: int = 0,
    ) -> Self: ...
    @property
    def target(self) -> str: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def subprotocols(self) -> tuple[str, ...]: ...
    @property
    def message_limit(self) -> int: ...
    def __hash__(self) -> int: ...

@disjoint_base
class _Link:
    """What links of both roles have. Every input returns the events that it brought about."""

    context: Any
    """The host's own, e.g. what writes to this link's connection; None at first."""
    @property
    def clock(self) -> _Clock: ...
    def opened(self, *, now: float | None = None) -> list[Event]:
        """The 101 is out (server) or in (client): from now on messages can be sent."""
    def receive(self, message: _Message, /, *, now: float | None = None) -> list[Event]:
        """A whole message came: str is a text message, anything else a binary one."""
    def receive_text(self, message: _Bytes, /, *, now: float | None = None) -> list[Event]:
        """A whole text message came, as bytes; they need not have been checked."""
    def alive(self, *, now: float | None = None) -> list[Event]:
        """Bytes came, but no whole message yet."""
    def peer_closed(
        self, code: int | None = None, reason: str | bytes = "", *, now: float | None = None
    ) -> list[Event]:
        """The peer sent a close frame; None: without a code."""
    def host_closed(
        self, code: int | None = None, reason: str | bytes = "", *, now: float | None = None
    ) -> list[Event]:
        """The library below closed by its own judgement (1002, 1007, 1009, ...)."""
    def lost(self, *, now: float | None = None) -> list[Event]:
        """The connection broke, or ended after a close; harmless where that is known."""
    def tick(self, *, now: float | None = None) -> list[Event]:
        """Time passed; cheap where nothing is due."""
    def stop(self, *, now: float | None = None) -> list[Event]:
        """Ends the conversation as a side that stops: a server with 4008, a client with 1000."""
    def close(self, code: int, reason: str = "", *, now: float | None = None) -> list[Event]:
        """Ends this connection with a code and a reason (123 bytes) of the application's."""
    def events(self) -> list[Event]:
        """Events of other origin, e.g. when another connection took the session over."""
    def outputs(self, limit: int | None = None) -> list[_Output]:
        """What is to be sent, in order; taking it is sending it, as far as the link knows.

        With a limit it stops once the messages taken have that many bytes, so that a slow peer's
        backlog stays in its history. Then ask again when the peer has taken them, until nothing
        comes: for what is left no ready() gives the link again, and no wake is called.
        """
    @property
    def output_waiting(self) -> bool:
        """True if outputs() would give something."""
    @property
    def deadline(self) -> float | None:
        """When tick is wanted at the latest; None: never."""
    @property
    def queued(self) -> int:
        """Bytes of answers and control messages that wait; a backlog of events does not count."""
    @property
    def reading_wanted(self) -> bool:
        """False while the link would rather not be fed: its output waits."""
    @property
    def finished(self) -> bool:
        """True once nothing more will come of this connection: no events, no output."""
    @property
    def counts(self) -> dict[str, int]:
        """What was received, sent, ignored, ...: see kedge/link.h."""

@final
class GatewayClient(_Link):
    """The client's side of the gateway. It outlives its connections.

    It asks for one by the event Connect: begin it with handshake(), then opened() or
    connect_failed(). When a connection ends, Closed tells what comes next; the deadline is then the
    end of the back-off, and tick() gives the next Connect.

    The settings, all by name; times in seconds:

    token: says who it is; never shown, never saved
    path="/gateway": may have a query
    compress=False: True asks for zstd
    protocol_version=1, capabilities=None: what it speaks and asks for; None: whatever there is
    sync_after_resume=False: True gives a Sync after each resume
    resumed_expected=True: False for a server that never says `resumed`
    sync_when_given_up=True: a Sync where resuming was given up
    any_type=False: notify() knows the protocol's messages alone; True: it takes any name
    hold_count=1000, hold_bytes=4 << 20: what is held behind a hole in a replay
    resume_attempts=3: without progress; then it begins a new session
    hello_timeout=30.0: from open to hello, and from identify to ready
    backoff=(1.0, 60.0): between attempts, the first time and at the most
    rate_limited_delay=5.0: at least, after 4006 and 4012
    restart_spread=5.0: the first attempt after 4008 falls anywhere within it
    retry_after_max=300.0: of a server's Retry-After no more than this is waited
    rate=(120, 2): messages at once, and refilled a second, that the server allows; (0, 0): any
    message_limit=1 << 20: bytes of a server's message, decompressed
    queue_limit=1 << 20: bytes of messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, now=None: for tests; time.monotonic, os.urandom
    """

    def __new__(
        cls,
        *,
        token: str,
        path: str = "/gateway",
        compress: bool = False,
        protocol_version: int = 1,
        capabilities: Iterable[str] | None = None,
        sync_after_resume: bool = False,
        resumed_expected: bool = True,
        sync_when_given_up: bool = True,
        any_type: bool = False,
        hold_count: int = 1000,
        hold_bytes: int = 4 << 20,
        resume_attempts: int = 3,
        hello_timeout: float = 30.0,
        backoff: tuple[float, float] = (1.0, 60.0),
        rate_limited_delay: float = 5.0,
        restart_spread: float = 5.0,
        retry_after_max: float = 300.0,
        rate: tuple[int, int] = (120, 2),
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        now: float | None = None,
    ) -> Self: ...
    def start(self, *, now: float | None = None) -> list[Event]:
        """Begins: gives Connect."""
    def handshake(self, *, now: float | None = None) -> Handshake:
        """Begins a connection, in answer to Connect."""
    def connect_failed(
        self, status: int = 0, *, retry_after: float = 0.0, now: float | None = None
    ) -> list[Event]:
        """No connection came of it; `status` is the HTTP status instead of 101, 0: none."""
    def notify(self, name: str, payload: Any = None, *, now: float | None = None) -> list[Event]:
        """Sends a client's message: "presence_update", ...; any other name by any_type=True."""
    def set_credentials(self, token: str, *, now: float | None = None) -> list[Event]:
        """Another token; a client that waits for one goes on."""
    def save(self) -> bytes:
        """What the next process needs to go on here: session and position, never the token."""
    def load(self, saved: _Bytes, /) -> None:
        """Takes up what save() gave, before start()."""
    @property
    def path(self) -> str:
        """The path that was given; the protocol's query is added to it."""
    @property
    def connection(self) -> int:
        """The connections so far; what an older one still brings must not be fed."""

@final
class HubLink(_Link):
    """The server's side of one connection, made by GatewayHub.link()."""

    def requested(
        self, target: str | bytes, headers: _Headers = (), *, now: float | None = None
    ) -> list[Event]:
        """An upgrade is asked for: the answer is the first output, Upgrade or Decline.

        `target` is path and query as they stand in the request. Of the headers the first hundred
        are looked at.
        """
    def accept(
        self,
        question: Identify | Resume,
        *,
        user: str | int,
        topics: Iterable[str] = (),
        topics_exact: bool = False,
        members: Mapping[str, Any] | _Bytes | None = None,
        now: float | None = None,
    ) -> list[Event]:
        """Answers yes, at any later time: the token belongs to `user`.

        The session follows the topics (with topics_exact: and no others); `ready` carries the
        members. A session that is gone, another's or past a cap is no error here: the link closes
        with the protocol's code.
        """
    def refuse(
        self,
        question: Identify | Resume,
        code: int = 4004,
        text: str = "",
        *,
        now: float | None = None,
    ) -> list[Event]:
        """Answers no, with one of the gateway's close codes."""
    @property
    def session(self) -> Session | None:
        """The session that it has, None if none."""
    @property
    def hub(self) -> GatewayHub: ...

@final
class Session:
    """A session of a hub, named by its id; it may have ended since. Equal by id."""

    __match_args__ = ("id", "user")
    def __new__(cls, id: str, user: str) -> Self:
        """A name only: of no hub, and so not alive."""
    @property
    def id(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def last(self) -> int:
        """The highest number that it gave; 0 if it is not alive."""
    @property
    def attached(self) -> bool:
        """A link has it now."""
    @property
    def alive(self) -> bool:
        """It has not ended."""
    def __hash__(self) -> int: ...

@disjoint_base
class GatewayHub:
    """The sessions and links of one gateway server. May be subclassed.

    After anything that was done to the hub or one of its links: write what the links of ready()
    give, and sleep until `deadline`, then tick() and ready() again. `wake` tells when. The limits
    of histories are (events, bytes, seconds).
    """

    wake: Callable[[], object] | None
    """Called at the end of any call but ready() after which links are ready or the deadline is
    sooner than it was last told; not again until ready() is called. In a subclass it may be a
    method. What it raises goes to sys.unraisablehook."""

    def __init__(
        self,
        *,
        heartbeat_interval: float = 45.0,
        identify_timeout: float = 30.0,
        decision_timeout: float = 30.0,
        rate: tuple[int, int] = (120, 2),
        protocol_version: int = 1,
        capabilities: Iterable[str] = (),
        unknown: Literal["close", "ignore", "deliver"] = "close",
        invalid_payload_closes: bool = True,
        send_resumed: bool = True,
        compress_above: int = 0,
        words: Mapping[str, Iterable[str]] | None = None,
        session_ttl: float = 300.0,
        topic_history: tuple[int, int, float] = (1000, 4 << 20, 600.0),
        own_history: tuple[int, int, float] = (1000, 4 << 20, 600.0),
        links_max: int = 100_000,
        sessions_max: int = 200_000,
        sessions_per_user_max: int = 20,
        evict_detached: bool = True,
        topics_max: int = 100_000,
        topics_per_session_max: int = 1000,
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        now: float | None = None,
    ) -> None:
        """`words`: other lists for "mls_type", "cpace_type", "media_type"."""
    @property
    def clock(self) -> _Clock: ...
    def link(self, *, context: Any = None, now: float | None = None) -> HubLink:
        """A link for a new connection. The hub keeps it until it is finished."""
    def links(self) -> list[HubLink]:
        """The links that are not finished."""
    def ready(self, *, now: float | None = None) -> list[HubLink]:
        """The links that have events or output for their host, each once; also does what is due."""
    @overload
    def publish(
        self, topic: str, event: str, payload: Any = None, *, now: float | None = None
    ) -> int:
        """Publishes an event to whoever follows the topic; tells how many sessions that are."""
    @overload
    def publish(self, topic: str, event: Publication, *, now: float | None = None) -> int: ...
    @overload
    def send(
        self, session: Session | str, event: str, payload: Any = None, *, now: float | None = None
    ) -> None:
        """The same for one session alone."""
    @overload
    def send(
        self, session: Session | str, event: Publication, *, now: float | None = None
    ) -> None: ...
    def follow(self, session: Session | str, topic: str, *, now: float | None = None) -> None:
        """From now on the session gets what is published to the topic."""
    def unfollow(self, session: Session | str, topic: str, *, now: float | None = None) -> None:
        """From now on it does not; what was published until now it still gets."""
    def limit_topic(
        self, topic: str, history: tuple[int, int, float], *, now: float | None = None
    ) -> None:
        """Other limits for the history of one topic, which somebody follows."""
    def session(self, id: str, /) -> Session | None:
        """The session with that id, None if there is none."""
    def sessions(self, user: str | int | None = None) -> list[Session]:
        """The sessions of a user, or all."""
    def link_of(self, session: Session | str, /) -> HubLink | None:
        """The link that has the session, None while it is detached.

        Events that its methods give are the caller's; close() ends a connection without that.
        """
    def close(
        self,
        session: Session | str,
        code: int = 4000,
        reason: str = "",
        *,
        now: float | None = None,
    ) -> bool:
        """Closes the connection that a session has; False if it is detached.

        What becomes of the session, and whether its client comes back, follows from the code. The
        Closed comes out of the link's events().
        """
    def end(self, session: Session | str, *, now: float | None = None) -> None:
        """Ends a session for good; its link, if any, is closed with 4009."""
    def events(self) -> list[SessionEnded]:
        """The sessions that ended since the last call; the latest 1024."""
    @property
    def deadline(self) -> float | None:
        """When tick is wanted at the latest, for all links and sessions; None: never."""
    def tick(self, *, now: float | None = None) -> None:
        """Time passed; ready() then has the links that this concerns."""
    def seal(self, *, now: float | None = None) -> None:
        """From now on nothing is published and no session attached."""
    def stop(self, *, now: float | None = None) -> None:
        """Every link closes with 4008; the sessions stay."""
    def snapshot(self, *, wall: float | None = None, now: float | None = None) -> bytes:
        """The hub's state. Only of a sealed hub can it be restored. `wall`: seconds since 1970."""
    def restore(
        self, snapshot: _Bytes, /, *, wall: float | None = None, now: float | None = None
    ) -> None:
        """Fills a new hub with a snapshot."""
    @property
    def counts(self) -> dict[str, int]:
        """How many links, sessions, ...: see kedge/hub.h."""

@final
class Publication:
    """An event encoded once, for any number of topics, sessions and hubs."""

    def __new__(cls, name: str, payload: Any = None) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def payload(self) -> bytes | None:
        """JSON; None if there is none."""

# ---- envelopes -----------------------------------------------------------------------------------

_Protocol: TypeAlias = Literal["gateway", "flowlayer", "messaging", "blobhub"]
_EnvelopeKind: TypeAlias = Literal[
    "unknown",
    "command",
    "ack",
    "result",
    "event",
    "error",
    "request",
    "notification",
    "response",
    "ping",
    "pong",
]

@final
class Envelope:
    """One message, as decode() gives it. It was read whole and checked; what is asked for is made
    then. Its buffer is the payload.

    Two are equal that say the same; their payloads are compared as they stand. The repr tells no
    payload.
    """

    __match_args__ = ("name", "kind")
    @property
    def protocol(self) -> _Protocol:
        """ "gateway", "flowlayer", "messaging" or "blobhub"."""
    @property
    def kind(self) -> _EnvelopeKind | None:
        """What it is: "command", "event", "request", ...; None at the gateway, which has no kinds.

        "unknown": its `type` is none of the protocol's. "ping" is any text of the messenger that
        is no object.
        """
    @property
    def type(self) -> str | None:
        """The member `type` as it stands; None where the protocol has none (BlobHub)."""
    @property
    def name(self) -> str | None:
        """What it is called: the gateway's `type`, FlowLayer's `name`, the messenger's `eventType`
        or `payloadType`, BlobHub's `method`; None: it has no name."""
    @property
    def id(self) -> str | int | float | None:
        """The id of what is asked or answered: str, at BlobHub a number too; or None."""
    @property
    def seq(self) -> int | None:
        """The gateway's `seq`, the messenger's id of an event or ack; or None."""
    @property
    def time(self) -> float | str | None:
        """The messenger's `timestamp`, or None; one that Python cannot have stays a str."""
    @property
    def raw(self) -> memoryview:
        """The whole message, without a copy."""
    @property
    def payload(self) -> memoryview | None:
        """The payload (`d`, `payload`, `params` or `result`) as it came, without a copy: JSON. None
        if there is none."""
    @property
    def data(self) -> Any:
        """The payload, decoded when first asked for: by json, or the `decoder`."""
    @property
    def error(self) -> Any:
        """BlobHub's `error`, decoded likewise each time; or None."""
    def into(self, type: builtins.type[_T], /) -> _T:
        """The payload decoded and checked as that type, by msgspec (which must be installed)."""
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

    def __hash__(self) -> int: ...

def gateway_decode(message: _Message, /, *, decoder: _Decoder | None = None) -> Envelope:
    """Reads one message, str or bytes, whole: its envelope is checked, its payload is found.

    DecodeError if it is broken: `kind` tells how, `offset` with which byte, and `id` is what an
    answer would echo. `decoder` is what `data` is decoded by, instead of json.
    """

def flowlayer_decode(message: _Message, /, *, decoder: _Decoder | None = None) -> Envelope: ...
def messaging_decode(message: _Message, /, *, decoder: _Decoder | None = None) -> Envelope: ...
def blobhub_decode(message: _Message, /, *, decoder: _Decoder | None = None) -> Envelope: ...
def blobhub_decode_batch(
    message: _Message, /, *, limit: int = 100, decoder: _Decoder | None = None
) -> Envelope | list[Envelope | DecodeError]:
    """Reads a message, or an array of messages: an Envelope, or a list.

    An element that is broken says nothing about the others: in its place stands a DecodeError.
    What is wrong with the array itself is raised: no JSON, no elements, or more than `limit`
    (LimitError).
    """

def gateway_encode(name: str, payload: Any = None, *, seq: int | None = None) -> bytes:
    """Writes a message: `name` is its type."""

def flowlayer_encode(
    kind: Literal["command", "ack", "result", "event", "error"],
    name: str | None = None,
    payload: Any = None,
    *,
    id: str | None = None,
    seq: int | None = None,
) -> bytes:
    """Writes a message.

    A "command" has a name and an id, and may have a payload; an "ack" or a "result" has an id and
    a payload; an "event" has a name, and may have a payload and then a seq; an "error" has a
    payload, and may have an id. A seq is written into the payload.
    """

def messaging_encode(
    kind: Literal["request", "response", "event", "ack"],
    name: str | None = None,
    payload: Any = None,
    *,
    time: float | None = None,
    id: str | None = None,
    seq: int | None = None,
) -> bytes:
    """Writes a message.

    A "request" has a name, a payload and an id; a "response" has an id, or None, and may have a
    payload; an "event" has a name, and may have a payload and a seq; an "ack" has a seq alone. All
    but an ack have a time, in the unit that the two sides agreed upon.
    """

def blobhub_encode(
    kind: Literal["request", "notification", "response"],
    name: str | None = None,
    payload: Any = None,
    *,
    id: str | float | None = None,
    error: Any = None,
) -> bytes:
    """Writes a message.

    A "request" has a name and an id, and may have a payload; a "notification" has a name and may
    have a payload; a "response" has an id, and a payload (None is null) or an error, whose id may
    be None.
    """

def blobhub_encode_batch(messages: Iterable[_Message], /) -> bytes:
    """Joins messages, as encode() gives them, into one that is an array."""

# ---- observers -----------------------------------------------------------------------------------

_Side: TypeAlias = Literal["client", "server"]

@final
class Observation:
    """What a Watch saw: what the message is called (None where that cannot be read), and in which
    state both sides are after it.

    `broken`: it is the first that broke the contract. Then `culprit` is "client" or "server",
    `cause` why, a Status, `code` that with which the other side closes, and `rule` a sentence.
    """

    __match_args__ = ("name", "client_state", "server_state")
    def __new__(
        cls,
        name: str | None = None,
        client_state: str = "",
        server_state: str = "",
        broken: bool = False,
        culprit: _Side | None = None,
        cause: Status | str = "OK",
        code: int | None = None,
        rule: str | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str | None: ...
    @property
    def client_state(self) -> str: ...
    @property
    def server_state(self) -> str: ...
    @property
    def broken(self) -> bool: ...
    @property
    def culprit(self) -> _Side | None: ...
    @property
    def cause(self) -> Status: ...
    @property
    def code(self) -> int | None: ...
    @property
    def rule(self) -> str | None: ...
    def __hash__(self) -> int: ...

@final
class Watch:
    """An observer of one conversation: told what both sides say, and when, it gives an Observation
    each time, and the first thing that breaks the contract.

    It judges by the tables that links run by. What only the two sides can know is not judged:
    whether a token is right, whether the application may refuse.
    """

    def __new__(cls, protocol: _Protocol) -> Self: ...
    def message(
        self, sender: _Side, message: _Message, /, *, now: float | None = None
    ) -> Observation:
        """A whole message that "client" or "server" sent: str is a text message, anything else a
        binary one, of which the compressed bytes. The first one opens a connection, and so does the
        first behind a broken one."""
    def close(
        self,
        sender: _Side,
        /,
        code: int | None = None,
        reason: str | bytes = "",
        *,
        now: float | None = None,
    ) -> Observation:
        """A close frame that "client" or "server" sent; None: the connection broke, as it does once
        both have closed."""
    @property
    def protocol(self) -> _Protocol:
        """What is spoken."""
    @property
    def broken(self) -> Observation | None:
        """The Observation that broke the contract first; None: none did."""

# ---- logs ----------------------------------------------------------------------------------------

@final
class LogEntry:
    """An entry of a Log; `time` is when it was appended."""

    __match_args__ = ("index", "stamp", "publication", "time")
    def __new__(
        cls, index: int, stamp: int, publication: Publication, time: float = 0.0
    ) -> Self: ...
    @property
    def index(self) -> int: ...
    @property
    def stamp(self) -> int: ...
    @property
    def publication(self) -> Publication: ...
    @property
    def time(self) -> float: ...
    def __hash__(self) -> int: ...

@final
class Log:
    """A numbered sequence of publications, bounded by count, bytes and age at every moment.

    Its entries have indices from 1 on, without holes, and stamps that rise. What does not fit any
    more is dropped, the oldest first. len() is how many are held; iteration gives them, the oldest
    first, and passes over what is dropped meanwhile.
    """

    def __new__(cls, *, count: int = 1000, size: int = 4194304, age: float = 600.0) -> Self: ...
    def append(
        self, publication: Publication, /, *, stamp: int | None = None, now: float | None = None
    ) -> int:
        """Appends a Publication and returns its index; drops the oldest entries that no longer fit.

        Stamps rise; None: one more than the last. LimitError: it is larger than all that fits.
        """
    def expire(self, *, now: float | None = None) -> None:
        """Drops what is too old."""
    def trim(self, to: int, /) -> None:
        """Drops the entries up to and including that index."""
    def set_limits(
        self,
        *,
        count: int = 1000,
        size: int = 4194304,
        age: float = 600.0,
        now: float | None = None,
    ) -> None:
        """Other limits from now on; drops what is over them."""
    def get(self, index: int, /) -> LogEntry | None:
        """The entry with that index; None if it is not held."""
    def after(self, stamp: int, /) -> int:
        """The index of the first held entry with a greater stamp; last + 1 if there is none."""
    @property
    def last(self) -> int:
        """The highest index that was given; 0: none."""
    @property
    def base(self) -> int:
        """The highest index that was dropped; 0: none."""
    @property
    def base_stamp(self) -> int:
        """The stamp of that."""
    @property
    def size(self) -> int:
        """The bytes that are held, as the limit counts them."""
    @property
    def deadline(self) -> float | None:
        """When there will be something to drop for its age; None: never."""
    def __iter__(self) -> Iterator[LogEntry]: ...
    def __len__(self) -> int: ...

# ---- connections ---------------------------------------------------------------------------------

@final
class Opened:
    """The WebSocket is open."""

    __match_args__ = ("subprotocol",)
    def __new__(cls, subprotocol: str | None = None) -> Self: ...
    @property
    def subprotocol(self) -> str | None: ...
    def __hash__(self) -> int: ...

@final
class Requested:
    """An upgrade is asked for (server without a link): upgrade() or answer()."""

    __match_args__ = ("target", "headers", "subprotocols")
    def __new__(
        cls,
        target: str,
        headers: tuple[tuple[str, str], ...] = (),
        subprotocols: tuple[str, ...] = (),
    ) -> Self: ...
    @property
    def target(self) -> str: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def subprotocols(self) -> tuple[str, ...]: ...
    def __hash__(self) -> int: ...

@final
class HttpRequest:
    """A request that asks for no upgrade (server): answer()."""

    __match_args__ = ("method", "target", "headers")
    def __new__(
        cls, method: str, target: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> Self: ...
    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    def __hash__(self) -> int: ...

@final
class Refused:
    """The server answered with another status than 101 (client); Disconnected follows.

    `body` is the beginning of its body, 4 KiB at most.
    """

    __match_args__ = ("status", "headers")
    def __new__(
        cls, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Self: ...
    @property
    def body(self) -> bytes: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    def __hash__(self) -> int: ...

@final
class Received:
    """A message on a plain WebSocket; `message` is str or bytes, as it was sent."""

    __match_args__ = ("message",)
    def __new__(cls, message: str | bytes) -> Self: ...
    @property
    def message(self) -> str | bytes: ...
    def __hash__(self) -> int: ...

@final
class Disconnected:
    """The WebSocket is over, whatever the reason; the last event of a connection.

    `code`, `cause`, `sent` and `received` are as in Closed.
    """

    __match_args__ = ("code", "reason", "cause")
    def __new__(
        cls,
        code: int | None = None,
        reason: str = "",
        cause: Status | str = "OK",
        sent: int | None = None,
        received: int | None = None,
    ) -> Self: ...
    @property
    def code(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def cause(self) -> Status: ...
    @property
    def sent(self) -> int | None: ...
    @property
    def received(self) -> int | None: ...
    def __hash__(self) -> int: ...

_ConnectionEvent: TypeAlias = (
    Event | Opened | Requested | HttpRequest | Refused | Received | Disconnected
)

@final
class Connection:
    """Handshake, frames and (where one is given) a link, over one byte stream.

    Made by accept() or open(). Feed it what is read; write what output() gives; close the socket
    when it is `finished`. The events of its link come out of the connection's own calls, and what
    is done to the link directly shows in output().
    """

    @classmethod
    def accept(
        cls,
        link: HubLink | None = None,
        *,
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        head_limit: int = 16384,
        handshake_timeout: float = 10.0,
        close_timeout: float = 5.0,
        ping_interval: float = 0.0,
        ping_timeout: float = 20.0,
        stall_tolerance: float = 5.0,
        clock: _Clock | None = None,
        now: float | None = None,
    ) -> Connection:
        """The server's side of a socket that was just accepted.

        Without a link it is a plain WebSocket, or gets its link later, by join().
        """
    @classmethod
    def open(
        cls,
        host: str,
        target: str = "",
        *,
        link: GatewayClient | None = None,
        headers: _Headers = (),
        subprotocols: Iterable[str] = (),
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        head_limit: int = 16384,
        handshake_timeout: float = 10.0,
        close_timeout: float = 5.0,
        ping_interval: float = 0.0,
        ping_timeout: float = 20.0,
        stall_tolerance: float = 5.0,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        now: float | None = None,
    ) -> Connection:
        """The client's side of a socket that was just connected.

        `host` is for the Host header ("example.org:8080"). With a link, which asked to Connect,
        target and subprotocols are the link's; without one the target is path and query. If it
        raises nothing has changed: the link still waits for its connection, or to be told that none
        comes (connect_failed).
        """
    def receive(self, data: _Bytes, /, *, now: float | None = None) -> list[_ConnectionEvent]:
        """Bytes came; gives the events of the connection and of its link."""
    def receive_buffer(
        self, buffer: bytearray | memoryview, /, *, now: float | None = None
    ) -> list[_ConnectionEvent]:
        """The same, for a buffer that may be changed: it is unmasked in place."""
    def events(self, *, now: float | None = None) -> list[_ConnectionEvent]:
        """Events of other origin; also does what is due."""
    def tick(self, *, now: float | None = None) -> list[_ConnectionEvent]:
        """The same as events()."""
    def lost(self, *, now: float | None = None) -> list[_ConnectionEvent]:
        """The stream ended or broke."""
    def upgrade(
        self, subprotocol: str | None = None, headers: _Headers = (), *, now: float | None = None
    ) -> None:
        """Answers Requested with 101."""
    def join(self, link: HubLink, /, *, now: float | None = None) -> None:
        """Answers Requested by handing the request to a link; from now on it is the link's."""
    def answer(
        self, status: int, headers: _Headers = (), body: _Bytes = b"", *, now: float | None = None
    ) -> None:
        """Answers HttpRequest, or Requested with no; the connection closes after it."""
    def send(self, message: _Message, /, *, now: float | None = None) -> None:
        """Sends a message (without a link): str as text, anything else as binary."""
    def close(self, code: int = 1000, reason: str = "", *, now: float | None = None) -> None:
        """Begins the closing handshake."""
    def output(self, limit: int = 65536, *, now: float | None = None) -> bytes:
        """Up to `limit` bytes to write, b"" if there are none; taking is writing."""
    @property
    def output_waiting(self) -> bool:
        """True if output() would give something."""
    @property
    def reading_wanted(self) -> bool:
        """False while reading should pause: the peer does not take what it is answered, or a
        request waits for its answer."""
    @property
    def finished(self) -> bool:
        """True once all is told and written and nothing more is awaited: close the socket."""
    @property
    def deadline(self) -> float | None:
        """When tick is wanted at the latest; with a hub the hub's deadline includes it."""
    @property
    def link(self) -> HubLink | GatewayClient | None: ...
    @property
    def clock(self) -> _Clock: ...

# ---- what asyncio hosts are made of --------------------------------------------------------------

@final
class Mailbox(Generic[_T]):
    """A queue with one reader, who iterates over it.

    It never refuses anything: whoever brings looks at `full` and then brings no more; `on_room` is
    called when it is no longer full.
    """

    def __new__(
        cls, limit: int, on_room: Callable[[], object], loop: AbstractEventLoop
    ) -> Mailbox[_T]: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    def __len__(self) -> int: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[_T]: ...
    def add(self, item: _T, /) -> None:
        """Adds one, unless it has ended."""
    def put(self, items: Iterable[_T], /) -> None:
        """Adds them, unless it has ended."""
    def end(self) -> None:
        """There will be nothing more; what is there can still be taken."""
    def discard(self) -> None:
        """Nobody will take anything more."""
    def get(self) -> Awaitable[_T]:
        """The next one, to be awaited; raises StopAsyncIteration at the end."""
    @property
    def full(self) -> bool:
        """True while nothing more should be brought."""

@disjoint_base
class Wire:
    """What carries a Connection on an asyncio transport; kedge.aio makes protocols of it."""

    def __init__(self, buffer: bytearray | memoryview) -> None: ...
    def get_buffer(self, sizehint: int, /) -> memoryview:
        """Where to read to."""
    def buffer_updated(self, nbytes: int, /) -> None:
        """So many bytes were read."""
    def pause_writing(self) -> None:
        """The transport takes nothing for now."""
    def resume_writing(self) -> None:
        """It takes something again."""
    def look(self) -> None:
        """Takes what happened otherwise than by bytes that came; does what is due."""
    def flush(self) -> None:
        """Writes what there is."""
    def flush_soon(self) -> None:
        """Writes what there is once everybody had their turn, so that it is written at once."""
    def send(self, message: _Message, /) -> None:
        """Sends a message, str as text, bytes as binary; it is written at the end of this turn."""
    def send_text(self, message: _Message, /) -> None:
        """Sends a text message that is there as UTF-8 already."""
    def steer(self) -> None:
        """Reads on, or pauses, as connection and mailbox want it."""
    def _attach(
        self, connection: Connection, transport: Transport, loop: AbstractEventLoop, /
    ) -> None:
        """The transport is there."""
    def _detach(self) -> None:
        """The transport is gone."""
    def _alarm_rang(self) -> None:
        """The time of the last _set_alarm has come."""
    def _leave_time(self) -> None:
        """No alarm is set any more."""
    @property
    def connection(self) -> Connection:
        """The connection, once the transport is there."""
    @property
    def begun(self) -> bool:
        """There was a connection."""
    @property
    def transport(self) -> Transport | None:
        """The transport; None before and after."""
    @property
    def held(self) -> bool:
        """The transport takes nothing for now, or it is gone."""
    mailbox: Mailbox[Any] | None
    """Where messages go without further ado; while it is full nothing is read. None: each is given
    to received()."""
    reading: bool
    """The transport is being read."""
    raw_texts: bool
    """Text messages are given to received_text(), as bytes."""
    tells_written: bool
    """Whether _written() is called when something was written."""
