"""Words for people."""

_PLURALS = {"person": "people"}


def pluralize(number: int, noun: str) -> str:
    """A number and a noun, in the plural where it has to be."""
    return f"{number:,} {noun if number == 1 else _PLURALS.get(noun, f'{noun}s')}"


def flag(name: str) -> str:
    """The option of a parameter or a setting."""
    return f"--{name.replace('_', '-')}"


def in_full(number: float) -> str:
    """A number as people would write it: a whole one with all its digits."""
    whole = isinstance(number, int) or number.is_integer()
    return str(int(number)) if whole and abs(number) < 1e15 else f"{number:g}"
