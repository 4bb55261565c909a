"""The GitHub provider, by the real PyGithub, on a GitHub of our own: its rules, refusals, races and failures."""

import gzip
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.bounded_http import ANSWER_LIMIT
from gitops_promotion.core import durations
from gitops_promotion.core.forge import OWN_CONTEXT, AutoMerge, CommitStatus, Draft, HeadState, PullRequest
from gitops_promotion.errors import AuthError, LeaseLostError, OutdatedError, ProviderError, TransientError, UsageError
from gitops_promotion.providers.http import ATTEMPTS, PATIENCE
from tests.forges import faults

if TYPE_CHECKING:
    from tests.providers.conftest import GitHubForge

HEAD = "promote/webshop-webui"
PULLS = "/api/v3/repos/acme/gitops/pulls"


def draft(forge: "GitHubForge", sha: str = "", *, head: str = HEAD, title: str = "Promote") -> Draft:
    sha = sha or forge.branches()[head]
    return Draft(head=head, head_sha=sha, base="main", title=title, body="", gated=False)


def propose(forge: "GitHubForge", *, head: str = HEAD, title: str = "Promote") -> PullRequest:
    sha = forge.push(head, {f"{head}.txt": f"{title}\n"})
    return forge.provider.open_pull_request(draft(forge, sha, head=head, title=title))


def arm(forge: "GitHubForge", pull_request: PullRequest) -> AutoMerge:
    return forge.provider.set_auto_merge(pull_request, enabled=True)


def bodies(forge: "GitHubForge", mutation: str) -> list[dict[str, Any]]:
    """The inputs of all mutations of that name so far."""
    found = []
    for request in forge.server.requests:
        asked = request.json if request.kind == "graphql" else None
        if isinstance(asked, dict) and f"{mutation}(" in asked["query"]:
            found.append(asked["variables"]["input"])
    return found


class TestRequests:
    def test_b25_a_branch_takes_one_request_among_many_pull_requests(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.hosted.crowd(opened=40, closed=40)
        github_forge.calls()
        assert github_forge.connect().pull_requests(head=HEAD) == [opened]
        assert github_forge.calls() == [f"GET {PULLS}"]

    def test_opening_and_updating_take_one_request_each_and_arming_one_or_two(
        self, github_forge: "GitHubForge"
    ) -> None:
        github_forge.require_gate()
        github_forge.server.world.unknown_reads = 0
        sha = github_forge.push(HEAD, {"a.txt": "1\n"})
        provider = github_forge.provider
        assert provider.pull_requests(head=HEAD) == []
        github_forge.calls()
        opened = provider.open_pull_request(draft(github_forge, sha))
        assert github_forge.calls() == [f"POST {PULLS}"]
        assert provider.set_auto_merge(opened, enabled=True).state == "armed"
        assert github_forge.calls() == ["POST /api/graphql"] * 2  # the first asks what the repository allows
        provider.set_auto_merge(opened, enabled=False)
        assert github_forge.calls() == ["POST /api/graphql"]
        sha = github_forge.push(HEAD, {"a.txt": "2\n"})
        provider.open_pull_request(draft(github_forge, sha, title="Newer"))
        assert github_forge.calls() == [f"PATCH {PULLS}/1"]
        assert provider.set_auto_merge(provider.pull_request(1), enabled=True).state == "armed"
        assert github_forge.calls() == [f"GET {PULLS}/1", "POST /api/graphql"]

    def test_a_state_that_github_still_computes_is_asked_for_again(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        # The answer to the opening is the first that does not know.
        github_forge.server.world.unknown_reads = 2
        opened = propose(github_forge)
        github_forge.calls()
        assert arm(github_forge, opened).state == "armed"
        assert github_forge.calls() == ["POST /api/graphql"] * 3

    def test_a_hundred_commits_are_one_request(self, github_forge: "GitHubForge") -> None:
        shas = [github_forge.push("main", {"x.txt": f"{number}\n"}) for number in range(12)]
        for sha in shas:
            github_forge.hosted.post_status(sha, "kustomization/webshop-dev/2fb0a5b0", "success")
        unknown = [f"{number:040x}" for number in range(88)]
        github_forge.calls()
        found = github_forge.provider.statuses([*shas, *unknown])
        assert github_forge.calls() == ["POST /api/graphql"]
        assert [len(found[sha]) for sha in shas] == [1] * 12
        assert [found[sha] for sha in unknown] == [[]] * 88
        github_forge.provider.statuses([*shas, *unknown, "f" * 40])
        assert len(github_forge.calls()) == 2

    def test_connecting_sends_nothing(self, github_forge: "GitHubForge") -> None:
        github_forge.connect()
        assert github_forge.calls() == []


class TestLookingUp:
    def test_b25_a_forks_branch_of_the_same_name_never_matches(self, github_forge: "GitHubForge") -> None:
        fork = github_forge.hosted.fork("mallory")
        fork.push(HEAD, {"evil.txt": "1\n"}, by="mallory")
        theirs = github_forge.hosted.open_pull_request(HEAD, fork=fork, by="mallory")
        assert github_forge.provider.pull_requests(head=HEAD) == []
        assert github_forge.provider.open_promotions() == []
        ours = propose(github_forge)
        assert ours.number != theirs
        assert github_forge.provider.pull_requests(head=HEAD) == [ours]
        with pytest.raises(ProviderError, match=f"#{theirs} of acme/gitops comes from a fork"):
            github_forge.provider.pull_request(theirs)
        github_forge.hosted.delete_fork(fork)
        assert github_forge.provider.open_promotions() == [ours]

    def test_only_branches_of_this_tool_are_promotions(self, github_forge: "GitHubForge") -> None:
        opened = [propose(github_forge, head=head).number for head in (HEAD, "feature/webshop-webui-x", "rollout/a")]
        propose(github_forge, head="fix/promote/a")
        assert {pull.number for pull in github_forge.provider.open_promotions()} == set(opened[:2])
        github_forge.calls()
        assert len(github_forge.provider.open_pull_requests()) == len(opened) + 1
        assert github_forge.calls() == [f"GET {PULLS}"]
        provider = github_forge.connect(branch_prefixes=("rollout/", "feature/"))
        assert {pull.number for pull in provider.open_promotions()} == set(opened[1:])

    def test_pages_of_open_and_closed_ones_hide_none(self, github_forge: "GitHubForge") -> None:
        first = propose(github_forge)
        github_forge.hosted.crowd(opened=14, closed=40)
        second = propose(github_forge, head="promote/webshop-cart")
        provider = github_forge.connect()
        github_forge.calls()
        assert provider.pull_requests(head=HEAD) == [first]
        assert provider.pull_requests(head="promote/webshop-cart") == [second]
        assert {pull.number for pull in provider.open_promotions()} == {first.number, second.number}
        assert len(github_forge.calls()) == 2 + 2

    def test_a_repository_that_moved_is_named_with_its_new_address(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.repo.name = "fleet"
        with pytest.raises(ProviderError, match=r"acme/gitops has moved to acme/fleet.*git remote set-url"):
            github_forge.provider.pull_requests(head=HEAD)
        github_forge.hosted.repo.name = "gitops"


class TestOpening:
    def test_b25_two_requests_at_once_open_one_pull_request(self, github_forge: "GitHubForge") -> None:
        sha = github_forge.push(HEAD, {"a.txt": "1\n"})
        one, other = github_forge.connect(), github_forge.connect()
        assert one.pull_requests(head=HEAD) == other.pull_requests(head=HEAD) == []
        first = one.open_pull_request(draft(github_forge, sha, title="One"))
        second = other.open_pull_request(draft(github_forge, sha, title="Other"))
        assert (first.number, second.number, second.title) == (1, 1, "Other")
        assert len(github_forge.hosted.pulls()) == 1

    def test_one_that_was_closed_since_it_was_seen_is_opened_anew(self, github_forge: "GitHubForge") -> None:
        first = propose(github_forge)
        github_forge.provider.pull_requests(head=HEAD)
        github_forge.hosted.close(first.number)
        second = propose(github_forge, title="Again")
        assert (second.number, second.state) == (2, "open")

    def test_b1_a_pull_request_armed_by_a_person_meanwhile_is_disarmed(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        first = propose(github_forge)
        github_forge.hosted.arm(first.number)
        second = propose(github_forge, title="Newer")
        assert (second.number, second.auto_merge) == (first.number, False)
        assert github_forge.hosted.pull(first.number).auto_merge is None

    def test_a_branch_that_moved_is_an_error_of_the_lease(self, github_forge: "GitHubForge") -> None:
        sha = github_forge.push(HEAD, {"a.txt": "1\n"})
        github_forge.push(HEAD, {"a.txt": "2\n"})
        with pytest.raises(LeaseLostError, match="run again"):
            github_forge.provider.open_pull_request(draft(github_forge, sha))

    def test_a_branch_that_was_merged_meanwhile_is_a_race(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.git.git("branch", HEAD, "main")
        with pytest.raises(OutdatedError, match=f"No commits between main and {HEAD}.*: run again"):
            github_forge.provider.open_pull_request(draft(github_forge))

    @pytest.mark.parametrize(
        "reason",
        [
            "not all refs are readable",
            "Head sha can't be blank, Base sha can't be blank, Head ref must be a branch",
            "head_sha missing_field",
            "head invalid",
            "base invalid",
            f"A pull request already exists for acme:{HEAD}.",
        ],
    )
    def test_what_github_says_of_branches_and_pull_requests_that_are_gone_is_a_race(
        self, github_forge: "GitHubForge", reason: str
    ) -> None:
        sha = github_forge.push(HEAD, {"a.txt": "1\n"})
        github_forge.server.faults.add(faults.refusal(422, reason), method="POST", path="/pulls$")
        with pytest.raises(OutdatedError, match="GitHub opens no pull request"):
            github_forge.provider.open_pull_request(draft(github_forge, sha))

    def test_any_other_refusal_to_open_is_an_error_at_once(self, github_forge: "GitHubForge") -> None:
        sha = github_forge.push(HEAD, {"a.txt": "1\n"})
        github_forge.server.faults.add(faults.refusal(422, "title is too long"), method="POST", path="/pulls$")
        with pytest.raises(ProviderError, match=r"title is too long.*: correct that there") as caught:
            github_forge.provider.open_pull_request(draft(github_forge, sha))
        assert not isinstance(caught.value, LeaseLostError)

    @pytest.mark.parametrize(
        "fault", [faults.server_error(502, done=True), faults.reset(done=True), faults.truncated(), faults.malformed()]
    )
    def test_a_lost_answer_opens_no_second_pull_request(self, github_forge: "GitHubForge", fault: faults.Fault) -> None:
        sha = github_forge.push(HEAD, {"a.txt": "1\n"})
        github_forge.server.faults.add(fault, method="POST", path="/pulls$")
        assert github_forge.provider.open_pull_request(draft(github_forge, sha)).number == 1
        assert len(github_forge.hosted.pulls()) == 1
        assert github_forge.server.faults.pending == 0


class TestArming:
    def test_b29_names_head_and_an_allowed_method(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        settings = github_forge.hosted.settings
        settings.allow_merge_commit = settings.allow_rebase_merge = False
        opened = propose(github_forge)
        assert arm(github_forge, opened).state == "armed"
        [wish] = bodies(github_forge, "enablePullRequestAutoMerge")
        assert (wish["expectedHeadOid"], wish["mergeMethod"]) == (opened.head_sha, "SQUASH")
        github_forge.pass_gate(opened.head_sha)
        merged = github_forge.provider.pull_request(opened.number)
        assert (merged.state, merged.merge_sha) == ("merged", github_forge.branches()["main"])

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_follows_the_configured_method(self, github_forge: "GitHubForge", method: str) -> None:
        github_forge.require_gate()
        opened = propose(github_forge)
        provider = github_forge.connect(merge_method=method)
        assert provider.set_auto_merge(opened, enabled=True).state == "armed"
        armed = github_forge.hosted.pull(opened.number).auto_merge
        assert armed is not None
        assert armed.method == method

    def test_b29_a_method_the_repository_forbids_is_refused_with_advice(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        github_forge.hosted.settings.allow_squash_merge = False
        opened = propose(github_forge)
        answer = github_forge.connect(merge_method="squash").set_auto_merge(opened, enabled=True)
        assert answer.state == "refused"
        assert "set mergeMethod in the configuration" in answer.reason

    def test_where_the_repository_forbids_it_the_setting_is_named(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        github_forge.hosted.settings.allow_auto_merge = False
        answer = arm(github_forge, propose(github_forge))
        assert answer.state == "refused"
        assert "switch on `Allow auto-merge`" in answer.reason

    def test_b29_without_any_rule_it_is_clean_and_not_merged(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        assert arm(github_forge, opened).state == "clean"
        assert github_forge.provider.pull_request(opened.number).state == "open"
        assert github_forge.provider.merge(opened).state == "merged"

    def test_b29_a_check_nobody_requires_does_not_hold_it(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.hosted.post_status(opened.head_sha, "codecov", "failure")
        assert arm(github_forge, opened).state == "clean"

    @pytest.mark.parametrize("reads", [1, 2, 4])
    def test_b29_it_waits_until_github_knows_what_is_required(self, github_forge: "GitHubForge", reads: int) -> None:
        github_forge.require_gate()
        github_forge.server.world.unknown_reads = reads
        assert arm(github_forge, propose(github_forge)).state == "armed"

    def test_b29_what_github_never_knows_is_refused(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        github_forge.server.world.unknown_reads = 1000
        answer = arm(github_forge, propose(github_forge))
        assert answer.state == "refused"
        assert answer.reason.endswith("run this again")
        assert len(github_forge.slept) < 20

    def test_of_a_draft_is_refused(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        opened = propose(github_forge)
        github_forge.hosted.edit(opened.number, draft=True)
        answer = arm(github_forge, opened)
        assert answer.state == "refused"
        assert "mark it as ready for review" in answer.reason

    def test_b1_what_is_armed_already_is_armed_anew_for_this_head(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        opened = propose(github_forge)
        github_forge.hosted.arm(opened.number, "rebase", by="bob")
        assert arm(github_forge, opened).state == "armed"
        armed = github_forge.hosted.pull(opened.number).auto_merge
        assert armed is not None
        assert (armed.by, armed.method) == ("promoter", "merge")

    @pytest.mark.parametrize("fault", [faults.reset(done=True), faults.server_error(504, done=True)])
    def test_with_a_lost_answer_is_armed_all_the_same(self, github_forge: "GitHubForge", fault: faults.Fault) -> None:
        github_forge.require_gate()
        opened = propose(github_forge)
        github_forge.server.faults.add(fault, body="enablePullRequestAutoMerge")
        assert arm(github_forge, opened).state == "armed"
        assert github_forge.provider.pull_request(opened.number).auto_merge

    def test_that_merged_before_its_answer_got_lost_is_merged(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        opened = propose(github_forge)
        provider = github_forge.provider
        assert provider.set_auto_merge(opened, enabled=True).state == "armed"
        github_forge.pass_gate(opened.head_sha)
        assert provider.set_auto_merge(opened, enabled=True).state == "merged"

    def test_in_a_repository_with_a_merge_queue_enters_it(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        github_forge.hosted.merge_queue()
        opened = propose(github_forge)
        assert arm(github_forge, opened).state == "armed"
        github_forge.pass_gate(opened.head_sha)
        [(number, group)] = github_forge.hosted.queued()
        assert number == opened.number
        github_forge.pass_gate(group)
        assert github_forge.provider.pull_request(number).state == "merged"

    def test_of_what_is_ready_for_the_queue_puts_it_there_and_disarming_takes_it_out(
        self, github_forge: "GitHubForge"
    ) -> None:
        github_forge.require_gate()
        github_forge.hosted.merge_queue()
        opened = propose(github_forge)
        github_forge.pass_gate(opened.head_sha)
        for _ in range(2):
            assert arm(github_forge, opened).state == "armed"
            assert [number for number, _ in github_forge.hosted.queued()] == [opened.number]
        assert github_forge.provider.set_auto_merge(opened, enabled=False).state == "off"
        assert github_forge.hosted.queued() == []


class TestMerging:
    def test_a_moved_head_is_not_merged(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.push(HEAD, {"unseen.txt": "1\n"})
        answer = github_forge.provider.merge(opened)
        assert answer.state == "moved"
        assert "moved from" in answer.reason
        assert github_forge.provider.pull_request(opened.number).state == "open"

    def test_what_a_rule_holds_is_refused_in_githubs_words(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        answer = github_forge.provider.merge(propose(github_forge))
        assert answer.state == "refused"
        assert f'"{OWN_CONTEXT}" is expected' in answer.reason

    @pytest.mark.parametrize("fault", [faults.reset(done=True), faults.server_error(502, done=True)])
    def test_with_a_lost_answer_is_merged(self, github_forge: "GitHubForge", fault: faults.Fault) -> None:
        opened = propose(github_forge)
        github_forge.server.faults.add(fault, method="PUT")
        assert github_forge.provider.merge(opened).state == "merged"

    def test_a_base_that_moves_meanwhile_is_tried_again(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        moved = faults.refusal(405, "Base branch was modified. Review and try the merge again.")
        github_forge.server.faults.add(moved, method="PUT", times=2)
        assert github_forge.provider.merge(opened).state == "merged"


class TestHeadState:
    def test_where_main_must_be_up_to_date_one_that_is_not_is_behind(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.protect("main", checks=["ci"], strict=True)
        opened = propose(github_forge)
        github_forge.hosted.post_status(opened.head_sha, "ci", "success")
        assert github_forge.provider.head_state(opened) == HeadState()
        github_forge.push("main", {"other.txt": "1\n"})
        github_forge.calls()
        github_forge.slept.clear()
        assert github_forge.provider.head_state(opened) == HeadState(outdated=True)
        # Right after a push GitHub does not know yet.
        assert len(github_forge.calls()) == len(github_forge.slept) + 1 == 2

    def test_a_required_check_run_that_failed_tells_when_its_last_run_began(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.protect("main", checks=["promotion-status", "ci"])
        opened = propose(github_forge)
        github_forge.hosted.check_run(opened.head_sha, "lint", "failure")
        github_forge.hosted.check_run(opened.head_sha, "ci", "skipped")
        assert github_forge.provider.head_state(opened) == HeadState()
        for conclusion in ("failure", "timed_out"):
            github_forge.hosted.check_run(opened.head_sha, "promotion-status", conclusion)
            began = github_forge.hosted.repo.newest_checks(opened.head_sha)[0].started_at
            assert github_forge.provider.head_state(opened) == HeadState(failed=True, failed_since=began)
        github_forge.hosted.check_run(opened.head_sha, "promotion-status", "")
        assert github_forge.provider.head_state(opened) == HeadState()

    def test_without_the_right_to_see_checks_it_is_left_as_it_is_and_that_is_said(
        self, github_forge: "GitHubForge", caplog: pytest.LogCaptureFixture
    ) -> None:
        github_forge.hosted.protect("main", checks=["promotion-status"])
        opened = propose(github_forge)
        github_forge.hosted.check_run(opened.head_sha, "promotion-status", "failure")
        rights = {"contents": "write", "pull_requests": "write", "statuses": "read"}
        token = github_forge.server.give_token("promoter[bot]", kind="installation", permissions=rights)
        assert github_forge.connect(token=token).head_state(opened) == HeadState()
        assert "the checks of #1 were not looked at: " in caplog.text
        assert "checks: read" in caplog.text


class TestStatuses:
    def test_b22_check_runs_count_only_of_the_apps_that_are_named(self, github_forge: "GitHubForge") -> None:
        sha = github_forge.branches()["main"]
        for app in ("github-actions", "argo-cd"):
            github_forge.hosted.check_run(sha, f"deploy/webshop-dev-{app}", "success", app=app)
        assert github_forge.provider.statuses([sha])[sha] == []
        [found] = github_forge.connect(check_run_apps=("Argo-CD",)).statuses([sha])[sha]
        assert (found.context, found.state, found.author) == ("deploy/webshop-dev-argo-cd", "success", "argo-cd[bot]")

    @pytest.mark.parametrize(
        ("conclusion", "state"),
        [("success", "success"), ("", "pending"), ("failure", "failure"), ("timed_out", "failure"), ("neutral", None)],
    )
    def test_b14_a_check_runs_conclusion_is_a_state(
        self, github_forge: "GitHubForge", conclusion: str, state: str | None
    ) -> None:
        sha = github_forge.branches()["main"]
        github_forge.hosted.check_run(sha, "deploy", conclusion, app="argo")
        found = github_forge.connect(check_run_apps=("argo",)).statuses([sha])[sha]
        assert [each.state for each in found] == ([] if state is None else [state])

    def test_b22_all_pages_of_check_runs_are_read(self, github_forge: "GitHubForge") -> None:
        sha = github_forge.branches()["main"]
        for number in range(130):
            github_forge.hosted.check_run(sha, f"test {number}", "success")
        github_forge.hosted.check_run(sha, "deploy", "success", app="argo")
        github_forge.hosted.post_status(sha, "codecov", "failure")
        github_forge.calls()
        found = github_forge.connect(check_run_apps=("argo", "github-actions")).statuses([sha])[sha]
        assert len(found) == 132
        assert len(github_forge.calls()) == 2

    def test_b15_fields_without_a_value_are_normal(self, github_forge: "GitHubForge") -> None:
        sha = github_forge.branches()["main"]
        github_forge.hosted.post_status(sha, "codecov", "error", by="ann")
        github_forge.hosted.post_status(sha, "kustomization/webshop-dev/2fb0a5b0", "success", by="flux-acme[bot]")
        found = {each.context: each for each in github_forge.provider.statuses([sha])[sha]}
        assert found["codecov"].state == "failure"
        assert (found["codecov"].description, found["codecov"].url, found["codecov"].author) == ("", "", "ann")
        assert found["kustomization/webshop-dev/2fb0a5b0"].author == "flux-acme[bot]"

    def test_a_long_description_is_cut_to_what_github_takes(self, github_forge: "GitHubForge") -> None:
        sha = github_forge.branches()["main"]
        status = CommitStatus(context=OWN_CONTEXT, state="failure", description="x" * 500)
        github_forge.provider.set_status(sha, status)
        assert github_forge.provider.statuses([sha])[sha][0].description == "x" * 140

    def test_on_an_unknown_commit_are_an_error(self, github_forge: "GitHubForge") -> None:
        with pytest.raises(ProviderError, match=r"takes no status 'x' on 1{40}"):
            github_forge.provider.set_status("1" * 40, CommitStatus(context="x", state="success"))

    @pytest.mark.parametrize("sha", ["main", '"){a', "1" * 39, "../../x", ""])
    def test_an_invalid_commit_id_gets_into_no_request(self, github_forge: "GitHubForge", sha: str) -> None:
        with pytest.raises(UsageError, match="not the full id of a commit"):
            github_forge.provider.statuses([sha])
        with pytest.raises(UsageError, match="not the full id of a commit"):
            github_forge.provider.set_status(sha, CommitStatus(context="x", state="success"))
        assert github_forge.calls() == []


def ask(forge: "GitHubForge") -> list[PullRequest]:
    return forge.provider.pull_requests(head=HEAD)


class TestFailures:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.server_error(500),
            faults.server_error(502),
            faults.server_error(503),
            faults.reset(),
            faults.truncated(),
            faults.malformed(),
        ],
    )
    def test_b27_a_temporary_failure_is_repeated_and_logged(
        self, github_forge: "GitHubForge", fault: faults.Fault, caplog: pytest.LogCaptureFixture
    ) -> None:
        opened = propose(github_forge)
        github_forge.server.faults.add(fault, times=2)
        assert ask(github_forge) == [opened]
        assert github_forge.slept == [1, 2]
        assert "trying again in 1s" in caplog.text

    def test_b27_a_lasting_failure_is_an_error_and_not_an_empty_list(self, github_forge: "GitHubForge") -> None:
        github_forge.server.faults.add(faults.server_error(502), times=99)
        with pytest.raises(TransientError, match=r"failed \(502 .*run again"):
            ask(github_forge)

    @pytest.mark.parametrize(
        ("fault", "seconds"),
        [
            (faults.secondary_limit(retry_after=7), 7),
            (faults.secondary_limit(retry_after=7, status=429), 7),
            (faults.secondary_limit(retry_after=None), 60),
        ],
    )
    def test_a_secondary_rate_limit_is_waited_for(
        self, github_forge: "GitHubForge", fault: faults.Fault, seconds: int
    ) -> None:
        github_forge.server.faults.add(fault)
        assert ask(github_forge) == []
        assert github_forge.slept == [seconds]

    @pytest.mark.parametrize("status", [403, 429])
    def test_a_primary_rate_limit_is_waited_for_until_its_reset(self, github_forge: "GitHubForge", status: int) -> None:
        now = int(github_forge.server.clock.now.timestamp())
        github_forge.server.faults.add(faults.primary_limit(reset_at=now + 30, status=status))
        assert ask(github_forge) == []
        assert github_forge.slept == [31]

    def test_a_rate_limit_that_is_too_long_is_an_error_with_its_end(self, github_forge: "GitHubForge") -> None:
        now = int(github_forge.server.clock.now.timestamp())
        github_forge.server.faults.add(faults.primary_limit(reset_at=now + int(PATIENCE) + 60))
        with pytest.raises(
            TransientError, match=f"rate limit for acme/gitops is used up .*in {durations.shown(PATIENCE + 61)}"
        ):
            ask(github_forge)
        assert github_forge.slept == []

    @pytest.mark.parametrize(
        ("fault", "advice"),
        [
            (faults.bad_credentials(), "does not accept the token .*check --token"),
            (faults.forbidden(), "give it the permission pull_requests: write"),
            (faults.sso(), r"single sign-on: do that at https://github.com/orgs/acme/sso\?authorization_request=A1"),
            (faults.not_found(), "does not see acme/gitops .*contents: write and pull-requests: write"),
        ],
    )
    def test_b27_the_missing_right_of_a_token_is_named(
        self, github_forge: "GitHubForge", fault: faults.Fault, advice: str
    ) -> None:
        github_forge.server.faults.add(fault)
        with pytest.raises(AuthError, match=advice) as error:
            ask(github_forge)
        assert "\n" not in str(error.value)
        assert github_forge.server.token not in str(error.value)
        assert len(github_forge.calls()) == 1

    @pytest.mark.parametrize(
        ("act", "permission"),
        [
            (lambda provider, pull: provider.set_auto_merge(pull, enabled=True), "contents: write"),
            (lambda provider, pull: provider.merge(pull), "contents.* write"),
            (lambda provider, pull: provider.close_pull_request(pull), "pull.requests: write"),
            (
                lambda provider, pull: provider.set_status(pull.head_sha, CommitStatus(context="x", state="success")),
                "statuses: write",
            ),
        ],
    )
    def test_a_read_only_token_is_refused_with_the_permission_it_needs(
        self, github_forge: "GitHubForge", act: Callable[[Any, PullRequest], object], permission: str
    ) -> None:
        github_forge.require_gate()
        opened = propose(github_forge)
        may = {"contents": "read", "pull_requests": "read", "statuses": "read", "metadata": "read"}
        reader = github_forge.server.give_token("reader[bot]", kind="installation", permissions=may)
        with pytest.raises(AuthError, match=permission):
            act(github_forge.connect(token=reader), opened)

    def test_without_a_token_nothing_is_sent(self, github_forge: "GitHubForge") -> None:
        with pytest.raises(AuthError, match="GitHub wants a token, and none was found for this host"):
            github_forge.connect(token="").pull_requests(head=HEAD)
        assert github_forge.calls() == []

    def test_another_api_than_githubs_is_one_clear_line(self, github_forge: "GitHubForge") -> None:
        provider = github_forge.connect(api_url=f"{github_forge.server.url}/elsewhere")
        with pytest.raises(ProviderError) as error:
            provider.pull_requests(head=HEAD)
        assert "\n" not in str(error.value)
        github_forge.server.broken.clear()

    def test_an_unreachable_server_is_one_clear_line(self, github_forge: "GitHubForge") -> None:
        provider = github_forge.connect(api_url="http://127.0.0.1:9/api/v3")
        with pytest.raises(TransientError, match=r"cannot be reached, or closed the connection .*check the network"):
            provider.pull_requests(head=HEAD)

    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip bomb"])
    def test_an_answer_without_end_is_one_clear_line(self, github_forge: "GitHubForge", packed: bool) -> None:
        body = b" " * (ANSWER_LIMIT + 1)
        headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if packed else {})
        answer = faults.Response(status=200, headers=headers, body=gzip.compress(body, 1) if packed else body)
        github_forge.server.faults.add(faults.Fault(act="answer", name="huge", answer=answer))
        with pytest.raises(ProviderError, match="has more than 16384 KiB: check"):
            ask(github_forge)

    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_a_redirect_is_followed_nowhere_and_named(self, github_forge: "GitHubForge", status: int) -> None:
        place = f"{github_forge.server.url}/api/v3/repositories/7\r\n::error::{'x' * 999}"
        answer = faults.reply(status, {"message": "Moved"}, {"Location": place.replace("\r\n", " ")})
        github_forge.server.faults.add(faults.Fault(act="answer", name="moved", answer=answer), times=9)
        with pytest.raises(ProviderError, match=r"redirects to http://127.*repositories/7") as error:
            ask(github_forge)
        assert len(str(error.value)) < 500
        assert len(github_forge.calls()) == 1

    def test_an_answer_that_is_never_ready_ends_after_some_attempts(self, github_forge: "GitHubForge") -> None:
        answer = faults.reply(202, {})
        github_forge.server.faults.add(faults.Fault(act="answer", name="202", answer=answer), times=99)
        with pytest.raises(TransientError, match="still working on an answer"):
            ask(github_forge)
        assert len(github_forge.calls()) == ATTEMPTS
        github_forge.server.faults.clear()

    def test_a_list_without_end_is_an_error(self, github_forge: "GitHubForge", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gitops_promotion.providers.github.api.PAGES", 3)
        answer = faults.reply(200, [], {"Link": '<https://api.github.com/x?page=2>; rel="next"'})
        github_forge.server.faults.add(faults.Fault(act="answer", name="more", answer=answer), times=9)
        with pytest.raises(ProviderError, match=r"has more than 300 of .*/pulls: close old ones"):
            github_forge.provider.open_pull_requests()
        assert len(github_forge.calls()) == 3
        github_forge.server.faults.clear()

    def test_a_reason_without_end_is_shortened(self, github_forge: "GitHubForge") -> None:
        headers = {"X-Accepted-GitHub-Permissions": "contents=write; " + "x" * 9999, "X-GitHub-SSO": "partial"}
        github_forge.server.faults.add(faults.refusal(403, "no\x1b[2J" + "y" * 9999, headers))
        with pytest.raises(AuthError, match="give it the permission contents: write") as error:
            ask(github_forge)
        assert len(str(error.value)) < 800
        assert str(error.value).isprintable()
