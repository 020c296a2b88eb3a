"""What an interrupted process says: one line, of what is kept and how to go on."""

from __future__ import annotations

import pytest

from humobctl.console import signals


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_words", [])
    monkeypatch.setattr(signals, "_last", None)


def test_the_innermost_block_speaks_as_things_were_when_it_ended() -> None:
    kept = ["2 parts"]
    with pytest.raises(KeyboardInterrupt), signals.last_words(lambda: "outer"):
        try:
            with signals.last_words(lambda: f"{kept[0]} kept"):
                raise KeyboardInterrupt
        finally:
            kept[0] = "nothing"  # tidied up
    assert signals.take_last_words() == "2 parts kept"
    assert signals.take_last_words() == ""  # said once


def test_blocks_that_ended_say_nothing() -> None:
    with signals.last_words(lambda: "done"):
        pass
    with pytest.raises(ValueError, match="x"), signals.last_words(lambda: "failed"):
        raise ValueError("x")
    assert "unfinished files were removed" in signals.take_last_words()
