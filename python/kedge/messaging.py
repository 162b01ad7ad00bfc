"""The messenger: requests and their responses, and a stream of numbered events for each user.

A client (`Client`) and a server's streams and links (`Hub`) without I/O; the events and messages
that they give; `decode` and `encode` for single messages. On asyncio give them to kedge.connect
and kedge.serve, or beneath another library to one of kedge.adapters.

The server is asked two things, each by an event:

* `Credentials`: whose token is it? `link.accept(event, user=..., topics=[...],
  passing_topics=[...])` or `link.refuse(event)`, before the upgrade (401 without a token, 403 for
  a wrong one). All links of a user share one stream, and one numbering; where the application has
  kept what it published before this process, stream_kept=True lets it begin at 1, else it begins
  at the wall clock.
* `Request`: `link.reply(event, payload)` or `link.reply_error(event, code, message)`, in any
  order. Of these types (`known`) the payload was checked, others are the application's, or
  unknown_type:

========= ========================================================================================
new       chatId, message: text, clientMessageId?, attachments?: array, replyTo?
edit      chatId, messageId or originalMessageId, message: text, attachments?: array
delete    chatId, messageId or originalMessageId
dlvrd     chatId, messageId?; so is read
messages  chatId, startId? or endId?, count?: 1 to 500
chat      chatId
chats     nothing
subscribe (answered by the link itself: it is how a client goes on where it was)
========= ========================================================================================

An event of the client's is a Message, its ack Acknowledged. `hub.publish("chat:7", "new", {...})`
is numbered for each user who follows the topic and waits for who is away; `typing`, `online` and
`offline` pass: they reach who is there and follows the passing topic of that name, have no number
and are never replayed. Other names are numbered, unless passing=True. After 20 s of silence and 10
s more a link closes with 1001, and Closed has the cause TIMED_OUT: time to publish `offline`.

The client subscribes by itself: Ready is from now on, Resumed after all that was missed has come
as Dispatches, Sync where the server no longer reached back (fetch the state anew). `position` is
the number of the last event taken, which save() keeps. `request("chats")` gives a number, and one
Outcome tells how that ended; `notify("typing", {...})` sends an event.

A server closes with 1001 when it stops or a client is silent, 1008 after ten broken messages in a
row, 1011 for a failure of its own, 1013 for a reader that is too slow.
"""

from __future__ import annotations

from kedge._core import (
    Abort,
    Acknowledged,
    Attached,
    Close,
    Closed,
    Connect,
    Credentials,
    Decline,
    DecodeError,
    Dispatch,
    Envelope,
    ErrorReport,
    Event,
    Gap,
    Handshake,
    HubLink,
    Message,
    MessagingHub,
    Outcome,
    Publication,
    Ready,
    Request,
    Resumed,
    Retry,
    Session,
    SessionEnded,
    Stop,
    Stray,
    Sync,
    Text,
    Upgrade,
    WantCredentials,
)
from kedge._core import MessagingClient as Client
from kedge._core import messaging_decode as decode
from kedge._core import messaging_encode as encode
from kedge._enums import CredentialsKind, OutcomeKind
from kedge._hub import TopicCalls, documented

__all__ = [
    "Abort",
    "Acknowledged",
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
    "Resumed",
    "Retry",
    "Session",
    "SessionEnded",
    "Stop",
    "Stray",
    "Sync",
    "Text",
    "Upgrade",
    "WantCredentials",
    "decode",
    "encode",
]


class Hub(TopicCalls, MessagingHub):
    __doc__ = documented(MessagingHub)
