"""A gateway client under aiohttp: the client without I/O, on a library that owns the sockets.

    python examples/aiohttp_client.py ws://127.0.0.1:8000 TOKEN

Prints what happens; reconnects and resumes until the server wants no more of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

import aiohttp
from kedge.gateway import Binary, Client, Close, Closed, Connect, Event, Retry, Text


async def run(url: str, client: Client, tell: Callable[[Event], object]) -> None:
    """Serves the client until it stops; `tell` is given every event."""
    async with aiohttp.ClientSession() as http:
        events = client.start()
        while True:
            for event in events:
                tell(event)
                if isinstance(event, Closed) and not isinstance(event.action, Retry):
                    return
            if any(isinstance(event, Connect) for event in events):
                events = await converse(http, url, client, tell)
            else:
                await asyncio.sleep(until(client) or 0)
                events = client.tick()


async def converse(
    http: aiohttp.ClientSession, url: str, client: Client, tell: Callable[[Event], object]
) -> list[Event]:
    """One connection, from beginning to end; gives the events that are not yet told."""
    wish = client.handshake()
    try:
        ws = await http.ws_connect(
            url + wish.target,
            headers=wish.headers,
            max_msg_size=wish.message_limit,
            autoclose=False,
        )
    except aiohttp.WSServerHandshakeError as error:
        return client.connect_failed(error.status)
    except (aiohttp.ClientError, OSError):
        return client.connect_failed()
    async with ws:
        events = client.opened()
        while not any(isinstance(event, Closed) for event in events):
            for event in events:
                tell(event)
            try:
                await send(ws, client)
                events = fed(client, await ws.receive(timeout=until(client)))
            except asyncio.TimeoutError:
                events = []
            except (aiohttp.ClientError, OSError):
                events = client.lost()
            events += client.tick()
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await send(ws, client)
        return events


def fed(client: Client, message: Any) -> list[Event]:
    """What comes of a message from aiohttp."""
    if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        return client.receive(message.data)
    if message.type is aiohttp.WSMsgType.CLOSE:
        return client.peer_closed(message.data or None, message.extra or "")
    if message.type is aiohttp.WSMsgType.ERROR and isinstance(message.data, aiohttp.WebSocketError):
        return client.host_closed(message.data.code)
    return client.lost()


async def send(ws: aiohttp.ClientWebSocketResponse[bool], client: Client) -> None:
    for output in client.outputs():
        match output:
            case Text():
                await ws.send_str(output.text)
            case Binary(data):
                await ws.send_bytes(data)
            case Close(code, reason):
                await ws.close(code=code, message=reason.encode())


def until(client: Client) -> float | None:
    """Seconds until the client wants a tick."""
    return None if client.deadline is None else max(0.001, client.deadline - client.clock())


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Client(token=sys.argv[2], compress=True), print))
