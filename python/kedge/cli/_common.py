"""What the subcommands share: their mistakes, times, tokens, and how they run and speak."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
import textwrap
from collections.abc import Coroutine, Iterator
from typing import Any

from kedge.aio._stream import ENDED

GATEWAY_PATH = "/gateway"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class UsageError(Exception):
    """Arguments that do not make sense."""


def duration(text: str) -> float:
    """Seconds, from "500ms", "1s", "2m", "1h" or a mere number of seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text)
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time like 500ms, 1s or 2m")
    return float(found[1]) * UNITS[found[2] or "s"]


def spans(text: str) -> tuple[float, float]:
    """Two of them, from "500ms..1m"."""
    first, separator, last = text.partition("..")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 500ms..1m")
    return duration(first), duration(last)


def teach(command: argparse.ArgumentParser, description: str, examples: str, status: str) -> None:
    """What --help says besides the options."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.description = description
    command.epilog = f"Examples:\n{textwrap.indent(examples, '  ')}\n\nExit status: {status}.\n"


def token_of(options: argparse.Namespace) -> str | None:
    """From --token or --token-file."""
    if options.token is not None and options.token_file is not None:
        raise UsageError("give --token or --token-file, not both")
    token: str | None = options.token
    if options.token_file is not None:
        with open(options.token_file, encoding="utf-8") as file:
            token = file.read().strip()
    return token


def run_until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Runs it; SIGINT and SIGTERM cancel it, and that is a good end. So does SIGHUP, which a
    terminal sends that is closed, unless it is ignored (nohup)."""

    async def guarded() -> int:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return 0

    with telling():
        return asyncio.run(guarded())


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Meanwhile what the package logs is said on stderr: why there is no connection, how many
    sessions were restored. Ends of connections are told as events anyway."""
    logger = logging.getLogger("kedge")
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: record.msg != ENDED)
    handler.setFormatter(logging.Formatter("kedge: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def nobody_reads() -> None:
    """Stdout is closed at its other end. What is still buffered, and what is yet to be said, must
    not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
