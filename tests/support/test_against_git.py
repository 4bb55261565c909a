"""What tests read and write without git is what git itself reads and writes."""

import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.support import refs
from tests.support.plain import FAULTS
from tests.support.repositories import Checkout, Remote, _plain

PATHS = ("a", "a.b", "a-b/c", "a/b/c", "a/b/d", "b", "z/y/x")


@pytest.fixture
def history(make_remote: Callable[..., Remote]) -> Remote:
    """Two branches that grow by the same dice each time, and meet now and then."""
    remote, dice = make_remote({"a": "0\n"}), Random(4)  # noqa: S311  the same numbers every time
    remote.commit({"b": "0\n"}, branch="p", start="main")
    for number in range(30):
        branch, other = dice.sample(("main", "p"), 2)
        paths = dice.sample(PATHS, 2)
        remote.commit({path: dice.choice((f"{number}\n", None)) for path in paths}, f"Change {number}", branch=branch)
        if dice.random() < 0.2:
            command = ("commit-tree", f"{branch}^{{tree}}", "-p", branch, "-p", other, "-m", f"Merge {number}")
            refs.change(remote.path, f"refs/heads/{branch}", remote.git(*command))
    return remote


def test_git_finds_no_fault_in_what_was_written(history: Remote) -> None:
    assert history.git("fsck", "--strict", "--no-dangling") == ""
    assert history.git("rev-list", "--count", "--all") == str(
        len(history.objects.ancestors(*history.branches().values()))
    )


def test_a_commit_is_the_one_that_git_makes(history: Remote) -> None:
    text = "A B <a@example.com> 1772366400 +0000"
    stream = f"commit refs/heads/main\nauthor {text}\ncommitter {text}\ndata 8\nMessage\nfrom {history.sha('main')}\n"
    stream += 'D a\nM 100644 inline "x \\"y\\"\\nz"\ndata 1\n1\nM 100644 inline a/b/e\ndata 1\n2\n'
    before = history.sha("main")
    history.git("fast-import", "--quiet", stdin=stream)
    after = history.sha("main")
    refs.change(history.path, "refs/heads/main", before)
    files = {"a": None, 'x "y"\nz': "1", "a/b/e": "2"}
    assert history.commit(files, "Message\n", author="A B <a@example.com>") == after


@pytest.mark.parametrize(("tip", "excluded"), [("p", ""), ("p", "main"), ("p", "p~9")])
def test_the_log_is_in_the_order_of_git(history: Remote, tip: str, excluded: str) -> None:
    listed = history.git("rev-list", tip, *([f"^{excluded}"] if excluded else [])).split()
    objects = history.objects
    without = history.sha(excluded) if excluded else ""
    assert [commit.sha for commit in objects.log(history.sha(tip), without=without)] == listed
    commit = objects.commit(listed[0])
    shown = history.git("log", "-1", "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%s", listed[0]).split("\n")
    author = commit.author
    people = [author.name, author.email, author.when.isoformat()]
    assert [commit.sha, commit.tree, " ".join(commit.parents), *people, commit.subject] == shown


def test_trees_that_merge_without_git_merge_the_same_with_it(history: Remote) -> None:
    objects, merged = history.objects, 0
    shas = sorted(objects.ancestors(*history.branches().values()))
    for one, other in pairwise(shas):
        base = objects.merge_base(one, other)
        assert base in (None, *history.git("merge-base", "--all", one, other).split())
        trees = [objects.commit(sha).tree for sha in (base, one, other) if sha]
        if len(trees) == 3 and (tree := objects.merge_trees(*trees)):
            assert history.git("merge-tree", "--write-tree", one, other) == tree
            merged += 1
    assert merged > 3


@pytest.mark.parametrize("packed", [False, True])
def test_refs_and_files_are_those_that_git_reads(history: Remote, packed: bool) -> None:
    if packed:
        history.git("tag", "--annotate", "--message=1", "v1", "p")
        history.git("gc", "--quiet")
        history.commit({"new": "1\n"})
    listed = history.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    assert refs.read_refs(history.path) == dict(line.split() for line in listed)
    assert history.sha("HEAD") == history.git("rev-parse", "HEAD") == history.branches()["main"]
    paths = history.files("main")
    assert {path: history.show(path, "main").strip() for path in paths} == {
        path: history.git("cat-file", "blob", f"main:{path}") for path in paths
    }


def test_a_ref_changes_only_if_it_is_as_expected_and_not_locked(history: Remote) -> None:
    main, p = history.sha("main"), history.sha("p")
    assert not refs.change(history.path, "refs/heads/main", p, p)
    assert not refs.change(history.path, "refs/heads/main", p, None)
    assert not refs.change(history.path, "refs/heads/new", p, p)
    lock = history.path / "refs/heads/main.lock"
    lock.touch()
    assert not refs.change(history.path, "refs/heads/main", p, main)
    lock.unlink()
    assert history.sha("main") == main
    assert refs.change(history.path, "refs/heads/main", p, main)
    assert refs.change(history.path, "refs/heads/a/b", p, None)
    assert (history.git("rev-parse", "main"), history.git("rev-parse", "a/b")) == (p, p)


def with_git(repository: Checkout, *arguments: str, stdin: bytes = b"") -> str:
    command, environ = ["git", *arguments], dict(repository.environ)
    done = subprocess.run(command, cwd=repository.path, env=environ, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ("for-each-ref",),
        ("for-each-ref", "--format=%(refname)"),
        ("for-each-ref", "--format=%(refname)", "refs/heads/p"),
        ("for-each-ref", "--format=%(refname)", "refs/own/"),
        ("for-each-ref", "--format=%(refname)", "refs/none"),
        ("cat-file", "blob", "refs/own/1"),
    ],
)
def test_a_command_without_git_prints_what_git_prints(history: Remote, arguments: tuple[str, ...]) -> None:
    blob = history.git("hash-object", "-w", "--stdin", stdin="text\n")
    assert history.git("update-ref", "refs/own/1", blob) == ""
    assert history._answer(arguments, b"") == with_git(history, *arguments)
    assert with_git(history, "hash-object", "-w", "--stdin", stdin=b"text\n") == blob


def test_refs_that_are_changed_without_git_are_those_of_git(history: Remote) -> None:
    main = history.sha("main")
    for arguments in (("update-ref", "refs/heads/x/y", "main"), ("update-ref", "-d", "refs/heads/p")):
        assert history._answer(arguments, b"") == ""
    assert with_git(history, "for-each-ref", "--format=%(refname) %(objectname)").splitlines() == [
        f"refs/heads/main {main}",
        f"refs/heads/x/y {main}",
    ]
    # What is packed, not there or no object is git's affair.
    with_git(history, "pack-refs", "--all")
    for arguments in (
        ("update-ref", "-d", "refs/heads/x/y"),
        ("update-ref", "-d", "refs/heads/none"),
        ("update-ref", "refs/heads/none", "1" * 40),
        ("cat-file", "blob", "main"),
    ):
        assert history._answer(arguments, b"") is None
    assert history.branches() == {"main": main, "x/y": main}


def test_a_ref_is_deleted_only_if_it_is_as_expected_and_not_locked(history: Remote) -> None:
    sha, lock = history.sha("p"), history.path / "refs/heads/p.lock"
    assert refs.delete(history.path, "refs/heads/p", history.sha("main")) is False
    lock.touch()
    assert refs.delete(history.path, "refs/heads/p", sha) is False
    lock.unlink()
    assert history.branches()["p"] == sha
    assert refs.delete(history.path, "refs/heads/p", sha) is True
    assert "p" not in with_git(history, "branch", "--format=%(refname:short)").split()
    assert not lock.exists()


@pytest.mark.parametrize("branch", ["", "topic/a"])
def test_a_checkout_of_one_commit_is_one_to_git_too(history: Remote, branch: str, tmp_path: Path) -> None:
    tip, ref = history.sha("p"), "refs/remotes/origin/p"
    checkout = history.check_out(
        tmp_path / "work", history.environ, tip, ref, url="https://forge.test/x", branch=branch
    )
    assert checkout.git("fsck", "--strict", "--no-dangling") == ""
    assert checkout.git("log", "--all", "--format=%H") == tip
    assert checkout.git("rev-parse", "--is-shallow-repository") == "true"
    assert checkout.git("remote", "get-url", "origin") == "https://forge.test/x"
    assert checkout.git("branch", "--show-current") == branch
    assert checkout.sha() == checkout.sha(ref) == tip
    checkout.git("read-tree", "HEAD")
    assert checkout.git("status", "--porcelain") == ""


@pytest.mark.parametrize("options", [(), ("--depth=1",), ("--bare",)])
def test_a_second_clone_is_like_the_first(remote: Remote, options: tuple[str, ...]) -> None:
    def state(checkout: Checkout) -> list[str]:
        shallow = checkout.git("rev-parse", "--is-shallow-repository")
        return [checkout.git("log", "--format=%H", "--all"), checkout.git("config", "--list"), shallow]

    one, two = remote.clone("one", *options), remote.clone("two", *options)
    assert state(one) == state(two)
    assert f"remote.origin.url={remote.url}" in state(two)[1]
    if "--bare" not in options:
        assert two.git("status", "--porcelain") == ""
    remote.commit({"new": "1\n"})
    assert remote.clone("three", *options).sha() == remote.sha("main") != one.sha()


def state(checkout: Checkout) -> list[str]:
    """What git says of a repository, and the files in it."""
    commands = [
        *(["for-each-ref"], ["symbolic-ref", "HEAD"], ["symbolic-ref", "refs/remotes/origin/HEAD"]),
        *(["config", "--list"], ["ls-files", "--stage"], ["status", "--porcelain"], ["fsck", "--strict"]),
        ["rev-list", "--objects", "--all", "--no-object-names"],
    ]
    files = {name: found[::2] for name, found in checkout.snapshot().items() if not name.startswith(".git/")}
    return [*(str(sorted(with_git(checkout, *command).split("\n"))) for command in commands), str(files)]


def clone_with_git(remote: Remote, name: str) -> Checkout:
    path = remote.path.parent / name
    with_git(remote, "clone", "--quiet", remote.path.as_uri(), str(path))
    checkout = Checkout(path=path, environ=remote.environ)
    with_git(checkout, "remote", "set-url", "origin", remote.url)
    return checkout


@pytest.fixture
def modes(history: Remote) -> Remote:
    """A remote with all kinds of files and names, and refs that no clone gets."""
    objects, commit = history.objects, history.objects.commit(history.sha("main"))
    files = {
        "a.sh": "x",
        "a-": "y",
        "ü/\n": "",
        "ü.x": "z" * 5000,
        "link": "ü",
        ".github/x": "1",
        "d" * 200 + "/y": "2",
    }
    tree = objects.edit(commit.tree, files, {"a.sh": b"100755", "link": b"120000"})
    sha = objects.write_commit(tree, (commit.sha,), "Modes", commit.author, commit.committer)
    refs.change(history.path, "refs/heads/main", sha)
    refs.change(history.path, "refs/pull/1/head", sha)
    return history


def test_a_clone_without_git_is_like_one_of_git(modes: Remote) -> None:
    snapshot = _plain().clone(modes.path, modes.environ, modes.url)
    snapshot.write(modes.path.parent / "ours")
    ours, one_of_git = Checkout(path=modes.path.parent / "ours", environ=modes.environ), clone_with_git(modes, "git")
    assert state(ours) == state(one_of_git)
    names = [{re.sub(r"[0-9a-f]{40}|logs/.*", "", name) for name in each.snapshot()} for each in (ours, one_of_git)]
    assert names[0] == names[1] - {".git/logs", ".git/"}
    [pack] = (ours.folder / "objects/pack").glob("*.pack")
    assert with_git(ours, "verify-pack", str(pack)) == ""


def act(checkout: Checkout, *arguments: str) -> str:
    assert checkout._act(arguments)
    return ""


@pytest.mark.parametrize("refspec", ["p", "HEAD:p"])
def test_a_fetch_and_a_push_without_git_do_what_git_does(modes: Remote, refspec: str) -> None:
    found = []
    for name, run in (("ours", act), ("git", with_git)):
        remote = Remote(
            path=Path(shutil.copytree(modes.path, modes.path.with_name(f"{name}.git"))), environ=modes.environ
        )
        checkout = clone_with_git(remote, name)
        remote.commit({"new/one": "1\n"}, branch="p")
        remote.commit({"other": "1\n"}, branch="more/q", start="p~1")
        run(checkout, "fetch", "--quiet", "origin")
        found.append(with_git(checkout, "for-each-ref"))
        with_git(checkout, "checkout", "--quiet", "p")
        sha = checkout.commit({"mine": "1\n"}, branch="p")
        run(checkout, "push", "-q", "origin", refspec)
        assert remote.sha("p") == checkout.sha("origin/p") == sha
        assert [with_git(each, "fsck", "--strict", "--no-dangling") for each in (remote, checkout)] == ["", ""]
        found.append(with_git(remote, "for-each-ref") + with_git(checkout, "for-each-ref"))
    assert found[:2] == found[2:]


@pytest.mark.parametrize(
    "prepare",
    [
        ("tag", "v1", "p"),
        ("config", "receive.denyNonFastForwards", "true"),
        ("update-ref", "refs/heads/p", "main"),
        ("pack-refs", "--all"),
        ("repack", "-q"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_push_that_is_not_plain_is_left_to_git(remote: Remote, prepare: tuple[str, ...]) -> None:
    remote.commit({"x": "1"}, branch="p")
    checkout = clone_with_git(remote, "checkout")
    checkout.commit({"mine": "1\n"}, branch="p", start="origin/p")
    remote.commit({"x": "2"})
    with_git(remote, *prepare)
    before = with_git(remote, "for-each-ref")
    with pytest.raises(FAULTS):
        checkout._act(("push", "-q", "origin", "p"))
    assert with_git(remote, "for-each-ref") == before


CONFIGURED = {
    "fetch.prune": "true",
    "http.http://org@127.0.0.1:1/x.git.extraHeader": "AUTHORIZATION: Basic a=b",
    "url./a b/.insteadOf": 'forge:"x\\y" # z;',
    "core.hooksPath": "/a b",
}


@pytest.mark.parametrize("scope", [(), ("--global",)], ids=["own", "global"])
def test_settings_without_git_are_those_that_git_writes(remote: Remote, scope: tuple[str, ...]) -> None:
    written = []
    for name, run in (("ours", act), ("git", with_git)):
        checkout = clone_with_git(remote, name)
        home = Path(shutil.copytree(remote.environ["HOME"], remote.path.with_name(f"home-{name}")))
        checkout = Checkout(path=checkout.path, environ={**remote.environ, "HOME": str(home)})
        for key, value in CONFIGURED.items():
            run(checkout, "config", *scope, key, value)
        run(checkout, "remote", "set-url", "origin", "http://org@127.0.0.1:1/x.git")
        written.append(with_git(checkout, "config", "--list", "--show-scope").splitlines())
        with pytest.raises(FAULTS):
            checkout._act(("config", *scope, "fetch.prune", "false"))
        for url in ("a;b", "a b"):
            with pytest.raises(FAULTS):
                checkout._act(("remote", "set-url", "origin", url))
    assert sorted(written[0]) == sorted(written[1])
    assert len(written[0]) > 15
