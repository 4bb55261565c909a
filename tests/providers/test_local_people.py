"""What people do on plain git: reviews under a name, closing and opening again, pushes, and old records."""

import json
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.errors import ProviderError, UsageError
from tests.providers.local_hands import HEAD, overwrite, propose, records

if TYPE_CHECKING:
    from gitops_promotion.core.discussion import Event
    from tests.providers.conftest import LocalForge


def events(local_forge: "LocalForge", number: int) -> list[tuple[str, str]]:
    found: tuple[Event, ...] = local_forge.provider.discussions([number])[number].events
    return [(event.kind, event.by.name if event.by else "") for event in found]


def test_of_each_person_the_last_review_stays_and_a_bot_is_known_by_its_name(local_forge: "LocalForge") -> None:
    opened = propose(local_forge)
    for name in ("bob", "flux[bot]", "BOB"):
        local_forge.writers.make(name).review(opened.number, "approved", "fine")
    reviews = local_forge.provider.discussions([opened.number])[opened.number].reviews
    assert [(review.author, review.is_bot) for review in reviews] == [("flux[bot]", True), ("BOB", False)]
    assert events(local_forge, opened.number)[1:] == [
        ("approved", "bob"),
        ("approved", "flux[bot]"),
        ("approved", "BOB"),
    ]


def test_a_review_of_an_older_head_is_refused(local_forge: "LocalForge") -> None:
    opened = propose(local_forge)
    local_forge.push(HEAD, {"more.txt": "more\n"})
    with pytest.raises(ProviderError, match=r"moved from .* review it again"):
        local_forge.provider.add_review(opened, "approved", "")


def test_closing_and_opening_again_are_remembered(local_forge: "LocalForge") -> None:
    opened = propose(local_forge)
    forge, bob, eve = (local_forge.writers.make(name) for name in ("Ann", "bob", "eve"))
    for person in (bob, eve):
        assert person.close_pull_request(opened).state == "closed"
        assert events(local_forge, opened.number)[-1] == ("closed", "bob")
    assert eve.reopen(opened.number).state == "open"
    assert bob.reopen(opened.number).state == "open"
    assert forge.merge(opened).state == "merged"
    assert events(local_forge, opened.number) == [
        ("opened", "Ann"),
        ("closed", "bob"),
        ("reopened", "eve"),
        ("merged", "Ann"),
    ]
    with pytest.raises(ProviderError, match="is merged"):
        forge.reopen(opened.number)


def test_one_opened_again_has_the_present_head(local_forge: "LocalForge") -> None:
    opened = propose(local_forge)
    local_forge.provider.close_pull_request(opened)
    sha = local_forge.push(HEAD, {"more.txt": "more\n"})
    assert local_forge.provider.reopen(opened.number).head_sha == sha


def test_one_whose_branch_is_gone_or_has_a_newer_one_cannot_be_opened_again(local_forge: "LocalForge") -> None:
    first = propose(local_forge)
    local_forge.provider.close_pull_request(first)
    second = propose(local_forge)
    with pytest.raises(ProviderError, match="#2 of its branch is newer"):
        local_forge.provider.reopen(first.number)
    local_forge.delete(HEAD)
    assert events(local_forge, second.number)[-1] == ("branch-deleted", "")
    with pytest.raises(ProviderError, match=r"its branch .* is gone: `gitops-promotion promote"):
        local_forge.provider.reopen(second.number)


def test_pushers_are_those_of_commits_that_are_not_the_tools_own(local_forge: "LocalForge") -> None:
    opened = propose(local_forge)
    local_forge.remote.commit(
        {"own.txt": "1\n"},
        "Promote\n\nPromotion: webshop/webui\nTag: 1.4.2",
        branch=HEAD,
        author="Promotions <p@example.com>",
    )
    before = local_forge.provider.pushers(opened).members
    assert "Promotions" not in before
    local_forge.remote.commit({"more.txt": "1\n"}, "Mine", branch=HEAD, author="Bob <bob@example.com>")
    assert local_forge.provider.pushers(opened).members - before == {"Bob"}


def test_a_group_of_a_forge_is_an_error(local_forge: "LocalForge") -> None:
    with pytest.raises(UsageError, match="'acme/ops' is a group of a forge, and plain git has none"):
        local_forge.provider.members("acme/ops")


def test_a_record_of_an_older_version_has_no_events_and_no_comments(local_forge: "LocalForge") -> None:
    opened = propose(local_forge)
    old = records(local_forge.remote)[f"pulls/{opened.number}"]
    del old["events"], old["comments"]
    overwrite(local_forge.remote, f"pulls/{opened.number}", json.dumps(old).encode())
    assert events(local_forge, opened.number) == [("opened", "Ann")]


@pytest.mark.parametrize(
    "damaged",
    [
        {"events": [{"kind": "eaten", "at": None, "by": None, "comment": ""}]},
        {"events": [{"kind": "closed", "at": "yesterday", "by": None, "comment": ""}]},
        {"events": [{"kind": "closed", "at": None, "by": "bob", "comment": ""}]},
        {"events": {}},
        {"comments": [{"id": "one", "by": "Ann", "body": ""}]},
        {"comments": [{"id": "1", "by": "Ann"}]},
    ],
)
def test_a_damaged_record_is_an_error_with_the_way_out(local_forge: "LocalForge", damaged: dict[str, object]) -> None:
    opened = propose(local_forge)
    record = records(local_forge.remote)[f"pulls/{opened.number}"]
    overwrite(local_forge.remote, f"pulls/{opened.number}", json.dumps(record | damaged).encode())
    with pytest.raises(ProviderError, match="is not a record of this program"):
        local_forge.provider.pull_request(opened.number)
    assert local_forge.provider.discussions([opened.number]) == {}
