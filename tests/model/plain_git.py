"""The world of the model on plain git."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.forge import OWN_CONTEXT
from tests.model.world import GROUP, Pull, Run
from tests.support import refs
from tests.support.objects import Objects
from tests.support.repositories import NOW

if TYPE_CHECKING:
    from tests.commands.conftest import Shop
    from tests.notify.receivers import Web

PULLS = "refs/gitops-promotion/pulls/"


@dataclass(slots=True, kw_only=True)
class PlainGit:
    """See `World`. Each run is a minute later, unless it says otherwise."""

    shop: "Shop"
    web: "Web | None"
    now: datetime = field(default=NOW)

    @property
    def objects(self) -> Objects:
        return self.shop.remote.objects

    def run(self, *words: str, minutes: int = 1) -> Run:
        self.now += timedelta(minutes=minutes)
        ended = self.shop.run(*words, code=None)
        assert ended.code != 1, ended.stderr
        return Run(code=ended.code, outcomes=ended.outcomes)

    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    def branches(self) -> Mapping[str, str]:
        return self.shop.remote.branches()

    def pulls(self) -> Sequence[Pull]:
        branches = self.branches()
        found = []
        for record in self._records():
            is_open = record["state"] == "open" and record["head"] in branches
            sha = branches[record["head"]] if is_open else record["head_sha"]
            found.append(
                Pull(
                    number=record["number"],
                    branch=record["head"],
                    sha=sha,
                    is_open=is_open,
                    is_merged=record["state"] == "merged",
                    is_armed=is_open and record["armed_for"] == sha,
                )
            )
        return sorted(found, key=lambda pull: pull.number)

    def _records(self) -> list[dict[str, Any]]:
        return [self._record(sha) for sha in refs.read_refs(self.shop.remote.path, PULLS).values()]

    def _record(self, sha: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.objects.read(sha)[1])
        return record

    def edit(self, files: Mapping[str, str]) -> None:
        self.shop.edit(files)

    def flux(self, environment: str, *, healthy: bool) -> None:
        self.now += timedelta(minutes=1)
        context = f"kustomization/{GROUP}-{environment}/2fb0a5b0"
        self.shop.local("set-status", "main", context, "success" if healthy else "failure")

    def merge(self, number: int) -> None:
        # It is refused where it conflicts with what was set by hand.
        self.shop.local("merge", str(number), codes=(0, 3))

    def close(self, number: int) -> None:
        self.shop.local("close", str(number), "--as", "ann")

    def review(self, number: int, person: str, *, approve: bool) -> None:
        verdict = "approved" if approve else "changes-requested"
        self.shop.local("review", str(number), verdict, "--as", person)

    def texts(self, number: int) -> Sequence[str]:
        sha = refs.resolve(self.shop.remote.path, f"{PULLS}{number}")
        return [note["body"] for note in self._record(sha).get("comments", ())] if sha else []

    def verdicts(self, sha: str) -> Sequence[tuple[str, str]]:
        blob = refs.resolve(self.shop.remote.path, f"refs/gitops-promotion/statuses/{sha}")
        statuses = self._record(blob)["statuses"] if blob else []
        return [(it["state"], it["description"]) for it in reversed(statuses) if it["context"] == OWN_CONTEXT]

    def state(self) -> object:
        return refs.read_refs(self.shop.remote.path), len(self.told())

    def told(self) -> Sequence[Mapping[str, Any]]:
        return [json.loads(call.body) for call in self.web.calls] if self.web else []
