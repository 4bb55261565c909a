"""The soak gate: since when a tag is healthy, as the times of the statuses say, and whether that is long enough."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core import status_commits
from gitops_promotion.core.commits import Commit
from gitops_promotion.core.config import Config, parse
from gitops_promotion.core.deployments import Deployment, TagAt, deployment
from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.gates import Evidence, Question, Verdict, judge, soak
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError

T, OLD, NEW = Tag("1.4.2"), Tag("1.4.1"), Tag("1.4.3")
APP = Application("webshop", "webui")
FLUX = "kustomization/webshop-dev/2fb0a5b0"
OTHER = "kustomization/webshop-dev/77c1d9e4"
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-30T{text}Z")


def status(state: StatusState, time: str | None, context: str = FLUX, description: str = "") -> CommitStatus:
    return CommitStatus(
        context=context, state=state, description=description, created_at=at(time) if time else None, author="flux"
    )


def ok(time: str | None, context: str = FLUX) -> CommitStatus:
    return status("success", time, context)


def bad(time: str | None, context: str = FLUX) -> CommitStatus:
    return status("failure", time, context)


def commit(sha: str, time: str = "09:00") -> Commit:
    return Commit(
        sha=sha,
        parents=("p",),
        author_email="a@b",
        committer_email="a@b",
        message=sha,
        changes=(),
        committed_at=at(time),
    )


def timeline(*tags: tuple[str, Tag]) -> list[TagAt]:
    return [TagAt(commit=commit(sha), tag=tag) for sha, tag in tags]


HERE = timeline(("c3", T), ("c2", T), ("c1", T), ("c0", OLD))
CONFIG = "environments:\n- {name: dev}\n- {name: qa, soak: 2h}\n"

Statuses = Mapping[str, Sequence[CommitStatus]]


def config(text: str = CONFIG) -> Config:
    return parse(text, "gitops-promotion.yaml")


def verdict(statuses: Statuses, now: str, *, points: Sequence[TagAt] = HERE, text: str = CONFIG) -> Verdict:
    environment = config(text).pipeline.names[-1]
    gate = next(gate for gate in config(text).gates(environment) if isinstance(gate, soak.Soak))
    requirements = config(text).pipeline.requirements(environment)
    found = {source: deployment(points, T) for group in requirements for source in group}
    question = Question(application=APP, tag=T, environment=environment, requirements=requirements)
    return gate.judge(question, Evidence(now=at(now), deployments=found, statuses=statuses))


SINCE = "soak time of dev: webshop/webui 1.4.2 is healthy since"


@pytest.mark.parametrize(
    ("statuses", "ready", "text"),
    [
        ({"c1": [ok("10:02")]}, "12:02", "2026-11-30 10:02 UTC"),
        # Of equal states the first counts, also on different commits and beside one in progress.
        ({"c1": [ok("10:02")], "c3": [ok("11:00")]}, "12:02", "2026-11-30 10:02 UTC"),
        (
            {"c1": [ok("10:02")], "c2": [status("pending", "10:30")], "c3": [ok("11:00")]},
            "12:02",
            "2026-11-30 10:02 UTC",
        ),
        (
            {"c1": [bad("09:58")], "c2": [ok("10:02")], "c3": [ok("11:00")]},
            "12:02",
            f"2026-11-30 10:02 UTC ({FLUX} failed 2026-11-30 09:58 UTC)",
        ),
        (
            {"c1": [ok("09:00")], "c2": [bad("09:58")], "c3": [ok("10:02")]},
            "12:02",
            f"2026-11-30 10:02 UTC ({FLUX} failed 2026-11-30 09:58 UTC)",
        ),
        # Equal times: the older commit's comes first.
        (
            {"c1": [bad("10:02")], "c2": [ok("10:02")]},
            "12:02",
            f"2026-11-30 10:02 UTC ({FLUX} failed 2026-11-30 10:02 UTC)",
        ),
        # Reversed times: a late report on an older commit.
        ({"c1": [ok("10:30")], "c2": [ok("10:02")]}, "12:02", "2026-11-30 10:02 UTC"),
        (
            {"c1": [bad("09:58")], "c2": [ok("09:30")], "c3": [ok("10:02")]},
            "12:02",
            f"2026-11-30 10:02 UTC ({FLUX} failed 2026-11-30 09:58 UTC)",
        ),
        # Several contexts: the last one to become healthy counts.
        ({"c1": [ok("10:02"), ok("10:20", OTHER)]}, "12:20", "2026-11-30 10:20 UTC"),
        # The seconds count, and the minute shown is not too early.
        ({"c1": [ok("10:02:30")]}, "12:02:30", "2026-11-30 10:02 UTC"),
    ],
)
def test_the_clock_starts_at_the_first_success_after_the_last_failure(
    statuses: Statuses, ready: str, text: str
) -> None:
    moment = at(ready)
    before = verdict(statuses, (moment - SECOND).strftime("%H:%M:%S"))
    assert (before.decision, before.reasons[0].earliest) == ("wait", moment)
    up = moment.replace(second=0) + timedelta(minutes=1) if moment.second else moment
    assert str(before.reasons[0]) == f"{SINCE} {text}; could pass at {up:%Y-%m-%d %H:%M} UTC"
    passed = verdict(statuses, ready)
    assert (passed.decision, passed.newest_evidence) == ("pass", moment)
    assert str(passed.reasons[0]) == f"{SINCE} {text}, for 2h"


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        # The failure is the newest by its time, though a newer commit had been healthy before.
        (
            {"c1": [bad("11:00")], "c2": [ok("10:02")]},
            f"cannot begin: {FLUX} failed 2026-11-30 11:00 UTC, and no success came after that",
        ),
        ({"c1": [ok(None)]}, f"cannot begin: {FLUX} on c1 has no time"),
        ({"c1": [bad(None)], "c2": [ok("10:02")]}, f"cannot begin: {FLUX} on c1 has no time"),
    ],
)
def test_without_a_beginning_it_waits_and_says_why(statuses: Statuses, words: str) -> None:
    found = verdict(statuses, "23:00")
    assert found.decision == "wait"
    assert words in str(found.reasons[0])


def test_a_time_in_the_future_waits() -> None:
    found = verdict({"c1": [ok("15:00")]}, "11:00")
    assert (found.decision, found.reasons[0].earliest) == ("wait", at("17:00"))


@pytest.mark.parametrize("state", ["pending", "failure", None])
def test_what_is_not_healthy_is_told_by_the_status_gate_alone(state: StatusState | None) -> None:
    statuses = {"c3": [status(state, "12:00")]} if state else {}
    assert verdict({"c1": [ok("09:00")], **statuses} if state else {}, "23:00") == Verdict(decision="wait")


def test_both_gates_together_pass_when_the_time_is_over() -> None:
    gates = config().gates("qa")
    question = Question(application=APP, tag=T, environment="qa", requirements=(("dev",),))
    evidence = Evidence(now=at("12:01"), deployments={"dev": deployment(HERE, T)}, statuses={"c1": [ok("10:02")]})
    waiting = judge(gates, question, evidence)
    assert (waiting.decision, [reason.gate for reason in waiting.reasons]) == ("wait", ["soak time of dev"])


def left_at(time: str) -> list[TagAt]:
    return [TagAt(commit=commit("c4", time), tag=NEW), *HERE]


@pytest.mark.parametrize(("left", "decision"), [("12:01:59", "refuse"), ("12:02", "pass")])
def test_only_the_time_in_the_source_counts(left: str, decision: str) -> None:
    found = verdict({"c1": [ok("10:02")]}, "23:00", points=left_at(left))
    assert found.decision == decision
    if decision == "refuse":
        assert "was replaced in dev before 2h were over" in str(found.reasons[0])


ANY = (
    "prflow: per-env\nenvironments:\n- {name: dev}\n- {name: eu, after: dev}\n- {name: us, after: dev}\n"
    "- {name: prod, after: {any: [eu, us]}, soak: 2h}\n"
)
EU, US = "kustomization/webshop-eu/1", "kustomization/webshop-us/2"


def test_of_any_source_one_suffices_and_of_all_each_is_needed() -> None:
    statuses = {"c1": [ok("10:00", EU), ok("11:00", US)]}
    assert verdict(statuses, "11:59", text=ANY).decision == "wait"
    assert verdict(statuses, "12:00", text=ANY).decision == "pass"
    every = ANY.replace("{any: [eu, us]}", "[eu, us]")
    assert [verdict(statuses, now, text=every).decision for now in ("12:59", "13:00")] == ["wait", "pass"]
    # A source that is not healthy holds nothing up as long as another one is.
    assert verdict({"c1": [bad("10:00", EU), ok("11:00", US)]}, "13:00", text=ANY).decision == "pass"


CLUSTERS = "environments:\n- {name: dev, clusters: 3, require: 2}\n- {name: qa, soak: 2h}\n"


def clusters(*times: str) -> Statuses:
    """A cluster a time; a minus is a failure."""
    posted = [
        (bad if time[0] == "-" else ok)(time.lstrip("-"), f"kustomization/webshop-dev/{number}")
        for number, time in enumerate(times)
    ]
    return {"c1": posted}


@pytest.mark.parametrize(
    ("statuses", "ready"),
    [
        (clusters("10:00", "10:30", "11:00"), "12:30"),
        (clusters("11:00", "10:00", "10:30"), "12:30"),
        (clusters("-11:59", "10:00", "10:30"), "12:30"),
        ({**clusters("10:00", "10:30", "10:40"), "c2": [bad("11:00", "kustomization/webshop-dev/0")]}, "12:40"),
    ],
)
def test_of_the_clusters_those_that_are_required_count(statuses: Statuses, ready: str) -> None:
    moment = at(ready)
    assert verdict(statuses, (moment - SECOND).strftime("%H:%M:%S"), text=CLUSTERS).decision == "wait"
    assert verdict(statuses, ready, text=CLUSTERS).decision == "pass"


def test_a_required_context_has_a_clock_of_its_own() -> None:
    text = "environments:\n- {name: dev, requiredContexts: [load-test]}\n- {name: qa, soak: 2h}\n"
    statuses = {"c1": [ok("10:00")], "c2": [ok("10:45", "load-test")]}
    assert [verdict(statuses, now, text=text).decision for now in ("12:44", "12:45")] == ["wait", "pass"]


def test_only_trusted_authors_start_the_clock() -> None:
    text = "statusAuthors: [flux]\n" + CONFIG
    forged = CommitStatus(context=FLUX, state="success", created_at=at("01:00"), author="eve")
    found = verdict({"c1": [forged], "c2": [ok("10:00")]}, "11:00", text=text)
    assert found.reasons[0].earliest == at("12:00")


def test_the_commits_of_the_soak_time_are_asked_for_and_not_all_of_history() -> None:
    points = [TagAt(commit=commit(f"n{n}", "11:00"), tag=T) for n in range(300)]
    points += [TagAt(commit=commit(f"o{n}", "08:00"), tag=T) for n in range(1500)]
    found = deployment(points, T)
    assert isinstance(found, Deployment)
    queried = status_commits.commits_for_soak(found, timedelta(hours=2), at("12:00"))
    assert (len(queried), queried[299], queried[-1]) == (400, "n299", "o99")
    assert (
        len(status_commits.commits_for_soak(found, timedelta(days=20), at("12:00"))) == status_commits.SOAK_CANDIDATES
    )


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("soak: 2", "environments[1].soak is '2': '2' has no unit: write it as 30s, 5m, 1h30m or 7d"),
        ("soak: soon", "'soon' is not a duration"),
        ("soak: 400d", "is too long"),
        ("soak: [2h]", "environments[1].soak is a sequence"),
    ],
)
def test_a_wrong_soak_time_is_an_error_with_its_line(written: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(f"environments:\n- {{name: dev}}\n- {{name: qa, {written}}}\n")
    assert words in str(caught.value)
    assert str(caught.value).startswith("gitops-promotion.yaml:3: ")


@pytest.mark.parametrize("written", ["", ", soak: 0", ", soak: ~"])
def test_without_a_soak_time_there_is_no_gate(written: str) -> None:
    assert len(config(f"environments:\n- {{name: dev}}\n- {{name: qa{written}}}\n").gates("qa")) == 1


def test_the_first_environment_has_nothing_to_soak_in() -> None:
    entry = config("environments:\n- {name: dev, soak: 2h}\n")
    assert entry.gates("dev") == ()
    assert not entry.must_publish
    assert config().must_publish


@pytest.mark.parametrize(
    ("seconds", "text"), [(7200, "2h"), (129600, "1d12h"), (90, "1m30s"), (0.25, "250ms"), (86400 * 7, "7d")]
)
def test_a_duration_is_shown_as_it_is_written(seconds: float, text: str) -> None:
    assert soak.duration_text(timedelta(seconds=seconds)) == text


def test_times_are_shown_in_utc() -> None:
    assert soak.time_text(datetime.fromisoformat("2026-12-01T00:30+01:00")) == "2026-11-30 23:30 UTC"
    assert soak.time_text(datetime(2026, 12, 31, 23, 59, 1, tzinfo=UTC), up=True) == "2027-01-01 00:00 UTC"


def test_of_named_clusters_no_other_starts_the_clock() -> None:
    text = "environments:\n- {name: dev, clusters: ['1', '2'], require: 1}\n- {name: qa, soak: 2h}\n"
    statuses = clusters("10:00", "10:30", "11:00")
    assert [verdict(statuses, now, text=text).decision for now in ("12:00", "12:30")] == ["wait", "pass"]
