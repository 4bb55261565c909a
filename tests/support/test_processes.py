"""What is answered without git is what git answers, and what is not plain is left to git."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import pytest

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import AuthError, GitError
from gitops_promotion.git import process
from tests.forges.azure import AzureDevOps
from tests.forges.faults import forbidden
from tests.forges.github import GitHub
from tests.support import processes, refs, shares
from tests.support.repositories import Checkout, Remote

if TYPE_CHECKING:
    from gitops_promotion.git import Repository

Open = Callable[..., "Repository"]
FILES = ("a", "a.b", "a-b/c", "a b/c", "d/e/f", "d/e/g", "d.z")
HEADS = ("refs/heads/main", "refs/heads/p", "refs/heads/q/1", "refs/own/1")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that git itself answers."""
    commands: list[str] = []
    git = process._start

    def start(command: Sequence[str], environ: Any) -> Any:
        commands.append(command[3])
        return git(command, environ)

    monkeypatch.setattr(process, "_start", start)
    return commands


@pytest.fixture
def spared(started: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that git itself answers, while some are answered without it."""
    processes.spare(monkeypatch.setattr)
    return started


def of_remote(commands: Sequence[str]) -> list[str]:
    return [command for command in commands if command in ("ls-remote", "fetch", "push")]


def objects(folder: Path) -> set[str]:
    return {str(path.relative_to(folder / "objects")) for path in folder.glob("objects/??/*")}


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How often things are done by dice."""
    return 15 if shares.is_whole(pytestconfig) else 6


def act(repository: "Repository", dice: Random, times: int) -> list[object]:
    """Do things by dice, and return all that was seen."""
    seen: list[object] = []
    for number in range(times):
        known = repository.refs("refs/*").shas
        seen += [known, repository.refs(dice.choice(("main", "refs/heads/*", "own/*"))), repository.refs()]
        got = repository.fetch(*dice.sample(sorted(known), dice.randint(1, len(known))))
        commits = sorted({sha for sha in got.values() if repository.has(sha)}) or [known[HEADS[0]]]
        repository.fetch_commit(known[HEADS[0]])
        one, other = dice.choice(commits), dice.choice(commits)
        seen += [got, repository.read(one, FILES), [repository.message(sha) for sha in got.values()]]
        seen += [repository.diff_trees(one, other), repository.diff_from_merge_base(one, other)]
        seen += [repository.merge_result(one, other), repository.history(one, ["d", "a"], 5)]
        seen += [repository.commits(one, other), repository.has_files(other, [":(glob)d/**"])]
        ref, unmoved = dice.sample(HEADS, 2)
        new = make(repository, dice, number, one, other) if ref == HEADS[0] or dice.random() < 0.7 else None
        if new is None and ref == HEADS[3]:
            new = repository.write_blob(b"%d" % number)
        update = RefUpdate(ref=ref, new=new, expected=known.get(ref))
        unchanged = {unmoved: known[unmoved]} if unmoved in known and dice.random() < 0.3 else {}
        try:
            repository.push([update], unchanged=unchanged)
        except GitError as error:
            seen.append(type(error))
    return seen


def make(repository: "Repository", dice: Random, number: int, one: str, other: str) -> str | None:
    """Return a new commit, or one that was there."""
    if dice.random() < 0.3:
        return repository.merge(one, other, f"Merge {number}\n\n{dice.choice('uü')}").sha
    edits = {path: dice.choice((b"%d\n" % number, None, b"")) for path in dice.sample(FILES, 2)}
    return repository.commit(one, edits, f"Change {number}", on_top_of=dice.choice((None, other)))


@pytest.mark.parametrize("seed", range(2))
def test_what_is_plain_ends_as_with_git(
    make_remote: Callable[..., Remote],
    open_repository: "Open",
    started: list[str],
    tmp_path: Path,
    rounds: int,
    seed: int,
) -> None:
    one = make_remote(dict.fromkeys(FILES, "0\n"), name="one.git")
    shutil.copytree(one.path, tmp_path / "two.git")
    two = Remote(path=tmp_path / "two.git", environ=one.environ)
    dice = Random(seed)  # noqa: S311  the same numbers for both
    state = dice.getstate()
    with pytest.MonkeyPatch.context() as patch:
        processes.spare(patch.setattr)
        without = act(open_repository(one.clone("first").path), dice, rounds)
    # Only deletions of what is not there are refused.
    assert set(of_remote(started)) <= {"push"}
    assert {"cat-file", "diff-tree", "grep", "log"} & set(started) == set()
    assert started.count("merge-tree") < 2 * rounds
    plain = len(started)
    dice.setstate(state)
    assert without == act(open_repository(two.clone("second").path), dice, rounds)
    assert len(started) > plain + 6 * rounds
    assert refs.read_refs(one.path) == refs.read_refs(two.path)
    assert objects(one.path) == objects(two.path)
    assert one.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("forge", ["github", "azdo"])
def test_a_forge_sees_the_requests_that_it_sees_of_git(
    tmp_path: Path,
    environ: dict[str, str],
    open_repository: "Open",
    started: list[str],
    rounds: int,
    forge: str,
) -> None:
    ends, logs = [], []
    for kind in ("without", "with"):
        with (
            GitHub(tmp_path / kind) if forge == "github" else AzureDevOps(tmp_path / kind) as server,
            pytest.MonkeyPatch.context() as patch,
        ):
            hosted = server.repository("acme/gitops", dict.fromkeys(FILES, "0\n"))
            checkout = hosted.git.clone_to(tmp_path / kind / "checkout", "--depth=1", url=hosted.url, environ=environ)
            if kind == "without":
                processes.spare(patch.setattr)
            dice = Random(1)  # noqa: S311  the same numbers for both
            seen = act(open_repository(checkout.path, token=server.token), dice, rounds // 2)
            assert {*of_remote(started)} - {"push"} == ({"ls-remote", "fetch"} if kind == "with" else set())
            log = [(each.method, each.target, each.actor, each.status) for each in server.requests]
            ends.append((seen, refs.read_refs(hosted.git.path), objects(hosted.git.path)))
            logs.append(({*log}, sum(method == "GET" and "upload" in target for method, target, *_ in log)))
            assert hosted.git.git("fsck", "--strict", "--no-dangling") == ""
    assert ends[0] == ends[1]
    # How often: git asks no more where it has all that it wants, and a push that ends in git is asked for twice.
    assert logs[0] == logs[1]


@pytest.mark.parametrize("kind", ["api", "git", "any"])
def test_a_fault_that_a_request_of_git_can_meet_is_met_by_git(
    tmp_path: Path,
    environ: dict[str, str],
    open_repository: "Open",
    spared: list[str],
    kind: Literal["api", "git", "any"],
) -> None:
    with GitHub(tmp_path / "github") as server:
        hosted = server.repository("acme/gitops", {"a": "1\n"})
        checkout = hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=environ)
        repository = open_repository(checkout.path, token=server.token)
        server.faults.add(forbidden(), kind=kind)
        with nullcontext() if kind == "api" else pytest.raises(AuthError):
            repository.refs("main")
        assert (of_remote(spared), server.faults.pending) == (([], 1) if kind == "api" else (["ls-remote"], 0))


def test_a_history_that_is_cut_off_becomes_whole_as_with_git(
    make_remote: Callable[..., Remote], open_repository: "Open", started: list[str]
) -> None:
    remote = make_remote({"a": "0\n"})
    for number in range(3):
        remote.commit({"a": f"{number + 1}\n"}, branch="p", start="main" if number == 0 else None)
        remote.commit({"b": f"{number}\n"})
    ends = []
    for kind in ("without", "with"):
        with pytest.MonkeyPatch.context() as patch:
            if kind == "without":
                processes.spare(patch.setattr)
            repository = open_repository(remote.clone(kind, "--depth=1", "--no-single-branch").path)
            cut_off = repository._private.folder / "shallow"
            assert len(cut_off.read_text().split()) == 2
            shas = repository.fetch("refs/heads/main")
            one: list[object] = [repository.history(shas["refs/heads/main"], ["a", "b"], 9), cut_off.read_text()]
            one += [repository.deepen(9), cut_off.read_text()]
            shas |= repository.fetch("refs/heads/p", depth=2)
            ends.append([one, shas, repository.has(remote.sha("main~2")), cut_off.exists()])
            assert bool(of_remote(started)) == (kind == "with")
    assert ends[0] == ends[1]


def test_a_history_goes_on_where_it_was_cut_off(
    remote: Remote, open_repository: "Open", spared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        remote.commit({"a": f"{number}\n"})
    monkeypatch.setattr("gitops_promotion.git.repository.DEPTH", 2)
    repository = open_repository(remote.clone("cut", "--depth=1").path)
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    assert (of_remote(spared), len(repository.history(tip, ["a"], 9))) == (["fetch"], 2)
    assert repository.deepen(9)
    assert (of_remote(spared), len(repository.history(tip, ["a"], 9))) == (["fetch"], 6)


@pytest.fixture
def repository(remote: Remote, open_repository: "Open") -> "Repository":
    remote.commit({"new": "1\n"}, branch="p", start="main")
    return open_repository(remote.clone().path)


def test_a_fetch_gets_no_more_than_it_asked_for(remote: Remote, repository: "Repository", spared: list[str]) -> None:
    sha, other = remote.commit({"a": "1\n"}), remote.commit({"b": "1\n"}, branch="p")
    assert repository.fetch("refs/heads/main") == {"refs/heads/main": sha}
    assert (repository.has(sha), repository.has(other)) == (True, False)
    assert repository.fetch_commit(other)
    assert of_remote(spared) == []


def test_differences_come_in_the_order_of_git(remote: Remote, repository: "Repository", spared: list[str]) -> None:
    one, two = remote.commit({"k": "1\n"}), remote.commit({"k": None, "k/x": "1\n"})
    three = remote.commit({"k.z": "1\n", "k/x": "2\n"})
    repository.fetch("refs/heads/main")
    assert [change.path for change in repository.diff_trees(two, three)] == ["k.z", "k/x"]
    assert [change.path for change in repository.diff_trees(one, two)] == ["k", "k/x"]
    assert spared == []


CHANGES: dict[str, Callable[[Remote], object]] = {
    "a hook": lambda remote: (remote.path / "hooks").mkdir(),
    "a setting of the server": lambda remote: remote.git("config", "receive.denyDeletes", "true"),
    "a setting of the person": lambda remote: remote.git("config", "--global", "push.default", "current"),
    "packed refs": lambda remote: remote.git("pack-refs", "--all"),
    "a pack": lambda remote: remote.git("repack", "-a", "-d"),
    "a symbolic ref": lambda remote: remote.git("symbolic-ref", "refs/heads/s", "refs/heads/main"),
    "no default branch": lambda remote: remote.git("symbolic-ref", "HEAD", "refs/heads/none"),
    "borrowed objects": lambda remote: (remote.path / "objects/info/alternates").write_text("/nowhere\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_remote_that_is_not_plain_is_left_to_git(
    remote: Remote, repository: "Repository", spared: list[str], change: str
) -> None:
    CHANGES[change](remote)
    repository.refs("p")
    assert of_remote(spared) == ["ls-remote"]


PUSHES: dict[str, Callable[[dict[str, str]], RefUpdate]] = {
    "another has moved it": lambda shas: RefUpdate(ref="refs/heads/p", new=shas["main"], expected=shas["main"]),
    "it is there already": lambda shas: RefUpdate(ref="refs/heads/p", new=shas["main"], expected=None),
    "it is not there": lambda shas: RefUpdate(ref="refs/heads/x", new=None, expected=shas["main"]),
    "a file in the way": lambda shas: RefUpdate(ref="refs/heads/p/x", new=shas["main"], expected=None),
    "the default branch": lambda shas: RefUpdate(ref="refs/heads/main", new=None, expected=shas["main"]),
    "a lock": lambda shas: RefUpdate(ref="refs/heads/locked", new=shas["main"], expected=None),
}


@pytest.mark.parametrize("push", PUSHES)
def test_a_push_that_git_refuses_is_left_to_git(
    remote: Remote, repository: "Repository", spared: list[str], push: str
) -> None:
    (remote.path / "refs/heads/locked.lock").touch()
    before = remote.branches()
    with pytest.raises(GitError):
        repository.push([PUSHES[push](before)])
    assert of_remote(spared) == ["push"]
    assert remote.branches() == before


def test_a_push_that_a_server_may_take_for_a_forced_one_is_left_to_git(
    remote: Remote, repository: "Repository", spared: list[str]
) -> None:
    remote.git("config", "receive.denyNonFastForwards", "true")
    before = remote.branches()
    blobs = [repository.write_blob(content) for content in (b"1", b"2")]
    repository.push([RefUpdate(ref="refs/heads/new", new=before["p"], expected=None)])
    repository.push([RefUpdate(ref="refs/own/x", new=blobs[0], expected=None)])
    repository.push([RefUpdate(ref="refs/own/x", new=blobs[1], expected=blobs[0])])
    repository.push([RefUpdate(ref="refs/heads/new", new=None, expected=before["p"])])
    assert repository.refs("p").shas == {"refs/heads/p": before["p"]}
    assert of_remote(spared) == []
    with pytest.raises(GitError):
        repository.push([RefUpdate(ref="refs/heads/p", new=before["main"], expected=before["p"])])
    repository.push([RefUpdate(ref="refs/heads/main", new=before["p"], expected=before["main"])])
    assert of_remote(spared) == ["push", "push"]
    assert remote.branches() == {"main": before["p"], "p": before["p"]}


def test_what_signs_commits_signs_no_push(
    remote: Remote, checkout: Checkout, environ: dict[str, str], open_repository: "Open", spared: list[str]
) -> None:
    settings = {"GIT_CONFIG_KEY_0": "commit.gpgSign", "GIT_CONFIG_VALUE_0": "true", "GIT_CONFIG_COUNT": "1"}
    repository = open_repository(checkout.path, environ=environ | settings)
    main = repository.fetch("refs/heads/main")["refs/heads/main"]
    repository.push([RefUpdate(ref="refs/heads/p", new=main, expected=None)])
    assert (of_remote(spared), repository.refs("p").shas) == ([], {"refs/heads/p": main})


def test_all_refs_of_a_push_change_or_none(remote: Remote, repository: "Repository", spared: list[str]) -> None:
    before = remote.branches()
    lock = remote.path / "refs/heads/p.lock"
    lock.touch()
    updates = [
        RefUpdate(ref="refs/heads/new", new=before["main"], expected=None),
        RefUpdate(ref="refs/heads/p", new=before["main"], expected=before["p"]),
    ]
    with pytest.raises(GitError):
        repository.push(updates)
    assert remote.branches() == before
    lock.unlink()
    spared.clear()
    repository.push(updates)
    assert remote.branches() == {"main": before["main"], "new": before["main"], "p": before["main"]}
    assert of_remote(spared) == []


def test_questions_about_files_and_history_need_no_git(
    remote: Remote, repository: "Repository", spared: list[str]
) -> None:
    one, two = remote.commit({"a.yaml": "1\n"}), remote.commit({"a.yaml": '2 # {"$imagepolicy": "a:b"}\n'})
    repository.fetch("refs/heads/main")
    assert repository.grep(two, ["a:b"]) == repository.grep(two, [], ["a.yaml"]) == ["a.yaml"]
    assert [len(repository.commits(old, two)) for old in (one, remote.sha("main~2"))] == [1, 2]
    assert [commit.sha for commit in repository.history(two, [], 2)] == [two, one]
    assert [change.path for change in repository.diff_trees(one, two)] == ["a.yaml"]
    assert spared == []


def test_another_git_on_the_path_is_the_one_that_is_started(
    remote: Remote,
    checkout: Checkout,
    environ: dict[str, str],
    open_repository: "Open",
    tmp_path: Path,
    spared: list[str],
) -> None:
    program = tmp_path / "git"
    program.write_text(f'#!/bin/sh\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    repository = open_repository(checkout.path, environ={**environ, "PATH": f"{tmp_path}:{environ['PATH']}"})
    assert repository.refs("main").shas == {"refs/heads/main": remote.sha("main")}
    assert of_remote(spared) == ["ls-remote"]
