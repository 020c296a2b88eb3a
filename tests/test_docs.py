"""The pages hold: tutorials run and print what they show, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import book
from tests.conftest import ROOT, Run
from tests.intend.chat_server import KEY, serving
from tests.shell import in_bash, run_line

BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
RULE = re.compile("[─━]+")
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")


def pages() -> list[Path]:
    """Every page of the project."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if not path.is_symlink())


RUN = [page for page in pages() if page.parent != ROOT and BLOCK.search(page.read_text())]
"""Pages with blocks of bash, which run in one folder; those of sh need what readers have."""


def run_block(text: str, folder: Path, env: dict[str, str] | None = None) -> tuple[str, str]:
    """What a block's last command printed, and what the block said."""
    lines = [text] if "<<" in text else text.replace("\\\n", "").splitlines()
    done, said = Run(0, "", "", b""), ""
    for line in lines:
        run = in_bash if "<<" in line else run_line
        done = run(line, folder, env)
        assert done.code == 0, f"{line}: {done.err}"
        said += done.err
    return done.out, said


def assert_alike(shown: str, printed: str, *, trained: bool) -> None:
    """The same words; numbers may differ by a tenth, those of a network trained here by more."""
    # Rules of tables are as long as the numbers below them.
    words = [NUMBER.sub("#", RULE.sub("─", text)).split() for text in (shown, printed)]
    assert words[0] == words[1], printed
    if trained:
        return
    pairs = zip(*(NUMBER.findall(text) for text in (shown, printed)), strict=True)
    for a, b in ((float(x.replace(",", "")), float(y.replace(",", ""))) for x, y in pairs):
        assert abs(a - b) <= 0.1 * max(abs(a), abs(b)) + 0.1, printed


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page.read_text())
    if any(re.search("train (embedder|diffusion)", text) for text, _ in blocks):
        pytest.importorskip("torch")
    with serving() as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        for text, shown in blocks:
            printed, said = run_block(text, tmp_path, env)
            if shown:
                assert_alike(shown, printed or said, trained=" embed" in text)


def broken_links(page: Path) -> list[str]:
    """The links of a page to files or headings that are not there; other hosts are not asked."""
    text = page.read_text()
    found = []
    for target in book.links(text):
        path, _, name = target.partition("#")
        there = page.parent / path if path else page
        if ":" in target:
            continue
        if not there.exists() or (name and name not in book.anchors(there.read_text())):
            found.append(target)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One (two)\n\n## A\n\n## A\n\n```\n# not\n```\n")
    page = tmp_path / "page.md"
    good = "[a](other.md#one-two) [b](other.md#a-1) [c](https://x.org/) `[d](no)`"
    page.write_text(f"{good}\n\n```\n[e](no)\n```\n\n[![f](no.png)](other.md#not) [g](#h)\n")
    assert broken_links(page) == ["no.png", "other.md#not", "#h"]


def test_the_book_has_every_page() -> None:
    listed = re.findall(r"[\w/]+\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(listed) == sorted({*there, *book.ROOT_PAGES})
