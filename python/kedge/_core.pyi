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
_Trace: TypeAlias = Callable[
    [float, Literal["client", "server"], str | bytes | Close | None, str], object
]
_Headers: TypeAlias = Iterable[tuple[str | bytes, str | bytes]]
_Protocol: TypeAlias = Literal["gateway", "flowlayer", "messaging", "blobhub"]
_Action: TypeAlias = Retry | WantCredentials | Stop

version: str
"""The version of the C library."""
statuses: tuple[tuple[int, str, str, int], ...]
"""Every status of the C library: number, name, sentence, close code (0: none)."""
gateway_close_codes: tuple[tuple[str, int, bool, str], ...]
"""Every close code of the gateway: name, code, whether the session survives it, meaning."""

def default_clock(clock: _Clock | None, /) -> _Clock:
    """What objects ask for the time that were given no clock, from now on; None: time.monotonic.
    Gives the one before. For tests."""

def default_wall_clock(clock: _Clock | None, /) -> _Clock:
    """The same for the wall clock, in seconds since 1970; None: the system's. Gives the one before
    (time.time_ns stands for the system's)."""

def default_entropy(source: Callable[[int], bytes] | None, /) -> Callable[[int], bytes]:
    """What objects that were given no entropy are made with, from now on: a function that gives so
    many bytes; None: os.urandom. Gives the one before."""

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
    """An event that may have a payload."""

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
    """The client connects again after `after` seconds; `resume`: it goes on where it was, as the
    Connect that follows will say. False: it begins anew."""

    __match_args__ = ("after", "resume")
    def __new__(cls, after: float = 0.0, resume: bool = False) -> Self: ...
    @property
    def after(self) -> float: ...
    @property
    def resume(self) -> bool:
        """It goes on where it was."""
    def __hash__(self) -> int: ...

@final
class WantCredentials:
    """The client waits for its set_credentials()."""

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
    """Numbers that will not come, `first` to `last`; told before what comes after them.

    Before a Ready they are the first of the new session, of a server that does not begin at 1.
    """

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
    def opened(self, *, now: float | None = None, now_ns: int | None = None) -> list[Event]:
        """The 101 is out (server) or in (client): from now on messages can be sent."""
    def receive(
        self, message: _Message, /, *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """A whole message came: str is a text message, anything else a binary one."""
    def receive_text(
        self, message: _Bytes, /, *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """A whole text message came, as bytes; they need not have been checked."""
    def alive(self, *, now: float | None = None, now_ns: int | None = None) -> list[Event]:
        """Bytes came, but no whole message yet."""
    def peer_closed(
        self,
        code: int | None = None,
        reason: str | bytes = "",
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """The peer sent a close frame; None: without a code."""
    def host_closed(
        self,
        code: int | None = None,
        reason: str | bytes = "",
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """The library below closed by its own judgement (1002, 1007, 1009, ...)."""
    def lost(self, *, now: float | None = None, now_ns: int | None = None) -> list[Event]:
        """The connection broke, or ended after a close; harmless where that is known."""
    def tick(self, *, now: float | None = None, now_ns: int | None = None) -> list[Event]:
        """Time passed; cheap where nothing is due."""
    def stop(self, *, now: float | None = None, now_ns: int | None = None) -> list[Event]:
        """Ends the conversation as a side that stops: a client with 1000, a server with 4008
        (gateway) or 1001.
        """
    def close(
        self, code: int, reason: str = "", *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """Ends this connection with a code and a reason (123 bytes) of the application's."""
    def request(
        self,
        name: str,
        payload: Any = None,
        *,
        timeout: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> int:
        """Asks the peer; gives the number by which an Outcome tells how it ended, exactly once.

        `timeout` None is the protocol's own. The gateway has no requests; those of FlowLayer
        and the messenger are the client's, in BlobHub both sides ask.
        """
    def notify(
        self, name: str, payload: Any = None, *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """Sends a message that expects no answer: a client's, in BlobHub either side's."""
    def cancel(
        self, number: int, *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """Gives up waiting: the request ends as cancelled now, a late answer is dropped."""
    def accept_request(
        self, question: Request, *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """FlowLayer's `ack`: the command is begun, and reply() follows later, once. A reply
        without it sends both.
        """
    def reply(
        self,
        question: Request | Snapshot,
        payload: Any = None,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """Answers a Request or a Snapshot, in any order, at any later time."""
    def reply_error(
        self,
        question: Request | Snapshot,
        code: str | int,
        message: str = "",
        data: Any = None,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """Answers it with an error of the protocol's: `code` is a word, in BlobHub a number."""
    def reply_failed(
        self, question: Request | Snapshot, *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """The application's handler failed: the protocol's own words for that."""
    def subscribed(self, coordinates: Coordinates, type: str) -> bool:
        """Is its client subscribed to that (server), is it kept (client)? False where a
        protocol has no subscriptions.
        """
    def events(self) -> list[Event]:
        """Events of other origin, e.g. when another connection took the session over."""
    def outputs(self, limit: int | None = None) -> list[_Output]:
        """What is to be sent, in order; taking it is sending it, as far as the link knows.

        With a limit it stops once the messages taken have that many bytes, so that a slow
        peer's backlog stays in its history. Then ask again when the peer has taken them, until
        nothing comes: for what is left no ready() gives the link again, and no wake is called.
        """
    def describe(self) -> str:
        """One line for people and logs: state, session, position, deadline. No token is in it,
        and of a session's id no more than its begin.
        """
    trace: _Trace | None
    """Called with (now, sender, message, state) for each message that "client" or "server" sent:
    str, bytes if it was binary, a Close, or None where the connection broke; `state` is the link's,
    behind it. None: nobody looks on. What it raises fails nothing.

    kedge.transcript.Transcript is one, and masks tokens; what is given here has them. For a link
    beneath a Connection it must be set before that begins.
    """
    @property
    def clock(self) -> _Clock:
        """What is asked for the time."""
    @property
    def output_waiting(self) -> bool:
        """True if outputs() would give something."""
    @property
    def deadline(self) -> float | None:
        """When tick is wanted at the latest; None: never."""
    @property
    def deadline_ns(self) -> int | None:
        """The same in exact nanoseconds, for `now_ns`."""
    @property
    def protocol(self) -> _Protocol:
        """ "gateway", "flowlayer", "messaging" or "blobhub"."""
    @property
    def message_limit(self) -> int:
        """Bytes of the largest message that it takes; for the library below."""
    @property
    def state(self) -> str:
        """The state of its conversation, one word of the protocol's diagrams; for people."""
    @property
    def position(self) -> int:
        """The number of its session's last event: that a client has taken, that a server has
        sent.
        """
    @property
    def session_id(self) -> str | None:
        """The id of the session that it has; None: it has none, or the protocol tells none."""
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

class _Client(_Link):
    """What clients of all protocols have. A client outlives its connections."""

    def start(self, *, now: float | None = None, now_ns: int | None = None) -> list[Event]:
        """Begins: gives Connect."""
    def handshake(self, *, now: float | None = None, now_ns: int | None = None) -> Handshake:
        """Begins a connection, in answer to Connect."""
    def connect_failed(
        self,
        status: int = 0,
        *,
        retry_after: float = 0.0,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """No connection came of it; `status` is the HTTP status instead of 101, 0: none."""
    def set_credentials(
        self, token: str, *, now: float | None = None, now_ns: int | None = None
    ) -> list[Event]:
        """Another token; a client that waits for one goes on."""
    def tell_time(
        self, wall: float | None = None, *, now: float | None = None, now_ns: int | None = None
    ) -> None:
        """The wall clock that goes with `now`, in seconds since 1970; None: time.time. What a
        protocol writes of it (messaging does) is right as long as neither clock is set.
        """
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
class GatewayClient(_Client):
    """The client's side of the gateway. It outlives its connections.

    It asks for one by the event Connect: begin it with handshake(), then opened() or
    connect_failed(). When a connection ends, Closed tells what comes next; the deadline
    is then the end of the back-off, and tick() gives the next Connect.

    The settings, all by name; times in seconds:

    token: says who it is; never shown, never saved
    path='/gateway': may have a query
    compress=False: True asks for zstd
    protocol_version=1, capabilities=None: what it speaks and asks for; None: whatever there is
    sync_after_resume=False: True gives a Sync after each resume
    resumed_expected=True: False for a server that never says `resumed`
    sync_when_given_up=True: a Sync where resuming was given up
    any_type=False: notify() knows the protocol's messages alone; True: it takes any name
    hold_count=1000, hold_bytes=4194304: what is held behind a hole in a replay
    resume_attempts=3: without progress; then it begins a new session
    hello_timeout=30.0: from open to hello, and from identify to ready
    backoff=(1.0, 60.0): between attempts, the first time and at the most
    rate_limited_delay=5.0: at least, after 4006 and 4012
    restart_spread=5.0: the first attempt after 4008 falls anywhere within it
    retry_after_max=300.0: of a server's Retry-After no more than this is waited
    rate=(120, 2): messages at once, and refilled a second, that the server allows; (0, 0): any
    message_limit=1048576: bytes of the largest message, counted plain
    queue_limit=1048576: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
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
        hold_bytes: int = 4194304,
        resume_attempts: int = 3,
        hello_timeout: float = 30.0,
        backoff: tuple[float, float] = (1.0, 60.0),
        rate_limited_delay: float = 5.0,
        restart_spread: float = 5.0,
        retry_after_max: float = 300.0,
        rate: tuple[int, int] = (120, 2),
        message_limit: int = 1048576,
        queue_limit: int = 1048576,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> Self: ...

@final
class FlowLayerClient(_Client):
    """The client's side of FlowLayer. It outlives its connections, keeps what it knows of the
    services, and fetches by itself what it missed of the logs.

    It asks for a connection by the event Connect: begin it with handshake(), then opened() or
    connect_failed(). When a connection ends, Closed tells what comes next; the deadline
    is then the end of the back-off, and tick() gives the next Connect.

    The settings, all by name; times in seconds:

    token: says who it is; never shown, never saved
    path='/ws': where the server is
    greeting_timeout=10.0: from the upgrade to the snapshot
    ack_timeout=5.0: from a command to its ack
    result_timeout=30.0: from there to its result, where the request names no other
    requests_max=100: commands that are open
    logs_hold=10000, logs_hold_bytes=67108864: log entries held while missing ones are
        fetched
    logs_kept=500, logs_kept_bytes=4194304: the newest log entries, which `logs` gives; 0: none
    trim_to_effective_limit=True: no more of them than the server told last
    services_max=10000: that it remembers the status of
    retry_after_max=300.0: of a server's Retry-After no more than this is waited
    stop_on_refusal=True: 401 and 403 wait for other credentials; False: it goes on trying
    message_limit=16777216: bytes of the largest message, counted plain
    queue_limit=33554432: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
    """

    def __new__(
        cls,
        *,
        token: str,
        path: str = "/ws",
        greeting_timeout: float = 10.0,
        ack_timeout: float = 5.0,
        result_timeout: float = 30.0,
        requests_max: int = 100,
        logs_hold: int = 10000,
        logs_hold_bytes: int = 67108864,
        logs_kept: int = 500,
        logs_kept_bytes: int = 4194304,
        trim_to_effective_limit: bool = True,
        services_max: int = 10000,
        retry_after_max: float = 300.0,
        stop_on_refusal: bool = True,
        message_limit: int = 16777216,
        queue_limit: int = 33554432,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> Self: ...
    def status_of(self, name: str, /) -> str | None:
        """The status of a service, as the snapshot or what came after it told; None: it is not
        known.
        """
    @property
    def services(self) -> dict[str, str]:
        """The status of each service that is known, by name, in the snapshot's order."""
    @property
    def logs(self) -> list[Dispatch]:
        """The newest `log` entries that were taken, as the Dispatches that they were, without
        `raw`.
        """

@final
class MessagingClient(_Client):
    """The client's side of the messenger. It outlives its connections, and subscribes by itself
    from the last event that was taken: each with an id is delivered once.

    It asks for a connection by the event Connect: begin it with handshake(), then opened() or
    connect_failed(). When a connection ends, Closed tells what comes next; the deadline
    is then the end of the back-off, and tick() gives the next Connect.

    The settings, all by name; times in seconds:

    token: says who it is; never shown, never saved
    path='/ws': may have a query
    unit='seconds': of the timestamps that it writes
    keep_alive=15.0: with nothing to say, then `ping`
    pong_timeout=5.0: after a ping something must have come
    request_timeout=5.0: for an answer, where the request names no other
    requests_max=100: that wait for their answer
    dense=False: True: the server's ids have no holes, so one is a Gap
    acks='none': what it acknowledges: 'none', 'each' event with an id, or only the 'latest'
    resume_attempts=3: without progress; then it starts from now
    backoff=(1.0, 60.0): between attempts, the first time and at the most
    retry_after_max=300.0: of a server's Retry-After no more than this is waited
    message_limit=1048576: bytes of the largest message, counted plain
    queue_limit=1048576: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
    """

    def __new__(
        cls,
        *,
        token: str,
        path: str = "/ws",
        unit: Literal["seconds", "milliseconds"] = "seconds",
        keep_alive: float = 15.0,
        pong_timeout: float = 5.0,
        request_timeout: float = 5.0,
        requests_max: int = 100,
        dense: bool = False,
        acks: Literal["none", "each", "latest"] = "none",
        resume_attempts: int = 3,
        backoff: tuple[float, float] = (1.0, 60.0),
        retry_after_max: float = 300.0,
        message_limit: int = 1048576,
        queue_limit: int = 1048576,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> Self: ...

@final
class BlobHubClient(_Client):
    """The client's side of BlobHub Realtime. It outlives its connections, initializes by itself,
    and asks again for what it subscribed to (Reconnected tells: what came between is lost).

    It asks for a connection by the event Connect: begin it with handshake(), then opened() or
    connect_failed(). When a connection ends, Closed tells what comes next; the deadline
    is then the end of the back-off, and tick() gives the next Connect.

    The settings, all by name; times in seconds:

    token: says who it is, or the key; never shown, never saved
    credential='bearer': what the token is: 'bearer' or 'api_key'
    in_subprotocol=False: True: told as browsers must, not in a header
    path='/v1/': may have a query
    name='kedge', version='0.1.0': client_info
    request_timeout=30.0: for an answer, where the request names no other
    answer_timeout=60.0: for the application to answer a server's request, else 500
    requests_max=100: open requests in each direction
    subscriptions_max=1000: that are kept
    batch_max=100: elements
    backoff=(1.0, 60.0): between attempts, the first time and at the most
    retry_after_max=300.0: of a server's Retry-After no more than this is waited
    message_limit=1048576: bytes of the largest message, counted plain
    queue_limit=1048576: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
    """

    def __new__(
        cls,
        *,
        token: str,
        credential: Literal["bearer", "api_key"] = "bearer",
        in_subprotocol: bool = False,
        path: str = "/v1/",
        name: str = "kedge",
        version: str = "0.1.0",
        request_timeout: float = 30.0,
        answer_timeout: float = 60.0,
        requests_max: int = 100,
        subscriptions_max: int = 1000,
        batch_max: int = 100,
        backoff: tuple[float, float] = (1.0, 60.0),
        retry_after_max: float = 300.0,
        message_limit: int = 1048576,
        queue_limit: int = 1048576,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> Self: ...
    def subscribe(
        self,
        coordinates: Coordinates,
        /,
        *types: str,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """Subscribes to these types, and stays so over reconnects until it is taken back, or
        the server refuses. At any time, also before there is a connection. Each time that it is
        asked for, an Outcome tells how that ended (name "subscription/add").
        """
    def unsubscribe(
        self,
        coordinates: Coordinates,
        /,
        *types: str,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """No longer. Where the server knows of any of them it is told, and an Outcome follows
        ("subscription/remove").
        """

@final
class HubLink(_Link):
    """The server's side of one connection, made by the hub's link()."""

    def requested(
        self,
        target: str | bytes,
        headers: _Headers = (),
        *,
        upgrade: bool = True,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """An upgrade is asked for: the answer is the first output, Upgrade or Decline.

        `target` is path and query as they stand in the request. A request with more than a
        hundred headers is an ArgumentError: its answer is 431. upgrade=False: a plain GET, such
        as FlowLayer's /health.
        """
    def accept(
        self,
        question: Identify | Resume | Credentials,
        *,
        user: str | int,
        topics: Iterable[str] = (),
        passing_topics: Iterable[str] = (),
        topics_exact: bool = False,
        members: Mapping[str, Any] | _Bytes | None = None,
        stream_kept: bool = False,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """Answers Identify, Resume or Credentials with yes, at any later time: it is `user`.

        The session follows the topics (with topics_exact: and no others). The gateway's `ready`
        carries the members. The messenger's numbers go on from 1 where the application kept the
        stream (stream_kept), else at the wall clock. A session that is gone, another's or past
        a cap is no error here: the link closes with the protocol's code.
        """
    def refuse(
        self,
        question: Identify | Resume | Credentials | Snapshot,
        code: int | None = None,
        text: str = "",
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[Event]:
        """Answers no. None is the protocol's own code (gateway: 4004; credentials before the
        upgrade: HTTP 403, where codes are HTTP statuses).
        """
    @property
    def session(self) -> Session | None:
        """The session that it has, None if none."""
    @property
    def hub(self) -> _Hub:
        """The hub that made it."""

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
class _Hub:
    """What the hubs of all protocols have: the sessions and links of one server."""

    tracer: Callable[[HubLink], _Trace | None] | None
    """Called with each link that is made: what it returns is that link's trace, None: it has none.
    What it raises fails nothing."""
    wake: Callable[[], object] | None
    """Called at the end of any call but ready() after which links are ready or the deadline is
    sooner than it was last told; not again until ready() is called. In a subclass it may be a
    method. What it raises goes to sys.unraisablehook."""

    def link(
        self, *, context: Any = None, now: float | None = None, now_ns: int | None = None
    ) -> HubLink:
        """A link for a new connection. The hub keeps it until it is finished."""
    def links(self) -> list[HubLink]:
        """The links that are not finished."""
    def ready(self, *, now: float | None = None, now_ns: int | None = None) -> list[HubLink]:
        """The links that have events or output for their host, each once; also does what is due."""
    def publication(
        self,
        event: str | Publication,
        payload: Any = None,
        *,
        passing: bool | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> Publication:
        """An event encoded once that suits this hub, for publish() and send(): of its protocol,
        stamped with its clock, and `passing` as the protocol has it for events of that name.
        """
    def session(self, id: str, /) -> Session | None:
        """The session with that id, None if there is none."""
    def sessions(self, user: str | int | None = None) -> list[Session]:
        """The sessions of a user, or all."""
    def link_of(self, session: Session | str, /) -> HubLink | None:
        """The link that has the session, the latest of several; None while it is detached.

        Events that its methods give are the caller's; close() ends a connection without that.
        """
    def links_of(self, session: Session | str, /) -> list[HubLink]:
        """The links that share the session, the latest first."""
    def close(
        self,
        session: Session | str,
        code: int | None = None,
        reason: str = "",
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> bool:
        """Closes the connections that a session has; False if it is detached.

        What becomes of the session, and whether its client comes back, follows from the code;
        None is one with which it does (gateway: 4000, else 1001). The Closed comes out of the
        link's events().
        """
    def end(
        self, session: Session | str, *, now: float | None = None, now_ns: int | None = None
    ) -> None:
        """Ends a session for good; its links, if any, are closed (gateway: 4009, else 1001)."""
    def events(self) -> list[SessionEnded]:
        """The sessions that ended since the last call; the latest 1024."""
    def tick(self, *, now: float | None = None, now_ns: int | None = None) -> None:
        """Time passed; ready() then has the links that this concerns."""
    def tell_time(
        self, wall: float | None = None, *, now: float | None = None, now_ns: int | None = None
    ) -> None:
        """The wall clock that goes with `now`, in seconds since 1970; None: time.time. What a
        protocol writes of it (messaging does) is right as long as neither clock is set.
        """
    def seal(self, *, now: float | None = None, now_ns: int | None = None) -> None:
        """From now on nothing is published and no session attached."""
    def stop(self, *, now: float | None = None, now_ns: int | None = None) -> None:
        """Every link closes, for the gateway with 4008, else with 1001; the sessions stay, but
        for BlobHub's.
        """
    def snapshot(
        self, *, wall: float | None = None, now: float | None = None, now_ns: int | None = None
    ) -> bytes:
        """The hub's state. Only of a sealed hub can it be restored. `wall`: seconds since 1970."""
    def snapshot_pieces(
        self,
        size: int = 1048576,
        *,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> Iterator[bytes]:
        """The same as an iterator of pieces, one behind the other, of about that size.

        Where something else is done with the hub in between, the next piece raises StateError.
        """
    def restore(
        self,
        snapshot: _Bytes,
        /,
        *,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Fills a new hub with a snapshot."""
    def metrics(self) -> dict[str, int]:
        """The same figures as `counts`, by names for Prometheus: what only grows ends in
        _total. It looks at every log: for a scrape, not for each message.
        """
    def describe(self) -> str:
        """One line for people and logs; cheap, however much there is."""
    @overload
    def send(
        self,
        session: Session | str,
        event: str,
        payload: Any = None,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Publishes an event to one session alone; numbered, so BlobHub has none."""
    @overload
    def send(
        self,
        session: Session | str,
        event: Publication,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None: ...
    @property
    def clock(self) -> _Clock:
        """What is asked for the time."""
    @property
    def protocol(self) -> _Protocol:
        """ "gateway", "flowlayer", "messaging" or "blobhub"."""
    @property
    def message_limit(self) -> int:
        """Bytes of the largest message that it takes; for the library below."""
    @property
    def deadline(self) -> float | None:
        """When tick is wanted at the latest, for all links and sessions; None: never."""
    @property
    def deadline_ns(self) -> int | None:
        """The same in exact nanoseconds, for `now_ns`."""
    @property
    def counts(self) -> dict[str, int]:
        """How many links, sessions, ...: see kedge/hub.h."""

class _TopicHub(_Hub):
    """What hubs have besides whose sessions follow topics."""

    @overload
    def publish(
        self,
        topic: str,
        event: str,
        payload: Any = None,
        *,
        passing: bool | None = None,
        except_for: Iterable[Session | str] = (),
        now: float | None = None,
        now_ns: int | None = None,
    ) -> int:
        """Publishes an event to whoever follows the topic; tells how many sessions that are.

        `event` is its name, or a Publication without a payload beside it. `passing` None: as
        the protocol has it for events of that name; True: it takes no number, is in no replay,
        and only who is attached and follows the passing topic of that name gets it. Sessions in
        `except_for` do not get it.
        """
    @overload
    def publish(
        self,
        topic: str,
        event: Publication,
        *,
        except_for: Iterable[Session | str] = (),
        now: float | None = None,
        now_ns: int | None = None,
    ) -> int: ...
    def follow(
        self,
        session: Session | str,
        topic: str,
        *,
        passing: bool = False,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """From now on the session gets what is published to the topic."""
    def unfollow(
        self,
        session: Session | str,
        topic: str,
        *,
        passing: bool = False,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """From now on it does not; what was published until now it still gets, if it is
        numbered.
        """
    def limit_topic(
        self,
        topic: str,
        history: tuple[int, int, float],
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Other limits for the history of one topic, which somebody follows."""

class GatewayHub(_TopicHub):
    """The sessions and links of one gateway server. May be subclassed.

    After anything that was done to the hub or one of its links: write what the links of
    ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells
    when. The limits of histories are (events, bytes, seconds).

    The settings, all by name; times in seconds:

    heartbeat_interval=45.0: what clients are told; who is half as long again late is closed (4007)
    identify_timeout=30.0: from hello to identify or resume, else 4003
    decision_timeout=30.0: for the application to answer those, else 4000
    rate=(120, 2): messages at once, and refilled a second, of each client; else 4006; (0, 0): any
    protocol_version=1, capabilities=(): what this server speaks and has
    unknown='close': messages of other names: 'close' (4001), 'ignore', or 'deliver' as Message with
        known=False
    invalid_payload_closes=True: 4002; False: an `error`, and the link stays
    send_resumed=True: `resumed` ends a replay
    compress_above=0: bytes; smaller messages go plain also where compress=zstd was asked for
    words=None: other lists for mls_type, cpace_type and media_type
    session_ttl=300.0: how long a session waits for its client
    sessions_max=200000, sessions_per_user_max=20: those that wait for their client included
    evict_detached=True: past these the one that waited longest for its client ends; False: the
        login is refused (counted as `capped`)
    topic_history=(1000, 4194304, 600.0): events, bytes, seconds that a topic keeps
    topics_max=100000: in all
    topics_per_session_max=1000: those followed, or followed of late
    skips_per_session_max=1000: events that a session was left out of (except_for) and that its
        history still holds
    links_max=100000: at once
    own_history=(1000, 4194304, 600.0): events, bytes, seconds kept of what a session is
        sent alone; of FlowLayer's log
    message_limit=1048576: bytes of the largest message, counted plain
    queue_limit=1048576: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
    """

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
        sessions_max: int = 200000,
        sessions_per_user_max: int = 20,
        evict_detached: bool = True,
        topic_history: tuple[int, int, float] = (1000, 4194304, 600.0),
        topics_max: int = 100000,
        topics_per_session_max: int = 1000,
        skips_per_session_max: int = 1000,
        links_max: int = 100000,
        own_history: tuple[int, int, float] = (1000, 4194304, 600.0),
        message_limit: int = 1048576,
        queue_limit: int = 1048576,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None: ...

class FlowLayerHub(_Hub):
    """The log and the links of one FlowLayer server. May be subclassed.

    After anything that was done to the hub or one of its links: write what the links of
    ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells
    when. The limits of histories are (events, bytes, seconds).

    The settings, all by name; times in seconds:

    capabilities: what `hello` tells; the seven commands
    services=(): those that there are; none: the application knows them, and refuses
    service_limits=None: a mapping of `services` to the entries that get_logs gives of each
    logs_limit=500, logs_limit_all=0: of other services, and of all in one; 0: logs_limit
    answer_logs=True: get_logs is answered out of the history; False: it is a Request
    commands_max=100: that wait or are in flight, then service_busy
    decision_timeout=30.0: for the application to answer Credentials, else HTTP 503
    snapshot_timeout=10.0: for it to answer Snapshot, else 1011
    command_timeout=60.0: from a command to its result, else internal_error
    links_max=100000: at once
    own_history=(1000, 4194304, 600.0): events, bytes, seconds kept of what a session is
        sent alone; of FlowLayer's log
    message_limit=16777216: bytes of the largest message, counted plain
    queue_limit=33554432: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
    """

    def __init__(
        self,
        *,
        capabilities: Iterable[str] = (
            "get_snapshot",
            "get_logs",
            "start_service",
            "stop_service",
            "restart_service",
            "start_all",
            "stop_all",
        ),
        services: Iterable[str] = (),
        service_limits: Mapping[str, int] | None = None,
        logs_limit: int = 500,
        logs_limit_all: int = 0,
        answer_logs: bool = True,
        commands_max: int = 100,
        decision_timeout: float = 30.0,
        snapshot_timeout: float = 10.0,
        command_timeout: float = 60.0,
        links_max: int = 100000,
        own_history: tuple[int, int, float] = (1000, 4194304, 600.0),
        message_limit: int = 16777216,
        queue_limit: int = 33554432,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None: ...
    @overload
    def publish(
        self,
        event: str,
        payload: Any = None,
        *,
        passing: bool | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Publishes an event to all links: `log` is numbered, and kept; all else passes.

        `event` is its name, or a Publication without a payload beside it.
        """
    @overload
    def publish(
        self, event: Publication, *, now: float | None = None, now_ns: int | None = None
    ) -> None: ...
    def set_lossy(self, lossy: bool) -> None:
        """True, as it begins: a client that is too slow for `log` loses entries, which are
        counted. False: it is closed with 1013.
        """
    @property
    def shared(self) -> Session:
        """The session that all links share; its `last` is the number of the last log entry."""

class MessagingHub(_TopicHub):
    """The users' streams and the links of one messenger server. May be subclassed.

    After anything that was done to the hub or one of its links: write what the links of
    ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells
    when. The limits of histories are (events, bytes, seconds).

    The settings, all by name; times in seconds:

    unit='seconds': of the timestamps that it writes
    decision_timeout=30.0: for the application to answer Credentials, else HTTP 503
    silence=20.0, grace=10.0: a client that said nothing for both together is closed (1001)
    undecodable_in_a_row=10: messages, then 1008
    requests_max=100: of a client that wait for their answer, then busy
    answer_timeout=60.0: for the application to answer a Request, else internal_error
    sessions_max=200000, sessions_per_user_max=20: those that wait for their client included
    evict_detached=True: past these the one that waited longest for its client ends; False: the
        login is refused (counted as `capped`)
    topic_history=(1000, 4194304, 600.0): events, bytes, seconds that a topic keeps
    topics_max=100000: in all
    topics_per_session_max=1000: those followed, or followed of late
    skips_per_session_max=1000: events that a session was left out of (except_for) and that its
        history still holds
    links_max=100000: at once
    own_history=(1000, 4194304, 600.0): events, bytes, seconds kept of what a session is
        sent alone; of FlowLayer's log
    message_limit=1048576: bytes of the largest message, counted plain
    queue_limit=1048576: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
    """

    def __init__(
        self,
        *,
        unit: Literal["seconds", "milliseconds"] = "seconds",
        decision_timeout: float = 30.0,
        silence: float = 20.0,
        grace: float = 10.0,
        undecodable_in_a_row: int = 10,
        requests_max: int = 100,
        answer_timeout: float = 60.0,
        sessions_max: int = 200000,
        sessions_per_user_max: int = 20,
        evict_detached: bool = True,
        topic_history: tuple[int, int, float] = (1000, 4194304, 600.0),
        topics_max: int = 100000,
        topics_per_session_max: int = 1000,
        skips_per_session_max: int = 1000,
        links_max: int = 100000,
        own_history: tuple[int, int, float] = (1000, 4194304, 600.0),
        message_limit: int = 1048576,
        queue_limit: int = 1048576,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None: ...

class BlobHubHub(_TopicHub):
    """The links of one BlobHub server, and what they subscribed to. May be subclassed.

    After anything that was done to the hub or one of its links: write what the links of
    ready() give, and sleep until `deadline`, then tick() and ready() again. `wake` tells
    when. The limits of histories are (events, bytes, seconds).

    The settings, all by name; times in seconds:

    name='kedge', version='0.1.0': server_info
    decision_timeout=30.0: for the application to answer Credentials, else HTTP 503
    initialize_timeout=10.0: from the upgrade to status/initialize, else 1008
    subscriptions_max=1000: a connection, then 403
    ask_subscriptions=False: True: subscription/add is a Request that the application answers
    batch_max=100: elements
    requests_max=100: open in each direction; past it the client's are answered 500
    answer_timeout=60.0: for the application to answer a Request, else 500
    request_timeout=30.0: for the answer to a request of the server's
    sessions_max=200000, sessions_per_user_max=20: those that wait for their client included
    evict_detached=True: past these the one that waited longest for its client ends; False: the
        login is refused (counted as `capped`)
    topic_history=(1000, 4194304, 600.0): events, bytes, seconds that a topic keeps
    topics_max=100000: in all
    topics_per_session_max=1000: those followed, or followed of late
    skips_per_session_max=1000: events that a session was left out of (except_for) and that its
        history still holds
    links_max=100000: at once
    own_history=(1000, 4194304, 600.0): events, bytes, seconds kept of what a session is
        sent alone; of FlowLayer's log
    message_limit=1048576: bytes of the largest message, counted plain
    queue_limit=1048576: bytes of answers and control messages that wait to be sent
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, wall=None, now=None, now_ns=None: for tests; time.monotonic,
        os.urandom, time.time
    """

    def __init__(
        self,
        *,
        name: str = "kedge",
        version: str = "0.1.0",
        decision_timeout: float = 30.0,
        initialize_timeout: float = 10.0,
        subscriptions_max: int = 1000,
        ask_subscriptions: bool = False,
        batch_max: int = 100,
        requests_max: int = 100,
        answer_timeout: float = 60.0,
        request_timeout: float = 30.0,
        sessions_max: int = 200000,
        sessions_per_user_max: int = 20,
        evict_detached: bool = True,
        topic_history: tuple[int, int, float] = (1000, 4194304, 600.0),
        topics_max: int = 100000,
        topics_per_session_max: int = 1000,
        skips_per_session_max: int = 1000,
        links_max: int = 100000,
        own_history: tuple[int, int, float] = (1000, 4194304, 600.0),
        message_limit: int = 1048576,
        queue_limit: int = 1048576,
        depth_limit: int = 128,
        stall_tolerance: float = 5.0,
        decoder: _Decoder | None = None,
        clock: _Clock | None = None,
        entropy: bytes | None = None,
        wall: float | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None: ...
    def broadcast(
        self,
        coordinates: Coordinates,
        type: str,
        event: Any = None,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> int:
        """Tells all that subscribed to these coordinates and this type, encoded once; tells how
        many links that are.
        """

@final
class Publication:
    """An event encoded once, for any number of topics, sessions and hubs of one protocol.

    `passing` None: as the protocol has it for events of that name. Hub.publication() makes one that
    suits the hub.
    """

    def __new__(
        cls,
        name: str,
        payload: Any = None,
        protocol: _Protocol = "gateway",
        passing: bool | None = None,
        timestamp: int = 0,
    ) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def payload(self) -> bytes | None:
        """JSON; None if there is none."""
    @property
    def protocol(self) -> _Protocol: ...
    @property
    def passing(self) -> bool:
        """It takes no number, and is in no replay."""
    @property
    def timestamp(self) -> int:
        """What the messenger writes, in its server's unit; 0 elsewhere."""

# ---- envelopes -----------------------------------------------------------------------------------

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

    `client` and `server` are what the two are taken to be set to: dicts of what the protocol's
    Client takes, and its Hub as far as it is about links. A transcript does not show rates and the
    time for an application's answers: they are not limited unless set.
    """

    def __new__(
        cls,
        protocol: _Protocol,
        *,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
    ) -> Self: ...
    def message(
        self,
        sender: _Side,
        message: _Message,
        /,
        *,
        now: float | None = None,
        now_ns: int | None = None,
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
        now_ns: int | None = None,
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
        self,
        publication: Publication,
        /,
        *,
        stamp: int | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> int:
        """Appends a Publication and returns its index; drops the oldest entries that no longer fit.

        Stamps rise; None: one more than the last. LimitError: it is larger than all that fits.
        """
    def expire(self, *, now: float | None = None, now_ns: int | None = None) -> None:
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
        now_ns: int | None = None,
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
    """An upgrade is asked for (server without a link): upgrade() or answer().

    The names in `headers` are in lower case.
    """

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
    """A request that asks for no upgrade (server): answer().

    The names in `headers` are in lower case.
    """

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

    The names in `headers` are in lower case, `body` is the beginning of the answer's
    body, 4 KiB at most.
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
        now_ns: int | None = None,
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
        link: _Client | None = None,
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
        now_ns: int | None = None,
    ) -> Connection:
        """The client's side of a socket that was just connected.

        `host` is for the Host header ("example.org:8080"). With a link, which asked to Connect,
        target and subprotocols are the link's; without one the target is path and query. If it
        raises nothing has changed: the link still waits for its connection, or to be told that none
        comes (connect_failed).
        """
    def receive(
        self, data: _Bytes, /, *, now: float | None = None, now_ns: int | None = None
    ) -> list[_ConnectionEvent]:
        """Bytes came; gives the events of the connection and of its link."""
    def receive_buffer(
        self,
        buffer: bytearray | memoryview,
        /,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> list[_ConnectionEvent]:
        """The same, for a buffer that may be changed: it is unmasked in place."""
    def events(
        self, *, now: float | None = None, now_ns: int | None = None
    ) -> list[_ConnectionEvent]:
        """Events of other origin; also does what is due."""
    def tick(
        self, *, now: float | None = None, now_ns: int | None = None
    ) -> list[_ConnectionEvent]:
        """The same as events()."""
    def lost(
        self, *, now: float | None = None, now_ns: int | None = None
    ) -> list[_ConnectionEvent]:
        """The stream ended or broke."""
    def upgrade(
        self,
        subprotocol: str | None = None,
        headers: _Headers = (),
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Answers Requested with 101."""
    def join(
        self, link: HubLink, /, *, now: float | None = None, now_ns: int | None = None
    ) -> None:
        """Answers Requested by handing the request to a link; from now on it is the link's."""
    def answer(
        self,
        status: int,
        headers: _Headers = (),
        body: _Bytes = b"",
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Answers HttpRequest, or Requested with no; the connection closes after it."""
    def send(
        self, message: _Message, /, *, now: float | None = None, now_ns: int | None = None
    ) -> None:
        """Sends a message (without a link): str as text, anything else as binary."""
    def close(
        self,
        code: int = 1000,
        reason: str = "",
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Begins the closing handshake."""
    def output(
        self, limit: int = 65536, *, now: float | None = None, now_ns: int | None = None
    ) -> bytes:
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
    def deadline_ns(self) -> int | None:
        """The same in nanoseconds."""
    @property
    def link(self) -> HubLink | _Client | None: ...
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
    @classmethod
    def serve(cls, hub: _Hub, /) -> list[HubLink]:
        """A turn of a hub: looks at the wires of its links that have something; gives those links
        that no wire carries."""
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
        self,
        connection: Connection,
        transport: Transport,
        loop: AbstractEventLoop,
        socket: int = -1,
        /,
    ) -> None:
        """The transport is there. What its socket takes at once is sent past it; -1: nothing is."""
    def abort(self) -> None:
        """Drops the socket as it is."""
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
