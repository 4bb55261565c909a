"""How the answers of Azure DevOps are read, in tables; the answers are made of the client's own models."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gitops_promotion.core.forge import AutoMerge, HeadState
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.azure_devops import answers, discussions, policies
from gitops_promotion.providers.azure_devops.answers import fit
from tests.forges import azure_models
from tests.support.nouns import OPEN_PULL

_, git, _, policy_models, _ = azure_models.load()

SHA, OTHER = "1" * 40, "2" * 40
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PULL = replace(OPEN_PULL, head="promote/a", head_sha=SHA)


def pull(**more: Any) -> Any:
    known: dict[str, Any] = {
        "pull_request_id": 7,
        "status": "active",
        "source_ref_name": "refs/heads/promote/a",
        "target_ref_name": "refs/heads/main",
        "last_merge_source_commit": git.GitCommitRef(commit_id=SHA),
        "merge_status": "succeeded",
        "repository": git.GitRepository(id="r", project=git.TeamProjectReference(id="p")),
    }
    return git.GitPullRequest(**(known | more))


def status(name: str, state: str, genre: str | None = None, at: int = 0, **more: Any) -> Any:
    when = START + timedelta(seconds=at)
    return git.GitStatus(
        context=git.GitStatusContext(name=name, genre=genre), state=state, creation_date=when, id=at, **more
    )


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, None),
        ({"merge_status": "queued"}, None),
        ({"merge_status": None}, None),
        ({"status": "completed"}, "merged"),
        ({"status": "completed", "last_merge_source_commit": git.GitCommitRef(commit_id=OTHER)}, "moved"),
        ({"status": "abandoned"}, "moved"),
        ({"is_draft": True}, "refused"),
        ({"merge_status": "conflicts"}, "refused"),
        ({"merge_status": "rejectedByPolicy"}, "refused"),
        ({"merge_status": "failure", "merge_failure_message": "a\nb"}, "refused"),
        ({"last_merge_source_commit": git.GitCommitRef(commit_id=OTHER)}, "moved"),
    ],
)
def test_the_states_in_which_a_pull_request_can_be_armed(more: dict[str, Any], state: str | None) -> None:
    found = answers.refusal_for(answers.read_merge_state(pull(**more)), PULL)
    assert (found and found.state) == state
    assert isinstance(found, AutoMerge | None)
    if found and found.state in ("refused", "moved"):
        assert found.reason
        assert found.reason.isprintable()


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("succeeded", "success"),
        ("failed", "failure"),
        ("error", "failure"),
        ("pending", "pending"),
        ("notSet", "pending"),
        ("partiallySucceeded", "pending"),
        ("whatever", "pending"),
        (None, "pending"),
        ("notApplicable", None),
    ],
)
def test_b14_each_state_has_its_meaning(state: str, found: str | None) -> None:
    assert [each.state for each in answers.read_statuses([status("a/b", state)])] == ([found] if found else [])


def test_b15_a_status_may_lack_everything_but_its_name() -> None:
    [found] = answers.read_statuses([git.GitStatus(context=git.GitStatusContext(name="a/b"), state="succeeded")])
    assert (found.description, found.url, found.genre, found.created_at) == ("", "", "", None)
    for nothing in (git.GitStatus(), git.GitStatus(context=git.GitStatusContext()), SimpleNamespace()):
        assert answers.read_statuses([nothing]) == []


def test_b15_the_newest_of_each_genre_and_name_counts_in_whatever_order_they_come() -> None:
    said = [
        status("a/b", "failed", "fluxcd", at=3),
        status("a/b", "succeeded", "fluxcd", at=1),
        status("a/b", "succeeded", "fluxcd:eu", at=2),
        status("a/c", "succeeded", None, at=1),
        status("a/c", "notApplicable", None, at=2),
    ]
    for order in (said, said[::-1]):
        found = {(each.genre, each.context): each.state for each in answers.read_statuses(order)}
        assert found == {("", "a/b"): "failure", ("fluxcd:eu", "a/b"): "success"}


def evaluation(kind: str, state: str, *, blocking: bool | None = True, number: int = 1, **settings: Any) -> Any:
    configuration = policy_models.PolicyConfiguration(
        id=number, type=policy_models.PolicyTypeRef(id=kind.upper()), is_blocking=blocking, settings=settings
    )
    return policy_models.PolicyEvaluationRecord(configuration=configuration, status=state, started_date=START)


@pytest.mark.parametrize(
    ("kind", "state", "blocking", "found"),
    [
        (policies.BUILD, "queued", True, True),
        (policies.STATUS, "approved", True, True),
        (policies.STATUS, "", None, True),
        (policies.BUILD, "notApplicable", True, False),
        (policies.STATUS, "queued", False, False),
        (policies.MERGE_STRATEGY, "approved", True, False),
    ],
)
def test_the_policies_that_may_require_this_tools_check(
    kind: str, state: str, blocking: bool | None, found: bool
) -> None:
    policy = policies.read_policy(evaluation(kind, state, blocking=blocking))
    assert policy is not None
    assert policy.is_check is found


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ([{"repositoryId": "1"}], False),
        ([{"repositoryId": None, "refName": None, "matchKind": None}], False),
        ([{"repositoryId": None, "refName": "refs/heads/main", "matchKind": "Exact"}], True),
        ([{"repositoryId": "1"}, {"repositoryId": None, "matchKind": "DefaultBranch"}], True),
        ([], True),
        (None, True),
        ([7], True),
        ({"refName": "x"}, True),
    ],
)
def test_a_policy_without_a_branch_in_its_scopes_is_one_of_pushes(scope: object, found: bool) -> None:
    policy = policies.read_policy(evaluation("2e26e725-8201-4edd-8bf5-978563c34a80", "", scope=scope))
    assert policy is not None
    assert policy.is_of_branch is found


@pytest.mark.parametrize(
    ("state", "blocking", "holds"),
    [
        ("queued", True, True),
        ("running", True, True),
        ("rejected", True, True),
        ("broken", True, True),
        ("", True, True),
        ("queued", None, True),
        ("approved", True, False),
        ("notApplicable", True, False),
        ("queued", False, False),
    ],
)
def test_the_evaluations_that_hold_a_pull_request(state: str, blocking: bool | None, holds: bool) -> None:
    found = policies.read_policy(evaluation(policies.BUILD, state, blocking=blocking))
    assert found is not None
    assert found.holds is holds


@pytest.mark.parametrize("off", [{"is_enabled": False}, {"is_deleted": True}])
def test_a_policy_that_is_switched_off_is_none(off: dict[str, bool]) -> None:
    assert policies.read_policy(policy_models.PolicyConfiguration(id=1, is_blocking=True, **off)) is None


LIMITS = {
    "squash only": {"allowSquash": True, "allowNoFastForward": False},
    "old squash": {"useSquashMerge": True},
    "semi-linear only": {"allowRebaseMerge": True},
    "both rebases": {"allowRebase": True, "allowRebaseMerge": True},
    "nothing": {},
}


@pytest.mark.parametrize(
    ("method", "limit", "how"),
    [
        ("", None, "noFastForward"),
        ("merge", None, "noFastForward"),
        ("squash", None, "squash"),
        ("rebase", None, "rebase"),
        ("", "squash only", "squash"),
        ("", "old squash", "squash"),
        ("merge", "squash only", None),
        ("", "semi-linear only", "rebaseMerge"),
        ("rebase", "semi-linear only", "rebaseMerge"),
        ("rebase", "both rebases", "rebase"),
        ("", "nothing", None),
    ],
)
def test_b30_the_merge_method_is_the_configured_or_one_that_every_policy_allows(
    method: str, limit: str | None, how: str | None
) -> None:
    limits = [evaluation(policies.MERGE_STRATEGY, "approved", **LIMITS[limit])] if limit else []
    found = [policy for each in limits if (policy := policies.read_policy(each)) is not None]
    assert policies.merge_strategy(method, found) == how


def test_of_failed_checks_this_tools_own_counts_first_and_reviews_do_not() -> None:
    def stand(*records: Any) -> HeadState:
        return policies.head_state([policy for each in records if (policy := policies.read_policy(each)) is not None])

    build = evaluation(policies.BUILD, "rejected")
    ours = evaluation(policies.STATUS, "rejected", statusName="gitops-promotion", statusGenre=None)
    assert stand() == stand(evaluation("fa4e907d-c16b-4a4c-9dfa-4906e5d171dd", "rejected")) == HeadState()
    assert stand(evaluation(policies.BUILD, "rejected", blocking=False)) == HeadState()
    assert stand(build) == HeadState(failed=True, failed_since=START)
    assert stand(build, ours) == HeadState(failed=True)
    build.context = {"buildStartedUtc": "2026-03-01T13:00:00Z"}
    assert stand(build) == HeadState(failed=True, failed_since=START + timedelta(hours=1))


def test_b31_an_answer_without_results_names_no_pull_request() -> None:
    for nothing in (git.GitPullRequestQuery(), git.GitPullRequestQuery(results=[]), None):
        assert answers.read_merges(nothing) == {}
    found = git.GitPullRequestQuery(results=[{}, {SHA: None}, {SHA: [pull(), git.GitPullRequest()]}])
    assert answers.read_merges(found) == {SHA: {7}}


@pytest.mark.parametrize("missing", ["status", "pull_request_id", "source_ref_name", "target_ref_name"])
def test_an_answer_without_a_required_field_is_an_error(missing: str) -> None:
    with pytest.raises(ProviderError, match=f"has no {missing} that can be read"):
        answers.read_pull_request(pull(**{missing: None}), "")


def test_a_pull_request_from_a_fork_is_not_read() -> None:
    assert answers.read_pull_request(pull(fork_source=git.GitForkRef(name="refs/heads/promote/a")), "") is None


@pytest.mark.parametrize(("who", "armed"), [(None, False), (answers.NOBODY, False), ("0c9c", True)])
def test_b30_the_identity_nobody_counts_as_disarmed(who: str | None, armed: bool) -> None:
    found = answers.read_pull_request(pull(auto_complete_set_by=git.IdentityRef(id=who) if who else None), "")
    assert found is not None
    assert found.auto_merge is armed


@pytest.mark.parametrize(
    ("text", "limit", "fits"), [("abc", 3, "abc"), ("abcd", 3, "abc"), ("a🚀b", 3, "a🚀"), ("a🚀", 2, "a")]
)
def test_texts_are_cut_as_the_server_counts_them(text: str, limit: int, fits: str) -> None:
    assert fit(text, limit) == fits


@pytest.mark.parametrize("wrong", [5, "x", True, {"a": 1}, [5], ["x", None]])
def test_a_list_of_the_wrong_type_is_an_error_of_the_forge_or_an_empty_list(wrong: Any) -> None:
    for read in (
        lambda: discussions.read_reviews(pull(reviewers=wrong), [], []),
        lambda: discussions.has_votes(pull(reviewers=wrong)),
        lambda: answers.read_merges(SimpleNamespace(results=wrong)),
        lambda: answers.read_merges(SimpleNamespace(results=[{SHA: wrong}])),
        lambda: answers.read_statuses(answers.items(wrong)),
        lambda: answers.find_iteration(answers.items(wrong), SHA),
        lambda: policies.read_policies(answers.items(wrong)),
    ):
        with suppress(ProviderError):
            read()


def test_a_head_that_is_no_commit_is_an_error() -> None:
    odd = pull(last_merge_source_commit=git.GitCommitRef(commit_id="../../x"))
    with pytest.raises(ProviderError, match="has no last_merge_source_commit that can be read"):
        answers.read_merge_state(odd)
