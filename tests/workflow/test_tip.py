"""The tip: branches that change between listing and fetching."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.errors import RefGoneError
from gitops_promotion.workflow.tip import Tip

if TYPE_CHECKING:
    from gitops_promotion.git import Repository
    from tests.conftest import Remote

Open = Callable[..., "Repository"]


def test_a_branch_that_is_deleted_after_it_was_listed_counts_as_missing(
    remote: "Remote", open_repository: Open
) -> None:
    for name in ("p", "q", "r"):
        remote.commit({name: "1\n"}, branch=name, start="main")
    tip = Tip(repository=open_repository(remote.clone().path))
    remote.git("update-ref", "-d", "refs/heads/q")
    tip.fetch_branches(["p", "q", "r"])
    assert [tip.branch(name) for name in ("p", "q", "r")] == [remote.sha("p"), None, remote.sha("r")]


def test_a_listed_branch_that_cannot_be_fetched_is_an_error(
    remote: "Remote", open_repository: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.commit({"p": "1\n"}, branch="p", start="main")
    repository = open_repository(remote.clone().path)
    tip = Tip(repository=repository)

    def fail(*_: str) -> dict[str, str]:
        raise RefGoneError("couldn't find remote ref refs/heads/p: run again")

    monkeypatch.setattr(repository, "fetch", fail)
    with pytest.raises(RefGoneError, match="run again"):
        tip.fetch_branches(["p"])
