"""Rollbacks: the tags that an environment had before, and to which of them it goes back."""

from dataclasses import replace

import pytest

from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import TagAt
from gitops_promotion.core.names import Application
from gitops_promotion.core.provenance import read_provenance
from gitops_promotion.core.rollback import (
    EarlierTag,
    already_rolled_back,
    choose,
    earlier_tags,
    is_rollback,
    last_return,
)
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError

WEBUI = Application("webshop", "webui")


def commit(sha: str) -> Commit:
    return Commit(sha=sha, parents=("p",), author_email="", committer_email="", message="", changes=())


def timeline(tags: str) -> list[TagAt]:
    """One commit for each tag, the newest first; `-` is a commit without a tag."""
    return [
        TagAt(commit=commit(f"{index:040x}"), tag=None if name == "-" else Tag(name))
        for index, name in enumerate(tags.split())
    ]


def names(candidates: list[EarlierTag]) -> list[str]:
    return [earlier.tag.name for earlier in candidates]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("3", []),
        ("3 3 2 1", ["2", "1"]),
        # One that came back counts by its newest time, and the present one not at all.
        ("3 2 3 1 2", ["2", "1"]),
        ("3 - 2 - 1", ["2", "1"]),
    ],
)
def test_earlier_tags_are_each_there_once_the_newest_first(tags: str, expected: list[str]) -> None:
    assert names(earlier_tags(timeline(tags))) == expected


@pytest.mark.parametrize(
    ("to", "green", "held", "expected"),
    [
        ("", "2 1", "", ("2", True)),
        ("", "1", "", ("1", True)),
        ("", "2 1", "2", ("1", True)),
        # A person may name one that was never green, or is on hold: gates and holds decide on it later.
        ("1", "2", "", ("1", False)),
        ("2", "2", "2", ("2", True)),
        ("", "", "", "no earlier tag of webshop/webui that is not on hold was green in prod (it had 2, 1): name one"),
        ("", "2", "2", "no earlier tag of webshop/webui that is not on hold was green in prod (it had 2, 1): name one"),
        ("7", "2", "", "prod never had webshop/webui 7: it had 2, 1: name one of them"),
    ],
)
def test_the_last_green_tag_without_a_hold_is_chosen_or_the_one_that_is_named(
    to: str, green: str, held: str, expected: tuple[str, bool] | str
) -> None:
    def answer() -> tuple[str, bool]:
        earlier, is_green = choose(
            WEBUI,
            "prod",
            earlier_tags(timeline("3 2 1")),
            to=Tag(to) if to else None,
            is_held=lambda earlier: earlier.tag.name in held.split(),
            is_green=lambda earlier: earlier.tag.name in green.split(),
        )
        return earlier.tag.name, is_green

    if isinstance(expected, tuple):
        assert answer() == expected
    else:
        with pytest.raises(UsageError) as raised:
            answer()
        assert str(raised.value).startswith(expected)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (None, "prod had no other tag of webshop/webui that the history here shows: bring another one"),
        (
            Tag("2"),
            "webui 2: it had none that the history here shows: bring another one with `gitops-p",
        ),
    ],
)
def test_without_an_earlier_tag_the_error_says_so(to: Tag | None, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        choose(WEBUI, "prod", [], to=to, is_held=lambda _: False, is_green=lambda _: True)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", None),
        ("2 1", None),
        ("2 2 3 2 1", ("3", "2", 1, "1")),
        ("2 - 3 2", ("3", "2", 0, "")),
        # What came after the earlier time of the tag is not further back.
        ("1 3 2 1 0", ("3", "1", 0, "0")),
        # It came by a promotion after the rollback.
        ("4 2 3 2 1", None),
        ("- 2 3 2", None),
        # The first commit that is known may not be the one that brought it.
        ("2 2", None),
    ],
)
def test_a_present_tag_that_was_there_before_came_back(tags: str, expected: tuple[str, str, int, str] | None) -> None:
    last = last_return(timeline(tags))
    further = " ".join(names(earlier_tags(last.before))) if last else ""
    assert (last and (last.left.name, last.tag.name, int(last.commit.sha, 16), further)) == expected


TRAILERS = "Promotion: webshop/webui\nEnvironment: prod\nTag: 2\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"Roll back\n\n{TRAILERS}Rollback: true\n", True),
        (f"Promote\n\n{TRAILERS}", False),
        (f"Roll back\n\n{TRAILERS.replace('webui', 'cart')}Rollback: true\n", False),
        (f"Roll back\n\n{TRAILERS.replace('prod', 'qa')}Rollback: true\n", False),
        (f"Roll back\n\n{TRAILERS}Feature: f\nRollback: true\n", False),
        ("Merge pull request #3 from acme/rollback/webshop-webui-prod", True),
        ("Merge pull request #3 from acme/promote/webshop-webui", False),
        ('Revert "Roll back webshop/webui to version 2 in environment prod"', False),
        ("By hand", False),
    ],
)
def test_a_commit_is_a_rollback_of_the_application_in_the_environment_by_its_message(
    message: str, expected: bool
) -> None:
    provenance = read_provenance(replace(commit("a"), message=message), None)
    assert is_rollback(WEBUI, "prod", provenance) == expected


@pytest.mark.parametrize(
    ("number", "has_further", "expected"),
    [
        (20, True, "3 was rolled back to 2 by #20; to go back further: --to 1"),
        (None, True, "3 was rolled back to 2 by commit 000000000000; to go back further: --to 1"),
        (20, False, "3 was rolled back to 2 by #20; to go back further: name an earlier tag with --to and --reason"),
    ],
)
def test_after_a_rollback_the_message_names_the_next_step(number: int | None, has_further: bool, expected: str) -> None:
    points = timeline("2 3 2 1")
    last = last_return(points)
    assert last is not None
    assert already_rolled_back(last, number, earlier_tags(points)[-1] if has_further else None) == expected
