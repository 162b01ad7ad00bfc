"""WebSocket sessions that survive their socket.

`kedge.gateway` has the chat gateway, client and server, without I/O; `kedge.connect` and
`kedge.serve` put it on asyncio, `kedge.adapters` beneath other libraries. `kedge.websocket` is the
plain WebSocket.

`__version__` is the version of the C library that is compiled into the package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kedge._core import (
    Attached,
    Closed,
    Connect,
    Dispatch,
    ErrorReport,
    Event,
    Gap,
    Identify,
    Message,
    Publication,
    Ready,
    Resume,
    Resumed,
    Retry,
    Session,
    SessionEnded,
    Stop,
    Sync,
    WantCredentials,
)
from kedge._core import version as __version__
from kedge.errors import (
    ArgumentError,
    ClosedError,
    DecodeError,
    Error,
    LimitError,
    RefusedError,
    SnapshotError,
    StaleTicketError,
    StateError,
    UnknownError,
)

if TYPE_CHECKING:
    from kedge import adapters, aio, gateway, websocket
    from kedge.aio import connect, serve

__all__ = [
    "ArgumentError",
    "Attached",
    "Closed",
    "ClosedError",
    "Connect",
    "DecodeError",
    "Dispatch",
    "Error",
    "ErrorReport",
    "Event",
    "Gap",
    "Identify",
    "LimitError",
    "Message",
    "Publication",
    "Ready",
    "RefusedError",
    "Resume",
    "Resumed",
    "Retry",
    "Session",
    "SessionEnded",
    "SnapshotError",
    "StaleTicketError",
    "StateError",
    "Stop",
    "Sync",
    "UnknownError",
    "WantCredentials",
    "__version__",
    "adapters",
    "aio",
    "connect",
    "gateway",
    "serve",
    "websocket",
]

# Loaded by those who use them: asyncio is not light.
_MODULES = frozenset({"adapters", "aio", "gateway", "websocket"})
_FUNCTIONS = frozenset({"connect", "serve"})


if not TYPE_CHECKING:  # Checkers would take any name for one that is there.

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"kedge.{name}")
        if name in _FUNCTIONS:
            return getattr(importlib.import_module("kedge.aio"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
