"""What the planner assumes of people: liking, routines and travel, as plain tables to read.

These are assumptions, in round numbers. What is measured is in
``humobctl.tables.copb_reference``, and ``calibrated.json`` holds the weights that bring the
assumptions and the measurements together.
"""

from __future__ import annotations

from dataclasses import dataclass

from humobctl.tables.schemas import NOT_EMPLOYED

SLOTS = 96
"""Quarters of an hour in which a day is planned; minutes are drawn within them."""
SLOT_MINUTES = 15

Bump = tuple[float, float, float]
"""Centre and width in hours, and height, of a bell curve over the day."""


@dataclass(frozen=True)
class Schedule:
    """The routine of an occupation.

    Attributes:
        name: how reasons call these people.
        start, end: usual hours at which work starts and ends.
        spread: how far people stray from them, in hours (standard deviation).
        weekend: fraction of people whose days off are not Saturday and Sunday.
    """

    name: str
    start: float
    end: float
    spread: float
    weekend: float


SCHEDULES = (
    Schedule("office workers", 9.0, 18.2, 0.9, 0.03),
    Schedule("shift and site workers", 8.0, 17.5, 1.1, 0.20),
    Schedule("teachers", 8.2, 17.3, 0.9, 0.08),
    Schedule("people in sales and service", 9.8, 19.3, 1.6, 0.40),
    Schedule("people with flexible hours", 9.9, 18.9, 1.8, 0.10),
)
OFFICE, SITE, TEACHING, SERVICE, FREE = range(len(SCHEDULES))
OCCUPATIONS = {
    "IT Engineer": OFFICE,
    "Finance": OFFICE,
    "Administrative Officer": OFFICE,
    "Lawyer": OFFICE,
    "Biomedical Engineering": OFFICE,
    "Public Relations": OFFICE,
    "Technical Worker": SITE,
    "Construction Engineering": SITE,
    "Warehousing": SITE,
    "Quality Inspector": SITE,
    "Housekeeping": SITE,
    "Teacher": TEACHING,
    "Training Instructor": TEACHING,
    "Front Desk Reception": SERVICE,
    "Customer Service Representative": SERVICE,
    "Store Manager": SERVICE,
    "Apparel": SERVICE,
    "Online Sales": SERVICE,
    "Sales Manager": SERVICE,
    "Copywriting": FREE,
    "Investment": FREE,
}
"""Occupation -> schedule; an occupation that is not here follows that of an office."""

CHRONOTYPES = (-0.7, 0.0, 0.9)
"""Hours by which early, usual and late people are shifted, a third each."""
EMPLOYED = 0.93
"""Fraction of people who go to work on their working days."""

ROUTINES: dict[str, tuple[Bump, ...]] = {
    # go to work and go home follow the schedule as well, see model.py
    "go to work": ((13.5, 2.5, 0.30),),
    "go home": ((12.5, 2.0, 0.22), (22.0, 1.5, 0.40)),
    "eat": ((7.7, 0.8, 0.5), (12.1, 0.8, 1.0), (18.3, 1.0, 0.9)),
    "do shopping": ((10.5, 1.5, 0.7), (16.0, 3.0, 1.0)),
    "do sports": ((7.0, 1.0, 0.6), (18.5, 2.0, 1.0)),
    "excursion": ((9.5, 1.5, 1.0),),
    "leisure or entertainment": ((15.0, 3.0, 0.8), (19.5, 1.5, 1.0)),
    "go to sleep": ((22.3, 1.2, 1.0),),
    "medical treatment": ((9.0, 1.3, 1.0), (14.0, 1.0, 0.4)),
    "handle the trivialities of life": ((10.0, 2.5, 0.9), (16.0, 3.5, 1.0)),
    "banking and financial services": ((10.0, 1.2, 1.0), (14.5, 1.2, 0.8)),
    "cultural institutions and events": ((10.5, 1.5, 0.8), (14.5, 1.8, 1.0), (19.0, 0.8, 0.4)),
}
"""When people start an intention."""
UNUSUAL = 0.02
"""Weight of any intention at any hour, beside the routines' heights around 1."""

AT_MIDNIGHT = {
    "go to sleep": 1.0,
    "go home": 0.25,
    "go to work": 0.04,
    "handle the trivialities of life": 0.03,
    "leisure or entertainment": 0.02,
}
"""What people are doing as the day begins; any other intention has 0.002."""
AT_DAYS_END = {
    "go home": 1.0,
    "go to sleep": 0.6,
    "leisure or entertainment": 0.05,
    "handle the trivialities of life": 0.03,
    "go to work": 0.03,
}
"""What people are doing as the day ends; any other intention has 0.006."""
RARE_AT_MIDNIGHT, RARE_AT_DAYS_END = 0.002, 0.006

DAY_OFF = {
    "go to work": 0.06,
    "leisure or entertainment": 1.7,
    "do shopping": 1.5,
    "excursion": 2.5,
    "do sports": 1.3,
    "cultural institutions and events": 2.0,
    "banking and financial services": 0.6,
}
"""Factors of a day off."""
SLEEPS_IN = 1.1
"""Hours by which mornings of a day off are later."""

GAP_MEDIAN, GAP_SIGMA, GAP_SLOTS = 55.0, 0.65, (2, 15)
"""Log-normal travel time: median in minutes, sigma, least and most quarters of an hour."""

LABELLED_SHARE_OF_RARE = 12
"""Stays that stand for each of the two intents that were not among the 5,668 labelled ones."""

TASTE = 0.5
"""Largest difference of a person's own liking, as a log odds."""
ACTIVITY = 0.6
"""Correlation of how much a person does on one day and on another, on a normal scale."""

HABITS = (0.65, 0.6)
"""Chance that an event follows the person's habits of working days, and of days off."""
WEEKLY_HABITS = 0.5
"""Chance that it follows those of the day of the week otherwise, from the second week on."""

LIKING: dict[str, dict[str, dict[str, float]]] = {
    "consumption": {
        "high": {
            "do shopping": 0.5,
            "leisure or entertainment": 0.4,
            "eat": 0.3,
            "excursion": 0.4,
            "cultural institutions and events": 0.4,
            "banking and financial services": 0.3,
        },
        "slightly high": {
            "do shopping": 0.25,
            "leisure or entertainment": 0.2,
            "eat": 0.15,
            "excursion": 0.2,
        },
        "slightly low": {"do shopping": -0.15, "leisure or entertainment": -0.1},
        "low": {
            "do shopping": -0.3,
            "leisure or entertainment": -0.25,
            "eat": -0.2,
            "excursion": -0.3,
        },
    },
    "education": {
        "Doctoral degree": {"cultural institutions and events": 0.5, "do sports": 0.15},
        "Master's degree": {"cultural institutions and events": 0.35, "do sports": 0.15},
        "Bachelor's degree": {"cultural institutions and events": 0.15},
        "Elementary school diploma": {"cultural institutions and events": -0.3},
        "Junior high school diploma": {"cultural institutions and events": -0.2},
    },
    "gender": {
        "woman": {"do shopping": 0.15, "handle the trivialities of life": 0.1},
        "man": {"do sports": 0.15},
    },
    "occupation": {
        "Finance": {"banking and financial services": 0.6},
        "Investment": {"banking and financial services": 0.6},
        "Apparel": {"do shopping": 0.2},
        "Public Relations": {"eat": 0.2, "leisure or entertainment": 0.2},
        "Sales Manager": {"eat": 0.2},
        "Copywriting": {"cultural institutions and events": 0.3, "leisure or entertainment": 0.1},
        "Teacher": {"cultural institutions and events": 0.3},
        "Training Instructor": {"do sports": 0.2},
        "Biomedical Engineering": {"medical treatment": 0.1},
        "Housekeeping": {"handle the trivialities of life": 0.2},
        NOT_EMPLOYED: {"go to work": -6.0},
    },
}
"""Attribute -> value -> intent -> log odds of liking it more than others do."""

LIVELINESS: dict[str, dict[str, float]] = {
    "consumption": {"high": 0.4, "slightly high": 0.2, "slightly low": -0.1, "low": -0.25},
    "education": {"Doctoral degree": 0.1, "Master's degree": 0.1},
}
"""Attribute -> value -> how much more a person undertakes, in standard deviations."""
