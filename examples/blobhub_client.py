"""BlobHub Realtime's clients: they ask and are asked, subscribe, and come back.

    python examples/blobhub_client.py [--key NAME] [--clients COUNT] [--until COUNT] HOST PORT

Each prints a line an event: its index, what happened, a number. It subscribes to `touched` of
organisation 1's blob 7, which lasts over reconnects, and touches it once. They end when each has
heard --until events, or by SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

import kedge
from kedge.aio import Stream
from kedge.blobhub import (
    Client,
    Closed,
    Coordinates,
    Outcome,
    Ready,
    Reconnected,
    Request,
    Subscription,
)

BLOB = Coordinates("organization", "1", "blob", "7")


class Subscriber:
    def __init__(self, index: int, name: str, until: int | None) -> None:
        self.index = index
        self.client = Client(token=f"secret-{name}", credential="api_key")
        self.until = until
        self.count = 0

    def say(self, what: str, number: int) -> None:
        print(self.index, what, number, flush=True)

    async def run(self, url: str) -> None:
        async with kedge.connect(url, self.client) as stream:
            async for event in stream:
                match event:
                    case Ready():
                        self.say("ready", 0)
                        await self.begin(stream)
                    case Reconnected():  # what happened in between is lost: fetch the state anew
                        self.say("reconnected", 0)
                    case Subscription(type=type):
                        self.count += 1
                        self.say(type, self.count)
                    case Request(name="client/name"):
                        stream.reply(event, f"client {self.index}")
                    case Request():
                        stream.reply_failed(event)
                    case Outcome(name=name, outcome=outcome):  # subscribed again
                        self.say(name, 1 if outcome == "answered" else 0)
                    case Closed(code=code):
                        self.say("closed", code or 0)
                if self.count == self.until:
                    break

    async def begin(self, stream: Stream) -> None:
        try:
            await stream.subscribe(BLOB, "touched")
            self.say("subscription/add", 1)
            await stream.request("blob/touch", {})
            self.say("blob/touch", 1)
        except kedge.RequestError as error:
            print(self.index, error, flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description="BlobHub Realtime's clients.")
    parser.add_argument("--key", default="anna", metavar="NAME")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--until", type=int)
    parser.add_argument("host")
    parser.add_argument("port")
    arguments = parser.parse_args()
    clients = [
        Subscriber(index, arguments.key, arguments.until) for index in range(arguments.clients)
    ]
    url = f"ws://{arguments.host}:{arguments.port}"
    running = asyncio.gather(*(client.run(url) for client in clients))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):  # by SIGTERM
        await running


if __name__ == "__main__":
    asyncio.run(main())
