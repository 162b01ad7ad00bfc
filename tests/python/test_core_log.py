"""kedge.Log: a numbered sequence of publications within limits."""

from __future__ import annotations

import gc
import math
import pickle
import sys
from typing import Any

import pytest
from kedge import ArgumentError, LimitError, Log, LogEntry, Publication


def event(number: int, size: int = 0) -> Publication:
    return Publication("event", {"n": number, "text": "x" * size})


def filled(entries: int, **limits: Any) -> Log:
    log = Log(**limits)
    for number in range(entries):
        assert log.append(event(number), now=number) == number + 1
    return log


def indices(log: Log) -> list[int]:
    return [entry.index for entry in log]


def test_an_empty_log() -> None:
    log = Log()
    assert (len(log), log.last, log.base, log.base_stamp, log.size) == (0, 0, 0, 0, 0)
    assert log.deadline is None
    assert list(log) == []
    assert log.get(0) is None
    assert log.get(1) is None
    assert log.after(0) == 1
    assert repr(log) == "Log(base=0, last=0, size=0)"


def test_what_was_appended_is_there() -> None:
    log = Log()
    publication = event(1)
    assert log.append(publication, stamp=5, now=1.5) == 1
    assert log.append(publication, now=2) == 2
    entry = log.get(1)
    assert entry is not None
    assert (entry.index, entry.stamp, entry.time) == (1, 5, 1.5)
    assert entry.publication.payload == publication.payload
    assert [entry.stamp for entry in log] == [5, 6]
    assert (log.after(4), log.after(5), log.after(6)) == (1, 2, 3)
    match entry:
        case LogEntry(1, 5, Publication(name="event"), 1.5):
            pass
        case _:
            pytest.fail("it does not match")
    again = pickle.loads(pickle.dumps(entry))
    assert (again.index, again.publication.payload) == (1, publication.payload)


def test_the_number_of_entries_is_limited() -> None:
    log = filled(10, count=3)
    assert indices(log) == [8, 9, 10]
    assert (len(log), log.base, log.base_stamp, log.last) == (3, 7, 7, 10)
    assert log.get(7) is None


def test_the_bytes_are_limited() -> None:
    log = filled(3)
    each = log.size // 3
    small = filled(9, size=each * 4)
    assert small.size <= each * 4
    assert indices(small) == [6, 7, 8, 9]
    with pytest.raises(LimitError):
        small.append(event(0, size=each * 5), now=9)
    assert indices(small) == [6, 7, 8, 9]


def test_what_is_too_old_goes() -> None:
    log = filled(4, age=10)
    assert log.deadline == 10.0
    log.expire(now=11)
    assert indices(log) == [3, 4]
    assert log.deadline == 12.0
    assert filled(4, age=math.inf).deadline is None


def test_it_is_trimmed_and_limited_anew() -> None:
    log = filled(6)
    log.trim(2)
    assert indices(log) == [3, 4, 5, 6]
    log.set_limits(count=2, now=6)
    assert indices(log) == [5, 6]
    log.set_limits()
    log.trim(2**64 - 1)
    assert len(log) == 0
    assert log.append(event(7), now=1e6) == 7
    assert log.after(6) == 7


def test_iteration_goes_on_while_the_log_changes() -> None:
    log = filled(5, count=5)
    seen = []
    for entry in log:
        seen.append(entry.index)
        if entry.index == 1:
            log.trim(3)
        if entry.index == 5:
            log.append(event(6), now=6)
    assert seen == [1, 4, 5, 6]
    iterator = iter(log)
    assert iter(iterator) is iterator
    del log
    assert next(iterator).index == 4


def test_an_entry_outlives_its_log() -> None:
    log = filled(1)
    (entry,) = log
    del log
    gc.collect()
    assert entry.publication.name == "event"


def test_it_asks_the_clock_where_no_time_is_given() -> None:
    log = Log(age=1000)
    log.append(event(1))
    log.expire()
    assert len(log) == 1
    exact = Log(age=1)
    exact.append(event(1), now_ns=5)
    exact.append(event(2), now_ns=6)
    exact.set_limits(age=1, now_ns=7)
    exact.expire(now_ns=10**9 + 5)
    assert indices(exact) == [2]


def test_the_arguments_are_checked() -> None:
    log: Any = filled(2)
    for limits in ({"count": 0}, {"size": 0}, {"age": 0}):
        with pytest.raises(ArgumentError, match="zero"):
            Log(**limits)
        with pytest.raises(ArgumentError, match="zero"):
            log.set_limits(**limits)
    for limits in ({"count": -1}, {"size": -1}, {"age": -1}):
        with pytest.raises(ArgumentError, match=next(iter(limits))):
            Log(**limits)
    for stamp in (0, 2, 2**64 - 1):
        with pytest.raises(ArgumentError, match="stamp"):
            log.append(event(1), stamp=stamp)
    with pytest.raises(ArgumentError, match="stamp"):
        log.append(event(1), stamp=-1)
    with pytest.raises(TypeError, match="Publication"):
        log.append("event")
    with pytest.raises(TypeError, match="missing"):
        log.append()
    for call in (log.get, log.after, log.trim):
        with pytest.raises(ArgumentError, match="negative"):
            call(-1)
        with pytest.raises(TypeError):
            call("1")
    with pytest.raises(ArgumentError, match="now"):
        log.append(event(1), now=-1)
    with pytest.raises(ArgumentError, match="now"):
        log.expire(now=-1)
    with pytest.raises(ArgumentError, match="now"):
        log.set_limits(now=-1)
    with pytest.raises(TypeError):
        Log(100)
    with pytest.raises(TypeError):
        log.expire(1)
    with pytest.raises(TypeError):
        log.set_limits(1)
    assert len(log) == 2


def test_logs_leak_nothing() -> None:
    def work() -> None:
        for _ in range(50):
            log = filled(20, count=7)
            list(log)
            next(iter(log))

    work()
    gc.collect()
    before = sys.getallocatedblocks()
    work()
    gc.collect()
    assert sys.getallocatedblocks() - before < 100
