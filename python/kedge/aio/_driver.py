"""What lets a hub run on an event loop: one timer, and a turn whenever its links have something."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from kedge._core import HubLink, StateError, Wire
from kedge.aio._alarm import Alarm

if TYPE_CHECKING:
    from kedge._hub import HubCalls as Hub
    from kedge.aio._state import Claim

T = TypeVar("T")

TIME_TOLD = 10.0
"""Seconds after which a hub that writes the time of day is told it anew: it may have been set."""

BURST = 100
"""So much may be told in one go before it is written."""

STANDSTILL = 0.5
"""Seconds after which who waits for the loop looks whether that runs at all."""


class Driver:
    """Serves one hub on one loop, for as long as somebody holds it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._alarm = Alarm(self._loop, hub.clock, self._turn)
        self._turn_comes = False
        self._turning = False
        self._told = 0
        self._holders = 0
        self._calls: set[Future[object]] = set()
        self._carriers = 0
        self._idle: asyncio.Future[None] | None = None
        self._time_told = math.inf if hub.protocol != "messaging" else -math.inf
        self.claim: Claim | None = None
        """On the hub's state, where the host does not say when it begins to serve."""

    def wake(self) -> None:
        """The hub wants a turn; from any thread."""
        if self._turn_comes:
            return
        self._turn_comes = True
        if self.is_here():
            self._loop.call_soon(self._turn)
        else:
            self._loop.call_soon_threadsafe(self._turn)

    def is_here(self) -> bool:
        """True in the loop's own thread."""
        return threading.get_ident() == self._thread

    def call(self, function: Callable[[], T]) -> T:
        """Has the loop's thread call something, and waits for it. Raises StateError where it never
        will, since the loop has stopped or the hub is served no more."""
        done: Future[T] = Future()

        def run() -> None:
            self._calls.discard(done)
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        ended = threading.Event()
        done.add_done_callback(lambda _: ended.set())
        self._calls.add(done)  # type: ignore[arg-type]
        try:
            self._loop.call_soon_threadsafe(run)
        except RuntimeError:
            done.cancel()  # the loop is closed
        while not ended.wait(STANDSTILL):
            if not self._loop.is_running():
                done.cancel()
        self._calls.discard(done)
        try:
            return done.result()
        except CancelledError:
            raise StateError("the hub is no longer served") from None

    def told(self) -> None:
        """Something was told to others, and has its number: the state from before is out of date.
        Much of it without awaiting would outrun the histories, so it is written in between."""
        if self.claim is not None:
            self.claim.confirm()
        if self._turn_comes:
            self._told += 1
            if self._told >= BURST and not self._turning:
                self._turn()

    def _turn(self) -> None:
        self._turn_comes = False
        self._told = 0
        if self._holders == 0:
            return
        self._turning = True
        try:
            self._tell_time()
            for link in Wire.serve(self._hub):
                self._serve(link)
            self._alarm.set(self._hub.deadline)
        finally:
            self._turning = False

    def _tell_time(self) -> None:
        now = self._hub.clock()
        if now >= self._time_told + TIME_TOLD:
            self._time_told = now
            self._hub.tell_time(now=now)

    def _serve(self, link: HubLink) -> None:
        look = getattr(link.context, "_look", None)
        if look is not None:
            look()

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """Somebody has a link meanwhile, and may still write for it."""
        self._carriers += 1
        try:
            yield
        finally:
            self._carriers -= 1
            self._look_whether_idle()

    async def wait_until_idle(self, timeout: float) -> bool:
        """Waits until nobody carries a link any more; False if that takes longer."""
        self._idle = self._loop.create_future()
        self._look_whether_idle()
        done, _ = await asyncio.wait([self._idle], timeout=timeout)
        return bool(done)

    def _look_whether_idle(self) -> None:
        if self._idle is not None and not self._idle.done() and self._carriers == 0:
            self._idle.set_result(None)

    def hold(self) -> None:
        self._holders += 1
        self.wake()

    def release(self) -> bool:
        """True if that was the last hold."""
        self._holders -= 1
        if self._holders > 0:
            return False
        self._alarm.cancel()
        for call in list(self._calls):
            call.cancel()
        return True


@contextmanager
def driven(hub: Hub) -> Iterator[Driver]:
    """Has the running loop serve the hub meanwhile. Several may do so at once, on the same loop."""
    driver = hub._driver
    if driver is None:
        driver = hub._driver = Driver(hub)
    elif driver._loop is not asyncio.get_running_loop():
        raise StateError("the hub is served by another event loop")
    driver.hold()
    try:
        yield driver
    finally:
        if driver.release():
            hub._driver = None
