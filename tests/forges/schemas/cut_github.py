"""Cut GitHub's published schemas down to what the loopback GitHub speaks: names, types, enums, required; no prose.

    npm install @octokit/openapi @octokit/graphql-schema
    python tests/forges/schemas/cut_github.py node_modules

writes `github_rest.json` and `github_graphql.graphql` beside this file. To speak more of GitHub, add an operation or a
field below and run it again.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)

HERE = Path(__file__).parent

OPERATIONS = """
GET /app
GET /app/installations
POST /app/installations/{installation_id}/access_tokens
GET /orgs/{org}/teams/{team_slug}/members
GET /rate_limit
POST /repos/{owner}/{repo}/dispatches
GET /repos/{owner}/{repo}
GET /repos/{owner}/{repo}/activity
GET /repos/{owner}/{repo}/branches/{branch}
GET /repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks
GET /repos/{owner}/{repo}/commits
GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls
GET /repos/{owner}/{repo}/commits/{ref}
GET /repos/{owner}/{repo}/commits/{ref}/check-runs
GET /repos/{owner}/{repo}/commits/{ref}/status
GET /repos/{owner}/{repo}/commits/{ref}/statuses
GET /repos/{owner}/{repo}/git/ref/{ref}
POST /repos/{owner}/{repo}/git/commits
DELETE /repos/{owner}/{repo}/git/refs/{ref}
POST /repos/{owner}/{repo}/git/trees
GET /repos/{owner}/{repo}/installation
POST /repos/{owner}/{repo}/issues/{issue_number}/assignees
POST /repos/{owner}/{repo}/issues/{issue_number}/comments
POST /repos/{owner}/{repo}/issues/{issue_number}/labels
GET /repos/{owner}/{repo}/pulls
POST /repos/{owner}/{repo}/pulls
GET /repos/{owner}/{repo}/pulls/{pull_number}
PATCH /repos/{owner}/{repo}/pulls/{pull_number}
GET /repos/{owner}/{repo}/pulls/{pull_number}/commits
GET /repos/{owner}/{repo}/pulls/{pull_number}/files
GET /repos/{owner}/{repo}/pulls/{pull_number}/merge
PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge
POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers
GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews
POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews
PUT /repos/{owner}/{repo}/pulls/{pull_number}/update-branch
GET /repos/{owner}/{repo}/rules/branches/{branch}
POST /repos/{owner}/{repo}/statuses/{sha}
GET /user
"""

# Optional properties that nothing here sends and that would pull in half of the rest.
UNUSED = {
    "actor",
    "client_id",
    "code_of_conduct",
    "custom_properties",
    "deployment",
    "organization",
    "parent",
    "performed_via_github_app",
    "plan",
    "security_and_analysis",
    "source",
    "stack",
    "template_repository",
}

# An interface or object type that is not named here does not exist; enums and scalars come along by themselves.
FIELDS = {
    "Query": "node nodes rateLimit repository viewer",
    "Mutation": "closePullRequest deleteIssueComment dequeuePullRequest disablePullRequestAutoMerge"
    " enablePullRequestAutoMerge enqueuePullRequest mergePullRequest updateIssueComment updatePullRequestBranch",
    "Actor": "avatarUrl login resourcePath url",
    "App": "databaseId id name slug",
    "AutoMergeRequest": "authorEmail commitBody commitHeadline enabledAt enabledBy mergeMethod pullRequest",
    "BaseRefChangedEvent": "actor createdAt currentRefName id previousRefName",
    "Bot": "avatarUrl databaseId id login resourcePath url",
    "BranchProtectionRule": "id isAdminEnforced pattern requiredApprovingReviewCount requiredStatusCheckContexts"
    " requiredStatusChecks requiresApprovingReviews requiresStatusChecks requiresStrictStatusChecks",
    "BranchProtectionRuleConnection": "nodes pageInfo totalCount",
    "CheckRun": "checkSuite completedAt conclusion databaseId detailsUrl id isRequired name startedAt status summary"
    " title url",
    "CheckRunConnection": "nodes pageInfo totalCount",
    "CheckSuite": "app checkRuns conclusion databaseId id status",
    "CheckSuiteConnection": "nodes pageInfo totalCount",
    "ClosedEvent": "actor createdAt id",
    "ClosePullRequestPayload": "clientMutationId pullRequest",
    "Commit": "abbreviatedOid associatedPullRequests author authoredDate checkSuites commitUrl committedDate committer"
    " history id message messageBody messageHeadline oid parents repository status statusCheckRollup url",
    "CommitConnection": "nodes pageInfo totalCount",
    "CommitHistoryConnection": "nodes pageInfo totalCount",
    "DeleteIssueCommentPayload": "clientMutationId",
    "DequeuePullRequestPayload": "clientMutationId mergeQueueEntry",
    "DisablePullRequestAutoMergePayload": "actor clientMutationId pullRequest",
    "EnablePullRequestAutoMergePayload": "actor clientMutationId pullRequest",
    "EnqueuePullRequestPayload": "clientMutationId mergeQueueEntry",
    "GitActor": "date email name user",
    "GitObject": "abbreviatedOid commitUrl id oid repository",
    "HeadRefDeletedEvent": "actor createdAt headRefName id",
    "HeadRefForcePushedEvent": "actor afterCommit beforeCommit createdAt id",
    "IssueComment": "author body createdAt id isMinimized lastEditedAt viewerDidAuthor",
    "IssueCommentConnection": "nodes pageInfo totalCount",
    "Mannequin": "avatarUrl databaseId id login resourcePath url",
    "MergedEvent": "actor commit createdAt id mergeRefName",
    "MergePullRequestPayload": "actor clientMutationId pullRequest",
    "MergeQueue": "configuration entries id repository url",
    "MergeQueueConfiguration": "maximumEntriesToMerge mergeMethod mergingStrategy minimumEntriesToMerge",
    "MergeQueueEntry": "baseCommit enqueuedAt enqueuer headCommit id jump mergeQueue position pullRequest solo state",
    "MergeQueueEntryConnection": "nodes pageInfo totalCount",
    "Node": "id",
    "PageInfo": "endCursor hasNextPage hasPreviousPage startCursor",
    "PullRequest": "author autoMergeRequest baseRef baseRefName baseRefOid body closed closedAt comments commits"
    " createdAt databaseId headRef headRefName headRefOid headRepository headRepositoryOwner id isCrossRepository"
    " isDraft isInMergeQueue isMergeQueueEnabled latestOpinionatedReviews latestReviews mergeCommit mergeQueue"
    " mergeQueueEntry mergeStateStatus mergeable merged mergedAt mergedBy number permalink potentialMergeCommit"
    " repository reviewDecision reviews state statusCheckRollup timelineItems title updatedAt url"
    " viewerCanDisableAutoMerge viewerCanEnableAutoMerge viewerLatestReview",
    "PullRequestCommit": "commit id",
    "PullRequestCommitConnection": "nodes pageInfo totalCount",
    "PullRequestConnection": "nodes pageInfo totalCount",
    "PullRequestReview": "author body commit createdAt databaseId id lastEditedAt state submittedAt url",
    "PullRequestReviewConnection": "nodes pageInfo totalCount",
    "PullRequestTimelineItems": "BaseRefChangedEvent ClosedEvent HeadRefDeletedEvent HeadRefForcePushedEvent"
    " MergedEvent PullRequestReview ReopenedEvent ReviewDismissedEvent",
    "PullRequestTimelineItemsConnection": "nodes pageInfo totalCount",
    "RateLimit": "cost limit nodeCount remaining resetAt used",
    "Ref": "associatedPullRequests branchProtectionRule id name prefix refUpdateRule target",
    "RefConnection": "nodes pageInfo totalCount",
    "RefUpdateRule": "allowsDeletions allowsForcePushes blocksCreations pattern requiredApprovingReviewCount"
    " requiredStatusCheckContexts requiresCodeOwnerReviews requiresConversationResolution requiresLinearHistory"
    " requiresSignatures viewerAllowedToDismissReviews viewerCanPush",
    "Repository": "autoMergeAllowed branchProtectionRules databaseId defaultBranchRef deleteBranchOnMerge id isArchived"
    " isFork mergeCommitAllowed mergeQueue name nameWithOwner object owner pullRequest pullRequests rebaseMergeAllowed"
    " ref refs squashMergeAllowed url viewerDefaultMergeMethod viewerPermission",
    "ReopenedEvent": "actor createdAt id",
    "RepositoryOwner": "avatarUrl id login resourcePath url",
    "RequirableByPullRequest": "isRequired",
    "RequiredStatusCheckDescription": "app context",
    "ReviewDismissedEvent": "actor createdAt dismissalMessage id previousReviewState review",
    "Status": "commit context contexts id state",
    "StatusCheckRollup": "commit contexts id state",
    "StatusCheckRollupContext": "CheckRun StatusContext",
    "StatusCheckRollupContextConnection": "nodes pageInfo totalCount",
    "StatusContext": "avatarUrl commit context createdAt creator description id isRequired state targetUrl",
    "UpdateIssueCommentPayload": "clientMutationId issueComment",
    "UpdatePullRequestBranchPayload": "clientMutationId pullRequest",
    "User": "avatarUrl databaseId email id login name resourcePath url",
}


def cut_rest(document: dict[str, Any]) -> dict[str, Any]:
    """The operations with their parameters, request bodies and replies, and the schemas they need as `$defs`."""
    operations, needed = {}, set[str]()
    for line in OPERATIONS.split("\n"):
        if not line:
            continue
        method, path = line.split()
        found = document["paths"][path][method.lower()]
        parameters = [_follow(document, each) for each in found.get("parameters", [])]
        replies = {
            status: next(iter(_follow(document, reply).get("content", {"": {}}).values())).get("schema", {})
            for status, reply in found["responses"].items()
        }
        body = found.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        operations[line] = {
            "query": {each["name"]: _plain(each["schema"]) for each in parameters if each["in"] == "query"},
            "replies": {status: _plain(schema) for status, schema in sorted(replies.items())},
        } | ({"body": _plain(body)} if body else {})
        if line == "GET /app/installations":
            # Spelled out there with an account that is a user and an enterprise at once, which nothing can be.
            operations[line]["replies"]["200"]["items"] = {"$ref": "#/$defs/installation"}
        needed |= set(_names(operations[line]))
    schemas: dict[str, Any] = {}
    while missing := needed - set(schemas):
        for name in missing:
            schemas[name] = _plain(document["components"]["schemas"][name])
            needed |= set(_names(schemas[name]))
    # GitHub sends null for the repository of a head whose fork was deleted; its document does not say so.
    for name in ("pull-request", "pull-request-simple"):
        repo = schemas[name]["properties"]["head"]["properties"]
        repo["repo"] = {"anyOf": [repo["repo"], {"type": "null"}]}
    return {"operations": operations, "$defs": dict(sorted(schemas.items()))}


def _follow(document: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in found:
        return found
    kind, name = found["$ref"].split("/")[2:]
    target: dict[str, Any] = document["components"][kind][name]
    return target


def _plain(schema: Any) -> Any:
    """One OpenAPI 3.0 schema as JSON Schema."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            kept[key] = value.replace("#/components/schemas/", "#/$defs/")
        elif key == "properties":
            required = schema.get("required", [])
            kept[key] = {name: _plain(each) for name, each in value.items() if name in required or name not in UNUSED}
        elif key in ("allOf", "anyOf", "oneOf"):
            kept[key] = [_plain(each) for each in value]
        elif key in ("items", "additionalProperties", "not"):
            kept[key] = _plain(value)
        elif key in ("type", "format", "enum", "required", "pattern", "minimum", "maximum", "minItems", "maxItems"):
            kept[key] = value
    if not schema.get("nullable"):
        return kept
    return {"anyOf": [kept, {"type": "null"}]}


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix("#/$defs/")
        for each in schema.values():
            yield from _names(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _names(each)


def cut_graphql(schema: GraphQLSchema) -> str:
    """The types of FIELDS with the enums, scalars and inputs they need, as schema definition language."""
    texts, needed = {}, set[str]()
    for name, words in FIELDS.items():
        found = schema.type_map[name]
        if isinstance(found, GraphQLUnionType):
            texts[name] = f"union {name} = {' | '.join(words.split())}\n"
            continue
        assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType), name
        lines = []
        for word in sorted(words.split()):
            field = found.fields[word]
            arguments = {key: each.type for key, each in field.args.items() if _kept(get_named_type(each.type))}
            needed |= {get_named_type(each).name for each in (field.type, *arguments.values())}
            shown = ", ".join(f"{key}: {each}" for key, each in arguments.items())
            lines.append(f"  {word}{f'({shown})' if shown else ''}: {field.type}\n")
        parents = " & ".join(each.name for each in found.interfaces if each.name in FIELDS and name != "Query")
        kind = "type" if isinstance(found, GraphQLObjectType) else "interface"
        texts[name] = f"{kind} {name}{f' implements {parents}' if parents else ''} {{\n{''.join(lines)}}}\n"
    while missing := needed - set(texts):
        for name in missing:
            texts[name] = _leaf(schema.type_map[name])
            needed |= set(_inputs(schema.type_map[name]))
    builtin = {"Boolean", "Float", "ID", "Int", "String"}
    return "\n".join(text for name, text in sorted(texts.items()) if name not in builtin)


def _kept(found: GraphQLNamedType) -> bool:
    return isinstance(found, GraphQLScalarType | GraphQLEnumType) or found.name.endswith("Input")


def _inputs(found: GraphQLNamedType) -> Iterable[str]:
    fields = found.fields.values() if isinstance(found, GraphQLInputObjectType) else ()
    return [get_named_type(each.type).name for each in fields]


def _leaf(found: GraphQLNamedType) -> str:
    if isinstance(found, GraphQLScalarType):
        return f"scalar {found.name}\n"
    if isinstance(found, GraphQLEnumType):
        return f"enum {found.name} {{\n  {' '.join(found.values)}\n}}\n"
    assert isinstance(found, GraphQLInputObjectType), f"{found.name} is used: add it to FIELDS"
    lines = [f"  {key}: {each.type}\n" for key, each in found.fields.items()]
    return f"input {found.name} {{\n{''.join(lines)}}}\n"


def main(modules: Path) -> None:
    document = json.loads((modules / "@octokit/openapi/generated/api.github.com.json").read_bytes())
    rest = cut_rest(document)
    groups = []
    for group, entries in rest.items():
        lines = [f"{json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in entries.items()]
        groups.append(f"{json.dumps(group)}: {{\n" + ",\n".join(lines) + "\n}")
    (HERE / "github_rest.json").write_text("{\n" + ",\n".join(groups) + "\n}\n")
    text = (modules / "@octokit/graphql-schema/schema.graphql").read_text(encoding="utf-8")
    cut = cut_graphql(build_schema(text, assume_valid=True))
    build_schema(cut)
    (HERE / "github_graphql.graphql").write_text(cut)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
