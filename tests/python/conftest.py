"""What all tests share by themselves: the event loops that they run on, and a log that is fresh."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop
from kedge._log import RateLimit, logger

# What asyncio's hosts do is tested on both loops.
ON_BOTH_LOOPS = {
    "test_aio_websocket",
    "test_four_protocols",
    "test_http",
    "test_mailbox",
    "test_protocol",
    "test_requests",
    "test_serve_gateway",
    "test_supervisor",
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop
    }
    if item.path.stem in ON_BOTH_LOOPS:
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """No test's lines are left out for those of another."""
    for limit in logger.filters:
        if isinstance(limit, RateLimit):
            limit._kinds.clear()
