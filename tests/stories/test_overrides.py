"""A person sends a release past a freeze, and the workflows that run meanwhile let it go."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.forge import OWN_CONTEXT

if TYPE_CHECKING:
    from tests.stories.github_stage import GitHubStage
    from tests.stories.story import Story

CONFIG = """
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - name: prod
    auto: true
    overrides: true
    freezes: [{from: 2020-01-01, until: 2099-01-01, reason: forever}]
"""
OVERRIDE = ("promote", "--app", "webui", "--env", "prod", "--tag", "1.4.2", "--override-gates", "--reason", "outage")


@pytest.mark.forges("github")
def test_an_override_stays_armed_in_a_freeze_until_the_other_checks_pass(
    story: "Story", github_stage: "GitHubStage"
) -> None:
    story.stage.push("main", {"gitops-promotion.yaml": CONFIG}, message="Freeze prod")
    github_stage.hosted.protect("main", checks=[OWN_CONTEXT, "build"])
    story.way = "published"
    schedule = story.stage.schedule()
    by_hand = replace(schedule, event=replace(schedule.event, name="workflow_dispatch", by="bob"))
    opened = story.run(by_hand, *OVERRIDE)
    assert (opened.only["result"], opened.only["pull_request"]["auto_merge"]) == ("opened", True)
    story.run(schedule, "promote", "--all")
    story.look()
    [pull] = story.stage.pulls()
    assert (pull.state, pull.armed, story.stage.verdicts(pull.sha)) == (
        "open",
        True,
        [("success", "overridden by bob: outage")],
    )
    story.stage.post(pull.sha, "build", passed=True)
    assert story.tags() == ("1.0.0", "1.0.0", "1.4.2")
