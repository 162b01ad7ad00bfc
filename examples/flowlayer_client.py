"""FlowLayer clients: they command, come back, and check that the logs go on without a hole.

    python examples/flowlayer_client.py [--token TOKEN] [--clients COUNT] [--until COUNT] HOST PORT

Each prints a line an event: its index, the event's name, and a log entry's number. Once it is there
it starts the service "web" and waits for the result. They end when each has had --until entries, or
by SIGTERM; the exit code is 0 if there was no hole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

import kedge
from kedge.aio import Stream
from kedge.flowlayer import Client, Closed, Dispatch, Epoch, Gap, Ready


class Follower:
    def __init__(self, index: int, token: str, until: int | None) -> None:
        self.index = index
        self.client = Client(token=token)
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
                    case Ready(seq=seq):  # the snapshot
                        print(f"web is {self.client.services.get('web', 'unknown')}", flush=True)
                        self.say("ready", seq)
                        await self.command(stream)
                    case Dispatch(name=name, seq=seq):
                        self.take(name, seq)
                    case Gap(first=first, last=last):  # the server has them no more
                        self.say("gap", first)
                        self.last = last
                    case Epoch(last_before=before):  # another process: the numbers start again
                        self.say("epoch", before)
                        self.last = 0
                    case Closed(code=code, http_status=status):
                        self.say("closed", status or code or 0)
                if self.count == self.until:
                    break

    async def command(self, stream: Stream) -> None:
        try:
            await stream.request("start_service", {"service": "web"})
        except kedge.RequestError:
            self.say("not done", 1)
        else:
            self.say("done", 1)

    def take(self, name: str, seq: int) -> None:
        """Only entries of the logs have a number; the first begins wherever the server is."""
        if seq:
            if self.last and seq != self.last + 1:
                self.say("HOLE", self.last + 1)
                self.holes += 1
            self.last = seq
            self.count += 1
        self.say(name, seq)


async def main() -> int:
    parser = argparse.ArgumentParser(description="FlowLayer clients.")
    parser.add_argument("--token", default="secret")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--until", type=int)
    parser.add_argument("host")
    parser.add_argument("port")
    arguments = parser.parse_args()
    clients = [
        Follower(index, arguments.token, arguments.until) for index in range(arguments.clients)
    ]
    url = f"ws://{arguments.host}:{arguments.port}"
    running = asyncio.gather(*(client.run(url) for client in clients))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):  # by SIGTERM
        await running
    return 1 if any(client.holes for client in clients) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
