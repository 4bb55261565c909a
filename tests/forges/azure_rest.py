"""The endpoints of Azure DevOps that this tool and its client use, by the ids that the client knows them by.

Each names the model of its answer in the client, against which every answer is checked, and the page of the REST
reference (docs: AREA - OPERATION) that its behaviour comes from where the client does not tell.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from tests.forges import azure_rules as rules
from tests.forges.azure_shapes import Shapes, page, time
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

PROJECT = "{project}/_apis/{area}"
REPOSITORY = f"{PROJECT}/repositories/{{repositoryId}}"
PULL = f"{REPOSITORY}/pullRequests/{{pullRequestId}}"
MANY = 1000


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


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """`model` is the client's for the answer, or for the items of `value` if it starts with `[`."""

    id: str
    area: str
    resource: str
    template: str
    methods: Mapping[str, tuple[Answer, str]]

    @property
    def path(self) -> "re.Pattern[str]":
        filled = self.template.replace("{area}", self.area).replace("{resource}", self.resource)
        # What ends a route may be left out.
        optional = re.sub(r"/\{(pullRequestId)\}$", r"(?:/(?P<\1>[0-9]+))?", filled)
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", optional), re.IGNORECASE)

    @property
    def location(self) -> dict[str, Any]:
        """What OPTIONS says of it."""
        return {
            "id": self.id,
            "area": self.area,
            "resourceName": self.resource,
            "routeTemplate": self.template,
            "resourceVersion": 1,
            "minVersion": "1.0",
            "maxVersion": "7.2",
            "releasedVersion": "7.1",
        }


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
        pull.status, pull.closed_by, pull.closed_at = "abandoned", call.token.name, call.world.clock.tick()
        pull.auto_by = ""
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


def list_threads(call: Call) -> Any:
    return page([call.shapes.vote_thread(vote) for vote in call.pull.said])


def list_iterations(call: Call) -> Any:
    return page(
        [
            {
                "id": each.id,
                "sourceRefCommit": call.shapes.commit(each.sha),
                "createdDate": time(each.at),
                "updatedDate": time(each.at),
            }
            for each in call.pull.iterations
        ]
    )


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


def the_commit(call: Call) -> str:
    sha = call.parts["commitId"]
    if not call.repo.git.has(f"{sha}^{{commit}}"):
        raise RefusedError(
            404,
            "GitCommitDoesNotExistException",
            f"TF401175: The version descriptor <Commit: {sha}> could not be found.",
        )
    return sha


def post_status(call: Call) -> Any:
    sha = the_commit(call)
    status = make_status(call)
    call.repo.statuses.setdefault(sha, []).append(status)
    return call.shapes.status(status)


def list_statuses(call: Call) -> Any:
    """docs: Statuses - List."""
    said = list(reversed(call.repo.statuses.get(the_commit(call), [])))
    if call.query.get("latestOnly", "false").lower() == "true":
        newest: dict[tuple[str | None, str], Status] = {}
        for status in said:
            newest.setdefault((status.genre, status.name), status)
        said = list(newest.values())
    skip, top = int(call.query.get("skip", 0)), min(int(call.query.get("top", MANY)), call.page_size)
    return page([call.shapes.status(each) for each in said[skip : skip + top]])


def commits_batch(call: Call) -> Any:
    """docs: Commits - Get Commits Batch."""
    body = call.body
    if version := body.get("itemVersion"):
        shas = call.repo.git.git("rev-list", f"--max-count={call.query['$top']}", version["version"], "--").split()
    else:
        shas = body["ids"]
        for sha in shas:
            the_commit(Call(**{**vars(call), "parts": {"commitId": sha}}))
    found = []
    for sha in shas:
        shown = call.shapes.commit(sha)
        said = call.repo.statuses.get(sha, []) if call.batches else []
        if said and call.query.get("includeStatuses", "false").lower() == "true":
            shown["statuses"] = [call.shapes.status(each) for each in said]
        found.append(shown)
    return page(found)


def list_refs(call: Call) -> Any:
    """docs: Refs - List: `filter` is the beginning of a name without `refs/`; pages go on by a token."""
    start = call.query.get("filter", "").removeprefix("heads/")
    names = sorted(name for name in call.repo.tips if name.startswith(start))
    after = int(call.query.get("continuationToken", 0))
    top = min(int(call.query.get("$top", MANY)), call.page_size)
    if after + top < len(names):
        call.headers["x-ms-continuationtoken"] = str(after + top)
    return page(
        [{"name": f"refs/heads/{name}", "objectId": call.repo.tips[name]} for name in names[after : after + top]]
    )


def list_policies(call: Call) -> Any:
    """docs: Git - Policy Configurations - Get."""
    repo = next((repo for repo in call.world.repos.values() if repo.id == call.query.get("repositoryId")), None)
    branch = call.query.get("refName", "").removeprefix("refs/heads/")
    return page([call.shapes.policy(policy, repo) for policy in repo.policies_of(branch)] if repo else [])


def list_evaluations(call: Call) -> Any:
    """docs: Policy - Evaluations - List: they come into being some time after a push."""
    found = re.fullmatch(r"vstfs:///CodeReview/CodeReviewId/([^/]+)/([0-9]+)", call.query.get("artifactId", ""))
    if found is None:
        raise RefusedError(400, "InvalidArgumentValueException", "The artifactId is malformed.")
    for repo in call.world.repos.values():
        if repo.project_id == found[1] and int(found[2]) in repo.pulls:
            pull = repo.pulls[int(found[2])]
            if pull.unevaluated:
                pull.unevaluated -= 1
                return page([])
            return page([call.shapes.evaluation(each, state, repo, pull) for each, state in rules.evaluate(repo, pull)])
    return page([])


def connection_data(call: Call) -> Any:
    me = {"id": guid("identity", call.token.name), "providerDisplayName": call.token.name, "isActive": True}
    return {"authenticatedUser": me, "authorizedUser": me, "instanceId": guid("instance", "azure")}


ENDPOINTS = (
    Endpoint(
        id="00d9565f-ed9c-4a06-9a50-00e7896ccab4",
        area="Location",
        resource="ConnectionData",
        template="_apis/{resource}",
        methods={"GET": (connection_data, "ConnectionData")},
    ),
    Endpoint(
        id="9946fd70-0d40-406e-b686-b4744cbbcc37",
        area="git",
        resource="pullRequests",
        template=f"{REPOSITORY}/{{resource}}/{{pullRequestId}}",
        methods={
            "GET": (get_pull, "GitPullRequest"),
            "PATCH": (update_pull, "GitPullRequest"),
            "POST": (create_pull, "GitPullRequest"),
        },
    ),
    Endpoint(
        id="b3a6eebe-9cf0-49ea-b6cb-1a4c5f5007b0",
        area="git",
        resource="pullRequestQuery",
        template=f"{REPOSITORY}/{{resource}}",
        methods={"POST": (query_pulls, "GitPullRequestQuery")},
    ),
    Endpoint(
        id="ab6e2e5d-a0b7-4153-b64a-a4efe0d49449",
        area="git",
        resource="threads",
        template=f"{PULL}/{{resource}}",
        methods={"GET": (list_threads, "[GitPullRequestCommentThread]")},
    ),
    Endpoint(
        id="d43911ee-6958-46b0-a42b-8445b8a0d004",
        area="git",
        resource="iterations",
        template=f"{PULL}/{{resource}}",
        methods={"GET": (list_iterations, "[GitPullRequestIteration]")},
    ),
    Endpoint(
        id="75cf11c5-979f-4038-a76e-058a06adf2bf",
        area="git",
        resource="statuses",
        template=f"{PULL}/iterations/{{iterationId}}/{{resource}}",
        methods={"POST": (post_pull_status, "GitPullRequestStatus")},
    ),
    Endpoint(
        id="428dd4fb-fda5-4722-af02-9313b80305da",
        area="git",
        resource="statuses",
        template=f"{REPOSITORY}/commits/{{commitId}}/{{resource}}",
        methods={"GET": (list_statuses, "[GitStatus]"), "POST": (post_status, "GitStatus")},
    ),
    Endpoint(
        id="6400dfb2-0bcb-462b-b992-5a57f8f1416c",
        area="git",
        resource="commitsBatch",
        template=f"{REPOSITORY}/{{resource}}",
        methods={"POST": (commits_batch, "[GitCommitRef]")},
    ),
    Endpoint(
        id="2d874a60-a811-4f62-9c9f-963a6ea0a55b",
        area="git",
        resource="refs",
        template=f"{REPOSITORY}/{{resource}}",
        methods={"GET": (list_refs, "[GitRef]")},
    ),
    Endpoint(
        id="2c420070-a0a2-49cc-9639-c9f271c5ff07",
        area="git",
        resource="configurations",
        template=f"{PROJECT}/policy/{{resource}}",
        methods={"GET": (list_policies, "[PolicyConfiguration]")},
    ),
    Endpoint(
        id="c23ddff5-229c-4d04-a80b-0fdce9f360c8",
        area="policy",
        resource="evaluations",
        template=f"{PROJECT}/{{resource}}",
        methods={"GET": (list_evaluations, "[PolicyEvaluationRecord]")},
    ),
)


def find(method: str, path: str) -> tuple[Answer, str, Mapping[str, str]] | None:
    """Return who answers a request below the collection, the model of the answer, and the parts of its path."""
    for endpoint in ENDPOINTS:
        match = endpoint.path.fullmatch(path)
        if match and method in endpoint.methods:
            parts = {key: value for key, value in match.groupdict().items() if value is not None}
            answer, model = endpoint.methods[method]
            if answer is get_pull and "pullRequestId" not in parts:
                answer, model = list_pulls, "[GitPullRequest]"
            return answer, model, parts
    return None
