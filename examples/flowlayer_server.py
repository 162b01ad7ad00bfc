"""A FlowLayer server: services that can be started and stopped, what they log, and the logs of
before for who comes back.

    python examples/flowlayer_server.py [--tick MILLISECONDS] [PORT]

The token is "secret". With --tick a service logs something now and then. Ctrl-C ends it. Without a
PORT it takes any free one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
from datetime import datetime, timezone
from typing import Any

import kedge
from kedge.aio import Link
from kedge.flowlayer import Attached, Closed, Credentials, Hub, Request, Snapshot

statuses = {"api": "running", "db": "running", "web": "stopped"}
hub = Hub(services=list(statuses))


async def handle(link: Link) -> None:
    async for event in link:
        match event:
            case Credentials(secret="secret"):
                link.accept(event, user="operator")
            case Credentials():
                link.refuse(event, text="no such token")
            case Attached():
                print("a client came", flush=True)
            case Snapshot():
                link.reply(event, snapshot())
            case Request(name=name):
                link.accept_request(event)  # an ack at once; then it is done
                link.reply(event, obey(name, event.data))
            case Closed(cause=cause):
                print(f"closed: {cause.meaning}", flush=True)


def snapshot() -> dict[str, Any]:
    return {"services": [{"name": name, "status": statuses[name]} for name in sorted(statuses)]}


def obey(command: str, payload: Any) -> dict[str, Any]:
    """start_service, stop_all, ...: the result's data. The library has checked the payload."""
    if command == "get_snapshot":
        return snapshot()
    for service in [payload["service"]] if payload else list(statuses):
        statuses[service] = "stopped" if command.startswith("stop") else "running"
        status = {"service": service, "status": statuses[service], "timestamp": now()}
        hub.publish("service_status", status)
    return {}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


async def tick(seconds: float) -> None:
    for count, service in zip(itertools.count(1), itertools.cycle(statuses), strict=False):
        line = {
            "service": service,
            "phase": "run",
            "stream": "stdout",
            "message": f"line {count} of {os.getpid()}",
            "timestamp": now(),
        }
        hub.publish("log", line)
        await asyncio.sleep(seconds)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A FlowLayer server.")
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
