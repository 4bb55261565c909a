"""Merges: their results, their conflicts, and what they change."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.commits import FileChange, RefUpdate
from gitops_promotion.errors import GitError
from gitops_promotion.git.formats import read_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_promotion.git import Repository
    from tests.conftest import Remote

    Open = Callable[..., Repository]

DEV = "webshop/dev/webui.yaml"
PROD = "webshop/prod/webui.yaml"


def push_merge(remote: "Remote", branch: str, ours: str, theirs: str) -> str:
    """Point a branch at the merge commit of two commits."""
    tree = remote.git("merge-tree", "--write-tree", ours, theirs)
    sha = remote.git("commit-tree", tree, "-p", ours, "-p", theirs, "-m", f"Merge into {branch}")
    remote.git("update-ref", f"refs/heads/{branch}", sha)
    return sha


def commit_many(remote: "Remote", branch: str, count: int, start: str) -> None:
    """Point a branch at `count` commits on top of `start`."""
    stream = f"reset refs/heads/{branch}\nfrom {start}\n\n"
    for number in range(count):
        stream += f"commit refs/heads/{branch}\ncommitter A <a@example.com> {1_700_000_000 + number} +0000\n"
        stream += f"data 5\nCount\nM 100644 inline {branch}.txt\ndata {len(str(number))}\n{number}\n"
    remote.git("fast-import", "--quiet", "--force", stdin=stream)


def set_entry(remote: "Remote", path: str, mode: str, target: str, branch: str) -> str:
    """Commit a symlink (120000) to `target`, or a submodule (160000) at the commit `target`, onto a branch."""
    entry = f"M {mode} inline {path}\ndata {len(target)}\n{target}\n" if mode == "120000" else ""
    entry = entry or f"M {mode} {target} {path}\n"
    stream = f"commit refs/heads/{branch}\ncommitter A <a@example.com> 1700000000 +0000\ndata 5\nEntry\n"
    remote.git("fast-import", "--quiet", stdin=f"{stream}from refs/heads/{branch}^0\n{entry}")
    return remote.sha(branch)


# -- the result of a merge


def test_the_result_of_a_merge_is_the_tree_of_its_merge_commit(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    tip = remote.commit({"a": "1\n"})
    head = remote.commit({"b": "1\n"}, branch="p", start=base)
    repository = open_repository(remote.clone().path)
    tree = repository.merge_result(tip, head)
    assert tree is not None
    assert tree == remote.git("merge-tree", "--write-tree", tip, head)
    assert repository.diff_trees(tip, tree) == [
        FileChange(path="b", old=None, new=remote.sha(f"{head}:b")),
    ]


def test_a_merge_that_conflicts_has_no_result(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    tip = remote.commit({DEV: "1\n"})
    head = remote.commit({DEV: "2\n"}, branch="p", start=base)
    assert open_repository(remote.clone().path).merge_result(tip, head) is None


def test_a_merge_follows_a_file_that_the_other_side_renames(remote: "Remote", open_repository: "Open") -> None:
    content = "".join(f"line {number}\n" for number in range(20))
    base = remote.commit({"drafts/webui.yaml": content, PROD: None})
    tip = remote.commit({"drafts/webui.yaml": None, PROD: content})
    head = remote.commit({"drafts/webui.yaml": content + "tag: 2\n"}, branch="p", start=base)
    repository = open_repository(remote.clone().path)
    tree = repository.merge_result(tip, head)
    assert tree is not None
    assert [change.path for change in repository.diff_trees(tip, tree)] == [PROD]
    assert [change.path for change in repository.diff_from_merge_base(tip, head)[1]] == ["drafts/webui.yaml"]


def criss_cross(remote: "Remote", between: int) -> tuple[str, str]:
    """Push two branches that were merged into each other and return both heads; the second restores a file.

    `between` commits lie on each side between the fork and the two merge bases.
    """
    fork, content = remote.sha("main"), remote.show(PROD, "main")
    commit_many(remote, "main", between, start=fork)
    commit_many(remote, "p", between, start=fork)
    one, other = remote.commit({PROD: None}), remote.commit({"b": "1\n"}, branch="p")
    tip = push_merge(remote, "main", one, other)
    push_merge(remote, "p", other, one)
    return tip, remote.commit({PROD: content}, branch="p")


@pytest.mark.parametrize("options", [(), ("--depth=1",), ("--depth=1", "--branch=p")])
@pytest.mark.parametrize("between", [0, 150])
def test_a_criss_cross_history_has_the_result_that_git_gives(
    between: int, options: tuple[str, ...], remote: "Remote", open_repository: "Open"
) -> None:
    # Git merges the two merge bases first. With their own base cut off, the file that one of them deleted looks added
    # by the other, and the result of the whole merge lacks it.
    tip, head = criss_cross(remote, between)
    assert len(remote.git("merge-base", "--all", tip, head).split()) == 2
    repository = open_repository(remote.clone("checkout", *options).path)
    repository.fetch("refs/heads/main", "refs/heads/p")
    tree = repository.merge_result(tip, head)
    assert tree == remote.git("merge-tree", "--write-tree", tip, head)
    assert tree is not None
    assert [change.path for change in repository.diff_trees(tip, tree)] == [PROD]


def test_of_several_merge_bases_the_changes_since_any_count(remote: "Remote", open_repository: "Open") -> None:
    # One merge base lacks the one file, the other one has both: neither of the two shows both changes.
    tip, _ = criss_cross(remote, 0)
    head = remote.commit({"b": None}, branch="p")
    repository = open_repository(remote.clone().path)
    repository.fetch("refs/heads/main", "refs/heads/p")
    assert [change.path for change in repository.diff_from_merge_base(tip, head)[1]] == ["b", PROD]


@pytest.mark.parametrize("later", [0, 150])
def test_a_shallow_clone_gives_the_result_of_a_whole_one(later: int, remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    head = remote.commit({PROD: "2\n"}, branch="p", start=base)
    commit_many(remote, "main", later, start=base)
    tip = remote.commit({"later": "1\n"})
    repository = open_repository(remote.clone("checkout", "--depth=1").path)
    repository.fetch("refs/heads/main", "refs/heads/p")
    tree = repository.merge_result(tip, head)
    assert tree is not None
    assert tree == remote.git("merge-tree", "--write-tree", tip, head)
    assert [change.path for change in repository.diff_trees(tip, tree)] == [PROD]


def test_a_change_names_links_and_submodules(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    remote.git("update-ref", "refs/heads/p", base)
    set_entry(remote, DEV, "120000", "../qa/webui.yaml", "p")
    head = set_entry(remote, "webshop/x.yaml", "160000", "1" * 40, "p")
    repository = open_repository(remote.clone().path)
    tree = repository.merge_result(base, head)
    assert tree is not None
    link, submodule = repository.diff_trees(base, tree)
    assert (link.path, link.old_kind, link.new_kind) == (DEV, "file", "symlink")
    assert (submodule.path, submodule.old, submodule.new_kind) == ("webshop/x.yaml", None, "submodule")
    assert (link.new_file, submodule.new_file) == (None, None)
    assert link.old is not None and link.new is not None
    assert repository.read_objects([link.old, link.new])[link.new] == b"../qa/webui.yaml"
    history = repository.commits(base, head)
    assert [(entry.changes[0].path, entry.changes[0].new_kind) for entry in history] == [
        ("webshop/x.yaml", "submodule"),
        (DEV, "symlink"),
    ]


# -- commits on top of a branch


def test_a_commit_on_top_of_a_branch_replaces_its_content_without_a_forced_push(
    remote: "Remote", open_repository: "Open"
) -> None:
    remote.git("config", "receive.denyNonFastForwards", "true")
    base = remote.sha("main")
    old = remote.commit({DEV: "1\n", "more.yaml": "1\n"}, branch="p", start=base)
    tip = remote.commit({DEV: "0\n", "README.md": "moved\n"})
    repository = open_repository(remote.clone("checkout", "--depth=1").path)
    repository.fetch("refs/heads/main", "refs/heads/p")
    message = "Promote\n\nTag: 2\n"
    sha = repository.commit(tip, {DEV: b"2\n"}, message, on_top_of=old)
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=old)])
    assert remote.sha("p") == sha
    assert (remote.show(DEV, "p"), remote.show("README.md", "p")) == ("2\n", "moved\n")
    assert "more.yaml" not in remote.files("p")
    assert repository.merge_result(tip, sha) == remote.sha("p^{tree}")
    assert repository.diff_from_merge_base(tip, sha)[0] == tip
    newest, *older = repository.commits(tip, sha)
    assert (newest.parents, newest.trailers, [entry.sha for entry in older]) == ((tip, old), {"Tag": "2"}, [old])
    assert [change.path for change in newest.changes] == [DEV]


# -- merge commits and conflicts


def test_a_clean_merge_has_both_parents_and_both_changes(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    ours = remote.commit({"a": "1\n"})
    theirs = remote.commit({"b": "1\n"}, branch="p", start=base)
    repository = open_repository(remote.clone().path)
    assert repository.conflicts(ours, theirs) == ()
    merged = repository.merge(ours, theirs, "Merge\n").sha
    assert merged is not None
    assert repository.history(merged, [], 1)[0].parents == (ours, theirs)
    assert {change.path for change in repository.diff_trees(base, merged)} == {"a", "b"}


def test_a_merge_that_conflicts_makes_no_commit_and_names_the_files(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    ours = remote.commit({"a b\n": "1\n", "ü": "1\n", "fine": "1\n"})
    theirs = remote.commit({"a b\n": "2\n", "ü": "2\n"}, branch="p", start=base)
    repository = open_repository(remote.clone().path)
    assert repository.conflicts(ours, theirs) == ("a b\n", "ü")
    merge = repository.merge(ours, theirs, "Merge\n")
    assert (merge.sha, merge.conflicts) == (None, ("a b\n", "ü"))


def test_unrelated_histories_cannot_be_merged(remote: "Remote", open_repository: "Open") -> None:
    clone = remote.clone()
    clone.git("checkout", "--quiet", "--orphan", "other")
    clone.git("commit", "--quiet", "--message=Other")
    repository = open_repository(clone.path)
    with pytest.raises(GitError, match="rebase the branch"):
        repository.conflicts(remote.sha("main"), clone.sha())
    with pytest.raises(GitError, match="no common history: rebase"):
        repository.diff_from_merge_base(remote.sha("main"), clone.sha())


def test_merge_attributes_of_a_person_have_no_effect(
    remote: "Remote", open_repository: "Open", environ: dict[str, str]
) -> None:
    base = remote.commit({"x.yaml": "0\n"})
    ours = remote.commit({"x.yaml": "1\n"})
    theirs = remote.commit({"x.yaml": "2\n"}, branch="p", start=base)
    folder = Path(environ["HOME"]) / ".config" / "git"
    folder.mkdir(parents=True)
    (folder / "attributes").write_text("* merge=union\n")
    assert open_repository(remote.clone().path).conflicts(ours, theirs) == ("x.yaml",)


def test_merge_drivers_of_the_repository_have_no_effect(
    remote: "Remote", open_repository: "Open", tmp_path: Path
) -> None:
    base = remote.commit({".gitattributes": "*.yaml merge=evil\n", "x.yaml": "0\n"})
    ours = remote.commit({"x.yaml": "1\n"})
    theirs = remote.commit({"x.yaml": "2\n"}, branch="p", start=base)
    checkout = remote.clone()
    checkout.git("config", "merge.evil.driver", f"touch {tmp_path}/proof")
    assert open_repository(checkout.path).conflicts(ours, theirs) == ("x.yaml",)
    assert not (tmp_path / "proof").exists()


def test_a_change_of_the_mode_alone_is_told() -> None:
    sha = "1" * 40
    [change] = read_changes(f":100644 100755 {sha} {sha} M\0run.sh\0".encode())
    assert (change.old_mode, change.new_mode, change.old, change.new) == ("100644", "100755", sha, sha)
