"""A hub of the gateway: a publish to many links, a replay, and what unread sessions cost."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.program import Effort, Spec, measured
from benchmarks.report import BYTES, Bar, Row, at_least, at_most, nanoseconds, rate

FLOOR = (
    "10 000 links that had read everything, one event of 200 bytes. The floor: a pass that reads"
    " and writes one field of 8 bytes in each of 10 000 structs of a link's size, shuffled."
)
PUBLISH = (
    f"{FLOOR} Publish: logged; that many links have to be told is noted, and done by the pull."
)
PULL = (
    f"{FLOOR} Pull: every link found to be ready, and its output as a list of parts; by"
    " kedge_hub_next_deliveries, 64 links a call, or *each* by kedge_hub_next_ready and"
    " kedge_link_next_output, one after another."
)
COMPRESSED = (
    "An event of 1 KiB to 10 000 links: encoded, published, compressed once, every link's output"
    " pulled. libzstd: level 3, the message compressed for each, in a context that is kept."
)
REPLAY = (
    "1000 events of 1 KiB to lists of parts, with numbers and frame headers; beside a memcpy of"
    " the same bytes. By kedge_link_next_deliveries, 64 events a call, or *each* by"
    " kedge_link_next_output, which holds each event for as long as its host likes."
)
GROWTH = (
    "Beside the same with 1000 sessions, which lie in the cache; attach, detach and expire in"
    " batches of 512."
)
EVEN = (
    "Like for like: one hub, beside as many sessions in hubs of 1000, which lie in as much memory;"
    " batches of 512, in no order over all of them."
)
MEMORY = "Asked of the allocator: what the hub, its tables and timers take, by the piece."

SIZES = ("10k", "100k", "1m")
LOGARITHM = {"10k": 4 / 3, "100k": 5 / 3, "1m": 2.0}  # of the sizes, beside that of 1000


def growth(size: str) -> Iterator[Spec]:
    logarithmic, flat = at_most(round(LOGARITHM[size], 2)), at_most(1.1)
    bars: dict[str, Bar] = {
        "attach": logarithmic,
        "detach": logarithmic,
        "tick": flat,
        "publish-unread": flat,
        "expire": logarithmic,
    }
    for what, bar in bars.items():
        yield Spec(f"{what}-{size}", nanoseconds("operation"), bar, GROWTH)


def even(size: str) -> Iterator[Spec]:
    bar = at_most(round(LOGARITHM[size], 2))
    for what in ("attach-even", "detach-even", "expire-even"):
        yield Spec(f"{what}-{size}", nanoseconds("operation"), bar, EVEN)


def rows(effort: Effort) -> Iterator[Row]:
    specs = [
        Spec("publish-10k", nanoseconds("publish"), at_most(8), PUBLISH),
        Spec("pull-10k", nanoseconds("publish"), at_most(20), PULL),
        Spec("pull-each-10k", nanoseconds("publish"), at_most(20), PULL),
        Spec("publish-10k-zstd", rate("messages"), at_least(50), COMPRESSED),
        Spec("replay-1-topic", nanoseconds("event"), at_most(1), REPLAY),
        Spec("replay-each-1-topic", nanoseconds("event"), at_most(1), REPLAY),
        Spec("replay-10-topics", nanoseconds("event"), at_most(3), REPLAY),
        Spec("replay-each-10-topics", nanoseconds("event"), at_most(3), REPLAY),
        *(spec for size in SIZES for spec in growth(size)),
        *(spec for size in SIZES for spec in even(size)),
        Spec("bytes-link", BYTES, at_most(1.1), MEMORY),
        Spec("bytes-session", BYTES, at_most(1.1), MEMORY),
        Spec("bytes-topic-followed", BYTES, at_most(1.1), MEMORY),
        Spec("bytes-event", BYTES, None, MEMORY),
    ]
    return measured("hub", specs, effort)
