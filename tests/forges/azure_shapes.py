"""Azure DevOps' replies: field by field what the client's own models have, so that none is of our invention."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import quote

from tests.forges import azure_models
from tests.forges.azure_state import (
    POLICY_TYPES,
    SERVICE,
    Comment,
    Evaluation,
    Options,
    Policy,
    Pull,
    Repo,
    Status,
    Thread,
    guid,
)

_LOADING = Lock()

LIST_LIMIT = 400
"""docs: Pull Requests - Get Pull Requests."""


def time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def descriptor_kind(name: str) -> str:
    """The first part of a descriptor: of a build service, of Azure DevOps itself, of a group, or of a person."""
    if name.startswith("["):
        return "vssgp"
    return "svc" if name.startswith("Build\\") else "s2s" if name == SERVICE else "aad"


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """`collection` is the URL of the organisation or collection."""

    collection: str

    def identity(self, name: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"displayName": name.title(), "uniqueName": name, "id": guid("identity", name)}
        shown |= {"descriptor": f"{descriptor_kind(name)}.{shown['id']}"}
        if name.startswith("["):
            unique_name = f"vstfs:///Classification/TeamProject/{guid('project', name)}{name[name.rindex(chr(92)) :]}"
            shown |= {"displayName": name, "uniqueName": unique_name, "isContainer": True}
        return shown | {"url": f"{self.collection}/_apis/Identities/{shown['id']}"}

    def _descriptor(self, name: str) -> str:
        role, _, account = name.partition("\\")
        is_service = descriptor_kind(name) == "svc"
        return f"{guid('collection', '')}:{role}:{account}" if is_service else guid("identity", name)

    def account(self, name: str, members: Iterable[str] | None = None) -> dict[str, Any]:
        """docs: Identities - Read Identities."""
        kinds = {"svc": "Microsoft.TeamFoundation.ServiceIdentity", "vssgp": "Microsoft.TeamFoundation.Identity"}
        kind = kinds.get(descriptor_kind(name), "Microsoft.IdentityModel.Claims.ClaimsIdentity")
        shown: dict[str, Any] = {
            "id": guid("identity", name),
            "descriptor": f"{kind};{self._descriptor(name)}",
            "subjectDescriptor": f"{descriptor_kind(name)}.{guid('identity', name)}",
            "providerDisplayName": name if name.startswith("[") else name.title(),
            "isActive": True,
            "isContainer": name.startswith("["),
            "properties": {
                "Account": {
                    "$type": "System.String",
                    "$value": name.rpartition("\\")[2],
                }
            },
        }
        if members is not None:
            shown["memberIds"] = [guid("identity", member) for member in sorted(members)]
        return shown

    def repository(self, repo: Repo) -> dict[str, Any]:
        return {
            "id": repo.id,
            "name": repo.name,
            "url": f"{self.collection}/_apis/git/repositories/{repo.id}",
            "project": {"id": repo.project_id, "name": repo.project, "state": "wellFormed", "visibility": "private"},
            "defaultBranch": f"refs/heads/{repo.default_branch}",
            "isDisabled": repo.disabled,
            "webUrl": f"{self.collection}/{quote(repo.project)}/_git/{quote(repo.name)}",
        }

    def pull(self, repo: Repo, pull: Pull, *, listed: bool = False) -> dict[str, Any]:
        """docs: Pull Requests - Get Pull Request; of a list, with what that leaves out."""
        shown: dict[str, Any] = {
            "repository": self.repository(repo),
            "pullRequestId": pull.number,
            "codeReviewId": pull.number,
            "status": pull.status,
            "createdBy": self.identity(pull.author),
            "creationDate": time(pull.created_at),
            "title": pull.title,
            "sourceRefName": f"refs/heads/{pull.head_ref}",
            "targetRefName": f"refs/heads/{pull.base_ref}",
            "mergeStatus": self._merge_status(pull),
            "isDraft": pull.draft,
            "lastMergeSourceCommit": self.commit(pull.head_sha),
            "lastMergeTargetCommit": self.commit(pull.base_sha),
            "reviewers": [
                *(self.reviewer(name, vote, pull.voted_for.get(name, ())) for name, vote in pull.votes.items()),
                *(self.reviewer(name, vote) for name, vote in pull.groups.items()),
            ],
            "url": f"{self.collection}/_apis/git/repositories/{repo.id}/pullRequests/{pull.number}",
            "supportsIterations": True,
        }
        # An empty description is left out, as the server does with what has no value.
        if pull.body:
            # A character of two halves may lose one.
            cut = pull.body.encode("utf-16-le")[: 2 * LIST_LIMIT].decode("utf-16-le", "surrogatepass")
            shown["description"] = cut if listed else pull.body
        if pull.trial and not (pull.active and pull.unsettled):
            shown["lastMergeCommit"] = self.commit(pull.trial)
        if pull.queued_at and not listed:
            shown["completionQueueTime"] = time(pull.queued_at)
        if pull.closed_at:
            shown |= {"closedDate": time(pull.closed_at), "closedBy": self.identity(pull.closed_by)}
        if pull.fork:
            shown["forkSource"] = {"name": f"refs/heads/{pull.head_ref}", "repository": self.repository(repo)}
        if not listed:
            shown["artifactId"] = f"vstfs:///Git/PullRequestId/{repo.project_id}%2f{repo.id}%2f{pull.number}"
            if pull.auto_by or pull.status == "completed":
                shown["completionOptions"] = self._options(pull.options)
            if pull.auto_by:
                shown["autoCompleteSetBy"] = self.identity(pull.auto_by)
        return shown

    def _merge_status(self, pull: Pull) -> str:
        if pull.active and pull.unsettled:
            return "queued"
        return "succeeded" if pull.trial else "conflicts"

    def _options(self, options: Options) -> dict[str, Any]:
        shown: dict[str, Any] = {"mergeStrategy": options.strategy, "deleteSourceBranch": options.delete_source}
        shown["autoCompleteIgnoreConfigIds"] = list(options.ignored)
        if options.transition_work_items is not None:
            shown["transitionWorkItems"] = options.transition_work_items
        return shown

    def reviewer(self, name: str, vote: int, voted_for: Iterable[str] = ()) -> dict[str, Any]:
        """docs: Pull Request Reviewers; `votedFor` is left out where it would be empty."""
        shown = self.identity(name) | {"vote": vote, "isRequired": False, "hasDeclined": False, "isFlagged": False}
        groups = [self.identity(group) | {"vote": vote} for group in voted_for]
        return shown | ({"votedFor": groups} if groups else {})

    def commit(self, sha: str) -> dict[str, Any]:
        return {"commitId": sha, "url": f"{self.collection}/_apis/git/commits/{sha}"}

    def status(self, status: Status) -> dict[str, Any]:
        """docs: Statuses - List, Pull Request Statuses - List."""
        context = {"name": status.name} | ({} if status.genre is None else {"genre": status.genre})
        shown: dict[str, Any] = {
            "id": status.id,
            "state": status.state,
            "context": context,
            "creationDate": time(status.at),
            "updatedDate": time(status.at),
            "createdBy": self.identity(status.by),
        }
        texts = {"description": status.description, "targetUrl": status.target_url}
        shown |= {key: value for key, value in texts.items() if value is not None}
        return shown | ({} if status.iteration is None else {"iterationId": status.iteration})

    def policy(self, policy: Policy, repo: Repo) -> dict[str, Any]:
        """docs: Policy - Configurations - List."""
        kind, name = POLICY_TYPES[policy.kind]
        scope = {"repositoryId": repo.id}
        if policy.branch:
            scope |= {"refName": f"refs/heads/{policy.branch}", "matchKind": "Exact"}
        settings: dict[str, Any] = {"scope": [scope]}
        if policy.kind == "status":
            settings |= {"statusName": policy.name, "statusGenre": policy.genre or None}
            settings |= {"invalidateOnSourceUpdate": policy.resets, "authorId": None}
        elif policy.kind == "build":
            settings |= {"buildDefinitionId": policy.definition, "displayName": policy.name}
        elif policy.kind == "size":
            settings |= {"maximumGitBlobSizeInBytes": 1_048_576, "useUncompressedSize": False}
        elif policy.kind == "reviewers":
            settings |= {"minimumApproverCount": policy.minimum, "resetOnSourcePush": policy.resets}
        elif policy.kind == "strategy":
            settings |= {
                f"allow{strategy[0].upper()}{strategy[1:]}": strategy in policy.strategies
                for strategy in ("noFastForward", "squash", "rebase", "rebaseMerge")
            }
        settings |= policy.more
        return {
            "id": policy.id,
            "type": {"id": kind, "displayName": name},
            "revision": 1,
            "isBlocking": policy.blocking,
            "isEnabled": True,
            "isDeleted": False,
            "settings": settings,
        }

    def evaluation(self, policy: Policy, state: Evaluation, repo: Repo, pull: Pull) -> dict[str, Any]:
        """docs: Policy - Evaluations - List."""
        return {
            "evaluationId": guid("evaluation", f"{policy.id} {pull.number}"),
            "artifactId": f"vstfs:///CodeReview/CodeReviewId/{repo.project_id}/{pull.number}",
            "configuration": self.policy(policy, repo),
            "status": state,
            "startedDate": time(pull.created_at),
        }

    def thread(self, thread: Thread) -> dict[str, Any]:
        """docs: Pull Request Threads - List; a thread of the server itself has no status."""
        shown: dict[str, Any] = {
            "id": thread.id,
            "publishedDate": time(thread.at),
            "lastUpdatedDate": time(max(comment.at for comment in thread.comments)),
            "comments": [self.comment(comment) for comment in thread.comments],
            "properties": thread.properties,
            "identities": {str(key): self.identity(name) for key, name in enumerate(thread.people, 1)} or None,
            "isDeleted": thread.deleted,
        }
        return shown | ({} if thread.status is None else {"status": thread.status})

    def comment(self, comment: Comment) -> dict[str, Any]:
        """docs: Pull Request Thread Comments; a deleted one keeps everything but its content."""
        shown: dict[str, Any] = {
            "id": comment.id,
            "parentCommentId": 0,
            "author": self.identity(comment.by),
            "publishedDate": time(comment.at),
            "lastUpdatedDate": time(comment.at),
            "commentType": comment.kind,
        }
        return shown | ({"isDeleted": True} if comment.deleted else {"content": comment.text})


def page(items: list[Any]) -> dict[str, Any]:
    """What every list comes in."""
    return {"count": len(items), "value": items}


def _models() -> Mapping[str, Any]:
    # The server answers in threads, and the client cannot be imported by two at once.
    with _LOADING:
        return _loaded()


@cache
def _loaded() -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    base, git, location, policy, security = azure_models.load()
    for module in (base, location, policy, security, git):
        found |= {name: each for name, each in vars(module).items() if isinstance(each, type)}
    return found


@cache
def _fields(kind: str) -> Mapping[str, str] | None:
    """Return the types of the fields of a model by their keys; None for what is no model."""
    model = _models().get(kind)
    return model and {each["key"]: each["type"] for each in model._attribute_map.values()}


def wrong(value: object, kind: str) -> Iterator[str]:
    """Say what a reply has that the client's model of it has not; `kind` as msrest writes it: `[GitRef]`, `{str}`."""
    if kind and kind[0] in "[{":
        inner = kind[1:-1]
        items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else None
        if items is None or isinstance(value, list) != (kind[0] == "["):
            yield f"{value!r} is no {kind}"
        for item in items or ():
            yield from wrong(item, inner)
        return
    known = _fields(kind)
    if known is None or value is None:
        return
    if not isinstance(value, dict):
        yield f"{value!r} is no {kind}"
        return
    for key, item in value.items():
        if key not in known:
            yield f"{kind} has no {key}"
        else:
            yield from wrong(item, known[key])
