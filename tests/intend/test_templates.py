"""Requests and the conversations that answer them, held by whoever."""

from __future__ import annotations

from humobctl.intend.backends.base import Person, Request
from humobctl.intend.day_plan import Event
from humobctl.intend.templates import Sharing, Talk


class Hasty:
    """Ends all conversations at once, and gives them back one by one."""

    capacity = 2

    def __init__(self) -> None:
        self.held: list[Talk] = []

    def begin(self, talk: Talk) -> None:
        self.held.append(talk)

    def step(self) -> list[Talk]:
        for talk in self.held:
            talk.events = (Event("go to sleep", 0, 1440, ""),)
        return [self.held.pop(0)]


def test_conversations_that_ended_unseen_are_waited_for_and_counted() -> None:
    people = (
        Person(
            uid=uid, profile=uid, education="a", gender="b", consumption="c", occupation=str(uid)
        )
        for uid in range(5)
    )
    sharing, talker = Sharing(), Hasty()
    requests = (Request(person, d=0, weekday=0) for person in people)
    found = list(sharing.plans(requests, talker))
    assert [plan.uid for plan in found] == list(range(5))
    assert sharing.summary()["conversations"] == 5
    assert not talker.held
