"""Comments and pages cite only what a reader can open: URLs, files of this repository, sections of its pages."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.sources import anchors

ROOT = Path(__file__).parents[1]
FOLDERS = ("gitops_promotion", "tests", "docs", "examples", "benchmarks", ".github", ".ci")
SUFFIXES = {".py", ".md", ".yml", ".yaml", ".toml", ""}
TEXT = re.compile(
    r"""
    \bDESIGN\b                                      # texts that were never part of the repository
    | (?<![\w)\]])\((?:FLUX|FORGES|PREDECESSOR)(?=\)|[:,]?\s+(?:[a-z\d]|[A-Z][a-z]))
    | \b(?:FLUX|FORGES|GATES|FORMS|PREDECESSOR|REVIEW|STYLE)(?=\.md\b|[\s\#]+B?\d)
    | (?<![\w/#`.-])[Ii]ssues?[\s\#]+\d+            # whose issue, of which tracker?
    | \((?:B\d+(?:,\s+)?)+\)                         # a fault of the Go tool: docs/migrating.md has the list
    """,
    re.VERBOSE,
)
HINTS = ("DESIGN", "FLUX", "FORGES", "GATES", "FORMS", "PREDECESSOR", "REVIEW", "STYLE", "ssue", "(B")
"""One of them is in everything that TEXT matches: to look for it first takes a tenth of the time."""
PLACE = re.compile(r"(?<![\w.-])/(?:work|root)/[\w.-]+|/tmp/[w]/")
PLACES = ("work/", "root/", "tmp/w/")
"""One of them is in everything that PLACE matches."""
PAGE = re.compile(r"(?<![\w./-])((?:docs/[\w./-]+|README|CONTRIBUTING|SECURITY|CHANGELOG)\.md)(#[\w-]+)?")
FILE = re.compile(
    r"(?<![\w./<{-])((?:docs|examples|tests|benchmarks|gitops_promotion|\.github)/[\w./-]*[\w-])(?![\w*{<])"
)


def files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.suffix in SUFFIXES and path.is_file() and path.name != ".git")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and path != Path(__file__):
                yield path


@cache
def sections(path: Path) -> set[str]:
    return anchors(path.read_text(encoding="utf-8"))


def faults(name: str, text: str) -> list[str]:
    """Return the citations of a file that a reader cannot open."""
    missing = []
    if any(hint in text for hint in HINTS):
        missing += [" ".join(re.sub(r"[#(]", " ", match[0]).split()) for match in TEXT.finditer(text)]
    if any(place in text for place in PLACES):
        missing += [match[0] for match in PLACE.finditer(text)]
    for path, anchor in PAGE.findall(text):
        if not (ROOT / path).is_file():
            missing.append(path)
        elif anchor and anchor[1:] not in sections(ROOT / path):
            missing.append(path + anchor)
    if not name.startswith("tests/"):
        missing += [match[1] for match in FILE.finditer(text) if not (ROOT / match[1]).exists()]
    return missing


# In two pieces, so that this file has no such path itself.
MACHINE_PATH = "/work" + "/main"


@pytest.mark.parametrize(
    ("name", "text", "missing"),
    [
        ("a.py", '"""The rule (DESIGN 7)."""', ["DESIGN"]),
        ("a.py", "# as Flux posts it (FLUX\n# 2)", ["FLUX"]),
        ("a.py", "# FLUX 2: it posts errors", ["FLUX"]),
        ("a.py", "# Read every shape (FORGES, azure)", ["FORGES"]),
        ("a.py", "# The author (PREDECESSOR B40)", ["PREDECESSOR"]),
        ("a.py", "# Named by REVIEW 4.2", ["REVIEW"]),
        ("a.py", "# A dispatch event (issue 3)", ["issue 3"]),
        ("a.py", "# Any other host would get the token (B10)", ["B10)"]),
        ("a.py", "# Copies (B36, B37).", ["B36, B37)"]),
        ("a.md", "See issues 3 and 4.", ["issues 3"]),
        ("a.md", "See Issue #3.", ["Issue 3"]),
        ("a.yml", "# the log is in " + MACHINE_PATH, [MACHINE_PATH]),
        ("a.py", "# see docs/markers.md#nowhere", ["docs/markers.md#nowhere"]),
        ("a.py", "# see docs/nowhere.md", ["docs/nowhere.md", "docs/nowhere.md"]),
        ("a.md", "`tests/nowhere.py` and tests/nowhere", ["tests/nowhere.py", "tests/nowhere"]),
        ("a.py", 'x = [\n (FORGES, ""), (1, FLUX), (FORGES, PROVIDERS)]', []),
        ("a.py", "FLUX = FORGES = PREDECESSOR = 1; print(FLUX); f([FORGES], x)(FLUX)", []),
        ("a.py", "# add its name to FORGES, and FLUX to nothing", []),
        ("a.py", "# REVIEW_REQUIRED, _PREDECESSOR", []),
        ("a.md", "[flux2 4435](https://github.com/fluxcd/flux2/issues/4435), github.com/a/b/issues/3", []),
        ("a.py", "# https://github.com/fluxcd/flux2/issues/3 says so", []),
        ("a.py", "# Any other host would get the token (docs/migrating.md, B10), see B31 there", []),
        ("a.py", "# see docs/markers.md#quotes, `tests/conftest.py` and docs/facts/flux.md", []),
        ("a.md", "examples/github/*.yml, docs/{a,b}.md, https://example.com/docs/nowhere.md", []),
    ],
)
def test_a_citation_that_cannot_be_opened_is_found(name: str, text: str, missing: list[str]) -> None:
    assert faults(name, text) == missing


def test_every_citation_can_be_opened() -> None:
    missing = {}
    for path in files():
        name = str(path.relative_to(ROOT))
        if citations := faults(name, path.read_text(encoding="utf-8")):
            missing[name] = citations
    assert missing == {}, "cite a URL, a file of this repository or a page of docs/ with its section"
