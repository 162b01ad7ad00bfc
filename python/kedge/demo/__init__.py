"""`kedge demo`: sessions outlive their sockets, seen from outside; a short play a protocol."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path

from kedge.demo import blobhub, flowlayer, gateway, messaging
from kedge.demo._stage import BrokenPromiseError, Stage

PATIENCE = 9.0
PLAYS = {
    "gateway": gateway.play,
    "flowlayer": flowlayer.play,
    "messaging": messaging.play,
    "blobhub": blobhub.play,
}


def run(names: Iterable[str] = tuple(PLAYS)) -> int:
    """Plays them; the exit status tells whether all went as it should."""
    verdicts = [verdict(name) for name in names]
    print(
        "\n".join(
            f"{name:<10} {'ok' if good else 'FAILED':<7} {why}" for name, good, why in verdicts
        )
    )
    return 0 if all(good for _, good, _ in verdicts) else 1


def verdict(name: str) -> tuple[str, bool, str]:
    print(f"kedge demo: {name}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="kedge-demo-") as folder:
        play = PLAYS[name](Stage(), Path(folder))
        try:
            return name, True, asyncio.run(asyncio.wait_for(play, PATIENCE))
        except BrokenPromiseError as error:
            return name, False, str(error)
        except (asyncio.TimeoutError, TimeoutError):
            return name, False, "it took too long"
        finally:
            print(flush=True)
