"""Statuses, check runs and what GraphQL tells of many commits at once."""

from collections.abc import Callable
from typing import Any

import github as pygithub
import pytest
from github.Repository import Repository as GitHubRepository

from tests.forges.github import GitHub
from tests.forges.github_people import Hosted

Query = Callable[..., dict[str, Any]]


def failure(act: Callable[[], object]) -> pygithub.GithubException:
    with pytest.raises(pygithub.GithubException) as caught:
        act()
    return caught.value


def test_all_are_listed_newest_first_with_their_nulls(repo: GitHubRepository, gitops: Hosted) -> None:
    sha = gitops.branches()["main"]
    commit = repo.get_commit(sha)
    commit.create_status("pending", context="a")
    commit.create_status("error", context="b", description="Broken", target_url="https://x.test/")
    gitops.post_status(sha, "a", "success", by="flux[bot]")
    found = [(each.context, each.state, each.description, each.creator.login) for each in commit.get_statuses()]
    assert found == [
        ("a", "success", None, "flux[bot]"),
        ("b", "error", "Broken", "promoter"),
        ("a", "pending", None, "promoter"),
    ]
    combined = commit.get_combined_status()
    assert (combined.state, combined.total_count) == ("failure", 2)
    assert next(each.created_at for each in commit.get_statuses()).utcoffset() is not None


def test_statuses_come_in_pages(start_github: Callable[..., GitHub], connect: Callable[..., pygithub.Github]) -> None:
    server = start_github(page_size=4)
    gitops = server.repository("acme/gitops", {"a": "1\n"})
    for number in range(9):
        gitops.post_status(gitops.branches()["main"], f"context/{number}", "success")
    commit = connect(server).get_repo("acme/gitops").get_commit(gitops.branches()["main"])
    assert len({each.context for each in commit.get_statuses()}) == 9


def test_limits_are_those_of_github(repo: GitHubRepository, gitops: Hosted) -> None:
    commit = repo.get_commit(gitops.branches()["main"])
    error = failure(lambda: commit.create_status("success", context="a", description="x" * 141))
    assert (error.status, error.data["errors"][0]["field"]) == (422, "description")
    assert failure(lambda: repo.get_commit("1" * 40).create_status("success")).status == 422
    gitops.repo.statuses[commit.sha] = [gitops.post_status(commit.sha, "a", "success")] * 1000
    assert "maximum number of statuses" in str(failure(lambda: commit.create_status("success", context="a")))
    commit.create_status("success", context="b")


def test_graphql_tells_the_statuses_of_many_commits_in_one_request(
    repo: GitHubRepository, gitops: Hosted, server: GitHub, graphql: Query
) -> None:
    shas = [gitops.push("main", {"n": f"{number}\n"}) for number in range(30)]
    for sha in shas[::2]:
        gitops.post_status(sha, "kustomization/apps-dev/0c9c2e41", "failure")
        gitops.post_status(sha, "kustomization/apps-dev/0c9c2e41", "success", description="reconciliation succeeded")
    fields = "... on Commit { oid status { contexts { context state description creator { login } createdAt } } }"
    aliases = " ".join(f'c{index}: object(oid: "{sha}") {{ {fields} }}' for index, sha in enumerate(shas))
    start = len(server.requests)
    found = graphql(f'{{ repository(owner: "acme", name: "gitops") {{ {aliases} }} }}')["repository"]
    assert len(server.requests) == start + 1
    assert [found[f"c{index}"]["oid"] for index in range(30)] == shas
    assert [each["status"] is None for each in found.values()] == [False, True] * 15
    (context,) = found["c0"]["status"]["contexts"]
    assert context.pop("createdAt").endswith("Z")
    assert context == {
        "context": "kustomization/apps-dev/0c9c2e41",
        "state": "SUCCESS",
        "description": "reconciliation succeeded",
        "creator": {"login": "flux"},
    }
    history = graphql(
        '{ repository(owner: "acme", name: "gitops") { ref(qualifiedName: "main") { target { ... on Commit {'
        " history(first: 3) { totalCount nodes { oid status { state } } } } } } } }"
    )["repository"]["ref"]["target"]["history"]
    assert [node["oid"] for node in history["nodes"]] == shas[:-4:-1]
    assert history["totalCount"] == 31
    nodes = graphql("query($ids: [ID!]!) { nodes(ids: $ids) { ... on Commit { oid } } }", ids=[f"C_1_{shas[0]}"])
    assert nodes == {"nodes": [{"oid": shas[0]}]}


def test_a_rollup_has_statuses_and_check_runs_in_pages_of_a_hundred(gitops: Hosted, graphql: Query) -> None:
    sha = gitops.branches()["main"]
    for number in range(101):
        gitops.post_status(sha, f"context/{number}", "success")
    gitops.check_run(sha, "build", "failure", app="acme-ci")
    query = """query($after: String) { repository(owner: "acme", name: "gitops") { object(expression: "main") {
      ... on Commit { statusCheckRollup { state contexts(first: 100, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { ... on StatusContext { context } ... on CheckRun { name conclusion checkSuite { app { slug } } } }
      } } } } } }"""
    rollup = graphql(query)["repository"]["object"]["statusCheckRollup"]
    contexts = rollup["contexts"]
    assert (rollup["state"], contexts["totalCount"], len(contexts["nodes"])) == ("FAILURE", 102, 100)
    assert contexts["pageInfo"]["hasNextPage"]
    rest = graphql(query, after=contexts["pageInfo"]["endCursor"])["repository"]["object"]["statusCheckRollup"]
    assert not rest["contexts"]["pageInfo"]["hasNextPage"]
    assert rest["contexts"]["nodes"][-1] == {
        "name": "build",
        "conclusion": "FAILURE",
        "checkSuite": {"app": {"slug": "acme-ci"}},
    }


def test_check_runs_are_listed(repo: GitHubRepository, gitops: Hosted) -> None:
    sha = gitops.branches()["main"]
    gitops.check_run(sha, "build", "failure")
    gitops.check_run(sha, "build", "")
    gitops.check_run(sha, "test", "success")
    found = {each.name: (each.status, each.conclusion) for each in repo.get_commit(sha).get_check_runs()}
    assert found == {"build": ("in_progress", None), "test": ("completed", "success")}


def test_graphql_wants_bounds_known_fields_and_what_exists(gitops: Hosted, graphql: Query) -> None:
    def said(query: str) -> str:
        error = failure(lambda: graphql(query))
        return str(error.data.get("message") or error.data["errors"][0]["message"])

    repository = 'repository(owner: "acme", name: "gitops")'
    assert "You must provide a `first` or `last`" in said(f"{{ {repository} {{ pullRequests {{ totalCount }} }} }}")
    assert "exceeds the `first` limit of 100" in said(
        f"{{ {repository} {{ pullRequests(first: 101) {{ totalCount }} }} }}"
    )
    assert "Cannot query field 'nothing'" in said(f"{{ {repository} {{ nothing }} }}")
    assert "number of 4711" in said(f"{{ {repository} {{ pullRequest(number: 4711) {{ id }} }} }}")
    assert "acme/gone" in said('{ repository(owner: "acme", name: "gone") { id } }')
    assert "global id of 'PR_9_9'" in said('{ node(id: "PR_9_9") { id } }')
    assert graphql(f'{{ {repository} {{ object(oid: "{"1" * 40}") {{ oid }} }} }}') == {"repository": {"object": None}}


def test_graphql_tells_the_settings_of_a_repository(gitops: Hosted, graphql: Query) -> None:
    gitops.protect("main", checks=["gate"], approvals=2)
    gitops.settings.allow_merge_commit = False
    found = graphql(
        '{ repository(owner: "acme", name: "gitops") { autoMergeAllowed mergeCommitAllowed squashMergeAllowed'
        " rebaseMergeAllowed viewerDefaultMergeMethod defaultBranchRef { name branchProtectionRule { pattern } }"
        " mergeQueue { id } branchProtectionRules(first: 5) { nodes {"
        " requiredStatusCheckContexts requiredApprovingReviewCount } } } viewer { login } }"
    )
    assert found == {
        "viewer": {"login": "promoter"},
        "repository": {
            "autoMergeAllowed": True,
            "mergeCommitAllowed": False,
            "squashMergeAllowed": True,
            "rebaseMergeAllowed": True,
            "viewerDefaultMergeMethod": "SQUASH",
            "defaultBranchRef": {"name": "main", "branchProtectionRule": {"pattern": "main"}},
            "mergeQueue": None,
            "branchProtectionRules": {
                "nodes": [{"requiredStatusCheckContexts": ["gate"], "requiredApprovingReviewCount": 2}]
            },
        },
    }


def test_graphql_lists_pull_requests_with_their_reviews(gitops: Hosted, graphql: Query) -> None:
    first = gitops.push("promote/a", {"a": "1\n"})
    gitops.open_pull_request("promote/a")
    gitops.review(1, "bob", "CHANGES_REQUESTED")
    gitops.review(1, "eve", "APPROVED")
    second = gitops.push("promote/a", {"a": "2\n"})
    gitops.review(1, "bob", "APPROVED")
    gitops.push("promote/b", {"b": "1\n"})
    gitops.close(gitops.open_pull_request("promote/b"))
    query = """{ repository(owner: "acme", name: "gitops") {
      pullRequests(first: 10, headRefName: "promote/a", states: [OPEN]) { totalCount nodes {
        number headRefOid isCrossRepository headRepositoryOwner { login } commits(last: 1) { nodes { commit { oid } } }
        latestOpinionatedReviews(first: 10) { nodes { author { login } state commit { oid } submittedAt } }
        reviews(first: 10, states: [CHANGES_REQUESTED]) { totalCount } statusCheckRollup { state }
      } } } }"""
    found = graphql(query)["repository"]["pullRequests"]
    assert found["totalCount"] == 1
    (pull,) = found["nodes"]
    assert (pull["number"], pull["headRefOid"], pull["isCrossRepository"]) == (1, second, False)
    assert pull["commits"]["nodes"] == [{"commit": {"oid": second}}]
    assert pull["statusCheckRollup"] is None
    assert pull["reviews"] == {"totalCount": 1}
    opinions = pull["latestOpinionatedReviews"]["nodes"]
    assert {(each["author"]["login"], each["state"], each["commit"]["oid"]) for each in opinions} == {
        ("eve", "APPROVED", first),
        ("bob", "APPROVED", second),
    }
