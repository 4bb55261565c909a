"""Plans of edits that are not of tags alone, and which commits on a branch are ours."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gitops_promotion.core import branch_contents, plan
from gitops_promotion.core.branch_contents import Proposal
from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.config import Config
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.kinds import FEATURE, PROMOTION, REMOVAL
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.model import Plan, Request
from gitops_promotion.core.names import NO_APPLICATION, Application
from gitops_promotion.core.pull_request_text import commit_message
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError

ENVIRONMENTS = (Environment(name="dev", auto=True), Environment(name="prod"))
CONFIG = Config(pipeline=Pipeline(environments=ENVIRONMENTS), layout=Layout(environments=ENVIRONMENTS))
WEBUI = Application("webshop", "webui")
PATH = "webshop/dev/webui-pr-7/deployment.yaml"
EDITS = {PATH: b"kind: Deployment\n", "webshop/dev/old.yaml": None}
REQUEST = Request(
    kind=FEATURE, application=Application("webshop", "webui"), tag=Tag("pr-7"), environment="dev", feature="pr-7"
)


def make(edits: Mapping[str, bytes | None] = EDITS, request: Request = REQUEST) -> Plan:
    message = commit_message(request, edits_digest=branch_contents.edits_digest(edits))
    return plan.of_edits(request, CONFIG, edits, base="main", base_sha="0" * 40, message=message)


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


def read(
    entry: Commit, blobs: Mapping[str, bytes], *, feature: str = "pr-7", app: str = "webui"
) -> branch_contents.Proposal:
    head = {change.path: blobs[change.new] for change in entry.changes if change.new}
    return branch_contents.read_proposal(
        [entry], blobs, head, config=CONFIG, application=Application("webshop", app), feature=feature
    )


def test_a_commit_of_edits_is_ours_as_long_as_it_holds_them() -> None:
    made = make()
    proposal = read(*committed(made))
    assert (proposal.foreign, proposal.other_owner, proposal.environments) == ((), "", ("dev",))
    assert branch_contents.same_edits(made, proposal, {PATH: b"kind: Deployment\n"}, CONFIG)


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
    assert not branch_contents.same_edits(new, read(*committed(old)), {PATH: b"kind: Deployment\n"}, CONFIG)
    assert not branch_contents.same_edits(
        old, read(*committed(old)), {PATH: b"kind: Deployment\n", "webshop/dev/old.yaml": b""}, CONFIG
    )


@pytest.mark.parametrize(
    ("feature", "app", "rival"),
    [
        ("pr-7", "webui", ""),
        ("7", "webui-pr", "webshop/webui (feature pr-7)"),
        ("pr", "webui", "webshop/webui (feature pr-7)"),
    ],
)
def test_b32_another_feature_of_the_same_branch_name_is_named(feature: str, app: str, rival: str) -> None:
    assert read(*committed(make()), feature=feature, app=app).other_owner == rival


def test_a_promotion_on_a_features_branch_is_a_rival_too() -> None:
    promoted = replace(make(), message=commit_message(replace(REQUEST, kind=PROMOTION, feature="")))
    assert read(*committed(promoted)).other_owner == "webshop/webui"


@pytest.mark.parametrize("feature", ["", "../x", "a b", "-a"])
def test_a_feature_that_is_no_name_makes_no_branch(feature: str) -> None:
    with pytest.raises(UsageError, match="not a valid name"):
        CONFIG.feature_branch(Application("webshop", "webui"), feature)


def test_a_removal_says_what_it_removes() -> None:
    one = make(request=replace(REQUEST, kind=REMOVAL, tag=Tag("")))
    assert one.title == "Remove feature pr-7 of webshop/webui from environment dev"
    stale = commit_message(Request(kind=REMOVAL, application=NO_APPLICATION, environment="dev"), edits_digest="f" * 32)
    assert stale == f"Remove stale features from environment dev\n\nEnvironment: dev\nEdits: {'f' * 32}\n"


def promoted(new: bytes, *, more: dict[str, bytes] | None = None) -> tuple[Plan, Proposal, dict[str, bytes]]:
    """A promotion of webui in dev, the proposal that its branch holds, and the files at the branch's head."""
    old = b'tag: 1 # {"$imagepolicy": "webshop:webui:tag"}\n'
    request = Request(kind=PROMOTION, application=WEBUI, tag=Tag("2"), environment="dev")
    made = plan.set_tag(request, CONFIG, {"webshop/dev/w.yaml": old}, base="main", base_sha="0" * 40)
    blobs = {"old": old, "new": new, **(more or {})}
    change = FileChange(path="webshop/dev/w.yaml", old="old", new="new")
    commit = Commit(
        sha="1" * 40,
        parents=("0" * 40,),
        author_email="ci@example.org",
        committer_email="ci@example.org",
        message=made.message,
        changes=(change,),
    )
    head = {"webshop/dev/w.yaml": new}
    return made, branch_contents.read_proposal([commit], blobs, head, config=CONFIG, application=WEBUI), head


def test_a_branch_that_proposes_the_same_tag_is_the_same_wherever_its_base_is() -> None:
    made, proposal, head = promoted(b'tag: 2 # {"$imagepolicy": "webshop:webui:tag"}\n')
    assert branch_contents.same_edits(made, proposal, head, CONFIG)
    # The file has changed on the default branch meanwhile, and the branch does not have that change yet.
    other = {path: b"replicas: 3\n" + content for path, content in head.items()}
    assert branch_contents.same_edits(made, proposal, other, CONFIG)
    newer = {path: content.replace(b"2", b"3", 1) for path, content in head.items()}
    assert not branch_contents.same_edits(made, proposal, newer, CONFIG)
    assert not branch_contents.same_edits(made, proposal, {}, CONFIG), "the file is gone"


def test_a_branch_of_other_files_is_not_the_same() -> None:
    made, proposal, head = promoted(b'tag: 2 # {"$imagepolicy": "webshop:webui:tag"}\n')
    elsewhere = replace(proposal, paths=proposal.paths | {"webshop/dev/more.yaml"})
    assert not branch_contents.same_edits(made, elsewhere, head, CONFIG)


def test_changes_beyond_tags_are_named_whoever_made_them() -> None:
    old = b'tag: 1 # {"$imagepolicy": "webshop:webui:tag"}\n'
    blobs = {"old": old, "tag": old.replace(b"1", b"2"), "more": old.replace(b"1", b"2") + b"hostPID: true\n"}
    path = "webshop/dev/w.yaml"

    def beyond(change: FileChange) -> list[str]:
        return branch_contents.beyond_tags(WEBUI, [change], blobs, CONFIG)

    assert beyond(FileChange(path=path, old="old", new="tag")) == []
    assert beyond(FileChange(path=path, old="old", new="more")) == [path]
    assert beyond(FileChange(path=path, old=None, new="tag")) == [path]
    assert beyond(FileChange(path=path, old="old", new=None)) == [path]
    assert beyond(FileChange(path=path, old="old", new="tag", new_kind="symlink")) == [path]
