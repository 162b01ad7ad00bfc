"""The `kedge` command: a module for each of its subcommands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import kedge
from kedge.cli import connect, demo, explain, serve
from kedge.cli._common import UsageError, nobody_reads, teach

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, by default with the process's arguments; returns the exit status."""
    options = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (UsageError, kedge.ArgumentError) as error:
        print(f"kedge: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        nobody_reads()
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"kedge: {error}", file=sys.stderr)
        return 1


DESCRIPTION = "WebSocket sessions that survive their socket."
EXAMPLES = """\
kedge demo
kedge serve gateway --token t --every 1s
kedge connect gateway ws://127.0.0.1:8765 --token t
kedge connect --help"""
STATUS = "0 all went well, 1 it came to a bad end, 2 wrong arguments; each command says more"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="kedge")
    teach(top, DESCRIPTION, EXAMPLES, STATUS)
    top.add_argument("--version", action="version", version=f"kedge {kedge.__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve.add_serve(commands.add_parser("serve", help="run a reference server"))
    connect.add_connect(
        commands.add_parser("connect", help="talk to a server: its events as lines")
    )
    explain.add_explain(
        commands.add_parser("explain", help="who broke the contract, from a transcript")
    )
    demo.add_demo(
        commands.add_parser("demo", help="cut cables, and nothing lost: a play a protocol")
    )
    return top
