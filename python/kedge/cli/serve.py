"""`kedge serve`: reference servers."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Coroutine
from typing import Any

import kedge
from kedge import gateway
from kedge.aio import Server, WebSocket
from kedge.cli._common import (
    GATEWAY_PATH,
    UsageError,
    duration,
    run_until_signal,
    say,
    token_of,
)

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
