"""The requests to Azure DevOps, one a method (a page of a list is one); the answers are the client's models."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.azure_devops.address import Address
from gitops_promotion.providers.azure_devops.answers import FULL, HEADS, field, text
from gitops_promotion.providers.azure_devops.api import Api
from gitops_promotion.providers.http import PAGES

PAGE = 1000
"""Items of a page: the most that Azure DevOps gives of pull requests and statuses."""
BATCH = 100
"""Commits, or identities, of one request."""

GIT_SECURITY = "2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87"
"""The security namespace of Git repositories.

https://learn.microsoft.com/azure/devops/organizations/security/namespace-reference
"""


class Endpoints:
    """The requests about one repository. Methods raise AuthError, TransientError, ProviderError."""

    def __init__(self, api: Api, address: Address) -> None:
        self._api = api
        self._me: Any = None
        self._address = address
        self._git = api.client("git")
        self._policy = api.client("policy")
        self._names = {"repository_id": address.repository, "project": address.project}

    def _call(self, function: Callable[..., Any], **options: object) -> Any:
        return self._api.send(function, **options, **self._names)

    # -- pull requests

    def pull(self, number: int) -> Any:
        """Return a pull request in full."""
        return self._call(self._git.get_pull_request, pull_request_id=number)

    def pulls(self, *, status: str, head: str = "", limit: int = PAGE * PAGES) -> list[Any]:
        """Return pull requests as lists show them: descriptions cut, newest first."""
        criteria = self._api.models.GitPullRequestSearchCriteria(
            status=status, source_ref_name=f"{HEADS}{head}" if head else None
        )
        records: list[Any] = []
        while len(records) < limit:
            top = min(PAGE, limit - len(records))
            page = self._call(self._git.get_pull_requests, search_criteria=criteria, top=top, skip=len(records))
            records += self._api.listed(page)
            if len(page) < FULL:
                break
        return records

    def create(self, *, head: str, base: str, title: str, description: str) -> Any:
        """Open a pull request; the answer shows it in full."""
        payload = self._api.models.GitPullRequest(
            source_ref_name=f"{HEADS}{head}", target_ref_name=f"{HEADS}{base}", title=title, description=description
        )
        return self._call(self._git.create_pull_request, git_pull_request_to_create=payload)

    def edit(self, number: int, **fields: str) -> Any:
        """Change title, description, target or status; repeating it changes nothing."""
        return self._update(number, self._api.models.GitPullRequest(**fields))

    def auto_complete(self, number: int, identity: str, options: Mapping[str, object] | None = None) -> Any:
        """Let Azure DevOps complete it once every policy is satisfied, on behalf of an identity; NOBODY clears that."""
        models = self._api.models
        payload = models.GitPullRequest(
            auto_complete_set_by=models.IdentityRef(id=identity),
            completion_options=models.GitPullRequestCompletionOptions(**options) if options else None,
        )
        return self._update(number, payload)

    def complete(self, number: int, head_sha: str, options: Mapping[str, object]) -> Any:
        """Complete it now, at exactly this head."""
        models = self._api.models
        payload = models.GitPullRequest(
            status="completed",
            last_merge_source_commit=models.GitCommitRef(commit_id=head_sha),
            completion_options=models.GitPullRequestCompletionOptions(**options),
        )
        return self._update(number, payload)

    def _update(self, number: int, payload: Any) -> Any:
        return self._call(self._git.update_pull_request, git_pull_request_to_update=payload, pull_request_id=number)

    def merges(self, shas: Sequence[str]) -> Any:
        """Return the pull requests that brought commits, by both ways in which Azure DevOps remembers it.

        See B31 in docs/migrating.md.
        """
        models = self._api.models
        queries = [
            models.GitPullRequestQueryInput(items=list(shas), type=kind) for kind in ("lastMergeCommit", "commit")
        ]
        payload = models.GitPullRequestQuery(queries=queries)
        return self._call(self._git.get_pull_request_query, queries=payload)

    def threads(self, number: int) -> list[Any]:
        """Return the threads of a pull request; each vote opens one."""
        return self._api.listed(self._call(self._git.get_threads, pull_request_id=number))

    def iterations(self, number: int) -> list[Any]:
        """Return the pushes to a pull request."""
        return self._api.listed(self._call(self._git.get_pull_request_iterations, pull_request_id=number))

    def pushes(self, branch: str) -> list[Any]:
        """Return the newest pushes to a branch with the refs that they changed, newest first."""
        criteria = self._api.models.GitPushSearchCriteria(ref_name=f"{HEADS}{branch}", include_ref_updates=True)
        return self._api.listed(self._call(self._git.get_pushes, search_criteria=criteria, top=PAGE))

    def vote(self, number: int, identity: str, vote: int) -> Any:
        """Make an identity a reviewer of a pull request; only the token's own identity may vote other than 0."""
        payload = self._api.models.IdentityRefWithVote(id=identity, vote=vote)
        return self._call(
            self._git.create_pull_request_reviewer, reviewer=payload, pull_request_id=number, reviewer_id=identity
        )

    def comment(self, number: int, content: str, find_made: Callable[[], Any]) -> Any:
        """Write a comment that asks nobody for anything: in a thread of its own, which is closed.

        `find_made` is asked before the request is repeated: it returns None if the comment is not there.
        """
        models = self._api.models
        payload = models.GitPullRequestCommentThread(
            comments=[models.Comment(parent_comment_id=0, content=content, comment_type="text")], status="closed"
        )
        return self._api.send_unless_made(
            find_made, self._git.create_thread, comment_thread=payload, pull_request_id=number, **self._names
        )

    def label(self, number: int, name: str) -> None:
        """Give a pull request a label; repeating it changes nothing."""
        payload = self._api.models.WebApiCreateTagRequestData(name=name)
        self._call(self._git.create_pull_request_label, label=payload, pull_request_id=number)

    def edit_comment(self, number: int, thread: int, comment: int, content: str) -> Any:
        """Change the text of one's own comment."""
        payload = self._api.models.Comment(content=content)
        return self._call(
            self._git.update_comment, comment=payload, pull_request_id=number, thread_id=thread, comment_id=comment
        )

    def delete_comment(self, number: int, thread: int, comment: int) -> None:
        """Delete one's own comment; its thread is gone with its last one."""
        self._call(self._git.delete_comment, pull_request_id=number, thread_id=thread, comment_id=comment)

    # -- branches and commits

    def branches(self, prefix: str) -> dict[str, str]:
        """Return all branches with names that begin with `prefix`, and their commits."""
        branches: dict[str, str] = {}
        after: str | None = None
        for _ in range(PAGES):
            page = self._call(self._git.get_refs, filter=f"heads/{prefix}", top=PAGE, continuation_token=after)
            refs = self._api.listed(page)
            branches |= {field(ref, str, "name").removeprefix(HEADS): text(ref, "object_id") for ref in refs}
            after = self._api.headers.get("x-ms-continuationtoken")
            if not after:
                return branches
        raise ProviderError(f"{self._address.name} has more than {PAGES * PAGE} branches: delete old ones")

    def commits(self, shas: Sequence[str]) -> list[Any]:
        """Return commits with their statuses, at most BATCH of them; unknown ones are left out."""
        payload = self._api.models.GitQueryCommitsCriteria(ids=list(shas))
        return self._api.listed(self._call(self._git.get_commits_batch, search_criteria=payload, include_statuses=True))

    def message(self, sha: str) -> str:
        """Return the full message of a commit."""
        return text(self._call(self._git.get_commit, commit_id=sha), "comment")

    def history(self, branch: str) -> list[Any]:
        """Return the newest BATCH commits of a branch, newest first."""
        models = self._api.models
        version = models.GitVersionDescriptor(version=branch, version_type="branch")
        payload = models.GitQueryCommitsCriteria(item_version=version)
        return self._api.listed(self._call(self._git.get_commits_batch, search_criteria=payload, top=BATCH))

    def statuses(self, sha: str) -> list[Any]:
        """Return the newest of each genre and name of one commit, all pages (docs/migrating.md, B15)."""
        records: list[Any] = []
        for _ in range(PAGES):
            page = self._call(self._git.get_statuses, commit_id=sha, top=PAGE, skip=len(records), latest_only=True)
            records += self._api.listed(page)
            if len(page) < FULL:
                return records
        raise ProviderError(f"{self._address.name} shows no end of the statuses of {sha}: run again")

    def post_status(self, sha: str, status: Mapping[str, str], *, name: str, genre: str) -> None:
        """Add a status to a commit; repeating it adds the same entry once more."""
        context = self._api.models.GitStatusContext(name=name, genre=genre or None)
        payload = self._api.models.GitStatus(context=context, **status)
        self._call(self._git.create_commit_status, git_commit_status_to_create=payload, commit_id=sha)

    def post_pull_status(self, number: int, iteration: int, status: Mapping[str, str], *, name: str) -> None:
        """Add a status to one iteration of a pull request, which a policy of the branch can require."""
        payload = self._api.models.GitPullRequestStatus(
            context=self._api.models.GitStatusContext(name=name), iteration_id=iteration, **status
        )
        self._api.send(
            self._git.create_pull_request_iteration_status,
            status=payload,
            pull_request_id=number,
            iteration_id=iteration,
            **self._names,
        )

    # -- policies and identity

    def evaluations(self, number: int, project_id: str) -> list[Any]:
        """Return the evaluation of each policy for a pull request, also where it does not apply."""
        artifact = f"vstfs:///CodeReview/CodeReviewId/{project_id}/{number}"
        return self._api.listed(
            self._api.send(
                self._policy.get_policy_evaluations,
                self._address.project,
                artifact,
                include_not_applicable=True,
                top=PAGE,
            )
        )

    def policies(self, repository_id: str, branch: str) -> list[Any]:
        """Return the configurations of the policies of a branch."""
        records: list[Any] = []
        after: str | None = None
        for _ in range(PAGES):
            page = self._api.send(
                self._git.get_policy_configurations,
                project=self._address.project,
                repository_id=repository_id,
                ref_name=f"{HEADS}{branch}",
                top=PAGE,
                continuation_token=after,
            )
            records += self._api.listed(page.policy_configurations)
            after = page.continuation_token
            if not after:
                return records
        raise ProviderError(f"{self._address.name} shows no end of the policies of {branch}: run again")

    def repository(self) -> Any:
        """Return the repository with its project."""
        return self._call(self._git.get_repository)

    def permissions(self, token: str, bits: Sequence[int]) -> dict[int, bool]:
        """Return for each permission whether the caller has it on the repository with this security token.

        https://learn.microsoft.com/rest/api/azure/devops/security/permissions/has-permissions-batch
        """
        models = self._api.security_models
        queries = [
            models.PermissionEvaluation(permissions=bit, security_namespace_id=GIT_SECURITY, token=token)
            for bit in bits
        ]
        payload = models.PermissionEvaluationBatch(always_allow_administrators=False, evaluations=queries)
        response = self._api.send(self._api.client("security").has_permissions_batch, payload)
        evaluations = self._api.listed(getattr(response, "evaluations", None))
        return {field(item, int, "permissions"): getattr(item, "value", None) is True for item in evaluations}

    def me(self) -> Any:
        """Return the identity that the token belongs to, asked for once."""
        if self._me is None:
            data = self._api.send(self._api.client("location").get_connection_data)
            self._me = getattr(data, "authenticated_user", None)
        return self._me

    def own_id(self) -> str:
        """Return the id of the identity that the token belongs to."""
        return field(self.me(), str, "id")


class Directory:
    """The requests about people and groups, which Azure DevOps Services answers on a host of its own."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def named(self, name: str, *, with_members: bool = False) -> list[Any]:
        """Return the identities that a name finds; `with_members` adds to groups the ids of their direct members."""
        membership = "Direct" if with_members else "None"
        return self._read(search_filter="General", filter_value=name, query_membership=membership)

    def by_ids(self, ids: Sequence[str]) -> list[Any]:
        """Return the identities of these ids; those that the server does not know are left out."""
        chunks = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
        return [
            identity
            for chunk in chunks
            for identity in self._read(identity_ids=",".join(chunk))
            if identity is not None
        ]

    def _read(self, **options: str) -> list[Any]:
        return self._api.listed(self._api.send(self._api.client("identity").read_identities, **options))
