"""A messenger's devices: they come back, catch up, ask, and check every id.

    python examples/messaging_client.py [--user NAME] [--devices COUNT] [--until COUNT] HOST PORT

Each prints a line an event: its index, the event's name and id. Once it is there it says `new` and
waits for the answer. They end when each has had --until messages, or by SIGTERM; the exit code is 0
if there was no hole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

import kedge
from kedge.aio import Stream
from kedge.messaging import Client, Closed, Dispatch, Ready, Resumed, Sync


class Device:
    def __init__(self, index: int, user: str, until: int | None) -> None:
        self.index = index
        self.client = Client(token=f"secret-{user}", acks="latest")
        self.until = until
        self.last = 0
        self.count = 0
        self.holes = 0

    def say(self, what: str, number: int) -> None:
        print(self.index, what, number, flush=True)

    async def run(self, url: str) -> None:
        async with kedge.connect(url, self.client) as stream:
            async for event in stream:
                match event:
                    case Ready(seq=seq):
                        self.last = seq
                        self.say("ready", seq)
                        await self.speak(stream)
                    case Dispatch(name=name, seq=seq):
                        self.take(name, seq)
                    case Resumed(seq=seq):
                        self.say("resumed", seq)
                    case Sync():  # too much was missed: fetch the state anew
                        self.last = self.client.position
                        self.say("sync", self.last)
                    case Closed(code=code):
                        self.say("closed", code or 0)
                if self.count == self.until:
                    break

    async def speak(self, stream: Stream) -> None:
        try:
            await stream.request("new", {"chatId": 1, "message": "hello"})
        except kedge.RequestError:
            self.say("failed", 1)
        else:
            self.say("answered", 1)
        await stream.notify("typing", {"chatId": 1})

    def take(self, name: str, seq: int) -> None:
        """Only what changes the state has an id."""
        if seq:
            if seq != self.last + 1:
                self.say("HOLE", self.last + 1)
                self.holes += 1
            self.last = seq
            self.count += 1
        self.say(name, seq)


async def main() -> int:
    parser = argparse.ArgumentParser(description="A messenger's devices.")
    parser.add_argument("--user", default="anna")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--until", type=int)
    parser.add_argument("host")
    parser.add_argument("port")
    arguments = parser.parse_args()
    devices = [Device(index, arguments.user, arguments.until) for index in range(arguments.devices)]
    url = f"ws://{arguments.host}:{arguments.port}"
    running = asyncio.gather(*(device.run(url) for device in devices))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):  # by SIGTERM
        await running
    return 1 if any(device.holes for device in devices) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
