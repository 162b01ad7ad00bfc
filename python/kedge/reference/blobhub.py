"""The reference BlobHub server: the method `echo` answers with its parameters, others are not
supported; what is broadcast reaches who subscribed to it."""

from __future__ import annotations

import json

from kedge.aio import Link
from kedge.blobhub import Coordinates, Credentials, Hub, Request
from kedge.reference._users import Users

NOT_SUPPORTED = 405
PLACE = Coordinates.__match_args__


class BlobHub:
    """The logic of the reference server; `handle` is a handler for kedge.serve."""

    def __init__(self, hub: Hub, users: Users) -> None:
        self.hub = hub
        self.users = users

    async def handle(self, link: Link) -> None:
        """One connection."""
        async for event in link:
            if isinstance(event, Credentials):
                self._answer(link, event)
            elif isinstance(event, Request) and event.name == "echo":
                link.reply(event, event.data)
            elif isinstance(event, Request):
                link.reply_error(event, NOT_SUPPORTED, "this server only knows echo")

    def _answer(self, link: Link, question: Credentials) -> None:
        user = self.users.whose(question.secret)
        if user is None:
            link.refuse(question)
        else:
            link.accept(question, user=user)

    def tell(self, line: str) -> int:
        """Broadcasts what a line of JSON says: the texts `scope`, `scope_id`, `target` and
        `target_id` ("" if they are not there), `type`, and any `event`. Tells how many
        subscribers that has; raises ValueError for another line."""
        said = json.loads(line)
        if not isinstance(said, dict):
            raise ValueError("what is told is an object")
        texts = [said.get(name, "") for name in PLACE]
        if not all(isinstance(text, str) for text in [*texts, said.get("type")]):
            raise ValueError(f"{', '.join(PLACE)} and type are texts")
        return self.hub.broadcast(Coordinates(*texts), said["type"], said.get("event"))
