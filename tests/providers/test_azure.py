"""The Azure DevOps provider, by the real client, on an Azure DevOps of our own: rules, refusals, races, failures."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.bounded_http import ANSWER_LIMIT
from gitops_promotion.core import durations
from gitops_promotion.core.forge import OWN_CONTEXT, AutoMerge, CommitStatus, Draft, HeadState, PullRequest
from gitops_promotion.errors import AuthError, LeaseLostError, ProviderError, TransientError, UsageError
from gitops_promotion.providers.azure_devops.endpoints import Endpoints
from gitops_promotion.providers.http import PATIENCE
from tests.forges import azure_errors as errors
from tests.forges import azure_rest, faults
from tests.forges.azure import AzureDevOps
from tests.forges.azure_shapes import page
from tests.forges.azure_state import NOBODY, Options, State, Strategy, guid

if TYPE_CHECKING:
    from tests.providers.conftest import AzureForge

HEAD = "promote/webshop-webui"
REPO = "/acme/Web Shop/_apis/git/repositories/gitops"
PULLS = f"{REPO}/pullRequests"
EVALUATIONS = "GET /acme/Web Shop/_apis/policy/evaluations"
POLICIES = "GET /acme/Web Shop/_apis/git/policy/configurations"
ME = "GET /acme/_apis/ConnectionData"
LOCATIONS = "OPTIONS /acme/_apis"


def draft(forge: "AzureForge", sha: str = "", *, head: str = HEAD, title: str = "Promote", body: str = "") -> Draft:
    sha = sha or forge.branches()[head]
    return Draft(head=head, head_sha=sha, base="main", title=title, body=body, gated=False)


def propose(forge: "AzureForge", *, head: str = HEAD, title: str = "Promote", body: str = "") -> PullRequest:
    sha = forge.push(head, {f"{head}.txt": f"{title}\n"})
    return forge.provider.open_pull_request(draft(forge, sha, head=head, title=title, body=body))


def arm(forge: "AzureForge", pull_request: PullRequest) -> AutoMerge:
    return forge.provider.set_auto_merge(pull_request, enabled=True)


def bodies(forge: "AzureForge", method: str, key: str) -> list[Any]:
    """What was sent under a key, in order."""
    sent = [request.json for request in forge.server.requests if request.method == method]
    return [body[key] for body in sent if isinstance(body, dict) and key in body]


@pytest.fixture
def swift(azdo_forge: "AzureForge") -> "AzureForge":
    """An Azure DevOps that knows everything at once."""
    azdo_forge.server.world.unsettled_reads = azdo_forge.server.world.unevaluated_reads = 0
    return azdo_forge


class TestRequests:
    def test_opening_and_updating_take_one_request_each_and_arming_four(self, swift: "AzureForge") -> None:
        swift.require_gate()
        sha = swift.push(HEAD, {"a.txt": "1\n"})
        provider = swift.provider
        assert provider.pull_requests(head=HEAD) == []
        assert swift.calls() == [LOCATIONS, f"GET {PULLS}"]
        opened = provider.open_pull_request(draft(swift, sha))
        assert swift.calls() == [f"POST {PULLS}"]
        assert provider.set_auto_merge(opened, enabled=True).state == "armed"
        assert swift.calls() == [EVALUATIONS, POLICIES, ME, f"PATCH {PULLS}/1"]
        assert [pull.number for pull in provider.pull_requests(head=HEAD)] == [1]
        assert swift.calls() == [f"GET {PULLS}", f"GET {REPO}/refs", f"GET {PULLS}/1"]
        provider.set_auto_merge(opened, enabled=False)
        assert swift.calls() == [f"PATCH {PULLS}/1"]
        provider.open_pull_request(draft(swift, swift.push(HEAD, {"a.txt": "2\n"}), title="Newer"))
        assert swift.calls() == [f"PATCH {PULLS}/1"]

    def test_a_hundred_commits_are_one_request(self, swift: "AzureForge") -> None:
        shas = [swift.push("main", {"x.txt": f"{number}\n"}) for number in range(3)]
        for sha in shas:
            swift.hosted.post_status(sha, "kustomization/webshop-dev/2fb0a5b0", "succeeded")
        swift.provider.statuses([])
        swift.calls()
        found = swift.provider.statuses(shas)
        assert swift.calls() == [LOCATIONS, f"POST {REPO}/commitsBatch"]
        assert [len(found[sha]) for sha in shas] == [1, 1, 1]

    def test_connecting_sends_nothing(self, swift: "AzureForge") -> None:
        swift.connect()
        assert swift.calls() == []


class TestLookingUp:
    def test_b25_a_forks_branch_of_the_same_name_never_matches(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.push(HEAD, {"evil.txt": "1\n"})
        theirs = azdo_forge.hosted.open_pull_request(HEAD, fork=True, by="mallory")
        assert azdo_forge.provider.pull_requests(head=HEAD) == []
        assert azdo_forge.provider.open_promotions() == []
        ours = propose(azdo_forge)
        assert azdo_forge.provider.pull_requests(head=HEAD) == [ours]
        with pytest.raises(ProviderError, match=f"#{theirs} of Web Shop/gitops comes from a fork"):
            azdo_forge.provider.pull_request(theirs)

    def test_b25_many_forks_hide_no_pull_request(self, swift: "AzureForge") -> None:
        own = propose(swift)
        repo = swift.hosted.repo
        for number in range(own.number + 1, own.number + 151):
            repo.pulls[number] = replace(repo.pulls[own.number], number=number, fork=True, status="abandoned")
        assert [pull.number for pull in swift.provider.pull_requests(head=HEAD)] == [own.number]

    def test_only_branches_of_this_tool_are_promotions(self, azdo_forge: "AzureForge") -> None:
        opened = [propose(azdo_forge, head=head).number for head in (HEAD, "feature/webshop-webui-x", "rollout/a")]
        propose(azdo_forge, head="fix/promote/a")
        assert {pull.number for pull in azdo_forge.provider.open_promotions()} == set(opened[:2])
        assert len(azdo_forge.provider.open_pull_requests()) == len(opened) + 1
        provider = azdo_forge.connect(branch_prefixes=("rollout/", "feature/"))
        assert {pull.number for pull in provider.open_promotions()} == set(opened[1:])

    def test_all_pages_of_open_pull_requests_are_read(self, swift: "AzureForge") -> None:
        swift.server.page_size = 150
        first = propose(swift)
        swift.hosted.crowd(opened=250, closed=40)
        second = propose(swift, head="promote/webshop-cart")
        provider = swift.connect()
        swift.calls()
        assert provider.pull_requests(head=HEAD) == [first]
        assert {pull.number for pull in provider.open_promotions()} == {first.number, second.number}
        # Pages of 150, 102: a page is the last one where it is not full.
        assert swift.calls().count(f"GET {PULLS}") == 1 + 3

    @pytest.mark.parametrize(("before", "group"), [("", "g" * 500), ("😀" * 250, "g"), ("x" + "😀" * 250, "g")])
    def test_a_body_that_a_list_cuts_is_read_in_full(self, azdo_forge: "AzureForge", before: str, group: str) -> None:
        body = f'{before}<!-- metadata = {{"group": "{group}"}} -->\n' + "y" * 3000
        opened = propose(azdo_forge, body=body)
        assert azdo_forge.provider.pull_requests(head=HEAD) == [opened]
        assert opened.body == body
        assert azdo_forge.provider.open_promotions()[0].body == body
        azdo_forge.provider.close_pull_request(opened)
        assert azdo_forge.provider.pull_requests(head=HEAD)[0].body == body

    def test_b30_a_failed_list_is_an_error_and_not_an_empty_list(self, azdo_forge: "AzureForge") -> None:
        propose(azdo_forge)
        azdo_forge.server.faults.add(faults.server_error(502), times=99)
        with pytest.raises(TransientError, match=r"failed \(502\): run again"):
            azdo_forge.provider.pull_requests(head=HEAD)

    def test_a_pull_request_without_its_branch_is_open_during_its_completion(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.server.world.late_reads = 2
        swift.hosted.complete(opened.number, delete_source=True)
        assert HEAD not in swift.branches()
        assert [pull.state for pull in swift.provider.pull_requests(head=HEAD)] == ["open"]
        assert [pull.state for pull in swift.provider.pull_requests(head=HEAD)] == ["merged"]

    @pytest.mark.parametrize("strategy", ["noFastForward", "squash", "rebase", "rebaseMerge"])
    def test_b31_the_commit_of_a_merge_is_found_for_every_method(
        self, azdo_forge: "AzureForge", strategy: Strategy
    ) -> None:
        azdo_forge.push(HEAD, {"first.txt": "1\n"})
        opened = propose(azdo_forge)
        azdo_forge.push("main", {"other.txt": "1\n"})
        tip = azdo_forge.hosted.complete(opened.number, strategy)
        azdo_forge.push("main", {"later.txt": "1\n"})
        [listed] = azdo_forge.connect().pull_requests(head=HEAD)
        assert (listed.state, listed.merge_sha) == ("merged", tip)
        assert azdo_forge.connect().pull_request(opened.number).merge_sha == tip


class TestOpening:
    def test_b25_two_requests_at_once_open_one_pull_request(self, azdo_forge: "AzureForge") -> None:
        sha = azdo_forge.push(HEAD, {"a.txt": "1\n"})
        one, other = azdo_forge.connect(), azdo_forge.connect()
        assert one.pull_requests(head=HEAD) == other.pull_requests(head=HEAD) == []
        first = one.open_pull_request(draft(azdo_forge, sha, title="One"))
        second = other.open_pull_request(draft(azdo_forge, sha, title="Other"))
        assert (first.number, second.number, second.title) == (1, 1, "Other")
        assert len(azdo_forge.hosted.pulls()) == 1

    def test_a_pull_request_abandoned_meanwhile_is_opened_again(self, azdo_forge: "AzureForge") -> None:
        first = propose(azdo_forge)
        azdo_forge.provider.pull_requests(head=HEAD)
        azdo_forge.hosted.abandon(first.number)
        second = propose(azdo_forge, title="Again")
        assert (second.number, second.state) == (2, "open")

    def test_b1_a_pull_request_armed_by_a_person_meanwhile_is_disarmed(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        first = propose(azdo_forge)
        azdo_forge.hosted.arm(first.number)
        second = propose(azdo_forge, title="Newer")
        assert (second.number, second.auto_merge) == (first.number, False)
        assert azdo_forge.hosted.pull(first.number).auto_by == ""

    def test_a_branch_that_moved_is_an_error_of_the_lease(self, azdo_forge: "AzureForge") -> None:
        sha = azdo_forge.push(HEAD, {"a.txt": "1\n"})
        azdo_forge.push(HEAD, {"a.txt": "2\n"})
        with pytest.raises(LeaseLostError, match="run again"):
            azdo_forge.provider.open_pull_request(draft(azdo_forge, sha))

    def test_an_update_does_not_send_an_unchanged_target(self, azdo_forge: "AzureForge") -> None:
        propose(azdo_forge)
        propose(azdo_forge, title="Newer")
        assert bodies(azdo_forge, "PATCH", "targetRefName") == []
        azdo_forge.push("trunk", {"x.txt": "1\n"})
        propose(azdo_forge, title="Newest")
        azdo_forge.provider.open_pull_request(
            Draft(head=HEAD, head_sha=azdo_forge.branches()[HEAD], base="trunk", title="x", body="", gated=False)
        )
        assert bodies(azdo_forge, "PATCH", "targetRefName") == ["refs/heads/trunk"]

    @pytest.mark.parametrize(
        "fault", [faults.server_error(502, done=True), faults.reset(done=True), faults.truncated(), faults.malformed()]
    )
    def test_a_lost_answer_opens_no_second_pull_request(self, azdo_forge: "AzureForge", fault: faults.Fault) -> None:
        sha = azdo_forge.push(HEAD, {"a.txt": "1\n"})
        azdo_forge.server.faults.add(fault, method="POST", path="/pullRequests$")
        assert azdo_forge.provider.open_pull_request(draft(azdo_forge, sha)).number == 1
        assert len(azdo_forge.hosted.pulls()) == 1
        assert azdo_forge.server.faults.pending == 0


class TestArming:
    def test_b30_sets_and_clears_auto_complete_for_the_tokens_identity(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        azdo_forge.push(HEAD, {"a.txt": "1\n"})
        number = azdo_forge.hosted.open_pull_request(HEAD, by="ann")
        opened = azdo_forge.provider.pull_request(number)
        assert arm(azdo_forge, opened).state == "armed"
        assert azdo_forge.hosted.pull(number).auto_by == "promoter"
        assert azdo_forge.provider.set_auto_merge(opened, enabled=False).state == "off"
        assert azdo_forge.hosted.pull(number).auto_by == ""
        who = [each["id"] for each in bodies(azdo_forge, "PATCH", "autoCompleteSetBy")]
        assert who == [guid("identity", "promoter"), NOBODY]

    def test_b30_sets_the_merge_method_and_keeps_work_items(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        optional = azdo_forge.hosted.require_build(9, blocking=False)
        azdo_forge.hosted.allow_strategies("squash", "rebase")
        sha = azdo_forge.hosted.push(HEAD, {"a.txt": "1\n"}, message="Promote\n\nBuilt-At: 2026-03-01T12:00:00Z")
        opened = azdo_forge.provider.open_pull_request(draft(azdo_forge, sha))
        azdo_forge.hosted.pull(opened.number).options = Options(transition_work_items=True)
        azdo_forge.hosted.arm(opened.number)
        assert arm(azdo_forge, opened).state == "armed"
        [wish] = bodies(azdo_forge, "PATCH", "completionOptions")
        assert wish["mergeStrategy"] == "squash"
        assert wish["deleteSourceBranch"] is True
        assert wish["autoCompleteIgnoreConfigIds"] == [optional.id]
        azdo_forge.pass_gate(opened.head_sha)
        merged = azdo_forge.provider.pull_request(opened.number)
        assert (merged.state, merged.merge_sha) == ("merged", azdo_forge.branches()["main"])
        assert HEAD not in azdo_forge.branches()
        # What a squash makes of it keeps the trailers.
        assert azdo_forge.hosted.git.git("log", "-1", "--format=%(trailers:key=Built-At,valueonly)", "main")

    @pytest.mark.parametrize(
        ("method", "strategy"), [("merge", "noFastForward"), ("squash", "squash"), ("rebase", "rebase")]
    )
    def test_follows_the_configured_method(self, azdo_forge: "AzureForge", method: str, strategy: str) -> None:
        azdo_forge.require_gate()
        opened = propose(azdo_forge)
        assert azdo_forge.connect(merge_method=method).set_auto_merge(opened, enabled=True).state == "armed"
        assert azdo_forge.hosted.pull(opened.number).options.strategy == strategy

    def test_b30_a_method_forbidden_by_a_policy_is_refused_with_advice(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        azdo_forge.hosted.allow_strategies("squash", "rebaseMerge")
        answer = azdo_forge.connect(merge_method="merge").set_auto_merge(propose(azdo_forge), enabled=True)
        assert answer.state == "refused"
        assert answer.reason.endswith(
            "does not allow to merge by merge: set mergeMethod in the configuration to squash or rebase"
        )

    def test_without_a_policy_it_is_clean_and_not_merged(self, azdo_forge: "AzureForge") -> None:
        opened = propose(azdo_forge)
        assert arm(azdo_forge, opened).state == "clean"
        assert bodies(azdo_forge, "PATCH", "autoCompleteSetBy") == []
        assert azdo_forge.provider.pull_request(opened.number).state == "open"
        assert azdo_forge.provider.merge(opened).state == "merged"

    def test_b1_is_refused_where_a_verdict_on_an_older_push_would_count(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.hosted.require_status(OWN_CONTEXT, resets=False)
        answer = arm(azdo_forge, propose(azdo_forge))
        assert (answer.state, "Reset status whenever" in answer.reason) == ("refused", True)
        assert azdo_forge.hosted.pull(1).auto_by == ""

    def test_an_optional_check_does_not_hold_it(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.hosted.require_build(9, blocking=False)
        azdo_forge.hosted.allow_strategies("squash")
        assert arm(azdo_forge, propose(azdo_forge)).state == "clean"

    @pytest.mark.parametrize("reads", [1, 2, 4])
    def test_waits_until_every_policy_is_evaluated(self, azdo_forge: "AzureForge", reads: int) -> None:
        azdo_forge.require_gate()
        azdo_forge.server.world.unevaluated_reads = azdo_forge.server.world.unsettled_reads = reads
        assert arm(azdo_forge, propose(azdo_forge)).state == "armed"

    def test_a_policy_that_is_never_evaluated_is_a_refusal(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        azdo_forge.server.world.unevaluated_reads = 1000
        answer = arm(azdo_forge, propose(azdo_forge))
        assert answer.state == "refused"
        assert answer.reason.endswith("run this again")
        assert len(azdo_forge.slept) < 20

    def test_a_policy_of_pushes_needs_no_evaluation(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.hosted.limit_file_sizes()
        assert arm(azdo_forge, propose(azdo_forge)).state == "clean"

    def test_of_a_draft_is_refused(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        opened = propose(azdo_forge)
        azdo_forge.provider.pull_requests(head=HEAD)
        azdo_forge.hosted.edit(opened.number, draft=True)
        answer = azdo_forge.connect().set_auto_merge(opened, enabled=True)
        assert answer.state == "refused"
        assert "publish it" in answer.reason

    def test_b1_a_push_meanwhile_does_not_merge(
        self, azdo_forge: "AzureForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        azdo_forge.require_gate()
        opened = propose(azdo_forge)
        real = Endpoints.evaluations

        def late(self: Endpoints, number: int, project_id: str) -> list[Any]:
            found = real(self, number, project_id)
            azdo_forge.push(HEAD, {"unseen.txt": f"{len(azdo_forge.server.requests)}\n"})
            return found

        monkeypatch.setattr(Endpoints, "evaluations", late)
        azdo_forge.server.world.unevaluated_reads = 0
        answer = azdo_forge.connect().set_auto_merge(opened, enabled=True)
        assert answer.state == "moved"
        assert azdo_forge.hosted.pull(opened.number).auto_by == ""

    def test_ignored_by_the_server_is_refused_with_the_missing_permission(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        opened = propose(azdo_forge)
        weak = azdo_forge.server.give_token("weak", lacks=frozenset({"GenericContribute"}))
        answer = azdo_forge.connect(token=weak).set_auto_merge(opened, enabled=True)
        assert answer.state == "refused"
        assert "the permissions 'Contribute' and 'Contribute to pull requests'" in answer.reason

    @pytest.mark.parametrize("fault", [faults.reset(done=True), faults.server_error(504, done=True)])
    def test_with_a_lost_answer_is_armed_all_the_same(self, azdo_forge: "AzureForge", fault: faults.Fault) -> None:
        azdo_forge.require_gate()
        opened = propose(azdo_forge)
        azdo_forge.server.faults.add(fault, body="autoCompleteSetBy")
        assert arm(azdo_forge, opened).state == "armed"
        assert azdo_forge.provider.pull_request(opened.number).auto_merge


class TestMerging:
    def test_a_moved_head_is_not_merged(self, azdo_forge: "AzureForge") -> None:
        opened = propose(azdo_forge)
        assert arm(azdo_forge, opened).state == "clean"
        azdo_forge.push(HEAD, {"unseen.txt": "1\n"})
        answer = azdo_forge.provider.merge(opened)
        assert answer.state == "moved"
        assert "moved from" in answer.reason
        assert azdo_forge.provider.pull_request(opened.number).state == "open"

    def test_a_policy_that_holds_is_a_refusal_with_its_reason(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        answer = azdo_forge.provider.merge(propose(azdo_forge))
        assert answer.state == "refused"
        assert f"'{OWN_CONTEXT}' does not let it complete" in answer.reason

    @pytest.mark.parametrize("fault", [faults.reset(done=True), faults.server_error(502, done=True)])
    def test_with_a_lost_answer_is_merged(self, azdo_forge: "AzureForge", fault: faults.Fault) -> None:
        opened = propose(azdo_forge)
        azdo_forge.server.faults.add(fault, body="completed")
        assert azdo_forge.provider.merge(opened).state == "merged"

    def test_is_waited_for_until_the_server_has_completed_it(self, azdo_forge: "AzureForge") -> None:
        opened = propose(azdo_forge)
        azdo_forge.server.world.late_reads = 2
        assert azdo_forge.provider.merge(opened).state == "merged"
        assert azdo_forge.slept[-2:] == [1, 2]

    def test_still_running_after_the_last_look_counts_as_armed(self, azdo_forge: "AzureForge") -> None:
        opened = propose(azdo_forge)
        azdo_forge.server.world.late_reads = 50
        assert azdo_forge.provider.merge(opened).state == "armed"


class TestStatuses:
    def test_b16_the_genre_of_flux_with_a_summary_is_a_separate_context(self, azdo_forge: "AzureForge") -> None:
        sha = azdo_forge.branches()["main"]
        name = "kustomization/webshop-dev/2fb0a5b0"
        reports: Sequence[tuple[str | None, State]] = (
            ("fluxcd", "error"),
            ("fluxcd", "succeeded"),
            ("fluxcd:eu", "error"),
            (None, "failed"),
        )
        for genre, state in reports:
            azdo_forge.hosted.post_status(sha, name if genre else "codecov", state, genre=genre)
        found = {each.full_context: each.state for each in azdo_forge.provider.statuses([sha])[sha]}
        assert found == {name: "success", f"fluxcd:eu/{name}": "failure", "codecov": "failure"}

    def test_b15_a_commit_with_more_statuses_than_a_batch_shows_gets_its_own_request(self, swift: "AzureForge") -> None:
        sha = swift.branches()["main"]
        for number in range(130):
            swift.hosted.post_status(sha, f"kustomization/app{number}-dev", "error" if number % 2 else "succeeded")
            swift.hosted.post_status(sha, f"kustomization/app{number}-dev", "succeeded")
        found = swift.provider.statuses([sha])[sha]
        assert {each.state for each in found} == {"success"}
        assert len(found) == 130
        asked = [request.query for request in swift.server.requests if request.path.endswith("/statuses")]
        assert [query["latestOnly"] for query in asked] == ["true", "true"]  # two pages of a hundred

    def test_a_server_without_statuses_in_batches_gets_a_request_for_each_commit(self, swift: "AzureForge") -> None:
        swift.server.batches = False
        shas = [swift.push("main", {"x.txt": f"{number}\n"}) for number in range(3)]
        for sha in shas:
            swift.hosted.post_status(sha, "kustomization/webshop-dev", "succeeded")
        for _ in range(2):
            assert [len(said) for said in swift.provider.statuses(shas).values()] == [1, 1, 1]
        assert swift.calls().count(f"POST {REPO}/commitsBatch") == 1

    def test_an_unknown_commit_has_no_status_and_spoils_no_other(self, swift: "AzureForge") -> None:
        sha = swift.branches()["main"]
        swift.hosted.post_status(sha, "kustomization/webshop-dev", "succeeded")
        found = swift.provider.statuses(["1" * 40, sha])
        assert (found["1" * 40], len(found[sha])) == ([], 1)
        with pytest.raises(ProviderError, match=r"takes no status 'x' on 1{40}"):
            swift.provider.set_status("1" * 40, CommitStatus(context="x", state="success"))

    @pytest.mark.parametrize("sha", ["main", "1" * 39, "../../x", ""])
    def test_an_invalid_commit_id_gets_into_no_request(self, swift: "AzureForge", sha: str) -> None:
        with pytest.raises(UsageError, match="not the full id of a commit"):
            swift.provider.statuses([sha])
        with pytest.raises(UsageError, match="not the full id of a commit"):
            swift.provider.set_status(sha, CommitStatus(context=OWN_CONTEXT, state="success"))
        assert swift.calls() == []

    def test_the_verdict_is_a_status_that_a_policy_can_require_for_one_push(self, swift: "AzureForge") -> None:
        swift.hosted.require_status(OWN_CONTEXT)
        opened = propose(swift)
        assert arm(swift, opened).state == "armed"
        newer = swift.push(HEAD, {"more.txt": "1\n"})
        verdict = CommitStatus(context=OWN_CONTEXT, state="success", description="healthy")
        # The head moved on since it was judged; who has not noticed says it of the older one.
        swift.provider.set_status(opened.head_sha, verdict)
        assert [each.iteration for each in swift.hosted.pull(opened.number).statuses] == [1]
        assert swift.hosted.pull(opened.number).active
        assert swift.provider.head_state(swift.provider.pull_request(opened.number)) == HeadState()
        swift.connect().set_status(newer, verdict)
        assert swift.hosted.pull(opened.number).status == "completed"
        [said] = swift.provider.statuses([newer])[newer]
        assert (said.is_own, said.state, said.description) == (True, "success", "healthy")

    def test_other_statuses_are_posted_on_the_commit_alone(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.provider.set_status(opened.head_sha, CommitStatus(context="codecov", state="failure", genre="ci"))
        assert swift.hosted.pull(opened.number).statuses == []
        assert [each.full_context for each in swift.provider.statuses([opened.head_sha])[opened.head_sha]] == [
            "ci/codecov"
        ]


class TestReviews:
    def test_a_vote_without_its_thread_has_no_commit(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.review(opened.number, "approved", by="bob")
        swift.hosted.pull(opened.number).threads.clear()
        [review] = swift.provider.discussions([opened.number])[opened.number].reviews
        assert (review.author, review.verdict, review.sha, review.at) == ("bob", "approved", "", None)


def ask(forge: "AzureForge") -> list[PullRequest]:
    return forge.provider.pull_requests(head=HEAD)


def web_page(status: int, title: str) -> faults.Response:
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>Sign in</body></html>"
    return faults.Response(status=status, headers={"Content-Type": "text/html; charset=utf-8"}, body=body.encode())


class TestFailures:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.server_error(500),
            faults.server_error(503),
            faults.reset(),
            faults.truncated(),
            faults.malformed(),
        ],
    )
    def test_b27_a_temporary_failure_is_repeated_and_logged(
        self, swift: "AzureForge", fault: faults.Fault, caplog: pytest.LogCaptureFixture
    ) -> None:
        opened = propose(swift)
        swift.server.faults.add(fault, times=2)
        assert ask(swift) == [opened]
        assert swift.slept == [1, 2]
        assert "trying again in 1s" in caplog.text

    @pytest.mark.parametrize(
        ("fault", "seconds"),
        [
            (errors.throttled(retry_after=7), 7),
            (errors.throttled(), 60),
            (errors.unavailable(retry_after=9), 9),
        ],
    )
    def test_a_rate_limit_is_waited_for(self, swift: "AzureForge", fault: faults.Fault, seconds: int) -> None:
        swift.server.faults.add(fault)
        assert ask(swift) == []
        assert swift.slept == [seconds]

    def test_a_rate_limit_with_a_reset_is_waited_for_within_bounds(self, swift: "AzureForge") -> None:
        now = int(swift.server.clock.now.timestamp())
        swift.server.faults.add(errors.throttled(reset_at=now + 30))
        assert ask(swift) == []
        assert swift.slept == [31]
        swift.server.faults.add(errors.throttled(retry_after=int(PATIENCE) + 60))
        with pytest.raises(
            TransientError, match=f"rate limit of .* is used up: run again in {durations.shown(PATIENCE + 60)}"
        ):
            ask(swift)
        assert swift.slept == [31]

    def test_a_requested_pause_is_taken_before_the_next_request_and_logged(
        self, swift: "AzureForge", caplog: pytest.LogCaptureFixture
    ) -> None:
        ask(swift)
        slow = faults.reply(200, page([]), {"Retry-After": "5"})
        swift.server.faults.add(errors.fault(slow, "slow down"))
        ask(swift)
        assert swift.slept == []
        ask(swift)
        assert swift.slept == [5]
        assert f"{swift.server.collection} asks for a pause: waiting 5s" in caplog.text

    def test_all_pauses_of_a_run_together_are_bounded(self, swift: "AzureForge") -> None:
        ask(swift)
        slow = faults.reply(200, page([]), {"Retry-After": str(int(PATIENCE) - 100)})
        swift.server.faults.add(errors.fault(slow, "slow down"), times=9)
        for _ in range(9):
            ask(swift)
        assert swift.slept == [PATIENCE - 100, 100]

    @pytest.mark.parametrize(
        ("page_of", "status"),
        [("Azure DevOps Services | Sign In", 200), ("Log in to your account", 200), ("Anything", 203)],
    )
    def test_a_page_on_which_people_sign_in_is_a_refused_token(
        self, swift: "AzureForge", page_of: str, status: int
    ) -> None:
        ask(swift)
        swift.server.faults.add(errors.fault(web_page(status, page_of), "page"))
        with pytest.raises(AuthError, match="authentication failed"):
            ask(swift)

    @pytest.mark.parametrize("status", [200, 404, 405, 410])
    def test_a_web_page_in_place_of_the_api_is_no_refused_token(self, swift: "AzureForge", status: int) -> None:
        ask(swift)
        swift.calls()
        swift.server.faults.add(errors.fault(web_page(status, "Page not found - Azure DevOps Server"), "page"))
        with pytest.raises(ProviderError) as caught:
            ask(swift)
        assert type(caught.value) is ProviderError
        assert str(caught.value) == (
            f"{swift.server.collection} answers with a web page in place of its API ({status}): check the remote's "
            "address and --api-url, and that the server is Azure DevOps Server 2020 or newer"
        )
        assert len(swift.calls()) == 1

    def test_a_pull_request_is_not_missing_where_the_api_answers_with_a_web_page(self, swift: "AzureForge") -> None:
        swift.server.faults.add(errors.fault(web_page(404, "Not found"), "page"), method="GET")
        with pytest.raises(ProviderError, match="answers with a web page"):
            swift.provider.pull_request(7)

    def test_a_redirect_that_is_no_sign_in_is_named(self, swift: "AzureForge") -> None:
        ask(swift)
        moved = faults.Response(status=302, headers={"Location": f"https://tfs.test/{'x' * 999}"})
        swift.server.faults.add(errors.fault(moved, "moved"))
        with pytest.raises(ProviderError, match=r"redirects to https://tfs\.test/x+… \(302\): check") as caught:
            ask(swift)
        assert not isinstance(caught.value, AuthError)

    @pytest.mark.parametrize(
        "above",
        [
            errors.fault(errors.refusal(404, "HostNotFoundException", "none"), "JSON"),
            errors.fault(errors.sign_in(203, ""), "sign-in page"),
            errors.fault(errors.sign_in(302, "https://tfs.test"), "sign-in"),
            errors.fault(faults.reply(200, page([])), "nothing"),
        ],
        ids=lambda fault: str(fault.name),
    )
    def test_a_server_that_lacks_an_api_is_called_too_old_whatever_is_above_its_collection(
        self, swift: "AzureForge", monkeypatch: pytest.MonkeyPatch, above: faults.Fault
    ) -> None:
        monkeypatch.setattr(azure_rest, "ENDPOINTS", azure_rest.ENDPOINTS[:1])
        swift.server.faults.add(above, method="OPTIONS", path="^/_apis$")
        with pytest.raises(ProviderError) as caught:
            propose(swift)
        assert type(caught.value) is ProviderError
        assert "lacks an API of Azure DevOps Server 2020: update the server, or check" in str(caught.value)

    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip bomb"])
    def test_an_answer_without_end_is_one_clear_line(self, swift: "AzureForge", packed: bool) -> None:
        ask(swift)
        body = b" " * (ANSWER_LIMIT + 1)
        headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if packed else {})
        answer = faults.Response(status=200, headers=headers, body=gzip.compress(body, 1) if packed else body)
        swift.server.faults.add(errors.fault(answer, "huge"))
        with pytest.raises(ProviderError, match="has more than 16384 KiB: check"):
            ask(swift)

    def test_a_reason_without_end_is_shortened(self, swift: "AzureForge") -> None:
        swift.server.faults.add(errors.fault(errors.refusal(403, "AccessDenied", "no\x1b[2J" + "y" * 9999), "long"))
        with pytest.raises(AuthError, match="may not do that") as caught:
            ask(swift)
        assert len(str(caught.value)) < 600
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("status", [203, 302, 401])
    def test_an_unknown_token_is_refused_with_the_scopes_it_needs(self, swift: "AzureForge", status: Any) -> None:
        swift.server.sign_in = status
        provider = swift.connect(token="wrong")
        with pytest.raises(AuthError) as error:
            provider.pull_requests(head=HEAD)
        said = str(error.value)
        assert said.startswith(f"authentication failed at {swift.server.collection}: ")
        assert "Code (Read & write) and Pull request threads (Read & write)" in said
        assert "\n" not in said
        assert len(swift.calls()) == 1

    def test_a_sign_in_page_is_no_empty_list(self, swift: "AzureForge") -> None:
        ask(swift)
        swift.calls()
        for fault in (errors.sign_in_page(), errors.fault(errors.sign_in(302, swift.server.url), "302")):
            swift.server.faults.add(fault)
            with pytest.raises(AuthError, match="authentication failed"):
                ask(swift)
        # Nobody is followed to where people sign in.
        assert swift.calls() == [f"GET {PULLS}"] * 2

    @pytest.mark.parametrize(
        ("fault", "advice"),
        [
            (errors.forbidden(), "give its user the permission 'Contribute to pull requests' on the repository"),
            (errors.forbidden("GenericContribute"), "give its user the permission 'Contribute' on the repository"),
            (errors.hidden(), "does not see Web Shop/gitops .*TF401019.*give it access to this project"),
            (errors.fault(errors.refusal(403, "", "no"), "403"), r"may not do that .*needs the scopes Code"),
        ],
    )
    def test_b27_the_missing_right_of_a_token_is_named(
        self, swift: "AzureForge", fault: faults.Fault, advice: str
    ) -> None:
        swift.server.faults.add(fault)
        with pytest.raises(AuthError, match=advice) as error:
            ask(swift)
        assert "\n" not in str(error.value)
        assert swift.server.token not in str(error.value)

    def test_without_a_token_nothing_is_sent(self, swift: "AzureForge") -> None:
        with pytest.raises(AuthError, match="Azure DevOps wants a token, and none was found for this host"):
            swift.connect(token="").pull_requests(head=HEAD)
        assert swift.calls() == []

    def test_a_token_of_entra_or_of_a_job_is_a_bearer(self, swift: "AzureForge") -> None:
        job = swift.server.give_token("build", kind="jwt")
        assert swift.connect(token=job).pull_requests(head=HEAD) == []
        assert {request.actor for request in swift.server.requests} == {"build"}

    @pytest.mark.parametrize("where", ["https://evil.test/", "http://127.0.0.1:9/"])
    def test_b10_a_server_that_directs_requests_to_another_host_gets_no_token(
        self, swift: "AzureForge", monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        for endpoint in azure_rest.ENDPOINTS:
            monkeypatch.setitem(endpoint.__dict__, "template", f"{where}{endpoint.template}")
        with pytest.raises(ProviderError, match="directs requests to another host"):
            ask(swift)
        assert swift.calls() == [LOCATIONS]

    @pytest.mark.parametrize("answer", [{}, [], "x", {"count": 1, "value": None}, {"count": 1, "value": [7]}])
    def test_another_server_than_azure_devops_is_one_clear_line(self, swift: "AzureForge", answer: object) -> None:
        swift.server.faults.add(errors.fault(faults.reply(200, answer), "odd"), times=99)
        with pytest.raises(ProviderError) as error:
            ask(swift)
        assert "\n" not in str(error.value)

    def test_a_deeply_nested_answer_is_one_clear_line(self, swift: "AzureForge") -> None:
        deep = faults.Response(
            status=200, headers={"Content-Type": "application/json"}, body=b"[" * 100_000 + b"]" * 100_000
        )
        swift.server.faults.add(errors.fault(deep, "deep"), times=99)
        with pytest.raises(TransientError, match=r"unreadable answer \(RecursionError\)"):
            ask(swift)

    def test_a_host_in_capitals_is_the_same_host(self, swift: "AzureForge") -> None:
        capitals = swift.server.collection.replace("127.0.0.1", "LOCALHOST")
        assert swift.connect(api_url=capitals).pull_requests(head=HEAD) == []

    def test_an_unreachable_server_is_one_clear_line(self, swift: "AzureForge") -> None:
        provider = swift.connect(api_url="http://127.0.0.1:9/acme")
        with pytest.raises(TransientError, match=r"cannot be reached, or closed the connection .*check the network"):
            provider.pull_requests(head=HEAD)


@pytest.fixture
def own_server(tmp_path: Path, webshop: dict[str, str]) -> Iterator[AzureDevOps]:
    with AzureDevOps(tmp_path / "server", path="/tfs/DefaultCollection") as server:
        yield server


def test_requests_to_a_server_go_below_its_virtual_directory(
    own_server: AzureDevOps, azdo_forge: "AzureForge", webshop: dict[str, str]
) -> None:
    hosted = own_server.repository("Shop/gitops", webshop)
    provider = azdo_forge.connect(url=hosted.url, token=own_server.token)
    sha = hosted.push(HEAD, {"a.txt": "1\n"})
    opened = provider.open_pull_request(draft(azdo_forge, sha))
    assert provider.set_auto_merge(opened, enabled=True).state == "clean"
    assert provider.merge(opened).state == "merged"
    assert all(request.path.lower().startswith("/tfs/defaultcollection/") for request in own_server.requests)


def test_no_file_is_left_where_home_is_not_writable(swift: "AzureForge", tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = (
        "import json, os, sys\n"
        "from gitops_promotion.providers.azure_devops.api import Api\n"
        "from gitops_promotion.providers.azure_devops.address import Address\n"
        "from gitops_promotion.providers.azure_devops.endpoints import Endpoints\n"
        "address = Address.parse(sys.argv[1], api_url='', environ={})\n"
        "api = Api(address, lambda: os.environ['T'], now=None, sleep=None)\n"
        "found = Endpoints(api, address).pulls(status='active')\n"
        "print(json.dumps([len(found), 'AZURE_DEVOPS_CACHE_DIR' in os.environ]))\n"
    )
    environ = {"HOME": str(home), "TMPDIR": str(temporary), "PATH": os.environ["PATH"], "T": swift.server.token}
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, swift.hosted.url], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [0, False]
    assert list(home.iterdir()) == list(temporary.iterdir()) == []
