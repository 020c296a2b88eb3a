"""Pages in a real browser: Debian's Chromium, what a page complains of and what it asks for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.packages import from_package

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium, which is not installed"
)


AXE = "axe-playwright-python==0.1.8"
_RUN_AXE = """() => axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa",
"wcag22aa", "best-practice"]}).then((found) => found.violations.map((one) => one.id + ": "
+ one.nodes.map((node) => node.target.join(" ")).join(", ")))"""


@contextmanager
def launched() -> Iterator[Any]:
    """A browser; its start takes a second or two, so that a file of tests shares one."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class LoadedPage:
    """A loaded page, what it complained of, and what it asked of others."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        options = {"viewport": {"width": 1280, "height": 800}, "accept_downloads": True, **options}
        self.page = browser.new_page(**options)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page = self.page
        page.on("console", lambda m: m.type == "error" and self.complaints.append(m.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(url)
        self.until("document.body.dataset.ready")

    def after(self, act: Any) -> None:
        """Do something, and wait until the page has drawn it."""
        before = self.page.evaluate("document.body.dataset.drawn")
        act()
        self.until(f"Number(document.body.dataset.drawn) > {before}")

    def until(self, true: str) -> None:
        """Wait; playwright's own way makes code of a text, which the page does not allow."""
        for _ in range(1000):
            if self.page.evaluate(true):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"never came: {true}")

    def barriers(self) -> list[str]:
        """What axe-core finds of the page as it stands: rules of WCAG 2.2 AA, and where."""
        script = from_package(AXE, "axe_playwright_python/axe.min.js")
        if script is None:
            return []
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(script.read_text(encoding="utf-8"))
        return list(self.page.evaluate(_RUN_AXE))

    def download(self, button: str) -> Path:
        """The file that a button saves."""
        with self.page.expect_download() as waited:
            self.page.click(button)
        return Path(waited.value.path())
