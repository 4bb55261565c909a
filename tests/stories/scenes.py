"""What verbs do on a forge, scene by scene: each begins as `SCENES` prepares it, as often as a test likes.

The scenes of plain git are in tests/commands/scenes.py.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.holds import FILE
from tests.commands.features import FILES
from tests.stories.stage import Stage, Trigger

if TYPE_CHECKING:
    from tests.stories.story import Story

CONFIG = """
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - name: prod
    auto: false
"""
APPROVALS = """\
    approvals: {strategy: four-eyes, groups: [ops]}
approverGroups:
  ops: [bob, cat, dan]
"""
_SHA = re.compile(r"\b[0-9a-f]{7,64}\b")
_NUMBER = re.compile(r"#\d+\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(?: ?(?:Z|UTC|[+-]\d\d:\d\d))?")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A command line, and what starts it."""

    trigger: Trigger
    words: tuple[str, ...]


def state(stage: Stage) -> Mapping[str, Any]:
    """Return what people see of the forge, without times, numbers and the ids of commits, in which runs differ."""
    pulls = [
        {
            "branch": pull.branch,
            "texts": [_plain(text) for text in stage.texts(pull.number)],
            "state": pull.state,
            "armed": pull.armed,
            "verdict": stage.verdicts(pull.sha)[:1],
            "comments": [_plain(text) for text in stage.comments(pull.number)],
            "reviews": stage.reviews(pull.number),
        }
        for pull in stage.pulls()
    ]
    # Of several that one run opens, one may be opened by the second run.
    return {
        "branches": {name: _files(stage, sha) for name, sha in stage.branches().items()},
        "pulls": sorted(pulls, key=lambda pull: (pull["branch"], pull["texts"])),
    }


def _files(stage: Stage, sha: str) -> Mapping[str, str]:
    files = dict(stage.files(sha))
    if FILE in files:
        files[FILE] = _plain(stage.show(sha, FILE))
    return files


def _plain(text: str) -> str:
    return _NUMBER.sub("#N", _TIME.sub("TIME", _SHA.sub("SHA", text)))


# -- what scenes begin with


def _published(story: "Story", config: str = CONFIG) -> None:
    """Let verdicts be published, and Flux report only where a scene says so."""
    story.stage.push("main", {"gitops-promotion.yaml": config}, message="Publish the verdicts")
    story.publish_verdicts()
    story.lose()


def _run(story: "Story", *words: str) -> None:
    run = story.run(story.stage.schedule(), *words)
    assert run.code == 0, run.printed
    story.lose()


def _in_dev(story: "Story", tag: str, *apps: str) -> None:
    """Bring a tag into dev, and have it healthy there."""
    for app in apps:
        _run(story, "new", "--group", "webshop", "--app", app, "--tag", tag)
    _run(story, "status", "--publish")
    story.report(story.clusters[0])
    assert {story.tag("dev", app) for app in apps} == {tag}


def _in_qa(story: "Story", tag: str, *apps: str) -> None:
    """Bring a tag through dev into qa, and have it healthy there."""
    _in_dev(story, tag, *apps)
    _run(story, "promote", "--all")
    _run(story, "status", "--publish")
    story.report(story.clusters[1])
    assert {story.tag("qa", app) for app in apps} == {tag}


def _line(story: "Story", *words: str, by: str = "") -> Line:
    """Return the line of a job, or of the person `by` with a token of their own."""
    token = ("--token", story.stage.token_of(by)) if by else ()
    return Line(trigger=story.stage.schedule(), words=(*words, *token))


# -- the scenes

_WEBUI = ("--group", "webshop", "--app", "webui")
_WEB = ("--group", "shop", "--app", "web")


def _new_takes_over(story: "Story") -> Line:
    _published(story)
    _in_dev(story, "1.4.2", "webui")
    _run(story, "promote", "--all")
    return _line(story, "new", *_WEBUI, "--tag", "1.4.3")


def _promote_all(story: "Story") -> Line:
    """One application goes into qa, and one into prod, where only a person may merge it."""
    _published(story)
    story.add("cart")
    _in_qa(story, "1.4.2", "webui")
    _in_dev(story, "1.4.2", "cart")
    return _line(story, "promote", "--all")


def _promote_all_heals(story: "Story") -> Line:
    """An armed promotion conflicts with the default branch."""
    _published(story)
    _in_dev(story, "1.4.2", "webui")
    _run(story, "promote", "--all")
    text = story.stage.show("main", "webshop/qa/webui.yaml")
    lines = [f"{line} # seen" if "image:" not in line else line for line in text.splitlines()]
    story.stage.push("main", {"webshop/qa/webui.yaml": "\n".join(lines) + "\n"}, message="Comment it")
    return _line(story, "promote", "--all")


def _publish_with_comment(story: "Story") -> Line:
    _published(story, CONFIG + APPROVALS)
    _in_qa(story, "1.4.2", "webui")
    _run(story, "promote", "--all")
    return _line(story, "status", "--publish")


def _rollback(story: "Story", *options: str) -> Line:
    """The bad tag is in qa, and a newer one is on its way there."""
    _published(story)
    _in_qa(story, "1.4.1", "webui")
    _in_dev(story, "1.4.2", "webui")
    _run(story, "promote", "--all")
    _run(story, "status", "--publish")
    assert story.tag("qa") == "1.4.2"
    _in_dev(story, "1.4.3", "webui")
    _run(story, "promote", "--all")
    return _line(story, "rollback", *_WEBUI, "--env", "qa", *options)


def _rollback_without_hold(story: "Story") -> Line:
    return _rollback(story, "--no-hold")


def _hold(story: "Story") -> Line:
    """The promotion that is held is open and armed."""
    _published(story)
    _in_dev(story, "1.4.2", "webui")
    _run(story, "promote", "--all")
    return _line(story, "hold", *_WEBUI, "--env", "qa", "--reason", "broken")


def _hold_joins(story: "Story") -> Line:
    """Another hold waits in an open pull request of the same branch."""
    _hold(story)
    _run(story, "hold", *_WEBUI, "--env", "qa", "--tag", "1.4.9", "--reason", "known to be broken")
    return _line(story, "hold", *_WEBUI, "--env", "qa", "--tag", "1.4.8", "--reason", "broken too")


def _release(story: "Story") -> Line:
    line = _hold(story)
    _run(story, *line.words)
    [number] = [pull.number for pull in story.stage.pulls() if pull.state == "open" and "hold" in pull.branch]
    story.stage.merge(number)
    story.lose()
    return _line(story, "release", *_WEBUI, "--env", "qa")


def _release_takes_back(story: "Story") -> Line:
    """The hold is only proposed: its pull request is closed."""
    line = _hold(story)
    _run(story, *line.words)
    return _line(story, "release", *_WEBUI, "--env", "qa")


def _shop(story: "Story") -> None:
    """Make the repository one that has features."""
    old = dict.fromkeys((f"webshop/{name}/webui.yaml" for name in ("dev", "qa", "prod")), None)
    story.stage.push("main", {"README.md": None, **old, **FILES}, message="Sell features")
    story.publish_verdicts()
    story.lose()


def _feature(story: "Story") -> Line:
    _shop(story)
    return _line(story, "feature", *_WEB, "--feature", "pr-1", "--tag", "pr-1-a")


def _feature_again(story: "Story") -> Line:
    """Its pull request is open and armed."""
    line = _feature(story)
    _run(story, *line.words)
    return _line(story, "feature", *_WEB, "--feature", "pr-1", "--tag", "pr-1-b")


def _merged_feature(story: "Story") -> None:
    line = _feature(story)
    _run(story, *line.words)
    [number] = story.open()
    story.stage.merge(number)
    story.lose()


def _feature_delete(story: "Story") -> Line:
    _merged_feature(story)
    return _line(story, "feature-delete", *_WEB, "--feature", "pr-1")


def _feature_delete_takes_back(story: "Story") -> Line:
    """The feature is only proposed: its pull request is closed."""
    line = _feature(story)
    _run(story, *line.words)
    return _line(story, "feature-delete", *_WEB, "--feature", "pr-1")


def _feature_stale(story: "Story") -> Line:
    _merged_feature(story)
    return _line(story, "feature-stale", "--max-age", "0")


def _at_prods_door(story: "Story", config: str) -> None:
    _published(story, config)
    _in_qa(story, "1.4.2", "webui")
    _run(story, "promote", "--all")
    _run(story, "status", "--publish")


_OPINION = ("--app", "webui", "--env", "prod", "--comment", "seen in qa")


def _approve(story: "Story") -> Line:
    _at_prods_door(story, CONFIG + APPROVALS)
    return _line(story, "approve", *_OPINION, by="bob")


def _decline(story: "Story") -> Line:
    """A person has approved it before."""
    _at_prods_door(story, CONFIG + APPROVALS)
    [number] = story.open()
    story.stage.review(number, "bob", approve=True)
    story.lose()
    return _line(story, "decline", *_OPINION, by="bob")


def _decline_without_approvals(story: "Story") -> Line:
    """Nobody's approval is needed: the pull request is closed."""
    _at_prods_door(story, CONFIG)
    return _line(story, "decline", "--app", "webui", "--env", "prod", by="bob")


SCENES: Mapping[str, Callable[["Story"], Line]] = {
    "new takes over": _new_takes_over,
    "promote all": _promote_all,
    "promote all heals": _promote_all_heals,
    "publish with comment": _publish_with_comment,
    "rollback and hold": _rollback,
    "rollback": _rollback_without_hold,
    "hold": _hold,
    "hold joins": _hold_joins,
    "release": _release,
    "release takes back": _release_takes_back,
    "feature": _feature,
    "feature again": _feature_again,
    "feature-delete": _feature_delete,
    "feature-delete takes back": _feature_delete_takes_back,
    "feature-stale": _feature_stale,
    "approve": _approve,
    "decline": _decline,
    "decline without approvals": _decline_without_approvals,
}
