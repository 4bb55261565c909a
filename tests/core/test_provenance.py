"""What the message of a commit says of its provenance, on values alone."""

import pytest

from gitops_promotion.core.commits import Commit, CommitHeader
from gitops_promotion.core.names import Application
from gitops_promotion.core.provenance import Provenance, head_to_read, promotion_trailers, read_provenance

WEBUI = Application("webshop", "webui")
TITLE = "Promote webshop/webui version 2 to environment qa"
OWN = f"{TITLE}\n\nPromotion: webshop/webui\nEnvironment: qa\nTag: 2\nPrevious-Tag: 1\n"


def commit(message: str, *, email: str = "ann@example.org", parents: tuple[str, ...] = ("p",)) -> Commit:
    return Commit(sha="c", parents=parents, author_email=email, committer_email="", message=message, changes=())


def head(message: str, *, email: str = "bot@example.org", parents: tuple[str, ...] = ("p",)) -> CommitHeader:
    return CommitHeader(parents=parents, author="bot", author_email=email, message=message)


def is_promotion(provenance: Provenance) -> bool:
    return provenance.is_promotion(WEBUI, "qa", ("promote/",))


@pytest.mark.parametrize(
    ("message", "merged", "number"),
    [
        # GitHub: a merge commit, a squash of one commit, of several with Co-authored-by, and a rebase.
        (f"Merge pull request #7 from acme/promote/webshop-webui\n\n{TITLE}", OWN, 7),
        (f"{TITLE} (#7)\n\n{OWN.partition(chr(10) * 2)[2]}", None, 7),
        (f"{TITLE} (#7)\n\n* {OWN}\n---------\n\nCo-authored-by: Ann <ann@example.org>", None, 7),
        (OWN, None, None),
        # Azure DevOps: a merge, and a semi-linear merge, which has the title or the branches only.
        (f"Merged PR 7: {TITLE}", OWN, 7),
        ("Merge pull request 7 from promote/webshop-webui into main", OWN, 7),
        # The `local` provider, and a merge by hand.
        (f"Merge pull request #7: {TITLE}", OWN, 7),
        ("Merge branch 'promote/webshop-webui'", OWN, None),
        # The head is not in a shallow clone.
        (f"Merge pull request #7 from acme/promote/webshop-webui\n\n{TITLE}", None, 7),
        ("Merge branch 'promote/webshop-webui' into main", None, None),
        ("Merge remote-tracking branch 'origin/promote/webshop-webui'", None, None),
        (f"Merge pull request #7: {TITLE}", None, 7),
    ],
)
def test_a_promotion_is_known_by_each_forges_message(message: str, merged: str | None, number: int | None) -> None:
    provenance = read_provenance(commit(message), head(merged) if merged else None)
    assert is_promotion(provenance)
    assert provenance.number == number
    assert not provenance.is_promotion(WEBUI, "prod", ("promote/",)) or provenance.application is None


@pytest.mark.parametrize(
    ("message", "email"),
    [
        (f"Merge pull request #3 from acme/promote/qa/webshop-webui\n\n{TITLE}", "ann@example.org"),
        (f"Merged PR 3: {TITLE}", "ann@example.org"),
        (TITLE, "gitops-promotion@xenit.se"),
    ],
)
def test_promotions_of_the_go_tool_are_known_by_title_branch_and_author(message: str, email: str) -> None:
    assert is_promotion(read_provenance(commit(message, email=email), None))


@pytest.mark.parametrize(
    "message",
    [
        "Fix the port",
        TITLE,
        f"Explain things\n\n{TITLE}",
        "Merge pull request #7 from acme/fix-webui\n\nFix webui",
        "Merge pull request #7 from acme/feature/webshop-webui-pr-1",
        "Merge pull request #7 from acme/promote/x\n\nPromote webshop/other version 2 to environment qa",
    ],
)
def test_everything_else_is_no_promotion_of_it(message: str) -> None:
    assert not is_promotion(read_provenance(commit(message), None))


def test_another_environment_or_application_of_a_promotion_is_a_manual_change() -> None:
    provenance = read_provenance(commit(OWN), None)
    assert is_promotion(provenance)
    assert not provenance.is_promotion(WEBUI, "prod", ("promote/",))
    assert not provenance.is_promotion(Application("webshop", "cart"), "qa", ("promote/",))


def test_features_are_known_by_trailers_and_by_both_tools_titles() -> None:
    own = read_provenance(commit(f"{OWN}Feature: pr-1\n"), None)
    assert (own.feature, own.removal, is_promotion(own)) == ("pr-1", False, False)
    removed = read_provenance(commit("x\n\nPromotion: webshop/webui\nEnvironment: qa\nFeature: pr-1"), None)
    assert (removed.feature, removed.removal) == ("pr-1", True)
    title = read_provenance(commit("Merged PR 4: Feature pr-1 of webshop/webui version 2 in environment dev"), None)
    assert (title.feature, title.tag, title.environment) == ("pr-1", "2", "dev")
    review = read_provenance(commit("Merged PR 4: Review webshop/webui feature pr-1 in environment dev"), None)
    assert (review.feature, review.application) == ("pr-1", WEBUI)


@pytest.mark.parametrize(
    ("message", "is_rollback"),
    [
        (OWN, False),
        (f"{OWN}Rollback: true\n", True),
        (f"{OWN}Rollback: false\n", False),
        ("Merge pull request #7 from acme/rollback/webshop-webui-qa", True),
        ("Merge branch 'rollbacks'", False),
    ],
)
def test_a_rollback_calls_itself_one_by_trailer_or_branch(message: str, is_rollback: bool) -> None:
    assert read_provenance(commit(message), None).is_rollback is is_rollback


def test_names_that_no_application_can_have_are_none() -> None:
    provenance = read_provenance(commit("x\n\nPromotion: ../etc/passwd\nEnvironment: qa"), None)
    assert (provenance.application, is_promotion(provenance)) == (None, False)


def test_trailers_are_found_in_any_paragraph_and_a_sentence_is_none() -> None:
    assert promotion_trailers(f"{OWN}\n\nSigned-off-by: Ann")["Tag"] == "2"
    assert promotion_trailers("Subject\n\nNote: this is\nno promotion") == {}


def test_an_update_branch_merge_leads_to_the_promotion_below_it() -> None:
    update = head("Merge branch 'main' into promote/webshop-webui", parents=("below", "main"))
    assert head_to_read(update) == "below"
    assert head_to_read(head(OWN, parents=("base", "old"))) is None
    assert head_to_read(head("Fix")) is None
