"""What Azure DevOps answers to requests about pull requests: one taken apart, then by the page of the reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from tests.forges import azure_rules as rules
from tests.forges.azure_shapes import Shapes, page
from tests.forges.azure_state import (
    NOBODY,
    Options,
    Pull,
    RefusedError,
    Repo,
    State,
    Status,
    Strategy,
    Token,
    World,
    guid,
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, taken apart. `repo` is there where the path names one."""

    world: World
    token: Token
    shapes: Shapes
    query: Mapping[str, str]
    body: Mapping[str, Any]
    parts: Mapping[str, str]
    page_size: int
    batches: bool
    areas: bool
    headers: dict[str, str]
    repository: Repo | None = None

    @property
    def repo(self) -> Repo:
        assert self.repository is not None
        return self.repository

    @property
    def pull(self) -> Pull:
        return self.repo.pull(int(self.parts["pullRequestId"]))

    def needs(self, permission: str) -> None:
        """docs: Permissions and groups reference, Git repository."""
        if permission in self.token.lacks:
            raise RefusedError(
                403,
                "GitNeedsPermissionException",
                f"TF401027: You need the Git '{permission}' permission to perform this action. Details: identity "
                f"'{self.token.name}', scope 'repository'.",
            )


Answer = Callable[[Call], Any]


def list_pulls(call: Call) -> Any:
    wanted, status = call.query, call.query.get("searchCriteria.status", "active").lower()
    found = [call.repo.seen(pull) for pull in reversed(call.repo.pulls.values())]
    if status != "all":
        found = [pull for pull in found if pull.status == status]
    if source := wanted.get("searchCriteria.sourceRefName"):
        found = [pull for pull in found if f"refs/heads/{pull.head_ref}" == source]
    skip, top = int(wanted.get("$skip", 0)), min(int(wanted.get("$top", 101)), call.page_size)
    return page([call.shapes.pull(call.repo, pull, listed=True) for pull in found[skip : skip + top]])


def get_pull(call: Call) -> Any:
    pull = call.repo.seen(call.pull)
    return shown(call, pull)


def shown(call: Call, pull: Pull) -> Any:
    """A pull request, its trial merge made; it takes a while for readers to see that."""
    if pull.active and pull.head_ref in call.repo.tips:
        pull.trial, pull.base_sha = rules.trial(call.repo, pull), call.repo.tips[pull.base_ref]
    answer = call.shapes.pull(call.repo, pull)
    pull.unsettled = max(0, pull.unsettled - 1)
    return answer


def create_pull(call: Call) -> Any:
    call.needs("PullRequestContribute")
    body = call.body
    pull = rules.open_pull(
        call.repo,
        head=body["sourceRefName"].removeprefix("refs/heads/"),
        base=body["targetRefName"].removeprefix("refs/heads/"),
        title=body["title"],
        body=body.get("description", ""),
        author=call.token.name,
    )
    return shown(call, pull)


UPDATABLE = {
    "autoCompleteSetBy",
    "completionOptions",
    "description",
    "isDraft",
    "lastMergeSourceCommit",
    "status",
    "targetRefName",
    "title",
}
"""docs: Pull Requests - Update."""


def update_pull(call: Call) -> Any:
    call.needs("PullRequestContribute")
    pull, body = call.pull, call.body
    if odd := set(body) - UPDATABLE:
        raise RefusedError(
            400, "InvalidArgumentValueException", f"Invalid argument value. Parameter name: {sorted(odd)}"
        )
    if pull.status == "completed" or (not pull.active and body.get("status") != "active"):
        raise RefusedError(
            403,
            "GitPullRequestNotEditableException",
            "TF401181: The pull request cannot be edited due to its state.",
        )
    rules.check_texts(body.get("title", ""), body.get("description", ""))
    target = body.get("targetRefName", pull.base_ref).removeprefix("refs/heads/")
    rules.check_rivals(call.repo, head=pull.head_ref, base=target, fork=pull.fork, but=pull)
    pull.base_ref = target
    pull.title, pull.body = body.get("title", pull.title), body.get("description", pull.body)
    if options := body.get("completionOptions"):
        pull.options = read_options(options)
    if body.get("status") == "abandoned":
        rules.abandon(call.repo, pull, call.token.name)
    elif body.get("status") == "completed":
        complete(call, pull)
    elif who := body.get("autoCompleteSetBy", {}).get("id"):
        set_auto_complete(call, pull, who)
    # Completing answers with what was before, and goes on meanwhile.
    return shown(call, call.repo.seen(pull))


def read_options(options: Mapping[str, Any]) -> Options:
    return Options(
        strategy=cast("Strategy", options.get("mergeStrategy", "noFastForward")),
        delete_source=bool(options.get("deleteSourceBranch")),
        ignored=tuple(options.get("autoCompleteIgnoreConfigIds") or ()),
        transition_work_items=options.get("transitionWorkItems"),
        message=options.get("mergeCommitMessage") or "",
    )


def set_auto_complete(call: Call, pull: Pull, who: str) -> None:
    """A draft, a stranger, or a user who may not write to the base: the server takes no notice."""
    if who == NOBODY:
        pull.auto_by = ""
    elif who == guid("identity", call.token.name) and "GenericContribute" not in call.token.lacks:
        rules.arm(call.repo, pull, call.token.name)


def complete(call: Call, pull: Pull) -> None:
    call.needs("GenericContribute")
    if call.body.get("lastMergeSourceCommit", {}).get("commitId") is None:
        raise RefusedError(
            400,
            "InvalidArgumentValueException",
            "Invalid argument value. Parameter name: You must specify a valid LastMergeSourceCommit to perform this "
            "operation.",
        )
    if call.body["lastMergeSourceCommit"]["commitId"] != pull.head_sha:
        raise RefusedError(
            409,
            "GitPullRequestStaleException",
            "TF401192: The pull request was edited since: its source branch was modified.",
        )
    if held := rules.blockers(call.repo, pull):
        raise RefusedError(
            400,
            "GitPullRequestUpdateRejectedByPolicyException",
            f"TF402455: the policy {held[0].name or held[0].kind!r} does not let it complete.",
        )
    if not rules.allows(call.repo, pull.base_ref, pull.options.strategy):
        raise RefusedError(
            400,
            "GitPullRequestUpdateRejectedByPolicyException",
            f"The merge strategy {pull.options.strategy} is not allowed by policy.",
        )
    rules.complete(call.repo, pull, pull.options, call.token.name)


def query_pulls(call: Call) -> Any:
    """docs: Pull Request Query - Get."""
    results = []
    for query in call.body["queries"]:
        found: dict[str, list[Any]] = {}
        for sha in query["items"]:
            for pull in call.repo.pulls.values():
                last = query["type"] == "lastMergeCommit" and pull.trial == sha
                if pull.status == "completed" and (last or (query["type"] == "commit" and sha in pull.brought)):
                    found.setdefault(sha, []).append(call.shapes.pull(call.repo, pull, listed=True))
        results.append(found)
    return {"queries": call.body["queries"], "results": results}


def make_status(call: Call, iteration: int | None = None) -> Status:
    context = call.body.get("context") or {}
    if not context.get("name"):
        raise RefusedError(400, "InvalidArgumentValueException", "A status needs the name of its context.")
    return Status(
        id=call.world.new_id(),
        genre=context.get("genre"),
        name=context["name"],
        state=cast("State", call.body.get("state", "notSet")),
        description=call.body.get("description"),
        target_url=call.body.get("targetUrl"),
        by=call.token.name,
        at=call.world.clock.tick(),
        iteration=iteration,
    )


def post_pull_status(call: Call) -> Any:
    iteration = int(call.parts["iterationId"])
    if iteration not in {each.id for each in call.pull.iterations}:
        raise RefusedError(404, "GitPullRequestIterationNotFoundException", f"Iteration {iteration} does not exist.")
    status = make_status(call, iteration)
    call.pull.statuses.append(status)
    rules.settle(call.repo)
    return call.shapes.status(status)
