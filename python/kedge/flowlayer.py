"""FlowLayer V1: a supervisor's services, their status and their logs, over one WebSocket.

A client (`Client`) and a server's log and links (`Hub`) without I/O; the events and messages that
they give; `decode` and `encode` for single messages. On asyncio give them to kedge.connect and
kedge.serve, or beneath another library to one of kedge.adapters.

The server is asked three things, each by an event:

* `Credentials`: whose token is it? `link.accept(event, user=...)` or `link.refuse(event)`, before
  the upgrade (401 without a token, 403 for a wrong one; `GET /health` is asked about likewise).
* `Snapshot`: what is there? `link.reply(event, {"services": [{"name": ..., "status": ...}]})`, by
  name. Statuses are starting, running, ready, stopping, failed, stopped and unknown.
* `Request`: a command. `link.accept_request(event)` is its ack, `link.reply(event, data)` later
  its result; a reply alone sends both. `link.reply_error(event, code, message)` before the ack
  refuses it (service_busy, unknown_service, ...), after it the result is not ok (`data`: the list
  of failed_services). get_logs is answered out of the history by itself, unless answer_logs=False.

=============== ==================================================================================
get_snapshot    nothing; answered as the Snapshot question
get_logs        service?: text, limit?: integer from 1, after_seq?, before_seq?: integers from 0
start_service   service: text; so are stop_service and restart_service
start_all       nothing; so is stop_all
=============== ==================================================================================

`hub.publish("log", {"service": ..., "phase": ..., "stream": "stdout", "message": ..., "timestamp":
...})` is numbered and kept (own_history); `hub.publish("service_status", {"service": ...,
"status": ..., "timestamp": ...})` and all else passes. A client that is too slow loses log
entries, which are counted (`link.counts["lost"]`), and nothing else.

The client tells `hello` as a Dispatch and the snapshot as Ready, from when on commands can be
sent: `request("get_logs", {"limit": 10})` gives a number, and one Outcome tells how that ended.
`log` and `service_status` are Dispatches; each log entry comes once and in order, also after a
reconnect: what is missing is fetched. A Gap is what will not come, an Epoch another server
process. `services` and `logs` have what is known so far.

A server closes with 1001 when it stops, 1011 without a snapshot, 1013 for a reader
that is too slow even for what is not `log`; a client with 1007 for what is no message.
"""

from __future__ import annotations

from typing import Any

from kedge._core import (
    Abort,
    Attached,
    Close,
    Closed,
    Connect,
    Credentials,
    Decline,
    DecodeError,
    Dispatch,
    Envelope,
    Epoch,
    ErrorReport,
    Event,
    FlowLayerHub,
    Gap,
    Handshake,
    HubLink,
    Message,
    Outcome,
    Publication,
    Ready,
    Request,
    Retry,
    Session,
    SessionEnded,
    Snapshot,
    Stop,
    Stray,
    Text,
    Upgrade,
    WantCredentials,
)
from kedge._core import FlowLayerClient as Client
from kedge._core import flowlayer_decode as decode
from kedge._core import flowlayer_encode as encode
from kedge._enums import CredentialsKind, OutcomeKind
from kedge._hub import HubCalls, documented

__all__ = [
    "Abort",
    "Attached",
    "Client",
    "Close",
    "Closed",
    "Connect",
    "Credentials",
    "CredentialsKind",
    "Decline",
    "DecodeError",
    "Dispatch",
    "Envelope",
    "Epoch",
    "ErrorReport",
    "Event",
    "Gap",
    "Handshake",
    "Hub",
    "HubLink",
    "Message",
    "Outcome",
    "OutcomeKind",
    "Publication",
    "Ready",
    "Request",
    "Retry",
    "Session",
    "SessionEnded",
    "Snapshot",
    "Stop",
    "Stray",
    "Text",
    "Upgrade",
    "WantCredentials",
    "decode",
    "encode",
]


class Hub(HubCalls, FlowLayerHub):
    __doc__ = documented(FlowLayerHub)

    def publish(
        self,
        event: str | Publication,
        payload: Any = None,
        *,
        passing: bool | None = None,
        now: float | None = None,
        now_ns: int | None = None,
    ) -> None:
        """Publishes an event to all links: `log` is numbered, and kept; all else passes."""
        made = self._made(event, payload, passing, now, now_ns)
        publish = super().publish
        self._tell(lambda: publish(made, now=now, now_ns=now_ns))
