"""GitHub as a stage: Actions starts workflows for the server's events, with payloads in GitHub's own form."""

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import pytest

from gitops_promotion.core.forge import OWN_CONTEXT
from tests.conftest import Checkout
from tests.forges import faults
from tests.forges import github_acts as acts
from tests.forges.faults import Fault, Faults, Request
from tests.forges.github import GitHub
from tests.forges.github_events import payload_of
from tests.forges.github_people import Hosted
from tests.forges.github_state import Event
from tests.forges.saved import save
from tests.stories.stage import Budgets, Method, Pull, Trigger

JOB = "promotion-status"
"""The required check of examples/github/status.yml."""
OPENS = ("opened", "synchronize", "reopened")
"""What starts a workflow on pull_request that names no types."""


@dataclass(kw_only=True)
class GitHubStage:
    """See `Stage`."""

    server: GitHub
    hosted: Hosted
    base: Mapping[str, str]
    token: str
    workflow_token: str
    name: ClassVar[str] = "GitHub"
    nothing_follows: str = "skipped"
    methods: tuple[Method, ...] = ("merge", "squash", "rebase")
    budgets: ClassVar[Budgets] = Budgets(new=5, promote=1, promotion=5, status=2, look=1, publish=1, gate=1, verdict=1)
    passing: Sequence[Fault] = (
        faults.server_error(502),
        faults.reset(done=True),
        faults.malformed(),
        faults.secondary_limit(retry_after=7),
    )
    refusing: Sequence[Fault] = (faults.bad_credentials(), faults.forbidden())
    published: bool = False
    _seen: int = 0
    _merge_refs: dict[int, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.hosted.url

    @property
    def requests(self) -> list[Request]:
        return self.server.requests

    @property
    def faults(self) -> Faults:
        return self.server.faults

    def another(self, files: Mapping[str, str]) -> Self:
        """Return a further repository on this forge, which demands the published verdict."""
        hosted = self.server.repository(f"acme/gitops-{len(self.server.world.repos)}", files)
        stage = replace(self, hosted=hosted, _seen=len(self.server.events), _merge_refs={})
        stage.require_verdict()
        return stage

    def watch(self, act: Callable[[], object]) -> None:
        self.server.watch(act)

    def save(self) -> Callable[[], None]:
        return save(self.server.world)

    # -- the runner

    def triggers(self) -> list[Trigger]:
        self.hosted.pulls()  # takes note of what was pushed
        events, self._seen = self.server.events[self._seen :], len(self.server.events)
        return [trigger for event in events if event.starts for trigger in self._triggers(event)]

    def _triggers(self, event: Event) -> Iterator[Trigger]:
        payload = event.payload
        if event.name == "push" and str(payload["after"]).strip("0"):
            branch = str(payload["ref"]).removeprefix("refs/heads/")
            yield Trigger(kind="push", branch=branch, sha=str(payload["after"]), event=event)
        elif event.name == "pull_request" and payload["action"] in OPENS:
            shown = payload_of(event, self.server)["pull_request"]
            try:
                self._merge_refs[shown["number"]] = self.hosted.merge_ref(shown["number"])
            except AssertionError:
                # Where the test merge conflicts there is nothing to check out, and GitHub starts nothing.
                return
            yield Trigger(
                kind="pull_request",
                branch=shown["head"]["ref"],
                sha=shown["head"]["sha"],
                number=shown["number"],
                event=event,
            )
        elif event.name == "merge_group":
            group = payload_of(event, self.server)["merge_group"]
            branch = group["head_ref"].removeprefix("refs/heads/")
            yield Trigger(kind="merge_group", branch=branch, sha=group["head_sha"], event=event)
        elif event.name == "pull_request_review" and self.published:
            yield Trigger(kind="review", event=self._end_of_review(event))
        elif event.name == "status":
            context, sha = str(payload["context"]), str(payload["sha"])
            yield Trigger(kind="status", sha=sha, context=context, event=event)
        elif event.name == "repository_dispatch":
            yield Trigger(kind="dispatch", sha=self.branches()["main"], event=event)

    def _end_of_review(self, event: Event) -> Event:
        """The empty workflow of examples/github/review.yml has run."""
        number = event.payload["number"]
        assert isinstance(number, int)
        pull = self.hosted.repo.pull(number)
        run = {
            "event": event.name,
            "name": "review",
            "conclusion": "success",
            "head_branch": pull.head_ref,
            "head_sha": pull.head_sha,
            "pull_requests": [{"number": number, "head": {"ref": pull.head_ref, "sha": pull.head_sha}}],
        }
        payload = {"action": "completed", "workflow_run": run}
        return Event(name="workflow_run", repository=event.repository, payload=payload, by=event.by, starts=True)

    def dispatch(self, group: str, app: str, tag: str) -> None:
        wish = {"event_type": "new-image", "client_payload": {"group": group, "app": app, "tag": tag}}
        request = urllib.request.Request(  # noqa: S310  the server of this test
            f"{self.server.api_url}/repos/{self.hosted.full_name}/dispatches",
            data=json.dumps(wish).encode(),
            headers={"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  the server of this test
            assert answer.status == 204

    def schedule(self) -> Trigger:
        payload = {"schedule": "17 * * * *"}
        event = Event(name="schedule", repository=self.hosted.full_name, payload=payload, by="github", starts=True)
        return Trigger(kind="schedule", sha=self.branches()["main"], event=event)

    def checkout(self, trigger: Trigger, path: Path) -> Checkout:
        ref, local = "refs/heads/main", "refs/remotes/origin/main"
        sha = trigger.sha if trigger.kind in ("push", "dispatch", "schedule") else self.branches()["main"]
        if trigger.kind == "pull_request" and not self.published:
            assert trigger.number
            sha, ref = self._merge_refs[trigger.number], f"refs/pull/{trigger.number}/merge"
            local = f"refs/remotes/pull/{trigger.number}/merge"
        elif trigger.kind in ("push", "merge_group"):
            sha, ref, local = trigger.sha, f"refs/heads/{trigger.branch}", f"refs/remotes/origin/{trigger.branch}"
        branch = "" if ref.startswith("refs/pull/") else ref.removeprefix("refs/heads/")
        return self.hosted.git.check_out(path, self.base, sha, local, url=self.hosted.url, branch=branch)

    def environ(self, trigger: Trigger, folder: Path, *, reads: bool) -> Mapping[str, str]:
        name, payload = trigger.event.name, payload_of(trigger.event, self.server)
        if self.published and name == "pull_request":
            name = "pull_request_target"
        (folder / "event.json").write_text(json.dumps(payload))
        for file in ("output", "summary"):
            (folder / file).touch()
        ref, sha, more = "refs/heads/main", self.branches()["main"], {}
        if trigger.kind == "pull_request":
            if not self.published:
                assert trigger.number
                ref, sha = f"refs/pull/{trigger.number}/merge", self._merge_refs[trigger.number]
            more = {"GITHUB_HEAD_REF": trigger.branch, "GITHUB_BASE_REF": "main"}
        elif trigger.kind in ("push", "merge_group"):
            ref, sha = f"refs/heads/{trigger.branch}", trigger.sha
        return more | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": trigger.event.by,
            "GITHUB_API_URL": self.server.api_url,
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_GRAPHQL_URL": self.server.graphql_url,
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_REF": ref,
            "GITHUB_REF_NAME": ref.removeprefix("refs/heads/").removeprefix("refs/"),
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REPOSITORY": self.hosted.full_name,
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_SHA": sha,
            "GITHUB_TRIGGERING_ACTOR": trigger.event.by,
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "GITHUB_WORKSPACE": str(folder / "workspace"),
            "GITOPS_PROMOTION_TOKEN": self.workflow_token if reads else self.token,
            "RUNNER_OS": "Linux",
        }

    def arguments(self, trigger: Trigger) -> Sequence[str]:  # noqa: ARG002  it is all in the event's file
        return ()

    def report(self, trigger: Trigger, *, passed: bool) -> None:
        self.hosted.check_run(trigger.sha, JOB, "success" if passed else "failure")

    # -- rules and settings

    def require_check(self, *, up_to_date: bool = False) -> None:
        self.published = False
        self.hosted.protect("main", checks=[JOB], strict=up_to_date)

    def require_verdict(self) -> None:
        self.published = True
        self.hosted.protect("main", checks=[OWN_CONTEXT])

    def merge_by(self, method: Method) -> None:
        settings = self.hosted.settings
        settings.allow_merge_commit = method == "merge"
        settings.allow_squash_merge = method == "squash"
        settings.allow_rebase_merge = method == "rebase"

    def queue(self, minimum: int) -> None:
        self.hosted.merge_queue("main", minimum=minimum)

    def be_late(self, reads: int) -> None:
        self.server.world.late_reads = reads

    def crowd(self, *, opened: int, closed: int) -> None:
        self.hosted.crowd(opened=opened, closed=closed)

    # -- people and Flux

    def flux(self, sha: str, name: str, uid: str, *, healthy: bool, description: str) -> None:
        context = f"kustomization/{name}/{uid}"
        self.hosted.post_status(sha, context, "success" if healthy else "failure", description=description)

    def post(self, sha: str, context: str, *, passed: bool) -> None:
        self.hosted.post_status(sha, context, "success" if passed else "failure", by="mallory")

    def verdicts(self, sha: str) -> list[tuple[str, str]]:
        said = [each for each in self.hosted.repo.statuses.get(sha, []) if each.context == OWN_CONTEXT]
        return [(each.state, each.description or "") for each in reversed(said)]

    def pulls(self) -> list[Pull]:
        entries = {number for number, _ in self.hosted.queued()}
        return [
            Pull(
                number=pull.number,
                branch=pull.head_ref,
                sha=pull.head_sha,
                state="open" if pull.open else "merged" if pull.merged_at else "closed",
                armed=pull.open and (pull.auto_merge is not None or pull.number in entries),
            )
            for pull in self.hosted.pulls()
        ]

    def branches(self) -> Mapping[str, str]:
        return self.hosted.branches()

    def show(self, revision: str, path: str) -> str:
        return self.hosted.git.show(path, revision)

    def push(self, branch: str, files: Mapping[str, str | None], *, message: str = "Change") -> str:
        return self.hosted.push(branch, files, message=message)

    def open(self, branch: str) -> int:
        return self.hosted.open_pull_request(branch)

    def merge(self, number: int) -> None:
        settings = self.hosted.settings
        method = next(method for method in self.methods if settings.allows(method))
        self.hosted.merge(number, method)

    def merge_together(self, numbers: Sequence[int]) -> None:
        # As the merge queue does: one push for all of them.
        queue, repo = self.hosted.repo.queue, self.hosted.repo
        self.hosted.merge_queue("main", minimum=len(numbers))
        start = len(self.server.events)
        acting = self.server.world.tokens[self.server.token]
        with self.hosted.turn(acting):
            for number in numbers:
                pull = repo.pull(number)
                pull.auto_merge = None
                self._pass(pull.head_sha)
                acts.enqueue(repo, pull, by="bob", expected="", quiet=False)
        for _, sha in self.hosted.queued():
            with self.hosted.turn(acting):
                self._pass(sha)
        repo.queue = queue
        self.server.events[start:] = [each for each in self.server.events[start:] if each.name == "push"]

    def _pass(self, sha: str) -> None:
        for context in (JOB, OWN_CONTEXT):
            said = {"state": "success", "description": "by hand", "target_url": None}
            acts.post_status(self.hosted.repo, sha, context=context, creator="bob", **said)

    def close(self, number: int) -> None:
        self.hosted.close(number)

    def edit(self, number: int, *, body: str) -> None:
        self.hosted.edit(number, body=body)

    def review(self, number: int, by: str, *, approve: bool) -> None:
        self.hosted.review(number, by, "APPROVED" if approve else "CHANGES_REQUESTED", body="" if approve else "no")

    def token_of(self, person: str) -> str:
        return self.server.give_token(person)

    def comments(self, number: int) -> list[str]:
        return [comment.body for comment in self.hosted.pull(number).comments]

    def reviews(self, number: int) -> list[str]:
        return [f"{each.user} {each.state}: {each.body}" for each in self.hosted.pull(number).reviews]

    def texts(self, number: int) -> tuple[str, str]:
        pull = self.hosted.pull(number)
        return pull.title, pull.body or ""

    def files(self, sha: str) -> Mapping[str, str]:
        return self.hosted.git.contents(sha)


@pytest.fixture
def github_stage(tmp_path: Path, webshop: dict[str, str], environ: dict[str, str]) -> Iterator[GitHubStage]:
    """The webshop on a GitHub whose pull requests are not known to be mergeable at once."""
    with GitHub(tmp_path / "github", unknown_reads=1) as server:
        hosted = server.repository("acme/gitops", webshop)
        stage = GitHubStage(
            server=server,
            hosted=hosted,
            base=environ,
            token=server.give_token("promoter[bot]", kind="installation"),
            workflow_token=server.give_token(
                "github-actions[bot]",
                kind="actions",
                permissions={"contents": "read", "pull_requests": "read", "statuses": "read"},
            ),
        )
        stage.require_check()
        yield stage
