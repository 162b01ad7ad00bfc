"""Plain WebSockets, without a session protocol on top.

`Connection` is the one without I/O: bytes in, events and bytes out. On asyncio kedge.connect(url)
and kedge.serve(handler) give a `WebSocket`, and `Protocol`
is one with callbacks instead of a task, the fastest way there is.
"""

from __future__ import annotations

from enum import IntEnum
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
    from kedge.aio._protocol import Protocol
    from kedge.aio._websocket import WebSocket

__all__ = [
    "CloseCode",
    "ClosedError",
    "Connection",
    "Disconnected",
    "HttpRequest",
    "Opened",
    "Protocol",
    "Received",
    "Refused",
    "RefusedError",
    "Requested",
    "WebSocket",
]


class CloseCode(IntEnum):
    """The close codes of WebSocket itself (RFC 6455 and its registry); a session protocol's own lie
    between 4000 and 4999."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_LARGE = 1009
    EXTENSION_MISSING = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_FAILED = 1015

    @property
    def sendable(self) -> bool:
        """It may stand in a close frame; the others only tell of a connection without one."""
        return self not in (CloseCode.NO_STATUS, CloseCode.ABNORMAL, CloseCode.TLS_FAILED)


if not TYPE_CHECKING:  # Checkers would take any name for one that is there.

    def __getattr__(name: str) -> Any:
        # asyncio is loaded only by those who use it.
        if name == "WebSocket":
            from kedge.aio._websocket import WebSocket

            return WebSocket
        if name == "Protocol":
            from kedge.aio._protocol import Protocol

            return Protocol
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
