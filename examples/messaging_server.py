"""A messenger's server: many devices a user, catch-up, requests.

    python examples/messaging_server.py [--tick MILLISECONDS] [PORT]

Any token "secret-NAME" is NAME's. Whoever sends `new` has it told to all users, who follow the one
chat that there is; `typing` passes on to those who are there. With --tick a message comes now and
then. Ctrl-C ends it. Without a PORT it takes any free one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import signal

import kedge
from kedge.aio import Link
from kedge.messaging import Acknowledged, Attached, Closed, Credentials, Hub, Message, Request

hub = Hub()


async def handle(link: Link) -> None:
    async for event in link:
        match event:
            case Credentials(secret=token) if token.startswith("secret-"):
                # Nothing is kept elsewhere, so a new stream's ids begin at the clock.
                link.accept(event, user=token[7:], topics=["chat"], passing_topics=["chat"])
            case Credentials():
                link.refuse(event, text="no such token")
            case Attached():
                print("a device came", flush=True)
            case Request(name="new"):
                hub.publish("chat", "new", event.data)
                link.reply(event, {})
            case Request():
                link.reply_error(event, "unknown_type", "this server only knows new")
            case Message(name="typing"):
                hub.publish("chat", "typing", event.data)
            case Acknowledged(position=position):
                print(f"acknowledged {position}", flush=True)
            case Closed(cause=cause):
                print(f"closed: {cause.meaning}", flush=True)


async def tick(seconds: float) -> None:
    for count in itertools.count(1):
        hub.publish("chat", "new", {"chatId": 1, "message": str(count)})
        await asyncio.sleep(seconds)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A messenger's server.")
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
