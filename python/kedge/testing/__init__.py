"""To test your own server or client of any of the four protocols: a scripted peer, a network with
faults, and a clock that does not make you wait.

`pip install kedge[pytest]` gives pytest three fixtures:

kedge_peer
    a peer that says what the test says, and insists on what it is told to expect (`Peers`)
kedge_network
    seeded faults between a client and a server: `split`, `delay`, `stall`, `cut`, `duplicate`,
    `redirect` (`Network`)
kedge_clock
    virtual time, and a network within the process, for everything that runs on asyncio: a test of
    an hour takes a millisecond (`Clock`)

Without `kedge_clock` the other two work on real sockets in real time. Every wait is bounded and
says what it waited for; when a test fails, its report shows who said what, when, and in which
state.
"""

from __future__ import annotations

from kedge.testing.clock import Clock, Stuck
from kedge.testing.network import Network
from kedge.testing.peer import Conversation, Host, Mismatch, Peers

__all__ = ["Clock", "Conversation", "Host", "Mismatch", "Network", "Peers", "Stuck"]
