"""`kedge connect`: events as lines, and messages from lines of stdin."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import kedge
from kedge import blobhub, flowlayer, gateway, messaging
from kedge._core import _Client
from kedge.aio import Stream
from kedge.aio._state import save as save_state
from kedge.cli._common import UsageError, run_until_signal, spans, teach, token_of
from kedge.cli._events import Tell, add_form, head_of, teller
from kedge.cli._lines import reading
from kedge.errors import ClosedError, RequestError


class Kind(NamedTuple):
    """A protocol, as this command speaks it."""

    client: Callable[..., _Client]
    about: str
    member: str
    """What a payload is called in the lines."""
    said: str
    """What lines of stdin look like."""


KINDS = {
    "gateway": Kind(
        gateway.Client,
        "a chat gateway",
        "d",
        '{"type": "typing", "d": {"feed_id": 1}}',
    ),
    "flowlayer": Kind(
        flowlayer.Client,
        "a supervisor of services",
        "payload",
        '{"command": "restart_service", "payload": {"service": "web"}}',
    ),
    "messaging": Kind(
        messaging.Client,
        "a messenger",
        "payload",
        '{"request": "new", "payload": {"chatId": 1, "message": "hello"}}\n'
        '  {"event": "typing", "payload": {"chatId": 1}}',
    ),
    "blobhub": Kind(
        blobhub.Client,
        "BlobHub Realtime",
        "payload",
        '{"method": "echo", "params": {"x": 1}}\n'
        '  {"subscribe": {"scope": "org", "scope_id": "1", "target": "blob", "target_id": "7",\n'
        '                 "types": ["touched"]}}    and {"unsubscribe": ...} likewise',
    ),
}

DESCRIPTION = """\
Talks to {about}: tells one line an event, and sends one message for each line of stdin,

  {said}

Reconnects and goes on where it was until it is interrupted.{answers}
"""
ANSWERS = """ How a request ended is an event
too, "outcome", with the number of its line on stdin."""
STATUS = "0 interrupted, 1 the server wants no more of this, 2 wrong arguments"
RAW_STATUS = "0 interrupted, or closed with 1000 or 1001; 1 another end, 2 wrong arguments"
RAW_DESCRIPTION = """\
Talks to any WebSocket: tells one line a message, and sends each line of stdin as a text message,
until one of both closes.
"""


def add_connect(connect: argparse.ArgumentParser) -> None:
    kinds = connect.add_subparsers(title="protocols", required=True, metavar="PROTOCOL")
    for name, kind in KINDS.items():
        add_kind(kinds.add_parser(name, help=kind.about), name, kind)
    raw = kinds.add_parser("raw", help="a plain WebSocket")
    teach(raw, RAW_DESCRIPTION, "kedge connect raw ws://127.0.0.1:8765/", RAW_STATUS)
    raw.add_argument("url", metavar="URL", help="ws://host:port/path or wss://...")
    add_form(raw)
    raw.set_defaults(run=run_connect_raw)


def add_kind(command: argparse.ArgumentParser, name: str, kind: Kind) -> None:
    answers = "" if name == "gateway" else ANSWERS
    teach(
        command,
        DESCRIPTION.format(about=kind.about, said=kind.said, answers=answers),
        f"kedge connect {name} ws://127.0.0.1:8765 --token a\n"
        f"kedge connect {name} wss://example.org --token-file F --save FILE --json | jq .",
        STATUS,
    )
    command.add_argument(
        "url", metavar="URL", help="ws://host:port or wss://..., as the server says"
    )
    command.add_argument(
        "--token", metavar="T", help="the token; else --token-file, else $KEDGE_TOKEN"
    )
    command.add_argument("--token-file", metavar="F", help="a file that holds the token")
    command.add_argument(
        "--save", metavar="FILE", help="where it stood at its end, and goes on at the next start"
    )
    if name != "flowlayer":
        command.add_argument(
            "--backoff",
            metavar="FIRST..LAST",
            type=spans,
            help="how long it waits between attempts, at first and at the most (1s..1m)",
        )
    if name == "gateway":
        command.add_argument("--compress", action="store_true", help="ask for compress=zstd")
    add_form(command)
    command.set_defaults(run=run_connect, protocol=name, backoff=None)


# ---- the protocols -------------------------------------------------------------------------------


def run_connect(options: argparse.Namespace) -> int:
    token = token_of(options) or os.environ.get("KEDGE_TOKEN")
    if not token:
        raise UsageError("who are you? Give --token, --token-file or set KEDGE_TOKEN")
    kind = KINDS[options.protocol]
    base, settings = settings_of(options.url, options.protocol)
    if options.protocol == "gateway" and options.compress:
        settings["compress"] = True
    if options.backoff is not None:
        settings["backoff"] = options.backoff
    # Payloads go on as they came: `data` is their bytes.
    client = kind.client(token=token, decoder=bytes, **settings)
    with keeping(client, options.save):
        return run_until_signal(Talk(client, base, teller(options, kind.member)).run())


def settings_of(url: str, protocol: str) -> tuple[str, dict[str, Any]]:
    """The url without its path, and what it says to the client: its path, if it has one. What the
    gateway's client writes into the query by itself is taken out of it."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    settings: dict[str, Any] = {}
    if protocol == "gateway":
        settings["compress"] = ("compress", "zstd") in query
        query = [(name, text) for name, text in query if name not in OWN_QUERY]
    rest = f"?{urlencode(query)}" if query else ""
    if parts.path not in ("", "/") or rest:
        path = parts.path if parts.path not in ("", "/") else PATHS[protocol]
        settings["path"] = f"{path}{rest}"
    return f"{parts.scheme}://{parts.netloc}", settings


OWN_QUERY = ("v", "encoding", "compress")
PATHS = {"gateway": "/gateway", "flowlayer": "/ws", "messaging": "/ws", "blobhub": "/v1/"}


@contextlib.contextmanager
def keeping(client: _Client, file: str | None) -> Iterator[None]:
    """Goes on where the file says, and writes there at the end where it is then."""
    if file is None:
        yield
        return
    with contextlib.suppress(FileNotFoundError):
        saved = Path(file).read_bytes()
        try:
            client.load(saved)
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from None
    try:
        yield
    finally:
        save_state(file, client.save())


class Talk:
    """What is said to a server, and what it says."""

    def __init__(self, client: _Client, url: str, tell: Tell) -> None:
        self.stream: Stream = kedge.connect(url, client)
        self.tell = tell
        self.forms = FORMS[client.protocol]
        self.line = 0
        self.asking: set[asyncio.Task[None]] = set()
        self.room = asyncio.Semaphore(REQUESTS_MAX)

    async def run(self) -> int:
        try:
            async with self.stream as stream, reading(self.send):
                closed: kedge.Closed | None = None
                async for event in stream:
                    self.tell(head_of(event), getattr(event, "payload", None))
                    if isinstance(event, kedge.Request):
                        stream.reply_error(event, UNSUPPORTED, "this client answers nothing")
                    elif isinstance(event, kedge.Closed):
                        closed = event
                        if isinstance(event.action, kedge.WantCredentials):
                            break
            explain_end(closed)
            return 1
        finally:
            for task in self.asking:
                task.cancel()

    async def send(self, line: str) -> None:
        """One line of stdin."""
        self.line += 1
        try:
            message = json.loads(line)
            form = self.form_of(message)
            what, payload = message[form.member], message.get(form.payload)
            if form.waits:
                await self.ask(form, what, payload)
            else:
                await form.act(self.stream, what, payload)
        except ClosedError:
            raise
        except (kedge.Error, ValueError) as error:
            not_sent(self.line, error)

    def form_of(self, message: Any) -> Form:
        if isinstance(message, dict):
            for form in self.forms:
                if isinstance(message.get(form.member), form.type):
                    return form
        raise ValueError(f"a message is {' or '.join(form.looks for form in self.forms)}")

    async def ask(self, form: Form, what: Any, payload: Any) -> None:
        """Nobody waits for the answer but a task of its own."""
        await self.room.acquire()
        task = asyncio.create_task(self.answered(self.line, form, what, payload))
        self.asking.add(task)
        task.add_done_callback(self.asked)
        await asyncio.sleep(0)  # it is on its way before the next line is

    def asked(self, task: asyncio.Task[None]) -> None:
        self.room.release()
        self.asking.discard(task)

    async def answered(self, line: int, form: Form, what: Any, payload: Any) -> None:
        head: dict[str, Any] = {"event": "outcome", "line": line}
        head["name"] = what if isinstance(what, str) else f"subscription/{ADDED[form.member]}"
        try:
            data = await form.act(self.stream, what, payload)
            head["outcome"] = "answered"
        except RequestError as error:
            data = error.data
            head |= {"outcome": error.outcome, "code": error.code, "message": error.message}
        except ClosedError:
            return
        except (kedge.Error, ValueError) as error:
            not_sent(line, error)
            return
        self.tell(head, data)


REQUESTS_MAX = 100
UNSUPPORTED = 405
ADDED = {"subscribe": "add", "unsubscribe": "remove"}


def not_sent(line: int, error: Exception) -> None:
    print(f"kedge: line {line} was not sent: {error}", file=sys.stderr)


async def notify(stream: Stream, what: str, payload: Any) -> None:
    await stream.notify(what, payload)


async def request(stream: Stream, what: str, payload: Any) -> Any:
    return await stream.request(what, payload)


async def subscribe(stream: Stream, what: dict[str, Any], payload: Any) -> None:
    await stream.subscribe(*subscription(what))


async def unsubscribe(stream: Stream, what: dict[str, Any], payload: Any) -> None:
    stream.unsubscribe(*subscription(what))


def subscription(what: dict[str, Any]) -> tuple[Any, ...]:
    names = kedge.Coordinates.__match_args__
    types = what.get("types")
    texts = [what.get(name, "") for name in names]
    if not isinstance(types, list) or not all(isinstance(one, str) for one in types + texts):
        raise ValueError(f"a subscription has the texts {', '.join(names)}, and a list of types")
    return kedge.Coordinates(*texts), *types


class Form(NamedTuple):
    """A kind of line: which member tells what, which one is the payload."""

    member: str
    payload: str
    act: Callable[[Stream, Any, Any], Any]
    waits: bool = False
    type: type = str

    @property
    def looks(self) -> str:
        if self.type is dict:
            return f'{{"{self.member}": {{...}}}}'
        return f'{{"{self.member}": "...", "{self.payload}": ...}}'


FORMS = {
    "gateway": (Form("type", "d", notify),),
    "flowlayer": (Form("command", "payload", request, True),),
    "messaging": (
        Form("request", "payload", request, True),
        Form("event", "payload", notify),
    ),
    "blobhub": (
        Form("method", "params", request, True),
        Form("notify", "params", notify),
        Form("subscribe", "", subscribe, True, dict),
        Form("unsubscribe", "", unsubscribe, False, dict),
    ),
}


def explain_end(closed: kedge.Closed | None) -> None:
    if closed is None:
        return
    if closed.http_status:
        why = f"HTTP status {closed.http_status}"
    else:
        why = f"{closed.code} {closed.reason}".strip() if closed.code else closed.cause
    print(f"kedge: the server wants no more of this: {why}", file=sys.stderr)


# ---- a plain WebSocket ---------------------------------------------------------------------------


def run_connect_raw(options: argparse.Namespace) -> int:
    return run_until_signal(talk_raw(options.url, teller(options, "")))


async def talk_raw(url: str, tell: Tell) -> int:
    async with kedge.connect(url) as websocket, reading(websocket.send):
        tell({"event": "opened"}, None)
        async for message in websocket:
            tell(raw_head_of(message), None)
        await websocket.wait_closed()
    closed = websocket.closed
    assert closed is not None
    tell({"event": "closed", "code": closed.code, "reason": closed.reason}, None)
    return 0 if closed.code in (1000, 1001) else 1


def raw_head_of(message: str | bytes) -> dict[str, Any]:
    if isinstance(message, str):
        return {"event": "text", "text": message}
    return {"event": "binary", "base64": base64.b64encode(message).decode()}
