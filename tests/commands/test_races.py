"""Another run or a person changes the remote at one place of a run: it decides again, and its outcome is of the end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.races import ATTEMPTS
from gitops_promotion.git import Repository
from gitops_promotion.providers.local.provider import Local
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

BRANCH = "promote/webshop-webui"


def conflict(shop: "Shop", environment: str, manifest: Callable[..., str]) -> None:
    """Set another tag by hand, in the line that a promotion changes."""
    shop.edit({f"webshop/{environment}/webui.yaml": manifest("webui", "1.0.1")})


@pytest.mark.parametrize("method", ["push", "grep", "commit"])
def test_two_identical_runs_open_one_pull_request(method: str, shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    before(monkeypatch, Repository, method, lambda: shop.new("1.4.2"))
    assert shop.new("1.4.2").results == ["unchanged"]
    listed = shop.remote.git("for-each-ref", "--format=%(refname)", "refs/gitops-promotion/pulls/")
    assert listed == "refs/gitops-promotion/pulls/1"
    assert shop.remote.git("rev-list", "--count", "--first-parent", "main") == "2"


@pytest.mark.parametrize("author", ["Dev", "Other"])
@pytest.mark.parametrize("method", ["open_pull_request", "set_auto_merge"])
def test_two_identical_runs_that_have_both_pushed_open_one_pull_request(
    method: str, author: str, shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", author)

    def rival() -> None:
        monkeypatch.setenv("GIT_AUTHOR_NAME", "Dev")
        shop.new("1.4.2")

    before(monkeypatch, Local, method, rival)
    assert shop.new("1.4.2").results in (["unchanged"], ["merged"])
    listed = shop.remote.git("for-each-ref", "--format=%(refname)", "refs/gitops-promotion/pulls/")
    assert listed == "refs/gitops-promotion/pulls/1"
    assert shop.remote.git("rev-list", "--count", "--first-parent", "main") == "2"
    assert list(shop.remote.branches()) == ["main"]


def test_a_push_that_a_whole_run_of_a_rival_gets_into_opens_no_second_pull_request(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Repository.push

    def without_the_base(self: Repository, updates: Any, **_: Any) -> None:
        # The remote is listed at the start of a push, and the rival comes after that.
        real(self, updates)

    monkeypatch.setattr(Repository, "push", without_the_base)
    before(monkeypatch, Repository, "push", lambda: shop.new("1.4.2"))
    assert shop.new("1.4.2").results == ["unchanged"]
    listed = shop.remote.git("for-each-ref", "--format=%(refname)", "refs/gitops-promotion/pulls/")
    assert listed == "refs/gitops-promotion/pulls/1"
    assert list(shop.remote.branches()) == ["main"]


@pytest.mark.parametrize("verb", [("status", "--publish"), ("promote", "--all"), ("promote",)])
def test_a_branch_that_is_gone_between_listing_and_fetching_is_no_error(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    branch = shop.opened("1.4.2")
    before(monkeypatch, Repository, "fetch", lambda: shop.remote.git("update-ref", "-d", f"refs/heads/{branch}"))
    assert "failed" not in shop.run(*verb).results


def test_a_merge_that_conflicts_with_what_has_just_come_in_is_built_again(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, manifest: Callable[..., str]
) -> None:
    before(monkeypatch, Local, "set_auto_merge", lambda: conflict(shop, "dev", manifest))
    assert shop.new("1.4.2").results == ["merged"]
    assert shop.tag("dev") == "1.4.2"


def test_a_pull_request_that_a_person_closes_meanwhile_is_declined(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.new("1.4.2")
    before(monkeypatch, Local, "set_auto_merge", lambda: shop.local("close", "2"))
    assert shop.run("promote").results == ["declined"]
    assert "#" not in shop.local("list"), "what the run had lost is not proposed again"


def test_a_pull_request_that_a_person_closes_before_it_is_rebuilt_stays_closed(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str], manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    conflict(shop, "dev", manifest)
    before(monkeypatch, Repository, "conflicts", lambda: shop.local("close", "1"))
    skipped = shop.run("promote", "--all").outcomes[-1]
    assert (skipped["result"], skipped["message"]) == ("skipped", "pull request #1 for it was closed meanwhile")
    assert "#" not in shop.local("list")


def test_the_branch_of_a_promotion_that_was_merged_and_reverted_is_not_proposed_again_after_a_race(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, manifest: Callable[..., str]
) -> None:
    pull = shop.new("1.4.2").only["pull_request"]
    # A squash, after which the forge keeps the branch: its commit is no part of the default branch.
    commit = shop.remote.git("cat-file", "commit", pull["head_sha"]).replace(" +0000", " +0100") + "\n"
    left = shop.remote.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit)
    shop.remote.git("update-ref", f"refs/heads/{BRANCH}", left)
    conflict(shop, "dev", manifest)
    hold = "{group: webshop, app: webui, environment: dev, tag: 1.4.3, reason: bad, by: ann}"
    before(monkeypatch, Repository, "push", lambda: shop.edit({"gitops-promotion.holds.yaml": f"holds:\n  - {hold}\n"}))
    assert shop.new("1.4.3").results == ["skipped"]
    assert "#" not in shop.local("list")


def test_what_is_open_for_another_tag_stays_disarmed_where_a_race_has_brought_the_tag(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, manifest: Callable[..., str]
) -> None:
    shop.opened("1.4.2")
    shop.edit({"webshop/dev/webui.yaml": manifest("webui", "1.4.0")})
    before(monkeypatch, Repository, "push", lambda: shop.edit({"webshop/qa/webui.yaml": manifest("webui", "1.4.0")}))
    there = shop.run("promote", "--group", "webshop", "--app", "webui", "--env", "qa").only
    assert "is still open, with auto-merge off" in there["message"]
    assert "auto-merge off" in shop.local("show", "2")


def test_a_hotfix_in_the_middle_of_a_run_is_not_undone_by_the_promotion_that_was_open(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str], manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow="per-env")})
    branch = shop.opened("1.4.2")
    head = shop.remote.sha(branch)
    shop.new("1.4.3")
    before(monkeypatch, Repository, "push", lambda: conflict(shop, "qa", manifest))
    skipped = shop.run("promote").only
    assert "changed it in qa after 1.4.3 came to dev" in skipped["message"]
    assert shop.remote.sha(branch) == head, "a new head would not conflict with the hotfix"
    assert skipped["warnings"] == ["auto-merge of pull request #2 is off now"]


def test_a_branch_that_is_rebuilt_on_a_newer_tip_is_no_work_of_others(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")

    def rebuild() -> None:
        shop.edit({"webshop/dev/other.yaml": "kind: ConfigMap\n"})
        shop.new("1.4.3")

    # The tip is read, the branch not yet.
    before(monkeypatch, Repository, "grep", rebuild)
    assert shop.new("1.4.4").results == ["updated"]
    assert ":1.4.4 " in shop.remote.show("webshop/dev/webui.yaml", BRANCH)


def test_a_promotion_that_a_newer_build_has_taken_over_is_not_rebuilt_with_the_older_tag(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str], manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    conflict(shop, "dev", manifest)
    before(monkeypatch, Repository, "push", lambda: shop.new("1.4.3"))
    skipped = shop.run("promote", "--all").outcomes[-1]
    assert skipped["result"] == "skipped"
    assert skipped["message"] == "another run has changed the promotion of 1.4.2 meanwhile"
    assert ":1.4.3 " in shop.remote.show("webshop/dev/webui.yaml", BRANCH)


@pytest.mark.parametrize(("auto", "rival"), [(False, "the open promotion of 1.4.3"), (True, "the last promotion (#1")])
@pytest.mark.parametrize("method", ["push", "commit"])
def test_of_two_runs_in_a_race_the_one_that_started_last_wins(
    method: str, auto: bool, rival: str, shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(auto, True, False))})
    before(monkeypatch, Repository, method, lambda: shop.new("1.4.3"))
    skipped = shop.new("1.4.2").only
    assert skipped["result"] == "skipped"
    assert skipped["message"].startswith(rival)
    assert skipped["message"].endswith("is of a run that started later: with --built-at the build would decide")
    assert ":1.4.3 " in shop.remote.show("webshop/dev/webui.yaml", "main" if auto else BRANCH)


def test_of_two_runs_in_a_race_the_one_that_started_first_loses(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})

    def earlier() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("gitops_promotion.workflow.run._now", lambda: datetime.now(UTC) - timedelta(minutes=1))
            shop.new("1.4.1")

    before(monkeypatch, Repository, "push", earlier)
    assert shop.new("1.4.2").results == ["updated"]
    assert ":1.4.2 " in shop.remote.show("webshop/dev/webui.yaml", BRANCH)


def test_a_promotion_that_was_there_is_never_of_a_later_run(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    with monkeypatch.context() as patch:
        patch.setattr("gitops_promotion.workflow.run._now", lambda: datetime.now(UTC) + timedelta(minutes=5))
        shop.new("1.4.1")
    before(monkeypatch, Repository, "push", lambda: shop.edit({"README.md": "# Meanwhile\n"}))
    assert shop.new("1.4.2").results == ["updated"], "the clock of another runner may be ahead"


def test_races_without_end_are_an_error_after_growing_pauses(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("gitops_promotion.workflow.run.time.sleep", slept.append)
    monkeypatch.setattr("gitops_promotion.workflow.run.time.monotonic", lambda: 0.0)
    real = Repository.push

    def late(self: Repository, *arguments: Any, **options: Any) -> None:
        shop.edit({"README.md": f"# {len(slept)}\n"})
        real(self, *arguments, **options)

    monkeypatch.setattr(Repository, "push", late)
    failed = shop.new("1.4.2", code=5)
    assert f"other writers changed the remote {ATTEMPTS} times in a row during this run" in failed.stderr
    assert len(slept) == ATTEMPTS - 1
    assert slept[0] < 0.2 < 10 < max(slept) <= 30
    assert "refs/heads/main" in failed.stderr
