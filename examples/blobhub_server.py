"""A BlobHub Realtime server: requests both ways, subscriptions.

    python examples/blobhub_server.py [--tick MILLISECONDS] [PORT]

Any token or key "secret-NAME" is NAME's. `blob/touch` is answered, and told to those who subscribed
to `touched` of organisation 1's blob 7; with --tick it is touched now and then. Who comes is asked
for its name. Ctrl-C ends it. Without a PORT it takes any free one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal

import kedge
from kedge.aio import Link
from kedge.blobhub import Attached, Closed, Coordinates, Credentials, Hub, Request

BLOB = Coordinates("organization", "1", "blob", "7")
hub = Hub()


async def handle(link: Link) -> None:
    asking: asyncio.Task[None] | None = None
    async for event in link:
        match event:
            case Credentials(secret=secret) if secret.startswith("secret-"):
                link.accept(event, user=secret[7:])
            case Credentials():
                link.refuse(event, text="no such token")
            case Attached():
                asking = asyncio.create_task(welcome(link))
            case Request(name="blob/touch"):
                hub.broadcast(BLOB, "touched", {"by": "a client"})
                link.reply(event, {})
            case Request():
                link.reply_error(event, 405, "this server only knows blob/touch")
            case Closed(cause=cause):
                print(f"closed: {cause.meaning}", flush=True)
    if asking is not None:
        await asking


async def welcome(link: Link) -> None:
    try:
        name = await link.request("client/name")
    except kedge.Error:
        return  # it left, or has none
    print(f"{json.dumps(name)} came", flush=True)


async def tick(seconds: float) -> None:
    while True:
        hub.broadcast(BLOB, "touched", {"by": "the clock"})
        await asyncio.sleep(seconds)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A BlobHub Realtime server.")
    parser.add_argument("--tick", type=int, metavar="MILLISECONDS")
    parser.add_argument("port", nargs="?", type=int, default=0)
    arguments = parser.parse_args()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with kedge.serve(handle, "127.0.0.1", arguments.port, hub=hub) as server:
        print(f"listening on {server.urls[0]}", flush=True)
        if arguments.tick:
            ticking = asyncio.create_task(tick(arguments.tick / 1000))
            await stopped.wait()
            ticking.cancel()
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
