"""A gateway's link, as the handler of one connection sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from kedge._core import (
    Attached,
    Closed,
    Event,
    HubLink,
    Identify,
    Mailbox,
    Opened,
    Publication,
    Resume,
    Session,
    StaleTicketError,
    StateError,
)
from kedge.aio._mailbox import new_mailbox
from kedge.aio._wire import ConnectionEvent, Wire
from kedge.errors import ClosedError
from kedge.gateway import Hub

EVENTS_MAX = 256


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
    """One client's connection to a gateway: an asynchronous iterator of what it says.

    ::

        async for event in link:
            match event:
                case Identify(token=token):
                    user = await find_user(token)
                    if user is None:
                        link.refuse(event)
                    else:
                        link.accept(event, user=user.id, topics=user.feeds)
                case Resume(token=token):
                    ...                        # the same question again, the same answers
                case Message(name="presence_update"):
                    said = {**event.data, "user": link.session.user}
                    hub.publish("presence", "presence_update", said)
                case Closed():
                    ...                        # the last one; the loop ends after it

    Heartbeats, replays, limits and closes happen by themselves, also while the handler is busy. One
    who does not take his events is not read from, once `events_max` are waiting.
    """

    def __init__(
        self,
        core: HubLink | None,
        *,
        hub: Hub,
        host: Host,
        events_max: int = EVENTS_MAX,
        on_open: Callable[[Link], object] | None = None,
        on_gone: Callable[[], object] | None = None,
        peer: Any = None,
        target: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._core = core
        self._hub = hub
        self._host = host
        self._on_open = on_open
        self._on_gone = on_gone
        self.mailbox: Mailbox[Event] = new_mailbox(events_max, self._steer)
        self._session: Session | None = None
        self.closed: Closed | None = None
        """How it ended, None while it has not."""
        self.peer = peer
        """The client's address, as the host tells it."""
        self.target = target
        """Path and query of the client's request."""
        self.headers = tuple(headers)
        """The headers of that request."""
        if core is None:
            self.closed = Closed(http_status=503)
            self.mailbox.end()
        else:
            core.context = self

    def __repr__(self) -> str:
        if self.closed is not None:
            state = f"closed {self.closed.code}"
        else:
            state = "open" if self._core is not None else "gone"
        return f"<kedge.gateway.Link {self.peer} {state}>"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.mailbox

    async def __anext__(self) -> Event:
        return await self.mailbox.get()

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
        question: Identify | Resume,
        *,
        user: str | int,
        topics: Iterable[str] = (),
        topics_exact: bool = False,
        members: Mapping[str, Any] | bytes | None = None,
    ) -> bool:
        """Answers Identify or Resume with yes: the token belongs to `user`.

        The session follows the topics (with topics_exact: and no others); `ready` carries the
        members. False if it is too late, since the link closed meanwhile: a Closed comes next.
        Raises StaleTicketError for a question that was answered before.
        """
        return self._answer(
            lambda: self.core.accept(
                question, user=user, topics=topics, topics_exact=topics_exact, members=members
            )
        )

    def refuse(self, question: Identify | Resume, code: int = 4004, text: str = "") -> bool:
        """Answers with no and a close code, see CloseCode; the link closes. False if it had
        already."""
        return self._answer(lambda: self.core.refuse(question, code, text))

    def _answer(self, act: Callable[[], list[Event]]) -> bool:
        if self._core is None:
            return False
        try:
            events = act()
        except StateError as error:
            self._host.look()
            if isinstance(error, StaleTicketError) and self.closed is None:
                raise
            if not isinstance(error, StaleTicketError) and error.status != "SEALED":
                raise
            return False
        self._take(events)
        return True

    # ---- what a handler does besides -----------------------------------------------------------

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
        self._hub.follow(self._live_session(), topic)

    def unfollow(self, topic: str) -> None:
        """From now on it does not."""
        self._hub.unfollow(self._live_session(), topic)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes this connection. What becomes of the session, and whether the client comes back,
        follows from the code: 4000 and 4008 keep it, 1000 ends it. No effect if it is closed."""
        if self._core is not None and self.closed is None:
            self._take(self._core.close(code, reason))

    def stop(self) -> None:
        """Closes it as a server that restarts does, with 4008: the client comes back and
        resumes. No effect if it is closed."""
        if self._core is not None and self.closed is None:
            self._take(self._core.stop())

    def _live_session(self) -> Session:
        session = self.session
        if session is None or not session.alive:
            raise ClosedError("the link has no session")
        return session

    # ---- for its host --------------------------------------------------------------------------

    def look(self) -> None:
        """The hub has news of it; also writes what waits and a close would drop."""
        self._host.look()

    def take(self, events: Sequence[ConnectionEvent]) -> None:
        """Queues these for the handler."""
        for event in events:
            if type(event) is Closed:
                self.closed = event
            elif type(event) is Attached:
                self._session = event.session
            elif type(event) is Opened and self._on_open is not None:
                self._on_open(self)
        self.mailbox.put(event for event in events if isinstance(event, Event))
        if self.closed is not None:
            self.mailbox.end()

    def over(self) -> None:
        """There will be no more events, also where somebody else was given the Closed."""
        self.mailbox.end()

    def _take(self, events: Sequence[Event]) -> None:
        self.take(events)
        self._host.flush_soon()

    def _steer(self) -> None:
        self._host.steer()

    def nobody_listens(self) -> None:
        """The handler ended: nothing is queued any more."""
        self.mailbox.discard()
        self._host.steer()

    def ended(self) -> None:
        """The connection is gone."""
        self.mailbox.end()
        self._host = NO_HOST
        self._on_open = None
        if self._core is not None:
            self._core.context = None
            self._core = None

    @property
    def full(self) -> bool:
        return self.mailbox.full

    # As the owner of a wire.

    def deliver(self, wire: Wire, events: Sequence[ConnectionEvent]) -> None:
        self.take(events)

    def gone(self, wire: Wire) -> None:
        self.ended()
        if self._on_gone is not None:
            self._on_gone()
            self._on_gone = None

    def written(self, wire: Wire) -> None:
        pass
