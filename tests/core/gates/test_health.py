"""The rules of the status gate (docs/concepts.md#the-status-gate), on values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitops_promotion.core import status_commits, status_contexts
from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.deployments import Deployment, TagAt, deployment
from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.gates import Evidence, Question, Verdict, health, strictest
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag

T = Tag("1.4.2")
OLD = Tag("1.4.1")
PATTERNS = ["*/webshop-dev", "*/webshop-dev/*"]
FLUX = "kustomization/webshop-dev/2fb0a5b0"


def commit(sha: str, *, parents: tuple[str, ...] = ("p",), changes: tuple[FileChange, ...] = ()) -> Commit:
    return Commit(
        sha=sha, parents=parents, author_email="a@b", committer_email="a@b", message=f"commit {sha}", changes=changes
    )


def points(*shas_and_tags: tuple[str, Tag | None]) -> list[TagAt]:
    return [TagAt(commit=commit(sha), tag=tag) for sha, tag in shas_and_tags]


def status(context: str, state: StatusState = "success", description: str = "reconciliation succeeded") -> CommitStatus:
    return CommitStatus(context=context, state=state, description=description)


def judge(
    where: Deployment | None,
    statuses: Mapping[str, Sequence[CommitStatus]],
    *,
    fail_fast: bool = False,
    expired: bool = False,
    suspects: Sequence[str] = (),
    rules: health.Rules | None = None,
) -> Verdict:
    return health.judge_source(
        application=Application("webshop", "webui"),
        tag_name=T.name,
        source="dev",
        deployment=where,
        statuses=statuses,
        rules=rules or health.Rules(patterns=tuple(PATTERNS)),
        fail_fast=fail_fast,
        expired=expired,
        suspects=suspects,
    )


HERE = deployment(points(("c3", T), ("c2", T), ("c1", OLD), ("c0", OLD)), T)


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
    by_environment = dict.fromkeys(("c", "b", "b-c"), templates)
    collisions = status_contexts.collisions(by_environment, Application(group, "web"), environment)
    assert [(collision.group, collision.environment) for collision in collisions] == found


def test_green_on_the_commit_that_brought_the_tag_passes() -> None:
    verdict = judge(HERE, {"c2": [status(FLUX)]})
    assert verdict.decision == "pass"
    assert FLUX in verdict.texts[0]


def test_a_pass_tells_when_the_newest_word_it_rests_on_was_said() -> None:
    times = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    first, second, foreign = (replace(status(f"{FLUX}{number}"), created_at=at) for number, at in enumerate(times))
    foreign = replace(foreign, context="ci")
    assert judge(HERE, {"c3": [foreign, first], "c2": [second]}).newest_evidence == times[1]
    assert judge(HERE, {"c3": [status(FLUX)]}).newest_evidence is None


def test_b18_a_later_commit_speaks_for_skipped_ones_while_the_tag_stays() -> None:
    assert judge(HERE, {"c3": [status(FLUX)]}).decision == "pass"


def test_b18_the_newest_word_of_a_context_decides() -> None:
    assert judge(HERE, {"c3": [status(FLUX, "failure")], "c2": [status(FLUX)]}).decision == "wait"
    assert judge(HERE, {"c3": [status(FLUX)], "c2": [status(FLUX, "failure")]}).decision == "pass"


def test_green_before_the_tag_arrived_is_no_evidence() -> None:
    verdict = judge(HERE, {"c1": [status(FLUX)]})
    assert verdict.decision == "wait"
    assert "reported on earlier commits but not since" in verdict.texts[0]
    assert verdict.steps == ("if nothing more comes from dev: gitops-promotion doctor",)


def test_b14_pending_and_absence_wait_also_when_time_is_up() -> None:
    assert judge(HERE, {"c2": [status(FLUX, "pending")]}, expired=True).decision == "wait"
    assert judge(HERE, {}, expired=True).decision == "wait"


def test_b14_failure_waits_for_flux_to_retry_until_the_deadline() -> None:
    statuses = {"c2": [status(FLUX, "failure", "health check failed")]}
    assert judge(HERE, statuses).decision == "wait"
    refused = judge(HERE, statuses, expired=True, suspects=["webshop/cart"])
    assert refused.decision == "refuse"
    assert "health check failed" in refused.texts[0]
    assert "webshop/cart" in refused.texts[1]
    assert refused.steps == ("make dev healthy, or give it another tag",)
    assert judge(HERE, statuses, fail_fast=True).decision == "refuse"


def test_b13_foreign_and_malformed_statuses_are_passed_over() -> None:
    foreign = [status("codecov", "failure"), status("", "failure"), status("kustomization/webshop-dev2/x", "failure")]
    own = status("gitops-promotion", "failure")
    deeper = status("kustomization/webshop-dev/2fb0a5b0/x", "failure")
    assert judge(HERE, {"c3": [*foreign, own, deeper], "c2": [status(FLUX)]}).decision == "pass"


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
    assert status_contexts.belongs(context, PATTERNS) is belongs


def test_a_pattern_without_wildcards_is_literal_text() -> None:
    assert status_contexts.belongs("flux/prod[1]?", ["flux/prod[1]?"])
    assert not status_contexts.belongs("flux/prod1x", ["flux/prod[1]?"])


def test_every_context_seen_before_must_be_green_again() -> None:
    other = "kustomization/webshop-dev/ffff0000"
    before = {"c1": [status(FLUX), status(other, "failure")]}
    assert judge(HERE, {**before, "c3": [status(FLUX)]}).decision == "wait"
    assert judge(HERE, {**before, "c3": [status(FLUX)], "c2": [status(other)]}).decision == "pass"


def test_contexts_expected_are_those_of_the_newest_commit_that_has_any() -> None:
    older = {"c0": [status("kustomization/webshop-dev/gone0000")], "c1": [status(FLUX)]}
    assert judge(HERE, {**older, "c2": [status(FLUX)]}).decision == "pass"


@pytest.mark.parametrize("description", ["dependency not ready", "Health check canceled", "progressing with x"])
def test_false_success_of_flux_waits(description: str) -> None:
    assert judge(HERE, {"c2": [status(FLUX, "success", description)]}).decision == "wait"


def test_a_tag_that_never_was_there_is_refused() -> None:
    verdict = judge(None, {})
    assert verdict.decision == "refuse"
    assert "has not been in dev" in verdict.texts[0]


def test_superseded_without_ever_being_green_is_refused_and_green_before_that_passes() -> None:
    moved = deployment(points(("c4", Tag("2")), ("c3", T), ("c2", T), ("c1", OLD)), T)
    assert judge(moved, {"c4": [status(FLUX)]}).decision == "refuse"
    assert "superseded" in judge(moved, {}).texts[0]
    assert judge(moved, {"c3": [status(FLUX)]}).decision == "pass"
    assert judge(moved, {"c3": [status(FLUX, "pending")], "c2": [status(FLUX)]}).decision == "pass"
    assert judge(moved, {"c3": [status(FLUX, "failure")], "c2": [status(FLUX)]}).decision == "refuse"


def test_at_most_a_hundred_commits_are_asked_on_either_side_of_the_arrival() -> None:
    long = deployment(points(*[(f"s{i}", T) for i in range(150)], *[(f"o{i}", OLD) for i in range(150)]), T)
    assert long is not None
    asked = status_commits.commits_for_health(long)
    assert status_commits.HEALTH_CANDIDATES == 100
    assert (asked[0], asked[99], asked[100], asked[-1], len(asked)) == ("s0", "s99", "o0", "o99", 200)


def test_on_failure_every_application_changed_since_the_last_green_is_named() -> None:
    changes = {"c3": ["cart"], "c2": ["webui"], "c1": ["older"]}

    def changed(of: Commit) -> list[Application]:
        return [Application("webshop", name) for name in changes[of.sha]]

    where = deployment(points(("c3", T), ("c2", T), ("c1", OLD)), T)
    assert where is not None
    statuses = {"c3": [status(FLUX, "failure")], "c1": [status(FLUX)]}
    assert health.suspects(where, statuses, PATTERNS, changed) == ["webshop/cart", "webshop/webui"]
    assert health.suspects(where, {"c3": [status(FLUX)]}, PATTERNS, changed) == []
    root = replace(where, before=(TagAt(commit=commit("c1", parents=()), tag=OLD),))
    assert health.suspects(root, {"c3": [status(FLUX, "failure")]}, PATTERNS, changed) == [
        "webshop/cart",
        "webshop/webui",
    ]


def test_hostile_text_of_a_status_stays_one_bounded_line() -> None:
    verdict = judge(HERE, {"c2": [status(FLUX, "failure", "x\n::error::" + "y" * 5000)]})
    assert all("\n" not in reason and len(reason) < 400 for reason in verdict.texts)


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
    assert status_contexts.belongs(context, patterns, genre=genre) is counts


@pytest.mark.parametrize(
    ("posted", "trusted", "warns"),
    [
        ({FLUX: "flux[bot]"}, (), False),
        ({FLUX: "flux[bot]", "ci/test": "ann"}, (), False),
        ({FLUX: "flux[bot]", "kind/webshop-dev": "ann"}, (), True),
        ({FLUX: "flux[bot]", "kind/webshop-dev": "ann"}, ("flux[bot]",), False),
        ({FLUX: "", "kind/webshop-dev": "ann"}, (), False),
    ],
)
def test_several_authors_of_statuses_without_a_trusted_one_are_a_warning(
    posted: Mapping[str, str], trusted: tuple[str, ...], warns: bool
) -> None:
    gate = health.Health(contexts={"dev": ("*/{group}-{env}", "*/{group}-{env}/*")}, authors=trusted)
    statuses = {"c3": [replace(status(context), author=author) for context, author in posted.items()]}
    question = Question(application=Application("webshop", "webui"), tag=T, environment="qa", requirements=(("dev",),))
    verdict = gate.judge(question, Evidence(deployments={"dev": HERE}, statuses=statuses))
    assert verdict.decision == "pass"
    assert bool(verdict.warnings) is warns
    assert not warns or "set statusAuthors" in verdict.warnings[0]
    # A pull request that changes several tags has the warning once.
    assert strictest([verdict, verdict]).warnings == verdict.warnings
    assert len(verdict.warnings) == int(warns)


DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PINNED = Tag(T.name, DIGEST)


@pytest.mark.parametrize(
    ("asked", "sources", "unseen"),
    [
        pytest.param(PINNED, [[("c2", PINNED), ("c1", OLD)]], False, id="the source has it"),
        pytest.param(PINNED, [[("c3", OLD), ("c2", PINNED), ("c1", OLD)]], False, id="the source had it"),
        pytest.param(PINNED, [[("c2", T), ("c1", OLD)]], True, id="the source has the tag alone"),
        pytest.param(
            PINNED, [[("c3", Tag("1.4.3", OTHER)), ("c2", T)]], True, id="the source has another tag with a digest"
        ),
        pytest.param(PINNED, [[("c2", T)], [("c2", PINNED)]], False, id="one of two sources has it"),
        pytest.param(PINNED, [], True, id="no source"),
        pytest.param(T, [[("c2", PINNED)]], False, id="a tag without a digest"),
        pytest.param(T, [], False, id="a tag without a digest, no source"),
    ],
)
def test_a_digest_with_which_no_source_had_the_tag_is_unseen(
    asked: Tag, sources: Sequence[Sequence[tuple[str, Tag]]], unseen: bool
) -> None:
    found = [deployment(points(*source), asked) for source in sources]
    assert health.unseen_digest(asked, found) == ((f"the digest {DIGEST}",) if unseen else ())


@pytest.mark.parametrize(("unattended", "decision"), [(False, "pass"), (True, "refuse")])
def test_what_no_gate_has_seen_never_merges_by_itself(unattended: bool, decision: str) -> None:
    question = Question(
        application=Application("webshop", "webui"),
        tag=PINNED,
        environment="qa",
        requirements=(("dev",),),
        unseen=(f"the digest {DIGEST}",),
        unattended=unattended,
    )
    gate = health.Health(contexts={"dev": tuple(PATTERNS)})
    verdict = gate.judge(question, Evidence(deployments={"dev": HERE}, statuses={"c3": [status(FLUX)]}))
    assert verdict.decision == decision
    assert "a manual change that no gate has seen: the digest" in verdict.texts[0]


def test_the_pull_request_names_the_sources_whose_health_counts() -> None:
    gate = health.Health(contexts={"dev": tuple(PATTERNS), "eu": tuple(PATTERNS)})
    assert gate.note(()) == "", "no earlier environment has the application"
    assert gate.note((("dev",),)).endswith("passes when `dev` is healthy with this tag.")
    assert gate.note((("dev", "eu"), ("dev",))).endswith("passes when `dev` and `eu` are healthy with this tag.")
