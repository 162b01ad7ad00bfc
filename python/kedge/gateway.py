"""The chat gateway: identify and resume, numbered dispatches, replay, heartbeats, close codes.

A client (`Client`) and the sessions of a server (`Hub`) without I/O; the events and messages that
they give; the close codes. On asyncio give them to kedge.connect and kedge.serve, under Starlette
and FastAPI to kedge.adapters.starlette.

What clients say (`notify`, `Message`) is checked on both sides; members that are not named here may
be there too. `?` can be left out, `|` lists the words that are taken:

=================== ==============================================================================
presence_update     status: online|idle|dnd|offline|invisible, custom_status?: text or object,
                    activity?: object
typing              feed_id or dm_id, one of the two: integer
typing_start        the same
voice_state_update  self_mute?, self_deaf?, video?, streaming?: boolean
mls_relay           mls_type: welcome|commit|proposal, data: text
cpace_relay         cpace_type: isi|rsi|confirm|new_device_key, pair_id: text, data: text
voice_codec_neg     media_type: audio|video|screen, codec: text, spatial_layers?: integer,
                    temporal_layers?: integer, target_bitrates?: integers,
                    dependency_templates?: texts
stage_response      room_id: integer, response_type: text, accepted: boolean
=================== ==============================================================================

A payload that is otherwise closes with 4002, a message of another name with 4001, unless the hub
was made with unknown="ignore" or "deliver". The members are as the client says: who it is, tells
`link.session.user`.

Events that servers publish may have any name but hello, ready, resumed, heartbeat_ack and error;
clients cannot notify of identify, resume and heartbeat. These are the protocol's own.

To throw somebody out: `hub.close(session)`, or `hub.end(session)` for good; where the handler is at
hand, `link.close(code)`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from kedge._core import (
    Abort,
    Attached,
    Binary,
    Close,
    Closed,
    Connect,
    Decline,
    DecodeError,
    Dispatch,
    Envelope,
    ErrorReport,
    Event,
    Gap,
    GatewayHub,
    Handshake,
    HubLink,
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
    Text,
    Upgrade,
    WantCredentials,
    gateway_close_codes,
)
from kedge._core import (
    GatewayClient as Client,
)
from kedge._core import gateway_decode as decode
from kedge._core import gateway_encode as encode
from kedge._hub import TopicCalls, documented

if TYPE_CHECKING:
    from kedge.aio._link import Link

__all__ = [
    "Abort",
    "Attached",
    "Binary",
    "Client",
    "Close",
    "CloseCode",
    "Closed",
    "Connect",
    "Decline",
    "DecodeError",
    "Dispatch",
    "Envelope",
    "ErrorReport",
    "Event",
    "Gap",
    "Handshake",
    "Hub",
    "HubLink",
    "Identify",
    "Link",
    "Message",
    "Publication",
    "Ready",
    "Resume",
    "Resumed",
    "Retry",
    "Session",
    "SessionEnded",
    "Stop",
    "Sync",
    "Text",
    "Upgrade",
    "WantCredentials",
    "decode",
    "encode",
]


class CloseCode(IntEnum):
    """The codes with which a gateway's server closes; WebSocket's own are not among them."""

    UNKNOWN_ERROR = 4000
    UNKNOWN_TYPE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTH_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    RATE_LIMITED = 4006
    SESSION_TIMEOUT = 4007
    SERVER_RESTART = 4008
    SESSION_EXPIRED = 4009
    REPLAY_EXHAUSTED = 4010
    VERSION_MISMATCH = 4011
    SERVER_FULL = 4012

    @property
    def resumable(self) -> bool:
        """The session survives a close with it."""
        return _CLOSE_CODES[self.value][0]

    @property
    def meaning(self) -> str:
        """What it says, in words."""
        return _CLOSE_CODES[self.value][1]


_CLOSE_CODES = {code: (resumable, meaning) for _, code, resumable, meaning in gateway_close_codes}


class Hub(TopicCalls, GatewayHub):
    __doc__ = documented(GatewayHub)


if not TYPE_CHECKING:  # Checkers would take any name for one that is there.

    def __getattr__(name: str) -> Any:
        # asyncio is loaded only by those who use it.
        if name == "Link":
            from kedge.aio._link import Link

            return Link
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
