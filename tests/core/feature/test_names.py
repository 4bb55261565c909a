"""Names of features, and the names and hosts of their copies (docs/migrating.md, B37)."""

import pytest

from gitops_promotion.core.feature.names import clean, feature_host, suffixed
from gitops_promotion.errors import ManifestError, UsageError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("pr-123", "pr-123"),
        ("Feature/JIRA-7_login", "featurejira-7login"),
        ("ÄÖ7", "7"),
        ("A b.c", "abc"),
        ("x" * 63, "x" * 63),
    ],
)
def test_a_name_is_cleaned_as_by_version_1(text: str, name: str) -> None:
    assert clean(text) == name


@pytest.mark.parametrize("text", ["", "___", "Ünïcödé"[:1], "-", "-a", "a-", "_-a", "x" * 64, "💥"])
def test_b37_a_text_without_a_valid_name_is_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        clean(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("web.example.com", "f.web.example.com"), ("*.example.com", "f.example.com"), ("*.a.b", "f.a.b")],
)
def test_b37_the_feature_replaces_the_star_of_a_wildcard(host: str, expected: str) -> None:
    assert feature_host(host, "f") == expected


def test_a_name_that_is_too_long_is_an_error_with_the_allowed_length() -> None:
    assert suffixed("web", "f" * 59, subject="label app") == "web-" + "f" * 59
    with pytest.raises(ManifestError, match="at most 59"):
        suffixed("web", "f" * 60, subject="label app")
    with pytest.raises(ManifestError, match="of at most 52"):
        suffixed("web", "f" * 49, subject="StatefulSet web", kind="StatefulSet")
    with pytest.raises(ManifestError, match="253"):
        feature_host("a." * 120 + "example.com", "feature")
