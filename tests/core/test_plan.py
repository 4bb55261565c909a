"""Plans of edits that are not of tags alone, and which commits on a branch are ours."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gitops_promotion.core import plan
from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.config import Config, Environment
from gitops_promotion.core.model import Plan, Request
from gitops_promotion.core.pull_request_text import commit_message
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError

CONFIG = Config(environments=(Environment(name="dev", auto=True), Environment(name="prod")))
PATH = "webshop/dev/webui-pr-7/deployment.yaml"
EDITS = {PATH: b"kind: Deployment\n", "webshop/dev/old.yaml": None}
REQUEST = Request(kind="feature", group="webshop", app="webui", tag=Tag("pr-7"), environment="dev", feature="pr-7")


def make(edits: Mapping[str, bytes | None] = EDITS, request: Request = REQUEST) -> Plan:
    message = commit_message(request, seal=plan.seal(edits))
    branch = CONFIG.feature_branch("webshop", "webui", request.feature)
    return plan.of_edits(request, CONFIG, edits, base="main", base_sha="0" * 40, branch=branch, message=message)


def committed(made: Plan, contents: Mapping[str, bytes | None] = EDITS) -> tuple[Commit, dict[str, bytes]]:
    """The commit of a plan, with these contents in it, and its blobs."""
    blobs = {f"new {path}": content for path, content in contents.items() if content is not None}
    changes = [
        FileChange(path=path, old=None if content else "old", new=f"new {path}" if content else None)
        for path, content in contents.items()
    ]
    entry = Commit(
        sha="1" * 40,
        parents=("0" * 40,),
        author_email="ci@example.org",
        committer_email="ci@example.org",
        message=made.message,
        changes=tuple(changes),
    )
    return entry, blobs | {"old": b"old\n"}


def read(entry: Commit, blobs: Mapping[str, bytes], *, feature: str = "pr-7", app: str = "webui") -> plan.Proposal:
    head = {change.path: blobs[change.new] for change in entry.changes if change.new}
    return plan.read_proposal([entry], blobs, head, config=CONFIG, group="webshop", app=app, feature=feature)


def test_a_commit_of_edits_is_ours_as_long_as_it_holds_them() -> None:
    made = make()
    proposal = read(*committed(made))
    assert (proposal.foreign, proposal.rival, proposal.environments) == ((), "", ("dev",))
    assert plan.same_edits(made, proposal, {PATH: b"kind: Deployment\n"})


@pytest.mark.parametrize(
    "contents",
    [
        {**EDITS, PATH: b"kind: Deployment # by Ann\n"},
        {PATH: EDITS[PATH]},
        {**EDITS, "webshop/dev/more.yaml": b"by: Ann\n"},
        {**EDITS, "webshop/dev/old.yaml": b"kept: by Ann\n"},
    ],
    ids=["edited", "a file less", "a file more", "not deleted"],
)
def test_an_amended_commit_is_its_authors(contents: Mapping[str, bytes | None]) -> None:
    entry, blobs = committed(make(), contents)
    assert read(entry, blobs).foreign == (entry,)


def test_edits_that_are_no_longer_wanted_are_not_kept() -> None:
    old, new = make(), make({**EDITS, PATH: b"kind: StatefulSet\n"})
    assert not plan.same_edits(new, read(*committed(old)), {PATH: b"kind: Deployment\n"})
    assert not plan.same_edits(old, read(*committed(old)), {PATH: b"kind: Deployment\n", "webshop/dev/old.yaml": b""})


@pytest.mark.parametrize(
    ("feature", "app", "rival"),
    [
        ("pr-7", "webui", ""),
        ("7", "webui-pr", "webshop/webui (feature pr-7)"),
        ("pr", "webui", "webshop/webui (feature pr-7)"),
    ],
)
def test_b32_another_feature_of_the_same_branch_name_is_named(feature: str, app: str, rival: str) -> None:
    assert read(*committed(make()), feature=feature, app=app).rival == rival


def test_a_promotion_on_a_features_branch_is_a_rival_too() -> None:
    promoted = replace(make(), message=commit_message(replace(REQUEST, kind="promote", feature="")))
    assert read(*committed(promoted)).rival == "webshop/webui"


@pytest.mark.parametrize("feature", ["", "../x", "a b", "-a"])
def test_a_feature_that_is_no_name_makes_no_branch(feature: str) -> None:
    with pytest.raises(UsageError, match="not a valid name"):
        CONFIG.feature_branch("webshop", "webui", feature)


def test_a_removal_says_what_it_removes() -> None:
    one = make(request=replace(REQUEST, kind="remove", tag=Tag("")))
    assert one.title == "Remove feature pr-7 of webshop/webui from environment dev"
    stale = commit_message(Request(kind="remove", group="", app="", environment="dev"), seal="f" * 32)
    assert stale == f"Remove stale features from environment dev\n\nEnvironment: dev\nEdits: {'f' * 32}\n"
