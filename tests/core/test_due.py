"""When a promotion is due, on values alone."""

import json
from dataclasses import replace

import pytest

from gitops_promotion.core import due
from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.deployments import TagAt, deployment, same_tag, timeline
from gitops_promotion.core.environments import Requirements
from gitops_promotion.core.forge import PullRequest, PullRequestState
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from tests.support.nouns import OPEN_PULL

T, OLD = Tag("2"), Tag("1")
HEX = "sha256:" + "a" * 64


def commit(sha: str, message: str = "work", *, parents: tuple[str, ...] = ("p",), complete: bool = True) -> Commit:
    return Commit(
        sha=sha,
        parents=parents,
        author_email="ann@example.org",
        committer_email="c",
        message=message,
        changes=(),
        complete=complete,
    )


def pull(
    number: int = 1,
    state: PullRequestState = "merged",
    merge_sha: str | None = None,
    *,
    env: str = "dev",
    tag: str = "2",
    kind: str = "promote",
) -> PullRequest:
    metadata = json.dumps({"group": "g", "app": "a", "tag": tag, "env": env, "sha": "", "feature": "", "type": kind})
    return replace(
        OPEN_PULL,
        number=number,
        head="promote/g-a",
        head_sha="h",
        state=state,
        merge_sha=merge_sha,
        body=f"<!-- metadata = {metadata} -->",
        author="",
    )


def why(points: list[TagAt], pulls: list[PullRequest]) -> str | None:
    return due.provenance_problem(deployment(points, T), pulls, application=Application("g", "a"), environment="dev")


def test_the_merge_commit_of_our_pull_request_is_the_evidence() -> None:
    points = [TagAt(commit=commit("c2"), tag=T), TagAt(commit=commit("c1"), tag=OLD)]
    assert why(points, [pull(merge_sha="c2")]) is None
    assert str(why(points, [pull(merge_sha="c0")])).endswith(
        "is not a promotion by this tool, but a rollback or a person's change"
    )
    assert "not a promotion by this tool" in str(why(points, [pull(state="open")]))
    assert "not a promotion by this tool" in str(why(points, [pull(state="closed", merge_sha="c2")]))


def test_a_rebase_merge_of_several_commits_counts_by_the_trailers_of_the_one_that_brought_the_tag() -> None:
    message = "Promote g/a version 2 to environment dev\n\nPromotion: g/a\nEnvironment: dev\nTag: 2"
    brought = [TagAt(commit=commit("c2", message), tag=T), TagAt(commit=commit("c1"), tag=OLD)]
    later = [TagAt(commit=commit("c3"), tag=T), *brought]
    assert why(later, [pull(merge_sha="c3")]) is None
    assert why(later, [pull(merge_sha="c9")]) is not None
    feature = [TagAt(commit=commit("c2", message + "\nFeature: x"), tag=T), TagAt(commit=commit("c1"), tag=OLD)]
    assert "a feature" in str(why(feature, []))


def test_a_persons_return_to_a_promoted_tag_is_their_own_edit() -> None:
    points = [TagAt(commit=commit(s), tag=t) for s, t in (("c4", T), ("c3", OLD), ("c2", T), ("c1", OLD))]
    assert "c4" in str(why(points, [pull(merge_sha="c2")]))


def test_history_that_does_not_reach_the_arrival_says_so() -> None:
    assert "older than the fetched history" in str(
        why([TagAt(commit=commit("c2", complete=False), tag=T)], [pull(merge_sha="c2")])
    )
    root = [TagAt(commit=commit("c2", parents=()), tag=T)]
    assert why(root, [pull(merge_sha="c2")]) is None


def test_late_is_only_what_the_forge_may_still_show_as_merged() -> None:
    assert due.shown_late([pull(state="open")], environment="dev", tag=T)
    assert due.shown_late([pull(state="merged", merge_sha=None)], environment="dev", tag=T)
    assert not due.shown_late([pull(state="open", tag="3")], environment="dev", tag=T)
    assert not due.shown_late([pull(state="merged", merge_sha="c")], environment="dev", tag=T)
    assert not due.shown_late([], environment="dev", tag=T)


def test_a_tag_the_target_had_since_and_left_is_found() -> None:
    source = [TagAt(commit=commit(s), tag=t) for s, t in (("c4", T), ("c3", T), ("c2", T), ("c1", OLD))]
    rolled_back = [TagAt(commit=commit(s), tag=t) for s, t in (("c4", OLD), ("c3", T), ("c2", OLD), ("c1", OLD))]
    long_ago = [TagAt(commit=commit(s), tag=t) for s, t in (("c4", OLD), ("c3", OLD), ("c2", OLD), ("c1", T))]
    assert due.had_and_left(source, rolled_back, T) == "c3"
    assert due.had_and_left(source, long_ago, T) == ""
    assert due.had_and_left(source, [], T) == ""
    assert due.had_and_left(source, source, T) == "", "it still has it: nothing was rolled back"


def test_a_digest_only_one_side_has_does_not_make_two_versions() -> None:
    assert same_tag(Tag("2"), Tag("2", HEX))
    assert not same_tag(Tag("2", HEX), Tag("2", "sha256:" + "b" * 64))
    assert not same_tag(None, None)


def test_a_timeline_follows_files_that_come_go_and_move() -> None:
    def text(tag: str) -> bytes:
        return f'tag: {tag} # {{"$imagepolicy": "g:a:tag"}}\n'.encode()

    blobs = {"one": text("one"), "two": text("two"), "junk": b"x: 1\n"}

    def changed(sha: str, *changes: tuple[str, str | None, str | None]) -> Commit:
        made = tuple(FileChange(path=path, old=old, new=new) for path, old, new in changes)
        return Commit(sha=sha, parents=("p",), author_email="", committer_email="", message="", changes=made)

    entries = [
        changed("c5", ("g/dev/other.yaml", None, "junk")),
        changed("c4", ("g/dev/b.yaml", "one", "two")),
        changed("c3", ("g/dev/a.yaml", "one", None), ("g/dev/b.yaml", None, "one")),
        changed("c2", ("g/devs/a.yaml", "two", "one")),
        changed("c1", ("g/dev/a.yaml", None, "one")),
    ]
    points = timeline(
        entries,
        {"g/dev/b.yaml": blobs["two"]},
        blobs,
        holds=lambda path: path.startswith("g/dev/"),
        marker=MarkerName("g", "a"),
    )
    assert [point.tag and point.tag.name for point in points] == ["two", "two", "one", "one", "one"]


RETRY = "gitops-promotion promote --group g --app a --env qa"
SOURCE = [TagAt(commit=commit(s), tag=t) for s, t in (("c4", T), ("c3", T), ("c2", T), ("c1", OLD), ("c0", OLD))]


def target(*tags: Tag | None) -> list[TagAt]:
    """A timeline of the target over the commits c4 to c0."""
    return [TagAt(commit=commit(f"c{4 - number}"), tag=tag) for number, tag in enumerate(tags)]


def facts(points: list[TagAt], **pulls: list[PullRequest]) -> due.Facts:
    return due.Facts(
        application=Application("g", "a"),
        tag=T,
        target_name="qa",
        target=points,
        sources={"dev": SOURCE},
        retry=RETRY,
        pull_requests=pulls,
    )


MERGED = pull(merge_sha="c2")
NEVER = target(OLD, OLD, OLD, OLD, OLD)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        pytest.param(facts(NEVER, dev=[MERGED]), "", id="it came by a promotion"),
        pytest.param(facts([], dev=[MERGED]), "", id="the target never had the application"),
        pytest.param(facts(NEVER, dev=[]), "is not a promotion by this tool", id="it came by hand"),
        pytest.param(
            facts(target(OLD, T, OLD, OLD, OLD), dev=[MERGED]), "had 2 at c3 and has moved on", id="rolled back"
        ),
        pytest.param(facts(target(OLD, OLD, OLD, OLD, T), dev=[MERGED]), "", id="the target had it before the source"),
        pytest.param(
            facts(target(Tag("9"), Tag("9"), OLD, OLD, OLD), dev=[MERGED], qa=[]),
            "c3 ('work' by ann@example.org) changed it in qa after 2 came to dev",
            id="a hotfix after the arrival",
        ),
        pytest.param(
            facts(
                target(Tag("9"), Tag("9"), OLD, OLD, OLD), dev=[MERGED], qa=[pull(merge_sha="c3", env="qa", tag="9")]
            ),
            "",
            id="a later promotion of an older tag is no hotfix",
        ),
        pytest.param(
            facts(target(Tag("9"), Tag("9"), Tag("9"), Tag("9"), OLD), dev=[MERGED]), "", id="a hotfix before it"
        ),
    ],
)
def test_a_promotion_is_due_or_says_why_not(case: due.Facts, reason: str) -> None:
    answer = due.due(case)
    assert not answer.ask
    assert reason in answer.reason
    assert bool(answer.reason) is bool(reason)
    assert not reason or RETRY in answer.reason


def test_pull_requests_are_asked_for_only_where_they_decide() -> None:
    assert due.due(facts(NEVER)).ask == "dev"
    assert due.due(facts(target(OLD, T, OLD, OLD, OLD))).ask == "", "rolled back whatever the forge says"
    assert due.due(facts(target(Tag("9"), OLD, OLD, OLD, OLD))).ask == "qa", "a hotfix or a merge of the tool"


def test_a_merge_that_the_forge_shows_late_is_asked_for_again() -> None:
    late = due.due(facts(NEVER, dev=[pull(state="open")]))
    assert (late.ask, late.again) == ("dev", True)
    assert due.due(facts(NEVER, dev=[pull(state="open", tag="1")])).ask == ""


@pytest.mark.parametrize(
    ("promotion", "environment"), [("g/a", "dev"), ("g/other", "dev"), ("g/a", "qa"), ("other/a", "dev")]
)
def test_trailers_count_only_for_this_application_and_this_environment(promotion: str, environment: str) -> None:
    brought = commit("c2", f"x\n\nPromotion: {promotion}\nEnvironment: {environment}")
    points = [
        TagAt(commit=commit("c3"), tag=T),
        TagAt(commit=brought, tag=T),
        TagAt(commit=commit("c1"), tag=OLD),
    ]
    assert (why(points, [pull(merge_sha="c3")]) is None) is ((promotion, environment) == ("g/a", "dev"))


ALL, ANY = (("a",), ("b",)), (("a", "b"),)
PINNED = Tag("2", HEX)


@pytest.mark.parametrize(
    ("requirements", "tags", "expected"),
    [
        ((("a",),), {"a": T}, [(T, ("a",))]),
        (ALL, {"a": T, "b": T}, [(T, ("a", "b"))]),
        (ALL, {"a": T, "b": OLD}, []),
        (ALL, {"a": T, "b": None}, []),
        (ANY, {"a": T, "b": T}, [(T, ("a", "b"))]),
        (ANY, {"a": T, "b": None}, [(T, ("a",))]),
        (ANY, {"a": OLD, "b": T}, [(T, ("b",)), (OLD, ("a",))]),
        (ANY, {"a": T, "b": OLD}, [(T, ("a",)), (OLD, ("b",))]),
        (ANY, {"a": None, "b": None}, []),
        (ALL, {"a": T, "b": PINNED}, [(PINNED, ("a", "b"))]),
        ((("a", "b"), ("c",)), {"a": OLD, "b": T, "c": T}, [(T, ("b", "c"))]),
    ],
)
def test_the_tags_to_promote_are_those_of_the_sources_that_count_the_newest_arrival_first(
    requirements: Requirements, tags: dict[str, Tag | None], expected: list[tuple[Tag, tuple[str, ...]]]
) -> None:
    ages = {"2": 1, "1": 5}
    found = due.candidates(requirements, tags, lambda candidate: ages[candidate.tag.name])
    assert [(candidate.tag, candidate.sources) for candidate in found] == expected


def test_a_target_without_a_candidate_names_what_it_awaits() -> None:
    assert due.awaited({"us": T, "eu": OLD}) == "its sources do not have one tag yet: us has 2, eu has 1"
    assert due.awaited({"us": T, "eu": None}) == "its sources do not have one tag yet: us has 2, eu has no tag"
    assert due.awaited({"dev": None}) == "dev has no tag"


def timeline_of(*tags: Tag | None) -> list[TagAt]:
    return target(*tags)


def graph(
    requirements: Requirements, points: list[TagAt], sources: dict[str, list[TagAt]], **pulls: list[PullRequest]
) -> due.Facts:
    return due.Facts(
        application=Application("g", "a"),
        tag=T,
        target_name="prod",
        target=points,
        sources=sources,
        requirements=requirements,
        retry=RETRY,
        pull_requests=pulls,
    )


EARLY = timeline_of(T, T, T, OLD, OLD)  # since c2
LATE = timeline_of(T, OLD, OLD, OLD, OLD)  # since c4
NINE, EIGHT = Tag("9"), Tag("8")


def test_of_any_sources_one_with_the_tag_by_a_promotion_suffices() -> None:
    sources = {"a": EARLY, "b": LATE}
    by_hand = graph(ANY, NEVER, sources, a=[], b=[pull(merge_sha="c4", env="b")])
    assert due.due(by_hand) == due.Due()
    neither = due.due(graph(ANY, NEVER, sources, a=[], b=[]))
    assert "put it into a, and is not a promotion" in neither.reason
    assert due.due(graph(ANY, NEVER, sources, a=[])).ask == "b", "the other one may do"


def test_of_all_sources_each_must_have_the_tag_by_a_promotion() -> None:
    sources = {"a": EARLY, "b": LATE}
    promoted = {"a": [pull(merge_sha="c2", env="a")], "b": [pull(merge_sha="c4", env="b")]}
    assert due.due(graph(ALL, NEVER, sources, **promoted)) == due.Due()
    assert "put it into b" in due.due(graph(ALL, NEVER, sources, a=promoted["a"], b=[])).reason


def test_a_hotfix_counts_from_when_the_tag_could_be_promoted() -> None:
    sources = {"a": EARLY, "b": LATE}
    promoted = {"a": [pull(merge_sha="c2", env="a")], "b": [pull(merge_sha="c4", env="b")], "prod": []}
    hotfix = target(NINE, NINE, OLD, OLD, OLD)  # at c3, between the two arrivals
    assert due.due(graph(ALL, hotfix, sources, **promoted)).reason == "", "all have it since c4 alone"
    assert "c3" in due.due(graph(ANY, hotfix, sources, **promoted)).reason, "it could be promoted since c2"


def test_a_tag_that_the_target_had_and_left_since_any_source_has_it_is_not_due() -> None:
    rolled_back = target(OLD, OLD, T, OLD, OLD)
    answer = due.due(graph(ALL, rolled_back, {"a": EARLY, "b": LATE}))
    assert "prod had 2 at c2 and has moved on since; to go back to it" in answer.reason
    # A plain revert is told apart.
    leaving = replace(rolled_back[1], commit=commit(rolled_back[1].sha, 'Revert "Promote 2"'))
    answer = due.due(graph(ALL, [rolled_back[0], leaving, *rolled_back[2:]], {"a": EARLY, "b": LATE}))
    assert "has moved on since, reverted by c3 ('Revert \"Promote 2\"' by ann@example.org); to go" in answer.reason


def test_a_source_that_lags_behind_does_not_bring_an_older_tag_back() -> None:
    # b got 9 after a had got 2, and the target has 9 by a promotion: a is out of date, whatever b has now.
    current = target(NINE, OLD, OLD, OLD, OLD)
    for now_in_b in (NINE, EIGHT):
        lagging = {"a": EARLY, "b": timeline_of(now_in_b, NINE, OLD, OLD, OLD)}
        answer = due.due(graph(ANY, current, lagging, a=[pull(merge_sha="c2", env="a")], prod=[pull(merge_sha="c4")]))
        assert "prod has 9, which came to b after 2" in answer.reason
    # The other way round 2 is the newer one.
    newer = {"a": EARLY, "b": timeline_of(EIGHT, EIGHT, EIGHT, NINE, OLD)}
    facts = graph(ANY, current, newer, a=[pull(merge_sha="c2", env="a")], prod=[pull(merge_sha="c4")])
    assert due.due(facts) == due.Due()


def test_a_tag_is_as_new_as_its_last_arrival() -> None:
    # 9 came to c between the arrivals of 2 in a and in b.
    sources = {"a": EARLY, "b": LATE, "c": timeline_of(EIGHT, NINE, OLD, OLD, OLD)}
    facts = graph((("a", "b", "c"),), target(NINE, NINE, OLD, OLD, OLD), sources, a=[pull(merge_sha="c2", env="a")])
    assert due.due(replace(facts, pull_requests={**facts.pull_requests, "prod": [pull(merge_sha="c3")]})) == due.Due()


def test_a_target_that_has_the_tag_is_not_asked_what_came_to_other_sources_since() -> None:
    # b had 2 after a got it, and has left it again.
    sources = {"a": EARLY, "b": timeline_of(NINE, T, OLD, OLD, OLD)}
    facts = graph(ANY, target(T, OLD, OLD, OLD, OLD), sources, a=[pull(merge_sha="c2", env="a")])
    assert due.due(replace(facts, pull_requests={**facts.pull_requests, "prod": [pull(merge_sha="c4")]})) == due.Due()


def test_a_tag_that_never_was_there_has_no_deployment() -> None:
    assert deployment(SOURCE, NINE) is None
    assert deployment([], T) is None


def test_of_open_pull_requests_the_one_into_the_base_counts_and_else_the_newest() -> None:
    into_main, into_other = pull(1, "open"), replace(pull(2, "open"), base="other")
    assert due.open_for([into_other, into_main], "main") == into_main
    assert due.open_for([into_other, replace(into_main, base="third")], "main") == into_other
    assert due.open_for([pull(3, "closed"), pull(4, "merged")], "main") is None


@pytest.mark.parametrize(
    ("is_obsolete", "end"),
    [
        (False, "has the branch promote/webshop-webui: merge it or close it first"),
        (True, "has the branch promote/webshop-webui, and qa has the tag of its sources by now: close it first"),
    ],
)
def test_a_branch_in_use_says_what_to_do_with_its_pull_request(is_obsolete: bool, end: str) -> None:
    assert due.branch_in_use(OPEN_PULL, "qa", is_obsolete=is_obsolete) == f"pull request #7 into qa {end}"
