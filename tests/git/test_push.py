"""The remote changes by compare-and-swap only: a lost race is noticed, and nothing half done."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import AuthError, GitError, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_promotion.git import Repository
    from tests.conftest import Checkout, Remote

    Open = Callable[..., Repository]

ROOT = Path(__file__).parents[2]
P = "refs/heads/p"
Q = "refs/heads/q"


def new_commit(repository: "Repository", base: str, content: bytes = b"1") -> str:
    return repository.commit(base, {"x": content}, "Change\n")


def test_a_new_branch_a_moved_branch_and_a_deleted_branch(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    main = remote.sha("main")
    one, other = new_commit(repository, main), new_commit(repository, main, b"2")
    repository.push([RefUpdate(ref=P, new=one, expected=None)])
    assert remote.branches() == {"main": main, "p": one}
    repository.push([RefUpdate(ref=P, new=other, expected=one)])  # no fast-forward, and yet wanted
    assert remote.branches() == {"main": main, "p": other}
    repository.push([RefUpdate(ref=P, new=None, expected=other)])
    assert remote.branches() == {"main": main}
    repository.push([])
    assert remote.branches() == {"main": main}


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize(
    "case",
    [
        "moved",
        "created",
        "gone",
        "gone and to be deleted",
        "moved and to be deleted",
        "identical",
        "identical, created",
    ],
)
def test_b11_a_push_never_overwrites_what_it_did_not_see(
    case: str, others: int, remote: "Remote", open_repository: "Open"
) -> None:
    repository = open_repository(remote.clone().path)
    main = remote.sha("main")
    mine = new_commit(repository, main)
    person = remote.commit({"fix": "by hand"}, branch="p")
    update = {
        "moved": RefUpdate(ref=P, new=mine, expected=main),
        "created": RefUpdate(ref=P, new=mine, expected=None),
        "gone": RefUpdate(ref=Q, new=mine, expected=main),
        "gone and to be deleted": RefUpdate(ref=Q, new=None, expected=main),
        "moved and to be deleted": RefUpdate(ref=P, new=None, expected=main),
        "identical": RefUpdate(ref=P, new=person, expected=main),
        "identical, created": RefUpdate(ref=P, new=person, expected=None),
    }[case]
    repository.fetch(P)
    before = remote.branches()
    with pytest.raises(LeaseLostError, match="moved since it was read: run again"):
        repository.push([update, *[RefUpdate(ref="refs/heads/other", new=mine, expected=None)] * others])
    if others and case.startswith("identical"):
        # git leaves a ref that already is what it should be out of the push: hence the nonce of the docstring
        before["other"] = mine
    assert remote.branches() == before


def test_several_refs_change_together_or_not_at_all(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    main = remote.sha("main")
    mine = new_commit(repository, main)
    record = repository.write_blob(b"{}")
    updates = [
        RefUpdate(ref="refs/heads/main", new=mine, expected=main),
        RefUpdate(ref="refs/gitops-promotion/pulls/1", new=record, expected=None),
    ]
    repository.push(updates)
    assert remote.sha("main") == mine
    assert remote.sha("refs/gitops-promotion/pulls/1") == record
    with pytest.raises(LeaseLostError):
        repository.push(
            [
                RefUpdate(ref="refs/heads/main", new=main, expected=mine),
                RefUpdate(ref="refs/gitops-promotion/pulls/1", new=repository.write_blob(b"[]"), expected=None),
            ]
        )
    assert remote.sha("main") == mine


def test_a_refusal_of_the_remote_is_passed_on_in_its_own_words(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    mine = new_commit(repository, remote.sha("main"))
    hook = remote.path / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nprintf 'GH006: \\033[31mProtected\\033[0m branch\\nneeds a review\\n' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(
        GitError, match=r"pre-receive hook declined.*GH006: .*Protected.* branch needs a review"
    ) as caught:
        repository.push([RefUpdate(ref=P, new=mine, expected=None), RefUpdate(ref=Q, new=mine, expected=None)])
    assert not isinstance(caught.value, LeaseLostError | AuthError)
    assert str(caught.value).isprintable()
    assert set(remote.branches()) == {"main"}


def test_pushing_what_is_not_here_is_an_error(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    with pytest.raises(GitError):
        repository.push([RefUpdate(ref=P, new="1" * 40, expected=None)])
    assert set(remote.branches()) == {"main"}


@pytest.mark.parametrize(
    "ref",
    [
        "main",
        "refs/heads/",
        "refs/heads/a b",
        "refs/heads/a:refs/heads/main",
        "+refs/heads/x",
        "refs/heads/a\nb",
        "refs/heads/*",
        "-x",
        "",
    ],
)
def test_a_ref_that_could_mean_something_else_is_refused(
    ref: str, checkout: "Checkout", open_repository: "Open"
) -> None:
    repository = open_repository(checkout.path)
    with pytest.raises(GitError, match="no full ref name"):
        repository.fetch(ref)
    with pytest.raises(GitError, match="no full ref name"):
        repository.push([RefUpdate(ref=ref, new=None, expected=None)])


RACER = """
import os, sys
from pathlib import Path
from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import LeaseLostError
from gitops_promotion.git import Repository

with Repository.open(Path(sys.argv[1]), environ=os.environ) as repository:
    won = 0
    while won < 5:
        tip = repository.fetch("refs/heads/main")["refs/heads/main"]
        count = int(repository.read(tip, ["count"]).get("count", b"0"))
        sha = repository.commit(tip, {"count": b"%d" % (count + 1)}, f"By {sys.argv[2]}\\n")
        try:
            repository.push([RefUpdate(ref="refs/heads/main", new=sha, expected=tip)])
            won += 1
        except LeaseLostError:
            pass
"""


def test_writers_at_once_lose_nothing(remote: "Remote", environ: dict[str, str]) -> None:
    path = remote.clone().path
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path), str(number)], env=environ, cwd=ROOT, stderr=subprocess.PIPE
        )
        for number in range(4)
    ]
    for racer in racers:
        _, stderr = racer.communicate()
        assert racer.returncode == 0, stderr.decode()
    assert remote.show("count", "main") == "20"
    assert remote.git("rev-list", "--count", "main") == "21"
