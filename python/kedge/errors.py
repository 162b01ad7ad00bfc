"""The exceptions of kedge: all of them are kinds of `Error`.

They tell of the caller's own mistakes and of limits. What a peer or the network does is an event;
only where a coroutine cannot do what it was asked to, since the connection is over, it says so by a
ClosedError.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kedge._core import (
    ArgumentError,
    DecodeError,
    Error,
    LimitError,
    SnapshotError,
    StaleTicketError,
    StateError,
    UnknownError,
)
from kedge._enums import OutcomeKind, Status

if TYPE_CHECKING:
    from kedge._core import Outcome

__all__ = [
    "ArgumentError",
    "ClosedError",
    "DecodeError",
    "Error",
    "LimitError",
    "RefusedError",
    "RequestError",
    "SnapshotError",
    "StaleTicketError",
    "StateError",
    "UnknownError",
]


class ClosedError(StateError):
    """The connection is over. A handler of kedge.serve may let it pass: that is no failure."""

    status = Status.PEER_CLOSED


class RefusedError(Error):
    """The server answered a plain WebSocket's request otherwise: `code` is the HTTP status, 0 if
    the connection ended without one; `headers` are the answer's, names in lower case."""

    status = Status.REFUSED

    def __init__(self, code: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(f"the server answered {code}" if code else "the server hung up")
        self.code = code
        self.headers = tuple((name.lower(), text) for name, text in headers)


_STATUSES = {
    OutcomeKind.REFUSED: Status.REFUSED,
    OutcomeKind.TIMED_OUT: Status.TIMED_OUT,
    OutcomeKind.CANCELLED: Status.STOPPED,
    OutcomeKind.INVALIDATED: Status.LOST,
}


class RequestError(Error):
    """A request that was awaited ended without an answer.

    `outcome` is how: OutcomeKind.REFUSED (then `code`, `message` and `data` are the peer's error),
    TIMED_OUT, CANCELLED, or INVALIDATED by the end of the connection, where nobody knows whether
    the peer did it. `event` is the Outcome itself, None where the request was never sent.
    """

    def __init__(self, event: Outcome | None, name: str = "") -> None:
        kind = OutcomeKind.TIMED_OUT if event is None else event.outcome
        self.status = _STATUSES[kind]
        self.event = event
        self.outcome = kind
        self.code: str | int | None = None if event is None else event.code
        self.message: str | None = None if event is None else event.message
        told = f"{name if event is None else event.name}: {kind.replace('_', ' ')}"
        if kind is OutcomeKind.REFUSED:
            told += f": {self.code} {self.message or ''}".rstrip()
        super().__init__(told)

    @property
    def data(self) -> Any:
        """What the peer's error carries."""
        return None if self.event is None else self.event.data
