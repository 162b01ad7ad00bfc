"""The reference messenger: one house, whose people read all its chats, and whose events outlast it.

Every event is in its file (SQLite) before anybody is told of it, with the number that it has in
everybody's stream: `subscribe` works over any end of the process, killed ones included. The chats
themselves are in memory, made of the events that the file has.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kedge.aio import Link
from kedge.messaging import Attached, Credentials, Hub, Message, Request
from kedge.reference._users import Users

T = TypeVar("T")

ALL = "all"
PASSING = frozenset({"typing", "online", "offline"})
HISTORY = (100_000, 64 << 20, 30 * 86_400.0)
COUNT = 50


class RefusedError(Exception):
    """A request that cannot be met: the code, and why."""


class Events:
    """The numbered events in a file, in a thread of its own."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, "kedge-events")
        self._database: sqlite3.Connection

    async def open(self) -> list[tuple[str, str]]:
        """Opens the file, and gives the names and payloads that are there."""

        def work() -> list[tuple[str, str]]:
            self._database = sqlite3.connect(self._file, isolation_level=None)
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS events"
                " (id INTEGER PRIMARY KEY, name TEXT NOT NULL, payload TEXT NOT NULL)"
            )
            return self._all()

        return await self._do(work)

    def _all(self) -> list[tuple[str, str]]:
        return list(self._database.execute("SELECT name, payload FROM events ORDER BY id"))

    async def all(self) -> list[tuple[str, str]]:
        """The names and payloads, from the event 1 on."""
        return await self._do(self._all)

    async def add(self, name: str, payload: str) -> None:
        """Returns when it is on the disk."""
        statement = "INSERT INTO events (name, payload) VALUES (?, ?)"
        await self._do(lambda: self._database.execute(statement, (name, payload)))

    async def close(self) -> None:
        await self._do(lambda: self._database.close())
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class Chats:
    """What the events come to."""

    def __init__(self) -> None:
        self._chats: dict[str, dict[int, dict[str, Any]]] = {}
        self._names: dict[str, str | int] = {}
        self._sent: dict[tuple[str, str], dict[str, Any]] = {}
        self._last = 0

    def apply(self, name: str, said: dict[str, Any]) -> None:
        """An event happened."""
        key = str(said["chatId"])
        if name == "new":
            self._names.setdefault(key, said["chatId"])
            self._chats.setdefault(key, {})[said["messageId"]] = dict(said)
            self._last = said["messageId"]
            if "clientMessageId" in said:
                self._sent[said["sender"], str(said["clientMessageId"])] = answer_of(said)
        elif name == "edit":
            self._chats[key][said["messageId"]].update(said)
        elif name == "delete":
            del self._chats[key][said["messageId"]]

    def said_before(self, user: str, name: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """What the user was answered, or would have been, for the same message: who lost the
        connection before the answer came says it again, by the same clientMessageId."""
        if name != "new" or "clientMessageId" not in asked:
            return None
        return self._sent.get((user, str(asked["clientMessageId"])))

    def event_of(self, user: str, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The payload of the event that a request brings about."""
        if name == "new":
            return {**asked, "messageId": self._last + 1, "sender": user, "time": int(time.time())}
        if name in ("read", "dlvrd"):
            messages = self._messages(asked)
            if "messageId" in asked:
                self._message(asked)
            return {"messageId": max(messages, default=0), **asked, "user": user}
        message = self._message(asked)
        if message["sender"] != user:
            raise RefusedError("forbidden", "it is somebody else's")
        made = {"chatId": asked["chatId"], "messageId": message["messageId"], "sender": user}
        return made | {name: asked[name] for name in ("message", "attachments") if name in asked}

    def answer(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What is there, asked by `messages`, `chat` or `chats`."""
        if name == "chats":
            return {"chats": [self._about(key) for key in self._chats]}
        messages = self._messages(asked)
        if name == "chat":
            return {"chat": self._about(str(asked["chatId"]))}
        count = asked.get("count", COUNT)
        if "startId" in asked:
            first = number(asked["startId"])
            return {"messages": [messages[each] for each in messages if each >= first][:count]}
        last = number(asked["endId"]) if "endId" in asked else self._last
        return {"messages": [messages[each] for each in messages if each <= last][-count:]}

    def _about(self, key: str) -> dict[str, Any]:
        messages = self._chats[key]
        last = max(messages, default=None)
        return {"chatId": self._names[key], "count": len(messages), "lastMessageId": last}

    def _messages(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        try:
            return self._chats[str(asked["chatId"])]
        except KeyError:
            raise RefusedError("no_such_chat", "there is no such chat") from None

    def _message(self, asked: dict[str, Any]) -> dict[str, Any]:
        id = asked["messageId"] if "messageId" in asked else asked["originalMessageId"]
        try:
            return self._messages(asked)[number(id)]
        except KeyError:
            raise RefusedError("no_such_message", "there is no such message") from None


def answer_of(said: dict[str, Any]) -> dict[str, Any]:
    """What a change is answered with."""
    return {"chatId": said["chatId"], "messageId": said["messageId"]}


def number(id: str | int) -> int:
    """A message's number; 0, which none has, for texts that are none."""
    return int(id) if str(id).isdecimal() else 0


CHANGES = frozenset({"new", "edit", "delete", "read", "dlvrd"})
QUESTIONS = frozenset({"messages", "chat", "chats"})


def new_hub() -> Hub:
    """A hub that keeps as much as a client may have missed."""
    return Hub(topic_history=HISTORY, own_history=HISTORY)


class Messenger:
    """The logic of the reference server; `handle` is a handler for kedge.serve. An asynchronous
    context manager: open from before the first connection to after the last one."""

    def __init__(self, hub: Hub, users: Users, file: str = ":memory:") -> None:
        self.hub = hub
        self.users = users
        self._events = Events(file)
        self._chats = Chats()
        self._present: Counter[str] = Counter()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Messenger:
        for name, payload in await self._events.open():
            self._chats.apply(name, json.loads(payload))
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._events.close()

    async def handle(self, link: Link) -> None:
        """One connection."""
        user = ""
        try:
            async for event in link:
                if isinstance(event, Credentials):
                    user = self.users.whose(event.secret) or ""
                    await self._let_in(link, event, user)
                elif isinstance(event, Attached):
                    self._come(user, 1)
                elif isinstance(event, Request):
                    await self._respond(link, event, user)
                elif isinstance(event, Message) and event.name in PASSING:
                    self._pass_on(link, event, user)
        finally:
            if link.session is not None:
                self._come(user, -1)

    async def _let_in(self, link: Link, question: Credentials, user: str) -> None:
        if not user:
            link.refuse(question)
            return
        async with self._turn:  # nothing is numbered meanwhile
            if self.hub.sessions(user):
                link.accept(question, user=user, topics=[ALL], passing_topics=[ALL])
                return
            kept = await self._events.all()
            if not link.accept(question, user=user, passing_topics=[ALL], stream_kept=True):
                return
            for session in self.hub.sessions(user):
                for name, payload in kept:
                    self.hub.send(session, name, payload.encode())
                self.hub.follow(session, ALL)

    async def _respond(self, link: Link, request: Request, user: str) -> None:
        try:
            if request.name in CHANGES:
                link.reply(request, await self._change(user, request.name, request.data))
            elif request.name in QUESTIONS:
                link.reply(request, self._chats.answer(request.name, request.data or {}))
            else:
                link.reply_error(request, "unknown_type", "this messenger does not know that")
        except RefusedError as error:
            link.reply_error(request, *error.args)

    async def _change(self, user: str, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        async with self._turn:
            before = self._chats.said_before(user, name, asked)
            if before is not None:
                return before
            said = self._chats.event_of(user, name, asked)
            payload = json.dumps(said)
            await self._events.add(name, payload)
            self._chats.apply(name, said)
            self.hub.publish(ALL, name, payload.encode())
        return answer_of(said)

    def _pass_on(self, link: Link, message: Message, user: str) -> None:
        said = message.data if isinstance(message.data, dict) else {}
        self.hub.publish(ALL, message.name, {**said, "user": user})

    def _come(self, user: str, devices: int) -> None:
        """A device of the user's came, or left."""
        before = self._present[user]
        self._present[user] += devices
        if not (before and self._present[user]):
            self.hub.publish(ALL, "online" if devices > 0 else "offline", {"user": user})
