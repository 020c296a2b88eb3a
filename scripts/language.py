"""Checks the words of helps, messages, docstrings, pages: ``python scripts/language.py [FILE...]``.

What a machine can hold of the project's rules for language: an option's help begins with the
thing it sets or the verb it does, an option has one metavar in all commands, a default is said,
words are the field's, in messages too. Without files it reads the app, the package and all pages.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from humobctl.cli import COMMANDS, GROUPS, build_app

ROOT = Path(__file__).parent.parent
PAGES = ("*.md", "docs/*.md", "docs/tutorials/*.md", "examples/**/*.md")
GENERATED = ("docs/reference.md", "docs/api.md", "docs/licences.md", "CHANGELOG.md")
"""Pages made of texts that are checked where they are written, and records of the past."""
BEGINNINGS = re.compile(
    r"(Of|Else|The same|Whose|Which|Who|It|They|Them|Their|These|Those|That|What|How|Where|When|"
    r"If|By|For|With|Told|Given|Made|From|To)\b"
)
"""How no help begins: what is set or done comes first."""
ACTIONS = re.compile(
    r"(Also|Add|Check|Compute|Continue|Count|Discard|Draw|Export|Fill|Give|Keep|Leave|List|Make|Open|"
    r"Predict|Print|Put|Read|Rename|Replace|Run|Score|Show|Stop|Turn|Write)\b"
)
"""Verbs of options that do nothing where they are not given."""
_COMPARED = r"longer|more\b|better|nearer|worse|larger|smaller|less|other|proof|one\b|room"
WORDS = (
    (r"(?:^|[.;:,] |\bor )[Ee]lse\b", "otherwise, or; for a default: 'Default: …'"),
    (r"\b(?:some|every|no)body(?:'s|\b)", "user or person; all users; no user"),
    (r"\bdwellings?\b", "home"),
    (r"\bby turns\b", "alternating"),
    (r"\bjump distances?\b", "displacement"),
    (r"\bshares? of (?:the )?(?:users|people|days|steps|rows|records|time|cells)\b", "fraction of"),
    (r"\bchoosers?\b", "decoder"),
    (r"\bhistory model\b", "history baseline"),
    (r"\bweekday flag\b", "holiday flag"),
    (r"\b(?:was|were|is|are|be) told\b(?! apart)", "given, reported"),
    (r"\bof whom\b", "with"),
    (r"\bbecame no number\b", "is NaN or infinite"),
    (r"\bgo(?:es)? on (?:with|from)\b", "continue"),
    (r"\bnetworks to average\b", "ensemble size"),
    (r"\bin the way of\b", "as in"),
    (r"\bat the most\b", "maximum"),
    (rf"(?<!there )\b(?:is|are) no (?!{_COMPARED})\w+", "is not a, are not"),
    (r"\bstarts? anew\b", "start again"),
)
"""Words that are not the field's, or not plain, and what is said instead."""
_IN_MESSAGES = (
    (r"\bgo(?:es)? (?:with|without|together)\b", "needs, cannot be combined with"),
    (r"\bbelongs? to\b", "needs"),
    (r"\bsee (?:that|whether)\b", "check that"),
    (r"\b(?:whoever|whatever)\b", "anyone who, any"),
    (r"\b(?:makes?|made) (?:it )?(?:anew|again)\b", "computes it again, overwrites it"),
    (r"\bfound no (?:JSON|TOML|YAML)\b", "found invalid JSON"),
    (r"\bin the middle\b", "median"),
    (r"\bapart from each other\b", "separated"),
)
"""The same for the messages of the program, which say first what is wrong."""
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), better) for pattern, better in WORDS]
_MESSAGES = [
    (re.compile(pattern, re.IGNORECASE), better) for pattern, better in (*WORDS, *_IN_MESSAGES)
]
_SPEAKERS = re.compile(r"\w*Error|(report|notes)\.(info|warn|detail|error|append)|self\._fail")
"""Calls whose texts people read."""
_PARTICIPLES = frozenset(
    (
        *("built", "drawn", "found", "given", "kept", "known", "made", "said", "seen"),
        *("sent", "shown", "taken", "told", "written"),
    )
)
_PREPOSITIONS = frozenset(("at", "by", "from", "in", "of", "out", "up"))
_NO_PARTICIPLES = frozenset(("embed", "feed", "need", "seed", "shed", "speed", "bleed"))
_DOCSTRING = re.compile(r"(Of|Else|The same(?= (?:at|by|for|on|with|without)\b)|Whose|Told)\b")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"``[^`]+``|`[^`\n]+`")


class Finding(NamedTuple):
    """A fault of a text: where it stands and what is wrong with it."""

    place: str
    fault: str


def check_help(place: str, text: str) -> list[Finding]:
    """Faults of the sentence on an option or an argument."""
    sentence = text.partition("  [")[0]
    sentence = re.sub(r" \[[^\]]*\]$", "", sentence).strip()
    if not sentence:
        return [Finding(place, "found no help, expected a sentence")]
    found = []
    start = BEGINNINGS.match(sentence)
    if start:
        found.append(
            Finding(place, f"begins with {start[1]!r}, expected what is set, or a verb: {sentence}")
        )
    if not sentence[0].isupper() and not sentence[0].isdigit():
        found.append(Finding(place, f"begins with no capital letter: {sentence}"))
    if not sentence.endswith("."):
        found.append(Finding(place, f"ends with no period: {sentence}"))
    return found + check_words(place, text)


def check_words(
    place: str, text: str, patterns: list[tuple[re.Pattern[str], str]] = _PATTERNS
) -> list[Finding]:
    """Words that the project does not use."""
    plain = _CODE.sub("``", _FENCE.sub("", text))
    return [
        Finding(place, f"found {match[0].strip()!r}, say {better}: {_around(plain, match)}")
        for pattern, better in patterns
        for match in pattern.finditer(plain)
    ]


def _around(text: str, match: re.Match[str]) -> str:
    start, end = max(match.start() - 30, 0), match.end() + 30
    return " ".join(text[start:end].split())


def check_default(place: str, option: Any) -> list[Finding]:
    """An option without a value of its own says what holds where it is not given."""
    text = option.help or ""
    said = "efault" in text or "[" in text or " need" in text or ACTIONS.match(text)
    if option.required or option.is_flag or option.default not in (None, ()) or said:
        return []
    return [Finding(place, f"says no default ('Default: …'), nor when it is needed: {text}")]


def check_metavars(options: Iterable[tuple[str, Any]]) -> list[Finding]:
    """Options of one name that stand for values in different words; lists of choices may differ.

    A file may bear the name of what is in it (``--trips``), or of what it is for (``--base``).
    """
    metavars: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for place, option in options:
        if option.is_flag:
            continue
        name, metavar = max(option.opts, key=len), option.metavar or ""
        if not metavar:
            yield_of = Finding(f"{place} {name}", "has no metavar")
            metavars[name].setdefault(f"<{yield_of.fault}>", place)
        elif metavar != "FILE" and ("|" not in metavar or metavar.isupper()):
            metavars[name].setdefault(metavar, place)
    return [
        Finding(name, "has metavars " + ", ".join(f"{one} ({where})" for one, where in of.items()))
        for name, of in metavars.items()
        if len(of) > 1 or any(one.startswith("<") for one in of)
    ]


def check_arguments(params: Iterable[tuple[str, Any]]) -> list[Finding]:
    """Helps that name an argument or a value, such as INPUT, that only other commands have."""
    arguments: defaultdict[str, set[str]] = defaultdict(set)
    values: defaultdict[str, str] = defaultdict(str)
    params = list(params)
    for place, param in params:
        values[place] += f" {param.metavar}"
        if param.param_type_name == "argument":
            arguments[param.metavar].add(place)
            arguments[param.name.upper()].add(place)
    named = re.compile(rf"(?<![=.$\w])({'|'.join(map(re.escape, arguments))})\b(?![-\w])")
    return [
        Finding(f"{place} {param.name}", f"names {word}, not of this command: {param.help}")
        for place, param in params
        for word in sorted({*named.findall(param.help or "")})
        if not re.search(rf"\b{re.escape(word)}\b", values[place])
    ]


def check_examples(place: str, text: str) -> list[Finding]:
    """Paragraphs between the examples of a command, which belong before them."""
    paragraphs = [one.strip("\b\n ") for one in text.split("\n\n")]
    examples = [one.startswith("Example:") for one in paragraphs]
    first = examples.index(True) if True in examples else len(examples)
    return [
        Finding(place, f"found a paragraph after an example, expected it before: {one[:60]}")
        for one, is_example in zip(paragraphs[first:], examples[first:], strict=True)
        if not is_example
    ]


def check_docstrings(place: str, module: ast.Module) -> list[Finding]:
    """Faults of docstrings, and of texts below a constant or an attribute."""
    found = []
    for text in _docstrings(module):
        at = f"{place}:{text.lineno}"
        words = str(text.value).strip()
        start = _DOCSTRING.match(words)
        if start:
            line = words.splitlines()[0]
            found.append(Finding(at, f"begins with {start[1]!r}, expected what it is: {line}"))
        found += check_words(at, words)
    return found


def _docstrings(module: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(module):
        text = node.value if isinstance(node, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text


def check_messages(place: str, module: ast.Module) -> list[Finding]:
    """Faults of the texts of errors, warnings and notes."""
    return [
        finding
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and _SPEAKERS.fullmatch(ast.unparse(node.func))
        for argument in [*node.args, *(word.value for word in node.keywords)]
        for text in _texts(argument)
        for finding in check_words(f"{place}:{node.lineno}", text, _MESSAGES)
    ]


def _texts(node: ast.AST) -> Iterator[str]:
    """The texts of an expression; a value within one is a mark."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from (
            ()
            if isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)
            else _texts(child)
        )


def participles(place: str, module: ast.Module) -> list[Finding]:
    """Functions named by a participle rather than a verb; ``trained_model`` names a thing."""
    return [
        Finding(f"{place}:{node.lineno}", f"function {node.name}: a participle, expected a verb")
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any("property" in ast.unparse(one) for one in node.decorator_list)
        and _is_participle(*node.name.strip("_").split("_"))
    ]


def _is_participle(word: str, *rest: str) -> bool:
    if rest and rest[0] not in _PREPOSITIONS:
        return False
    return word in _PARTICIPLES or (word.endswith("ed") and word not in _NO_PARTICIPLES)


def options_of_app() -> list[tuple[str, Any]]:
    """Every option and argument of every command, with the command's words."""
    found = []
    for words, command in _commands(build_app(), ""):
        found += [(words, param) for param in command.params]
    return found


def _commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    command = getattr(command, "loaded", command)
    yield words or "humobctl", command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{words} {name}".strip())


def check_app() -> list[Finding]:
    """Faults of the helps of all commands."""
    found = []
    params = options_of_app()
    options = [(words, one) for words, one in params if one.param_type_name == "option"]
    for words, one in params:
        name = max(one.opts, key=len) if one.param_type_name == "option" else one.metavar
        found += check_help(f"{words} {name}", one.help or "")
        if one.param_type_name == "option":
            found += check_default(f"{words} {name}", one)
    for name, (_, summary) in COMMANDS.items():
        found += check_help(name, summary)
    for name, text in GROUPS.items():
        found += check_help(name, text.partition("\n")[0])
    for words, command in _commands(build_app(), ""):
        found += check_examples(words, command.help or "")
    return found + check_metavars(options) + check_arguments(params)


def check_package() -> list[Finding]:
    """Faults of the docstrings and the names of the package."""
    found = []
    for file in sorted((ROOT / "humobctl").rglob("*.py")):
        module, place = ast.parse(file.read_bytes()), str(file.relative_to(ROOT))
        found += check_docstrings(place, module) + check_messages(place, module)
        found += participles(place, module)
    return found


def check_pages() -> list[Finding]:
    """Faults of the pages for people."""
    files = sorted({file for pattern in PAGES for file in ROOT.glob(pattern)})
    names = [str(file.relative_to(ROOT)) for file in files]
    return [
        finding
        for file, name in zip(files, names, strict=True)
        if name not in GENERATED
        for finding in check_words(name, file.read_text())
    ]


def findings(paths: list[str]) -> list[Finding]:
    """Faults of some files, or of all texts."""
    if not paths:
        return [*check_app(), *check_package(), *check_pages()]
    found = []
    for path in paths:
        text = Path(path).read_text()
        found += (
            check_docstrings(path, ast.parse(text))
            if path.endswith(".py")
            else check_words(path, text)
        )
    return found


if __name__ == "__main__":
    found = sorted(set(findings(sys.argv[1:])))
    sys.stdout.writelines(f"{finding.place}: {finding.fault}\n" for finding in found)
    sys.exit(bool(found))
