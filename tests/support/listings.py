"""What git prints of commits and trees (`grep`, `log`, `diff-tree` and `ls-tree`), without a process.

What is unusual (a file that became a folder, a pathspec with brackets, a commit with an encoding) is left to git.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from tests.support.objects import FOLDER
from tests.support.plain import check
from tests.support.private import Store

SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "protocol.ext.allow": "never",
    "push.pushOption": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
"""The settings of all commands of the package."""
_LOG = [
    *("--raw", "-z", "--no-abbrev", "--no-renames", "--diff-merges=first-parent"),
    "--format=%H%x00%P%x00%ae%x00%ce%x00%an%x00%cn%x00%ct%x00%B%x00",
]
_KINDS = {b"100644": b"blob", b"100755": b"blob", b"120000": b"blob", b"160000": b"commit"}
_FILES = (b"100644", b"100755")
_SHA = re.compile(r"[0-9a-f]{40}")
_PATTERN = re.compile(r":\(glob\)((?:\*\*/|[A-Za-z0-9_. *-]+/)*[A-Za-z0-9_. *-]+)")
_ENDING = re.compile(r"((?:[A-Za-z0-9_. -]+/)*)\*([A-Za-z0-9_. -]+)")
"""Without `:(glob)` a star matches folders, too."""
_LITERAL = re.compile(r":\(literal\)([A-Za-z0-9_. -]+(?:/[A-Za-z0-9_. -]+)*)")
_PERSON = re.compile(rb"([^\s<>](?:[^<>\n]*[^\s<>])?) <([^\s<>]*)> (\d+) [+-]\d{4}")
_GREP = ("-z", "-l", "-a", "-F", "--no-color", "--threads=1"), ("-q", "-a", "-F")
_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_NO_FILE = b"000000", "0" * 40

_Head = tuple[str, tuple[str, ...], tuple[bytes, ...]]
"""Tree and parents of a commit, and what the format of the log has after them."""
Row = tuple[bytes, bytes, str]
"""Path, mode and object id of what is in a tree and is no folder."""

_rows: dict[str, tuple[Row, ...]] = {}
_changes: dict[tuple[str, str], tuple[tuple[bytes, bytes], ...]] = {}
_matching: dict[object, bool] = {}
_found: dict[object, tuple[bytes, ...]] = {}
_heads: dict[str, _Head] = {}
"""What is in trees, between them, and in files and commits: their ids say it."""


def answer(environ: Mapping[str, str], arguments: Sequence[str]) -> tuple[int, bytes]:
    """Return the exit code of a command and what it prints. Raises one of FAULTS for what is not plain."""
    verb, *options = arguments
    settings = {
        environ[f"GIT_CONFIG_KEY_{number}"]: environ[f"GIT_CONFIG_VALUE_{number}"]
        for number in range(int(environ["GIT_CONFIG_COUNT"]))
    }
    root = settings.pop("log.showRoot", "true") == "true"
    check(settings == SETTINGS and environ["GIT_CONFIG_GLOBAL"] == environ["GIT_CONFIG_SYSTEM"] == "/dev/null")
    store = Store(environ)
    specs: tuple[str, ...] = ()
    if "--" in options:
        end = options.index("--")
        options, specs = options[:end], tuple(options[end + 1 :])
        check(environ["GIT_LITERAL_PATHSPECS"] == "0" or not specs)
    if verb == "log":
        return 0, _log(_History(store), options, specs, root=root)
    return _VERBS[verb](store, options, specs)


def _tree(store: Store, sha: str) -> str:
    """Return the tree of a commit, or itself, which must be in this repository."""
    check(_SHA.fullmatch(sha) is not None)
    kind, _ = store.read(sha)
    check(kind in ("commit", "tree"))
    return store.commit(sha).tree if kind == "commit" else sha


# -- paths


@cache
def _pathspec(specs: tuple[str, ...]) -> Callable[[bytes], object]:
    """Return what says whether one of these pathspecs matches a path, by the rules of gitglossary(7)."""
    alternatives = []
    for spec in specs:
        if literal := _LITERAL.fullmatch(spec):
            alternatives.append(re.escape(literal[1]) + "(?:/.*)?")
            continue
        if ending := _ENDING.fullmatch(spec):
            alternatives.append(f"{re.escape(ending[1])}.*{re.escape(ending[2])}")
            continue
        glob = _PATTERN.fullmatch(spec)
        check(glob is not None)
        assert glob
        *folders, name = glob[1].split("/")
        check(not any("**" in part and part != "**" for part in [*folders, name]))
        words = ["(?:[^/]+/)*" if part == "**" else _wildcard(part) + "/" for part in folders]
        last = ".+" if name == "**" else _wildcard(name) + ("" if "*" in glob[1] else "(?:/.*)?")
        alternatives.append("".join([*words, last]))
    return re.compile("|".join(alternatives).encode(), re.DOTALL).fullmatch if specs else lambda _: True


def _wildcard(name: str) -> str:
    return "[^/]*".join(map(re.escape, name.split("*")))


# -- trees


def _rows_of(store: Store, tree: str) -> tuple[Row, ...]:
    """Return everything in a tree, in git's order."""
    if tree not in _rows:
        rows: list[Row] = []
        for name, (mode, sha) in store.entries(tree).items():
            if mode == FOLDER:
                rows += [(name + b"/" + path, mode, sha) for path, mode, sha in _rows_of(store, sha)]
            else:
                check(mode in _KINDS)
                rows.append((name, mode, sha))
        _rows[tree] = tuple(rows)
    return _rows[tree]


def _list(store: Store, options: Sequence[str], specs: tuple[str, ...]) -> tuple[int, bytes]:
    *how, sha = options
    names = how == ["-r", "-z", "--name-only", "--full-tree"]
    check((names or how == ["-r", "-z"]) and not specs)
    rows = _rows_of(store, _tree(store, sha))
    if names:
        return 0, b"".join(path + b"\0" for path, *_ in rows)
    return 0, b"".join(b"%s %s %s\t%s\0" % (mode, _KINDS[mode], blob.encode(), path) for path, mode, blob in rows)


def _grep(store: Store, options: Sequence[str], specs: tuple[str, ...]) -> tuple[int, bytes]:
    *how, sha = options
    start = next((start for start in _GREP if how[: len(start)] == [*start]), None)
    check(start is not None)
    assert start
    tree, expression = _tree(store, sha), tuple(how[len(start) :])
    key = tree, expression, specs
    if key not in _found:
        matches, words = _pathspec(specs), _words(expression)
        _found[key] = tuple(
            path
            for path, mode, blob in _rows_of(store, tree)
            if mode in _FILES and matches(path) and _has_line(store, blob, words)
        )
    found = _found[key]
    listed = () if "-q" in start else found
    return int(not found), b"".join(b"%s:%s\0" % (sha.encode(), path) for path in listed)


@cache
def _words(expression: tuple[str, ...]) -> tuple[tuple[bytes, ...], ...]:
    """Return the words of which a line must have one of each group."""
    groups = expression if expression[0] == "(" else ("(", *expression, ")")
    found = []
    for group in "\0".join(groups).split("\0--and\0"):
        first, *words, last = group.split("\0")
        check(first == "(" and last == ")" and words[::3] == ["-e"] * len(words[::3]))
        check(len(words) % 3 == 2 and words[2::3] == ["--or"] * (len(words) // 3))
        check(all(word.isascii() and "\n" not in word for word in words[1::3]))
        found.append(tuple(word.encode() for word in words[1::3]))
    return tuple(found)


def _has_line(store: Store, blob: str, words: tuple[tuple[bytes, ...], ...]) -> bool:
    if (blob, words) not in _matching:
        _, content = store.read(blob)
        lines = content.split(b"\n")
        if not lines[-1]:
            lines.pop()
        _matching[blob, words] = any(all(any(word in line for word in group) for group in words) for line in lines)
    return _matching[blob, words]


# -- what changed


def _between(store: Store, old: str | None, new: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """Return the differences of two trees, None for no tree, each as git prints it and its path."""
    key = old or "", new or ""
    if key not in _changes:
        _changes[key] = tuple(_differences(store, old, new))
    return _changes[key]


def _differences(store: Store, old: str | None, new: str | None) -> Iterator[tuple[bytes, bytes]]:
    sides = [store.entries(tree) if tree else {} for tree in (old, new)]
    modes = {name: {side[name][0] for side in sides if name in side} for name in {*sides[0], *sides[1]}}
    for name in sorted(modes, key=lambda name: name + b"/" if FOLDER in modes[name] else name):
        one, other = sides[0].get(name), sides[1].get(name)
        if one == other:
            continue
        if FOLDER in modes[name]:
            check(modes[name] == {FOLDER})
            for line, path in _between(store, one and one[1], other and other[1]):
                yield line, name + b"/" + path
            continue
        check(modes[name] <= _KINDS.keys())
        (mode_before, before), (mode_after, after) = one or _NO_FILE, other or _NO_FILE
        status = b"A" if not one else b"D" if not other else b"M" if mode_before[:3] == mode_after[:3] else b"T"
        shas = before.encode(), after.encode()
        yield b":%s %s %s %s %s" % (mode_before, mode_after, *shas, status), name


def _raw(changes: tuple[tuple[bytes, bytes], ...], specs: tuple[str, ...]) -> bytes:
    matches = _pathspec(specs)
    return b"".join(b"%s\0%s\0" % change for change in changes if matches(change[1]))


def _diff(store: Store, options: Sequence[str], specs: tuple[str, ...]) -> tuple[int, bytes]:
    *how, old, new = options
    check(how == ["-r", "-z", "--raw", "--no-abbrev", "--no-renames"])
    before = None if old == _EMPTY else _tree(store, old)
    return 0, _raw(_between(store, before, _tree(store, new)), specs)


# -- history


class _History:
    """The commits of a repository, with the parents that are not cut off."""

    def __init__(self, store: Store) -> None:
        self.store = store
        path = store.folder / "shallow"
        self._cut_off = frozenset(path.read_text().split()) if path.exists() else frozenset()

    def parents(self, sha: str) -> tuple[str, ...]:
        return () if sha in self._cut_off else _head(self.store, sha)[1]

    def first_parents(self, tip: str) -> Iterator[str]:
        sha: str | None = tip
        while sha:
            yield sha
            sha = next(iter(self.parents(sha)), None)

    def ancestors(self, tip: str) -> set[str]:
        found: set[str] = set()
        queue = [tip]
        while queue:
            sha = queue.pop()
            if sha not in found:
                found.add(sha)
                queue += self.parents(sha)
        return found

    def in_topological_order(self, without: str, tip: str) -> Iterator[str]:
        """Yield the ancestors of a commit that another has not: each after its children, the last found first.

        sort_in_topological_order() of git's commit.c.
        """
        wanted = self.ancestors(tip) - self.ancestors(without)
        children = dict.fromkeys(wanted, 0)
        for sha in wanted:
            for parent in {*self.parents(sha)} & wanted:
                children[parent] += 1
        ready = [tip] if tip in wanted else []
        while ready:
            sha = ready.pop()
            yield sha
            for parent in self.parents(sha):
                if parent in wanted:
                    children[parent] -= 1
                    if not children[parent]:
                        ready.append(parent)

    def show(self, sha: str, specs: tuple[str, ...], *, root: bool) -> bytes:
        """Return what the log prints of a commit."""
        tree, _, parts = _head(self.store, sha)
        parents = self.parents(sha)
        before = _head(self.store, parents[0])[0] if parents else None
        raw = _raw(_between(self.store, before, tree), specs) if parents or root else b""
        text = b"\0".join([sha.encode(), " ".join(parents).encode(), *parts])
        return text + (b"\n" + raw if raw else b"")


def _log(history: _History, options: Sequence[str], specs: tuple[str, ...], *, root: bool) -> bytes:
    *how, most, revisions = options
    check(how[: len(_LOG)] == _LOG and most.startswith("--max-count="))
    count, order = int(most.partition("=")[2]), how[len(_LOG) :]
    old, _, new = revisions.rpartition("..")
    _tree(history.store, new)
    if order == ["--topo-order"] and old and not specs:
        _tree(history.store, old)
        found = history.in_topological_order(old, new)
    else:
        check(order == ["--first-parent", "--sparse"] and not old)
        found = history.first_parents(new)
    return b"".join(history.show(sha, specs, root=root) for sha in itertools.islice(found, count))


def _between_commits(store: Store, options: Sequence[str], specs: tuple[str, ...]) -> tuple[int, bytes]:
    """List the commits between two with their parents, newest first."""
    *how, revisions = options
    old, _, new = revisions.partition("..")
    check(how == ["--ancestry-path", "--parents"] and not specs and not (store.folder / "shallow").exists())
    for sha in (old, new):
        check(_SHA.fullmatch(sha) is not None and store.read(sha)[0] == "commit")
    commits = list(store.log(new, without=old))
    descendants = {old}
    for _ in commits:
        descendants |= {commit.sha for commit in commits if descendants & {*commit.parents}}
    lines = (" ".join([commit.sha, *commit.parents]) for commit in commits if commit.sha in descendants)
    return 0, "".join(f"{line}\n" for line in lines).encode()


def _head(store: Store, sha: str) -> _Head:
    if sha not in _heads:
        kind, content = store.read(sha)
        head, separator, message = content.partition(b"\n\n")
        lines = [line.partition(b" ") for line in head.split(b"\n")]
        fields = {key: value for key, _, value in lines}
        people = [_PERSON.fullmatch(fields[role]) for role in (b"author", b"committer")]
        check(kind == "commit" and bool(separator) and b"encoding" not in fields and b"\0" not in content)
        check(all(people) and bool(message.strip()) and not message.startswith(b"\n"))
        author, committer = (person.groups() for person in people if person)
        parents = tuple(value.decode() for key, _, value in lines if key == b"parent")
        parts = author[1], committer[1], author[0], committer[0], committer[2], message, b"", b""
        _heads[sha] = fields[b"tree"].decode(), parents, parts
    return _heads[sha]


_VERBS: Mapping[str, Callable[[Store, Sequence[str], tuple[str, ...]], tuple[int, bytes]]] = {
    "diff-tree": _diff,
    "grep": _grep,
    "ls-tree": _list,
    "rev-list": _between_commits,
}
