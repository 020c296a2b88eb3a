"""Write or check docs/licences.md: the licences of everything that humobctl installs.

    python scripts/licences.py docs/licences.md           write it anew
    python scripts/licences.py docs/licences.md --check   compare it with what is installed

Packages that are not installed here keep the line they have. A licence that is not among those
allowed, or is not known, needs a line with the reason in EXCEPTIONS.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NOT_SHIPPED = ("dev", "docs", "fuzz")
ALLOWED = (
    *("MIT", "BSD", "Apache", "PSF", "Python Software Foundation", "ISC", "MPL-2.0", "MPL 2.0"),
    *("Mozilla Public License", "Unlicense", "Zlib", "HPND", "CC0", "0BSD", "BSL-1.0", "CNRI"),
    *("Historical Permission Notice", "Matplotlib", "Boost", "Public Domain"),
)
FORBIDDEN = re.compile(r"\bA?GPL|Affero|GNU General Public", re.IGNORECASE)
EXCEPTIONS = {
    "dataframely": "no licence in its metadata; the LICENSE file that it installs is BSD-3-Clause",
}
"""Packages that are used in spite of the licence that their metadata name, with the reason."""
HEAD = """# Licences

What `pip install 'humobctl[...]'` brings, with what brings it and the licence that each package
declares. `make licences` writes this list anew; `make lint` compares it with what is installed and
fails on GPL, AGPL and unknown licences (scripts/licences.py says which are allowed, and why an
exception is). CUDA builds of torch also install NVIDIA's libraries, under NVIDIA's licence.

| package | licence | for |
|---|---|---|
"""
_LINE = re.compile(r"\| ([\w.-]+) \| (.+) \| ([\w, -]+) \|")


def dependencies(left_out: tuple[str, ...] = NOT_SHIPPED) -> dict[str, set[str]]:
    """The packages that humobctl installs, each with the extras that need it ("" is the core)."""
    found: dict[str, set[str]] = {}
    for line in metadata.requires("humobctl") or ():
        requirement = Requirement(line)
        marker = str(requirement.marker or "")
        extra = re.search(r'extra == "([\w-]+)"', marker)
        name = extra[1] if extra else ""
        if name not in left_out:
            _follow(requirement, name, found)
    return found


def _follow(requirement: Requirement, extra: str, found: dict[str, set[str]]) -> None:
    name = canonicalize_name(requirement.name)
    if name == "humobctl" or extra in found.setdefault(name, set()):
        return
    found[name].add(extra)
    try:
        lines = metadata.requires(name) or ()
    except metadata.PackageNotFoundError:
        return
    wanted = ["", *requirement.extras]
    for line in lines:
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in wanted):
            _follow(needed, extra, found)


def licence(name: str) -> str | None:
    """What a package declares, in short; None where it is not installed."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    expression = about.get("License-Expression")
    if expression:
        return str(expression)
    classes = [
        text.split(" :: ")[-1]
        for text in about.get_all("Classifier") or ()
        if text.startswith("License ::") and text != "License :: OSI Approved"
    ]
    if classes:
        return ", ".join(sorted(classes))
    first = (str(about.get("License") or "").strip().splitlines() or [""])[0]
    return first[:60] or "unknown"


def listed(path: Path) -> dict[str, tuple[str, str]]:
    """Package, licence and use as the file has them."""
    if not path.exists():
        return {}
    matches = (_LINE.fullmatch(line) for line in path.read_text().splitlines())
    return {match[1]: (match[2], match[3]) for match in matches if match and match[1] != "package"}


def current(path: Path) -> dict[str, tuple[str, str]]:
    """The list as it should be."""
    before, now = listed(path), {}
    for name, extras in sorted(dependencies().items()):
        declared = licence(name)
        # An extra that is not installed here may need it too.
        known = extras | set(before[name][1].split(", ") if name in before else ())
        use = "all" if known & {"", "all"} else ", ".join(sorted(known))
        if declared is not None:
            now[name] = declared.replace("|", "or"), use
        elif name in before:
            now[name] = before[name]
    # What only packages need that are not installed here, cannot be found.
    return dict(sorted({**before, **now}.items()))


def complaints(packages: dict[str, tuple[str, str]]) -> list[str]:
    """What the policy does not allow."""
    return [
        f"{name}: {declared}"
        for name, (declared, _) in packages.items()
        if name not in EXCEPTIONS
        and (
            (FORBIDDEN.search(declared) and " OR " not in declared)
            or not any(good.lower() in declared.lower() for good in ALLOWED)
        )
    ]


def text(packages: dict[str, tuple[str, str]]) -> str:
    """The page."""
    lines = [f"| {name} | {declared} | {use} |\n" for name, (declared, use) in packages.items()]
    reasons = [f"- {name}: {why}\n" for name, why in sorted(EXCEPTIONS.items()) if name in packages]
    return HEAD + "".join(lines) + ("\nExceptions:\n\n" + "".join(reasons) if reasons else "")


def main() -> int:
    """Write or check."""
    path = Path(sys.argv[1])
    packages = current(path)
    wrong = complaints(packages)
    for line in wrong:
        print(f"licence not allowed: {line}", file=sys.stderr)
    if "--check" in sys.argv[2:]:
        # What a version says of its licence, and who needs it, may differ; names may not.
        if missing := sorted(set(packages) - set(listed(path))):
            print(f"{path} lacks {', '.join(missing)}: make licences", file=sys.stderr)
            return 1
    else:
        path.write_text(text(packages))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
