"""The Chain of Planned Behaviour as a conversation, whoever answers.

CoPB (Shao et al., "Chain-of-Planned-Behaviour Workflow Elicits Few-Shot Mobility Generation in
LLMs", 2024) follows the Theory of Planned Behaviour (Ajzen, 1991): attitude, subjective norm and
perceived behavioural control lead to an intention. Here the attitude and the norm are asked for
once; then each decision starts from a ranking by confidence (control) and names one intention, its
duration and its reason, until the day is full. A chain asks no model itself: it
says what to ask next, and gets the reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from humobctl.intend import prompts
from humobctl.intend.answers import LONGEST_TRAVEL, Attitude, Decision, Norm, RankedDecision
from humobctl.intend.backends.base import WEEKDAYS, Part, Person
from humobctl.intend.day_plan import DAY_MINUTES, Event, PlanError, clock, settle
from humobctl.llm.json_reply import CUT, Answer, AnswerError, read_answer, tidy
from humobctl.llm.question import Ask, Message, message
from humobctl.tables.intents import AT_HOME
from humobctl.tables.schemas import INTENTS

MOST_EVENTS = 16
"""In a day, as in the published distribution of CoPB; the last one lasts until 24:00."""
MOST_TRIES = 3
"""Times that a question is asked before the plan is given up."""
CLOSE_TO_MIDNIGHT = 15
"""Minutes before 24:00 from which on an event lasts until 24:00."""


class ChainError(Exception):
    """Why a conversation came to no plan, in one line."""


@dataclass(frozen=True)
class ChainStep:
    """A decision that was made.

    Attributes:
        now: minute of the day at which it was made.
        so_far: events before it.
        messages: the conversation up to the question.
        decision: what was decided.
    """

    now: int
    so_far: tuple[Event, ...]
    messages: tuple[Message, ...]
    decision: Decision


@dataclass
class DayConversation:
    """One conversation about one day.

    Attributes:
        person: whose day.
        weekday: of the day, 0 (Sunday) to 6.
        without: parts to leave out.
        answers: attitude and norm, once they are known.
        steps: decisions so far.
    """

    person: Person
    weekday: int
    without: frozenset[Part] = frozenset()
    answers: dict[str, Answer] = field(default_factory=dict)
    steps: list[ChainStep] = field(default_factory=list)
    _history: list[Message] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)
    _faults: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._history.append(message("system", _system(self.person, self._day)))

    @property
    def _day(self) -> str:
        return WEEKDAYS[self.weekday].capitalize()

    @property
    def _now(self) -> int:
        return self._events[-1].end_min if self._events else 0

    @property
    def full(self) -> bool:
        """Whether the day reaches 24:00."""
        return self._now == DAY_MINUTES

    @property
    def ask(self) -> Ask | None:
        """What to ask next; None when the day is full."""
        if self.full:
            return None
        name, form, question = self._question()
        messages = [*self._history, message("user", question)]
        for reply, fault in self._faults[-1:]:
            # An empty message would be refused by many servers.
            messages.append(message("assistant", tidy(reply, 1000) or "(nothing)"))
            messages.append(message("user", prompts.render("repair", fault=fault)))
        return Ask(name, tuple(messages), form, len(self._faults))

    def _question(self) -> tuple[str, type[Answer], str]:
        for name, form in (("attitude", Attitude), ("norm", Norm)):
            if name not in self.without and name not in self.answers:
                return name, form, prompts.render(name, weekday=self._day)
        ranks = "control" not in self.without
        question = prompts.render(
            "decision",
            so_far=_so_far(self._events),
            now=clock(self._now),
            left=_span(DAY_MINUTES - self._now),
            control=prompts.render("control") if ranks else "",
            ranking='"ranking": [INTENTION, ...], ' if ranks else "",
        )
        return "decision", RankedDecision if ranks else Decision, question

    def take(self, reply: str, *, cut: bool = False) -> None:
        """Continue from the reply to the question.

        An unusable reply is remembered; the next question then says what was wrong with it.

        Args:
            reply: what was said.
            cut: whether it ended at its limit of tokens.

        Raises:
            ChainError: the question was asked as often as it may be.
        """
        ask = self.ask
        if ask is None:
            raise RuntimeError("a full day asks nothing")
        try:
            answer = read_answer(reply, ask.form, cut=cut)
        except AnswerError as exc:
            hint = "; it was cut off (--answer-tokens gives more room)"
            said = str(exc)
            self.refuse(f"{said}{hint}" if cut and said != CUT else said, reply)
            return
        if isinstance(answer, Decision):
            self._carry_out(answer, ask)
        else:
            self.answers[ask.name] = answer
            # What goes on is what was understood, not what was said around it.
            understood = message("assistant", answer.model_dump_json())
            self._history += [message("user", self._question_of(ask)), understood]
        self._faults = []

    def refuse(self, fault: str, reply: str = "") -> None:
        """Count a reply that cannot be used, such as a refusal.

        Raises:
            ChainError: the question was asked as often as it may be.
        """
        self._faults.append((reply, fault))
        if len(self._faults) >= MOST_TRIES:
            name, tries = self._question()[0], len(self._faults)
            raise ChainError(f"{name}: no usable answer in {tries} tries; the last: {fault}")

    def follow(self, event: Event) -> None:
        """Continue from an event that was decided elsewhere, as if it had been the answer.

        Args:
            event: the next one of a valid day.
        """
        ask = self.ask
        if ask is None or ask.name != "decision":
            raise RuntimeError("only decisions can be followed, until the day is full")
        hours, minutes = divmod(event.minutes, 60)
        decision = Decision(
            intent=event.intent,
            travel_minutes=event.start_min - self._now,
            hours=hours,
            minutes=minutes,
            reason=event.reason,
        )
        self.steps.append(ChainStep(self._now, tuple(self._events), ask.messages, decision))
        self._events.append(event)

    def _question_of(self, ask: Ask) -> str:
        return ask.messages[len(self._history)]["content"]

    def _carry_out(self, decision: Decision, ask: Ask) -> None:
        now, so_far = self._now, tuple(self._events)
        asked = ask.messages[: len(self._history) + 1]
        self.steps.append(ChainStep(now, so_far, asked, decision))
        start = now + self._travel(decision)
        end = min(start + decision.lasting, DAY_MINUTES)
        last = len(self._events) == MOST_EVENTS - 1
        if last or DAY_MINUTES - end < CLOSE_TO_MIDNIGHT:
            end = DAY_MINUTES
        self._events.append(Event(decision.intent, start, end, decision.reason))

    def _travel(self, decision: Decision) -> int:
        """Minutes on the way; the day starts somewhere, and home is not left for bed."""
        if not self._events or {self._events[-1].intent, decision.intent} <= AT_HOME:
            return 0
        left = DAY_MINUTES - self._now
        return min(decision.travel_minutes, LONGEST_TRAVEL, left // 2)

    def events(self) -> tuple[Event, ...]:
        """The day, once it is full.

        Raises:
            ChainError: the events make no day.
        """
        try:
            return settle(self._events).events
        except PlanError as exc:
            raise ChainError(str(exc)) from exc


def _system(person: Person, day: str) -> str:
    return prompts.render(
        "system",
        education=tidy(person.education, 100),
        gender=tidy(person.gender, 100),
        consumption=tidy(person.consumption, 100),
        occupation=tidy(person.occupation, 100),
        weekday=day,
        intents="\n".join(f"- {intent}" for intent in INTENTS),
    )


def _so_far(events: list[Event]) -> str:
    if not events:
        return "The day begins."
    lines = [f"- {clock(e.start_min)}-{clock(e.end_min)} {e.intent}" for e in events]
    return "\n".join(("The day so far:", *lines))


def _span(minutes: int) -> str:
    return f"{minutes // 60} hours and {minutes % 60} minutes"
