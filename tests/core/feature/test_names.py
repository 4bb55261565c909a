"""Names of features, and what becomes of names and hosts (issue 5, B37)."""

import pytest

from gitops_promotion.core.feature.names import clean, feature_host, suffixed
from gitops_promotion.errors import ManifestError, UsageError


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("pr-123", "pr-123"),
        ("Feature/JIRA-7_login", "featurejira-7login"),
        ("ÄÖ7", "7"),
        ("A b.c", "abc"),
        ("x" * 63, "x" * 63),
    ],
)
def test_a_name_is_cleaned_as_the_predecessor_does(given: str, name: str) -> None:
    assert clean(given) == name


@pytest.mark.parametrize("given", ["", "___", "Ünïcödé"[:1], "-", "-a", "a-", "_-a", "x" * 64, "💥"])
def test_b37_what_is_no_name_afterwards_is_an_error(given: str) -> None:
    with pytest.raises(UsageError):
        clean(given)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("web.example.com", "f.web.example.com"), ("*.example.com", "f.example.com"), ("*.a.b", "f.a.b")],
)
def test_b37_a_wildcards_star_gives_way_to_the_feature(host: str, expected: str) -> None:
    assert feature_host(host, "f") == expected


def test_what_gets_too_long_is_an_error_that_says_how_long_the_feature_may_be() -> None:
    assert suffixed("web", "f" * 59, what="label app") == "web-" + "f" * 59
    with pytest.raises(ManifestError, match="at most 59"):
        suffixed("web", "f" * 60, what="label app")
    with pytest.raises(ManifestError, match="52 fit"):
        suffixed("web", "f" * 49, what="StatefulSet web", kind="StatefulSet")
    with pytest.raises(ManifestError, match="253"):
        feature_host("a." * 120 + "example.com", "feature")
