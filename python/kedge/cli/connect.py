"""`kedge connect`: events as lines of JSON, and messages from lines of stdin."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import kedge
from kedge import gateway
from kedge.aio import Stream
from kedge.cli._common import GATEWAY_PATH, UsageError, run_until_signal, say, token_of


def add_connect(connect: argparse.ArgumentParser) -> None:
    kinds = connect.add_subparsers(title="protocols", required=True, metavar="PROTOCOL")
    chat = kinds.add_parser(
        "gateway",
        help="a chat gateway",
        description="Prints one JSON line per event; reads one message per line from stdin, like"
        ' {"type": "typing", "d": {"feed_id": 1}}. Reconnects and resumes until it is interrupted.',
    )
    chat.add_argument("url", metavar="URL", help="ws://host:port/gateway or wss://...")
    chat.add_argument(
        "--token", metavar="T", help="the token; else --token-file, else $KEDGE_TOKEN"
    )
    chat.add_argument("--token-file", metavar="F", help="a file that holds the token")
    chat.add_argument("--compress", action="store_true", help="ask for compress=zstd")
    chat.set_defaults(run=run_connect_gateway)
    raw = kinds.add_parser(
        "raw",
        help="a plain WebSocket",
        description="Prints one JSON line per event; sends each line from stdin as a text message.",
    )
    raw.add_argument("url", metavar="URL", help="ws://host:port/path or wss://...")
    raw.set_defaults(run=run_connect_raw)


# ---- the gateway ---------------------------------------------------------------------------------


def run_connect_gateway(options: argparse.Namespace) -> int:
    token = token_of(options) or os.environ.get("KEDGE_TOKEN")
    if not token:
        raise UsageError("who are you? Give --token, --token-file or set KEDGE_TOKEN")
    base, path, compress = gateway_url(options.url)
    client = gateway.Client(token=token, path=path, compress=compress or options.compress)
    return run_until_signal(talk_gateway(kedge.connect(base, client)))


def gateway_url(url: str) -> tuple[str, str, bool]:
    """The url without its path; the path; whether compression is asked for. What the client writes
    into the query by itself is taken out of it."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    rest = urlencode([(name, text) for name, text in query if name not in OWN_QUERY])
    path = parts.path if parts.path not in ("", "/") else GATEWAY_PATH
    base = f"{parts.scheme}://{parts.netloc}"
    return base, f"{path}?{rest}" if rest else path, ("compress", "zstd") in query


OWN_QUERY = ("v", "encoding", "compress")


async def talk_gateway(connecting: Stream) -> int:
    async with connecting as stream, reading(lambda line: send_gateway(stream, line)):
        closed: gateway.Closed | None = None
        async for event in stream:
            say(line_of(event))
            if isinstance(event, gateway.Closed):
                closed = event
                if isinstance(event.action, gateway.WantCredentials):
                    break
    explain_end(closed)
    return 1


async def send_gateway(stream: Stream, line: str) -> None:
    try:
        message = json.loads(line)
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ValueError('a message is {"type": "...", "d": ...}')
        await stream.notify(message["type"], message.get("d"))
    except kedge.ClosedError:
        raise
    except ValueError as error:
        print(f"kedge: not sent: {error}", file=sys.stderr)


def explain_end(closed: gateway.Closed | None) -> None:
    if closed is None:
        return
    if closed.http_status:
        why = f"HTTP status {closed.http_status}"
    else:
        why = f"{closed.code} {closed.reason}".strip() if closed.code else closed.cause
    print(f"kedge: the server wants no more of this: {why}", file=sys.stderr)


def run_connect_raw(options: argparse.Namespace) -> int:
    return run_until_signal(talk_raw(options.url))


async def talk_raw(url: str) -> int:
    async with kedge.connect(url) as websocket, reading(websocket.send):
        say(json.dumps({"event": "opened"}))
        async for message in websocket:
            say(raw_line_of(message))
        await websocket.wait_closed()
    closed = websocket.closed
    assert closed is not None
    say(json.dumps({"event": "closed", "code": closed.code, "reason": closed.reason}))
    return 0 if closed.code in (1000, 1001) else 1


def raw_line_of(message: str | bytes) -> str:
    if isinstance(message, str):
        return json.dumps({"event": "text", "text": message})
    return json.dumps({"event": "binary", "base64": base64.b64encode(message).decode()})


# ---- events as lines -----------------------------------------------------------------------------


def line_of(event: gateway.Event) -> str:
    """An event as one line of JSON: its type, its fields, and the payload as it came."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    head: dict[str, Any] = {"event": kind}
    fields: tuple[str, ...] = FIELDS.get(type(event)) or vars(type(event))["__match_args__"]
    for name in fields:
        head[name] = plain(getattr(event, name))
    payload = getattr(event, "payload", None)
    if payload is None:
        return json.dumps(head)
    # Outside of texts, where they cannot be, line breaks are mere space.
    data = bytes(payload).decode().replace("\n", " ").replace("\r", " ")
    return f'{json.dumps(head)[:-1]}, "d": {data}}}'


FIELDS: dict[type[gateway.Event], tuple[str, ...]] = {
    gateway.Closed: ("code", "reason", "cause", "http_status", "action", "unsent"),
}


def plain(value: Any) -> Any:
    """A field's value as JSON can have it."""
    if isinstance(value, gateway.Retry):
        return {"retry": {"after": round(value.after, 3), "resume": value.resume}}
    if isinstance(value, gateway.Stop):
        return "stop"
    return "want_credentials" if isinstance(value, gateway.WantCredentials) else value


# ---- stdin ---------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def reading(send: Callable[[str], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Meanwhile sends each line that comes on stdin. Its end ends nothing: the other side may still
    have something to say."""
    task = asyncio.create_task(send_lines(send))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, kedge.ClosedError):
            raise error


async def send_lines(send: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    room = threading.Semaphore(100)

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants them any more
            for line in stdin_lines():
                room.acquire()
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)

    # No executor: that would wait at the exit for a thread that waits for a line.
    threading.Thread(target=read, daemon=True, name="stdin").start()
    while (line := await lines.get()) is not None:
        room.release()
        if line.strip():
            await send(line)


def stdin_lines() -> Iterator[str]:
    """Reads below sys.stdin, whose lock a thread that waits would hold at the exit."""
    rest = b""
    with contextlib.suppress(OSError, ValueError):
        while chunk := os.read(sys.stdin.fileno(), 1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")
