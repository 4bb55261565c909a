"""Azure DevOps as a stage: an agent runs the pipelines of examples/azure, whose token is a job's own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import pytest

from gitops_promotion.core.forge import OWN_CONTEXT
from tests.conftest import Checkout
from tests.forges import azure_errors, faults
from tests.forges.azure import AzureDevOps
from tests.forges.azure_people import HostedRepo
from tests.forges.azure_state import Event, Strategy
from tests.forges.faults import Fault, Faults, Request
from tests.forges.saved import save
from tests.stories.stage import Budgets, Method, Pull, Trigger

STATUS = 7
PUBLISHED = 8
"""The pipelines examples/azure/status.yml and published.yml, as the branch's policies know them."""

STRATEGIES: Mapping[Method, Strategy] = {"merge": "noFastForward", "squash": "squash", "rebase": "rebase"}
STATES = {"succeeded": "success", "failed": "failure", "pending": "pending"}


@dataclass(frozen=True, kw_only=True)
class Image:
    """The run of an application's pipeline that new.yml waits for, or its parameters."""

    group: str
    app: str
    tag: str


@dataclass(kw_only=True)
class AzureStage:
    """See `Stage`."""

    server: AzureDevOps
    hosted: HostedRepo
    base: Mapping[str, str]
    token: str
    name: ClassVar[str] = "Azure DevOps"
    nothing_follows: str = "unchanged"
    methods: tuple[Method, ...] = ("merge", "squash", "rebase")
    budgets: ClassVar[Budgets] = Budgets(
        new=10, promote=2, promotion=10, status=3, look=1, publish=4, gate=1, verdict=3
    )
    passing: Sequence[Fault] = (
        faults.server_error(502),
        faults.reset(done=True),
        faults.malformed(),
        azure_errors.throttled(retry_after=7),
    )
    refusing: Sequence[Fault] = (azure_errors.unauthorized(), azure_errors.forbidden())
    published: bool = False
    _seen: int = 0
    _images: list[Image] = field(default_factory=list)
    _heard: bool = False
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
        hosted = self.server.repository(f"platform/gitops-{len(self.server.world.repos)}", files)
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
        images, self._images = self._images, []
        found = [Trigger(kind="dispatch", sha=self.branches()["main"], event=image) for image in images]
        found += [trigger for event in events for trigger in self._triggers(event)]
        if self._heard and self.published and not found:
            # No pipeline is started by a status: the schedule of published.yml finds what Flux has said meanwhile. A
            # vote starts vote.yml, which runs on main too.
            found.append(self.schedule())
            self._heard = False
        return found

    def _triggers(self, event: Event) -> Iterator[Trigger]:
        if event.name == "push" and event.branch == "main":
            yield Trigger(kind="push", sha=event.sha, event=event)
        elif event.name == "pull_request":
            pull = self.hosted.pull(event.number)
            if pull.active and pull.head_sha == event.sha and (merge := self.hosted.merge_ref(event.number)):
                self._merge_refs[event.number] = merge
                yield Trigger(kind="pull_request", branch=event.branch, sha=event.sha, number=event.number, event=event)

    def dispatch(self, group: str, app: str, tag: str) -> None:
        self._images.append(Image(group=group, app=app, tag=tag))

    def schedule(self) -> Trigger:
        return Trigger(kind="schedule", sha=self.branches()["main"])

    def checkout(self, trigger: Trigger, path: Path) -> Checkout:
        sha, local = self.branches()["main"], "refs/remotes/origin/main"
        if trigger.number:
            sha, local = self._merge_refs[trigger.number], f"refs/remotes/pull/{trigger.number}/merge"
        elif trigger.kind == "push":
            sha = trigger.sha
        return self.hosted.git.check_out(path, self.base, sha, local, url=self.hosted.url, branch="")

    def environ(self, trigger: Trigger, folder: Path, *, reads: bool) -> Mapping[str, str]:  # noqa: ARG002  one token
        reasons = {
            "dispatch": "ResourceTrigger",
            "push": "BatchedCI",
            "pull_request": "PullRequest",
            "schedule": "Schedule",
        }
        found = {
            "AGENT_TEMPDIRECTORY": str(folder),
            "BUILD_BUILDID": "4711",
            "BUILD_REASON": reasons[trigger.kind],
            "BUILD_REPOSITORY_PROVIDER": "TfsGit",
            "BUILD_SOURCEBRANCH": "refs/heads/main",
            "BUILD_SOURCEVERSION": trigger.sha,
            "SYSTEM_ACCESSTOKEN": self.token,
            "SYSTEM_COLLECTIONURI": f"{self.server.collection}/",
            "SYSTEM_TEAMPROJECT": self.hosted.repo.project,
            "TF_BUILD": "True",
        }
        if trigger.number:
            found |= {
                "BUILD_SOURCEBRANCH": f"refs/pull/{trigger.number}/merge",
                "BUILD_SOURCEVERSION": self._merge_refs[trigger.number],
                "SYSTEM_PULLREQUEST_ISFORK": "False",
                "SYSTEM_PULLREQUEST_PULLREQUESTID": str(trigger.number),
                "SYSTEM_PULLREQUEST_SOURCEBRANCH": f"refs/heads/{trigger.branch}",
                "SYSTEM_PULLREQUEST_SOURCECOMMITID": trigger.sha,
                "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
            }
        return found

    def arguments(self, trigger: Trigger) -> Sequence[str]:
        image = trigger.event
        if not isinstance(image, Image):
            return ()
        return ("--group", image.group, "--app", image.app, "--tag", image.tag)

    def report(self, trigger: Trigger, *, passed: bool) -> None:
        assert trigger.number
        pull = self.hosted.pull(trigger.number)
        if pull.active and pull.head_sha == trigger.sha:
            self.hosted.finish_build(trigger.number, STATUS, passed=passed)

    # -- rules and settings

    def require_check(self, *, up_to_date: bool = False) -> None:
        if up_to_date:
            raise NotImplementedError
        self.published = False
        self.hosted.drop_policies()
        self.hosted.require_build(STATUS, name="promotion-status")

    def require_verdict(self) -> None:
        self.published = True
        self.hosted.drop_policies()
        self.hosted.require_status(OWN_CONTEXT)
        self.hosted.require_build(PUBLISHED, blocking=False)

    def merge_by(self, method: Method) -> None:
        self.hosted.allow_strategies(STRATEGIES[method])
        self.methods = (method,)

    def queue(self, minimum: int) -> None:
        raise NotImplementedError

    def be_late(self, reads: int) -> None:
        self.server.world.late_reads = reads

    def crowd(self, *, opened: int, closed: int) -> None:
        self.hosted.crowd(opened=opened, closed=closed)

    # -- people and Flux

    def flux(self, sha: str, name: str, uid: str, *, healthy: bool, description: str) -> None:
        context = f"kustomization/{name}/{uid}"
        self.hosted.post_status(sha, context, "succeeded" if healthy else "error", description=description)
        self._heard = True

    def post(self, sha: str, context: str, *, passed: bool) -> None:
        self.hosted.post_status(sha, context, "succeeded" if passed else "failed", genre=None, by="mallory")

    def verdicts(self, sha: str) -> list[tuple[str, str]]:
        said = [each for each in self.hosted.repo.statuses.get(sha, []) if each.name == OWN_CONTEXT and not each.genre]
        return [(STATES[each.state], each.description or "") for each in reversed(said)]

    def pulls(self) -> list[Pull]:
        return [
            Pull(
                number=pull.number,
                branch=pull.head_ref,
                sha=pull.head_sha,
                state="open" if pull.active else "merged" if pull.status == "completed" else "closed",
                armed=pull.active and bool(pull.auto_by),
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
        self.hosted.complete(number, STRATEGIES[self.methods[0]])

    def merge_together(self, numbers: Sequence[int]) -> None:
        start = len(self.server.events)
        for number in numbers:
            self.merge(number)
        # `batch: true` of promote.yml: what is pushed while it runs starts one run more.
        self.server.events[start:] = self.server.events[-1:]

    def close(self, number: int) -> None:
        self.hosted.abandon(number)

    def review(self, number: int, by: str, *, approve: bool) -> None:
        self.hosted.vote(number, by, 10 if approve else -10)
        self._heard = True

    def token_of(self, person: str) -> str:
        return self.server.give_token(person)

    def comments(self, number: int) -> list[str]:
        threads = self.hosted.pull(number).threads
        comments = (comment for thread in threads for comment in thread.comments)
        return [comment.text for comment in comments if comment.kind == "text" and not comment.deleted]

    def reviews(self, number: int) -> list[str]:
        return [f"{name}: {vote}" for name, vote in self.hosted.pull(number).votes.items()]

    def texts(self, number: int) -> tuple[str, str]:
        pull = self.hosted.pull(number)
        return pull.title, pull.body

    def files(self, sha: str) -> Mapping[str, str]:
        return self.hosted.git.contents(sha)

    def edit(self, number: int, *, body: str) -> None:
        self.hosted.edit(number, body=body)


@pytest.fixture
def azdo_stage(tmp_path: Path, webshop: dict[str, str], environ: dict[str, str]) -> Iterator[AzureStage]:
    """The webshop on an Azure DevOps whose pull requests are not known to be mergeable at once."""
    with AzureDevOps(tmp_path / "azure") as server:
        server.world.unsettled_reads = 1
        stage = AzureStage(
            server=server,
            hosted=server.repository("platform/gitops", webshop),
            base=environ,
            token=server.give_token("build", kind="jwt"),
        )
        stage.require_check()
        yield stage
