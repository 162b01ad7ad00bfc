"""What the plays share: who is in them, and the cables that are pulled out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from kedge import Closed, Event, Gap, Ready, Reconnected, RequestError, Resumed, connect
from kedge.aio import Stream
from kedge.reference import Users
from kedge.testing.network import Network

T = TypeVar("T")

USERS = Users({"anna": "secret-of-anna", "ben": "secret-of-ben"})
HURRY: dict[str, Any] = {"backoff": (0.05, 0.2)}
"""Settings of a client that lets nobody wait."""


class BrokenPromiseError(Exception):
    """What was promised did not come about."""


class Stage:
    """Where it is told what happens, with the time since the curtain rose."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def say(self, who: str, text: str) -> None:
        print(f"{time.monotonic() - self._begin:5.2f}  {who:>6}  {text}", flush=True)


class Person:
    """A client at the end of a cable; keeps what comes, and tells what happens to it."""

    def __init__(self, stage: Stage, name: str, make: Callable[..., Any], **settings: Any) -> None:
        self.name = name
        self.client = make(token=f"secret-of-{name}", **settings)
        self.events: list[Event] = []
        self._there = False
        self.stream: Stream
        self._cable = Network()
        self._stage = stage
        self._news = asyncio.Event()

    @asynccontextmanager
    async def at(self, url: str) -> AsyncIterator[Person]:
        """Meanwhile there is a cable to that server."""
        async with self._cable.between(url) as near, connect(near, self.client) as self.stream:
            following = asyncio.create_task(self._follow())
            try:
                yield self
            finally:
                following.cancel()
                await asyncio.wait([following])

    async def pull(self) -> None:
        """Its cable is cut, and nothing gets through any more."""
        closed = len(self.of(Closed))
        self._stage.say("cable", f"of {self.name}'s is pulled out")
        self._cable.refuse()
        self._cable.cut()
        await self.until(lambda: len(self.of(Closed)) > closed)

    def plug(self) -> None:
        """Its cable is put back."""
        self._stage.say("cable", f"of {self.name}'s is put back")
        self._cable.accept()

    def lead_to(self, url: str) -> None:
        """Its cable ends at another server now."""
        self._cable.redirect(url)

    def of(self, kind: type[T]) -> list[T]:
        """What came of that kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for something that comes with an event."""
        while not condition():
            await self._news.wait()

    async def ready(self) -> None:
        """Waits for its session."""
        await self.until(lambda: self.of(Ready))

    async def refused(self, command: str) -> RequestError:
        """Asks for it, in vain."""
        try:
            await self.stream.request(command)
        except RequestError as error:
            return error
        raise BrokenPromiseError(f"{self.name} was not refused {command}")

    def promised(self, what: str, got: list[int], wanted: Iterable[int]) -> None:
        """Each of them came once, and in order."""
        if got != list(wanted):
            raise BrokenPromiseError(f"{self.name} got the {what} {got}, not {list(wanted)}")

    async def _follow(self) -> None:
        async for event in self.stream:
            self.events.append(event)
            self._tell(event)
            self._news.set()
            self._news.clear()

    def _tell(self, event: Event) -> None:
        match event:
            case Resumed(replayed=0):
                self.say("is back, and missed nothing")
            case Resumed(replayed=missed):
                self.say(f"is back, and gets the {missed} events that it missed")
            case Reconnected():
                self.say("is back")
            case Gap(first=first, last=last):
                self.say(f"is told that {first} to {last} are gone")
            case Closed(code=code) if self._there:
                self.say(f"lost its connection ({code or 'no word of farewell'})")
        self._there = isinstance(event, Ready | Resumed | Reconnected) or (
            self._there and not isinstance(event, Closed)
        )

    def say(self, text: str) -> None:
        self._stage.say(self.name, text)
