"""Auto-merge and the merge queue over GraphQL: what is refused with which words, what fires, what starts workflows."""

from collections.abc import Callable
from typing import Any

import github as pygithub
import pytest
from github.Repository import Repository as GitHubRepository

from tests.forges.github import GitHub
from tests.forges.github_people import Hosted

ENABLE = """mutation($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { pullRequest { state autoMergeRequest { mergeMethod } isInMergeQueue } }
}"""
STATE = """query($number: Int!) { repository(owner: "acme", name: "gitops") { pullRequest(number: $number) {
  mergeStateStatus mergeable state reviewDecision isMergeQueueEnabled isInMergeQueue
  autoMergeRequest { mergeMethod enabledBy { login } } mergeCommit { oid } headRefOid
} } }"""

Query = Callable[..., dict[str, Any]]


@pytest.fixture
def number(gitops: Hosted) -> int:
    """A pull request that waits for the check `gate`."""
    gitops.protect("main", checks=["gate"])
    gitops.push("promote/a", {"a": "1\n"})
    return gitops.open_pull_request("promote/a")


def refused(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(pygithub.GithubException) as caught:
        act()
    (error,) = caught.value.data["errors"]
    return error["type"], error["message"]


def state(graphql: Query, number: int) -> dict[str, Any]:
    found: dict[str, Any] = graphql(STATE, number=number)["repository"]["pullRequest"]
    return found


def test_an_armed_one_merges_when_its_check_becomes_green(
    repo: GitHubRepository, gitops: Hosted, number: int, graphql: Query
) -> None:
    pull = repo.get_pull(number)
    before = gitops.branches()["main"]
    assert state(graphql, number)["mergeStateStatus"] == "BLOCKED"
    pull.enable_automerge("SQUASH", expected_head_oid=pull.head.sha)
    armed = state(graphql, number)["autoMergeRequest"]
    assert armed == {"mergeMethod": "SQUASH", "enabledBy": {"login": "promoter"}}
    assert repo.get_pull(number).raw_data["auto_merge"]["merge_method"] == "squash"
    for said in ("pending", "failure"):
        repo.get_commit(pull.head.sha).create_status(said, context="gate")
        assert gitops.branches()["main"] == before
    repo.get_commit(pull.head.sha).create_status("success", context="gate")
    found = state(graphql, number)
    assert (found["state"], found["mergeCommit"]["oid"]) == ("MERGED", gitops.branches()["main"])
    assert len(gitops.git.commits("main")[0].parents) == 1


def test_a_merged_one_still_shows_that_it_was_armed(repo: GitHubRepository, gitops: Hosted, number: int) -> None:
    pull = repo.get_pull(number)
    pull.enable_automerge()
    gitops.post_status(pull.head.sha, "gate", "success")
    found = repo.get_pull(number)
    assert found.merged
    assert found.raw_data["auto_merge"]["enabled_by"]["login"] == "promoter"


def test_disarmed_it_does_not_merge(repo: GitHubRepository, gitops: Hosted, number: int, graphql: Query) -> None:
    pull = repo.get_pull(number)
    pull.enable_automerge()
    pull.disable_automerge()
    gitops.post_status(pull.head.sha, "gate", "success")
    assert state(graphql, number)["state"] == "OPEN"
    assert refused(pull.disable_automerge) == ("UNPROCESSABLE", "Can't disable auto-merge for this pull request.")


def test_it_stays_armed_over_a_push_of_somebody_who_may_write(
    repo: GitHubRepository, gitops: Hosted, number: int
) -> None:
    repo.get_pull(number).enable_automerge()
    tip = gitops.push("promote/a", {"a": "2\n"})
    assert gitops.pull(number).auto_merge
    gitops.post_status(tip, "gate", "success")
    assert gitops.git.show("a", "main") == "2\n"


def test_a_push_to_a_fork_disarms(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.protect("main", checks=["gate"])
    fork = gitops.fork("eve")
    fork.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a", fork=fork, by="eve")
    gitops.arm(number)
    fork.push("promote/a", {"a": "evil\n"})
    assert gitops.pull(number).auto_merge is None


@pytest.mark.parametrize("method", ["MERGE", "SQUASH", "REBASE"])
def test_what_is_refused_and_why(method: str, repo: GitHubRepository, gitops: Hosted, number: int) -> None:
    pull = repo.get_pull(number)

    def why(sha: str = "") -> str:
        kind, text = refused(lambda: pull.enable_automerge(method, expected_head_oid=sha or pull.head.sha))
        assert kind == "UNPROCESSABLE"
        return text

    assert why("1" * 40) == "Head branch was modified. Review and try the merge again."
    gitops.settings.allow_auto_merge = False
    assert why() == "Pull request Auto merge is not allowed for this repository"
    gitops.settings.allow_auto_merge = True
    gitops.edit(number, draft=True)
    assert why() == "Pull request Pull request is a draft"
    gitops.edit(number, draft=False)
    gitops.unprotect()
    assert why() == "Pull request Protected branch rules not configured for this branch"
    gitops.protect("main")
    assert why() == "Pull request Pull request is in clean status"
    gitops.post_status(pull.head.sha, "build", "pending")
    assert why() == "Pull request Pull request is in unstable status"
    gitops.push("main", {"a": "other\n"})
    assert why() == "Pull request Pull request is in dirty status"
    gitops.close(number)
    assert why() == "Can't enable auto-merge for this pull request."
    assert gitops.pull(number).auto_merge is None


def test_a_method_that_the_repository_forbids_is_refused(repo: GitHubRepository, gitops: Hosted, number: int) -> None:
    gitops.settings.allow_merge_commit = False
    text = refused(lambda: repo.get_pull(number).enable_automerge("MERGE"))[1]
    assert text == "Merge commits are not allowed on this repository."


def test_armed_twice_is_refused(repo: GitHubRepository, number: int) -> None:
    pull = repo.get_pull(number)
    pull.enable_automerge()
    assert refused(pull.enable_automerge)[1] == "Pull request Auto merge is already enabled"


def test_right_after_a_push_the_state_is_unknown_and_seems_clean(
    start_github: Callable[..., GitHub], connect: Callable[..., pygithub.Github]
) -> None:
    server = start_github(unknown_reads=2)
    gitops = server.repository("acme/gitops", {"a": "1\n"})
    gitops.protect("main", checks=["gate"])
    gitops.push("promote/a", {"b": "1\n"})
    number = gitops.open_pull_request("promote/a")
    client = connect(server)
    pull = client.get_repo("acme/gitops").get_pull(number)

    def read() -> str:
        data = client.requester.graphql_query(STATE, {"number": number})[1]["data"]
        return str(data["repository"]["pullRequest"]["mergeStateStatus"])

    assert pull.mergeable_state == "unknown"
    assert pull.raw_data["mergeable"] is None
    assert refused(pull.enable_automerge)[1] == "Pull request Pull request is in clean status"
    assert [read(), read()] == ["UNKNOWN", "BLOCKED"]
    pull.enable_automerge()
    gitops.push("promote/a", {"b": "2\n"})
    assert [read(), read(), read()] == ["UNKNOWN", "UNKNOWN", "BLOCKED"]


def test_merge_states_are_those_of_github(gitops: Hosted, number: int, graphql: Query) -> None:
    def now() -> str:
        return str(state(graphql, number)["mergeStateStatus"])

    sha = gitops.branches()["promote/a"]
    assert now() == "BLOCKED"
    gitops.post_status(sha, "gate", "success")
    assert now() == "CLEAN"
    gitops.post_status(sha, "build", "failure")
    assert now() == "UNSTABLE"
    gitops.protect("main", checks=["gate"], strict=True)
    gitops.push("main", {"b": "1\n"})
    assert now() == "BEHIND"
    gitops.edit(number, draft=True)
    assert now() == "DRAFT"
    gitops.edit(number, draft=False)
    gitops.push("main", {"a": "other\n"})
    assert now() == "DIRTY"


def test_a_required_check_run_counts_like_a_status(repo: GitHubRepository, gitops: Hosted, number: int) -> None:
    pull = repo.get_pull(number)
    pull.enable_automerge()
    gitops.check_run(pull.head.sha, "gate", "")
    gitops.check_run(pull.head.sha, "gate", "failure")
    assert gitops.pull(number).open
    gitops.check_run(pull.head.sha, "gate", "success")
    assert gitops.pull(number).merged_at


def test_required_reviews_count_the_last_of_each_person(gitops: Hosted, graphql: Query) -> None:
    gitops.protect("main", approvals=1, dismiss_stale=True)
    gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    gitops.arm(number)
    decisions = [state(graphql, number)["reviewDecision"]]
    gitops.review(number, "bob", "CHANGES_REQUESTED")
    gitops.review(number, "bob", "COMMENTED")
    decisions.append(state(graphql, number)["reviewDecision"])
    gitops.review(number, "bob", "DISMISSED")
    decisions.append(state(graphql, number)["reviewDecision"])
    assert decisions == ["REVIEW_REQUIRED", "CHANGES_REQUESTED", "REVIEW_REQUIRED"]
    gitops.review(number, "eve", "APPROVED")
    assert gitops.pull(number).merged_at


def test_a_push_dismisses_approvals_where_the_rule_says_so(gitops: Hosted, graphql: Query) -> None:
    gitops.protect("main", approvals=1, checks=["gate"], dismiss_stale=True)
    gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    gitops.review(number, "bob", "APPROVED")
    assert state(graphql, number)["reviewDecision"] == "APPROVED"
    gitops.push("promote/a", {"a": "2\n"})
    assert state(graphql, number)["reviewDecision"] == "REVIEW_REQUIRED"


def test_a_merge_armed_with_the_token_of_a_workflow_starts_none(
    server: GitHub, gitops: Hosted, number: int, connect: Callable[..., pygithub.Github]
) -> None:
    def merged_by(token: str, branch: str) -> list[bool]:
        gitops.push(branch, {branch: "1\n"})
        pull = connect(server, token).get_repo("acme/gitops").get_pull(gitops.open_pull_request(branch))
        pull.enable_automerge()
        start = len(server.events)
        gitops.post_status(pull.head.sha, "gate", "success")
        return [event.starts for event in server.events[start:] if event.name in ("push", "pull_request")]

    assert merged_by(server.give_token("github-actions[bot]", kind="actions"), "one") == [False, False]
    assert merged_by(server.give_token("promoter[bot]", kind="installation"), "two") == [True, True]
    push = [event.payload for event in server.events if event.name == "push"][-1]
    assert push["after"] == gitops.branches()["main"]
    assert push["before"] == gitops.git.sha("main^1")


class TestMergeQueue:
    @pytest.fixture
    def queued(self, gitops: Hosted) -> Hosted:
        gitops.protect("main", checks=["gate"])
        gitops.merge_queue("main", method="squash")
        return gitops

    def arm(self, gitops: Hosted, repo: GitHubRepository, branch: str, files: dict[str, str]) -> int:
        sha = gitops.push(branch, files)
        pull = repo.get_pull(gitops.open_pull_request(branch, title=branch))
        pull.enable_automerge("SQUASH", expected_head_oid=sha)
        gitops.post_status(sha, "gate", "success")
        return pull.number

    def test_an_armed_one_enters_it_and_merges_when_its_group_is_green(
        self, queued: Hosted, repo: GitHubRepository, graphql: Query, server: GitHub
    ) -> None:
        start = queued.branches()["main"]
        number = self.arm(queued, repo, "promote/a", {"a": "1\n"})
        found = state(graphql, number)
        assert (found["state"], found["isInMergeQueue"], found["autoMergeRequest"]) == ("OPEN", True, None)
        ((_, group),) = queued.queued()
        assert queued.branches()[f"gh-readonly-queue/main/pr-{number}-{start}"] == group
        (event,) = [event for event in server.events if event.name == "merge_group"]
        assert event.payload["merge_group"] == {
            "head_sha": group,
            "head_ref": f"refs/heads/gh-readonly-queue/main/pr-{number}-{start}",
            "base_sha": start,
            "base_ref": "refs/heads/main",
        }
        queued.post_status(group, "gate", "success")
        assert queued.branches()["main"] == group == queued.pull(number).merge_sha
        assert queued.queued() == []
        assert set(queued.branches()) == {"main", "promote/a"}

    def test_what_could_merge_now_enters_it_at_once(
        self, queued: Hosted, repo: GitHubRepository, graphql: Query
    ) -> None:
        sha = queued.push("promote/a", {"a": "1\n"})
        number = queued.open_pull_request("promote/a")
        queued.post_status(sha, "gate", "success")
        answer = graphql(ENABLE, input={"pullRequestId": repo.get_pull(number).node_id, "expectedHeadOid": sha})
        assert answer["enablePullRequestAutoMerge"]["pullRequest"]["isInMergeQueue"]
        assert state(graphql, number)["isMergeQueueEnabled"]

    def test_a_group_stands_on_the_one_before_it_and_several_merge_in_one_push(
        self, queued: Hosted, repo: GitHubRepository, server: GitHub
    ) -> None:
        queued.merge_queue("main", method="squash", minimum=2)
        start = queued.branches()["main"]
        first = self.arm(queued, repo, "promote/a", {"a": "1\n"})
        second = self.arm(queued, repo, "promote/b", {"b": "1\n"})
        (_, one), (_, two) = queued.queued()
        assert queued.git.sha(f"{two}^") == one
        queued.post_status(one, "gate", "success")
        assert queued.branches()["main"] == start
        queued.post_status(two, "gate", "success")
        assert (queued.pull(first).merge_sha, queued.pull(second).merge_sha) == (one, two)
        pushes = [event.payload for event in server.events if event.name == "push"]
        assert pushes[-1] == {"ref": "refs/heads/main", "before": start, "after": two}
        assert [pull.number for pull in repo.get_commit(one).get_pulls()] == [first]

    def test_a_red_group_falls_out_and_the_next_is_built_without_it(
        self, queued: Hosted, repo: GitHubRepository
    ) -> None:
        first = self.arm(queued, repo, "promote/a", {"a": "1\n"})
        second = self.arm(queued, repo, "promote/b", {"b": "1\n"})
        (_, one), _ = queued.queued()
        queued.post_status(one, "gate", "failure")
        ((number, group),) = queued.queued()
        assert number == second
        assert queued.git.sha(f"{group}^") == queued.branches()["main"]
        assert queued.pull(first).open
        queued.post_status(group, "gate", "success")
        assert queued.pull(second).merged_at
        assert set(queued.git.files("main")) == {"README.md", "apps/dev/web.yaml", "b"}

    def test_a_push_to_the_head_takes_it_out(self, queued: Hosted, repo: GitHubRepository) -> None:
        self.arm(queued, repo, "promote/a", {"a": "1\n"})
        queued.push("promote/a", {"a": "2\n"})
        assert queued.queued() == []

    def test_it_can_be_entered_and_left_by_hand(self, queued: Hosted, repo: GitHubRepository, graphql: Query) -> None:
        sha = queued.push("promote/a", {"a": "1\n"})
        node = repo.get_pull(queued.open_pull_request("promote/a")).node_id
        enter = """mutation($id: ID!, $oid: GitObjectID) {
          enqueuePullRequest(input: {pullRequestId: $id, expectedHeadOid: $oid}) { mergeQueueEntry { position state } }
        }"""
        leave = "mutation($id: ID!) { dequeuePullRequest(input: {id: $id}) { clientMutationId } }"
        assert refused(lambda: graphql(enter, id=node))[1] == "Pull request is not mergeable"
        queued.post_status(sha, "gate", "success")
        assert refused(lambda: graphql(enter, id=node, oid="1" * 40))[0] == "UNPROCESSABLE"
        entry = graphql(enter, id=node, oid=sha)["enqueuePullRequest"]["mergeQueueEntry"]
        assert entry == {"position": 1, "state": "QUEUED"}
        assert refused(lambda: graphql(enter, id=node))[1] == "Pull request is already in the queue"
        graphql(leave, id=node)
        assert queued.queued() == []
        assert refused(lambda: graphql(leave, id=node))[1] == "Pull request is not in the queue"
