"""What is listed without git is what git lists, and what is unusual is left to git."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.git.environment import SAFE, as_environment
from gitops_promotion.git.formats import LOG_FORMAT
from tests.support import listings, refs
from tests.support.plain import FAULTS
from tests.support.repositories import Remote

if TYPE_CHECKING:
    from gitops_promotion.git import Repository

PATHS = ("a.yaml", "a/b.yaml", "a/b-c/d.yaml", "a/b/Kustomization", "a/b/d.yaml", "c d/e.yml", "z/y/x.yaml")
CONTENTS = ("", "\n", "one", "one\ntwo\n", "one two\n", "two \\\n", "three\n\n")
SPECS: Sequence[list[str]] = (
    [":(glob)**/*.yaml"],
    [":(glob)a/**/*.yaml", ":(glob)a/**/Kustomization"],
    [":(literal)a/b.yaml", ":(literal)c d"],
    [":(glob)a/**"],
    ["a/*.yaml", "c d/*.yml"],
    [":(glob)*/b*/*.yaml", ":(glob)a/b"],
    [],
)
LOG = ["log", "--raw", "-z", "--no-abbrev", "--no-renames", "--diff-merges=first-parent", f"--format={LOG_FORMAT}"]
GREP = ["grep", "-z", "-l", "-a", "-F", "--no-color", "--threads=1"]
WORDS = (["-e", "one"], ["(", "-e", "one", ")", "--and", "(", "-e", "two", "--or", "-e", "\\", ")"])


@pytest.fixture
def history(make_remote: Callable[..., Remote]) -> Remote:
    """Two branches that grow by dice and meet now and then, with links, programs and a submodule."""
    remote, dice = make_remote({"a.yaml": "one two\n"}), Random(7)  # noqa: S311  the same numbers every time
    remote.commit({"a/b.yaml": "one\n"}, branch="p", start="main")
    objects = remote.objects
    for number in range(16):
        branch, other = dice.sample(("main", "p"), 2)
        tip = objects.commit(remote.sha(branch))
        contents = {path: dice.choice((*CONTENTS, None)) for path in dice.sample(PATHS, 3)}
        modes = {path: dice.choice((b"100644", b"100755", b"120000")) for path in contents}
        tree = objects.edit(tip.tree, contents, modes)
        if number == 9:
            entries = {**objects.entries(tree), b"sub": (b"160000", tip.sha)}
            tree = objects._write_tree(dict(entries)) or ""
        parents = (tip.sha, remote.sha(other)) if number % 5 == 4 else (tip.sha,)
        sha = objects.write_commit(tree, parents, f"Change {number}\n\nText\n", tip.author, tip.committer)
        refs.change(remote.path, f"refs/heads/{branch}", sha)
    remote.commit(dict(zip(PATHS, ("one two\n", "one \\\n", "one\n", "one", "", "one\ntwo\n", "two\n"), strict=True)))
    return remote


@pytest.fixture
def repository(history: Remote, open_repository: Callable[..., "Repository"]) -> "Repository":
    found = open_repository(history.clone().path)
    found.fetch("refs/heads/main", "refs/heads/p")
    return found


def environment(repository: "Repository", *settings: tuple[str, str]) -> dict[str, str]:
    return {
        **repository._private.environ,
        "GIT_LITERAL_PATHSPECS": "0",
        **as_environment([*SAFE, *settings]),
    }


def git(repository: "Repository", environ: Mapping[str, str], command: Sequence[str]) -> tuple[int, bytes]:
    done = subprocess.run(["git", *command], cwd=repository._private.folder, env=dict(environ), capture_output=True)
    assert done.stderr == b""
    return done.returncode, done.stdout


def assert_same(repository: "Repository", command: Sequence[str], *settings: tuple[str, str]) -> bytes:
    """Return what both print."""
    environ = environment(repository, *settings)
    expected = git(repository, environ, command)
    assert listings.answer(environ, command) == expected
    return expected[1]


@pytest.mark.parametrize("specs", SPECS, ids=" ".join)
def test_what_pathspecs_choose_is_what_git_chooses(history: Remote, repository: "Repository", specs: list[str]) -> None:
    main, other = history.sha("main"), history.sha("p")
    printed = [assert_same(repository, [*GREP, *words, main, "--", *specs]) for words in WORDS]
    assert b".y" in printed[0]
    assert printed[0] != printed[1]
    assert_same(repository, ["grep", "-q", "-a", "-F", "-e", "", main, "--", *specs])
    between = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"]
    assert_same(repository, [*between, other, main, "--", *specs])
    log = [*LOG, "--first-parent", "--sparse", "--max-count=200", main, "--", *specs]
    with_root, without = assert_same(repository, log), assert_same(repository, log, ("log.showRoot", "false"))
    assert (with_root == without) == (specs not in ([], [":(glob)**/*.yaml"]))


def test_a_quiet_search_says_by_its_status_whether_there_is_a_line(history: Remote, repository: "Repository") -> None:
    sha = history.commit({"empty": "", "line": "\n"})
    repository.fetch("refs/heads/main")
    for name, status in (("empty", 1), ("line", 0), ("nothing", 1)):
        command = ["grep", "-q", "-a", "-F", "-e", "", sha, "--", f":(glob){name}"]
        assert assert_same(repository, command) == b""
        assert listings.answer(environment(repository), command)[0] == status


def test_a_tree_and_what_is_between_commits_are_listed_as_by_git(history: Remote, repository: "Repository") -> None:
    main, other = history.sha("main"), history.sha("p")
    empty = git(repository, repository._private.environ, ["hash-object", "-t", "tree", "/dev/null"])[1].decode().strip()
    printed = set()
    for sha in (history.sha("main~1"), other):
        for options in (["-r", "-z"], ["-r", "-z", "--name-only", "--full-tree"]):
            assert_same(repository, ["ls-tree", *options, sha])
        added = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", empty, sha, "--"]
        printed |= {*assert_same(repository, added).split()}
    assert printed > {b"100644", b"100755", b"120000", b"160000"}
    base = history.sha("main~6")
    for old, new in ((main, other), (other, main), (base, main)):
        for count in (2, 100001):
            assert_same(repository, [*LOG, "--topo-order", f"--max-count={count}", f"{old}..{new}", "--"])
    assert assert_same(repository, ["rev-list", "--ancestry-path", "--parents", f"{base}..{main}", "--"])


def test_a_history_that_is_cut_off_is_listed_as_by_git(history: Remote, repository: "Repository") -> None:
    main = history.sha("main")
    (repository._private.folder / "shallow").write_text(f"{history.sha('main~2')}\n")
    log = [*LOG, "--first-parent", "--sparse", "--max-count=200", main, "--", ":(glob)**/*.yaml"]
    assert assert_same(repository, log).count(b"Change") == 3
    assert_same(repository, [*LOG, "--topo-order", "--max-count=100001", f"{history.sha('main~1')}..{main}", "--"])


NOT_PLAIN: Mapping[str, Sequence[str]] = {
    "brackets in a pathspec": [*GREP, "-e", "x", "{sha}", "--", ":(glob)[a]/*.yaml"],
    "stars in a name": [*GREP, "-e", "x", "{sha}", "--", ":(glob)a**/*.yaml"],
    "two stars without `:(glob)`": [*GREP, "-e", "x", "{sha}", "--", "a/*/*.yaml"],
    "another option": [*GREP, "-i", "-e", "x", "{sha}", "--"],
    "letters that are not ASCII": [*GREP, "-e", "ü", "{sha}", "--"],
    "a revision": [*GREP, "-e", "x", "HEAD", "--"],
    "an object that is not here": [*GREP, "-e", "x", "0" * 40, "--"],
    "another order": [*LOG, "--max-count=1", "{sha}", "--"],
    "a file that became a folder": ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "{old}", "{sha}"],
}


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_what_is_unusual_is_left_to_git(history: Remote, repository: "Repository", case: str) -> None:
    names = {"old": history.commit({"k": "1\n"}), "sha": history.commit({"k": None, "k/x": "1\n"})}
    repository.fetch("refs/heads/main")
    with pytest.raises(FAULTS):
        listings.answer(environment(repository), [word.format(**names) for word in NOT_PLAIN[case]])


def test_other_settings_are_left_to_git(history: Remote, repository: "Repository") -> None:
    with pytest.raises(FAULTS):
        listings.answer(
            environment(repository, ("grep.patternType", "perl")), [*GREP, "-e", "x", history.sha("main"), "--"]
        )
