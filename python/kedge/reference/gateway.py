"""The reference gateway: every session gets what anybody's `presence_update` says, the
sender's included; `typing` and the relays go to all other sessions; and if asked to, it tells all
the time.
"""

from __future__ import annotations

import asyncio
import time

from kedge.gateway import Hub, Identify, Link, Message, Publication, Resume
from kedge.reference._users import Users

ALL = "all"
TO_OTHERS = frozenset(
    {"typing", "typing_start", "mls_relay", "cpace_relay", "voice_codec_neg", "stage_response"}
)


class Gateway:
    """The logic of the reference server; `handle` is a handler for kedge.serve."""

    def __init__(self, hub: Hub, users: Users) -> None:
        self.hub = hub
        self.users = users

    async def handle(self, link: Link) -> None:
        """One connection."""
        async for event in link:
            if isinstance(event, Identify | Resume):
                self._answer(link, event)
            elif isinstance(event, Message):
                self._pass_on(link, event)

    def _answer(self, link: Link, question: Identify | Resume) -> None:
        user = self.users.whose(question.token)
        if user is None:
            link.refuse(question)
        else:
            members = {"user_id": user, "display_name": user, "server_time": int(time.time())}
            link.accept(question, user=user, topics=[ALL], members=members)

    def _pass_on(self, link: Link, message: Message) -> None:
        said = message.payload
        publication = Publication(message.name, None if said is None else bytes(said))
        if message.name not in TO_OTHERS:
            self.hub.publish(ALL, publication)
            return
        for session in self.hub.sessions():
            if session != link.session:
                self.hub.send(session, publication)

    async def tell_time(self, every: float) -> None:
        """Sends all an event "tick" again and again."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        count = 0
        while True:
            count += 1
            await asyncio.sleep(max(0.0, begin + count * every - loop.time()))
            self.hub.publish(ALL, "tick", {"count": count, "server_time": int(time.time())})
