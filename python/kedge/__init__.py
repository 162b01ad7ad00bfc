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
    Acknowledged,
    Attached,
    Closed,
    Connect,
    Coordinates,
    Credentials,
    Dispatch,
    Envelope,
    Epoch,
    ErrorReport,
    Event,
    Gap,
    Identify,
    Log,
    LogEntry,
    Message,
    Observation,
    Outcome,
    Publication,
    Ready,
    Reconnected,
    Request,
    Resume,
    Resumed,
    Retry,
    Session,
    SessionEnded,
    Snapshot,
    Stop,
    Stray,
    Subscription,
    Sync,
    WantCredentials,
    Watch,
)
from kedge._core import version as __version__
from kedge._enums import CredentialsKind, OutcomeKind, Status
from kedge.errors import (
    ArgumentError,
    ClosedError,
    DecodeError,
    Error,
    LimitError,
    RefusedError,
    RequestError,
    SnapshotError,
    StaleTicketError,
    StateError,
    UnknownError,
)

if TYPE_CHECKING:
    from kedge import adapters, aio, blobhub, flowlayer, gateway, messaging, websocket
    from kedge.aio import connect, serve

__all__ = [
    "Acknowledged",
    "ArgumentError",
    "Attached",
    "Closed",
    "ClosedError",
    "Connect",
    "Coordinates",
    "Credentials",
    "CredentialsKind",
    "DecodeError",
    "Dispatch",
    "Envelope",
    "Epoch",
    "Error",
    "ErrorReport",
    "Event",
    "Gap",
    "Identify",
    "LimitError",
    "Log",
    "LogEntry",
    "Message",
    "Observation",
    "Outcome",
    "OutcomeKind",
    "Publication",
    "Ready",
    "Reconnected",
    "RefusedError",
    "Request",
    "RequestError",
    "Resume",
    "Resumed",
    "Retry",
    "Session",
    "SessionEnded",
    "Snapshot",
    "SnapshotError",
    "StaleTicketError",
    "StateError",
    "Status",
    "Stop",
    "Stray",
    "Subscription",
    "Sync",
    "UnknownError",
    "WantCredentials",
    "Watch",
    "__version__",
    "adapters",
    "aio",
    "blobhub",
    "connect",
    "flowlayer",
    "gateway",
    "messaging",
    "serve",
    "websocket",
]

# Loaded by those who use them: asyncio is not light.
_MODULES = frozenset(
    {"adapters", "aio", "blobhub", "flowlayer", "gateway", "messaging", "websocket"}
)
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
