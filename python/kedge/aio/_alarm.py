"""One timer that follows a deadline, wherever it moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls back when a deadline of `clock` has come.

    It may call too early, when a deadline moved away meanwhile, since moving the timer each time
    would cost more: who is called looks at the deadline and sets the alarm again.
    """

    __slots__ = ("_at", "_callback", "_clock", "_handle", "_loop")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        callback: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None
        self._at = 0.0

    def set(self, deadline: float | None) -> None:
        """Calls back at the deadline; None: no need to."""
        if deadline is None:
            return
        if self._handle is not None:
            if self._at <= deadline:
                return
            self._handle.cancel()
        self._at = deadline
        delay = max(0.0, deadline - self._clock())
        self._handle = self._loop.call_later(delay, self._ring)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._callback()
