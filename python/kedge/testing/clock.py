"""Virtual time: an event loop on which an hour passes when there is nothing else to do."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from kedge._core import default_clock, default_entropy, default_wall_clock
from kedge.testing._memory import Factory, Listener, Ports

T = TypeVar("T")

START = 1_000_000.0
EPOCH = 1_750_000_000.0
LIMIT = 3600.0
THREADS_LIMIT = 30.0
CLOSING_LIMIT = 60.0


class Stuck(AssertionError):  # noqa: N818  (it is what a test asserts, not an error of its own)
    """The test waits for what will never come, or not within its limit."""


class Clock:
    """Virtual time for a test: it stands still while there is something to do, and jumps to the
    next thing that is due when there is not.

    A coroutine test that has the fixture runs on it; in a plain one `kedge_clock.run(coroutine)`
    does. Then all that asyncio makes is within the process: servers listen on ports that nobody
    else sees, connections are made to those alone, and asyncio.sleep, timeouts and kedge's objects
    (but those that were given a clock of their own) go by this clock; what they draw by chance,
    they draw from the seed. Calling it tells the time.

    Threads that asyncio started (asyncio.to_thread) are waited for in real time. What reads
    time.monotonic itself, or opens sockets without the loop, is not on it.

    ::

        async def test_the_server_finds_a_dead_client(kedge_clock, kedge_peer):
            async with kedge.serve(handler, port=80, hub=hub):
                async with kedge_peer.connect("ws://127.0.0.1:80", "gateway") as peer:
                    peer.go_silent()
                    await asyncio.sleep(3600)
    """

    def __init__(self, seed: int = 0, *, start: float = START, limit: float = LIMIT) -> None:
        self._now = start
        self._start = start
        self._random = random.Random(seed)
        self.limit = limit
        """After so many seconds of virtual time a run ends with Stuck."""

    def __repr__(self) -> str:
        return f"<kedge.testing.Clock {self.elapsed:.3f} s>"

    def __call__(self) -> float:
        return self._now

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._now - self._start

    def wall(self) -> float:
        """The time of day, in seconds since 1970: some day in 2025, and what has passed since."""
        return EPOCH + self.elapsed

    def advance(self, seconds: float) -> None:
        """Time passes, for what has no event loop."""
        self._now += seconds

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end on this time. Raises Stuck when it waits for nothing."""
        loop = _Loop(self)
        before = default_clock(self), default_wall_clock(self.wall)
        entropy = default_entropy(self._random.randbytes)
        asyncio.set_event_loop(loop)
        try:
            task = loop.watched = loop.create_task(main)
            try:
                result: T = loop.run_until_complete(task)
            except asyncio.CancelledError as error:
                if loop.complaint is None:
                    raise
                raise Stuck(loop.complaint) from error
            if loop.complaint is not None:
                raise Stuck(loop.complaint)
            return result
        finally:
            default_clock(before[0])
            default_wall_clock(before[1])
            default_entropy(entropy)
            _close(loop)
            asyncio.set_event_loop(None)


class _Loop(asyncio.SelectorEventLoop):
    """Its time is the clock's, its network its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__(_Selector(self))
        self.ports = Ports(self)
        self.watched: asyncio.Task[Any] | None = None
        self.complaint: str | None = None
        self.working = 0
        self.closing = False

    def time(self) -> float:
        return self._clock()

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, function: Callable[..., T], *arguments: Any
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, function, *arguments)
        self.working += 1
        future.add_done_callback(self._worked)
        return future

    def _worked(self, future: asyncio.Future[Any]) -> None:
        self.working -= 1

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Factory,
        host: Any = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        start_serving: bool = True,
        **options: Any,
    ) -> Listener:
        if ssl is not None or options.get("sock") is not None:
            raise NotImplementedError("the virtual network has no TLS and no real sockets")
        name = host if isinstance(host, str) and host else "127.0.0.1"
        return await self.ports.listen(protocol_factory, name, port or 0, start_serving)

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Factory,
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        if ssl is not None or options.get("sock") is not None:
            raise NotImplementedError("the virtual network has no TLS and no real sockets")
        return await self.ports.connect(protocol_factory, host or "127.0.0.1", port or 0)

    # ---- what its selector asks ----------------------------------------------------------------

    def pass_time(self, seconds: float | None) -> None:
        """There is nothing to do for so long; None: for ever."""
        clock = self._clock
        if seconds is None:
            self.give_up("nothing will ever happen")
        elif clock.elapsed + seconds > clock.limit and not self.closing:
            self.give_up(f"it takes longer than {clock.limit:g} s of virtual time")
        else:
            clock.advance(seconds)

    def give_up(self, why: str) -> None:
        """Ends the watched task, at the place where it waits; the second time it ends the loop."""
        if self.complaint is not None or self.watched is None:
            raise Stuck(why if self.complaint is None else self.complaint)
        waiting = "\n".join(f"  {place}" for place in sorted(map(_place, asyncio.all_tasks(self))))
        self.complaint = f"at {self._clock.elapsed:.3f} s: {why}; what waits:\n{waiting}"
        self.watched.cancel()


class _Selector(selectors.DefaultSelector):
    """Where a loop would sleep, time passes."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._loop.working > 0:
            return self._wait_for_threads()
        self._loop.pass_time(timeout)
        return []

    def _wait_for_threads(self) -> list[tuple[selectors.SelectorKey, int]]:
        """A thread's work takes real time; meanwhile virtual time stands still."""
        limit = CLOSING_LIMIT if self._loop.closing else THREADS_LIMIT
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(limit)
        if not ready:
            self._loop.give_up(f"a thread worked for longer than {limit:g} s")
        return ready


def _place(task: asyncio.Task[Any]) -> str:
    """Where a task waits, in one line."""
    frames = task.get_stack(limit=1)
    name = getattr(task.get_coro(), "__qualname__", task.get_name())
    if not frames:
        return name
    frame = frames[-1]
    return f"{name} ({frame.f_code.co_filename}:{frame.f_lineno})"


def _close(loop: _Loop) -> None:
    """Ends what was left running, as asyncio.run does."""
    loop.closing = True
    loop.watched = None
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=CLOSING_LIMIT))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.working += 1  # it has a thread join the others
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
