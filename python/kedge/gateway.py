"""The chat gateway: identify and resume, numbered dispatches, replay, heartbeats, close codes.

A client (`Client`) and the sessions of a server (`Hub`) without I/O; the events and messages that
they give; the close codes. On asyncio give them to kedge.connect and kedge.serve, under Starlette
and FastAPI to kedge.adapters.starlette.

What clients say (`notify`, `Message`) is checked on both sides; members that are not named here may
be there too. `?` can be left out, `|` lists the words that are taken:

=================== ==============================================================================
presence_update     status: online|idle|dnd|offline|invisible, custom_status?: text or object,
                    activity?: object
typing              feed_id or dm_id, one of the two: integer
typing_start        the same
voice_state_update  self_mute?, self_deaf?, video?, streaming?: boolean
mls_relay           mls_type: welcome|commit|proposal, data: text
cpace_relay         cpace_type: isi|rsi|confirm|new_device_key, pair_id: text, data: text
voice_codec_neg     media_type: audio|video|screen, codec: text, spatial_layers?: integer,
                    temporal_layers?: integer, target_bitrates?: integers,
                    dependency_templates?: texts
stage_response      room_id: integer, response_type: text, accepted: boolean
=================== ==============================================================================

A payload that is otherwise closes with 4002, a message of another name with 4001, unless the hub
was made with unknown="ignore" or "deliver". The members are as the client says: who it is, tells
`link.session.user`.

Events that servers publish may have any name but hello, ready, resumed, heartbeat_ack and error;
clients cannot notify of identify, resume and heartbeat. These are the protocol's own.

To throw somebody out: `hub.close(session)`, or `hub.end(session)` for good; where the handler is at
hand, `link.close(code)`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from kedge._core import (
    Abort,
    Attached,
    Binary,
    Close,
    Closed,
    Connect,
    Decline,
    DecodeError,
    Dispatch,
    Envelope,
    ErrorReport,
    Event,
    Gap,
    GatewayHub,
    Handshake,
    HubLink,
    Identify,
    Message,
    Publication,
    Ready,
    Resume,
    Resumed,
    Retry,
    Session,
    SessionEnded,
    Stop,
    Sync,
    Text,
    Upgrade,
    WantCredentials,
    gateway_close_codes,
)
from kedge._core import (
    GatewayClient as Client,
)
from kedge._core import gateway_decode as decode
from kedge._core import gateway_encode as encode

if TYPE_CHECKING:
    from kedge.aio._driver import Driver
    from kedge.aio._link import Link

__all__ = [
    "Abort",
    "Attached",
    "Binary",
    "Client",
    "Close",
    "CloseCode",
    "Closed",
    "Connect",
    "Decline",
    "DecodeError",
    "Dispatch",
    "Envelope",
    "ErrorReport",
    "Event",
    "Gap",
    "Handshake",
    "Hub",
    "HubLink",
    "Identify",
    "Link",
    "Message",
    "Publication",
    "Ready",
    "Resume",
    "Resumed",
    "Retry",
    "Session",
    "SessionEnded",
    "Stop",
    "Sync",
    "Text",
    "Upgrade",
    "WantCredentials",
    "decode",
    "encode",
]

_T = TypeVar("_T")


class CloseCode(IntEnum):
    """The codes with which a gateway's server closes; WebSocket's own are not among them."""

    UNKNOWN_ERROR = 4000
    UNKNOWN_TYPE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTH_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    RATE_LIMITED = 4006
    SESSION_TIMEOUT = 4007
    SERVER_RESTART = 4008
    SESSION_EXPIRED = 4009
    REPLAY_EXHAUSTED = 4010
    VERSION_MISMATCH = 4011
    SERVER_FULL = 4012

    @property
    def resumable(self) -> bool:
        """The session survives a close with it."""
        return _CLOSE_CODES[self.value][0]

    @property
    def meaning(self) -> str:
        return _CLOSE_CODES[self.value][1]


_CLOSE_CODES = {code: (resumable, meaning) for _, code, resumable, meaning in gateway_close_codes}


class Hub(GatewayHub):
    """The sessions and links of one gateway server.

    Whoever serves it (kedge.serve, kedge.adapters.starlette, kedge.aio.driven) does so on one event
    loop. From then on any task of that loop and any other thread may call publish, send, follow,
    unfollow, limit_topic, session, sessions, link_of, links, close, end, events and counts: what a
    thread calls is done by the loop, and the thread waits for it. The rest, and links, belong to
    the loop.

    The settings, all by name; times in seconds:

    heartbeat_interval=45.0: what clients are told; who is half as long again late is closed (4007)
    identify_timeout=30.0: from hello to identify or resume, else 4003
    decision_timeout=30.0: for the application to answer those, else 4000
    rate=(120, 2): messages at once, and refilled a second, of each client; else 4006; (0, 0): any
    protocol_version=1, capabilities=(): what this server speaks and has
    unknown="close": messages of other names; "ignore", or "deliver" as Message with known=False
    invalid_payload_closes=True: 4002; False: an `error`, and the link stays
    send_resumed=True: `resumed` ends a replay
    compress_above=0: bytes; smaller messages go plain also where compress=zstd was asked for
    words=None: other lists for mls_type, cpace_type, media_type
    session_ttl=300.0: how long a session waits for its client
    topic_history=(1000, 4 << 20, 600.0): events, bytes, seconds that a topic keeps for replays
    own_history=(1000, 4 << 20, 600.0): the same for what is sent to one session alone
    links_max=100_000, sessions_max=200_000, sessions_per_user_max=20, topics_max=100_000
    topics_per_session_max=1000: those followed, or followed of late
    evict_detached=True: past a cap of sessions the user's session that waited longest for its
        client ends; False: the login is refused (4006, counted as `capped`)
    message_limit=1 << 20: bytes of a client's message, decompressed
    queue_limit=1 << 20: bytes of answers and control messages that wait for a client
    depth_limit=128: nesting of JSON
    stall_tolerance=5.0: a process that comes later than this after a deadline drops nobody for it
    decoder=None: bytes to what `data` is, instead of json
    clock=None, entropy=None, now=None: for tests; time.monotonic, os.urandom
    """

    _driver: Driver | None = None

    def wake(self) -> None:
        """Called by the hub itself when there is something to do."""
        if self._driver is not None:
            self._driver.wake()

    def _here(self, act: Callable[[], _T]) -> _T:
        """Does it in the thread that serves the hub."""
        driver = self._driver
        if driver is None or driver.is_here():
            return act()
        return driver.call(act)

    def publish(
        self,
        topic: str,
        event: str | Publication,
        payload: Any = None,
        *,
        now: float | None = None,
    ) -> int:
        """Publishes an event to whoever follows the topic; tells how many sessions that are.

        Nothing is written before the loop has its turn: more events in one go than the topic's
        history keeps (1000) outrun every reader, who then has to begin anew (4010). Await
        something now and then, asyncio.sleep(0) will do.
        """
        publication = event if isinstance(event, Publication) else Publication(event, payload)
        publish = super().publish
        return self._here(lambda: publish(topic, publication, now=now))

    def send(
        self,
        session: Session | str,
        event: str | Publication,
        payload: Any = None,
        *,
        now: float | None = None,
    ) -> None:
        """The same for one session alone."""
        publication = event if isinstance(event, Publication) else Publication(event, payload)
        send = super().send
        self._here(lambda: send(session, publication, now=now))

    def follow(self, session: Session | str, topic: str, *, now: float | None = None) -> None:
        """From now on the session gets what is published to the topic."""
        follow = super().follow
        self._here(lambda: follow(session, topic, now=now))

    def unfollow(self, session: Session | str, topic: str, *, now: float | None = None) -> None:
        """From now on it does not; what was published until now it still gets."""
        unfollow = super().unfollow
        self._here(lambda: unfollow(session, topic, now=now))

    def session(self, id: str, /) -> Session | None:
        """The session with that id, None if there is none."""
        session = super().session
        return self._here(lambda: session(id))

    def sessions(self, user: str | int | None = None) -> list[Session]:
        """The sessions of a user, or all."""
        sessions = super().sessions
        return self._here(lambda: sessions(user))

    def link_of(self, session: Session | str, /) -> HubLink | None:
        """The core's link that has the session, None while it is detached.

        For those who carry links themselves: the events of what is done to it are the caller's, and
        nobody else hears of them. To throw somebody out there is close().
        """
        link_of = super().link_of
        return self._here(lambda: link_of(session))

    def links(self) -> list[HubLink]:
        """The core's links that are not finished."""
        links = super().links
        return self._here(links)

    def limit_topic(
        self, topic: str, history: tuple[int, int, float], *, now: float | None = None
    ) -> None:
        """Other limits for the history of one topic, which somebody follows."""
        limit_topic = super().limit_topic
        self._here(lambda: limit_topic(topic, history, now=now))

    @property
    def counts(self) -> dict[str, int]:
        """How many links, sessions, ...: see kedge/hub.h."""
        return self._here(lambda: super(Hub, self).counts)

    def close(
        self,
        session: Session | str,
        code: int = 4000,
        reason: str = "",
        *,
        now: float | None = None,
    ) -> bool:
        """Throws somebody out: closes the connection that the session has, whose handler gets the
        Closed. False if it has none now.

        The code decides the rest, see CloseCode: with 4000 the client comes back and resumes; with
        4004 it waits for other credentials, with 4009 it begins a new session, with 1000 it stops,
        and these three end the session. end() also ends a session that has no connection.
        """
        close = super().close
        return self._here(lambda: close(session, code, reason, now=now))

    def end(self, session: Session | str, *, now: float | None = None) -> None:
        """Ends a session for good; its link, if any, is closed with 4009."""
        end = super().end
        self._here(lambda: end(session, now=now))

    def events(self) -> list[SessionEnded]:
        """The sessions that ended since the last call; the latest 1024."""
        events = super().events
        return self._here(events)


if not TYPE_CHECKING:  # Checkers would take any name for one that is there.

    def __getattr__(name: str) -> Any:
        # asyncio is loaded only by those who use it.
        if name == "Link":
            from kedge.aio._link import Link

            return Link
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
