"""The files of a commit on disk, and the last change of a path."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.errors import GitError
from gitops_promotion.git.tree import Tree

if TYPE_CHECKING:
    from gitops_promotion.git import Repository
    from tests.conftest import Checkout, Remote

Open = Callable[..., "Repository"]


def test_a_commit_is_written_to_disk_until_the_repository_is_closed(
    checkout: "Checkout", open_repository: Open
) -> None:
    repository = open_repository(checkout.path)
    tree = repository.lay_out(checkout.sha())
    found = {str(path.relative_to(tree.root)) for path in tree.root.rglob("*") if path.is_file()}
    assert found == set(checkout.files())
    assert (tree.root / "README.md").read_text() == "# Webshop\n"
    assert set(tree.below("webshop/dev")) == {"webshop/dev/webui.yaml"}
    repository.close()
    assert not tree.root.exists()


def laid(folder: Path, files: dict[str, str], links: dict[str, str]) -> Tree:
    everything = {path: ("100644", text.encode()) for path, text in files.items()}
    return Tree(folder, everything | {path: ("120000", target.encode()) for path, target in links.items()})


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("../x.yaml", "x"),
        ("../b/../x.yaml", "x"),
        ("y.yaml", "y"),
        ("link2", "y"),
        ("../../outside", None),
        ("../../../../../../etc/passwd", None),
        ("/etc/passwd", None),
        ("nowhere", None),
        ("up/../outside", None),
        ("link", None),
    ],
)
def test_a_symlink_leads_inside_only(tmp_path: Path, target: str, seen: str | None) -> None:
    (tmp_path / "outside").write_text("secret")
    root = tmp_path / "tree"
    root.mkdir()
    # `up` leads to the root, so that `up/..` leads out of it although the path's words do not.
    links = {"a/link": target, "a/link2": "y.yaml", "a/up": ".."}
    laid(root, {"x.yaml": "x", "a/y.yaml": "y", "b/z.yaml": "z"}, links)
    link = root / "a/link"
    assert (link.read_text() if link.exists() else None) == seen
    assert link.is_symlink() == (seen is not None)


def test_new_edits_undo_the_previous_ones(tmp_path: Path) -> None:
    tree = laid(tmp_path, {"a/x.yaml": "x", "a/y.yaml": "y"}, {})
    tree.apply({"a/x.yaml": None, "a/y.yaml": b"new", "b/z.yaml": b"z"})
    assert not (tmp_path / "a/x.yaml").exists()
    assert [(tmp_path / path).read_text() for path in ("a/y.yaml", "b/z.yaml")] == ["new", "z"]
    tree.apply({})
    assert [(tmp_path / path).read_text() for path in ("a/x.yaml", "a/y.yaml")] == ["x", "y"]
    assert not (tmp_path / "b/z.yaml").exists()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "link/x", "a/x.yaml/y", ".git/config", "link"])
def test_an_edit_outside_is_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    tree = laid(root, {"a/x.yaml": "x"}, {"link": "a"})
    with pytest.raises(GitError):
        tree.apply({path: b"content"})
    assert [each.name for each in tmp_path.iterdir()] == ["tree"]
    assert sorted(each.name for each in (root / "a").iterdir()) == ["x.yaml"]


def grow(remote: "Remote", changes: int) -> None:
    remote.commit({"webshop/dev/webui-pr/x.yaml": "1"}, "Copy")
    for number in range(changes):
        remote.commit({"README.md": str(number)}, f"Change {number}")


@pytest.mark.parametrize("depth", [None, 1, 3])
def test_b38_the_last_change_of_a_folder_is_found_at_any_depth(
    make_remote: Callable[..., "Remote"], webshop: dict[str, str], open_repository: Open, depth: int | None
) -> None:
    remote = make_remote(webshop)
    environ = {
        **remote.environ,
        "GIT_COMMITTER_DATE": "2026-02-01T00:00:00Z",
        "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z",
    }
    work = remote.clone("work")
    folder = work.path / "webshop/dev/webui-pr"
    folder.mkdir()
    (folder / "x.yaml").write_text("1")
    work.git("add", "-A")
    dated = type(work)(path=work.path, environ=environ)
    dated.git("commit", "-qm", "Copy")
    (work.path / "README.md").write_text("another")
    for number in range(6):
        work.git("commit", "-q", "--allow-empty", "-m", f"Later {number}")
    work.git("push", "-q", "origin", "HEAD:main")
    checkout = remote.clone("shallow", *([f"--depth={depth}"] if depth else []))
    repository = open_repository(checkout.path)
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    changed = repository.last_change(tip, "webshop/dev/webui-pr")
    assert changed is not None
    assert changed.isoformat() == "2026-02-01T00:00:00+00:00", "the committer's date, not the author's"
    assert repository.last_change(tip, "webshop/dev/nothing") is None


def test_b38_a_root_commit_counts_and_missing_history_is_an_error(
    make_remote: Callable[..., "Remote"], webshop: dict[str, str], open_repository: Open
) -> None:
    remote = make_remote(webshop)
    root = open_repository(remote.clone().path)
    assert root.last_change(remote.sha("main"), "webshop/dev") is not None
    for number in range(3):
        remote.commit({"README.md": str(number)})
    cut = make_remote(name="cut.git")
    cut.git("fetch", "-q", "--depth=1", remote.path.as_uri(), "main:main")
    repository = open_repository(cut.clone("of-cut", "--depth=1").path)
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    with pytest.raises(GitError, match="fetch-depth: 0"):
        repository.last_change(tip, "webshop/dev")
