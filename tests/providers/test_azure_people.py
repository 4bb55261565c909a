"""The people on an Azure DevOps: votes, groups, threads, comments and pushes, by the real client."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.discussion import MARKER, Comment, Discussion, Person
from gitops_promotion.core.forge import OWN_CONTEXT, PullRequest
from gitops_promotion.errors import AuthError, ProviderError
from tests.forges import azure_errors as errors
from tests.forges.faults import reset
from tests.providers.test_azure import HEAD, LOCATIONS, ME, PULLS, REPO, propose

if TYPE_CHECKING:
    from tests.providers.conftest import AzureForge

OPS = r"[Web Shop]\ops"
IDENTITIES = "GET /acme/_apis/Identities"


@pytest.fixture
def swift(azdo_forge: "AzureForge") -> "AzureForge":
    """An Azure DevOps that knows everything at once."""
    azdo_forge.server.world.unsettled_reads = azdo_forge.server.world.unevaluated_reads = 0
    azdo_forge.hosted.make_group(OPS, "bob", "eve")
    return azdo_forge


def discuss(forge: "AzureForge", number: int) -> Discussion:
    return forge.connect().discussions([number])[number]


def kinds(discussion: Discussion) -> list[tuple[str, str]]:
    return [(event.kind, event.by.name if event.by else "") for event in discussion.events]


class TestRequests:
    def test_of_one_pull_request_are_two_and_one_more_with_votes(self, swift: "AzureForge") -> None:
        number = propose(swift).number
        provider = swift.connect()
        provider.discussions([number])
        swift.calls()
        provider.discussions([number])
        assert swift.calls() == [f"GET {PULLS}/{number}", f"GET {PULLS}/{number}/threads"]
        swift.hosted.vote(number, "bob", 10)
        provider.discussions([number])
        assert swift.calls() == [
            f"GET {PULLS}/{number}",
            f"GET {PULLS}/{number}/threads",
            f"GET {PULLS}/{number}/iterations",
        ]

    def test_of_several_are_one_for_all_and_at_most_two_for_each(self, swift: "AzureForge") -> None:
        numbers = [propose(swift, head=f"promote/webshop-{name}").number for name in ("a", "b", "c")]
        swift.hosted.vote(numbers[1], "bob", 10)
        swift.calls()
        assert sorted(swift.connect().discussions(numbers)) == numbers
        assert swift.calls() == [
            LOCATIONS,
            f"GET {PULLS}",
            f"GET {PULLS}/{numbers[0]}/threads",
            f"GET {PULLS}/{numbers[1]}/threads",
            f"GET {PULLS}/{numbers[1]}/iterations",
            f"GET {PULLS}/{numbers[2]}/threads",
        ]

    def test_of_several_that_have_ended_are_one_more_for_all(self, swift: "AzureForge") -> None:
        numbers = [propose(swift, head=f"promote/webshop-{name}").number for name in ("a", "b", "c")]
        for number in numbers:
            swift.hosted.abandon(number)
        swift.calls()
        discussions = swift.connect().discussions(numbers)
        assert [discussions[number].events[-1].kind for number in numbers] == ["closed"] * 3
        assert swift.calls() == [LOCATIONS, *[f"GET {PULLS}"] * 2, *(f"GET {PULLS}/{n}/threads" for n in numbers)]

    def test_ask_who_wrote_a_comment_only_where_one_has_the_marker(self, swift: "AzureForge") -> None:
        number = propose(swift).number
        swift.hosted.comment(number, f"{MARKER}\nmine", by="eve")
        swift.calls()
        assert discuss(swift, number).comments == ()
        assert swift.calls()[-1] == ME


class TestVotes:
    @pytest.mark.parametrize(
        ("vote", "verdict"), [(10, "approved"), (5, "approved"), (-5, "changes-requested"), (-10, "changes-requested")]
    )
    def test_each_vote_has_its_meaning(self, swift: "AzureForge", vote: int, verdict: str) -> None:
        number = propose(swift).number
        swift.hosted.vote(number, "bob", vote)
        [review] = discuss(swift, number).reviews
        assert (review.author, review.verdict, review.is_bot) == ("bob", verdict, False)

    def test_a_reset_vote_is_none_and_the_reset_is_an_event(self, swift: "AzureForge") -> None:
        number = propose(swift).number
        swift.hosted.vote(number, "bob", 10)
        swift.hosted.vote(number, "bob", 0)
        discussion = discuss(swift, number)
        assert discussion.reviews == ()
        assert kinds(discussion) == [("opened", "promoter"), ("approved", "bob"), ("withdrawn", "bob")]

    def test_a_policy_that_resets_votes_withdraws_them_after_a_push(self, swift: "AzureForge") -> None:
        swift.hosted.require_reviewers()
        number = propose(swift).number
        swift.hosted.vote(number, "bob", 10)
        swift.hosted.push(HEAD, {"more.txt": "1\n"}, by="eve")
        discussion = discuss(swift, number)
        assert discussion.reviews == ()
        assert kinds(discussion)[2:] == [("pushed", "eve"), ("withdrawn", "eve")]

    def test_a_vote_belongs_to_the_push_before_it(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.vote(opened.number, "bob", 10)
        newer = swift.hosted.push(HEAD, {"more.txt": "1\n"})
        swift.hosted.vote(opened.number, "eve", 10)
        reviews = {review.author: review.sha for review in discuss(swift, opened.number).reviews}
        assert reviews == {"bob": opened.head_sha, "eve": newer}

    def test_nobody_moves_another_ones_vote_to_a_newer_push(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.vote(opened.number, "bob", 10)
        swift.hosted.push(HEAD, {"more.txt": "1\n"})
        swift.hosted.comment(
            opened.number,
            "Bob voted 10",
            by="mallory",
            properties={
                "CodeReviewThreadType": "VoteUpdate",
                "CodeReviewVoteResult": "10",
                "CodeReviewVotedByIdentity": "1",
                "CodeReviewVotedByTfId": "bob",
            },
        )
        thread = swift.hosted.pull(opened.number).threads[-1]
        thread.people = ("bob",)
        [review] = discuss(swift, opened.number).reviews
        assert (review.author, review.sha) == ("bob", opened.head_sha)

    def test_a_build_service_is_a_bot(self, swift: "AzureForge") -> None:
        number = propose(swift).number
        swift.hosted.vote(number, "Build\\0c9c", 10)
        [review] = discuss(swift, number).reviews
        assert review.is_bot


class TestGroups:
    def test_the_vote_of_a_member_counts_for_the_group_that_is_a_reviewer(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        assert swift.provider.add_reviewer(opened, OPS) == ""
        swift.hosted.vote(opened.number, "bob", 10)
        swift.hosted.vote(opened.number, "mallory", 10)
        groups = {review.author: review.groups for review in discuss(swift, opened.number).reviews}
        assert groups == {"bob": (OPS,), "mallory": ()}

    def test_the_vote_before_the_group_became_a_reviewer_does_not(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.vote(opened.number, "bob", 10)
        assert swift.provider.add_reviewer(opened, OPS) == ""
        [review] = discuss(swift, opened.number).reviews
        assert review.groups == ()

    def test_a_list_that_leaves_groups_out_is_not_believed(
        self, swift: "AzureForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        numbers = [propose(swift, head=f"promote/webshop-{name}").number for name in ("a", "b")]
        swift.hosted.add_reviewer(numbers[0], OPS)
        swift.hosted.vote(numbers[0], "bob", 10)
        provider = swift.connect()
        pulls = provider._endpoints.pulls

        def without_groups(**criteria: Any) -> Any:
            answers = pulls(**criteria)
            for reviewer in (reviewer for answer in answers for reviewer in answer.reviewers):
                reviewer.voted_for = None
            return answers

        monkeypatch.setattr(provider._endpoints, "pulls", without_groups)
        [review] = provider.discussions(numbers)[numbers[0]].reviews
        assert review.groups == (OPS,)

    def test_who_is_a_reviewer_already_keeps_the_vote(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.add_reviewer(opened.number, OPS)
        swift.hosted.vote(opened.number, "bob", 10)
        swift.calls()
        assert swift.provider.add_reviewer(opened, OPS.upper()) == ""
        assert swift.provider.add_reviewer(opened, "Bob") == ""
        assert swift.calls() == [f"GET {PULLS}/{opened.number}"] * 2
        assert swift.hosted.pull(opened.number).votes == {"bob": 10}
        assert swift.hosted.pull(opened.number).groups == {OPS: 10}

    @pytest.mark.parametrize("name", ["nobody", r"[Web Shop]\nobody", "ops"])
    def test_an_unknown_reviewer_is_refused_with_how_to_write_one(self, swift: "AzureForge", name: str) -> None:
        refusal = swift.provider.add_reviewer(propose(swift), name)
        assert "no person and no group" in refusal
        assert r"write a group as [PROJECT]\GROUP" in refusal

    def test_a_token_that_may_not_read_people_says_which_scope_it_lacks(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        provider = swift.connect(token=swift.server.give_token("blind", lacks=frozenset({"Identity"})))
        assert "the scope Identity (Read)" in provider.add_reviewer(opened, OPS)
        people = provider.members(OPS)
        assert "the scope Identity (Read)" in people.problem
        assert people.members == frozenset()

    def test_a_token_that_may_not_contribute_says_which_permission_it_lacks(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        provider = swift.connect(token=swift.server.give_token("reader", lacks=frozenset({"PullRequestContribute"})))
        assert "'Contribute to pull requests'" in provider.add_reviewer(opened, OPS)

    def test_members_are_read_once_by_two_requests(self, swift: "AzureForge") -> None:
        swift.calls()
        provider = swift.connect()
        assert provider.members(OPS).members == {"bob", "eve"}
        assert provider.members(OPS).problem == ""
        assert swift.calls() == [LOCATIONS, IDENTITIES, IDENTITIES]

    def test_members_that_are_groups_are_a_problem(self, swift: "AzureForge") -> None:
        swift.hosted.make_group(r"[Web Shop]\all", "ann", OPS)
        assert "has groups as members" in swift.provider.members(r"[Web Shop]\all").problem

    def test_many_members_are_read_a_hundred_at_a_time(self, swift: "AzureForge") -> None:
        names = {f"member-{number}" for number in range(101)}
        swift.hosted.make_group(r"[Web Shop]\many", *names)
        swift.calls()
        assert swift.connect().members(r"[Web Shop]\many").members == names
        assert swift.calls() == [LOCATIONS, *[IDENTITIES] * 3]

    def test_a_person_is_no_group(self, swift: "AzureForge") -> None:
        people = swift.provider.members("bob")
        assert people.members == frozenset()
        assert "lists no members of bob: name a group or a team" in people.problem

    def test_a_group_without_members_has_none(self, swift: "AzureForge") -> None:
        swift.hosted.make_group(r"[Web Shop]\empty")
        people = swift.provider.members(r"[Web Shop]\empty")
        assert (people.members, people.problem) == (frozenset(), "")


class TestLabels:
    def test_are_given_one_by_one(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.calls()
        for label in ("prod", "webshop/webui", "prod"):
            assert swift.provider.add_label(opened, label) == ""
        assert swift.calls() == [f"POST {PULLS}/{opened.number}/labels"] * 3
        assert swift.hosted.pull(opened.number).labels == ["prod", "webshop/webui"]

    def test_that_are_refused_are_named_with_the_reason(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        refusal = swift.provider.add_label(opened, "x" * 401)
        assert refusal.startswith("the label xxx")
        assert refusal.endswith("The following tag name is not valid.): give it another name")
        swift.server.faults.add(errors.forbidden(), path="labels")
        assert "'Contribute to pull requests'" in swift.provider.add_label(opened, "prod")


class TestEvents:
    def test_tell_who_closed_and_reopened_and_merged(self, swift: "AzureForge") -> None:
        number = propose(swift).number
        swift.hosted.abandon(number, by="bob")
        swift.hosted.reactivate(number, by="eve")
        assert kinds(discuss(swift, number))[1:] == [("closed", "bob"), ("reopened", "eve")]
        swift.hosted.complete(number, by="ann")
        assert kinds(discuss(swift, number))[1:] == [("closed", "bob"), ("reopened", "eve"), ("merged", "ann")]

    def test_a_build_that_closes_is_a_bot(self, swift: "AzureForge") -> None:
        number = propose(swift).number
        swift.hosted.abandon(number, by="Build\\0c9c")
        closed = discuss(swift, number).events[-1]
        assert (closed.kind, closed.by) == ("closed", Person(name="Build\\0c9c", is_bot=True))

    @pytest.mark.parametrize("state", ["Active", "Abandoned"])
    def test_a_thread_that_somebody_makes_up_changes_no_state(self, swift: "AzureForge", state: str) -> None:
        number = propose(swift).number
        swift.hosted.abandon(number, by="bob")
        swift.hosted.comment(
            number,
            "Mallory updated the pull request status",
            by="mallory",
            properties={
                "CodeReviewThreadType": "StatusUpdate",
                "CodeReviewStatus": state,
                "CodeReviewStatusUpdatedByIdentity": "1",
            },
        )
        assert kinds(discuss(swift, number))[1:] == [("closed", "bob")]

    def test_a_deleted_branch_is_an_event_without_a_person(self, swift: "AzureForge") -> None:
        number = propose(swift).number
        swift.hosted.delete_branch(HEAD, by="bob")
        provider = swift.connect()
        assert provider.pull_requests(head=HEAD)[0].state == "closed"
        assert kinds(provider.discussions([number])[number])[1:] == [("branch-deleted", "")]
        swift.push(HEAD, {"again.txt": "1\n"})
        assert provider.pull_requests(head=HEAD)[0].state == "open"
        assert "branch-deleted" not in dict(kinds(provider.discussions([number])[number]))


class TestComments:
    def comments(self, swift: "AzureForge", number: int) -> Sequence[Comment]:
        return discuss(swift, number).comments

    def test_are_written_into_a_closed_thread(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.provider.write_comment(opened, f"{MARKER}\nIt waits.", ())
        [thread] = swift.hosted.pull(opened.number).threads
        assert (thread.status, [comment.kind for comment in thread.comments]) == ("closed", ["text"])

    def test_are_edited_only_where_the_text_changes(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.provider.write_comment(opened, f"{MARKER}\nIt waits.\n", ())
        written = [Comment(id=each.id, body=each.body.replace("\n", "\r\n")) for each in self.comments(swift, 1)]
        swift.calls()
        swift.provider.write_comment(opened, f"{MARKER}\nIt waits.", written)
        assert swift.calls() == []
        swift.provider.write_comment(opened, f"{MARKER}\nIt passed.", written)
        assert [call.partition(" ")[0] for call in swift.calls()] == ["PATCH"]

    def test_another_ones_marker_is_neither_edited_nor_deleted(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.comment(opened.number, f"{MARKER}\nIt passed.", by="mallory")
        assert self.comments(swift, opened.number) == ()
        swift.provider.write_comment(opened, f"{MARKER}\nIt waits.", ())
        [comment] = self.comments(swift, opened.number)
        assert comment.body == f"{MARKER}\nIt waits."

    def test_that_another_run_has_deleted_are_no_error(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        for _ in range(2):
            swift.provider.write_comment(opened, f"{MARKER}\nIt waits.", ())
        written = self.comments(swift, opened.number)
        for _ in range(2):
            swift.provider.write_comment(opened, f"{MARKER}\nIt waits.", written)
        assert self.comments(swift, opened.number) == written[:1]

    def test_that_somebody_has_deleted_meanwhile_are_written_anew(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.provider.write_comment(opened, f"{MARKER}\nIt waits.", ())
        written = self.comments(swift, opened.number)
        swift.hosted.pull(opened.number).threads[0].comments[0].deleted = True
        swift.provider.write_comment(opened, f"{MARKER}\nIt passed.", written)
        [comment] = self.comments(swift, opened.number)
        assert comment.body == f"{MARKER}\nIt passed."

    def test_without_the_permission_are_an_error_that_names_it(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.server.faults.add(errors.forbidden(), method="POST", path="threads")
        with pytest.raises(AuthError, match="'Contribute to pull requests'"):
            swift.provider.write_comment(opened, f"{MARKER}\nIt waits.", ())


class TestOpinions:
    def vote(self, swift: "AzureForge", opened: PullRequest, comment: str = "") -> None:
        provider = swift.connect(token=swift.server.give_token("bob"))
        provider.add_review(opened, "approved", comment)

    def test_are_votes_of_the_owner_of_the_token_with_the_comment(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.add_reviewer(opened.number, OPS)
        self.vote(swift, opened, "Looks right.")
        [review] = discuss(swift, opened.number).reviews
        assert (review.author, review.verdict, review.comment) == ("bob", "approved", "Looks right.")
        assert (review.sha, review.groups) == (opened.head_sha, (OPS,))

    def test_a_rejection_is_a_rejecting_vote(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.connect(token=swift.server.give_token("bob")).add_review(opened, "changes-requested", "")
        assert swift.hosted.pull(opened.number).votes == {"bob": -10}

    def test_a_newer_vote_has_no_older_comment(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        self.vote(swift, opened, "Looks right.")
        swift.hosted.vote(opened.number, "bob", -10)
        swift.hosted.vote(opened.number, "bob", 10)
        [review] = discuss(swift, opened.number).reviews
        assert review.comment == ""

    def test_have_one_comment_also_where_its_answer_is_lost(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        self.vote(swift, opened, "Looks right.")
        for _ in range(2):
            swift.hosted.vote(opened.number, "bob", -10)
            swift.server.faults.add(reset(done=True), method="POST", path="/threads$")
            self.vote(swift, opened, "Looks right.")
        threads = swift.hosted.pull(opened.number).threads
        texts = [thread.comments[0].text for thread in threads if "Looks right." in thread.comments[0].text]
        assert len(texts) == 3, "one for each vote, although all have the same words"

    def test_are_not_given_on_another_head(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.push(HEAD, {"more.txt": "1\n"})
        with pytest.raises(ProviderError, match="look at it again"):
            self.vote(swift, opened)
        assert swift.hosted.pull(opened.number).votes == {}

    def test_are_not_given_on_an_ended_pull_request(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.abandon(opened.number)
        with pytest.raises(ProviderError, match="is abandoned already"):
            self.vote(swift, opened)

    def test_a_refused_vote_is_an_error_with_the_page_to_vote_on(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        refusal = errors.fault(errors.refusal(400, "InvalidArgumentValueException", "No votes today."), "400")
        swift.server.faults.add(refusal, method="PUT")
        with pytest.raises(ProviderError, match=r"No votes today\.\): vote on its page, http"):
            self.vote(swift, opened)


class TestIdentity:
    @pytest.mark.parametrize(
        ("name", "person"),
        [("bob", Person(name="bob")), ("Build\\0c9c", Person(name="Build\\0c9c", is_bot=True))],
    )
    def test_is_a_person_or_a_bot_and_asked_for_once(self, swift: "AzureForge", name: str, person: Person) -> None:
        provider = swift.connect(token=swift.server.give_token(name))
        swift.calls()
        assert (provider.identity(), provider.identity()) == (person, person)
        assert swift.calls() == [LOCATIONS, ME]


class TestPushers:
    def test_are_those_since_the_branch_was_made(self, swift: "AzureForge") -> None:
        swift.hosted.push(HEAD, {"old.txt": "1\n"}, by="mallory")
        swift.hosted.delete_branch(HEAD, by="eve")
        swift.hosted.push(HEAD, {"new.txt": "1\n"}, by="ann")
        swift.hosted.push(HEAD, {"new.txt": "2\n"}, by="bob")
        opened = swift.provider.pull_request(swift.hosted.open_pull_request(HEAD))
        swift.calls()
        assert swift.provider.pushers(opened).members == {"ann", "bob"}
        assert swift.calls() == [f"GET {REPO}/pushes"]

    def test_that_cannot_be_read_are_a_problem(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.server.faults.add(errors.forbidden("GenericRead"), path="pushes")
        people = swift.provider.pushers(opened)
        assert "who pushed to #1 cannot be read" in people.problem
        assert people.members == frozenset()


class TestRequiredStatus:
    def test_is_one_that_a_policy_demands_of_the_newest_push(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        assert not swift.connect().requires_status(opened, OWN_CONTEXT)
        swift.hosted.require_status(OWN_CONTEXT)
        assert swift.connect().requires_status(opened, OWN_CONTEXT)
        assert not swift.connect().requires_status(opened, "other")
        swift.hosted.drop_policies()
        swift.hosted.require_status(OWN_CONTEXT, genre="ci")
        assert not swift.connect().requires_status(opened, OWN_CONTEXT)

    @pytest.mark.parametrize("how", [{"blocking": False}, {"resets": False}, {"branch": "other"}])
    def test_is_none_that_lets_the_pull_request_pass_without_it(self, swift: "AzureForge", how: dict[str, Any]) -> None:
        opened = propose(swift)
        swift.hosted.require_status(OWN_CONTEXT, **how)
        assert not swift.provider.requires_status(opened, OWN_CONTEXT)

    def test_a_build_of_that_name_is_no_status(self, swift: "AzureForge") -> None:
        opened = propose(swift)
        swift.hosted.require_build(7, name=OWN_CONTEXT)
        assert not swift.provider.requires_status(replace(opened), OWN_CONTEXT)
