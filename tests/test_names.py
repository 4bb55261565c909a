"""Names of variables say what they hold: the share of pronouns, adverbs and participles may only fall."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT = 0.3
"""The share of vague bindings, in percent. Lower it whenever the measured share is lower; never raise it."""
VAGUE = set(
    """
    asked been began begun brought built came chosen done ended found given gone had heard held kept known laid left
    listed look lost made meant named numbered once put reached said saw seen sent shown spoken started taken told took
    touched wanted written

    again always anew anywhere elsewhere everywhere here instead now still then there thus yet

    how what where whether which who whom whose why

    all any both each either mine more most neither none one ones other others ours own rest some theirs whole yours

    anyone anything everyone everything nobody nothing somebody someone something stuff thing things

    answer deed stay trouble wish
    """.split()  # noqa: SIM905  a list has a line for each
)


class Scope(ast.NodeVisitor):
    """Collects the names that one function, or the module itself, binds; nested functions have scopes of their own."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.inner: list[Scope] = []

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        scope = Scope()
        self.inner.append(scope)
        scope.generic_visit(node)
        scope.names -= {"self", "cls"}

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  the name of ast
    visit_Lambda = visit_FunctionDef  # noqa: N815  the name of ast

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        # The names in a class are attributes: they are read with the noun in front of them.
        scope = Scope()
        scope.generic_visit(node)
        self.inner += scope.inner

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names.add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        # `now: datetime` is the usual name of a time that is handed in.
        if not (node.arg == "now" and node.annotation and "datetime" in ast.unparse(node.annotation)):
            self.names.add(node.arg)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._named(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._named(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._named(node)

    def _named(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.names.add(node.name)
        self.generic_visit(node)

    def bindings(self) -> Iterator[str]:
        """Yield each name once for every scope that binds it."""
        yield from self.names
        for scope in self.inner:
            yield from scope.bindings()


def bindings(source: str) -> list[str]:
    """Return the names that a module's functions and statements bind: parameters, locals, targets of loops."""
    module = Scope()
    module.visit(ast.parse(source))
    return sorted(name for name in module.bindings() if name.lower() == name and not name.startswith("__"))


def is_vague(name: str) -> bool:
    return name.strip("_") in VAGUE


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("found = 1", ["found"]),
        ("LIMIT = __all__ = 1", []),
        ("def f(self, asked, *said, known=1, **told): pass", ["asked", "known", "said", "told"]),
        ("def f():\n    found = 1\n    found = 2", ["found"]),
        ("def f():\n    found = 1\ndef g():\n    found = 2", ["found", "found"]),
        ("def f():\n    def g():\n        found = 2", ["found"]),
        ("class C:\n    found: int = 1", []),
        ("class C:\n    def f(self):\n        found = 1", ["found"]),
        ("[each for each in ()]", ["each"]),
        ("for each, (other, *rest) in (): pass", ["each", "other", "rest"]),
        ("with a as given: pass", ["given"]),
        ("if (seen := 1): pass", ["seen"]),
        ("try: pass\nexcept E as left: left", ["left"]),
        ("match a:\n    case [kept, *rest] if b: pass\n    case C(x=taken): pass", ["kept", "rest", "taken"]),
        ("f = lambda what: what", ["f", "what"]),
        ("def f(now: datetime): pass", []),
        ("def f(now): pass", ["now"]),
        ("a.found = 1; a['found'] = 1; f(found=1)", []),
    ],
)
def test_every_way_to_bind_a_name_counts_once_for_each_scope(source: str, names: list[str]) -> None:
    assert bindings(source) == names


def test_vague_names_become_fewer() -> None:
    total, vague, files = 0, Counter[str](), Counter[str]()
    for path in sorted((ROOT / "gitops_promotion").rglob("*.py")):
        names = bindings(path.read_text(encoding="utf-8"))
        total += len(names)
        vague.update(filter(is_vague, names))
        files[str(path.relative_to(ROOT))] = sum(map(is_vague, names))
    share = round(100 * vague.total() / total, 2)
    assert share <= LIMIT, (
        f"{vague.total()} of {total} names say nothing, {share} %. Name a variable for what it holds."
        f" Most of them are in {', '.join(f'{path} ({count})' for path, count in files.most_common(10))};"
        f" the most frequent are {', '.join(f'{name} ({count})' for name, count in vague.most_common(15))}"
    )
