"""What a pull request says of the way and of the changes of a tag (docs/pull-requests.md)."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from gitops_promotion.core.changes import Labels, Stop, commits, link, pair, way
from gitops_promotion.core.sources import (
    REVISION,
    SOURCE,
    Difference,
    SourceCommit,
    Version,
    compare_link,
    repository_problem,
)
from gitops_promotion.core.tags import NO_TAG, Tag

GITHUB = "https://github.com/acme/webui"
OLD, NEW = "a" * 40, "b" * 40


def test_the_way_names_each_environment_with_what_is_known() -> None:
    stops = [
        Stop(environment="dev", since=datetime(2026, 1, 31, 10, 2, tzinfo=UTC), pull_request=16),
        Stop(environment="qa"),
    ]
    assert way(stops) == ["The way so far:", "", "- `dev` since 2026-01-31 10:02 UTC, by #16", "- `qa`", ""]
    assert way([]) == []


@pytest.mark.parametrize(
    ("repository", "tags", "commits"),
    [
        (GITHUB, "/compare/1.0%2B1...2.0", f"/compare/{OLD}...{NEW}"),
        (f"{GITHUB}.git", "/compare/1.0%2B1...2.0", f"/compare/{OLD}...{NEW}"),
        ("https://gitlab.com/acme/webui", "/-/compare/1.0%2B1...2.0", f"/-/compare/{OLD}...{NEW}"),
        ("https://gitlab.acme.org/a/b/c", "/-/compare/1.0%2B1...2.0", f"/-/compare/{OLD}...{NEW}"),
        ("https://codeberg.org/acme/webui", "/compare/1.0%2B1...2.0", f"/compare/{OLD}...{NEW}"),
        ("https://bitbucket.org/acme/webui", "/branches/compare/2.0..1.0%2B1", f"/branches/compare/{NEW}..{OLD}"),
        (
            "https://dev.azure.com/acme/shop/_git/webui",
            "/branchCompare?baseVersion=GT1.0%2B1&targetVersion=GT2.0",
            f"/branchCompare?baseVersion=GC{OLD}&targetVersion=GC{NEW}",
        ),
    ],
)
def test_the_link_has_the_form_of_the_forge(repository: str, tags: str, commits: str) -> None:
    address = repository.removesuffix(".git")
    assert compare_link(repository, Version(name="1.0+1"), Version(name="2.0")) == address + tags
    old, new = Version(name=OLD, is_commit=True), Version(name=NEW, is_commit=True)
    assert compare_link(repository, old, new) == address + commits


@pytest.mark.parametrize(
    "text",
    ["", "github.com/a/b", "ssh://github.com/a/b", "https://github.com/", "https://g.com/a)[x](b", "https://g.com/a?b"],
)
def test_what_is_no_address_in_a_browser_is_none(text: str) -> None:
    assert repository_problem(text)


@pytest.mark.parametrize(
    ("repository", "old", "new", "address"),
    [
        (GITHUB, None, None, f"{GITHUB}/compare/1.0...2.0"),
        ("", None, None, ""),
        ("", {}, {SOURCE: GITHUB}, f"{GITHUB}/compare/1.0...2.0"),
        ("", {REVISION: OLD}, {SOURCE: f"{GITHUB}.git", REVISION: NEW}, f"{GITHUB}/compare/{OLD}...{NEW}"),
        (GITHUB, {REVISION: OLD}, {REVISION: NEW}, f"{GITHUB}/compare/{OLD}...{NEW}"),
        (GITHUB, {REVISION: OLD}, {REVISION: "v2"}, f"{GITHUB}/compare/1.0...2.0"),
        (GITHUB, {REVISION: OLD}, {SOURCE: f"{GITHUB}-fork", REVISION: NEW}, f"{GITHUB}/compare/1.0...2.0"),
        ("", {}, {SOURCE: "javascript:alert(1)"}, ""),
        ("", {}, {SOURCE: "https://x.org/a) [click](https://evil.org"}, ""),
    ],
)
def test_the_configuration_names_the_repository_before_the_image_does(
    repository: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None, address: str
) -> None:
    labels = Labels(old=old or {}, new=new or {}) if new is not None else None
    found = pair(repository, Tag("1.0"), Tag("2.0"), labels)
    assert (link(found) if found else []) == ([f"[What changed]({address}): `1.0` → `2.0`", ""] if address else [])


def test_a_rollback_says_what_it_removes() -> None:
    found = pair(GITHUB, Tag("1.0"), Tag("2.0"), None)
    assert found is not None
    assert link(found, removes=True) == [f"[What this removes]({GITHUB}/compare/1.0...2.0): `2.0` → `1.0`", ""]


def test_without_another_version_there_is_nothing_to_compare() -> None:
    assert pair(GITHUB, NO_TAG, Tag("2.0"), None) is None
    assert pair(GITHUB, Tag("2.0"), Tag("2.0", "sha256:" + "a" * 64), None) is None


def test_commits_are_bounded_and_their_subjects_are_no_markup() -> None:
    hostile = "`x` [a](javascript:b) <img src=x> @everyone\x1b " + "z" * 100
    found = Difference(commits=(SourceCommit(sha=NEW, subject=hostile),) * 20, total=300, removed=1)
    lines = commits(found)
    assert lines[0] == "- `bbbbbbb` ``" + f" {hostile[:71]}…".replace("\x1b", "\ufffd") + " ``"
    assert lines[-3:] == ["- and 285 older", "- removes 1 commit", ""]
    assert len(lines) == 15 + 3
    assert commits(Difference()) == []
