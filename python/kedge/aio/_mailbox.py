"""What lies between the callbacks that bring something and the one task that takes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from kedge._core import StateError

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A queue with one reader. It never refuses anything: whoever brings looks at `full` and then
    brings no more; `on_room` is called when it is no longer full."""

    __slots__ = ("_ended", "_items", "_limit", "_loop", "_on_room", "_waiter")

    def __init__(self, limit: int, on_room: Callable[[], object]) -> None:
        self._items: deque[T] = deque()
        self._limit = limit
        self._on_room = on_room
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    @property
    def full(self) -> bool:
        return len(self._items) >= self._limit and not self._ended

    def put(self, items: Iterable[T]) -> None:
        """Adds them, unless it has ended."""
        if not self._ended:
            self._items.extend(items)
            self._wake()

    def add(self, item: T) -> None:
        """Adds one, likewise."""
        if not self._ended:
            self._items.append(item)
            self._wake()

    def end(self) -> None:
        """There will be nothing more; what is there can still be taken."""
        self._ended = True
        self._wake()

    def discard(self) -> None:
        """Nobody will take anything more."""
        self._items.clear()
        self.end()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def get(self) -> T:
        """The next one; raises StopAsyncIteration at the end."""
        items = self._items
        while not items:
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        was_full = self.full
        item = items.popleft()
        if was_full and not self.full:
            self._on_room()
        return item

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise StateError("another task is waiting for the next event")
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
