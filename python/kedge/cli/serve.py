"""`kedge serve`: reference servers."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import kedge
from kedge import blobhub, gateway
from kedge.aio import Server, WebSocket
from kedge.cli._common import (
    GATEWAY_PATH,
    UsageError,
    duration,
    run_until_signal,
    say,
    token_of,
)
from kedge.cli._lines import reading
from kedge.reference import Users

ECHO_PATH = "/"


def add_serve(serve: argparse.ArgumentParser) -> None:
    kinds = serve.add_subparsers(title="what", required=True, metavar="WHAT")
    chat = kinds.add_parser(
        "gateway",
        help="a chat gateway",
        description="Serves a gateway. A presence_update is told to all, its sender included;"
        " typing and the relays to all others.",
    )
    add_listening(chat)
    add_users(chat)
    chat.add_argument(
        "--state", metavar="FILE", help="where sessions wait for the next start after a clean end"
    )
    chat.add_argument("--every", metavar="1s", type=duration, help="tell all an event that often")
    chat.add_argument(
        "--heartbeat", metavar="45s", type=duration, default=45.0, help="the heartbeat interval"
    )
    chat.set_defaults(run=run_serve_gateway)
    messenger = kinds.add_parser(
        "messaging",
        help="a messenger",
        description="Serves a messenger: all users read all chats, which begin with their first"
        " message.",
    )
    add_listening(messenger)
    add_users(messenger)
    messenger.add_argument(
        "--state",
        metavar="FILE",
        default=":memory:",
        help="an SQLite file that keeps all events, so that clients miss none over a restart,"
        " in whatever way the last one ended; without it they are gone with the process",
    )
    messenger.set_defaults(run=run_serve_messaging)
    blobs = kinds.add_parser(
        "blobhub",
        help="BlobHub Realtime",
        description=BLOBHUB_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_listening(blobs)
    add_users(blobs)
    blobs.set_defaults(run=run_serve_blobhub)
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


def add_users(command: argparse.ArgumentParser) -> None:
    command.add_argument("--token", metavar="T", help="one token for all")
    command.add_argument("--token-file", metavar="F", help="a file that holds that token")
    command.add_argument(
        "--user", metavar="NAME=TOKEN", action="append", default=[], help="one user's; repeatable"
    )


BLOBHUB_HELP = """\
Serves BlobHub Realtime: broadcasts to subscribers what it is told on stdin, a line each,

  {"scope": "org", "scope_id": "1", "target": "blob", "target_id": "7",
   "type": "touched", "event": {"by": "anna"}}

and answers the method echo with its parameters.
"""


def run_serve_gateway(options: argparse.Namespace) -> int:
    from kedge.reference.gateway import Gateway

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


def run_serve_messaging(options: argparse.Namespace) -> int:
    users = Users(users_of(options), token_of(options))
    return run_until_signal(serve_messaging(options, users))


async def serve_messaging(options: argparse.Namespace, users: Users) -> int:
    from kedge.reference.messaging import Messenger, new_hub

    hub = new_hub()
    async with Messenger(hub, users, options.state) as messenger:
        return await stay(kedge.serve(messenger.handle, options.host, options.port, hub=hub), None)


def run_serve_blobhub(options: argparse.Namespace) -> int:
    users = Users(users_of(options), token_of(options))
    return run_until_signal(serve_blobhub(options, users))


async def serve_blobhub(options: argparse.Namespace, users: Users) -> int:
    from kedge.reference.blobhub import BlobHub

    hub = blobhub.Hub()
    reference = BlobHub(hub, users)

    async def tell(line: str) -> None:
        try:
            reference.tell(line)
        except ValueError as error:
            print(f"kedge: not broadcast: {error}", file=sys.stderr)

    async with reading(tell):
        return await stay(kedge.serve(reference.handle, options.host, options.port, hub=hub), None)


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
