"""The `kedge` command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kedge import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, by default with the process's arguments; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="kedge", description="WebSocket sessions that survive their socket."
    )
    parser.add_argument("--version", action="version", version=f"kedge {__version__}")
    parser.parse_args(arguments)
    parser.print_help()
    return 0
