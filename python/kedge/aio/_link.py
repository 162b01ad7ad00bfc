"""A server's link, as the handler of one connection sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from kedge._core import (
    Attached,
    Closed,
    Coordinates,
    Credentials,
    Event,
    HubLink,
    Identify,
    Mailbox,
    Opened,
    Publication,
    Request,
    Resume,
    Session,
    Snapshot,
    StaleTicketError,
    StateError,
)
from kedge._enums import Status
from kedge._hub import HubCalls as Hub
from kedge._hub import TopicCalls
from kedge.aio._mailbox import new_mailbox
from kedge.aio._requests import Requests
from kedge.aio._wire import ConnectionEvent, Wire
from kedge.errors import ClosedError

Login: TypeAlias = Credentials | Identify | Resume
"""The questions whose answer is who it is."""

EVENTS_MAX = 256
NORMAL = 1000
INTERNAL_ERROR = 1011
UNKNOWN_ERROR = 4000


class Host(Protocol):
    """What carries a link: it writes and reads when told so."""

    def look(self) -> None: ...
    def flush_soon(self) -> None: ...
    def steer(self) -> None: ...


class _NoHost:
    """The host of a link that is gone, so that the link does not keep what carried it."""

    def look(self) -> None:
        """There is no news."""

    def flush_soon(self) -> None:
        """There is nothing to write to."""

    def steer(self) -> None:
        """There is nothing to read from."""


NO_HOST: Host = _NoHost()


class Link:
    """One client's connection to a server: an asynchronous iterator of what it says.

    ::

        async for event in link:
            match event:
                case Credentials() | Identify() | Resume():
                    user = await find_user(event)
                    if user is None:
                        link.refuse(event)
                    else:
                        link.accept(event, user=user.id, topics=user.feeds)
                case Message(name="presence_update"):               # the gateway's client says
                    said = {**event.data, "user": link.session.user}
                    hub.publish("presence", "presence_update", said)
                case Request(name="chats"):                         # the others' clients ask
                    link.reply(event, {"chats": [...]})
                case Closed():
                    ...                        # the last one; the loop ends after it

    Heartbeats, replays, limits and closes happen by themselves, also while the handler is busy. One
    who does not take his events is not read from, once `events_max` are waiting.

    What its protocol does not have raises a StateError that says so.
    """

    def __init__(
        self,
        core: HubLink | None,
        *,
        hub: Hub,
        host: Host,
        events_max: int = EVENTS_MAX,
        on_start: Callable[[Link], object] | None = None,
        peer: Any = None,
        target: str = "",
        headers: Sequence[tuple[str, str]] = (),
        http_status: int | None = None,
    ) -> None:
        """Without a core it is that of a request that was turned away with the `http_status`."""
        self._core = core
        self._hub = hub
        self._host = host
        self._on_start = on_start
        self._mailbox: Mailbox[Event] = new_mailbox(events_max, self._steer)
        self._requests = Requests()
        self._session: Session | None = None
        self.closed: Closed | None = None
        """How it ended, None while it has not."""
        self.peer = peer
        """The client's address, as the host tells it."""
        self.target = target
        """Path and query of the client's request."""
        self.headers = tuple((name.lower(), text) for name, text in headers)
        """The headers of that request, names in lower case."""
        if core is None:
            self.closed = Closed(http_status=http_status)
            self._mailbox.end()
        else:
            core.context = self

    def __repr__(self) -> str:
        if self.closed is not None:
            state = f"closed {self.closed.code}"
        else:
            state = "open" if self._core is not None else "gone"
        return f"<kedge.{self._hub.protocol}.Link {self.peer} {state}>"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._mailbox

    async def __anext__(self) -> Event:
        return await self._mailbox.get()

    @property
    def hub(self) -> Hub:
        return self._hub

    @property
    def session(self) -> Session | None:
        """The session that it has, or had when it closed; None before that."""
        return self._session

    @property
    def core(self) -> HubLink:
        """The link without I/O beneath, until the connection is gone. Events that its methods give
        are the caller's: who closes it by them has the Closed, and the iteration ends without."""
        if self._core is None:
            raise ClosedError("the connection is gone")
        return self._core

    # ---- answers -------------------------------------------------------------------------------

    def accept(
        self,
        question: Login,
        *,
        user: str | int,
        topics: Iterable[str] = (),
        passing_topics: Iterable[str] = (),
        topics_exact: bool = False,
        members: Mapping[str, Any] | bytes | None = None,
        stream_kept: bool = False,
    ) -> bool:
        """Answers Credentials, Identify or Resume with yes: the token belongs to `user`.

        The session follows the topics (with topics_exact: and no others). The gateway's `ready`
        carries the members. The messenger's numbers go on from 1 where the application kept the
        stream (`stream_kept`). False if it is too late, since the link closed meanwhile: a Closed
        comes next. Raises StaleTicketError for a question that was answered before.
        """
        return self._answer(
            lambda core: core.accept(
                question,
                user=user,
                topics=topics,
                passing_topics=passing_topics,
                topics_exact=topics_exact,
                members=members,
                stream_kept=stream_kept,
            )
        )

    def refuse(self, question: Login, code: int | None = None, text: str = "") -> bool:
        """Answers them with no, and the link closes: the gateway's with a close code (4004 if you
        name none), the others before they open with an HTTP status (403). False if it had
        already."""
        return self._answer(lambda core: core.refuse(question, code, text))

    def accept_request(self, request: Request) -> bool:
        """FlowLayer: acknowledges a command, whose result comes later by reply()."""
        return self._answer(lambda core: core.accept_request(request))

    def reply(self, question: Request | Snapshot, payload: Any = None) -> bool:
        """Answers a request, or FlowLayer's question for the state. False if it is too late, since
        the link closed meanwhile."""
        return self._answer(lambda core: core.reply(question, payload))

    def reply_error(
        self, question: Request | Snapshot, code: str | int, message: str = "", *, data: Any = None
    ) -> bool:
        """Answers it with an error: a word, or BlobHub's number."""
        return self._answer(lambda core: core.reply_error(question, code, message, data=data))

    def reply_failed(self, question: Request | Snapshot) -> bool:
        """Answers it in the protocol's own words for something that went wrong here."""
        return self._answer(lambda core: core.reply_failed(question))

    def _answer(self, act: Callable[[HubLink], list[Event]]) -> bool:
        if self._core is None:
            return False
        try:
            events = act(self._core)
        except StateError as error:
            self._host.look()
            if isinstance(error, StaleTicketError) and self.closed is None:
                raise
            if not isinstance(error, StaleTicketError) and error.status is not Status.SEALED:
                raise
            return False
        self._deliver(events)
        return True

    # ---- what a handler does besides -----------------------------------------------------------

    async def request(self, name: str, payload: Any = None, *, timeout: float | None = None) -> Any:
        """Asks the client, where the protocol lets servers ask (BlobHub), and gives the data of its
        answer.

        Raises RequestError where the request ends otherwise: refused, not answered in time
        (`timeout`; None: the hub's request_timeout), invalidated by the end of the connection.
        """
        core = self.core
        number = core.request(name, payload, timeout=timeout)
        self._host.flush_soon()
        return (await self._requests.answer(number, self._cancel)).data

    def _cancel(self, number: int) -> None:
        self._deliver(self.core.cancel(number))

    def notify(self, name: str, payload: Any = None) -> None:
        """Tells this client alone something that has no number, where the protocol lets servers
        do so (BlobHub)."""
        self._deliver(self.core.notify(name, payload))

    def subscribed(self, coordinates: Coordinates, type: str) -> bool:
        """BlobHub: the client subscribed to that."""
        return self._core is not None and self._core.subscribed(coordinates, type)

    def send(self, event: str | Publication, payload: Any = None) -> None:
        """Sends an event to this link's session alone; numbered, and replayed like any other.

        Raises ClosedError if there is no session, or no longer.
        """
        if isinstance(event, Publication):
            self._hub.send(self._live_session(), event)
        else:
            self._hub.send(self._live_session(), event, payload)

    def follow(self, topic: str) -> None:
        """From now on the session gets what is published to the topic."""
        self._topics().follow(self._live_session(), topic)

    def unfollow(self, topic: str) -> None:
        """From now on it does not."""
        self._topics().unfollow(self._live_session(), topic)

    def _topics(self) -> TopicCalls:
        if not isinstance(self._hub, TopicCalls):
            raise StateError(f"{self._hub.protocol} has no topics: all links get what is published")
        return self._hub

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Closes this connection. What becomes of the session, and whether the client comes back,
        follows from the code and the protocol. The gateway: 4000 and 4008 keep it, 1000 ends it.
        No effect if it is closed."""
        if self._core is not None and self.closed is None:
            self._deliver(self._core.close(code, reason))

    def stop(self) -> None:
        """Closes it as a server that restarts does, with the protocol's code for that: the client
        comes back. No effect if it is closed."""
        if self._core is not None and self.closed is None:
            self._deliver(self._core.stop())

    def _live_session(self) -> Session:
        session = self.session
        if session is None or not session.alive:
            raise ClosedError("the link has no session")
        return session

    # ---- for its host --------------------------------------------------------------------------

    def _look(self) -> None:
        """The hub has news of it; also writes what waits and a close would drop."""
        self._host.look()

    def _fail(self) -> None:
        """Closes it since its handler failed: the client comes back, a gateway's resumes."""
        self.close(UNKNOWN_ERROR if self._hub.protocol == "gateway" else INTERNAL_ERROR)

    def _take(self, events: Sequence[ConnectionEvent]) -> None:
        """Queues these for the handler, which begins with the first that it is asked for, or when
        the connection is open."""
        begins = False
        for event in events:
            if type(event) is Closed:
                self.closed = event
            elif type(event) is Attached:
                self._session = event.session
            elif type(event) is Opened or type(event) is Credentials:
                begins = True
        told = self._requests.sift(events)
        self._mailbox.put(event for event in told if isinstance(event, Event))
        if self.closed is not None:
            self._over()
        if begins:
            # Not before: an eager task runs at once, and what it does may tell more.
            self._start()

    def _start(self) -> None:
        if self._on_start is not None:
            on_start, self._on_start = self._on_start, None
            on_start(self)

    def _over(self) -> None:
        """There will be no more events, also where somebody else was given the Closed."""
        self._mailbox.end()
        self._requests.end()

    def _deliver(self, events: Sequence[Event]) -> None:
        self._take(events)
        self._host.flush_soon()

    def _steer(self) -> None:
        self._host.steer()

    def _nobody_listens(self) -> None:
        """The handler ended: nothing is queued any more."""
        self._mailbox.discard()
        self._host.steer()

    def _ended(self) -> None:
        """The connection is gone."""
        self._over()
        self._host = NO_HOST
        self._on_start = None
        self.core.context = None
        self._core = None

    @property
    def _full(self) -> bool:
        return self._mailbox.full


class LinkOwner:
    """A link as the owner of a wire."""

    __slots__ = ("_link", "_on_gone")

    def __init__(self, link: Link, on_gone: Callable[[], object]) -> None:
        self._link = link
        self._on_gone = on_gone

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        self._link._take(events)

    def gone(self, wire: Wire) -> None:
        self._link._ended()
        self._on_gone()

    def written(self, wire: Wire) -> None:
        pass
