"""`gitops-promotion local ...`: people and scripts play forge and Flux."""

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.ci import CIContext
from gitops_promotion.commands import local as verbs
from gitops_promotion.core.forge import OWN_CONTEXT, Draft, PullRequest
from gitops_promotion.errors import ProviderError, UsageError
from gitops_promotion.providers.facts import Forge as Facts
from gitops_promotion.workflow.run import Clock, Run
from gitops_promotion.workflow.tip import Tip

if TYPE_CHECKING:
    from gitops_promotion.providers import Provider
    from tests.providers.conftest import LocalForge

HEAD = "promote/webshop-webui"


def run_with(local_forge: "LocalForge", provider: "Provider") -> Run:
    return Run(
        tip=Tip(repository=local_forge.writers.repository),
        choose=lambda _: Facts(name="test", connect=lambda _: provider),
        connect=lambda _, __: provider,
        read_sources=lambda _: pytest.fail("no verb here asks for changes"),
        find_kustomize=lambda: pytest.fail("no verb here builds"),
        registries=lambda _: pytest.fail("no verb here asks a registry"),
        context=CIContext(),
        clock=Clock(now=lambda: datetime.now(UTC), monotonic=lambda: 0.0, sleep=lambda _: None, random=lambda: 0.5),
        note=lambda _: None,
    )


def propose(local_forge: "LocalForge", head: str = HEAD) -> PullRequest:
    sha = local_forge.push(head, {f"{head}.txt": "1\n"})
    return local_forge.provider.open_pull_request(
        Draft(head=head, head_sha=sha, base="main", title="Promote", body="Why.", gated=True)
    )


@pytest.fixture
def run(local_forge: "LocalForge") -> Run:
    return run_with(local_forge, local_forge.provider)


class TestListing:
    def test_shows_open_or_all_pull_requests_newest_first(self, local_forge: "LocalForge", run: Run) -> None:
        closed, merged, opened, newest = (propose(local_forge, f"promote/{name}") for name in "abcd")
        verbs.close(run, closed.number)
        verbs.merge(run, merged.number)
        assert verbs.list_pull_requests(run, include_closed=False).pull_requests == (newest, opened)
        states = [
            (pull.number, pull.state) for pull in verbs.list_pull_requests(run, include_closed=True).pull_requests
        ]
        assert states == [(4, "open"), (3, "open"), (2, "merged"), (1, "closed")]

    def test_without_pull_requests_says_so(self, run: Run) -> None:
        assert verbs.list_pull_requests(run, include_closed=True).pull_requests == ()


class TestShowing:
    def test_shows_every_field(self, local_forge: "LocalForge", run: Run) -> None:
        opened = propose(local_forge)
        run.tip.refresh()
        verbs.review(run, opened.number, verdict="approved", comment="fine")
        verbs.set_status(run, HEAD, context="ci/test", state="success", description="12 passed")
        details = verbs.show(run, opened.number)
        assert details.pull_request == opened
        assert details.gated
        assert details.diff == f"--- /dev/null\n+++ b/{HEAD}.txt\n@@ -0,0 +1 @@\n+1\n"
        assert details.created_at < details.updated_at
        assert [(status.context, status.description) for status in details.statuses] == [("ci/test", "12 passed")]
        [review] = details.reviews
        assert (review.author, review.comment, review.sha) == ("Ann", "fine", opened.head_sha)

    def test_of_an_unknown_number_says_where_to_look(self, run: Run) -> None:
        with pytest.raises(ProviderError, match=r"no pull request #9: 'gitops-promotion local list --all'"):
            verbs.show(run, 9)


class TestMerging:
    def test_ignores_the_gate_and_reports_one_that_has_not_passed(self, local_forge: "LocalForge", run: Run) -> None:
        opened = propose(local_forge)
        outcome = verbs.merge(run, opened.number)
        assert (outcome.result, outcome.exit_code, outcome.branch) == ("merged", 0, HEAD)
        assert outcome.sha == local_forge.branches()["main"]
        assert outcome.message.startswith(
            "pull request #1 merged into main, though its check 'gitops-promotion' had not"
        )

    def test_after_the_gate_has_passed_reports_nothing(self, local_forge: "LocalForge", run: Run) -> None:
        opened = propose(local_forge)
        local_forge.pass_gate(opened.head_sha)
        assert verbs.merge(run, opened.number).message == "pull request #1 merged into main"

    def test_of_a_conflict_is_refused_with_the_reason(self, local_forge: "LocalForge", run: Run) -> None:
        opened = propose(local_forge)
        local_forge.push("main", {f"{HEAD}.txt": "other\n"})
        outcome = verbs.merge(run, opened.number)
        assert (outcome.result, outcome.exit_code) == ("refused", 3)
        assert "conflicts with main" in outcome.message

    def test_twice_is_refused(self, local_forge: "LocalForge", run: Run) -> None:
        opened = propose(local_forge)
        verbs.merge(run, opened.number)
        for again in (verbs.merge, verbs.close):
            with pytest.raises(UsageError, match="pull request #1 is merged already"):
                again(run, opened.number)


class TestClosing:
    def test_leaves_the_branch_and_may_be_repeated(self, local_forge: "LocalForge", run: Run) -> None:
        opened = propose(local_forge)
        assert verbs.close(run, opened.number).result == "updated"
        assert verbs.close(run, opened.number).result == "unchanged"
        assert local_forge.branches()[HEAD] == opened.head_sha


class TestReviewing:
    def test_of_a_closed_pull_request_is_an_error(self, local_forge: "LocalForge", run: Run) -> None:
        opened = propose(local_forge)
        verbs.close(run, opened.number)
        with pytest.raises(UsageError, match="#1 is closed, and only open ones are reviewed: open it again with"):
            verbs.review(run, opened.number, verdict="approved", comment="")


class TestSettingAStatus:
    @pytest.mark.parametrize("form", ["main", "refs/heads/main", "{sha}", "{SHA}", "{short}"])
    def test_finds_the_commit_by(self, local_forge: "LocalForge", run: Run, form: str) -> None:
        sha = local_forge.branches()["main"]
        revision = form.format(sha=sha, SHA=sha.upper(), short=sha[:7])
        outcome = verbs.set_status(run, revision, context="a/b", state="failure", description="broken")
        assert (outcome.sha, outcome.message) == (sha, f"a/b is failure on {sha}")
        [status] = local_forge.provider.statuses([sha])[sha]
        assert (status.state, status.description) == ("failure", "broken")

    @pytest.mark.parametrize("length", [7, 40])
    def test_finds_an_older_commit_of_the_default_branch(self, local_forge: "LocalForge", length: int) -> None:
        sha = local_forge.branches()["main"]
        local_forge.push("main", {"x.txt": "1\n"})
        run = run_with(local_forge, local_forge.provider)
        assert verbs.set_status(run, sha[:length], context="a/b", state="success", description="").sha == sha

    def test_prefers_the_branch_to_a_commit_of_the_same_letters(self, local_forge: "LocalForge") -> None:
        name = local_forge.branches()["main"][:7]
        tip = local_forge.push(name, {"x.txt": "1\n"})
        run = run_with(local_forge, local_forge.provider)
        assert verbs.set_status(run, name, context="a/b", state="success", description="").sha == tip

    @pytest.mark.parametrize("revision", ["nowhere", "1" * 40, "abc", "", "main^", "--all", "0000000", "refs/tags/x"])
    def test_of_a_commit_that_the_remote_lacks_is_an_error(self, run: Run, revision: str) -> None:
        with pytest.raises(UsageError, match="push it first, name a branch"):
            verbs.set_status(run, revision, context="a/b", state="success", description="")

    def test_of_three_digits_is_an_error(self, local_forge: "LocalForge", run: Run) -> None:
        start = local_forge.branches()["main"][:3]
        with pytest.raises(UsageError, match=start):
            verbs.set_status(run, start, context="a/b", state="success", description="")

    def test_of_an_ambiguous_start_is_an_error(self, local_forge: "LocalForge") -> None:
        # 900 commits, among which some share their first four digits; always the same ones.
        commit = "commit refs/heads/main\ncommitter Dev <dev@example.com> 1772366400 +0000\ndata 1\nx\n"
        local_forge.remote.git("fast-import", "--quiet", stdin=commit + "from refs/heads/main^0\n" + commit * 899)
        starts = Counter(sha[:4] for sha in local_forge.remote.git("rev-list", "main").split())
        [(start, times)] = starts.most_common(1)
        run = run_with(local_forge, local_forge.provider)
        with pytest.raises(UsageError, match=f"{start} is the start of {times} commits: write more digits"):
            verbs.set_status(run, start, context="a/b", state="success", description="")

    @pytest.mark.parametrize("context", [OWN_CONTEXT, OWN_CONTEXT.title()])
    def test_of_this_tools_own_context_is_an_error(self, local_forge: "LocalForge", run: Run, context: str) -> None:
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        with pytest.raises(UsageError, match="run `gitops-promotion status --pr N`"):
            verbs.set_status(run, HEAD, context=context, state="success", description="")
        assert local_forge.provider.pull_request(opened.number).auto_merge
        assert local_forge.provider.statuses([opened.head_sha]) == {opened.head_sha: []}


class Elsewhere:
    """A provider of a forge with pages of its own; no verb may ask it anything."""

    publishes = False

    def is_never_called(self, *_: object, **__: object) -> None:
        raise AssertionError

    pull_request = pull_requests = open_promotions = open_pull_request = close_pull_request = is_never_called
    set_auto_merge = merge = head_state = statuses = set_status = reviews = is_never_called


def test_on_another_forges_remote_nothing_is_written(local_forge: "LocalForge") -> None:
    run = run_with(local_forge, Elsewhere())  # type: ignore[arg-type]  # its methods return nothing
    for verb in (
        lambda: verbs.list_pull_requests(run, include_closed=False),
        lambda: verbs.set_status(run, "main", context="a/b", state="success", description=""),
        lambda: verbs.merge(run, 1),
    ):
        with pytest.raises(UsageError, match="--provider local"):
            verb()
    assert local_forge.remote.git("for-each-ref", "refs/gitops-promotion") == ""
