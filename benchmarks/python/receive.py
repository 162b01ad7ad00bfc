"""Framed, masked messages become events: a batch of 32 in one call, beside websockets and json."""

from __future__ import annotations

import json
import random
from typing import Any

import kedge
from kedge import Identify, Message
from kedge.websocket import Connection, Requested
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from benchmarks.corpus import GATEWAY, corpus
from benchmarks.python.inside import compare, require

BATCH = 32
REQUEST = (
    b"GET /gateway HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(text: bytes, key: bytes) -> bytes:
    """A client's."""
    size = len(text)
    header = bytes([0x81, 0x80 | (size if size < 126 else 126 if size < 65536 else 127)])
    header += b"" if size < 126 else size.to_bytes(2 if size < 65536 else 8, "big")
    return header + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(text))


def said_by_clients() -> list[bytes]:
    """The gateway's messages of the corpus that a server may be told, all of them as events."""
    own = {"hello", "ready", "resumed", "heartbeat", "heartbeat_ack", "error", "identify", "resume"}
    return [
        text
        for protocol, text in corpus()
        if protocol == GATEWAY and json.loads(text)["type"] not in own
    ]


def batches(texts: list[bytes]) -> list[bytes]:
    draw = random.Random(1)
    framed = [frame(text, draw.randbytes(4)) for text in texts]
    return [b"".join(framed[i : i + BATCH]) for i in range(0, len(framed), BATCH)]


class Ours:
    """A gateway's server link, as it is after an identify."""

    def __init__(self) -> None:
        self.hub = kedge.gateway.Hub(
            unknown="deliver", invalid_payload_closes=False, rate=(0, 0), message_limit=1 << 20
        )
        self.connection = Connection.accept(clock=self.hub.clock)
        (asked,) = self.connection.receive(REQUEST)
        assert isinstance(asked, Requested)
        self.link = self.hub.link()
        self.connection.join(self.link)
        self.connection.events()
        self.connection.output()
        identify = b'{"type":"identify","d":{"token":"t","protocol_version":1}}'
        (question,) = self.connection.receive(frame(identify, b"abcd"))
        assert isinstance(question, Identify)
        self.link.accept(question, user="u")
        self.connection.output()

    def receive(self, batch: bytes) -> list[Any]:
        return self.connection.receive(batch)


class Theirs:
    """websockets' server without I/O; a message is decoded as its users do it."""

    def __init__(self) -> None:
        self.protocol = ServerProtocol(max_size=1 << 20)
        self.protocol.receive_data(REQUEST)
        (request,) = self.protocol.events_received()
        self.protocol.send_response(self.protocol.accept(request))  # type: ignore[arg-type]
        self.protocol.data_to_send()

    def receive(self, batch: bytes) -> list[Any]:
        self.protocol.receive_data(batch)
        events = []
        for each in self.protocol.events_received():
            assert isinstance(each, Frame)
            if each.opcode is Opcode.TEXT:
                events.append(json.loads(each.data))  # type: ignore[arg-type]
        return events


def main() -> None:
    texts = said_by_clients()
    texts = texts[: len(texts) // BATCH * BATCH]
    data = batches(texts)
    ours, theirs = Ours(), Theirs()

    for batch in data:
        mine, others = ours.receive(batch), theirs.receive(batch)
        require(len(mine) == len(others) == BATCH, "not as many events as messages")
        for event, message in zip(mine, others, strict=True):
            require(isinstance(event, Message), f"{event!r} is no message")
            same = event.name == message["type"] and event.data == message["d"]
            require(same, f"{event!r} is not {message!r}")

    def receive_all(side: Ours | Theirs) -> None:
        for batch in data:
            side.receive(batch)

    def receive_and_look() -> None:
        for batch in data:
            for event in ours.receive(batch):
                event.data  # noqa: B018

    compare(
        "receive",
        "websockets",
        lambda: receive_all(ours),
        lambda: receive_all(theirs),
        operations=len(texts),
    )
    compare(
        "receive-data",
        "websockets",
        receive_and_look,
        lambda: receive_all(theirs),
        operations=len(texts),
    )


if __name__ == "__main__":
    main()
