"""The status gate's rules (DESIGN 7), on values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.deployments import Point, Stay, stay
from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.gates import health
from gitops_promotion.core.model import Verdict
from gitops_promotion.core.tags import Tag

T = Tag("1.4.2")
OLD = Tag("1.4.1")
PATTERNS = ["*/webshop-dev", "*/webshop-dev/*"]
FLUX = "kustomization/webshop-dev/2fb0a5b0"


def entry(sha: str, *, parents: tuple[str, ...] = ("p",), changes: tuple[FileChange, ...] = ()) -> Commit:
    return Commit(
        sha=sha, parents=parents, author_email="a@b", committer_email="a@b", message=f"commit {sha}", changes=changes
    )


def points(*shas_and_tags: tuple[str, Tag | None]) -> list[Point]:
    return [Point(entry=entry(sha), tag=tag) for sha, tag in shas_and_tags]


def said(context: str, state: StatusState = "success", description: str = "reconciliation succeeded") -> CommitStatus:
    return CommitStatus(context=context, state=state, description=description)


def judge(
    where: Stay | None,
    statuses: Mapping[str, Sequence[CommitStatus]],
    *,
    fail_fast: bool = False,
    expired: bool = False,
    causes: Sequence[str] = (),
) -> Verdict:
    return health.status_gate(
        group="webshop",
        app="webui",
        tag=T,
        environment="dev",
        stay=where,
        statuses=statuses,
        contexts=PATTERNS,
        fail_fast=fail_fast,
        expired=expired,
        causes=causes,
    )


HERE = stay(points(("c3", T), ("c2", T), ("c1", OLD), ("c0", OLD)), T)


@pytest.mark.parametrize(
    ("templates", "group", "environment", "found"),
    [
        (["*/{group}-{env}", "*/{group}-{env}/*"], "a", "b-c", [("a-b", "c")]),
        (["*/{group}-{env}"], "a-b", "c", [("a", "b-c")]),
        (["*/{group}-{env}"], "A-B", "c", [("A", "b-c")]),
        (["*/{group}-{env}"], "a", "c", []),
        (["flux/{env}/{group}"], "a-b", "c", []),
        (["{env}-{group}"], "a", "b-c", [("c-a", "b")]),
        (["{env}-{group}"], "c-a", "b", [("a", "b-c")]),
        (["{env}"], "a", "b-c", []),
    ],
)
def test_b32_groups_whose_statuses_have_one_name_are_found(
    templates: list[str], group: str, environment: str, found: list[tuple[str, str]]
) -> None:
    assert health.rivals(templates, group, environment, ["c", "b", "b-c"]) == found


def test_green_on_the_commit_that_brought_the_tag_passes() -> None:
    verdict = judge(HERE, {"c2": [said(FLUX)]})
    assert verdict.decision == "pass"
    assert FLUX in verdict.reasons[0]


def test_a_pass_tells_when_the_newest_word_it_rests_on_was_said() -> None:
    times = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    first, second, foreign = (replace(said(f"{FLUX}{number}"), created_at=at) for number, at in enumerate(times))
    foreign = replace(foreign, context="ci")
    assert judge(HERE, {"c3": [foreign, first], "c2": [second]}).at == times[1]
    assert judge(HERE, {"c3": [said(FLUX)]}).at is None


def test_b18_a_later_commit_speaks_for_skipped_ones_while_the_tag_stays() -> None:
    assert judge(HERE, {"c3": [said(FLUX)]}).decision == "pass"


def test_b18_the_newest_word_of_a_context_decides() -> None:
    assert judge(HERE, {"c3": [said(FLUX, "failure")], "c2": [said(FLUX)]}).decision == "wait"
    assert judge(HERE, {"c3": [said(FLUX)], "c2": [said(FLUX, "failure")]}).decision == "pass"


def test_green_before_the_tag_arrived_is_no_evidence() -> None:
    verdict = judge(HERE, {"c1": [said(FLUX)]})
    assert verdict.decision == "wait"
    assert "reported before, not since" in verdict.reasons[0]


def test_b14_pending_and_absence_wait_also_when_time_is_up() -> None:
    assert judge(HERE, {"c2": [said(FLUX, "pending")]}, expired=True).decision == "wait"
    assert judge(HERE, {}, expired=True).decision == "wait"


def test_b14_failure_waits_for_flux_to_retry_until_the_deadline() -> None:
    statuses = {"c2": [said(FLUX, "failure", "health check failed")]}
    assert judge(HERE, statuses).decision == "wait"
    refused = judge(HERE, statuses, expired=True, causes=["webshop/cart"])
    assert refused.decision == "refuse"
    assert "health check failed" in refused.reasons[0]
    assert "webshop/cart" in refused.reasons[1]
    assert judge(HERE, statuses, fail_fast=True).decision == "refuse"


def test_b13_foreign_and_malformed_statuses_are_passed_over() -> None:
    foreign = [said("codecov", "failure"), said("", "failure"), said("kustomization/webshop-dev2/x", "failure")]
    own = said("gitops-promotion", "failure")
    deeper = said("kustomization/webshop-dev/2fb0a5b0/x", "failure")
    assert judge(HERE, {"c3": [*foreign, own, deeper], "c2": [said(FLUX)]}).decision == "pass"


@pytest.mark.parametrize(
    ("context", "belongs"),
    [
        ("kustomization/webshop-dev", True),
        ("kustomization/webshop-dev/0c9c2e41", True),
        ("Kustomization/WebShop-Dev/0C9C2E41", True),
        ("helmrelease/webshop-dev/0c9c2e41", True),
        ("continuous-delivery/webshop-dev", True),
        ("kind/webshop-dev/x", True),
        ("webshop-dev", False),
        ("/webshop-dev", False),
        ("kustomization/my-webshop-dev", False),
        ("kustomization/webshop-dev2/x", False),
        ("kustomization/webshop-dev/x/y", False),
        ("gitops-promotion", False),
    ],
)
def test_b17_the_name_part_is_compared_whole_and_without_case(context: str, belongs: bool) -> None:
    assert health.belongs(context, PATTERNS) is belongs


def test_a_pattern_without_wildcards_is_literal_text() -> None:
    assert health.belongs("flux/prod[1]?", ["flux/prod[1]?"])
    assert not health.belongs("flux/prod1x", ["flux/prod[1]?"])


def test_every_context_seen_before_must_be_green_again() -> None:
    other = "kustomization/webshop-dev/ffff0000"
    before = {"c1": [said(FLUX), said(other, "failure")]}
    assert judge(HERE, {**before, "c3": [said(FLUX)]}).decision == "wait"
    assert judge(HERE, {**before, "c3": [said(FLUX)], "c2": [said(other)]}).decision == "pass"


def test_contexts_expected_are_those_of_the_newest_commit_that_has_any() -> None:
    older = {"c0": [said("kustomization/webshop-dev/gone0000")], "c1": [said(FLUX)]}
    assert judge(HERE, {**older, "c2": [said(FLUX)]}).decision == "pass"


@pytest.mark.parametrize("description", ["dependency not ready", "Health check canceled", "progressing with x"])
def test_false_success_of_flux_waits(description: str) -> None:
    assert judge(HERE, {"c2": [said(FLUX, "success", description)]}).decision == "wait"


def test_a_tag_that_never_was_there_is_refused() -> None:
    verdict = judge(None, {})
    assert verdict.decision == "refuse"
    assert "has not been in dev" in verdict.reasons[0]


def test_superseded_without_ever_being_green_is_refused_and_green_before_that_passes() -> None:
    moved = stay(points(("c4", Tag("2")), ("c3", T), ("c2", T), ("c1", OLD)), T)
    assert judge(moved, {"c4": [said(FLUX)]}).decision == "refuse"
    assert "superseded" in judge(moved, {}).reasons[0]
    assert judge(moved, {"c3": [said(FLUX)]}).decision == "pass"
    assert judge(moved, {"c3": [said(FLUX, "pending")], "c2": [said(FLUX)]}).decision == "pass"
    assert judge(moved, {"c3": [said(FLUX, "failure")], "c2": [said(FLUX)]}).decision == "refuse"


def test_at_most_a_hundred_commits_are_asked_on_either_side_of_the_arrival() -> None:
    long = stay(points(*[(f"s{i}", T) for i in range(150)], *[(f"o{i}", OLD) for i in range(150)]), T)
    assert long is not None
    asked = health.asked(long)
    assert health.CANDIDATES == 100
    assert (asked[0], asked[99], asked[100], asked[-1], len(asked)) == ("s0", "s99", "o0", "o99", 200)


def test_on_failure_every_application_changed_since_the_last_green_is_named() -> None:
    marker = ' # {"$imagepolicy": "webshop:%s:tag"}\n'
    blobs = {
        name + version: f"tag: {version}{marker % name}".encode() for name in ("webui", "cart") for version in "12"
    }

    def bump(sha: str, app: str) -> Point:
        change = FileChange(path=f"webshop/dev/{app}.yaml", old=f"{app}1", new=f"{app}2")
        return Point(entry=entry(sha, changes=(change,)), tag=T if sha in ("c3", "c2") else OLD)

    where = stay([bump("c3", "cart"), bump("c2", "webui"), bump("c1", "older")], T)
    assert where is not None
    statuses = {"c3": [said(FLUX, "failure")], "c1": [said(FLUX)]}
    assert health.suspects(where, statuses, PATTERNS, blobs) == ["webshop/cart", "webshop/webui"]
    assert health.suspects(where, {"c3": [said(FLUX)]}, PATTERNS, blobs) == []


def test_hostile_text_of_a_status_stays_one_bounded_line() -> None:
    verdict = judge(HERE, {"c2": [said(FLUX, "failure", "x\n::error::" + "y" * 5000)]})
    assert all("\n" not in reason and len(reason) < 400 for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("genre", "context", "patterns", "counts"),
    [
        ("", "kustomization/webshop-dev/1", PATTERNS, True),
        ("fluxcd", "kustomization/webshop-dev/1", PATTERNS, True),
        ("fluxcd:eu", "kustomization/webshop-dev/1", PATTERNS, True),
        ("FluxCD:a/b\nc", "kustomization/webshop-dev", PATTERNS, True),
        ("fluxcd2", "kustomization/webshop-dev", PATTERNS, False),
        ("ci", "webshop-dev", PATTERNS, False),
        ("ci", "webshop-dev/1", PATTERNS, False),
        ("argocd", "apps/webshop-dev", ["ArgoCD/*/webshop-dev"], True),
        ("argocd", "apps/webshop-qa", ["argocd/*/webshop-dev"], False),
        ("x", "gitops-promotion", ["x/*"], True),
        ("", "gitops-promotion", ["*"], False),
    ],
)
def test_b16_the_genre_of_flux_counts_and_others_where_a_pattern_names_them(
    genre: str, context: str, patterns: list[str], counts: bool
) -> None:
    assert health.belongs(context, patterns, genre=genre) is counts
