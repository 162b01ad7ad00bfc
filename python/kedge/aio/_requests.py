"""Requests of ours that a coroutine waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from kedge._core import Outcome, UnknownError
from kedge._enums import OutcomeKind
from kedge.errors import ClosedError, RequestError

E = TypeVar("E")


class Requests:
    """Those of one link. Their outcomes go to who waits for them, and to nobody else."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def sift(self, events: Sequence[E]) -> Sequence[E]:
        """Those events that nobody waits for."""
        if not self._waiting:
            return events
        return [event for event in events if not (isinstance(event, Outcome) and self._take(event))]

    def _take(self, outcome: Outcome) -> bool:
        waiting = self._waiting.pop(outcome.number, None)
        if waiting is None:
            return False
        if not waiting.done():
            waiting.set_result(outcome)
        return True

    async def answer(self, number: int, cancel: Callable[[int], object]) -> Outcome:
        """Waits for a request's answer. Raises RequestError where it ends otherwise, ClosedError
        where nobody will ever tell. Cancelled meanwhile it cancels the request; that outcome is for
        nobody."""
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            outcome = await waiting
        except asyncio.CancelledError:
            # It may have ended by now, and its outcome be on the way.
            with contextlib.suppress(UnknownError, ClosedError):
                cancel(number)
            raise
        if outcome.outcome is not OutcomeKind.ANSWERED:
            raise RequestError(outcome)
        return outcome

    def end(self) -> None:
        """There will be no more outcomes."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ClosedError("the connection is over"))
        self._waiting.clear()
