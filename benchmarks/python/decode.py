"""The corpus decoded, each payload staying JSON, beside msgspec, orjson and json.

msgspec does what is meant by it: a Struct without the collector for each protocol, its payload Raw.
orjson and json make dicts of all.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from kedge import Envelope, blobhub, flowlayer, gateway, messaging

from benchmarks.corpus import BLOBHUB, FLOWLAYER, GATEWAY, MESSAGING, corpus
from benchmarks.python.inside import compare, require

Decode = Callable[[bytes], Any]


# A Struct a protocol: its members, and what they are where they are not there.
RAW = msgspec.Raw()
MEMBER_TYPES: dict[int, list[tuple[Any, ...]]] = {
    GATEWAY: [("type", str), ("seq", int | None, None), ("d", msgspec.Raw, RAW)],
    FLOWLAYER: [
        ("type", str),
        ("id", str | None, None),
        ("name", str | None, None),
        ("payload", msgspec.Raw, RAW),
    ],
    MESSAGING: [
        ("type", str),
        ("timestamp", int | float | None, None),
        ("id", int | str | None, None),
        ("payloadType", str | None, None),
        ("eventType", str | None, None),
        ("payload", msgspec.Raw, RAW),
    ],
    BLOBHUB: [
        ("jsonrpc", str),
        ("id", int | str | None, None),
        ("method", str | None, None),
        ("params", msgspec.Raw, RAW),
        ("result", msgspec.Raw, RAW),
        ("error", msgspec.Raw, RAW),
    ],
}

OURS: dict[int, Decode] = {
    GATEWAY: gateway.decode,
    FLOWLAYER: flowlayer.decode,
    MESSAGING: messaging.decode,
    BLOBHUB: blobhub.decode,
}
MSGSPEC: dict[int, Decode] = {
    protocol: msgspec.json.Decoder(msgspec.defstruct("Message", members, gc=False)).decode
    for protocol, members in MEMBER_TYPES.items()
}
ORJSON: dict[int, Decode] = dict.fromkeys(OURS, orjson.loads)
JSON: dict[int, Decode] = dict.fromkeys(OURS, json.loads)

# Texts that are no messages of the gateway; who takes them all the same does not check that.
BROKEN = {
    "a doubled member": b'{"type":"a","seq":1,"seq":2,"d":1}',
    "a number that is negative where none may be": b'{"type":"a","seq":-1}',
    "an unknown escape in the payload": b'{"type":"a","d":["\\x"]}',
    "an unpaired surrogate in the payload": b'{"type":"a","d":["\\ud800"]}',
    "a broken member that is not read": b'{"type":"a","x":[1 2],"d":1}',
    "a control character in a string": b'{"type":"a","d":["\n"]}',
    "a payload that is not UTF-8": b'{"type":"a","d":["\xff"]}',
}


def unchecked(decode: Decode) -> str:
    found = []
    for what, text in BROKEN.items():
        try:
            decode(text)
        except ValueError:
            continue
        found.append(what)
    return ", ".join(found)


# Where the name, the id or number, the time and the payload are.
MEMBERS: dict[int, tuple[tuple[str, ...], ...]] = {
    GATEWAY: (("type",), ("seq",), (), ("d",)),
    FLOWLAYER: (("name",), ("id",), (), ("payload",)),
    MESSAGING: (("eventType", "payloadType"), ("id",), ("timestamp",), ("payload",)),
    BLOBHUB: (("method",), ("id",), (), ("params", "result", "error")),
}


def answer(message: Envelope) -> list[object]:
    data = message.error if message.payload is None else json.loads(bytes(message.payload))
    return [message.name, message.id if message.seq is None else message.seq, message.time, data]


def answer_of(protocol: int, message: dict[str, Any]) -> list[object]:
    """What a dict, or a Struct as one, says."""
    return [
        next((message[name] for name in names if message.get(name) is not None), None)
        for names in MEMBERS[protocol]
    ]


def plain(struct: msgspec.Struct) -> dict[str, Any]:
    """A Struct as a dict, the payload decoded."""
    members = {name: getattr(struct, name) for name in struct.__struct_fields__}
    for name, value in members.items():
        if isinstance(value, msgspec.Raw):
            members[name] = json.loads(bytes(value) or b"null")
    return members


def check(messages: list[tuple[int, bytes]]) -> None:
    """All give the same answers."""
    for protocol, text in messages:
        mine = answer(OURS[protocol](text))
        structs = plain(MSGSPEC[protocol](text))
        for theirs in (JSON[protocol](text), ORJSON[protocol](text), structs):
            require(answer_of(protocol, theirs) == mine, f"{theirs!r} is not {mine!r}")
    for what, text in BROKEN.items():
        require(what not in unchecked(OURS[GATEWAY]), f"we take {text!r}")


def main() -> None:
    messages = corpus()
    texts = {protocol: [text for of, text in messages if of == protocol] for protocol in OURS}
    check(messages)

    def decoding(decoders: dict[int, Decode]) -> Callable[[], None]:
        def work() -> None:
            for protocol, decode in decoders.items():
                deque(map(decode, texts[protocol]), 0)

        return work

    def look() -> None:
        for protocol, decode in OURS.items():
            for text in texts[protocol]:
                message = decode(text)
                message.name, message.id, message.seq, message.payload  # noqa: B018

    def look_at_structs() -> None:
        for text in texts[GATEWAY]:
            one = MSGSPEC[GATEWAY](text)
            one.type, one.seq, one.d  # noqa: B018
        for text in texts[FLOWLAYER]:
            two = MSGSPEC[FLOWLAYER](text)
            two.name, two.id, two.payload  # noqa: B018
        for text in texts[MESSAGING]:
            three = MSGSPEC[MESSAGING](text)
            three.eventType, three.id, three.payload  # noqa: B018
        for text in texts[BLOBHUB]:
            four = MSGSPEC[BLOBHUB](text)
            four.method, four.id, four.params  # noqa: B018

    count = len(messages)
    peers = {"msgspec": MSGSPEC, "orjson": ORJSON, "json": JSON}
    for peer, decoders in peers.items():
        compare(
            f"decode-{peer}",
            peer,
            decoding(OURS),
            decoding(decoders),
            operations=count,
            unchecked=unchecked(decoders[GATEWAY]),
        )
    compare("decode-look", "msgspec", look, look_at_structs, operations=count)


if __name__ == "__main__":
    main()
