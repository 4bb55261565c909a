"""Whose statuses a pattern takes: overlaps, collisions between environments, groups and applications, open names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core import status_contexts
from gitops_promotion.core.names import Application
from gitops_promotion.core.status_contexts import (
    Collision,
    belongs,
    has_open_name,
    is_named,
    mixed_up,
    open_name_problem,
    overlap,
    shared,
)

WEB = Application("shop", "web")
DEFAULT = status_contexts.DEFAULT


@given(st.text("ab*", max_size=6), st.text("ab*", max_size=6), st.text("ab", min_size=1, max_size=6))
def test_patterns_overlap_wherever_one_context_fits_both(one: str, other: str, context: str) -> None:
    if belongs(context, [one]) and belongs(context, [other]):
        assert overlap(one, other)
        assert overlap(other, one)


@given(st.text("ab*", min_size=1, max_size=4), st.text("ab*", min_size=1, max_size=4))
def test_patterns_that_overlap_have_a_context_that_fits_both(one: str, other: str) -> None:
    def fits(pattern: str, text: str) -> bool:
        return bool(re.fullmatch(pattern.replace("*", ".*"), text))

    # The shortest common text of two patterns is no longer than both together.
    texts = [""]
    for _ in range(len(one) + len(other)):
        texts += [text + letter for text in texts if len(text) < 7 for letter in "ab"]
        texts = list(dict.fromkeys(texts))
    assert overlap(one, other) is any(fits(one, text) and fits(other, text) for text in texts)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("kustomization/apps/2fb0", "Kustomization/Apps/2FB0", True),
        ("kustomization/apps/2fb0", "kustomization/apps/77c1", False),
        ("kustomization/apps/*", "kustomization/apps/77c1", True),
        ("*/apps", "kustomization/apps/77c1", False),
        ("*/a-*-dev", "*/a-b-*", True),
        ("*/*-dev", "*/*-qa", False),
        ("x[1]", "x1", False),
    ],
)
def test_patterns_are_compared_part_by_part(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        *((template, False) for template in DEFAULT),
        ("flux/{env}/{group}", False),
        ("argocd/*/{group}-{env}", False),
        ("kustomization/apps/*", False),
        ("*/apps/2fb0a5b0", False),
        ("*/{env}", False),
        ("*/{env}/*", False),
        ("apps", False),
        ("*", True),
        ("*/*", True),
        ("*/*/2fb0a5b0", True),
        ("kustomization/*", True),
        ("kustomization/*/2fb0a5b0", True),
        ("kustomization/apps-*/2fb0a5b0", True),
        ("kustomization/*-{env}/*", True),
        ("kustomization/*/{env}", True),
        ("*/{group}-*-{env}", True),
        ("*/{group}-*/*", True),
        ("{app}*", True),
    ],
)
def test_a_star_where_another_groups_or_applications_name_could_be_is_found(template: str, expected: bool) -> None:
    assert has_open_name(template) is expected


@pytest.mark.parametrize(
    ("dev", "qa", "expected"),
    [
        (["kustomization/apps/a"], ["kustomization/apps/A"], "kustomization/apps/a"),
        (["x", "kustomization/apps/*"], ["kustomization/apps/b"], "kustomization/apps/*"),
        (["{group}/x"], ["{group}/x"], "{group}/x"),
        (["{group}/x"], ["{app}/x"], ""),
        (["{group}/{env}"], ["{group}/{env}"], ""),
        (["kustomization/{group}-dev"], DEFAULT, ""),
        (["kustomization/{group}-qa"], DEFAULT, "kustomization/{group}-qa"),
    ],
)
def test_environments_whose_statuses_are_the_same_for_every_application_are_found(
    dev: list[str], qa: list[str], expected: str
) -> None:
    assert mixed_up(dev, "dev", qa, "qa") == expected


@pytest.mark.parametrize(
    ("templates", "group", "expected"),
    [
        # The pattern of one environment names the Kustomization of a group in another.
        ({"dev": ["kustomization/apps-qa/a"], "qa": DEFAULT}, "shop", [Collision("apps", "qa")]),
        ({"dev": ["kustomization/apps-dev/a"], "qa": DEFAULT}, "shop", []),
        ({"dev": DEFAULT, "qa": ["kustomization/shop-dev/a"]}, "shop", [Collision("", "qa")]),
        ({"dev": DEFAULT, "qa": ["kustomization/shop-dev/a"]}, "apps", []),
        # All groups of one environment share a literal context, as they share a Kustomization.
        ({"dev": ["kustomization/apps/a"], "qa": ["kustomization/apps/b"]}, "shop", []),
        # Those with the name of an application are told apart by `shared`.
        ({"dev": ["cd/apps/*"], "qa": ["cd/apps/{app}"]}, "shop", []),
        ({"dev": ["{group}/{group}-{env}"], "qa": ["{group}/{group}-{env}"]}, "shop", []),
        ({"dev": ["*/{group}-{env}"], "eu-dev": ["*/{group}-{env}"]}, "shop-eu", [Collision("shop", "eu-dev")]),
    ],
)
def test_statuses_of_other_groups_and_environments_are_found_with_patterns_for_each_environment(
    templates: dict[str, list[str]], group: str, expected: list[Collision]
) -> None:
    assert status_contexts.collisions(templates, Application(group, "web"), "dev") == expected


@pytest.mark.parametrize(
    ("templates", "other", "environment", "expected"),
    [
        (["*/{group}-{app}-{env}"], Application("shop", "cart"), "dev", False),
        (["*/{group}-{app}-{env}"], Application("shop", "web"), "qa", False),
        # Argo CD names an application after itself: two groups must not have one name.
        (["cd/{app}-{env}"], Application("blog", "web"), "dev", True),
        (["cd/{app}-{env}"], Application("blog", "web"), "qa", False),
        (["*/{group}-{app}-{env}"], Application("shop-web", "dev"), "x", False),
        (["*/{group}-{app}"], Application("shop", "web"), "qa", True),
        (["*/{group}-{env}"], Application("shop", "cart"), "dev", False),
    ],
)
def test_applications_whose_statuses_have_one_name_are_found(
    templates: list[str], other: Application, environment: str, expected: bool
) -> None:
    by_environment = dict.fromkeys(("dev", "qa", "x"), templates)
    found = shared(by_environment, WEB, "dev", [(WEB, "dev"), (other, environment)])
    assert found == ([(other, environment)] if expected else [])


def test_applications_are_told_apart_whatever_the_border_between_their_names() -> None:
    templates = {"dev": ["*/{group}-{app}-{env}"]}
    others = [(Application("a", "b-c"), "dev"), (Application("a", "b"), "dev")]
    assert shared(templates, Application("a-b", "c"), "dev", others) == [others[0]]


@pytest.mark.parametrize(
    ("context", "genre", "name", "expected"),
    [
        ("Integration-Tests", "", "integration-tests", True),
        ("integration-tests/eu", "", "integration-tests", False),
        ("integration-tests", "", "integration-*", False),
        ("tests", "ci", "ci/tests", True),
        ("tests", "ci", "tests", False),
        ("tests", "fluxcd:eu", "tests", True),
    ],
)
def test_a_required_status_is_named_literally(context: str, genre: str, name: str, expected: bool) -> None:
    assert is_named(context, name, genre=genre) is expected


@pytest.mark.parametrize(
    ("template", "advice"), [("*", "*/{group}-{env}"), ("*/*", "*/{group}-{env}"), ("*/*/*", "*/{group}-{env}/*")]
)
def test_the_advice_for_an_open_name_has_as_many_parts_as_flux_posts(template: str, advice: str) -> None:
    assert open_name_problem(template).endswith(f"such as {advice}")
