"""BlobHub Realtime: JSON-RPC 2.0 in both directions, and subscriptions by coordinates.

A client (`Client`) and a server's links (`Hub`) without I/O; the events and messages that they
give; `decode`, `decode_batch`, `encode` and `encode_batch` for single messages. On asyncio give
them to kedge.connect and kedge.serve, or beneath another library to one of kedge.adapters.

The server is asked by events:

* `Credentials`: whose token or API key (`kind`) is it? `link.accept(event, user=...)` or
  `link.refuse(event)`, before the upgrade (401 without any, 403 for a wrong one).
* `Request`: `link.reply(event, result)` or `link.reply_error(event, 403, "forbidden")`, in any
  order; a batch is told as its single requests, and answered as one. status/initialize is the
  link's own; so are subscription/add and subscription/remove, unless ask_subscriptions=True: then
  `link.reply` subscribes and reply_error does not.

Errors: 400 invalid syntax, 403 forbidden, 405 method not supported (or not initialized), 500
unexpected failure; of others a client understands JSON-RPC's own (-32700, -32600 to -32603).

A Message is a notification. `hub.broadcast(Coordinates("project", "7", "file", "9"), "changed",
{...})` reaches whoever subscribed to exactly that, encoded once. Both sides ask (`request`, one
Outcome each), notify and answer; a client may be asked, too.

The client initializes by itself (Ready, Reconnected after a reconnect: what came in between is
lost, so fetch the state). `client.subscribe(coordinates, "changed")` stays over reconnects; each
time that it is asked for, an Outcome tells how that ended, then Subscription events come. Nothing
is resumed: a session ends with its link.

A server closes with 1001 when it stops, 1008 without status/initialize in time, 1011 for a failure
of its own, 1013 for a reader that is too slow: it is never served with holes.
"""

from __future__ import annotations

from typing import Any

from kedge._core import (
    Abort,
    Attached,
    BlobHubHub,
    Close,
    Closed,
    Connect,
    Coordinates,
    Credentials,
    Decline,
    DecodeError,
    Envelope,
    Event,
    Handshake,
    HubLink,
    Message,
    Outcome,
    Publication,
    Ready,
    Reconnected,
    Request,
    Retry,
    Session,
    SessionEnded,
    Stop,
    Stray,
    Subscription,
    Text,
    Upgrade,
    WantCredentials,
)
from kedge._core import BlobHubClient as Client
from kedge._core import blobhub_decode as decode
from kedge._core import blobhub_decode_batch as decode_batch
from kedge._core import blobhub_encode as encode
from kedge._core import blobhub_encode_batch as encode_batch
from kedge._enums import CredentialsKind, OutcomeKind
from kedge._hub import TopicCalls, documented

__all__ = [
    "Abort",
    "Attached",
    "Client",
    "Close",
    "Closed",
    "Connect",
    "Coordinates",
    "Credentials",
    "CredentialsKind",
    "Decline",
    "DecodeError",
    "Envelope",
    "Event",
    "Handshake",
    "Hub",
    "HubLink",
    "Message",
    "Outcome",
    "OutcomeKind",
    "Publication",
    "Ready",
    "Reconnected",
    "Request",
    "Retry",
    "Session",
    "SessionEnded",
    "Stop",
    "Stray",
    "Subscription",
    "Text",
    "Upgrade",
    "WantCredentials",
    "decode",
    "decode_batch",
    "encode",
    "encode_batch",
]


class Hub(TopicCalls, BlobHubHub):
    __doc__ = documented(BlobHubHub)

    def broadcast(
        self,
        coordinates: Coordinates,
        type: str,
        event: Any = None,
        *,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> int:
        """Tells all that subscribed to these coordinates and this type, encoded once; tells how
        many links that are."""
        broadcast = super().broadcast
        return self._tell(lambda: broadcast(coordinates, type, event, now=now, now_ns=now_ns))
