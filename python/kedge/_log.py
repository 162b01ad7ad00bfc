"""The logger of the package, whose lines no peer can make endless.

Of lines of one kind `LINES` are let through in `PERIOD` seconds; the first one after that says how
many were left out. No line tells a token, and of what a peer wrote none tells more than a little.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

__all__ = ["logger"]

LINES = 20
PERIOD = 10.0


class RateLimit(logging.Filter):
    """Lets through so many lines of each kind in so many seconds. Lines of one kind have the same
    text before its arguments are filled in."""

    def __init__(
        self,
        lines: int = LINES,
        period: float = PERIOD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._lines = lines
        self._period = period
        self._clock = clock
        self._lock = threading.Lock()
        # When the period began, how many lines came in it, how many were left out after them.
        self._kinds: dict[str, tuple[float, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        left_out = self._count(str(record.msg))
        if left_out is None:
            return False
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more like this were left out)"
            record.args = ()
        return True

    def _count(self, kind: str) -> int | None:
        """How many were left out before this one; None: so is this one."""
        with self._lock:
            now = self._clock()
            begin, count, left_out = self._kinds.get(kind, (now, 0, 0))
            if now - begin >= self._period:
                begin, count = now, 0
            if count == self._lines:
                self._kinds[kind] = (begin, count, left_out + 1)
                return None
            self._kinds[kind] = (begin, count + 1, 0)
            return left_out


logger = logging.getLogger("kedge")
logger.addFilter(RateLimit())
