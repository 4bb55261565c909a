"""The rules of approvals (docs/approvals.md), on values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.discussion import Discussion, People, Person
from gitops_promotion.core.forge import Review
from gitops_promotion.core.gates import Evidence, Gate, Question, Reason, Verdict, judge
from gitops_promotion.core.gates.approvals import Approvals, Tally
from gitops_promotion.core.gates.approvals_keys import Strategy
from gitops_promotion.core.names import Application
from gitops_promotion.core.opinions import Facts
from gitops_promotion.core.tags import Tag

HEAD = "1" * 40
OLD = "2" * 40
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
QUESTION = Question(
    application=Application("webshop", "webui"), tag=Tag("1.4.2"), environment="prod", requirements=(("qa",),)
)
GROUPS = {"ops": ("ann", "bob", "eva"), "product": ("bob", "cid")}

SINGLE = Approvals(environment="prod", strategy="single", approvers=("ann", "bob", "cid"))
MULTI = replace(SINGLE, strategy="multi")
FOUR = replace(SINGLE, strategy="four-eyes")
TWO = replace(SINGLE, strategy="quorum", quorum=2)
SINGLE_GROUPS = Approvals(environment="prod", strategy="single", groups=GROUPS)
MULTI_GROUPS = replace(SINGLE_GROUPS, strategy="multi")
FOUR_GROUPS = replace(SINGLE_GROUPS, strategy="four-eyes")
TWO_GROUPS = replace(SINGLE_GROUPS, strategy="quorum", quorum=2)
POLICIES = [SINGLE, MULTI, FOUR, TWO, SINGLE_GROUPS, MULTI_GROUPS, FOUR_GROUPS, TWO_GROUPS]


def review(text: str, minute: int = 0) -> Review:
    """Return the review that `+ann` or `-ann` stands for; `@old` puts it on an older commit."""
    name, _, sha = text[1:].partition("@")
    verdict: Literal["approved", "changes-requested"] = "approved" if text[0] == "+" else "changes-requested"
    return Review(author=name, verdict=verdict, sha=OLD if sha else HEAD, at=NOON + timedelta(minutes=minute))


def facts(*reviews: str | Review, author: str = "promoter[bot]", **more: Any) -> Facts:
    """Return the facts of reviews that were given one minute after the other."""
    found = tuple(review(r, minute) if isinstance(r, str) else r for minute, r in enumerate(reviews))
    discussion = Discussion(author=Person(name=author), reviews=found)
    return replace(Facts(discussion=discussion, head_sha=HEAD), **more)


def tally(policy: Approvals, *reviews: str | Review, **more: Any) -> Tally:
    return policy.tally(QUESTION, facts(*reviews, **more))


@pytest.mark.parametrize(
    ("policy", "reviews", "expected"),
    [
        (SINGLE, "", "wait 0 of 1"),
        (SINGLE, "+ann", "pass 1 of 1"),
        (SINGLE, "-ann", "refuse 0 of 1"),
        (SINGLE, "+ann -bob", "pass 1 of 1"),
        (SINGLE, "-ann +bob", "refuse 0 of 1"),
        (SINGLE, "+zoe", "wait 0 of 1"),
        (SINGLE, "-zoe +ann", "pass 1 of 1"),
        (MULTI, "+ann", "wait 1 of 3"),
        (MULTI, "+ann +bob", "wait 2 of 3"),
        (MULTI, "+ann +bob +cid", "pass 3 of 3"),
        (MULTI, "+ann +bob +cid +zoe", "pass 3 of 3"),
        (MULTI, "+ann +bob +zoe", "wait 2 of 3"),
        (MULTI, "+ann +bob -cid", "refuse 2 of 3"),
        (MULTI, "+ann +bob +cid -zoe", "pass 3 of 3"),
        (FOUR, "+ann", "wait 1 of 2"),
        (FOUR, "+bob +ann", "pass 2 of 2"),
        (FOUR, "+ann +bob -cid", "refuse 2 of 2"),
        (FOUR, "+ann +zoe", "wait 1 of 2"),
        (TWO, "+cid", "wait 1 of 2"),
        (TWO, "+cid +ann", "pass 2 of 2"),
        (TWO, "+cid +ann +bob", "pass 2 of 2"),
        (TWO, "+cid -ann", "refuse 1 of 2"),
        (SINGLE_GROUPS, "+cid", "pass 1 of 1"),
        (SINGLE_GROUPS, "+zoe", "wait 0 of 1"),
        (MULTI_GROUPS, "+ann", "wait 1 of 2"),
        (MULTI_GROUPS, "+bob", "wait 1 of 2"),
        (MULTI_GROUPS, "+bob +ann", "pass 2 of 2"),
        (MULTI_GROUPS, "+ann +bob", "pass 2 of 2"),
        (MULTI_GROUPS, "+bob +cid", "pass 2 of 2"),
        (MULTI_GROUPS, "+ann +eva", "wait 1 of 2"),
        (MULTI_GROUPS, "+ann +cid", "pass 2 of 2"),
        (MULTI_GROUPS, "+ann +cid -eva", "refuse 2 of 2"),
        (FOUR_GROUPS, "+ann +cid", "wait 1 of 2"),
        (FOUR_GROUPS, "+ann +eva", "pass 2 of 2"),
        (FOUR_GROUPS, "+cid +bob", "pass 2 of 2"),
        (FOUR_GROUPS, "+ann +bob", "pass 2 of 2"),
        (TWO_GROUPS, "+ann +cid", "pass 2 of 2"),
        (TWO_GROUPS, "+bob", "wait 1 of 2"),
    ],
)
def test_strategies(policy: Approvals, reviews: str, expected: str) -> None:
    counted = tally(policy, *reviews.split())
    assert f"{counted.decision} {counted.seats}" == expected


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("why", "reviewer", "more"),
    [
        ("this is who opened the pull request", Review(author="ann", verdict="approved", sha=HEAD), {"author": "Ann"}),
        ("it is a bot", Review(author="ann", verdict="approved", sha=HEAD, is_bot=True), {}),
        ("it is a bot", Review(author="ann[bot]", verdict="approved", sha=HEAD), {}),
        ("the account is deleted", Review(author="", verdict="approved", sha=HEAD), {}),
        (
            "this is who pushed to the branch",
            Review(author="ann", verdict="approved", sha=HEAD),
            {"pushers": People(members=frozenset({"ANN", "promoter[bot]"}))},
        ),
        (
            "this is who started the promotion",
            Review(author="ann", verdict="approved", sha=HEAD),
            {"starters": frozenset({"ANN"})},
        ),
        ("it was given on 2222222, which makes other edits", review("+ann@old"), {"edits": {OLD: False}}),
        (
            "it was given on 2222222, which cannot be fetched to compare its edits",
            review("+ann@old"),
            {"edits": {OLD: None}},
        ),
        (
            "the forge does not say on which commit it was given",
            Review(author="ann", verdict="approved", sha=""),
            {},
        ),
        (
            "it was given before the promotion was proposed again at 2026-03-02 12:01 UTC",
            review("+ann"),
            {"since": NOON + timedelta(minutes=1)},
        ),
        (
            "it was given before the promotion was proposed again at 2026-03-02 12:01 UTC",
            Review(author="ann", verdict="approved", sha=HEAD),
            {"since": NOON + timedelta(minutes=1)},
        ),
        (
            "it was given before 2026-03-02 12:01 UTC, when the pull request may have gone into another branch",
            review("+ann"),
            {"same_base": NOON + timedelta(minutes=1)},
        ),
    ],
)
@pytest.mark.parametrize("verdict", ["approved", "changes-requested"])
def test_an_opinion_does_not_count(
    policy: Approvals,
    why: str,
    reviewer: Review,
    more: Mapping[str, object],
    verdict: Literal["approved", "changes-requested"],
) -> None:
    counted = tally(policy, replace(reviewer, verdict=verdict), **more)
    [opinion] = counted.opinions
    assert (counted.decision, counted.seats.filled, opinion.counts, opinion.why) == ("wait", 0, False, why)
    noun = "approval" if verdict == "approved" else "rejection"
    assert f"the {noun} of {reviewer.author or 'a deleted account'} does not count: {why}" in str(counted.reasons[1])


def test_an_opinion_of_a_stranger_does_not_count() -> None:
    assert [o.why for o in tally(SINGLE, "+zoe").opinions] == ["not one of ann, bob and cid"]
    assert [o.why for o in tally(FOUR_GROUPS, "+zoe").opinions] == ["not one of ops or product"]


def test_the_same_edits_on_another_commit_keep_an_approval() -> None:
    assert tally(FOUR, "+ann@old", "+bob", edits={OLD: True}).decision == "pass"
    assert tally(FOUR, "+ann@old", "+bob", edits={OLD: False}).decision == "wait"


def test_only_commits_of_opinions_that_could_count_are_compared() -> None:
    asked = FOUR.commits_to_compare(facts("+ann@old", "+bob", "+cid@old", author="cid"))
    assert asked == (OLD,)
    assert FOUR.commits_to_compare(facts("+zoe@old", "+ann")) == ()


def test_names_are_compared_without_case() -> None:
    assert tally(FOUR, "+ANN", "+Bob").decision == "pass"
    assert tally(FOUR, "+ann", "+bob", author="BOB").decision == "wait"


def test_what_this_tool_pushes_itself_is_no_reason_against_its_owner() -> None:
    pushers = People(members=frozenset({"ann"}))
    assert tally(SINGLE, "+ann", pushers=pushers).decision == "wait"
    assert tally(SINGLE, "+ann", pushers=pushers, tool_identity=Person(name="Ann")).decision == "pass"


def test_pushers_that_cannot_be_read_wait_with_the_permission() -> None:
    problem = "#7: give the App the permission Contents: read"
    counted = tally(SINGLE, "+ann", pushers=People(problem=problem))
    assert counted.decision == "wait"
    assert str(counted.reasons[0]) == (
        "approvals of prod: 1 of 1 of ann, bob and cid: ann at 2026-03-02 12:00 UTC; "
        f"who pushed to the branch cannot be read: {problem}"
    )


OF_FORGE = Approvals(environment="prod", strategy="four-eyes", groups={"acme/ops": ()})
DENIED = {"acme/ops": People(problem="give the App the organization permission Members: read")}


def test_a_group_of_the_forge_has_the_members_that_the_forge_says() -> None:
    members = {"acme/ops": People(members=frozenset({"Ann", "bob"}))}
    assert tally(OF_FORGE, "+ann", "+bob", members=members).decision == "pass"
    assert tally(OF_FORGE, "+ann", "+zoe", members=members).decision == "wait"


def test_a_group_without_members_waits_and_says_so() -> None:
    counted = tally(OF_FORGE, "+ann", members={"acme/ops": People()})
    assert (counted.decision, counted.who) == ("wait", ())
    assert "nobody else of acme/ops may approve it" in str(counted.reasons[0])


@pytest.mark.parametrize("members", [DENIED, {}])
@pytest.mark.parametrize("strategy", ["single", "multi", "four-eyes", "quorum"])
def test_a_group_that_cannot_be_read_waits_and_says_what_is_missing(
    strategy: Strategy, members: Mapping[str, People]
) -> None:
    policy = replace(OF_FORGE, strategy=strategy, quorum=1)
    for reviews in ((), ("+ann", "+bob"), ("-ann",)):
        counted = tally(policy, *reviews, members=members)
        assert (counted.decision, counted.who) == ("wait", ("acme/ops",))
        problem = members["acme/ops"].problem if members else "they were not read"
        assert f"the members of acme/ops cannot be read: {problem}" in str(counted.reasons[0])


def test_a_rejection_that_may_count_keeps_the_others_from_passing() -> None:
    policy = Approvals(environment="prod", strategy="quorum", quorum=1, groups={**GROUPS, "acme/ops": ()})
    assert tally(policy, "+ann", members=DENIED).decision == "pass"
    counted = tally(policy, "+ann", "-zoe", members=DENIED)
    assert counted.decision == "wait"
    assert str(counted.reasons[0]) == (
        "approvals of prod: zoe rejected it at 2026-03-02 12:01 UTC, and whether that counts is not known; "
        "the members of acme/ops cannot be read: give the App the organization permission Members: read"
    )


def test_the_forge_may_say_whose_seat_a_vote_takes() -> None:
    group = r"[Shop]\Ops"
    policy = replace(OF_FORGE, groups={group: ()})
    votes = [replace(review(f"+{name}"), groups=(group.upper(),)) for name in ("ann", "bob")]
    assert tally(policy, *votes).decision == "pass"
    assert tally(policy, votes[0], "+bob").decision == "wait"


class TestGroupThatTheForgeDecides:
    """The members of a group cannot be read, but each review says whether it is by one of them."""

    group = r"[Shop]\Ops"
    policy = replace(OF_FORGE, groups={group: ()})

    def facts(self, *reviews: str | Review, asked: str = group.upper()) -> Facts:
        members = {self.group: People(problem="give the token the scope Identity (Read)", by_review=True)}
        known = facts(*reviews, members=members)
        assert known.discussion is not None
        return replace(known, discussion=replace(known.discussion, asked=frozenset({asked})))

    def vote(self, text: str) -> Review:
        return replace(review(text), groups=(self.group,))

    def test_names_the_group_as_who_can_act(self) -> None:
        counted = self.policy.tally(QUESTION, self.facts(self.vote("+ann")))
        assert (counted.decision, counted.who) == ("wait", (self.group,))
        assert str(counted.reasons[0]).endswith(rf"ann at 2026-03-02 12:00 UTC; {self.group} can approve it")

    def test_decides_by_the_reviews_of_members(self) -> None:
        assert self.policy.tally(QUESTION, self.facts(self.vote("+ann"), self.vote("+bob"))).decision == "pass"
        assert self.policy.tally(QUESTION, self.facts(self.vote("+ann"), "+zoe")).decision == "wait"
        assert self.policy.tally(QUESTION, self.facts(self.vote("-ann"))).decision == "refuse"

    def test_waits_for_a_rejection_that_a_member_may_have_given_before_the_group_was_asked(self) -> None:
        counted = self.policy.tally(QUESTION, self.facts(self.vote("+ann"), self.vote("+bob"), "-zoe"))
        assert counted.decision == "wait"
        assert "zoe rejected it at 2026-03-02 12:02 UTC, and whether that counts is not known" in str(
            counted.reasons[0]
        )
        assert "a member must review again" in str(counted.reasons[0])

    def test_lets_everybody_try_who_is_not_barred(self) -> None:
        known = self.facts(self.vote("+ann"))
        assert self.policy.objection(known, Person(name="zoe")) == ""
        assert self.policy.objection(known, Person(name="ci", is_bot=True)) == "it is a bot"

    def test_that_was_not_asked_cannot_be_read(self) -> None:
        known = self.facts(self.vote("+ann"), asked="other")
        assert "cannot be read: give the token the scope" in str(self.policy.tally(QUESTION, known).reasons[0])
        assert "cannot be read" in self.policy.objection(known, Person(name="zoe"))


@pytest.mark.parametrize(
    ("policy", "reviews", "more", "text"),
    [
        (SINGLE_GROUPS, [], {}, "0 of 1 of ops and product; ann, bob, eva or cid can approve it"),
        (FOUR, ["+ann"], {}, "1 of 2 of ann, bob and cid: ann at 2026-03-02 12:00 UTC; bob or cid can approve it"),
        (
            MULTI_GROUPS,
            ["+cid"],
            {},
            "1 of 2 of ops and product: cid at 2026-03-02 12:00 UTC; ann, bob or eva can approve it",
        ),
        # Bob takes the seat of product then.
        (
            MULTI_GROUPS,
            ["+bob"],
            {},
            "1 of 2 of ops and product: bob at 2026-03-02 12:00 UTC; ann, eva or cid can approve it",
        ),
        (
            FOUR,
            ["+ann"],
            {"author": "cid", "starters": frozenset({"bob"})},
            "1 of 2 of ann, bob and cid: ann at 2026-03-02 12:00 UTC; nobody else of ann, bob and cid may approve it: "
            "name more people in approvals of prod",
        ),
        (
            FOUR_GROUPS,
            ["+cid"],
            {"starters": frozenset({"eva"}), "author": "bob"},
            "1 of 2 of ops or product: cid at 2026-03-02 12:00 UTC; nobody else of ops or product may approve it: name "
            "more people in approvals of prod",
        ),
        (
            TWO,
            ["+ann", "+bob"],
            {},
            "2 of 2 of ann, bob and cid: ann at 2026-03-02 12:00 UTC, bob at 2026-03-02 12:01 UTC",
        ),
    ],
)
def test_a_reason_says_what_was_seen_and_who_can_act(
    policy: Approvals, reviews: Sequence[str], more: Mapping[str, object], text: str
) -> None:
    assert str(tally(policy, *reviews, **more).reasons[0]) == f"approvals of prod: {text}"


def test_a_rejection_names_the_person_the_comment_and_the_way_out() -> None:
    rejection = replace(review("-bob"), comment="not before\nthe release\x1b[0m")
    counted = tally(TWO, rejection, "+ann")
    assert (counted.who, counted.rejected_by, counted.approved_by) == (("bob",), ("bob",), ("ann",))
    assert str(counted.reasons[0]) == (
        r"approvals of prod: bob rejected it at 2026-03-02 12:00 UTC: 'not before the release\\x1b[0m'; bob can change "
        "that review, or `gitops-promotion promote --group webshop --app webui --env prod` proposes it again"
    )
    silent = tally(TWO, replace(rejection, comment=" \n")).reasons[0].evidence
    assert silent == "bob rejected it at 2026-03-02 12:00 UTC"
    entry = replace(QUESTION, requirements=())
    command = "`gitops-promotion new --group webshop --app webui --tag 1.4.2 --again` proposes it again"
    assert command in str(TWO.tally(entry, facts("-bob")).reasons[0])


def test_under_single_only_the_first_opinion_counts() -> None:
    counted = tally(SINGLE, "+bob", "-ann")
    assert (counted.approved_by, counted.rejected_by) == (("bob",), ())
    assert [o.why for o in counted.opinions if not o.counts] == ["bob was first, and the first opinion decides"]
    late = replace(review("+bob"), at=NOON + timedelta(hours=1))
    assert tally(SINGLE, late, replace(review("-ann"), at=NOON)).decision == "refuse"


def test_under_single_a_rejection_comes_first_where_times_are_not_known() -> None:
    untimed = [replace(review(text), at=None) for text in ("+ann", "-bob")]
    assert tally(SINGLE, *untimed).decision == "refuse"
    assert tally(SINGLE, untimed[0], "-bob").decision == "refuse"
    assert tally(SINGLE, "+ann", untimed[1]).decision == "refuse"


def test_without_a_pull_request_it_waits_and_says_so() -> None:
    counted = FOUR.tally(QUESTION, Facts(problem="no pull request is known: give --pr NUMBER"))
    assert str(counted.reasons[0]) == (
        "approvals of prod: 0 of 2 of ann, bob and cid; no pull request is known: give --pr NUMBER"
    )
    assert str(counted.seats) == "0 of 2"
    assert FOUR.judge(QUESTION, Evidence()).decision == "wait"


def test_many_opinions_that_do_not_count_are_summed_up() -> None:
    counted = tally(FOUR, *(f"+stranger{number}" for number in range(9)))
    assert len(counted.reasons) == 7
    assert counted.reasons[-1].evidence == "4 more opinions do not count"


def test_it_can_be_asked_beforehand_whether_somebody_counts() -> None:
    known = facts("+ann", author="cid", starters=frozenset({"bob"}))
    assert FOUR.objection(known, Person(name="ann")) == ""
    assert FOUR.objection(known, Person(name="bob")) == "this is who started the promotion"
    assert FOUR.objection(known, Person(name="zoe")) == "not one of ann, bob and cid"
    assert FOUR.objection(known, Person(name="ann", is_bot=True)) == "it is a bot"
    assert tally(FOUR, "+ann", author="cid").who == ("bob",)


@pytest.mark.parametrize(
    ("policy", "note"),
    [
        (SINGLE, "It needs the approval of 1 person of `ann`, `bob` and `cid`."),
        (MULTI, "It needs the approval of `ann`, `bob` and `cid`."),
        (FOUR, "It needs the approval of 2 people of `ann`, `bob` and `cid`."),
        (MULTI_GROUPS, "It needs the approval of one person of each of `ops` and `product`."),
        (FOUR_GROUPS, "It needs the approval of two people of the same group: `ops` or `product`."),
        (TWO_GROUPS, "It needs the approval of 2 people of `ops` and `product`."),
    ],
)
def test_the_pull_request_says_whose_approval_is_needed(policy: Approvals, note: str) -> None:
    assert policy.note(QUESTION.requirements) == note


NAMES = ["ann", "bob", "cid", "eva", "zoe", "Ann", "bot[bot]"]
reviews_of_people = st.lists(
    st.builds(
        Review,
        author=st.sampled_from(NAMES),
        verdict=st.sampled_from(["approved", "changes-requested"]),
        sha=st.sampled_from([HEAD, OLD, ""]),
        at=st.one_of(st.none(), st.integers(0, 9).map(lambda minute: NOON + timedelta(minutes=minute))),
        is_bot=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda found: found.author.casefold(),
)
known_facts = st.builds(
    Facts,
    discussion=st.builds(
        Discussion,
        author=st.sampled_from(NAMES).map(lambda name: Person(name=name)),
        reviews=reviews_of_people.map(tuple),
    ),
    head_sha=st.just(HEAD),
    edits=st.sampled_from([{}, {OLD: True}, {OLD: False}, {OLD: None}]),
    pushers=st.sampled_from([None, People(), People(members=frozenset({"bob"})), People(problem="denied")]),
    starters=st.sampled_from([frozenset[str](), frozenset({"cid"})]),
    since=st.sampled_from([None, NOON + timedelta(minutes=4)]),
)


@given(st.sampled_from(POLICIES), known_facts, reviews_of_people.filter(bool))
def test_an_opinion_that_does_not_count_changes_nothing(policy: Approvals, known: Facts, others: list[Review]) -> None:
    assert known.discussion
    reviews = known.discussion.reviews
    new = others[0]
    hypothesis.assume(new.author.casefold() not in {found.author.casefold() for found in reviews})
    before = policy.tally(QUESTION, known)
    after = policy.tally(QUESTION, replace(known, discussion=replace(known.discussion, reviews=(*reviews, new))))
    [opinion] = [opinion for opinion in after.opinions if opinion.author == new.author]
    hypothesis.assume(not opinion.counts and "was first" not in opinion.why)
    assert (after.decision, after.seats, after.who, after.reasons[0]) == (
        before.decision,
        before.seats,
        before.who,
        before.reasons[0],
    )


class Fixed:
    """A gate that always says the same."""

    needs = frozenset[str]()
    judges_sources = False
    stops_arming = False

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def judge(self, _question: Question, _evidence: Evidence) -> Verdict:
        return self.verdict

    def note(self, _requirements: object) -> str:
        return ""


verdicts = st.builds(
    Verdict,
    decision=st.sampled_from(["pass", "wait", "refuse"]),
    reasons=st.just((Reason(evidence="because"),)),
)


@given(st.lists(verdicts.map(Fixed), max_size=4), st.sampled_from(POLICIES), known_facts)
def test_one_gate_more_never_turns_refuse_or_wait_into_pass(
    others: list[Fixed], policy: Approvals, known: Facts
) -> None:
    gates: list[Gate] = list(others)  # type: ignore[arg-type]  # they have all that `judge` asks for
    evidence = Evidence(opinions=known)
    order = ["refuse", "wait", "pass"]
    before = judge(gates, QUESTION, evidence).decision
    after = judge([*gates, policy], QUESTION, evidence).decision
    assert order.index(after) <= order.index(before)
    assert order.index(after) <= order.index(policy.judge(QUESTION, evidence).decision)


def test_a_rejection_that_cannot_count_delays_nobody_although_a_group_cannot_be_read() -> None:
    policy = Approvals(environment="prod", strategy="quorum", quorum=1, groups={**GROUPS, "acme/ops": ()})
    by_bot = Review(author="zoe", verdict="changes-requested", sha=HEAD, is_bot=True)
    assert tally(policy, "+ann", by_bot, members=DENIED).decision == "pass"
    assert tally(policy, "+ann", "-zoe", members=DENIED, starters=frozenset({"zoe"})).decision == "pass"
