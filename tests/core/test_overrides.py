"""Which verdict on a head is a believable override: by tables."""

from typing import Any

import pytest

from gitops_promotion.core import overrides
from gitops_promotion.core.discussion import Person
from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.core.gates import Reason, Verdict, own_status, strictest
from gitops_promotion.core.overrides import Override

OVERRIDE = Override(person="ann", reason="outage: prod is down", gates=True)
APP = Person(name="promoter[bot]", is_bot=True)


def status(**values: Any) -> CommitStatus:
    fields: dict[str, Any] = {
        "context": "gitops-promotion",
        "state": "success",
        "description": OVERRIDE.description,
        "author": "bot",
    }
    return CommitStatus(**{**fields, **values})


@pytest.mark.parametrize(
    "override",
    [
        OVERRIDE,
        Override(person="ann", reason="r", hold=True),
        Override(person="a", reason="r", gates=True, hold=True),
        Override(person="a", reason="r", times=True),
    ],
)
def test_the_trailers_are_read_back(override: Override) -> None:
    assert Override.read(override.trailers) == override


def test_an_override_passes_only_what_it_says() -> None:
    passed = {
        "gates": {"health", "soak", "approvals", "windows", "freezes"},
        "hold": {"holds"},
        "times": {"windows", "freezes"},
    }
    for name, gates in passed.items():
        override = Override(person="ann", reason="r", **{name: True})
        names = {"health", "soak", "approvals", "windows", "freezes", "holds"}
        assert {gate for gate in names if override.passes(gate)} == gates


def test_a_long_name_and_a_long_reason_are_cut() -> None:
    override = Override(person="a" * 61, reason="r" * 301)
    assert (override.trailers["Override-By"], override.trailers["Override-Reason"]) == (
        "a" * 59 + "…",
        "r" * 299 + "…",
    )


@pytest.mark.parametrize("trailers", [{}, {"Override-By": "ann"}, {"Override-Reason": "r", "Override-Of": "gates"}])
def test_half_an_override_is_none(trailers: dict[str, str]) -> None:
    assert Override.read(trailers) is None


def test_a_person_with_a_colon_does_not_end_early() -> None:
    claim = status(description=Override(person="a: b", reason="x").description)
    assert claim.description == "overridden by a  b: x"
    assert overrides.published_by([claim]) == claim


CLAIMS: dict[str, tuple[list[CommitStatus], bool]] = {
    "a success with the words": ([status()], True),
    "a success without them": ([status(description="dev is healthy")], False),
    "the gates that it does not pass wait": ([status(state="pending")], True),
    "another context": ([status(context="tests")], False),
    "a newer verdict without the words": ([status(description="dev is healthy"), status()], False),
    "another context is newer": ([status(context="tests"), status()], True),
    "nothing": ([], False),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_the_newest_verdict_claims_an_override_by_its_words(case: str) -> None:
    statuses, claims = CLAIMS[case]
    assert (overrides.published_by(statuses) is not None) == claims


@pytest.mark.parametrize("before", ["", "\u200b", "  ", "\n", "\x1b[0m"])
def test_no_other_verdict_is_published_in_the_words_of_an_override(before: str) -> None:
    # A broken manifest is named by its path, which whoever pushes it has chosen.
    reason = Reason(evidence=f"{before}overridden by ann: outage/x.yaml:1: not valid YAML")
    published = own_status(Verdict(decision="refuse", reasons=(reason,)))
    assert "overridden by ann: outage/x.yaml:1: not valid YAML" in published.description
    assert overrides.published_by([published]) is None


def test_an_override_keeps_its_words_whatever_other_gates_say() -> None:
    record = Verdict(decision="pass", reasons=(Reason(evidence=OVERRIDE.description),), overridden=True)
    passed = strictest([record, Verdict(decision="pass", reasons=(Reason(evidence="no hold"),))])
    assert overrides.published_by([own_status(passed)])
    held = strictest([record, Verdict(decision="wait", reasons=(Reason(evidence="overridden by ann: "),))])
    assert overrides.published_by([own_status(held)]) is None


IDENTITIES: dict[str, tuple[str, Person, str]] = {
    "the App that looks": ("promoter[bot]", APP, ""),
    "the App as GraphQL names it": ("promoter", APP, ""),
    "case does not count": ("Promoter[bot]", APP, ""),
    "a writer": ("eve", APP, "eve published it, and promoter[bot] looks at it"),
    "nobody": ("", APP, "somebody unknown published it, and promoter[bot] looks at it"),
    "the workflow's token": ("github-actions[bot]", APP, "the workflow's own token published it"),
    "the workflow's token looks": (
        "github-actions[bot]",
        Person(name="github-actions", is_bot=True),
        "the workflow's own token published it",
    ),
    "the build identity of Azure DevOps looks": (
        "Build\\0c9c",
        Person(name="Build\\0c9c", is_bot=True),
        "the workflow's own token published it",
    ),
    "the build identity of Azure DevOps": (
        "Build\\0c9c",
        Person(name="promoter"),
        "the workflow's own token published it",
    ),
    "a person whose name begins like it": ("builder", Person(name="builder"), ""),
    "a person of plain git": ("ann", Person(name="ann"), ""),
}


@pytest.mark.parametrize("case", IDENTITIES)
def test_an_override_counts_only_for_the_identity_that_published_it(case: str) -> None:
    author, identity, expected = IDENTITIES[case]
    problem = overrides.problem(status(author=author), identity)
    assert problem.startswith(expected)
    assert bool(problem) == bool(expected)
