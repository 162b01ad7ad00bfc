"""The exceptions of kedge: all of them are kinds of `Error`.

They tell of the caller's own mistakes and of limits. What a peer or the network does is an event;
only where a coroutine cannot do what it was asked to, since the connection is over, it says so by a
ClosedError.
"""

from __future__ import annotations

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
from kedge._enums import Status

__all__ = [
    "ArgumentError",
    "ClosedError",
    "DecodeError",
    "Error",
    "LimitError",
    "RefusedError",
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
    the connection ended without one; `headers` are the answer's."""

    status = Status.REFUSED

    def __init__(self, code: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"the server answered {code}" if code else "the server hung up")
        self.code = code
        self.headers = headers
