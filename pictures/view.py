"""The page of ``view`` with generated visits, in headless Chromium, and a map as a picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pictures.city import WORK, command, made, synthetic
from pictures.style import PAGE

PEOPLE = 400


def draw() -> list[Path]:
    """A week of 400 people in the light, one of them selected; the same in the dark on a phone."""
    from tests.pages import LoadedPage, launched  # noqa: PLC0415 - for this picture alone

    files = synthetic(users=PEOPLE, seed=1)
    plans = made("view_plans.parquet", "intend", files["profiles"], "--days", "7")
    more = ("--places", files["places"], "--people", files["profiles"])
    visits = made("view_visits.parquet", "generate gravity", plans, *more)
    title = "A week of 400 generated people"
    command("view", visits, "--title", title, "--export", "view.html")
    command("view", files["city"], "--title", "A synthetic city", "--export", "view_cells.png")
    paths = [PAGE / name for name in ("view.png", "view_phone.png", "view_cells.png")]
    url = (WORK / "view.html").as_uri()
    with launched() as browser:
        for path, phone in zip(paths, (False, True), strict=False):
            size = {"width": 375, "height": 812} if phone else {"width": 1280, "height": 800}
            scheme = "dark" if phone else "light"
            seen = LoadedPage(browser, url, viewport=size, color_scheme=scheme)
            if not phone:
                seen.page.fill("#uid", "7")
                seen.after(lambda seen=seen: seen.page.click("#search button"))
                seen.after(lambda seen=seen: [seen.page.click("#out") for _ in range(2)])
                seen.page.wait_for_timeout(300)
            seen.page.screenshot(path=path)
    picture = Image.open(WORK / "view_cells.png").convert("RGB").reduce(2)
    # Few colours, and a third of the size: yellow to blue.
    picture.quantize(96, dither=Image.Dither.NONE).save(paths[2], optimize=True)
    return paths
