"""How the votes, threads and pushes of Azure DevOps are read, in tables; the answers are its client's own models."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gitops_promotion.core.discussion import MARKER, Discussion, Person
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.azure_devops import discussions, policies
from gitops_promotion.providers.azure_devops.address import Address
from gitops_promotion.providers.azure_devops.people import WithPeople
from tests.forges import azure_models

_, git, location, policy_models, _ = azure_models.load()

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OWN = "00aa"


def who(name: str, **more: Any) -> Any:
    return git.IdentityRef(id=f"id-{name}", unique_name=name, display_name=name.title(), **more)


def value(text: object) -> dict[str, object]:
    return {"$type": "System.String", "$value": text}


def thread(author: Any, content: str = "", at: int = 0, number: int | None = 1, **more: Any) -> Any:
    when = START + timedelta(minutes=at)
    comment = git.Comment(id=1, author=author, content=content, published_date=when)
    return git.GitPullRequestCommentThread(
        **({"id": number, "published_date": when, "comments": [comment], "is_deleted": False} | more)
    )


def happened(kind: str, author: Any, about: Any = None, at: int = 0, **properties: object) -> Any:
    named = {"CodeReviewThreadType": kind} | properties
    people = {"1": about or author}
    return thread(author, at=at, properties={key: value(each) for key, each in named.items()}, identities=people)


def status(state: str, author: Any, about: Any = None, at: int = 0) -> Any:
    return happened("StatusUpdate", author, about, at, CodeReviewStatus=state, CodeReviewStatusUpdatedByIdentity="1")


def vote(author: Any, result: object, about: Any = None, at: int = 0) -> Any:
    return happened("VoteUpdate", author, about, at, CodeReviewVoteResult=result, CodeReviewVotedByIdentity="1")


def pull(**more: Any) -> Any:
    return git.GitPullRequest(
        **({"created_by": who("ann"), "creation_date": START, "status": "active", "reviewers": []} | more)
    )


def read(data: Any, *threads: Any, own_id: str = OWN, has_branch: bool = True) -> Discussion:
    return discussions.read_discussion(data, threads, (), own_id=own_id, has_branch=has_branch)


def kinds(discussion: Discussion) -> list[tuple[str, str]]:
    return [(event.kind, event.by.name if event.by else "") for event in discussion.events[1:]]


SERVICE = git.IdentityRef(id=discussions.SERVICE, display_name="Microsoft.VisualStudio.Services.TFS")


@pytest.mark.parametrize(
    ("more", "is_bot"),
    [
        ({"unique_name": "bob@acme.test", "descriptor": "aad.x"}, False),
        ({"unique_name": "Build\\0c9c", "descriptor": "svc.x"}, True),
        ({"unique_name": "build\\0c9c"}, True),
        ({"unique_name": "0c9c", "descriptor": "aadsp.x"}, True),
        ({"id": discussions.SERVICE}, True),
        ({"unique_name": f"{discussions.SERVICE}@0c9c"}, True),
        ({"descriptor": "s2s.x"}, True),
        ({"descriptor": "Microsoft.TeamFoundation.ServiceIdentity;x:Build:y"}, True),
        ({"subject_descriptor": "svc.x"}, True),
        ({}, False),
    ],
)
def test_accounts_that_are_no_person_are_bots(more: dict[str, str], is_bot: bool) -> None:
    assert discussions.read_person(SimpleNamespace(**more)).is_bot is is_bot


@pytest.mark.parametrize(
    ("more", "is_group"),
    [
        ({"is_container": True}, True),
        ({"descriptor": "vssgp.x"}, True),
        ({"descriptor": "aadgp.x"}, True),
        ({"unique_name": "vstfs:///Classification/TeamProject/1\\ops"}, True),
        ({"unique_name": "bob", "is_container": False}, False),
        ({}, False),
    ],
)
def test_groups_are_told_from_people(more: dict[str, Any], is_group: bool) -> None:
    assert discussions.is_group(SimpleNamespace(**more)) is is_group


@pytest.mark.parametrize(
    ("kind", "properties", "name"),
    [
        (
            "Microsoft.IdentityModel.Claims.ClaimsIdentity",
            {"Account": "ann@acme.test", "Domain": "0c9c"},
            "ann@acme.test",
        ),
        ("System.Security.Principal.WindowsIdentity", {"Account": "ann", "Domain": "CORP"}, "CORP\\ann"),
        ("System.Security.Principal.WindowsIdentity", {"Account": "CORP\\ann", "Domain": "CORP"}, "CORP\\ann"),
        ("System.Security.Principal.WindowsIdentity", {"Mail": "ann@acme.test"}, "ann@acme.test"),
        ("", {}, "Ann"),
    ],
)
def test_the_directory_names_people_as_pull_requests_do(kind: str, properties: dict[str, str], name: str) -> None:
    values = {key: value(each) for key, each in properties.items()}
    identity = location.Identity(descriptor=f"{kind};x", properties=values, provider_display_name="Ann")
    assert discussions.account_name(identity) == name


def test_a_person_without_a_name_has_none() -> None:
    assert discussions.read_person(None) == Person(name="")
    assert read(pull(created_by=None)).author == Person(name="")


@pytest.mark.parametrize(
    ("about", "author", "counts"), [("bob", "bob", True), ("bob", "", True), ("bob", "eve", False)]
)
def test_a_thread_counts_if_the_person_or_azure_devops_wrote_it(about: str, author: str, counts: bool) -> None:
    writer = who(author) if author else SERVICE
    data = pull(reviewers=[git.IdentityRefWithVote(id="id-bob", unique_name="bob", vote=10)])
    discussion = read(data, vote(writer, 10, who(about), at=3))
    assert [event.kind for event in discussion.events[1:]] == (["approved"] if counts else [])
    [review] = discussion.reviews
    assert review.at == (START + timedelta(minutes=3) if counts else None)


def test_older_servers_name_the_voter_by_id_in_another_property() -> None:
    for tf_id, found in (("ID-BOB", [("approved", "bob")]), ("id-eve", []), ("", [])):
        properties = {
            "CodeReviewThreadType": "VoteUpdate",
            "CodeReviewVoteResult": "10",
            "CodeReviewVotedByTfId": tf_id,
        }
        named = {key: value(each) for key, each in properties.items()}
        assert kinds(read(pull(), thread(who("bob"), properties=named))) == found


ANN, BOB, EVE = who("ann"), who("bob"), who("eve")
CLOSED = {"status": "abandoned", "closed_by": BOB, "closed_date": START + timedelta(minutes=10)}


@pytest.mark.parametrize(
    ("more", "threads", "found"),
    [
        ({}, [], []),
        ({}, [status("Abandoned", BOB, at=1), status("Active", ANN, at=2)], [("closed", "bob"), ("reopened", "ann")]),
        # A reopening that no thread tells of yet.
        ({}, [status("Abandoned", BOB, at=1)], []),
        (CLOSED, [], [("closed", "bob")]),
        (CLOSED, [status("Abandoned", BOB, at=10)], [("closed", "bob")]),
        (CLOSED, [status("Abandoned", BOB, at=10), status("Active", EVE, at=12)], [("closed", "bob")]),
        (CLOSED, [status("Abandoned", BOB, at=10), status("Active", EVE, at=10)], [("closed", "bob")]),
        (CLOSED, [status("Completed", EVE, at=3)], [("closed", "bob")]),
        (CLOSED | {"closed_by": None}, [status("Abandoned", EVE, at=10)], [("closed", "eve")]),
        (CLOSED | {"closed_by": None}, [], [("closed", "")]),
        (CLOSED | {"closed_by": None, "closed_date": None}, [status("Abandoned", EVE, at=2)], [("closed", "eve")]),
        (CLOSED | {"status": "completed"}, [status("Abandoned", EVE, at=10)], [("merged", "bob")]),
        (
            CLOSED,
            [status("Abandoned", EVE, at=1), status("Active", ANN, at=2), status("Abandoned", BOB, at=10)],
            [("closed", "eve"), ("reopened", "ann"), ("closed", "bob")],
        ),
        (CLOSED, [status("Notset", BOB, at=1), status("", BOB, at=1)], [("closed", "bob")]),
    ],
)
def test_the_pull_request_itself_says_how_it_ended(more: dict[str, Any], threads: list[Any], found: list[Any]) -> None:
    assert kinds(read(pull(**more), *threads)) == found


def test_events_are_in_the_order_of_time() -> None:
    ref = happened("RefUpdate", SERVICE, BOB, at=2, CodeReviewRefUpdatedByIdentity="1")
    reset = happened("ResetAllVotes", SERVICE, BOB, at=3, CodeReviewResetAllVotesInitiatorIdentity="1")
    assert kinds(read(pull(), vote(EVE, -5, at=4), reset, ref, vote(EVE, 5, at=1))) == [
        ("approved", "eve"),
        ("pushed", "bob"),
        ("withdrawn", "bob"),
        ("rejected", "eve"),
    ]
    assert kinds(read(pull(), has_branch=False)) == [("branch-deleted", "")]


def test_another_target_branch_says_since_when_the_pull_request_shows_what_it_brings() -> None:
    iterations = [
        git.GitPullRequestIteration(created_date=START + timedelta(minutes=at), reason=reason, author=who("eve"))
        for at, reason in enumerate(("create", "push", "push, retarget", "unknown"))
    ]
    found = discussions.read_discussion(pull(), (), iterations, own_id=OWN, has_branch=True)
    assert kinds(found) == [("retargeted", "eve")]
    assert found.same_base == START + timedelta(minutes=2)


def test_own_comments_are_those_with_the_marker_by_this_tool_the_oldest_first() -> None:
    me = git.IdentityRef(id=OWN, unique_name="promoter")
    marked = f"{MARKER}\nIt waits."
    found = read(
        pull(),
        thread(me, marked, number=9),
        thread(me, marked, number=3),
        thread(who("eve"), marked, number=1),
        thread(me, f"quoted: {marked}", number=2),
        thread(me, marked, number=4, is_deleted=True),
        thread(me, marked, number=None),
    )
    assert [(comment.id, comment.body) for comment in found.comments] == [("3/1", marked), ("9/1", marked)]
    assert read(pull(), thread(me, marked), own_id="").comments == ()


HEAD = "2" * 40


def push(by: str, old: str = "1" * 40, ref: str = "refs/heads/promote/a", new: str = HEAD) -> Any:
    update = git.GitRefUpdate(name=ref, old_object_id=old, new_object_id=new)
    return git.GitPush(pushed_by=who(by) if by else None, ref_updates=[update])


@pytest.mark.parametrize(
    ("pushes", "names"),
    [
        ([], None),
        ([push("bob"), push("ann", "0" * 40), push("eve")], {"ann", "bob"}),
        ([push("bob"), push("ann", "0" * 40, "refs/heads/other"), push("eve")], {"ann", "bob", "eve"}),
        ([push("bob"), push("")], None),
        ([push("bob", new="3" * 40), push("ann", "0" * 40)], None),
        ([push("bob", ref="refs/heads/other"), push("ann", "0" * 40)], None),
        ([push("bob")] * 99, {"bob"}),
        ([push("bob")] * 100, None),
    ],
)
def test_pushers_are_those_since_the_branch_was_made(pushes: list[Any], names: set[str] | None) -> None:
    assert discussions.read_pushers(pushes, "promote/a", HEAD) == names


SPOILED: list[Any] = [None, 5, "x", True, [], [5], ["x", None], {"a": 1}, {"1": None}, SimpleNamespace()]


@pytest.mark.parametrize("wrong", SPOILED)
def test_spoiled_answers_are_an_error_of_the_forge_or_leave_something_out(wrong: Any) -> None:
    voter = git.IdentityRefWithVote(id="id-bob", unique_name="bob", vote=10)
    whole = vote(BOB, 10)
    for name in ("properties", "identities", "comments", "published_date", "is_deleted", "id"):
        spoiled = vote(BOB, 10)
        setattr(spoiled, name, wrong)
        with suppress(ProviderError):
            discussion = read(pull(reviewers=[voter]), spoiled, whole)
            assert [review.author for review in discussion.reviews] == ["bob"]
    for name in ("created_by", "creation_date", "reviewers", "closed_by", "closed_date"):
        with suppress(ProviderError):
            read(pull(**({"status": "abandoned"} | {name: wrong})), whole)
    for name in ("pushed_by", "ref_updates"):
        spoiled = push("bob")
        setattr(spoiled, name, wrong)
        with suppress(ProviderError):
            discussions.read_pushers([spoiled], "promote/a", HEAD)
    for name in ("voted_for", "id", "descriptor", "unique_name", "is_container"):
        reviewer = git.IdentityRefWithVote(**({"id": "1", "unique_name": "bob", "vote": 10} | {name: wrong}))
        with suppress(ProviderError):
            read(pull(reviewers=[reviewer]), whole)
            discussions.lacks_groups(pull(reviewers=[reviewer]))
    for result in (wrong, "ten", "1e3", "99999999999"):
        with suppress(ProviderError):
            assert kinds(read(pull(), vote(BOB, result))) in ([], [("approved", "bob")])
    assert discussions.account_name(SimpleNamespace(properties=wrong)) == ""


@pytest.mark.parametrize("given", ["10", None, [], True, 10.5, 1, 7, 11])
def test_a_vote_that_is_none_of_the_known_ones_approves_nothing(given: Any) -> None:
    reviewer = git.IdentityRefWithVote(id="1", unique_name="bob", vote=given)
    assert discussions.read_reviews(pull(reviewers=[reviewer]), [], []) == []


@pytest.mark.parametrize(
    ("settings", "requires"),
    [
        ({}, True),
        ({"statusGenre": ""}, True),
        ({"statusGenre": "ci"}, False),
        ({"statusName": "other"}, False),
        ({"statusName": None}, False),
        ({"invalidateOnSourceUpdate": False}, False),
        ({"policyApplicability": "conditional"}, False),
        ({"policyApplicability": 1}, False),
        ({"policyApplicability": None}, True),
    ],
)
def test_a_status_is_required_by_a_policy_that_always_applies_to_the_newest_push(
    settings: dict[str, Any], requires: bool
) -> None:
    configuration = policy_models.PolicyConfiguration(
        id=1,
        type=policy_models.PolicyTypeRef(id=policies.STATUS),
        is_blocking=True,
        settings={"statusName": "gitops-promotion", "statusGenre": None, "invalidateOnSourceUpdate": True} | settings,
    )
    for state, is_required in (("queued", requires), ("approved", requires), ("notApplicable", False)):
        record = policy_models.PolicyEvaluationRecord(configuration=configuration, status=state)
        policy = policies.read_policy(record)
        assert policy is not None
        assert policy.requires_status("gitops-promotion") is is_required
    configuration.is_blocking = False
    policy = policies.read_policy(configuration)
    assert policy is not None
    assert not policy.requires_status("gitops-promotion")


def side(*found: Any, members: Any = (), me: Any = None) -> WithPeople:
    """The people's side of the provider on a directory that answers that."""
    directory: Any = SimpleNamespace(named=lambda *_, **__: list(found), by_ids=lambda _: list(members))
    endpoints: Any = SimpleNamespace(me=lambda: me)
    address = Address(host="h", collection="https://azure.test/c", project="p", repository="r")
    completion: Any = None
    return WithPeople(address, endpoints, directory, completion)


@pytest.mark.parametrize("wrong", SPOILED)
def test_a_spoiled_directory_names_nobody_and_is_a_problem(wrong: Any) -> None:
    group = {"id": "1", "is_container": True, "provider_display_name": "ops", "member_ids": ["2"]}
    assert side(wrong).members("ops").problem
    for name in group:
        people = side(SimpleNamespace(**(group | {name: wrong})), members=[wrong]).members("ops")
        assert people.problem
    assert isinstance(side(me=wrong).identity().name, str)
