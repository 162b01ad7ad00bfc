"""The C core, as Python sees it: objects that are fed messages and a time, and give events and messages.

Nothing here does I/O. Times are seconds of a monotonic clock, as float or int; where `now` is left out the
object asks its `clock` (time.monotonic unless another is given). Entropy is taken from os.urandom unless 32
bytes are given. What a peer does never raises; what the caller does wrong raises at once, and says what.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, final, overload

_T = TypeVar("_T")
_Message: TypeAlias = str | bytes | bytearray | memoryview
_Clock: TypeAlias = Callable[[], float]
_Headers: TypeAlias = Iterable[tuple[str | bytes, str | bytes]]

version: str
statuses: tuple[tuple[int, str, str, int], ...]

class Error(Exception):
    """A call that could not be carried out; `status` is the name of the core's status."""

    status: str

class StateError(Error):
    """The call does not fit the state of the object (or the role)."""

class StaleTicketError(Error):
    """The question was answered before, or its link is gone."""

class LimitError(Error):
    """A limit that was set would be exceeded; nothing was changed."""

class DecodeError(Error, ValueError):
    """A text that cannot be decoded; `offset` is the byte with which it goes wrong."""

    offset: int

# ---- events: immutable, comparable, picklable, with __match_args__ ----

class Event:
    """Something that happened. `raw` is the whole message (decompressed) that it came of, or None."""

    raw: memoryview | None

class _WithPayload(Event):
    payload: memoryview | None
    @property
    def data(self) -> Any:
        """The payload, decoded by json when it is first asked for (or by the `decoder` of its source)."""
    def into(self, type: type[_T], /) -> _T:
        """The payload decoded into a type by msgspec."""

@final
class Retry:
    """The client connects again after `after` seconds; `resume` tells whether it goes on with its session."""

    __match_args__: ClassVar[tuple[str, ...]] = ("after", "resume")
    after: float
    resume: bool

@final
class WantCredentials:
    """The client waits until Client.set_credentials is called."""

@final
class Stop:
    """The client does not come back by itself."""

@final
class Closed(Event):
    """A connection's conversation is over.

    `code` is the close code on the wire (the peer's if it closed first, else ours), None if there was none.
    `cause` is why, in the library's words (the name of a status). `action` is what a client does next.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("code", "reason", "action")
    code: int | None
    reason: str
    action: Retry | WantCredentials | Stop | None
    cause: str
    sent: int | None
    received: int | None
    http_status: int | None
    unsent: int
    resumable: bool
    session_id: str | None

@final
class Identify(_WithPayload):
    """A server's question: whose token is this? Answer with accept or refuse. The repr hides the token."""

    __match_args__: ClassVar[tuple[str, ...]] = ("token",)
    token: str
    protocol_version: int
    capabilities: tuple[str, ...] | None
    ticket: int

@final
class Resume(_WithPayload):
    """A server's question: may whoever has this token go on with this session?"""

    __match_args__: ClassVar[tuple[str, ...]] = ("token", "session_id", "position")
    token: str
    session_id: str
    position: int
    ticket: int

@final
class Attached(Event):
    """The server's link has its session."""

    __match_args__: ClassVar[tuple[str, ...]] = ("session", "resumed")
    session: Session
    resumed: bool
    position: int

@final
class Message(_WithPayload):
    """A client's message, checked by the protocol's table if it is `known`."""

    __match_args__: ClassVar[tuple[str, ...]] = ("name",)
    name: str
    known: bool

@final
class Connect(Event):
    """The client wants a connection now."""

    __match_args__: ClassVar[tuple[str, ...]] = ("attempt", "resume")
    attempt: int
    resume: bool

@final
class Ready(_WithPayload):
    """The client has a new session."""

    __match_args__: ClassVar[tuple[str, ...]] = ("session_id", "seq")
    session_id: str
    seq: int

@final
class Dispatch(_WithPayload):
    """An event of the session; `seq` is 0 where the server gave none."""

    __match_args__: ClassVar[tuple[str, ...]] = ("name", "seq")
    name: str
    seq: int

@final
class Resumed(Event):
    """The replay is over: `replayed` events were delivered, the position is `seq`."""

    __match_args__: ClassVar[tuple[str, ...]] = ("seq", "replayed")
    seq: int
    replayed: int

@final
class Gap(Event):
    """Numbers that will not come."""

    __match_args__: ClassVar[tuple[str, ...]] = ("first", "last")
    first: int
    last: int

@final
class Sync(Event):
    """The application should fetch its state anew by other means (`/sync`)."""

    __match_args__: ClassVar[tuple[str, ...]] = ("why",)
    why: str

@final
class ErrorReport(_WithPayload):
    """The server reports an error; the connection stays."""

    __match_args__: ClassVar[tuple[str, ...]] = ("code", "message")
    code: Any
    message: Any

# ---- outputs ----

@final
class Upgrade:
    """Answer 101."""

    __match_args__: ClassVar[tuple[str, ...]] = ("subprotocol", "headers")
    subprotocol: str | None
    headers: tuple[tuple[str, str], ...]

@final
class Decline:
    """Answer with this instead of 101."""

    __match_args__: ClassVar[tuple[str, ...]] = ("status", "headers", "body")
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

@final
class Text:
    """Send a text message. `data` is its UTF-8, `text` the same as str."""

    __match_args__: ClassVar[tuple[str, ...]] = ("data",)
    data: bytes
    @property
    def text(self) -> str: ...

@final
class Binary:
    """Send a binary message."""

    __match_args__: ClassVar[tuple[str, ...]] = ("data",)
    data: bytes

@final
class Close:
    """Send a close frame, then nothing."""

    __match_args__: ClassVar[tuple[str, ...]] = ("code", "reason")
    code: int
    reason: str

@final
class Abort:
    """Drop the connection."""

Output: TypeAlias = Upgrade | Decline | Text | Binary | Close | Abort

# ---- link, client, hub ----

@final
class Handshake:
    """What a client asks for in its upgrade."""

    target: str
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]
    message_limit: int

class _Link:
    """What both roles have. Every input returns the events that it brought about."""

    context: Any
    def opened(self, *, now: float | None = None) -> list[Event]: ...
    def receive(self, message: _Message, /, *, now: float | None = None) -> list[Event]:
        """Takes a whole message: str is a text message, anything else a binary one."""
    def receive_text(
        self, message: bytes | bytearray | memoryview, /, *, now: float | None = None
    ) -> list[Event]:
        """Takes a text message whose UTF-8 is given as bytes."""
    def alive(self, *, now: float | None = None) -> list[Event]: ...
    def peer_closed(
        self, code: int | None = None, reason: str = "", *, now: float | None = None
    ) -> list[Event]: ...
    def host_closed(
        self, code: int | None = None, reason: str = "", *, now: float | None = None
    ) -> list[Event]: ...
    def lost(self, *, now: float | None = None) -> list[Event]: ...
    def tick(self, *, now: float | None = None) -> list[Event]: ...
    def stop(self, *, now: float | None = None) -> list[Event]: ...
    def close(self, code: int, reason: str = "", *, now: float | None = None) -> list[Event]: ...
    def events(self) -> list[Event]:
        """Events that came about otherwise, e.g. when another connection took the session over."""
    def outputs(self, limit: int | None = None) -> list[Output]:
        """What is to be sent, in order; taking it is sending it. With a limit: stops once the messages
        taken have that many bytes, so that a slow peer's backlog stays in its history."""
    @property
    def output_waiting(self) -> bool: ...
    @property
    def deadline(self) -> float | None:
        """When tick is wanted at the latest."""
    @property
    def queued(self) -> int: ...
    @property
    def reading_wanted(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    @property
    def counts(self) -> dict[str, int]: ...

@final
class GatewayClient(_Link):
    def __init__(
        self,
        *,
        token: str,
        path: str = "/gateway",
        compress: bool = False,
        protocol_version: int = 1,
        capabilities: Iterable[str] | None = None,
        sync_after_resume: bool = False,
        resumed_expected: bool = True,
        sync_when_given_up: bool = True,
        hold_count: int = 1000,
        hold_bytes: int = 4 << 20,
        resume_attempts: int = 3,
        hello_timeout: float = 30.0,
        backoff: tuple[float, float] = (1.0, 60.0),
        rate: tuple[int, int] = (120, 2),
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        stall_tolerance: float = 5.0,
        decoder: Callable[[bytes], Any] | None = None,
        clock: _Clock = ...,
        entropy: bytes | None = None,
        now: float | None = None,
    ) -> None: ...
    def start(self, *, now: float | None = None) -> list[Event]: ...
    def handshake(self, *, now: float | None = None) -> Handshake: ...
    def connect_failed(
        self, status: int = 0, *, retry_after: float = 0.0, now: float | None = None
    ) -> list[Event]: ...
    def notify(self, name: str, payload: Any = None, *, now: float | None = None) -> list[Event]:
        """Sends a client payload; `payload` is encoded by json, or taken as JSON if it is bytes."""
    def set_credentials(self, token: str, *, now: float | None = None) -> list[Event]: ...
    def save(self) -> bytes: ...
    def load(self, saved: bytes, /) -> None: ...
    @property
    def connection(self) -> int: ...

@final
class Session:
    """A session of a hub, named by its id; it may have ended since."""

    __match_args__: ClassVar[tuple[str, ...]] = ("id", "user")
    id: str
    user: str
    @property
    def last(self) -> int: ...
    @property
    def attached(self) -> bool: ...
    @property
    def alive(self) -> bool: ...

@final
class HubLink(_Link):
    """A server's link; made by a hub."""

    def requested(
        self,
        target: str | bytes,
        headers: _Headers = (),
        *,
        now: float | None = None,
    ) -> list[Event]:
        """An upgrade is asked for: `target` is path and query as in the request line."""
    def accept(
        self,
        question: Identify | Resume,
        *,
        user: str | int,
        topics: Iterable[str] = (),
        topics_exact: bool = False,
        members: Mapping[str, Any] | bytes | None = None,
        now: float | None = None,
    ) -> list[Event]: ...
    def refuse(
        self,
        question: Identify | Resume,
        code: int = 4004,
        text: str = "",
        *,
        now: float | None = None,
    ) -> list[Event]: ...
    @property
    def session(self) -> Session | None: ...
    @property
    def hub(self) -> GatewayHub: ...

@final
class SessionEnded:
    """A session is over: `why` is "expired", "evicted" or "ended"."""

    __match_args__: ClassVar[tuple[str, ...]] = ("why", "session_id", "user", "last")
    why: Literal["expired", "evicted", "ended"]
    session_id: str
    user: str
    last: int

class GatewayHub:
    """The sessions and links of one gateway server. May be subclassed."""

    wake: Callable[[], object] | None
    """Called when links became ready, or the deadline may have moved, after a call from outside
    ready(); not again until ready() was called."""

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
        words: Mapping[str, Sequence[str]] | None = None,
        session_ttl: float = 300.0,
        topic_history: tuple[int, int, float] = (1000, 4 << 20, 600.0),
        own_history: tuple[int, int, float] = (1000, 4 << 20, 600.0),
        links_max: int = 100_000,
        sessions_max: int = 200_000,
        sessions_per_user_max: int = 20,
        evict_detached: bool = False,
        topics_max: int = 100_000,
        topics_per_session_max: int = 1000,
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        stall_tolerance: float = 5.0,
        decoder: Callable[[bytes], Any] | None = None,
        clock: _Clock = ...,
        entropy: bytes | None = None,
        now: float | None = None,
    ) -> None: ...
    def link(self, *, now: float | None = None) -> HubLink: ...
    def ready(self, *, now: float | None = None) -> list[HubLink]: ...
    def publish(
        self, topic: str, name: str, payload: Any = None, *, now: float | None = None
    ) -> int:
        """Publishes an event to a topic; tells how many sessions follow it. `payload` is encoded by json, or
        taken as JSON if it is bytes; `name` may be a ready Publication instead, without a payload."""
    @overload
    def send(
        self, session: Session | str, publication: Publication, /, *, now: float | None = None
    ) -> None: ...
    @overload
    def send(
        self, session: Session | str, name: str, payload: Any = None, /, *, now: float | None = None
    ) -> None: ...
    def follow(self, session: Session | str, topic: str, *, now: float | None = None) -> None: ...
    def unfollow(self, session: Session | str, topic: str, *, now: float | None = None) -> None: ...
    def limit_topic(
        self, topic: str, history: tuple[int, int, float], *, now: float | None = None
    ) -> None: ...
    def session(self, id: str, /) -> Session | None: ...
    def sessions(self, user: str | int | None = None) -> list[Session]: ...
    def link_of(self, session: Session | str, /) -> HubLink | None: ...
    def end(self, session: Session | str, *, now: float | None = None) -> None: ...
    def events(self) -> list[SessionEnded]: ...
    @property
    def deadline(self) -> float | None: ...
    def tick(self, *, now: float | None = None) -> None: ...
    def seal(self, *, now: float | None = None) -> None: ...
    def stop(self, *, now: float | None = None) -> None: ...
    def snapshot(self, *, wall: float | None = None, now: float | None = None) -> bytes: ...
    def restore(
        self, snapshot: bytes, /, *, wall: float | None = None, now: float | None = None
    ) -> None: ...
    @property
    def counts(self) -> dict[str, int]: ...

@final
class Publication:
    """An event encoded once, for any number of topics, sessions and hubs."""

    def __init__(self, name: str, payload: Any = None) -> None: ...
    name: str
    payload: bytes | None

# ---- raw connections ----

@final
class Opened:
    """The WebSocket is open."""

    __match_args__: ClassVar[tuple[str, ...]] = ("subprotocol",)
    subprotocol: str | None

@final
class Requested:
    """An upgrade is asked for (server, without a link): upgrade() or answer()."""

    __match_args__: ClassVar[tuple[str, ...]] = ("target", "headers")
    target: str
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]

@final
class HttpRequest:
    """A request that asks for no upgrade: answer()."""

    __match_args__: ClassVar[tuple[str, ...]] = ("method", "target", "headers")
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]

@final
class Refused:
    """The server answered with another status than 101."""

    __match_args__: ClassVar[tuple[str, ...]] = ("status", "headers", "body")
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

@final
class Received:
    """A message on a plain WebSocket; `message` is str or bytes, as it was sent."""

    __match_args__: ClassVar[tuple[str, ...]] = ("message",)
    message: str | bytes

@final
class Disconnected:
    """The WebSocket is over, whatever the reason; the last event of a connection."""

    __match_args__: ClassVar[tuple[str, ...]] = ("code", "reason", "cause")
    code: int | None
    reason: str
    cause: str
    sent: int | None
    received: int | None

@final
class Connection:
    """Handshake, frames and (where one is given) a link over one byte stream."""

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
        clock: _Clock = ...,
        entropy: bytes | None = None,
        now: float | None = None,
    ) -> Connection: ...
    @classmethod
    def open(
        cls,
        host: str,
        target: str = "",
        *,
        link: GatewayClient | None = None,
        headers: _Headers = (),
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        head_limit: int = 16384,
        handshake_timeout: float = 10.0,
        close_timeout: float = 5.0,
        ping_interval: float = 0.0,
        ping_timeout: float = 20.0,
        clock: _Clock = ...,
        entropy: bytes | None = None,
        now: float | None = None,
    ) -> Connection: ...
    def receive(
        self, data: bytes | bytearray | memoryview, /, *, now: float | None = None
    ) -> list[Any]:
        """Bytes came; returns the events of the connection and of its link."""
    def events(self, *, now: float | None = None) -> list[Any]: ...
    def lost(self, *, now: float | None = None) -> list[Any]: ...
    def tick(self, *, now: float | None = None) -> list[Any]: ...
    def upgrade(
        self, subprotocol: str | None = None, headers: _Headers = (), *, now: float | None = None
    ) -> None: ...
    def answer(
        self, status: int, headers: _Headers = (), body: bytes = b"", *, now: float | None = None
    ) -> None: ...
    def send(self, message: str | bytes, *, now: float | None = None) -> None: ...
    def close(self, code: int = 1000, reason: str = "", *, now: float | None = None) -> None: ...
    def output(self, limit: int = 65536, *, now: float | None = None) -> bytes:
        """Up to about `limit` bytes to write; b"" if there are none. Taking them is writing them."""
    @property
    def output_waiting(self) -> bool: ...
    @property
    def reading_wanted(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    @property
    def deadline(self) -> float | None: ...
    @property
    def link(self) -> HubLink | GatewayClient | None: ...
