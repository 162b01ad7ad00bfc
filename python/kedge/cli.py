"""The `kedge` command."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import kedge
from kedge import gateway
from kedge.aio import Server, Stream, WebSocket

GATEWAY_PATH = "/gateway"
ECHO_PATH = "/"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, by default with the process's arguments; returns the exit status: 0 if all
    went well, 1 if a connection came to a bad end, 2 for wrong arguments."""
    options = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (UsageError, kedge.ArgumentError) as error:
        print(f"kedge: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Nobody reads any more; what is still buffered must not fail at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"kedge: {error}", file=sys.stderr)
        return 1


class UsageError(Exception):
    """Arguments that do not make sense."""


# ---- arguments -----------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="kedge", description="WebSocket sessions that survive their socket."
    )
    top.add_argument("--version", action="version", version=f"kedge {kedge.__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_serve(commands.add_parser("serve", help="run a reference server"))
    add_connect(commands.add_parser("connect", help="talk to a server, by lines of JSON"))
    demo = commands.add_parser(
        "demo", help="a server, two clients, a cut cable, and nothing lost", description=DEMO_HELP
    )
    demo.set_defaults(run=run_demo)
    return top


DEMO_HELP = "Shows on this machine what kedge does: nothing is sent further than loopback."


def add_serve(serve: argparse.ArgumentParser) -> None:
    kinds = serve.add_subparsers(title="what", required=True, metavar="WHAT")
    chat = kinds.add_parser(
        "gateway",
        help="a chat gateway",
        description="Serves a gateway. A presence_update is told to all, its sender included;"
        " typing and the relays to all others.",
    )
    add_listening(chat)
    chat.add_argument("--token", metavar="T", help="one token for all")
    chat.add_argument("--token-file", metavar="F", help="a file that holds that token")
    chat.add_argument(
        "--user", metavar="NAME=TOKEN", action="append", default=[], help="one user's; repeatable"
    )
    chat.add_argument(
        "--state", metavar="FILE", help="where sessions wait for the next start after a clean end"
    )
    chat.add_argument("--every", metavar="1s", type=duration, help="tell all an event that often")
    chat.add_argument(
        "--heartbeat", metavar="45s", type=duration, default=45.0, help="the heartbeat interval"
    )
    chat.set_defaults(run=run_serve_gateway)
    echo = kinds.add_parser(
        "echo", help="a plain WebSocket that echoes any message", description="Serves an echo."
    )
    add_listening(echo)
    echo.set_defaults(run=run_serve_echo)


def add_listening(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (%(default)s)"
    )
    command.add_argument(
        "--port", type=int, default=8765, help="the port (%(default)s); 0: any free one"
    )


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


def duration(text: str) -> float:
    """Seconds, from "500ms", "1s", "2m", "1h" or a mere number of seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text)
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time like 500ms, 1s or 2m")
    return float(found[1]) * UNITS[found[2] or "s"]


def token_of(options: argparse.Namespace) -> str | None:
    """From --token or --token-file."""
    if options.token is not None and options.token_file is not None:
        raise UsageError("give --token or --token-file, not both")
    token: str | None = options.token
    if options.token_file is not None:
        with open(options.token_file, encoding="utf-8") as file:
            token = file.read().strip()
    return token


# ---- running -------------------------------------------------------------------------------------


def run_until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Runs it; SIGINT and SIGTERM cancel it, and that is a good end."""

    async def guarded() -> int:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return 0

    with telling():
        return asyncio.run(guarded())


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Meanwhile what the package logs is said on stderr: why there is no connection, how many
    sessions were restored."""
    logger = logging.getLogger("kedge")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("kedge: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# ---- servers -------------------------------------------------------------------------------------


def run_serve_gateway(options: argparse.Namespace) -> int:
    from kedge.reference import Gateway, Users

    hub = gateway.Hub(heartbeat_interval=options.heartbeat)
    reference = Gateway(hub, Users(users_of(options), token_of(options)))
    server = kedge.serve(
        reference.handle,
        options.host,
        options.port,
        hub=hub,
        path=GATEWAY_PATH,
        state=options.state,
    )
    besides = reference.tell_time(options.every) if options.every else None
    return run_until_signal(stay(server, besides))


def users_of(options: argparse.Namespace) -> dict[str, str]:
    users = {}
    for user in options.user:
        name, separator, token = user.partition("=")
        if not (name and separator and token):
            raise UsageError("--user wants NAME=TOKEN")
        users[name] = token
    if not users and options.token is None and options.token_file is None:
        raise UsageError("who may come in? Give --token, --token-file or --user")
    return users


def run_serve_echo(options: argparse.Namespace) -> int:
    async def echo(websocket: WebSocket) -> None:
        async for message in websocket:
            await websocket.send(message)

    server = kedge.serve(echo, options.host, options.port, path=ECHO_PATH)
    return run_until_signal(stay(server, None))


async def stay(server: Server, besides: Coroutine[Any, Any, None] | None) -> int:
    """Serves, and does something besides, until it is cancelled."""
    async with server:
        say(f"listening on {server.urls[0]}")
        await (asyncio.Event().wait() if besides is None else besides)
    return 0


# ---- clients -------------------------------------------------------------------------------------


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


# ---- the demo ------------------------------------------------------------------------------------


def run_demo(options: argparse.Namespace) -> int:
    from kedge.demo import run

    return run()
