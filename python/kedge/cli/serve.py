"""`kedge serve`: reference servers."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import kedge
from kedge import blobhub, gateway
from kedge.aio import Server, WebSocket
from kedge.cli._common import (
    GATEWAY_PATH,
    UsageError,
    duration,
    nobody_reads,
    run_until_signal,
    say,
    teach,
    token_of,
)
from kedge.cli._events import add_form
from kedge.cli._lines import reading
from kedge.reference import Users

if TYPE_CHECKING:
    from kedge.reference.supervisor import Supervisor

ECHO_PATH = "/"


def add_serve(serve: argparse.ArgumentParser) -> None:
    kinds = serve.add_subparsers(title="what", required=True, metavar="WHAT")
    chat = kinds.add_parser("gateway", help="a chat gateway")
    teach(chat, GATEWAY_HELP, GATEWAY_EXAMPLES, STATUS)
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
    services = kinds.add_parser("flowlayer", help="a supervisor of processes")
    teach(services, FLOWLAYER_HELP, FLOWLAYER_EXAMPLES, STATUS)
    add_listening(services)
    add_users(services)
    services.add_argument(
        "--service",
        metavar="NAME=COMMAND",
        action="append",
        default=[],
        help="a service: a program and its arguments; repeatable",
    )
    services.add_argument(
        "--grace",
        metavar="10s",
        type=duration,
        default=10.0,
        help="how long a service may take to end before it is killed",
    )
    add_form(services)
    services.set_defaults(run=run_serve_flowlayer)
    messenger = kinds.add_parser("messaging", help="a messenger")
    teach(messenger, MESSAGING_HELP, MESSAGING_EXAMPLES, STATUS)
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
    blobs = kinds.add_parser("blobhub", help="BlobHub Realtime")
    teach(blobs, BLOBHUB_HELP, BLOBHUB_EXAMPLES, STATUS)
    add_listening(blobs)
    add_users(blobs)
    blobs.set_defaults(run=run_serve_blobhub)
    echo = kinds.add_parser("echo", help="a plain WebSocket that echoes any message")
    teach(echo, "Serves an echo of any message.", ECHO_EXAMPLES, STATUS)
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


STATUS = "0 interrupted, 1 it could not listen, 2 wrong arguments"
GATEWAY_HELP = """\
Serves a gateway. A presence_update is told to all, its sender included; typing and the relays to
all others.
"""
GATEWAY_EXAMPLES = """\
kedge serve gateway --user anna=a --user ben=b --every 1s --state sessions

and in two other terminals, of which one may be stopped and go on, as may the server:

kedge connect gateway ws://127.0.0.1:8765 --token a
kedge connect gateway ws://127.0.0.1:8765 --token b"""
MESSAGING_HELP = """\
Serves a messenger: all users read all chats, which begin with their first message.
"""
MESSAGING_EXAMPLES = """\
kedge serve messaging --user anna=a --user ben=b --state messages.db

and in another terminal, what is to be said in lines of stdin:

echo '{"request": "new", "payload": {"chatId": 1, "message": "hello"}}' |
    kedge connect messaging ws://127.0.0.1:8765 --token a"""
BLOBHUB_HELP = """\
Serves BlobHub Realtime: broadcasts to subscribers what it is told on stdin, a line each,

  {"scope": "org", "scope_id": "1", "target": "blob", "target_id": "7",
   "type": "touched", "event": {"by": "anna"}}

and answers the method echo with its parameters.
"""
BLOBHUB_EXAMPLES = """\
kedge serve blobhub --token t

and in another terminal, to be told of what the first one is told by the line
{"target": "blob", "target_id": "7", "type": "touched", "event": {"by": "anna"}}:

echo '{"subscribe": {"target": "blob", "target_id": "7", "types": ["touched"]}}' |
    kedge connect blobhub ws://127.0.0.1:8765 --token t"""
ECHO_EXAMPLES = """\
kedge serve echo
echo hello | kedge connect raw ws://127.0.0.1:8765/"""


FLOWLAYER_HELP = """\
Runs services and serves FlowLayer, by which they are watched, started and stopped. Each is a
process in a group of its own. What becomes of them is printed here; what they print goes to the
clients, and the newest 20 000 lines are kept for get_logs and for who comes back.

A service is stopped by SIGTERM to its whole group, and after the grace by SIGKILL; so are all of
them when this command ends, a second Ctrl-C kills them at once. One that ends by itself is not
started again: it is stopped if its exit status is 0, else failed.

A COMMAND is cut into words as a shell does it, but no shell runs it: no |, &&, $HOME, *. Who wants
them says sh -c '...'. Many programs, Python's among them, keep back what they print when it goes to
a pipe as it does here; python -u does not.
"""
FLOWLAYER_EXAMPLES = """\
kedge serve flowlayer --token t --service web="python -u -m http.server 8000" \\
    --service clock="sh -c 'while sleep 1; do date; done'"

and in another terminal, commands in lines of stdin:

echo '{"command": "restart_service", "payload": {"service": "web"}}' |
    kedge connect flowlayer ws://127.0.0.1:8765 --token t"""


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


def run_serve_flowlayer(options: argparse.Namespace) -> int:
    users = Users(users_of(options), token_of(options))
    return run_until_signal(serve_flowlayer(options, users, services_of(options)))


def services_of(options: argparse.Namespace) -> dict[str, list[str]]:
    services: dict[str, list[str]] = {}
    for service in options.service:
        name, _, command = service.partition("=")
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--service {name}: {error}") from None
        if not (name and name == name.strip() and words):
            raise UsageError("--service wants NAME=COMMAND")
        if name in services:
            raise UsageError(f"--service: there are two {name}")
        services[name] = words
    if not services:
        raise UsageError("what is to be run? Give --service, once or more")
    return services


async def serve_flowlayer(
    options: argparse.Namespace, users: Users, services: dict[str, list[str]]
) -> int:
    from kedge.reference.flowlayer import FlowLayer, new_hub
    from kedge.reference.supervisor import Supervisor

    hub = new_hub(services, grace=options.grace)

    def publish(name: str, payload: dict[str, Any]) -> None:
        hub.publish(name, payload)
        line = (json_of if options.json else words_of)(name, payload)
        if line is not None:
            try:
                say(line)
            except BrokenPipeError:
                nobody_reads()

    supervisor = Supervisor(services, publish, grace=options.grace)
    reference = FlowLayer(hub, users, supervisor)
    server = kedge.serve(reference.handle, options.host, options.port, hub=hub)
    return await stay(server, supervise(supervisor))


async def supervise(supervisor: Supervisor) -> None:
    async with supervisor:
        await asyncio.Event().wait()


OWN_PHASES = ("start", "exit")


def words_of(name: str, payload: dict[str, Any]) -> str | None:
    """What is printed of an event: what becomes of a service, but none of its lines."""
    if name == "service_status":
        return f"{payload['service']}: {payload['status']}"
    if payload["phase"] in OWN_PHASES:
        return f"{payload['service']}: {payload['message']}"
    return None


def json_of(name: str, payload: dict[str, Any]) -> str | None:
    if name == "log" and payload["phase"] not in OWN_PHASES:
        return None
    return json.dumps({"event": name, **payload})


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
