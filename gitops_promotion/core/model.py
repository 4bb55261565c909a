"""The nouns of a promotion: the request, the plan, and the outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Literal, Protocol, Self

from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.config import Config
from gitops_promotion.core.forge import AutoMerge, PullRequest
from gitops_promotion.core.gates import Question, Verdict
from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.names import Application
from gitops_promotion.core.origin import UNKNOWN, Origin
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.errors import Fault, PromotionError

Result = Literal[
    "opened",
    "updated",
    "merged",
    "unchanged",
    "skipped",
    "declined",
    "planned",
    "passed",
    "refused",
    "timed-out",
    "failed",
]


class Kind(Protocol):
    """One kind of request, such as a promotion: what differs between kinds is here (`core/kinds/`)."""

    uses_settings: ClassVar[bool] = False
    """True if `branchTemplate`, `templates`, `labels`, `reviewers` and `assignees` of the configuration count."""
    changes_tag: ClassVar[bool] = False
    """True if an application gets another tag: its pull request says what changes, its commit who started it."""
    goes_back: ClassVar[bool] = False
    """True if the tag is an earlier one."""
    edits_only_tags: ClassVar[bool] = False
    """True if a branch may be kept while it changes nothing but tags, and the holds that these tags lift."""
    stops_at_holds: ClassVar[bool] = False
    """True if a hold in an open pull request stops its arming even if no gate judges it."""

    prefix: ClassVar[str] = ""
    """The beginning of its branches if `beyond` decides what may be on them, else ""."""

    @property
    def name(self) -> str:
        """Its `type` in the metadata of pull requests."""

    def branch(self, request: "Request", config: Config) -> str:
        """Return the branch of its pull request, without `refs/heads/`."""

    def title(self, request: "Request") -> str:
        """Return the whole title of its pull request, before it is cut to the limit."""

    def trailers(self, _request: "Request") -> Mapping[str, str]:
        """Return the trailers of its commit that not all kinds have; "" leaves one out."""
        return {}

    def notes(self, request: "Request", config: Config) -> list[str]:
        """Return the sentences of its pull request that say what it waits for, and who merges it."""
        if config.environment(request.environment).auto:
            return ["It merges by itself when its checks pass."]
        return ["It waits for a person to merge it."]

    def is_gated(self, request: "Request", config: Config) -> bool:
        """Return True if the pull request must not merge before this tool's own check has passed."""
        return self.changes_tag and config.is_gated(request.application, request.environment)

    def scope(self, _request: "Request") -> str:
        """Return what its branch may change, for messages."""
        return ""

    def beyond(
        self, _request: "Request", _changes: Sequence[FileChange], _blobs: Mapping[str, bytes], _config: Config
    ) -> list[str]:
        """Return the paths of a diff that change more than the scope, whatever its commits claim."""
        return []

    def by_hand(self, request: "Request") -> str:
        """Return the end of an outcome's sentence about a pull request that a person must merge."""
        return f"waits for a person to merge it ({request.environment} has auto: false)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is requested: `environment` gets `tag` of an application.

    `feature` names a temporary version of the application, "" for the application itself. A request that removes
    copies has no tag, and no application if it concerns several. `origin` has the people behind it, `reason` is what a
    person said about a rollback. `started_at` is when the run of `new` began, for a request without `built_at`.
    """

    kind: Kind
    application: Application
    environment: str
    tag: Tag = NO_TAG
    feature: str = ""
    built_at: datetime | None = None
    started_at: datetime | None = None
    origin: Origin = UNKNOWN
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a request would change; `edits` maps a path to its new content, None deletes it.

    `url` is the address of a feature, "" where it has no host.
    """

    request: Request
    branch: str
    base: str
    base_sha: str
    previous_tag: str
    message: str
    title: str
    body: str
    auto_merge: bool
    gated: bool
    edits: Mapping[str, bytes | None]
    url: str = ""
    diff: str = ""
    warnings: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class Subject(Protocol):
    """What an outcome is about, such as a request or a question for the gates."""

    @property
    def application(self) -> Application:
        """Its application, `NO_APPLICATION` for several."""

    @property
    def environment(self) -> str:
        """The environment that the tag goes into."""

    @property
    def tag(self) -> Tag:
        """Its tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one promotion or one check. A failed one keeps its error, so that code can ask for its class.

    `of`, `of_plan` and `failed` fill in the names. `tally` has the opinions of people, None where nobody is asked.
    `verdicts` are those of the gates on each question, where they were asked for a verdict to publish; the question is
    None where the head as a whole is refused.
    """

    result: Result
    message: str
    group: str = ""
    app: str = ""
    environment: str = ""
    tag: str = ""
    previous_tag: str = ""
    branch: str = ""
    sha: str = ""
    feature_url: str = ""
    pull_request: PullRequest | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    plan: Plan | None = None
    diff: str = ""
    tally: Tally | None = None
    verdicts: tuple[tuple[Question | None, Verdict], ...] = ()
    error: PromotionError | None = field(default=None, repr=False)

    @classmethod
    def of(cls, subject: Subject | None, result: Result, message: str) -> Self:
        """Return an outcome with the names of its subject; None for a run that is about no application."""
        if subject is None:
            return cls(result=result, message=message)
        return cls(
            result=result,
            message=message,
            group=subject.application.group,
            app=subject.application.name,
            environment=subject.environment,
            tag=str(subject.tag),
        )

    @classmethod
    def of_plan(cls, plan: Plan, result: Result, message: str) -> Self:
        """Return an outcome with the names, the branch and the warnings of a plan."""
        return replace(
            cls.of(plan.request, result, message),
            previous_tag=plan.previous_tag,
            branch=plan.branch,
            feature_url=plan.url,
            warnings=plan.warnings,
        )

    @classmethod
    def of_pull_request(
        cls, plan: Plan, result: Result, head_sha: str, pull_request: PullRequest, auto_merge: AutoMerge
    ) -> Self:
        """Return the outcome of a plan whose pull request is open, or merged already; `auto_merge` is its state now."""
        by_hand = plan.request.kind.by_hand(plan.request)
        messages = {
            "merged": "merged" + (f", {auto_merge.reason}" if auto_merge.reason else ""),
            "armed": "merges by itself when its checks pass",
            "off": f"is open, with auto-merge off: {auto_merge.reason}" if auto_merge.reason else by_hand,
            "refused": f"open, but not armed: {auto_merge.reason}",
        }
        is_disarmed = pull_request.auto_merge and auto_merge.state == "off" and result == "unchanged"
        final: Result = auto_merge.state if auto_merge.state in ("merged", "refused") else result
        final = "updated" if is_disarmed else final
        message = f"pull request #{pull_request.number} {messages[auto_merge.state]}"
        pull = replace(pull_request, auto_merge=auto_merge.state == "armed")
        return replace(cls.of_plan(plan, final, message), sha=head_sha, pull_request=pull)

    @classmethod
    def failed(
        cls, error: PromotionError, *, group: str = "", app: str = "", environment: str = "", tag: str = ""
    ) -> Self:
        """Return the outcome of something that ended with an error, while the rest of the run continues."""
        return cls(
            result="failed", message=str(error), error=error, group=group, app=app, environment=environment, tag=tag
        )

    @classmethod
    def failed_for(cls, application: Application, environment: str, error: PromotionError) -> Self:
        """Return the outcome of one application in one environment that ended with an error."""
        return cls.failed(error, group=application.group, app=application.name, environment=environment)

    @property
    def exit_code(self) -> int:
        """0 for success, 3 for refused, 4 for timed out; a failed outcome has the exit code of its error."""
        failure = self.error.exit_code if self.error else PromotionError.exit_code
        return {"refused": 3, "timed-out": 4, "failed": failure}.get(self.result, 0)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The lines of files that its error is about."""
        return self.error.faults if self.error else ()
