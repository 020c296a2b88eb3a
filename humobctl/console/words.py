"""Words for people."""


def counted(number: int, noun: str) -> str:
    """A number and a noun, in the plural where it has to be."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
