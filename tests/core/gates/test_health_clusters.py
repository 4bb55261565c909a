"""The status gate with the clusters of an environment given, and with statuses that are required beside theirs."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import TagAt, deployment
from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.gates import Verdict, health
from gitops_promotion.core.gates.health_keys import Clusters
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag

T, OLD = Tag("2"), Tag("1")
STATES: tuple[StatusState, ...] = ("success", "pending", "failure")


def commit(sha: str) -> Commit:
    return Commit(sha=sha, parents=("p",), author_email="", committer_email="", message="", changes=())


NOW_THERE = deployment([TagAt(commit=commit("new"), tag=T), TagAt(commit=commit("old"), tag=OLD)], T)
LEFT = deployment([TagAt(commit=commit(sha), tag=tag) for sha, tag in (("x", OLD), ("new", T), ("old", OLD))], T)


def clusters(count: int, required: int, *names: str) -> Clusters:
    return Clusters(count=count, required=required, names=names)


def posted(text: str, prefix: str = "kustomization/shop-dev/") -> list[CommitStatus]:
    """Return the statuses of `a+ b- c?`: cluster a succeeded, b failed, c is in progress."""
    states: dict[str, StatusState] = {"+": "success", "-": "failure", "?": "pending"}
    return [CommitStatus(context=prefix + word[:-1], state=states[word[-1]]) for word in text.split()]


def judge(
    new: Sequence[CommitStatus],
    *,
    old: Sequence[CommitStatus] = (),
    rules: Clusters | None = None,
    required: tuple[str, ...] = (),
    expired: bool = True,
    fail_fast: bool = False,
    left: bool = False,
) -> Verdict:
    return health.judge_source(
        application=Application("shop", "web"),
        tag_name=T.name,
        source="dev",
        deployment=LEFT if left else NOW_THERE,
        statuses={"new": new, "old": old},
        rules=health.Rules(patterns=("*/shop-dev/*",), required=required, clusters=rules),
        fail_fast=fail_fast,
        expired=expired,
    )


@pytest.mark.parametrize(
    ("rules", "statuses", "decision"),
    [
        (clusters(2, 2), "a+ b+", "pass"),
        (clusters(2, 2), "a+", "wait"),
        (clusters(2, 2), "", "wait"),
        (clusters(2, 2), "a+ b?", "wait"),
        (clusters(2, 2), "a+ b-", "refuse"),
        # A cluster that nobody counted must be healthy as well.
        (clusters(2, 2), "a+ b+ c?", "wait"),
        (clusters(2, 2), "a+ b+ c-", "refuse"),
        (clusters(3, 2), "a+ b+", "pass"),
        (clusters(3, 2), "a+ b+ c-", "pass"),
        (clusters(3, 2), "a+ b+ c?", "pass"),
        (clusters(3, 2), "a+ b-", "wait"),
        (clusters(3, 2), "a- b-", "refuse"),
        (clusters(3, 1), "a- b-", "wait"),
        (clusters(3, 1), "a- b- c-", "refuse"),
        # The last part of the context names the cluster, case ignored; no other counts.
        (clusters(2, 2, "a", "B"), "A+ b+", "pass"),
        (clusters(2, 2, "a", "b"), "a+ b+ gone-", "pass"),
        (clusters(2, 2, "a", "b"), "a+ other+", "wait"),
        (clusters(2, 1, "a", "b"), "a- b+", "pass"),
        (clusters(2, 1, "a", "b"), "other+", "wait"),
    ],
)
def test_the_configured_clusters_decide(rules: Clusters, statuses: str, decision: str) -> None:
    assert judge(posted(statuses), rules=rules).decision == decision


def test_nothing_is_concluded_from_earlier_reports_where_clusters_are_given() -> None:
    decommissioned = posted("a+ b+ gone+")
    assert judge(posted("a+ b+"), old=decommissioned).decision == "wait"
    assert judge(posted("a+ b+"), old=decommissioned, rules=clusters(2, 2)).decision == "pass"
    assert judge(posted("a+ b+"), old=decommissioned, rules=clusters(2, 2, "a", "b")).decision == "pass"


def test_a_cluster_is_healthy_only_if_everything_that_it_reports_is() -> None:
    both = posted("a+ b+") + posted("b-", "helmrelease/shop-dev/")
    assert judge(both, rules=clusters(2, 2)).decision == "refuse"
    assert judge(both, rules=clusters(2, 1)).decision == "pass"


def test_the_texts_say_how_many_clusters_are_healthy_and_which_are_awaited() -> None:
    waiting = judge(posted("a+"), rules=clusters(3, 2, "a", "b", "c"))
    assert waiting.texts == (
        "status gate of dev: shop/web 2 is healthy in 1 of 3 clusters, 2 must be; no report yet of b, c",
    )
    assert "0 of 2 clusters, all must be; no report yet of another, another" in judge([], rules=clusters(2, 2)).texts[0]
    assert "nothing matching */shop-dev/* on new or later" in judge([], rules=clusters(2, 2)).texts[1]
    passed = judge(posted("a+ b-"), rules=clusters(2, 1))
    assert passed.texts == (
        "status gate of dev: shop/web 2 is healthy (kustomization/shop-dev/a on new)",
        "status gate of dev: shop/web 2 failed: kustomization/shop-dev/b on new says 'failure'",
    )


@pytest.mark.parametrize(
    ("statuses", "decision"),
    [
        ("e2e+", "pass"),
        ("E2E+", "pass"),
        ("", "wait"),
        ("e2e?", "wait"),
        ("e2e-", "refuse"),
        ("e2e/eu+", "wait"),
        ("e2e- e2e+", "refuse"),  # the forge lists the newest first
    ],
)
def test_a_required_status_must_be_there_and_green(statuses: str, decision: str) -> None:
    healthy = posted("a+")
    verdict = judge([*healthy, *posted(statuses, "")], required=("e2e",))
    assert verdict.decision == decision
    if not statuses:
        assert verdict.texts == (
            "status gate of dev: shop/web 2 is waiting for the status e2e, which requiredContexts of dev demands",
        )


def test_a_failure_without_suspects_names_none() -> None:
    assert judge(posted("a-")).texts == (
        "status gate of dev: shop/web 2 failed: kustomization/shop-dev/a on new says 'failure'",
    )


def test_a_required_status_does_not_replace_those_of_the_environment() -> None:
    assert judge(posted("e2e+", ""), required=("e2e",)).decision == "wait"
    assert judge(posted("e2e+", "") + posted("a-"), required=("e2e",)).decision == "refuse"


def test_a_required_status_of_an_earlier_commit_does_not_count() -> None:
    verdict = judge(posted("a+"), old=posted("a+") + posted("e2e+", ""), required=("e2e",))
    assert verdict.decision == "wait"


def test_the_words_of_flux_mean_nothing_in_the_status_of_another_system() -> None:
    done = CommitStatus(context="e2e", state="success", description="progressing to the next stage")
    assert judge([*posted("a+"), done], required=("e2e",)).decision == "pass"


def test_a_tag_that_left_before_a_required_status_came_is_refused() -> None:
    verdict = judge(posted("a+"), required=("e2e",), left=True)
    assert verdict.decision == "refuse"
    assert "superseded" in verdict.texts[0]
    assert judge([*posted("a+"), *posted("e2e+", "")], required=("e2e",), left=True).decision == "pass"


states = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(STATES))


def statuses_of(states: dict[str, StatusState]) -> list[CommitStatus]:
    return [CommitStatus(context=f"kustomization/shop-dev/{name}", state=state) for name, state in states.items()]


@given(states, st.integers(1, 4), st.integers(1, 4))
def test_no_tag_passes_with_fewer_healthy_clusters_than_are_required(
    reported: dict[str, StatusState], count: int, required: int
) -> None:
    rules = clusters(count, min(required, count))
    green = list(reported.values()).count("success")
    verdict = judge(statuses_of(reported), rules=rules)
    assert verdict.decision != "pass" or green >= rules.required
    if rules.required == count:
        assert (verdict.decision == "pass") is (green >= count and green == len(reported))
    else:
        assert (verdict.decision == "pass") is (green >= rules.required)


@given(states, st.integers(1, 4), st.integers(1, 4), st.sampled_from("abcd"))
def test_a_cluster_that_becomes_healthy_never_makes_a_verdict_worse(
    reported: dict[str, StatusState], count: int, required: int, name: str
) -> None:
    rank = ("refuse", "wait", "pass")
    rules = clusters(count, min(required, count))
    before = judge(statuses_of(reported), rules=rules).decision
    after = judge(statuses_of({**reported, name: "success"}), rules=rules).decision
    assert rank.index(after) >= rank.index(before)


@given(states, st.sampled_from([None, clusters(2, 1), clusters(2, 2, "a", "b")]), st.sampled_from(["", "e2e?", "e2e-"]))
def test_one_demand_more_never_lets_a_tag_pass(
    reported: dict[str, StatusState], rules: Clusters | None, extra: str
) -> None:
    verdict = judge([*statuses_of(reported), *posted(extra, "")], rules=rules, required=("e2e",))
    assert verdict.decision != "pass"
    assert verdict.reasons
