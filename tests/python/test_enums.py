"""The words of the library as enums: equal to plain strings, and those that C hands out."""

from __future__ import annotations

import json
import pickle
from enum import Enum, IntEnum

import kedge
import pytest
from core_world import Clock, World, live_client
from kedge import CredentialsKind, OutcomeKind, Status, _core, websocket
from kedge._core import Closed, Outcome, Sync

WORDS = [*Status, *OutcomeKind, *CredentialsKind]

word = pytest.mark.parametrize("word", WORDS, ids=repr)


def test_the_statuses_are_the_librarys() -> None:
    assert [status.name for status in Status] == [name for _, name, _, _ in _core.statuses]
    for _, name, sentence, code in _core.statuses:
        assert Status[name].meaning == sentence
        assert Status[name].close_code == (code or None)


@word
def test_a_member_is_equal_to_its_word(word: Status) -> None:
    assert word == word.value
    assert hash(word) == hash(word.value)
    assert f"{word}" == str(word) == word.value
    assert f"{word:>15}" == word.value.rjust(15)
    assert json.dumps(word) == json.dumps(word.value)
    assert type(word)(word.value) is word
    assert repr(word) == f"{type(word).__name__}.{word.name}"


@word
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_member_is_pickled_as_itself(word: Status, protocol: int) -> None:
    assert pickle.loads(pickle.dumps(word, protocol)) is word


@pytest.mark.parametrize("type_", [Status, OutcomeKind, CredentialsKind])
def test_enums_are_enums(type_: type[Enum]) -> None:
    assert issubclass(type_, str)
    assert issubclass(type_, Enum)
    assert type_.__doc__
    assert type_ is getattr(kedge, type_.__name__)


def test_statuses_are_equal_to_their_names() -> None:
    assert all(status == status.name for status in Status)


def test_events_that_were_made_by_hand_have_members() -> None:
    assert Closed().cause is Status.OK
    assert Closed(cause="LOST").cause is Status.LOST
    assert Closed(cause=Status.LOST) == Closed(cause="LOST")
    assert Sync("LIMIT").why is Status.LIMIT
    assert Outcome(1, "timed_out").outcome is OutcomeKind.TIMED_OUT
    assert pickle.loads(pickle.dumps(Closed(cause="LOST"))).cause is Status.LOST


def test_what_happens_is_told_by_members() -> None:
    client = live_client()
    (closed,) = client.lost()
    assert isinstance(closed, Closed)
    assert closed.cause is Status.LOST
    match closed:
        case Closed(cause=Status.LOST):
            pass
        case _:
            pytest.fail("did not match")
    match closed:
        case Closed(cause="LOST"):
            pass
        case _:
            pytest.fail("did not match")
    connection = _core.Connection.accept(clock=Clock())
    (gone,) = connection.lost()
    assert isinstance(gone, _core.Disconnected)
    assert gone.cause is Status.LOST


def test_errors_tell_by_members() -> None:
    world = World()
    with pytest.raises(kedge.UnknownError) as caught:
        world.hub.end("nobody")
    assert caught.value.status is Status.UNKNOWN
    with pytest.raises(kedge.ArgumentError) as wrong:
        _core.GatewayClient(token="x", depth_limit=0)
    assert wrong.value.status is Status.INVALID_ARGUMENT
    for type_ in vars(kedge).values():
        if isinstance(type_, type) and issubclass(type_, kedge.Error):
            assert isinstance(type_.status, Status), type_
    assert _core.StaleTicketError("by hand").status is Status.STALE_TICKET
    assert kedge.ClosedError("over").status is Status.PEER_CLOSED
    assert kedge.RefusedError(403).status is Status.REFUSED


def test_the_codes_of_websocket() -> None:
    assert issubclass(websocket.CloseCode, IntEnum)
    assert websocket.CloseCode(1000) is websocket.CloseCode.NORMAL
    assert websocket.CloseCode.NORMAL == 1000
    assert pickle.loads(pickle.dumps(websocket.CloseCode.NORMAL)) is websocket.CloseCode.NORMAL


@pytest.mark.parametrize("code", websocket.CloseCode)
def test_a_code_that_can_be_sent_is_sent(code: websocket.CloseCode) -> None:
    world = World()
    wire = world.join()
    if code.sendable:
        (closed,) = wire.link.close(code)
        assert isinstance(closed, Closed)
        assert closed.sent == code
    else:
        with pytest.raises(kedge.ArgumentError):
            wire.link.close(code)
