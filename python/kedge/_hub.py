"""What a hub's methods do when another thread than the loop's calls them; for all protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from kedge._core import HubLink, Publication, Session, SessionEnded, _Hub

if TYPE_CHECKING:
    from kedge._core import _TopicHub
    from kedge.aio._driver import Driver

    _Base = _Hub
    _TopicBase = _TopicHub
else:  # A hub's class puts these before that of the core, which makes the objects.
    _Base = _TopicBase = object

__all__ = ["HubCalls", "TopicCalls", "documented"]

_T = TypeVar("_T")

_THREADS = """
Whoever serves it (kedge.serve, kedge.adapters, kedge.aio.driven) does so on one event loop. From
then on any task of that loop and any other thread may call publish, send, broadcast, follow,
unfollow, limit_topic, session, sessions, link_of, links_of, links, close, end, events, counts and
metrics: what a thread calls is done by the loop, and the thread waits for it. The rest, and links,
belong to the loop.
"""


def documented(core: type[_Hub]) -> str:
    """The docstring of a hub's class: the core's, and what threads may do."""
    about, settings, listed = str(core.__doc__).partition("\nThe settings, all by name")
    return f"{about}{_THREADS}{settings}{listed}"


class HubCalls(_Base):
    """What all hubs have, from any thread once a loop serves the hub."""

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

    def _tell(self, act: Callable[[], _T]) -> _T:
        """The same for what is told to others."""

        def tell() -> _T:
            told = act()
            if self._driver is not None:
                self._driver.told()
            return told

        return self._here(tell)

    def _made(
        self,
        event: str | Publication,
        payload: Any,
        passing: bool | None,
        now: float | None,
        now_ns: int | None,
    ) -> Publication:
        """The publication that is meant, encoded by who calls; a second payload is refused."""
        if payload is None and isinstance(event, Publication):
            return event
        return self.publication(event, payload, passing=passing, now=now, now_ns=now_ns)

    def send(
        self,
        session: Session | str,
        event: str | Publication,
        payload: Any = None,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Publishes an event to one session alone; numbered, so BlobHub has none."""
        made = self._made(event, payload, False, now, now_ns)
        send = super().send
        self._tell(lambda: send(session, made, now=now, now_ns=now_ns))

    def session(self, id: str, /) -> Session | None:
        """The session with that id, None if there is none."""
        session = super().session
        return self._here(lambda: session(id))

    def sessions(self, user: str | int | None = None) -> list[Session]:
        """The sessions of a user, or all."""
        sessions = super().sessions
        return self._here(lambda: sessions(user))

    def link_of(self, session: Session | str, /) -> HubLink | None:
        """The core's link that has the session, the latest of several; None while it is detached.

        For those who carry links themselves: the events of what is done to it are the caller's, and
        nobody else hears of them. To throw somebody out there is close().
        """
        link_of = super().link_of
        return self._here(lambda: link_of(session))

    def links_of(self, session: Session | str, /) -> list[HubLink]:
        """The core's links that share the session, the latest first."""
        links_of = super().links_of
        return self._here(lambda: links_of(session))

    def links(self) -> list[HubLink]:
        """The core's links that are not finished."""
        links = super().links
        return self._here(links)

    @property
    def counts(self) -> dict[str, int]:
        """How many links, sessions, ...: see kedge/hub.h."""
        return self._here(lambda: super(HubCalls, self).counts)

    def metrics(self) -> dict[str, int]:
        """The same figures by names for Prometheus: what only grows ends in _total."""
        metrics = super().metrics
        return self._here(metrics)

    def close(
        self,
        session: Session | str,
        code: int | None = None,
        reason: str = "",
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> bool:
        """Throws somebody out: closes the connections that the session has, whose handlers get the
        Closed. False if it has none now.

        What becomes of the session, and whether its client comes back, follows from the code; None
        is one with which it does (gateway: 4000, else 1001). Of the gateway's codes, see CloseCode,
        4004 has the client wait for other credentials, 4009 begin a new session, 1000 stop, and
        these three end the session. end() also ends a session that has no connection.
        """
        close = super().close
        return self._here(lambda: close(session, code, reason, now=now, now_ns=now_ns))

    def end(
        self, session: Session | str, *, now: float | None = None, now_ns: int | None = None
    ) -> None:
        """Ends a session for good; its links, if any, are closed (gateway: 4009, else 1001)."""
        end = super().end
        self._here(lambda: end(session, now=now, now_ns=now_ns))

    def events(self) -> list[SessionEnded]:
        """The sessions that ended since the last call; the latest 1024."""
        events = super().events
        return self._here(events)


class TopicCalls(HubCalls, _TopicBase):
    """The same for what hubs have whose sessions follow topics."""

    def publish(
        self,
        topic: str,
        event: str | Publication,
        payload: Any = None,
        *,
        passing: bool | None = None,
        except_for: Iterable[Session | str] = (),
        now: float | None = None,
        now_ns: int | None = None,
    ) -> int:
        """Publishes an event to whoever follows the topic, `except_for` these; tells how many
        sessions that are.

        `passing` None: as the protocol has it for events of that name. True: it takes no number, is
        in no replay, and only who is there and follows the passing topic of that name gets it.

        It is written when the loop has its turn, or after a hundred events in one go. Who cannot
        take them that fast is outrun once the topic's history (1000 events, 4 MiB) has dropped what
        comes next, and has to begin anew (gateway: 4010): await something now and then,
        asyncio.sleep(0) will do.
        """
        made = self._made(event, payload, passing, now, now_ns)
        publish = super().publish
        return self._tell(
            lambda: publish(topic, made, except_for=except_for, now=now, now_ns=now_ns)
        )

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
        follow = super().follow
        self._here(lambda: follow(session, topic, passing=passing, now=now, now_ns=now_ns))

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
        numbered."""
        unfollow = super().unfollow
        self._here(lambda: unfollow(session, topic, passing=passing, now=now, now_ns=now_ns))

    def limit_topic(
        self,
        topic: str,
        history: tuple[int, int, float],
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Other limits for the history of one topic, which somebody follows."""
        limit_topic = super().limit_topic
        self._here(lambda: limit_topic(topic, history, now=now, now_ns=now_ns))
