"""People on GitHub, by the real PyGithub, on a GitHub of our own: reviews, events, comments, teams, and their cost."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import pytest

from gitops_promotion.bounded_http import BoundedAdapter
from gitops_promotion.core.discussion import MARKER, Comment, Discussion, People, Person
from gitops_promotion.core.forge import OWN_CONTEXT, PullRequest
from gitops_promotion.errors import AuthError, ProviderError
from gitops_promotion.providers.github import api, people
from tests.forges.faults import Fault, reset, server_error
from tests.providers.test_github import HEAD, PULLS, propose

if TYPE_CHECKING:
    from tests.providers.conftest import GitHubForge

GRAPHQL = "POST /api/graphql"
REPOSITORY = "/api/v3/repos/acme/gitops"
TEAM = "/api/v3/orgs/acme/teams/ops/members"


def discussion(forge: "GitHubForge", number: int = 1) -> Discussion:
    return forge.provider.discussions([number])[number]


def verdicts(forge: "GitHubForge") -> list[tuple[str, str]]:
    return [(review.author, review.verdict) for review in discussion(forge).reviews]


def comments(forge: "GitHubForge") -> list[str]:
    return [comment.body for comment in discussion(forge).comments]


def events(forge: "GitHubForge") -> list[tuple[str, str]]:
    return [(event.kind, event.by.name if event.by else "?") for event in discussion(forge).events]


def page_of(forge: "GitHubForge", monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Make the pages of a discussion that small, and forget what was asked for."""
    monkeypatch.setattr(people, "_PAGE_SIZE", size)
    forge.calls()


class TestRequests:
    def test_fifty_discussions_are_one_request(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.crowd(opened=51, closed=0)
        github_forge.calls()
        assert len(github_forge.provider.discussions(range(1, 51))) == 50
        assert github_forge.calls() == [GRAPHQL]
        assert len(github_forge.provider.discussions(range(1, 52))) == 51
        assert github_forge.calls() == [GRAPHQL] * 2
        github_forge.provider.discussions([])
        assert github_forge.calls() == []

    def test_a_team_and_the_pushers_take_one_for_each_page(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.server.team("acme/ops", *(f"member-{number}" for number in range(11)))
        github_forge.calls()
        github_forge.provider.pushers(opened)
        assert github_forge.calls() == [f"GET {REPOSITORY}/activity"]
        assert len(github_forge.provider.members("acme/ops").members) == 11
        assert github_forge.calls() == [f"GET {TEAM}"] * 2

    def test_opinions_and_comments_take_one_and_the_same_comment_none(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        bob = github_forge.provider_of("bob")
        github_forge.calls()
        bob.add_review(opened, "approved", "")
        assert github_forge.calls() == [f"POST {PULLS}/1/reviews"]
        bob.write_comment(opened, MARKER, ())
        assert github_forge.calls() == [f"POST {REPOSITORY}/issues/1/comments"]
        written = bob.discussions([1])[1].comments
        github_forge.calls()
        bob.write_comment(opened, f"{MARKER}\r\n", written)
        assert github_forge.calls() == []
        bob.write_comment(opened, f"{MARKER}\nNew", written)
        assert github_forge.calls() == [GRAPHQL]
        bob.identity()
        assert github_forge.calls() == [GRAPHQL]

    @pytest.mark.parametrize("lost", [reset(done=True), server_error(502, done=True)], ids=lambda fault: fault.name)
    def test_what_was_written_before_an_answer_was_lost_is_not_written_twice(
        self, github_forge: "GitHubForge", lost: Fault
    ) -> None:
        opened = propose(github_forge)
        bob = github_forge.provider_of("bob")
        github_forge.hosted.review(1, "cat", "APPROVED", body="well")
        github_forge.calls()
        github_forge.server.faults.add(lost, method="POST", path="/reviews$")
        bob.add_review(opened, "approved", "well")
        assert github_forge.calls() == [f"POST {PULLS}/1/reviews", GRAPHQL]
        github_forge.server.faults.add(lost, method="POST", path="/comments$")
        bob.write_comment(opened, MARKER, ())
        pull = github_forge.hosted.pull(1)
        assert [review.user for review in pull.reviews] == ["cat", "bob"]
        assert [comment.body for comment in pull.comments] == [MARKER]

    @pytest.mark.parametrize("verdict", ["approved", "changes-requested"])
    def test_what_was_not_written_before_the_answer_broke_is_written_then(
        self, github_forge: "GitHubForge", verdict: Literal["approved", "changes-requested"]
    ) -> None:
        opened = propose(github_forge)
        bob = github_forge.provider_of("bob")
        bob.add_review(opened, "approved", "")
        github_forge.hosted.review(1, "cat", "APPROVED", body="well")
        github_forge.server.faults.add(server_error(502), method="POST", path="/reviews$")
        bob.add_review(opened, verdict, "well")
        assert [review.body for review in github_forge.hosted.pull(1).reviews] == ["", "well", "well"]

    def test_a_required_status_takes_one_where_it_was_posted_else_three(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.calls()
        assert not github_forge.provider.requires_status(opened, OWN_CONTEXT)
        assert github_forge.calls() == [
            GRAPHQL,
            f"GET {REPOSITORY}/rules/branches/main",
            f"GET {REPOSITORY}/branches/main",
        ]
        github_forge.pass_gate(opened.head_sha)
        assert not github_forge.provider.requires_status(opened, OWN_CONTEXT)
        assert github_forge.calls() == [GRAPHQL]


class TestReviews:
    def test_a_dismissal_brings_no_older_one_back(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.review(1, "bob", "APPROVED")
        github_forge.hosted.review(1, "bob", "CHANGES_REQUESTED", body="no")
        github_forge.hosted.dismiss(1, "bob", by="cat")
        assert verdicts(github_forge) == []
        assert events(github_forge)[1:] == [("approved", "bob"), ("rejected", "bob"), ("withdrawn", "cat")]

    def test_a_remark_takes_no_opinion_back(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.review(1, "bob", "APPROVED")
        github_forge.hosted.review(1, "bob", "COMMENTED", body="by the way")
        assert verdicts(github_forge) == [("bob", "approved")]
        assert events(github_forge)[1:] == [("approved", "bob")]

    def test_of_people_who_may_not_write_are_shown(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.repo.writers = frozenset({"cat"})
        github_forge.hosted.review(1, "bob", "APPROVED")
        assert verdicts(github_forge) == [("bob", "approved")]

    def test_an_edit_afterwards_changes_the_text_alone(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.review(1, "bob", "APPROVED", body="yes")
        [given] = discussion(github_forge).reviews
        github_forge.hosted.edit_review(1, "bob", "yes, but")
        assert discussion(github_forge).reviews == (replace(given, comment="yes, but"),)

    def test_of_a_deleted_and_of_an_imported_account_are_nobodys(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        for login in ("bob", "cat"):
            github_forge.hosted.review(1, login, "APPROVED")
        github_forge.hosted.delete_account("bob")
        github_forge.server.world.imported.add("cat")
        assert verdicts(github_forge) == [("", "approved")] * 2
        github_forge.hosted.delete_account("promoter")
        assert discussion(github_forge).author == Person(name="")

    def test_of_an_app_are_a_bots(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.review(1, "helper[bot]", "APPROVED")
        [review] = discussion(github_forge).reviews
        assert (review.author, review.is_bot) == ("helper[bot]", True)

    def test_on_a_commit_that_is_gone_are_on_none(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.review(1, "bob", "APPROVED")
        github_forge.hosted.repo.pulls[1].reviews[0].sha = "f" * 40
        [review] = discussion(github_forge).reviews
        assert review.sha == ""

    def test_of_more_people_than_a_page_are_read_to_the_end(
        self, github_forge: "GitHubForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        propose(github_forge)
        logins = [f"person-{number}" for number in range(5)]
        for login in logins:
            github_forge.hosted.review(1, login, "APPROVED")
        page_of(github_forge, monkeypatch, 2)
        found = discussion(github_forge)
        assert [review.author for review in found.reviews] == logins
        assert github_forge.calls() == [GRAPHQL] * 3
        # Of events the newest page is enough, and says so.
        assert found.partial
        assert len(found.events) == 1 + 2

    def test_of_a_number_that_does_not_exist_are_an_error(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        with pytest.raises(ProviderError, match=r"the reviews of #1, #4711 in acme/gitops cannot be read .*check that"):
            github_forge.provider.discussions([1, 4711])

    def test_a_token_without_the_permission_is_told_which(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        token = github_forge.server.give_token("helper[bot]", kind="installation", permissions={"contents": "read"})
        with pytest.raises(AuthError, match="give it the permission pull-requests: read"):
            github_forge.connect(token=token).discussions([1])


class TestEvents:
    def test_a_deleted_branch_stands_beside_the_close(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.delete_branch(HEAD, by="bob")
        assert events(github_forge)[1:] == [("closed", "bob"), ("branch-deleted", "bob")]

    def test_a_branch_deleted_after_the_close_is_later(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.close(1, by="bob")
        github_forge.server.clock.tick()
        github_forge.hosted.delete_branch(HEAD, by="cat")
        found = discussion(github_forge).events
        assert [event.kind for event in found] == ["opened", "closed", "branch-deleted"]
        times = [event.at for event in found if event.at]
        assert times == sorted(set(times))

    def test_a_bot_that_closes_is_a_bot(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.close(1, by="stale[bot]")
        assert discussion(github_forge).events[-1].by == Person(name="stale[bot]", is_bot=True)

    def test_a_close_before_the_merge_stays(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.hosted.settings.delete_branch_on_merge = True
        github_forge.hosted.close(1, by="bob")
        github_forge.hosted.reopen(1, by="cat")
        github_forge.hosted.merge(1, by="dan")
        assert [kind for kind, _ in events(github_forge)] == [
            "opened",
            "closed",
            "reopened",
            "merged",
            "branch-deleted",
        ]

    def test_a_forced_push_says_by_whom(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        github_forge.push(HEAD, {"a.txt": "2\n"})
        assert events(github_forge)[1:] == []
        other = github_forge.hosted.push("other", {"b.txt": "1\n"})
        github_forge.hosted.force(HEAD, other, by="eve")
        assert events(github_forge)[1:] == [("pushed", "eve")]

    def test_another_base_says_since_when_the_pull_request_shows_what_it_brings(
        self, github_forge: "GitHubForge"
    ) -> None:
        propose(github_forge)
        github_forge.hosted.push("other", {"b.txt": "1\n"})
        assert discussion(github_forge).same_base is None
        for base in ("other", "main"):
            github_forge.hosted.retarget(1, base, by="eve")
        found = discussion(github_forge)
        assert events(github_forge)[1:] == [("retargeted", "eve"), ("retargeted", "eve")]
        assert found.same_base == found.events[-1].at


class TestComments:
    def test_only_those_that_begin_with_the_marker_and_are_ours_count(self, github_forge: "GitHubForge") -> None:
        propose(github_forge)
        for by, body in (
            ("promoter", "Hello"),
            ("promoter", f"As I said: {MARKER}"),
            ("mallory", f"{MARKER}\nAll gates pass"),
            ("promoter", f"{MARKER}\nOurs"),
        ):
            github_forge.hosted.comment(1, body, by=by)
        assert comments(github_forge) == [f"{MARKER}\nOurs"]
        github_forge.hosted.repo.pulls[1].comments[-1].minimized = True
        assert comments(github_forge) == []

    def test_behind_many_of_other_people_are_found_and_nothing_after_them_is_read(
        self, github_forge: "GitHubForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        propose(github_forge)
        for number in range(5):
            github_forge.hosted.comment(1, f"remark {number}")
        github_forge.hosted.comment(1, f"{MARKER}\nOurs", by="promoter")
        for number in range(5):
            github_forge.hosted.comment(1, f"another {number}")
        page_of(github_forge, monkeypatch, 2)
        assert comments(github_forge) == [f"{MARKER}\nOurs"]
        assert github_forge.calls() == [GRAPHQL] * 3

    def test_too_long_for_one_answer_are_read_in_several(
        self, github_forge: "GitHubForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(api, "BoundedAdapter", partial(BoundedAdapter, limit=60_000))
        numbers = [propose(github_forge, head=f"promote/{name}").number for name in "abc"]
        for number in numbers:
            for part in range(4):
                github_forge.hosted.comment(number, f"{part}" * 5_000)
            github_forge.hosted.comment(number, f"{MARKER}{number}", by="promoter")
        provider = github_forge.connect()
        github_forge.calls()
        discussions = provider.discussions(numbers)
        found = [[comment.body for comment in discussions[number].comments] for number in numbers]
        assert found == [[f"{MARKER}{number}"] for number in numbers]
        assert len(github_forge.calls()) == 3  # all, then the first, then the other two
        for _ in range(20):
            github_forge.hosted.comment(numbers[0], "x" * 5_000)
        assert discussions == provider.discussions(numbers)
        github_forge.hosted.comment(numbers[1], "x" * 60_000)
        github_forge.hosted.repo.pulls[numbers[1]].comments.reverse()
        with pytest.raises(ProviderError, match="has more than 58 KiB"):
            provider.discussions(numbers)

    def test_one_that_was_deleted_meanwhile_is_written_anew(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.provider.write_comment(opened, f"{MARKER}\nOne", [Comment(id="IC_1_99", body=MARKER)])
        assert comments(github_forge) == [f"{MARKER}\nOne"]
        doubles = [*discussion(github_forge).comments, Comment(id="IC_1_99", body=MARKER)]
        github_forge.provider.write_comment(opened, f"{MARKER}\nTwo", doubles)
        assert comments(github_forge) == [f"{MARKER}\nTwo"]

    @pytest.mark.parametrize("written", [(), (Comment(id="IC_1_1", body=MARKER),)])
    def test_without_the_permission_name_it(self, github_forge: "GitHubForge", written: tuple[Comment, ...]) -> None:
        opened = propose(github_forge)
        token = github_forge.server.give_token("x[bot]", kind="actions", permissions={"pull_requests": "read"})
        with pytest.raises(ProviderError, match=r"comment on #1 is not written: .*pull.requests: write"):
            github_forge.connect(token=token).write_comment(opened, f"{MARKER}\nOne", written)

    def test_that_github_refuses_are_an_error_with_its_reason(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        with pytest.raises(ProviderError, match=r"comment on #1 is not written .*too long"):
            github_forge.provider.write_comment(opened, MARKER + "x" * 65_536, ())


Kind = Literal["user", "installation", "actions"]
"""Kinds of tokens."""


class TestMembers:
    def test_of_a_team_are_its_people(self, github_forge: "GitHubForge") -> None:
        github_forge.server.team("acme/ops", "ann", "bob", "helper[bot]")
        assert github_forge.provider.members("acme/ops") == People(members=frozenset({"ann", "bob"}))
        github_forge.server.team("acme/nobody")
        assert github_forge.provider.members("acme/nobody") == People()

    @pytest.mark.parametrize("kind", ["user", "installation", "actions"])
    def test_that_the_token_may_not_read_are_a_problem(self, github_forge: "GitHubForge", kind: Kind) -> None:
        github_forge.server.team("acme/ops", "ann")
        token = github_forge.server.give_token("x", kind=kind, permissions={"contents": "write"})
        found = github_forge.connect(token=token).members("acme/ops")
        assert found.members == frozenset()
        assert "the team acme/ops cannot be read" in found.problem
        assert "the organisation permission `Members: read`" in found.problem
        assert "GITHUB_TOKEN cannot" in found.problem
        assert "\n" not in found.problem

    @pytest.mark.parametrize(
        "name", ["ops", "acme/", "/ops", "acme/ops/x", "../ops", "acme/..", "acme/ops?x=1", "a b/c"]
    )
    def test_of_what_is_no_team_are_a_problem_without_a_request(self, github_forge: "GitHubForge", name: str) -> None:
        assert "write it as `organisation/team-name`" in github_forge.provider.members(name).problem
        assert github_forge.calls() == []


class TestPushers:
    def test_are_all_who_pushed_since_the_branch_was_made(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.push(HEAD, {"old.txt": "1\n"}, by="old")
        github_forge.hosted.delete_branch(HEAD, by="old")
        github_forge.hosted.push("promote/other", {"b.txt": "1\n"}, by="stranger")
        github_forge.hosted.push(HEAD, {"a.txt": "1\n"}, by="promoter[bot]")
        opened = github_forge.provider.pull_request(github_forge.hosted.open_pull_request(HEAD))
        assert github_forge.provider.pushers(opened) == People(members=frozenset({"promoter[bot]"}))
        github_forge.hosted.push(HEAD, {"a.txt": "2\n"}, by="eve")
        sha = github_forge.hosted.push("other", {"a.txt": "3\n"}, by="stranger")
        github_forge.hosted.force(HEAD, sha, by="mallory")
        moved = github_forge.provider.pull_request(opened.number)
        assert github_forge.provider.pushers(moved).members == {"promoter[bot]", "eve", "mallory"}

    def test_of_more_pushes_than_a_page_are_read_to_the_first(self, github_forge: "GitHubForge") -> None:
        for number in range(12):
            sha = github_forge.hosted.push(HEAD, {"a.txt": f"{number}\n"}, by="eve" if number else "ann")
        opened = github_forge.provider.pull_request(github_forge.hosted.open_pull_request(HEAD))
        assert opened.head_sha == sha
        github_forge.calls()
        assert github_forge.provider.pushers(opened).members == {"ann", "eve"}
        assert len(github_forge.calls()) == 2

    def test_are_a_problem_while_the_last_push_is_not_shown(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.push(HEAD, {"a.txt": "2\n"})
        moved = github_forge.provider.pull_request(opened.number)
        github_forge.hosted.repo.activity.pop()
        found = github_forge.provider.pushers(moved)
        assert found.members == frozenset()
        assert "GitHub does not show its last push yet, run again" in found.problem

    def test_are_a_problem_where_the_beginning_is_not_shown(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.push(HEAD, {"a.txt": "2\n"})
        moved = github_forge.provider.pull_request(opened.number)
        del github_forge.hosted.repo.activity[0]
        assert "does not show when the branch was created; close it" in github_forge.provider.pushers(moved).problem

    def test_that_the_token_may_not_read_are_a_problem(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        token = github_forge.server.give_token("x[bot]", kind="installation", permissions={"pull_requests": "read"})
        assert "contents: read" in github_forge.connect(token=token).pushers(opened).problem


class TestIdentity:
    @pytest.mark.parametrize(
        ("login", "kind", "is_bot"),
        [("ann", "user", False), ("helper[bot]", "installation", True), ("github-actions[bot]", "actions", True)],
    )
    def test_is_who_the_token_belongs_to(
        self, github_forge: "GitHubForge", login: str, kind: Kind, is_bot: bool
    ) -> None:
        token = github_forge.server.give_token(login, kind=kind)
        assert github_forge.connect(token=token).identity() == Person(name=login, is_bot=is_bot)


class TestAddReview:
    def test_of_ones_own_pull_request_is_refused(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        with pytest.raises(ProviderError, match=r"Can not approve your own pull request\): the author .*cannot"):
            github_forge.provider.add_review(opened, "approved", "")

    def test_of_a_job_is_refused(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        provider = github_forge.connect(token=github_forge.server.give_token("github-actions[bot]", kind="actions"))
        with pytest.raises(ProviderError, match=r"not permitted to approve.*: use the token of a person"):
            provider.add_review(opened, "approved", "")

    def test_of_a_head_that_was_replaced_is_refused(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.hosted.force(HEAD, github_forge.hosted.push("other", {"b.txt": "1\n"}))
        with pytest.raises(ProviderError, match="it has changed meanwhile, look at it and run this again"):
            github_forge.provider_of("bob").add_review(opened, "approved", "")
        assert discussion(github_forge).reviews == ()

    def test_without_the_permission_names_it(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        token = github_forge.server.give_token("bob", permissions={"pull_requests": "read"})
        with pytest.raises(AuthError, match=r"pull.requests: write"):
            github_forge.connect(token=token).add_review(opened, "approved", "")

    def test_a_decline_without_words_gets_some(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.provider_of("bob").add_review(opened, "changes-requested", "")
        [review] = discussion(github_forge).reviews
        assert (review.verdict, review.comment) == ("changes-requested", "Declined.")


class TestRequiresStatus:
    @pytest.mark.parametrize("ruleset", [True, False])
    @pytest.mark.parametrize("posted", [True, False])
    @pytest.mark.parametrize("base", ["main", "release/1"])
    def test_follows_rulesets_and_the_classic_protection(
        self, github_forge: "GitHubForge", ruleset: bool, posted: bool, base: str
    ) -> None:
        github_forge.hosted.push("release/1", {"r.txt": "1\n"})
        github_forge.push(HEAD, {"a.txt": "1\n"})
        number = github_forge.hosted.open_pull_request(HEAD, base=base)
        opened: PullRequest = github_forge.provider.pull_request(number)
        github_forge.hosted.protect(base, checks=["promotion-status"], ruleset=ruleset)
        if posted:
            github_forge.pass_gate(opened.head_sha)
        assert not github_forge.provider.requires_status(opened, OWN_CONTEXT)
        github_forge.hosted.protect(base, checks=["promotion-status", OWN_CONTEXT], ruleset=ruleset)
        assert github_forge.provider.requires_status(opened, OWN_CONTEXT)

    def test_what_cannot_be_read_requires_nothing(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.require_gate()
        token = github_forge.server.give_token("x[bot]", kind="installation", permissions={"pull_requests": "read"})
        assert not github_forge.connect(token=token).requires_status(opened, OWN_CONTEXT)


class TestAddReviewer:
    def test_asks_people_and_teams(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        assert [github_forge.provider.add_reviewer(opened, name) for name in ("bob", "acme/ops")] == ["", ""]
        assert github_forge.hosted.pull(1).requested == ["bob", "acme/ops"]

    def test_a_refusal_is_returned_and_spoils_no_other(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.hosted.repo.collaborators = frozenset({"bob"})
        refusals = [github_forge.provider.add_reviewer(opened, name) for name in ("eve", "bob", "promoter")]
        assert "eve is not asked for a review (Reviews may only be requested from collaborators" in refusals[0]
        assert "give eve access to acme/gitops" in refusals[0]
        assert refusals[1] == ""
        assert "from pull request author" in refusals[2]
        assert github_forge.hosted.pull(1).requested == ["bob"]

    def test_of_a_team_without_the_permission_names_it(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        token = github_forge.server.give_token("x[bot]", kind="actions", permissions={"pull_requests": "write"})
        assert "Members: read" in github_forge.connect(token=token).add_reviewer(opened, "acme/ops")
        token = github_forge.server.give_token("x[bot]", kind="actions", permissions={"pull_requests": "read"})
        assert "pull_requests: write" in github_forge.connect(token=token).add_reviewer(opened, "bob")


class TestAddAssignee:
    def test_assigns_a_person_and_says_who_is_left_out(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.server.world.strangers.add("eve")
        assert github_forge.provider.add_assignee(opened, "Ann") == ""
        assert github_forge.provider.add_assignee(opened, "eve").startswith(
            "eve is not assigned: GitHub assigns at most"
        )
        assert github_forge.hosted.pull(1).assignees == ["Ann"]

    def test_a_refusal_is_returned_with_the_permission(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        token = github_forge.server.give_token("x[bot]", kind="actions", permissions={"pull_requests": "read"})
        assert github_forge.connect(token=token).add_assignee(opened, "ann").startswith("ann is not assigned: ")


class TestAddLabel:
    def test_gives_one_after_the_other(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        github_forge.calls()
        assert [github_forge.provider.add_label(opened, label) for label in ("prod", "webshop")] == ["", ""]
        assert github_forge.calls() == [f"POST {REPOSITORY}/issues/1/labels"] * 2
        assert github_forge.hosted.pull(1).labels == ["prod", "webshop"]

    def test_a_refusal_is_returned_with_the_permission(self, github_forge: "GitHubForge") -> None:
        opened = propose(github_forge)
        token = github_forge.server.give_token("x[bot]", kind="actions", permissions={"pull_requests": "read"})
        refusal = github_forge.connect(token=token).add_label(opened, "prod")
        assert refusal.startswith("the label prod is left out: ")
        assert "pull_requests=write" in refusal or "pull_requests: write" in refusal
