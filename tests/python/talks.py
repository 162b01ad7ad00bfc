"""Conversations of all four protocols, whole and broken, as lines of transcripts."""

from __future__ import annotations

from typing import Any

from kedge import blobhub, flowlayer, gateway, messaging
from kedge.transcript import Line, Side


def talk(*said: tuple[Side, bytes | str | int | None]) -> list[Line]:
    """A line every tenth of a second: bytes are the UTF-8 of a text, a number is a close code."""
    lines = []
    for place, (sender, what) in enumerate(said):
        t = round(place / 10, 1)
        if isinstance(what, bytes):
            lines.append(Line(t, sender, what.decode()))
        elif isinstance(what, str):
            lines.append(Line(t, sender, what))
        else:
            lines.append(Line(t, sender, code=what))
    return lines


def told(name: str, payload: Any) -> bytes:
    return flowlayer.encode("event", name, payload)


GATEWAY = talk(
    ("server", gateway.encode("hello", {"heartbeat_interval": 10000}, seq=0)),
    ("client", gateway.encode("identify", {"token": "hunter2"})),
    ("server", gateway.encode("ready", {"session_id": "abc"}, seq=1)),
    ("server", gateway.encode("message_create", {}, seq=2)),
    ("client", gateway.encode("heartbeat")),
    ("server", gateway.encode("heartbeat_ack", seq=2)),
    ("client", None),
    ("server", gateway.encode("hello", {"heartbeat_interval": 10000}, seq=0)),
    (
        "client",
        gateway.encode("resume", {"token": "hunter2", "session_id": "abc", "last_seq": 2}),
    ),
    ("server", gateway.encode("message_create", {}, seq=3)),
    ("server", gateway.encode("resumed", {"seq": 3})),
    ("client", 1000),
    ("server", 1000),
)
FLOWLAYER = talk(
    ("server", told("hello", {"protocol_version": 1})),
    ("server", told("snapshot", {"services": []})),
    ("client", flowlayer.encode("command", "start_all", {}, id="1")),
    ("server", flowlayer.encode("event", "log", {"message": "m"}, seq=5)),
    ("server", flowlayer.encode("ack", payload={"accepted": True}, id="1")),
    ("server", flowlayer.encode("result", payload={"ok": True}, id="1")),
    ("server", 1001),
    ("client", 1001),
)
MESSAGING = talk(
    ("client", messaging.encode("request", "subscribe", {"lastEventId": 7}, time=1, id="a")),
    (
        "server",
        messaging.encode("response", payload={"lastEventId": 8, "count": 1}, time=1, id="a"),
    ),
    ("server", messaging.encode("event", "new", {}, time=1, seq=8)),
    ("client", messaging.encode("ack", seq=8)),
    ("client", "ping"),
    ("server", '{"event":"pong"}'),
    ("server", 1001),
)
BLOBHUB = talk(
    (
        "client",
        blobhub.encode(
            "request",
            "status/initialize",
            {"client_info": {"name": "n", "version": "1"}},
            id="x",
        ),
    ),
    (
        "server",
        blobhub.encode("response", payload={"server_info": {"name": "n", "version": "1"}}, id="x"),
    ),
    (
        "client",
        blobhub.encode_batch(
            [blobhub.encode("request", "m", id=1), blobhub.encode("notification", "m")]
        ),
    ),
    ("server", blobhub.encode("response", payload=1, id=1)),
    ("client", 1000),
)

WHOLE = {
    "gateway": GATEWAY,
    "flowlayer": FLOWLAYER,
    "messaging": MESSAGING,
    "blobhub": BLOBHUB,
}

# The same, each with a line too many: the place, what is said there, and who is to blame.
BROKEN: dict[str, tuple[list[Line], int, str, str]] = {}


def break_it(protocol: str, place: int, sender: Side, text: str | bytes, rule: str) -> None:
    lines = list(WHOLE[protocol])
    (line,) = talk((sender, text))
    lines.insert(place, Line(lines[place].t, sender, line.message))
    BROKEN[protocol] = (lines, place, sender, rule)


break_it(
    "gateway",
    4,
    "server",
    gateway.encode("message_create", {}, seq=2),
    "each dispatch has the number behind the one before",
)
break_it(
    "flowlayer",
    3,
    "server",
    flowlayer.encode("result", payload={"ok": True}, id="1"),
    "an ack comes before its result",
)
break_it("messaging", 3, "server", messaging.encode("event", "new", {}, time=1, seq=7), "ids rise")
break_it(
    "blobhub",
    1,
    "client",
    blobhub.encode("request", "m", id=1),
    "nothing is sent before status/initialize was answered",
)
