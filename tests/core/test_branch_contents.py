"""Whose commits a promotion branch holds, and whether a diff has only what was asked for."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gitops_promotion.core import plan
from gitops_promotion.core.branch_contents import (
    Proposal,
    changes_only,
    displaced,
    edits_digest,
    is_all_own,
    read_proposal,
)
from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.config import Config
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.kinds import FEATURE, PROMOTION
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag

ENVIRONMENTS = (Environment(name="dev", auto=True), Environment(name="prod"))
CONFIG = Config(pipeline=Pipeline(environments=ENVIRONMENTS), layout=Layout(environments=ENVIRONMENTS))
WEBUI = Application("webshop", "webui")
PATH = "webshop/dev/w.yaml"
OLD = b'tag: 1 # {"$imagepolicy": "webshop:webui:tag"}\n'
BLOBS = {
    "old": OLD,
    "new": OLD.replace(b"1", b"2"),
    "more": OLD.replace(b"1", b"2") + b"by: Ann\n",
}
SET = FileChange(path=PATH, old="old", new="new")
GO_TOOL = "gitops-promotion@xenit.se"


def commit(
    message: str = "Promote 2\n\nPromotion: webshop/webui\nEnvironment: dev\n",
    *changes: FileChange,
    author: str = "ci@example.org",
    parents: Sequence[str] = ("0" * 40,),
) -> Commit:
    return Commit(
        sha="1" * 40,
        parents=tuple(parents),
        author_email=author,
        committer_email="ci@example.org",
        message=message,
        changes=changes or (SET,),
    )


BY_TOOL = commit()


@pytest.mark.parametrize(
    ("by", "is_own"),
    [
        pytest.param(BY_TOOL, True, id="a promotion"),
        pytest.param(commit("Promote 2\n"), False, id="without trailers"),
        pytest.param(replace(BY_TOOL, changes=()), False, id="changes nothing"),
        pytest.param(commit("Promote 2\n\nPromotion: webshop/cart\n"), False, id="of another application"),
        pytest.param(replace(BY_TOOL, changes=(replace(SET, new="more"),)), False, id="amended"),
        pytest.param(commit("Promote 2\n", author=GO_TOOL), True, id="of the Go tool"),
        pytest.param(commit("Fix\n\nPromote 2\n", author=GO_TOOL), False, id="another subject of the Go tool's author"),
        pytest.param(commit("Promote 2\n", author=GO_TOOL, parents=("a", "b")), False, id="a merge under its name"),
        pytest.param(replace(BY_TOOL, parents=("a", "b")), True, id="on top of others, with trailers"),
        pytest.param(commit(f"x\n\nEdits: {edits_digest({PATH: BLOBS['new']})}\n"), True, id="the edits it says"),
        pytest.param(commit(f"x\n\nEdits: {edits_digest({PATH: OLD})}\n"), False, id="other edits than it says"),
    ],
)
def test_a_commit_is_this_tools_if_its_contents_prove_it(by: Commit, is_own: bool) -> None:
    assert is_all_own([by], BLOBS, set(), CONFIG) is is_own
    proposal = read_proposal([by], BLOBS, {PATH: BLOBS["new"]}, config=CONFIG, application=WEBUI)
    assert proposal.foreign == (() if is_own else (by,))
    assert is_all_own([by], BLOBS, {by.sha}, CONFIG), "what merging gives is nobody's own work"


def test_no_commits_are_nobodys() -> None:
    assert not is_all_own([], BLOBS, set(), CONFIG)
    assert not is_all_own([BY_TOOL, commit("Fix\n")], BLOBS, set(), CONFIG)


def test_a_promotion_changes_only_tags_of_its_application() -> None:
    request = Request(kind=PROMOTION, application=WEBUI, tag=Tag("2"), environment="dev")
    made = plan.set_tag(request, CONFIG, {PATH: OLD}, base="main", base_sha="0" * 40)
    assert changes_only(made, [SET], BLOBS, CONFIG)
    assert not changes_only(made, [replace(SET, new="more")], BLOBS, CONFIG)
    assert not changes_only(made, [replace(SET, old_mode="100644", new_mode="100755")], BLOBS, CONFIG)


def test_a_feature_changes_only_the_files_of_its_plan() -> None:
    request = Request(kind=FEATURE, application=WEBUI, tag=Tag("pr-7"), environment="dev", feature="pr-7")
    edits = {PATH: BLOBS["new"], "webshop/dev/gone.yaml": None}
    made = plan.of_edits(request, CONFIG, edits, base="main", base_sha="0" * 40, message="x")
    gone = FileChange(path="webshop/dev/gone.yaml", old="old", new=None)
    assert changes_only(made, [SET, gone], BLOBS, CONFIG)
    assert not changes_only(made, [SET], BLOBS, CONFIG), "it does not delete"
    assert not changes_only(made, [replace(SET, new="more"), gone], BLOBS, CONFIG)
    assert not changes_only(made, [replace(SET, new_kind="symlink"), gone], BLOBS, CONFIG)


@pytest.mark.parametrize(
    ("head", "tag"),
    [
        ({PATH: BLOBS["new"]}, Tag("2")),
        ({PATH: b"tag: 2\n"}, None),
        ({PATH: BLOBS["new"], "webshop/dev/more.yaml": OLD}, None),
        ({PATH: b"a: ["}, None),
    ],
)
def test_the_proposed_tag_is_that_of_the_markers_if_they_agree(head: dict[str, bytes], tag: Tag | None) -> None:
    proposal = read_proposal([BY_TOOL], BLOBS, head, config=CONFIG, application=WEBUI)
    assert (proposal.tag, proposal.environments, proposal.paths) == (tag, ("dev",), frozenset({PATH}))


@pytest.mark.parametrize(
    ("proposal", "text"),
    [
        (Proposal(tag=Tag("1"), environments=("prod",)), "1 into prod"),
        (Proposal(tag=Tag("1"), environments=("dev",)), ""),
        (Proposal(environments=("prod",)), ""),
        (Proposal(), ""),
    ],
)
def test_a_promotion_into_another_environment_is_displaced(proposal: Proposal, text: str) -> None:
    request = Request(kind=PROMOTION, application=WEBUI, tag=Tag("2"), environment="dev")
    assert displaced(request, proposal) == text
