"""Plain WebSockets, without a session protocol on top.

`Connection` is the one without I/O: bytes in, events and bytes out. On asyncio kedge.connect(url)
and kedge.serve(handler) give a `WebSocket`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedge._core import (
    Connection,
    Disconnected,
    HttpRequest,
    Opened,
    Received,
    Refused,
    Requested,
)
from kedge.errors import ClosedError, RefusedError

if TYPE_CHECKING:
    from kedge.aio._websocket import WebSocket

__all__ = [
    "ClosedError",
    "Connection",
    "Disconnected",
    "HttpRequest",
    "Opened",
    "Received",
    "Refused",
    "RefusedError",
    "Requested",
    "WebSocket",
]


if not TYPE_CHECKING:  # Checkers would take any name for one that is there.

    def __getattr__(name: str) -> Any:
        # asyncio is loaded only by those who use it.
        if name == "WebSocket":
            from kedge.aio._websocket import WebSocket

            return WebSocket
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
