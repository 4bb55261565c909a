"""The tip: branches that change between listing and fetching, and how far history is read."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core import deployments
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError, LeaseLostError, RefGoneError
from gitops_promotion.workflow import tip as tip_module
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


@pytest.mark.parametrize("kind", ["a symbolic link", "a folder"])
def test_a_configuration_that_is_no_file_is_named_as_what_it_is(
    kind: str, remote: "Remote", open_repository: Open
) -> None:
    checkout = remote.clone()
    path = checkout.path / "gitops-promotion.yaml"
    path.rename(checkout.path / "conf.yaml")
    if kind == "a folder":
        path.mkdir()
        (path / "conf.yaml").write_text("environments: []\n")
    else:
        path.symlink_to("conf.yaml")
    checkout.git("add", "-A")
    checkout.git("commit", "-qm", "Replace")
    checkout.git("push", "-q", "origin", "HEAD:main")
    tip = Tip(repository=open_repository(checkout.path))
    with pytest.raises(ConfigError, match=f"gitops-promotion.yaml: is {kind} on main, not a file: commit the"):
        assert tip.config.pipeline.names
    assert not tip.has_config


@pytest.mark.parametrize("leased", [True, False])
def test_a_branch_that_is_merged_into_the_checkout_is_fetched_unless_a_push_has_a_lease_on_it(
    leased: bool, remote: "Remote", open_repository: Open
) -> None:
    listed = remote.commit({"p": "1\n"}, branch="p")
    remote.git("update-ref", "refs/heads/main", listed)
    tip = Tip(repository=open_repository(remote.clone().path))
    remote.commit({"p": "2\n"}, branch="p")
    tip.fetch_branches(["p"], leased=leased)
    if leased:
        assert tip.branch("p") == listed
    else:
        with pytest.raises(LeaseLostError, match="moved while they were read"):
            tip.branch("p")


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


@pytest.mark.parametrize(("steps", "is_known"), [((1, 2), False), ((1, 2, 10), True)])
def test_history_is_read_back_to_the_arrival_of_a_tag_or_to_the_last_step(
    steps: tuple[int, ...],
    is_known: bool,
    remote: "Remote",
    open_repository: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        remote.commit({"README.md": f"# {number}\n"}, "Change")
    monkeypatch.setattr(tip_module, "_HISTORY_STEPS", steps)
    tip = Tip(repository=open_repository(remote.clone().path))
    site = Site(Application("webshop", "webui"), "dev")
    tag = tip.tag(site)
    assert tag is not None
    found = deployments.deployment(tip.timelines({site: tag}, [], [site])[site], tag)
    assert found is not None
    assert (found.arrival is not None) is is_known


def test_history_that_was_fetched_for_something_else_is_read_again(remote: "Remote", open_repository: Open) -> None:
    for number in range(120):
        remote.commit({"README.md": f"# {number}\n"}, "Change")
    repository = open_repository(remote.clone("checkout", "--depth=1").path)
    tip = Tip(repository=repository)
    site = Site(Application("webshop", "webui"), "dev")
    tag = tip.tag(site)
    assert tag is not None
    assert deployments.deployment(tip.timelines({site: Tag("9")}, [], [site])[site], Tag("9")) is None
    # As a comparison with a branch does that began long ago.
    assert repository.deepen(1000) and not repository.shallow
    found = deployments.deployment(tip.timelines({site: tag}, [], [site])[site], tag)
    assert found and found.arrival
