"""Rejections that descriptions keep: what counts, what is kept, and how it is written; by tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_promotion.core import kept_rejections
from gitops_promotion.core.due import open_for
from gitops_promotion.core.forge import PullRequest, PullRequestState
from gitops_promotion.core.kept_rejections import KEPT_LIMIT, Rejection, read_rejections, to_keep, with_rejections
from gitops_promotion.core.kinds import ROLLBACK
from gitops_promotion.core.model import Request
from gitops_promotion.core.pull_request_text import BODY_LIMIT, CHANGES, CHANGES_LIMIT, body, read_metadata
from gitops_promotion.core.tags import Tag
from tests.support.nouns import OPEN_PULL, PROMOTION_INTO_QA

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BOB = Rejection(environment="qa", tag=Tag("1.4.2"), by="bob", at=NOON)
EVA = Rejection(environment="prod", tag=Tag("1.4.1"), by="eva", at=NOON)
PINNED = Tag("1.4.2", "sha256:" + "a" * 64)


def metadata(tag: str, env: str, **more: object) -> str:
    values = {"group": "webshop", "app": "webui", "tag": tag, "env": env, "sha": "", "feature": "", "type": "promote"}
    return f"<!-- metadata = {json.dumps(values | more)} -->"


FULL_METADATA = metadata("1" * 128 + "@sha256:" + "a" * 64, "e" * 100, group="g" * 100, app="a" * 100, sha="a" * 40)


def pull(
    number: int, state: PullRequestState, tag: str = "1.5.0", env: str = "dev", *rejections: Rejection
) -> PullRequest:
    text = kept_rejections.noted(metadata(tag, env), rejections)
    return replace(OPEN_PULL, number=number, state=state, body=text)


FOUND: Mapping[str, tuple[Sequence[PullRequest], int | None]] = {
    "none is kept": ([pull(5, "open")], None),
    "it is kept where another one is open": ([pull(5, "open", "1.5.0", "dev", BOB)], 5),
    "it is kept where another one was merged": ([pull(7, "merged"), pull(5, "merged", "1.5.0", "dev", BOB)], 5),
    "it is kept beside others": ([pull(5, "merged", "1.5.0", "dev", BOB, EVA)], 5),
    "the newest counts": ([pull(7, "open", "1.5.0", "dev", BOB), pull(5, "closed", "1.5.0", "dev", BOB)], 7),
    "it was proposed again since": ([pull(7, "merged", "1.4.2", "qa"), pull(5, "merged", "1.5.0", "dev", BOB)], None),
    "it was proposed before": ([pull(5, "merged", "1.5.0", "dev", BOB), pull(3, "closed", "1.4.2", "qa")], 5),
    "anybody proposes it for another branch": (
        [replace(pull(7, "open", "1.4.2", "qa"), base="mine"), pull(5, "merged", "1.5.0", "dev", BOB)],
        5,
    ),
    "anybody keeps it in one into another branch": (
        [replace(pull(7, "closed", "1.5.0", "dev", BOB), base="mine"), pull(5, "merged", "1.5.0", "dev", EVA)],
        None,
    ),
    "another tag": ([pull(5, "merged", "1.5.0", "dev", replace(BOB, tag=Tag("1.4.1")))], None),
    "another environment": ([pull(5, "merged", "1.5.0", "dev", replace(BOB, environment="prod"))], None),
    "the latest of several for its tag": (
        [pull(5, "merged", "1.5.0", "dev", replace(BOB, tag=PINNED, by="eva"), BOB)],
        5,
    ),
    "the same tag with its digest": ([pull(5, "merged", "1.5.0", "dev", replace(BOB, tag=PINNED))], 5),
    "its own pull request, before the push that replaces it": ([pull(5, "closed", "1.4.2", "qa", BOB)], 5),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_rejection_counts_for_one_tag_and_environment_until_it_is_proposed_again(case: str) -> None:
    pulls, number = FOUND[case]
    decline = kept_rejections.find_kept(PROMOTION_INTO_QA, pulls, base="main")
    assert (decline.pull_request.number if decline else None) == number
    if decline:
        assert str(decline) == f"pull request #{number} for it was rejected by bob at 2026-03-02 12:00 UTC"


OTHER = replace(PROMOTION_INTO_QA, tag=Tag("1.5.0"))
KEPT: Mapping[str, tuple[Request, Sequence[PullRequest], Sequence[Rejection], Sequence[Rejection]]] = {
    "nothing is known": (OTHER, [], (), ()),
    "a new one": (OTHER, [pull(5, "open")], [EVA], [EVA]),
    "those of the open one stay": (OTHER, [pull(5, "open", "1.5.0", "dev", EVA)], (), [EVA]),
    "that of the request goes": (PROMOTION_INTO_QA, [pull(5, "open", "1.5.0", "dev", EVA, BOB)], (), [EVA]),
    "the same again is one, the latest": (OTHER, [pull(5, "open", "1", "dev", BOB, EVA)], [BOB], [EVA, BOB]),
    "those of the open one count before newer ones": (
        OTHER,
        [pull(7, "closed"), pull(5, "open", "1.5.0", "dev", EVA)],
        (),
        [EVA],
    ),
    "one into another branch is not asked": (
        OTHER,
        [replace(pull(7, "open", "1.5.0", "dev", BOB), base="mine"), pull(5, "open", "1.5.0", "dev", EVA)],
        (),
        [EVA],
    ),
    "nor is the only open one": (OTHER, [replace(pull(7, "open", "1.5.0", "dev", BOB), base="mine")], (), ()),
    "nor is a closed one": (
        OTHER,
        [replace(pull(7, "closed", "1.5.0", "dev", BOB), base="mine"), pull(5, "closed", "1.5.0", "dev", EVA)],
        (),
        [EVA],
    ),
    "a closed one may be opened again": (OTHER, [pull(5, "closed", "1.5.0", "dev", EVA)], (), [EVA]),
    "a merged one keeps its own": (OTHER, [pull(5, "merged", "1.5.0", "dev", EVA)], (), ()),
    "a rollback keeps none": (replace(OTHER, kind=ROLLBACK), [pull(5, "open", "1.5.0", "dev", EVA)], [BOB], ()),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_pull_request_keeps_what_it_has_and_what_it_replaces(case: str) -> None:
    request, pulls, new, expected = KEPT[case]
    kept = to_keep(request, open_for(pulls, "main"), pulls, new, base="main")
    assert (kept.rejections, kept.left_out) == (tuple(expected), ())


def test_of_many_rejections_the_oldest_are_left_out_and_named() -> None:
    many = [replace(BOB, tag=Tag(f"1.4.{number}")) for number in range(40)]
    kept = to_keep(OTHER, pull(5, "open", "1.5.0", "dev", *many[:5]), (), many[5:], base="main")
    assert kept.left_out
    assert (*kept.left_out, *kept.rejections) == tuple(many)
    written = json.dumps([rejection.document for rejection in kept.rejections])
    assert KEPT_LIMIT - 100 < len(written) <= KEPT_LIMIT
    assert kept.warnings[0].startswith("bob rejected 1.4.0 into qa at 2026-03-02 12:00 UTC, and the description has no")


def test_names_that_need_much_room_do_not_make_the_metadata_unreadable() -> None:
    many = [replace(BOB, tag=Tag(f"1.4.{number}"), by="<" * 100) for number in range(5)]
    kept = to_keep(OTHER, None, (), many, base="main")
    assert kept.rejections
    assert read_rejections(with_rejections(FULL_METADATA, kept.rejections)) == kept.rejections


MALFORMED: Mapping[str, Any] = {
    "a text": "qa",
    "a mapping": {"env": "qa", "tag": "1.4.2"},
    "items that are texts": ["qa"],
    "no tag": [{"env": "qa"}],
    "no valid tag": [{"env": "qa", "tag": "1.4.2\n"}],
    "a number": [{"env": "qa", "tag": 1}],
    "no environment": [{"env": "", "tag": "1.4.2"}],
    "an environment with terminal codes": [{"env": "qa\n\x1b[31m", "tag": "1.4.2"}],
    "an environment that is half a character": [{"env": "qa\ud800", "tag": "1.4.2"}],
    "a long environment": [{"env": "a" * 1500, "tag": "1.4.2"}],
    "a time that cannot be one in UTC": [{"env": "qa", "tag": "1.4.2", "at": "0001-01-01T00:00:00+14:00"}],
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_rejections_are_left_out(case: str) -> None:
    assert read_rejections(metadata("1.5.0", "dev", rejected=MALFORMED[case])) == ()


def test_beside_a_malformed_rejection_the_others_count() -> None:
    documents = [{"env": 1}, {"env": "qa", "tag": "1.4.2", "by": "b\x1b[31m\nb", "at": "yesterday"}]
    [rejection] = read_rejections(metadata("1.5.0", "dev", rejected=documents))
    assert rejection == Rejection(environment="qa", tag=Tag("1.4.2"), by="b\\x1b[31m b")


@pytest.mark.parametrize("name", ["bob", "--> <b>@all</b>", "} -->", "ü" * 100, "a\nTag: 9.9.9"])
def test_what_is_written_is_read_again_whatever_the_name_is(name: str) -> None:
    text = body(PROMOTION_INTO_QA, base_sha="b" * 40, previous_tag="1.4.1", files=["a.yaml"])
    written = with_rejections(text, [replace(BOB, by=name), EVA])
    first, second = read_rejections(written)
    assert (first.by, second) == (name.replace("\n", " "), EVA)
    assert read_metadata(written) == read_metadata(text)
    assert written.partition("\n")[2].startswith(text.partition("\n")[2].rstrip())
    assert written.endswith(
        "\nRejected before, and not proposed again by itself: `1.4.2` into `qa`, `1.4.1` into `prod`.\n"
    )
    assert written.partition(" -->")[2].count("<") == 0


def test_a_description_without_rejections_is_as_it_was() -> None:
    text = body(PROMOTION_INTO_QA, base_sha="b" * 40, previous_tag="1.4.1", files=["a.yaml"])
    assert with_rejections(text, ()) == text
    assert kept_rejections.noted(kept_rejections.noted(text, [BOB]), ()) == text
    assert kept_rejections.noted("by hand", ()) == "by hand"
    assert read_rejections(kept_rejections.noted("by hand", [BOB])) == (BOB,)


@pytest.mark.parametrize("has_changes", [False, True])
def test_the_rejections_take_their_room_from_the_files(has_changes: bool) -> None:
    files = [f"webshop/qa/{number}.yaml" for number in range(400)]
    text = body(
        PROMOTION_INTO_QA, base_sha="b" * 40, previous_tag="1.4.1", files=files, part="p" * 300, has_changes=has_changes
    )
    kept = to_keep(OTHER, None, [], [replace(BOB, tag=Tag(f"1.4.{number}")) for number in range(40)], base="main")
    written = with_rejections(text, kept.rejections)
    assert max(len(written), len(text)) <= BODY_LIMIT - (CHANGES_LIMIT if has_changes else 0)
    assert (CHANGES in written, read_rejections(written)) == (has_changes, kept.rejections)
    assert "`webshop/qa/0.yaml`" in written
