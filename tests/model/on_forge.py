"""The world of the model on a forge: its workflows are started by the model alone, and none by an event."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tests.forges import azure_state, github_state
from tests.model.world import GROUP, Pull, Run
from tests.notify.receivers import Web
from tests.stories.azure_stage import AzureStage
from tests.stories.github_stage import GitHubStage
from tests.stories.story import Story
from tests.support import refs
from tests.support.objects import Objects

BY_PEOPLE = ("rollback", "hold", "release")


@dataclass(slots=True, kw_only=True)
class OnForge:
    """See `World`. The published verdict is required, and the forge merges what is armed when that passes."""

    stage: GitHubStage | AzureStage
    story: Story
    web: Web

    @property
    def now(self) -> datetime:
        return self.stage.server.clock.now

    @property
    def objects(self) -> Objects:
        return self.stage.hosted.git.objects

    def run(self, *words: str, minutes: int = 1) -> Run:
        self.wait_minutes(minutes)
        self.stage.triggers()
        trigger = self.stage.schedule()
        is_by_person = words[0] in BY_PEOPLE or (words[0] == "promote" and "--all" not in words)
        if is_by_person and isinstance(self.stage, GitHubStage):
            trigger = replace(trigger, event=replace(trigger.event, name="workflow_dispatch", by="ann"))
        ended = self.story.run(trigger, *words)
        return Run(code=ended.code, outcomes=ended.outcomes)

    def wait(self, hours: int) -> None:
        self.wait_minutes(60 * hours)

    def wait_minutes(self, minutes: int) -> None:
        self.stage.server.clock.now += timedelta(minutes=minutes)

    def branches(self) -> Mapping[str, str]:
        return self.stage.branches()

    def pulls(self) -> Sequence[Pull]:
        return [
            Pull(
                number=pull.number,
                branch=pull.branch,
                sha=pull.sha,
                is_open=pull.state == "open",
                is_merged=pull.state == "merged",
                is_armed=pull.armed,
            )
            for pull in sorted(self.stage.pulls(), key=lambda pull: pull.number)
        ]

    def edit(self, files: Mapping[str, str]) -> None:
        self.stage.push("main", files)

    def flux(self, environment: str, *, healthy: bool) -> None:
        self.wait_minutes(1)
        name, description = f"{GROUP}-{environment}", "reconciled" if healthy else "health check failed"
        self.stage.flux(self.branches()["main"], name, "2fb0a5b0", healthy=healthy, description=description)

    def merge(self, number: int) -> None:
        # It is refused where it conflicts with what was set by hand.
        with suppress(github_state.RefusedError, azure_state.RefusedError):
            self.stage.merge(number)

    def close(self, number: int) -> None:
        self.stage.close(number)

    def review(self, number: int, person: str, *, approve: bool) -> None:
        self.stage.review(number, person, approve=approve)

    def texts(self, number: int) -> Sequence[str]:
        return self.stage.comments(number)

    def verdicts(self, sha: str) -> Sequence[tuple[str, str]]:
        return self.stage.verdicts(sha)

    def state(self) -> object:
        hosted = self.stage.hosted
        texts = {pull.number: (pull.title, pull.body) for pull in hosted.pulls()}
        comments = {number: self.texts(number) for number in texts}
        statuses = {sha: len(posted) for sha, posted in hosted.repo.statuses.items()}
        # The forge itself writes those of its pull requests.
        own = {name: sha for name, sha in refs.read_refs(hosted.git.path).items() if not name.startswith("refs/pull/")}
        return self.pulls(), texts, comments, statuses, own, len(self.web.calls)

    def told(self) -> Sequence[Mapping[str, Any]]:
        return [json.loads(call.body) for call in self.web.calls]
