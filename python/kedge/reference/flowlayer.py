"""The reference FlowLayer server: a supervisor of real processes, told what to do by its clients,
who see what the services are and what they print."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from kedge.aio import Link
from kedge.flowlayer import Credentials, Hub, Request, Snapshot
from kedge.reference._users import Users
from kedge.reference.supervisor import GRACE, Failures, RefusedError, Supervisor

HISTORY = (20_000, 64 << 20, 7 * 86_400.0)
COMMAND_TIMEOUT = 60.0


def new_hub(services: Iterable[str], *, grace: float = GRACE) -> Hub:
    """A hub for these services, which may take so long to stop."""
    return Hub(services=services, own_history=HISTORY, command_timeout=COMMAND_TIMEOUT + grace)


class FlowLayer:
    """The logic of the reference server; `handle` is a handler for kedge.serve. The supervisor
    publishes to the hub."""

    def __init__(self, hub: Hub, users: Users, supervisor: Supervisor) -> None:
        self.hub = hub
        self.users = users
        self.supervisor = supervisor
        self._answering: set[asyncio.Task[None]] = set()

    async def handle(self, link: Link) -> None:
        """One connection."""
        async for event in link:
            if isinstance(event, Credentials):
                self._let_in(link, event)
            elif isinstance(event, Snapshot):
                link.reply(event, self._snapshot())
            elif isinstance(event, Request):
                self._obey(link, event)

    def _let_in(self, link: Link, question: Credentials) -> None:
        user = self.users.whose(question.secret)
        if user is None:
            link.refuse(question)
        else:
            link.accept(question, user=user)

    def _snapshot(self) -> dict[str, Any]:
        statuses = self.supervisor.statuses
        return {"services": [{"name": name, "status": statuses[name]} for name in statuses]}

    def _obey(self, link: Link, request: Request) -> None:
        """The ack at once, and the result when it is done."""
        if request.name == "get_snapshot":
            link.reply(request, self._snapshot())
            return
        try:
            doing = self._begin(request)
        except RefusedError as refused:
            link.reply_error(request, refused.code, refused.text)
            return
        link.accept_request(request)
        task = asyncio.ensure_future(self._answer(link, request, doing))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def _begin(self, request: Request) -> asyncio.Future[Failures]:
        supervisor = self.supervisor
        if request.name == "start_all":
            return supervisor.start_all()
        if request.name == "stop_all":
            return supervisor.stop_all()
        act = {
            "start_service": supervisor.start,
            "stop_service": supervisor.stop,
            "restart_service": supervisor.restart,
        }[request.name]
        return act(request.data["service"].strip())

    async def _answer(self, link: Link, request: Request, doing: asyncio.Future[Failures]) -> None:
        failures = await doing
        if failures:
            why = "; ".join(f"{name} {failure}" for name, failure in failures.items())
            link.reply_error(request, "service_failed", why, data=list(failures))
        else:
            link.reply(request, {})
