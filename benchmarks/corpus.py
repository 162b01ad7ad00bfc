"""The messages that the envelope rows read: distinct, shuffled, of all four protocols, from a seed.

    python -m benchmarks.corpus FILE [SEED]

Written are, one after another, the protocol's number (one byte, as in kedge/base.h), the size (four
bytes, the lowest first) and the text. Only random.Random.random is drawn from: it is the one that
gives the same numbers in every version of Python.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

SEED = 20240607
EACH = 1000  # messages a protocol
SMALLEST, LARGEST = 60, 8192

GATEWAY, FLOWLAYER, MESSAGING, BLOBHUB = range(4)

T = TypeVar("T")
Json = Any

ENGLISH = [
    *("the", "anchor", "held", "through", "the", "night", "and", "nobody", "noticed", "that"),
    *("cable", "had", "parted", "twice", "before", "we", "hauled", "her", "back", "into", "deep"),
    *("water", "with", "fresh", "wind", "from", "west"),
]
GERMAN = [
    *("Der", "Anker", "hält", "über", "Nacht;", "größere", "Wellen", "kommen", "früh,", "schöne"),
    *("Grüße", "an", "die", "Küste"),
]
RUSSIAN = [
    *("якорь", "держит", "всю", "ночь", "никто", "не", "заметил", "что", "трос", "порвался"),
    *("ветер", "крепчает"),
]
JAPANESE = [
    *(
        "錨は",
        "一晩中",
        "持ちこたえた",
        "誰も",
        "気づか",
        "なかった",
        "新しい風が",
        "西から",
        "吹く",
    ),
]
EMOJI = ["⚓", "🌊", "👍🏽", "🚢", "😀", "🎉"]
SERVICES = ("api", "worker", "database", "frontend", "queue", "mailer", "scheduler", "search")
FEW_ESCAPES = ('said "aye"', "first line\nsecond line", "C:\\logs\\kedge", "tab\there")


class Draw:
    """Draws, by one generator."""

    def __init__(self, seed: int) -> None:
        self.fraction = random.Random(seed).random

    def below(self, limit: int) -> int:
        return int(self.fraction() * limit)

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def one(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]

    def chance(self, probability: float) -> bool:
        return self.fraction() < probability

    def shuffled(self, things: Sequence[T]) -> list[T]:
        mixed = list(things)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed

    def snowflake(self) -> int:
        return (self.below(1 << 20) << 40) + (self.below(1 << 20) << 20) + self.below(1 << 20)

    def token(self, size: int) -> str:
        return "".join(self.one("0123456789abcdef") for _ in range(size))

    def seconds(self) -> int:
        return 1_700_000_000 + self.below(50_000_000)

    def date(self) -> str:
        clock = f"{self.below(24):02}:{self.below(60):02}:{self.below(60):02}"
        return (
            f"2024-{self.between(1, 12):02}-{self.between(1, 28):02}T{clock}.{self.below(1000):03}Z"
        )

    def words(self) -> int:
        """How many words somebody writes: mostly few, now and then very many."""
        count = self.between(1, 10)
        while count < 800 and self.chance(0.46):
            count = count * 2 + self.below(6)
        return count

    def text(self) -> str:
        language = self.one([ENGLISH] * 6 + [GERMAN, RUSSIAN, JAPANESE])
        words = [self.one(language) for _ in range(self.words())]
        if self.chance(0.12):
            words.append(self.one(EMOJI))
        if self.chance(0.12):
            words.append(self.one(FEW_ESCAPES))
        return " ".join(words)


# ---- the protocols, one maker a kind of message; each gives the members in their usual order ----


def gateway_user(draw: Draw) -> Json:
    return {
        "id": draw.snowflake(),
        "display_name": draw.one(ENGLISH).title() + draw.token(3),
        "avatar": draw.token(32) if draw.chance(0.5) else None,
        "bot": draw.chance(0.1),
    }


def gateway_message(draw: Draw) -> Json:
    body: Json = {
        "id": draw.snowflake(),
        "feed_id": draw.below(5000),
        "author": gateway_user(draw),
        "content": draw.text(),
        "created_at": draw.date(),
    }
    if draw.chance(0.15):
        body["attachments"] = [
            {"url": f"https://files.example/{draw.token(12)}", "size": draw.below(1 << 24)}
            for _ in range(draw.between(1, 4))
        ]
    if draw.chance(0.2):
        body["reactions"] = [[draw.one(EMOJI), draw.below(90)] for _ in range(draw.between(1, 5))]
    kind = draw.one(["message_create", "message_create", "message_update"])
    return {"type": kind, "seq": draw.between(1, 10**6), "d": body}


def gateway_presence(draw: Draw) -> Json:
    body = {"user_id": draw.snowflake(), "status": draw.one(["online", "idle", "dnd", "offline"])}
    return {"type": "presence_update", "seq": draw.between(1, 10**6), "d": body}


def gateway_voice(draw: Draw) -> Json:
    body = {
        "room_id": draw.below(1000),
        "user_id": draw.snowflake(),
        **{name: draw.chance(0.3) for name in ("self_mute", "self_deaf", "video", "streaming")},
    }
    return {"type": "voice_state_update", "seq": draw.between(1, 10**6), "d": body}


def gateway_control(draw: Draw) -> Json:
    resume = {
        "token": draw.token(40),
        "session_id": draw.token(32),
        "last_seq": draw.below(10**6),
    }
    return draw.one(
        [
            {"type": "typing", "d": {"feed_id": draw.below(5000), "since": draw.seconds()}},
            {"type": "heartbeat_ack", "seq": draw.below(10**6), "d": {"at": draw.date()}},
            {"type": "resume", "d": resume},
            {"type": "server_notice_" + draw.token(24), "seq": draw.below(10**6), "d": None},
        ]
    )


def flowlayer_log(draw: Draw) -> Json:
    payload = {
        "seq": draw.between(1, 10**9),
        "service": draw.one(SERVICES),
        "phase": draw.one(["start", "run", "stop"]),
        "stream": draw.one(["stdout", "stderr"]),
        "message": draw.text(),
        "timestamp": draw.date(),
    }
    return {"type": "event", "name": "log", "payload": payload}


def flowlayer_status(draw: Draw) -> Json:
    payload = {
        "service": draw.one(SERVICES),
        "status": draw.one(["starting", "running", "ready", "stopping", "failed", "stopped"]),
        "timestamp": draw.date(),
    }
    return {"type": "event", "name": "service_status", "payload": payload}


def flowlayer_command(draw: Draw) -> Json:
    payload: Json = {"service": draw.one(SERVICES)}
    name = draw.one(["get_logs", "start_service", "stop_service", "restart_service"])
    if name == "get_logs":
        payload |= {"limit": draw.between(1, 500), "after_seq": draw.below(10**9)}
    return {"type": "command", "id": "c-" + draw.token(12), "name": name, "payload": payload}


def flowlayer_answer(draw: Draw) -> Json:
    identity = "c-" + draw.token(12)
    if draw.chance(0.4):
        return {"type": "ack", "id": identity, "payload": {"accepted": draw.chance(0.9)}}
    entries = [flowlayer_log(draw)["payload"] for _ in range(draw.below(6))]
    data = {"entries": entries, "truncated": draw.chance(0.2), "effective_limit": 500}
    return {"type": "result", "id": identity, "payload": {"ok": True, "data": data}}


def messaging_body(draw: Draw) -> Json:
    return {
        "chatId": draw.token(16),
        "messageId": draw.snowflake(),
        "message": draw.text(),
        "attachments": [draw.token(20) for _ in range(draw.below(3))],
    }


def messaging_event(draw: Draw) -> Json:
    return {
        "type": "event",
        "timestamp": draw.seconds(),
        "id": draw.between(1, 1 << 53),
        "eventType": draw.one(["new", "new", "edit"]),
        "payload": messaging_body(draw),
    }


def messaging_passing(draw: Draw) -> Json:
    return {
        "type": "event",
        "timestamp": draw.seconds() * 1000 + draw.below(1000),
        "eventType": draw.one(["typing", "online", "offline"]),
        "payload": {"userId": draw.snowflake()},
    }


def messaging_request(draw: Draw) -> Json:
    return {
        "type": "request",
        "timestamp": draw.seconds(),
        "id": draw.token(8),
        "payloadType": draw.one(["new", "edit", "read", "dlvrd"]),
        "payload": messaging_body(draw),
    }


def messaging_response(draw: Draw) -> Json:
    message: Json = {"type": "response", "timestamp": draw.seconds(), "id": draw.token(8)}
    if draw.chance(0.8):
        found = [messaging_body(draw) for _ in range(draw.below(4))]
        message["payload"] = {"lastEventId": draw.below(1 << 53), "messages": found}
    return message


def blobhub_coordinates(draw: Draw) -> Json:
    return {
        "scope": draw.one(["organization", "project"]),
        "scope_id": draw.token(24),
        "target": draw.one(["revision", "blob", "comment"]),
        "target_id": draw.token(24),
    }


def blobhub_event(draw: Draw) -> Json:
    data = {
        "at": draw.seconds() + draw.below(1000) / 1000,
        "by": draw.token(12),
        "note": draw.text(),
    }
    params = {**blobhub_coordinates(draw), "type": draw.one(["created", "updated"]), "data": data}
    return {"jsonrpc": "2.0", "method": "subscription/event", "params": params}


def blobhub_request(draw: Draw) -> Json:
    params = {**blobhub_coordinates(draw), "types": ["created", "updated"]}
    method = draw.one(["subscription/add", "subscription/remove"])
    identity = draw.one([draw.below(10**6), draw.token(16)])
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def blobhub_response(draw: Draw) -> Json:
    message: Json = {"jsonrpc": "2.0", "id": draw.one([draw.below(10**6), draw.token(16)])}
    if draw.chance(0.2):
        data = {"trace": draw.token(16), "detail": draw.text()}
        message["error"] = {"code": draw.one([400, 403, 405]), "message": "refused", "data": data}
    else:
        scores = [draw.below(10**6) / 1000 for _ in range(draw.below(40))]
        message["result"] = {"page": draw.below(100), "scores": scores, "note": draw.text()}
    return message


MAKERS: Sequence[Sequence[Callable[[Draw], Json]]] = (
    [gateway_message] * 3 + [gateway_presence, gateway_voice, gateway_control],
    [flowlayer_log] * 3 + [flowlayer_status, flowlayer_command, flowlayer_answer],
    [messaging_event] * 2 + [messaging_passing, messaging_request, messaging_response],
    [blobhub_event] * 2 + [blobhub_request, blobhub_response],
)


def written(draw: Draw, message: Json) -> bytes:
    """The message as one of the writers that are out there has it."""
    if draw.chance(0.1):
        message = dict(draw.shuffled(list(message.items())))
    if draw.chance(0.03):
        text = json.dumps(message, indent=2, ensure_ascii=False)
    elif draw.chance(0.2):
        text = json.dumps(message)  # what Python writes: spaces, and all but ASCII escaped
    else:
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def corpus(seed: int = SEED) -> list[tuple[int, bytes]]:
    """The messages with their protocols."""
    draw = Draw(seed)
    seen: set[bytes] = set()
    messages: list[tuple[int, bytes]] = []
    for protocol, makers in enumerate(MAKERS):
        wanted = len(messages) + EACH
        while len(messages) < wanted:
            text = written(draw, draw.one(makers)(draw))
            if SMALLEST <= len(text) <= LARGEST and text not in seen:
                seen.add(text)
                messages.append((protocol, text))
    return draw.shuffled(messages)


def packed(messages: Sequence[tuple[int, bytes]]) -> bytes:
    return b"".join(
        bytes([protocol]) + len(text).to_bytes(4, "little") + text for protocol, text in messages
    )


def main() -> None:
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    Path(sys.argv[1]).write_bytes(packed(corpus(seed)))


if __name__ == "__main__":
    main()
