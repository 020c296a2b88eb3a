"""The page of ``explore`` with two synthetic cities, in headless Chromium."""

from __future__ import annotations

from pathlib import Path

from pictures.city import command, made, synthetic
from pictures.style import PAGE

USERS = 300
STEPS = 60


def draw() -> list[Path]:
    """The map of users, a selection in each city, and where the two are."""
    from tests.explore.test_browser import Page  # noqa: PLC0415 - for this picture alone
    from tests.pages import launched  # noqa: PLC0415

    page = _page()
    target = PAGE / "explore.png"
    with launched() as browser:
        seen = Page(browser, page.as_uri())
        seen.after(lambda: seen.lasso(0.02, 0.35))
        seen.after(lambda: seen.page.check("#pick-b"))
        seen.after(lambda: seen.lasso(0.65, 0.98))
        seen.after(lambda: seen.page.select_option("#show", "difference"))
        seen.page.screenshot(path=target)
    return [target]


def _page() -> Path:
    city = synthetic(users=USERS, seed=1)["city"]
    train = f"train embedder {city.name} --preset small --steps {STEPS} --batch-size 32"
    made("embedder", train)
    made("users.parquet", f"embed {city.name} --model embedder")
    path = city.with_name("map.html")
    if not path.exists():
        command(f"explore users.parquet {city.name} --export map.html")
    return path
