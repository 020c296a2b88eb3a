"""What a language model answers about a person's day: the forms of CoPB's questions."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from humobctl.intend.day_plan import DAY_MINUTES
from humobctl.llm.json_reply import MOST_WORDS, Answer, Json, tidy
from humobctl.tables.intents import intent_of
from humobctl.tables.schemas import INTENTS

LONGEST_TRAVEL = 180
"""Minutes."""


def _known_intent(text: str) -> str:
    intent = intent_of(text)
    if intent is None:
        raise ValueError(f"found {tidy(text, 40)!r}, expected one of the twelve intentions")
    return intent


def _different(intents: list[str]) -> list[str]:
    return list(dict.fromkeys(intents))


def _clock(text: str) -> str:
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::\d{2})?", text.strip())
    if found is None or int(found[2]) > 59 or 60 * int(found[1]) + int(found[2]) > DAY_MINUTES:
        raise ValueError(f"found {tidy(text, 40)!r}, expected a time from 0:00 to 24:00")
    return f"{int(found[1])}:{found[2]}"


def _range(fewest: int, most: int) -> Json:
    return {"minimum": fewest, "maximum": most}


Intent = Annotated[
    str, AfterValidator(_known_intent), Field(json_schema_extra={"enum": list(INTENTS)})
]
Words = Annotated[str, AfterValidator(tidy), Field(json_schema_extra={"maxLength": MOST_WORDS})]
Clock = Annotated[
    str,
    AfterValidator(_clock),
    Field(json_schema_extra={"pattern": "^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$"}),
]
Travel = Annotated[int, Field(ge=0, le=DAY_MINUTES, json_schema_extra=_range(0, LONGEST_TRAVEL))]
# A schema cannot bound the sum: 0:01 to 23:59, at the price that no full hour can be said.
Hours = Annotated[int, Field(ge=0, le=24, json_schema_extra=_range(0, 23))]
Minutes = Annotated[int, Field(ge=0, le=DAY_MINUTES, json_schema_extra=_range(1, 59))]


def _intents(fewest: int, most: int) -> Any:
    extra: Json = {"minItems": fewest, "maxItems": most}
    return Field(min_length=1, max_length=len(INTENTS), json_schema_extra=extra)


class Attitude(Answer):
    """What the person likes (attitude, Ajzen 1991), the most preferred intention first."""

    preferences: Annotated[list[Intent], AfterValidator(_different), _intents(3, 6)]
    reason: Words


class Norm(Answer):
    """What people of this kind usually do (subjective norm): the anchors of the day, H:MM."""

    get_up: Clock
    duty_from: Clock
    duty_to: Clock
    bedtime: Clock
    routine: Words


class Decision(Answer):
    """The next intention: the way there, how long it lasts, and why."""

    intent: Intent
    travel_minutes: Travel
    hours: Hours
    minutes: Minutes
    reason: Words

    @model_validator(mode="after")
    def _lasts(self) -> Decision:
        if not 0 < self.lasting <= DAY_MINUTES:
            raise ValueError(f"found {self.lasting} minutes, expected 1 to {DAY_MINUTES}")
        return self

    @property
    def lasting(self) -> int:
        """Minutes that the intention lasts."""
        return 60 * self.hours + self.minutes

    @property
    def ranked(self) -> list[str]:
        """The ranking by confidence; empty where it was not asked for."""
        return []


class _Ranked(Answer):
    ranking: Annotated[list[Intent], AfterValidator(_different), _intents(3, 5)]


class RankedDecision(Decision, _Ranked):
    """A decision that follows from how sure one is (perceived behavioural control)."""

    @property
    def ranked(self) -> list[str]:
        """The ranking by confidence."""
        return self.ranking
