"""The endpoints of Azure DevOps that this tool and its client use, by the ids that the client knows them by.

Each names the model of its answer in the client, against which every answer is checked, and the page of the REST
reference (docs: AREA - OPERATION) that its behaviour comes from where the client does not tell.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.forges import azure_rules as rules
from tests.forges.azure_pulls import (
    Answer,
    Call,
    create_pull,
    get_pull,
    list_pulls,
    make_status,
    post_pull_status,
    query_pulls,
    update_pull,
)
from tests.forges.azure_shapes import page
from tests.forges.azure_state import RefusedError, Status, guid
from tests.forges.azure_threads import (
    add_label,
    create_thread,
    delete_comment,
    edit_comment,
    list_iterations,
    list_pushes,
    list_threads,
    put_reviewer,
    read_identities,
)

PROJECT = "{project}/_apis/{area}"
REPOSITORY = f"{PROJECT}/repositories/{{repositoryId}}"
PULL = f"{REPOSITORY}/pullRequests/{{pullRequestId}}"
MANY = 1000


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """`model` is the client's for the answer, or for the items of `value` if it starts with `[`."""

    id: str
    area: str
    resource: str
    template: str
    methods: Mapping[str, tuple[Answer, str]]

    @cached_property
    def path(self) -> "re.Pattern[str]":
        filled = self.template.replace("{area}", self.area).replace("{resource}", self.resource)
        # What ends a route may be left out.
        optional = re.sub(
            r"/\{(pullRequestId|areaId|pushId|identityId|labelIdOrName)\}$", r"(?:/(?P<\1>[^/]+))?", filled
        )
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


def the_commit(call: Call) -> str:
    sha = call.parts["commitId"]
    if call.repo.git.one_commit(sha) is None:
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
        shas = [each.sha for each in call.repo.git.commits(version["version"])][: int(call.query["$top"])]
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


def get_commit(call: Call) -> Any:
    """docs: Commits - Get."""
    sha = the_commit(call)
    return call.shapes.commit(sha) | {"comment": call.repo.git.objects.commit(sha).message}


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
    """docs: Git - Policy Configurations - List: all that apply to the branch, the repository's own too."""
    repo = next((repo for repo in call.world.repos.values() if repo.id == call.query.get("repositoryId")), None)
    branch = call.query.get("refName", "").removeprefix("refs/heads/")
    found = [*repo.policies_of(branch), *repo.policies_of("")] if repo else []
    return page([call.shapes.policy(policy, repo) for policy in found] if repo else [])


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


PERMISSIONS = {4: "GenericContribute", 16: "CreateBranch", 16384: "PullRequestContribute"}
"""docs: Security namespace and permission reference, Git repositories."""


def get_repository(call: Call) -> Any:
    return call.shapes.repository(call.repo)


def evaluate_permissions(call: Call) -> Any:
    """docs: Security - Permissions - Has Permissions Batch; of the caller."""
    tokens = {f"repoV2/{repo.project_id}/{repo.id}" for repo in call.world.repos.values()}
    evaluations = [
        each | {"value": each["token"] in tokens and PERMISSIONS[each["permissions"]] not in call.token.lacks}
        for each in call.body["evaluations"]
    ]
    return {"alwaysAllowAdministrators": False, "evaluations": evaluations}


def connection_data(call: Call) -> Any:
    me = call.shapes.account(call.token.name)
    return {"authenticatedUser": me, "authorizedUser": me, "instanceId": guid("instance", "azure")}


def list_areas(call: Call) -> Any:
    """The address of each service; a server of one's own names none (docs/facts/forges.md#the-sdk)."""
    area = {"4e080c62-fa21-4fbc-8fef-2a10a2b38049": "git", "fb13a388-40dd-4a04-b530-013a739c72ef": "policy"}
    found = [{"id": key, "name": name, "locationUrl": f"{call.shapes.collection}/"} for key, name in area.items()]
    return page(found if call.areas else [])


ENDPOINTS = (
    Endpoint(
        id="e81700f7-3be2-46de-8624-2eb35882fcaa",
        area="Location",
        resource="ResourceAreas",
        template="_apis/{resource}/{areaId}",
        methods={"GET": (list_areas, "[ResourceAreaInfo]")},
    ),
    Endpoint(
        id="00d9565f-ed9c-4a06-9a50-00e7896ccab4",
        area="Location",
        resource="ConnectionData",
        template="_apis/{resource}",
        methods={"GET": (connection_data, "ConnectionData")},
    ),
    Endpoint(
        id="cf1faa59-1b63-4448-bf04-13d981a46f5d",
        area="Security",
        resource="PermissionEvaluationBatch",
        template="_apis/{area}/{resource}",
        methods={"POST": (evaluate_permissions, "PermissionEvaluationBatch")},
    ),
    Endpoint(
        id="225f7195-f9c7-4d14-ab28-a83f7ff77e1f",
        area="git",
        resource="repositories",
        template=f"{PROJECT}/{{resource}}/{{repositoryId}}",
        methods={"GET": (get_repository, "GitRepository")},
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
        methods={
            "GET": (list_threads, "[GitPullRequestCommentThread]"),
            "POST": (create_thread, "GitPullRequestCommentThread"),
        },
    ),
    Endpoint(
        id="965a3ec7-5ed8-455a-bdcb-835a5ea7fe7b",
        area="git",
        resource="comments",
        template=f"{PULL}/threads/{{threadId}}/{{resource}}/{{commentId}}",
        methods={"PATCH": (edit_comment, "Comment"), "DELETE": (delete_comment, "")},
    ),
    Endpoint(
        id="f22387e3-984e-4c52-9c6d-fbb8f14c812d",
        area="git",
        resource="labels",
        template=f"{PULL}/{{resource}}/{{labelIdOrName}}",
        methods={"POST": (add_label, "WebApiTagDefinition")},
    ),
    Endpoint(
        id="4b6702c7-aa35-4b89-9c96-b9abf6d3e540",
        area="git",
        resource="reviewers",
        template=f"{PULL}/{{resource}}/{{reviewerId}}",
        methods={"PUT": (put_reviewer, "IdentityRefWithVote")},
    ),
    Endpoint(
        id="ea98d07b-3c87-4971-8ede-a613694ffb55",
        area="git",
        resource="pushes",
        template=f"{REPOSITORY}/{{resource}}/{{pushId}}",
        methods={"GET": (list_pushes, "[GitPush]")},
    ),
    Endpoint(
        id="28010c54-d0c0-4c89-a5b0-1c9e188b9fb7",
        area="IMS",
        resource="Identities",
        template="_apis/{resource}/{identityId}",
        methods={"GET": (read_identities, "[Identity]")},
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
        id="c2570c3b-5b3f-41b8-98bf-5407bfde8d58",
        area="git",
        resource="commits",
        template=f"{REPOSITORY}/{{resource}}/{{commitId}}",
        methods={"GET": (get_commit, "GitCommitRef")},
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
