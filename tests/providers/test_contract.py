"""What every provider promises, in neutral words. Only the `forge` fixture knows which one it is."""

from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.forge import (
    OWN_CONTEXT,
    AutoMerge,
    CommitStatus,
    Draft,
    HeadState,
    PullRequest,
    Review,
    StatusState,
)
from gitops_promotion.core.pull_request_text import BODY_LIMIT
from gitops_promotion.errors import ProviderError, RefGoneError

if TYPE_CHECKING:
    from tests.providers.conftest import Forge

HEAD = "promote/webshop-webui"


def propose(
    forge: "Forge", head: str = HEAD, *, gated: bool = False, title: str = "Promote", body: str = ""
) -> PullRequest:
    """Push one change to a branch of its own and open its pull request."""
    if gated:
        forge.require_gate()
    sha = forge.push(head, {f"{head}.txt": f"{title}\n"})
    return forge.provider.open_pull_request(
        Draft(head=head, head_sha=sha, base="main", title=title, body=body, gated=gated)
    )


def reviews(forge: "Forge", number: int) -> tuple[Review, ...]:
    return forge.provider.discussions([number])[number].reviews


def arm(forge: "Forge", pull_request: PullRequest) -> AutoMerge:
    """Arm, and merge what the forge would let anybody merge: what a verb does where there is no gate."""
    answer = forge.provider.set_auto_merge(pull_request, enabled=True)
    return forge.provider.merge(pull_request) if answer.state == "clean" else answer


class TestOpening:
    def test_shows_the_draft(self, forge: "Forge") -> None:
        opened = propose(forge, title="Promote webshop/webui version 1 to environment dev", body="Why.\n")
        assert opened == forge.provider.pull_request(opened.number)
        assert (opened.head, opened.head_sha, opened.base) == (HEAD, forge.branches()[HEAD], "main")
        assert (opened.state, opened.merge_sha, opened.auto_merge) == ("open", None, False)
        assert opened.title == "Promote webshop/webui version 1 to environment dev"
        assert opened.body.strip() == "Why."
        assert opened.author
        assert opened.url

    def test_again_updates_the_open_pull_request(self, forge: "Forge") -> None:
        first = propose(forge, title="One")
        second = propose(forge, title="Two", body="New.")
        assert (second.number, second.title, second.body.strip()) == (first.number, "Two", "New.")
        assert second.head_sha != first.head_sha
        assert forge.provider.pull_requests(head=HEAD) == [second]

    def test_the_same_twice_changes_nothing(self, forge: "Forge") -> None:
        first = propose(forge)
        draft = Draft(head=HEAD, head_sha=first.head_sha, base="main", title="Promote", body="", gated=False)
        assert forge.provider.open_pull_request(draft) == first

    def test_after_a_close_or_a_merge_opens_a_new_pull_request(self, forge: "Forge") -> None:
        closed = propose(forge, title="One")
        forge.provider.close_pull_request(closed)
        merged = propose(forge, title="Two")
        forge.merge_by_hand(merged.number)
        opened = propose(forge, title="Three")
        assert len({closed.number, merged.number, opened.number}) == 3
        found = forge.provider.pull_requests(head=HEAD)
        assert [(pull.number, pull.state) for pull in found] == [
            (opened.number, "open"),
            (merged.number, "merged"),
            (closed.number, "closed"),
        ]

    def test_from_a_missing_branch_is_an_error(self, forge: "Forge") -> None:
        draft = Draft(head=HEAD, head_sha="1" * 40, base="main", title="x", body="", gated=False)
        with pytest.raises((ProviderError, RefGoneError)):
            forge.provider.open_pull_request(draft)
        assert forge.provider.open_promotions() == []

    @pytest.mark.parametrize(
        "body",
        [
            '<!-- metadata = {"group":"a"} -->\n| `x` | "y" |\n',
            "Ünïcödé 🚀 \u2028 `code` <script> #1 @all",
            "x" * BODY_LIMIT,
        ],
    )
    def test_texts_survive(self, forge: "Forge", body: str) -> None:
        number = propose(forge, body=body, title="«Promote» \"it\" 'now' 🚀").number
        found = forge.provider.pull_request(number)
        assert (found.title, found.body.rstrip("\n")) == ("«Promote» \"it\" 'now' 🚀", body.rstrip("\n"))


class TestLookingUp:
    def test_an_unknown_number_is_an_error(self, forge: "Forge") -> None:
        with pytest.raises(ProviderError, match="4711"):
            forge.provider.pull_request(4711)

    def test_a_branch_without_pull_requests_has_none(self, forge: "Forge") -> None:
        assert forge.provider.pull_requests(head=HEAD) == []

    def test_b25_only_the_branch_of_exactly_that_name_counts(self, forge: "Forge") -> None:
        opened = propose(forge, HEAD)
        for other in (f"{HEAD}-qa", "promote/webshop", "webshop-webui"):
            propose(forge, other)
        assert forge.provider.pull_requests(head=HEAD) == [opened]

    def test_b25_all_open_promotions_are_listed(self, forge: "Forge") -> None:
        opened = {propose(forge, f"promote/webshop-app{number}").number for number in range(12)}
        closed = propose(forge, "promote/webshop-closed")
        forge.provider.close_pull_request(closed)
        assert {pull.number for pull in forge.provider.open_promotions()} == opened
        assert {pull.number for pull in forge.provider.open_pull_requests()} >= opened

    def test_the_head_is_the_present_tip_of_the_branch(self, forge: "Forge") -> None:
        opened = propose(forge)
        tip = forge.push(HEAD, {"more.txt": "more\n"})
        assert forge.provider.pull_request(opened.number).head_sha == tip
        assert forge.provider.pull_requests(head=HEAD)[0].head_sha == tip

    def test_without_its_branch_it_is_not_open(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.delete(HEAD)
        assert forge.provider.open_promotions() == []
        assert forge.provider.pull_request(opened.number).state == "closed"


class TestMerging:
    def test_a_merge_by_hand_is_seen(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        forge.merge_by_hand(opened.number)
        merged = forge.provider.pull_requests(head=HEAD)[0]
        assert (merged.number, merged.state, merged.auto_merge) == (opened.number, "merged", False)
        assert merged.head_sha == opened.head_sha
        assert merged.merge_sha == forge.branches()["main"]
        assert forge.show("main", f"{HEAD}.txt") == "Promote\n"

    def test_closing_a_merged_one_is_an_error(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.merge_by_hand(opened.number)
        with pytest.raises(ProviderError):
            forge.provider.close_pull_request(opened)

    def test_closing_leaves_branch_and_base_alone_and_repeats(self, forge: "Forge") -> None:
        opened = propose(forge)
        before = forge.branches()
        closed = forge.provider.close_pull_request(opened)
        assert (closed.number, closed.state) == (opened.number, "closed")
        assert forge.provider.close_pull_request(opened) == closed
        assert forge.branches() == before


class TestAutoMerge:
    def test_merges_at_once_without_a_gate(self, forge: "Forge") -> None:
        opened = propose(forge)
        assert arm(forge, opened).state == "merged"
        assert forge.provider.pull_request(opened.number).state == "merged"
        assert forge.show("main", f"{HEAD}.txt") == "Promote\n"

    def test_waits_for_the_gate_and_merges_when_it_passes(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        before = forge.branches()["main"]
        assert forge.provider.set_auto_merge(opened, enabled=True).state == "armed"
        assert forge.provider.pull_request(opened.number).auto_merge
        assert forge.branches()["main"] == before
        forge.pass_gate(opened.head_sha)
        merged = forge.provider.pull_request(opened.number)
        assert (merged.state, merged.merge_sha) == ("merged", forge.branches()["main"])

    def test_merges_at_once_where_the_gate_has_passed(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        forge.pass_gate(opened.head_sha)
        assert forge.provider.pull_request(opened.number).state == "open"
        assert arm(forge, opened).state == "merged"

    def test_b1_disabled_it_does_not_merge(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        forge.provider.set_auto_merge(opened, enabled=True)
        assert forge.provider.set_auto_merge(opened, enabled=False).state == "off"
        assert forge.provider.set_auto_merge(opened, enabled=False).state == "off"
        forge.pass_gate(opened.head_sha)
        found = forge.provider.pull_request(opened.number)
        assert (found.state, found.auto_merge) == ("open", False)

    def test_b1_is_refused_for_an_older_head(self, forge: "Forge") -> None:
        seen = propose(forge)
        forge.push(HEAD, {"more.txt": "not looked at\n"})
        answer = forge.provider.set_auto_merge(seen, enabled=True)
        assert answer.state == "moved"
        assert answer.reason
        found = forge.provider.pull_request(seen.number)
        assert (found.state, found.auto_merge) == ("open", False)

    def test_b1_an_update_does_not_stay_armed_for_the_older_head(self, forge: "Forge") -> None:
        first = propose(forge, gated=True, title="Promote to qa")
        forge.provider.set_auto_merge(first, enabled=True)
        second = propose(forge, gated=True, title="Promote to prod")
        assert not second.auto_merge
        forge.pass_gate(second.head_sha)
        assert forge.provider.pull_request(first.number).state == "open"

    def test_a_conflict_is_refused_and_changes_nothing(self, forge: "Forge") -> None:
        opened = propose(forge)
        main = forge.push("main", {f"{HEAD}.txt": "other\n"})
        answer = forge.provider.set_auto_merge(opened, enabled=True)
        assert answer.state == "refused"
        assert answer.reason
        assert forge.branches()["main"] == main
        assert forge.provider.pull_request(opened.number).state == "open"

    def test_may_be_repeated_after_the_merge(self, forge: "Forge") -> None:
        opened = propose(forge)
        arm(forge, opened)
        assert forge.provider.set_auto_merge(opened, enabled=True).state == "merged"
        assert forge.provider.merge(opened).state in ("merged", "moved")

    def test_of_a_merged_pull_request_cannot_be_disabled(self, forge: "Forge") -> None:
        opened = propose(forge)
        arm(forge, opened)
        assert forge.provider.set_auto_merge(opened, enabled=False).state == "moved"

    def test_of_a_closed_pull_request_is_not_armed(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.provider.close_pull_request(opened)
        assert forge.provider.set_auto_merge(opened, enabled=True).state == "moved"
        assert forge.provider.pull_request(opened.number).state == "closed"


class TestHeadState:
    def test_of_a_new_pull_request_has_no_obstacle(self, forge: "Forge") -> None:
        assert forge.provider.head_state(propose(forge, gated=True)) == HeadState()

    def test_a_moved_base_is_no_obstacle_unless_a_rule_demands_its_tip(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        forge.push("main", {"other.txt": "1\n"})
        assert forge.provider.head_state(opened) == HeadState()

    def test_this_tools_failed_verdict_is_an_obstacle_until_it_changes(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        forge.provider.set_status(opened.head_sha, CommitStatus(context=OWN_CONTEXT, state="failure"))
        assert forge.provider.head_state(opened) == HeadState(failed=True)
        forge.provider.set_status(opened.head_sha, CommitStatus(context=OWN_CONTEXT, state="pending"))
        assert forge.provider.head_state(opened) == HeadState()


class TestStatuses:
    def test_of_a_commit_without_statuses_are_none(self, forge: "Forge") -> None:
        sha = forge.branches()["main"]
        assert forge.provider.statuses([sha]) == {sha: []}
        assert forge.provider.statuses([]) == {}

    @pytest.mark.parametrize("state", ["pending", "success", "failure"])
    def test_are_read_as_they_were_set(self, forge: "Forge", state: StatusState) -> None:
        sha = forge.branches()["main"]
        set_ = CommitStatus(
            context="kustomization/webshop-dev", state=state, description="said so", url="https://x.test/1"
        )
        forge.provider.set_status(sha, set_)
        [found] = forge.provider.statuses([sha])[sha]
        assert (found.context, found.state) == ("kustomization/webshop-dev", state)
        assert (found.description, found.url) == ("said so", "https://x.test/1")
        assert found.created_at is not None
        assert found.created_at.utcoffset() is not None

    def test_b15_are_the_newest_of_each_context(self, forge: "Forge") -> None:
        sha = forge.branches()["main"]
        said: list[tuple[str, StatusState]] = [
            ("a/x", "failure"),
            ("b/x", "success"),
            ("a/x", "success"),
            ("b/x", "pending"),
        ]
        for context, state in said:
            forge.provider.set_status(sha, CommitStatus(context=context, state=state))
        found = forge.provider.statuses([sha])[sha]
        assert {(each.context, each.state) for each in found} == {("a/x", "success"), ("b/x", "pending")}

    def test_b22_all_are_read_of_all_commits(self, forge: "Forge") -> None:
        first = forge.branches()["main"]
        second = forge.push("main", {"x.txt": "x\n"})
        contexts = {f"kustomization/app{number}-dev" for number in range(12)}
        for context in contexts:
            forge.provider.set_status(first, CommitStatus(context=context, state="success"))
        forge.provider.set_status(second, CommitStatus(context="only", state="failure"))
        found = forge.provider.statuses([first, second])
        assert {each.context for each in found[first]} == contexts
        assert [each.context for each in found[second]] == ["only"]


class TestReviews:
    def test_are_the_last_of_each_person_with_its_commit(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        assert reviews(forge, opened.number) == ()
        forge.review(opened.number, "changes-requested", by="bob")
        forge.review(opened.number, "approved", by="eve")
        newer = forge.push(HEAD, {"more.txt": "more\n"})
        forge.review(opened.number, "approved", by="bob")
        found = reviews(forge, opened.number)
        assert {(each.author, each.verdict, each.sha) for each in found} == {
            ("bob", "approved", newer),
            ("eve", "approved", opened.head_sha),
        }

    def test_of_an_unknown_number_are_an_error(self, forge: "Forge") -> None:
        with pytest.raises(ProviderError):
            reviews(forge, 4711)
