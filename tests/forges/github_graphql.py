"""GraphQL, executed against GitHub's own schema: pull requests, and what a query or a mutation does with them."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSyntaxError, execute_sync, parse, validate

from tests.forges import github_acts as acts
from tests.forges import github_rules as rules
from tests.forges.github_graph import Graph, Node, pull_state
from tests.forges.github_pages import connection
from tests.forges.github_schema import graphql
from tests.forges.github_shapes import Shapes, node_id, time
from tests.forges.github_state import AutoMerge, Pull, RefusedError, Repo, Review, Token, World
from tests.forges.github_timeline import comment_mutations, comment_node, timeline
from tests.forges.repository import Method

_COMMIT = re.compile(r'"[0-9a-f]{40}"')

METHODS: dict[str, Method] = {"MERGE": "merge", "SQUASH": "squash", "REBASE": "rebase"}


def execute(
    world: World, token: Token, shapes: Shapes, query: str, variables: Mapping[str, Any]
) -> tuple[Node, list[str]]:
    """Return GitHub's answer, and what went wrong by a fault of this server."""
    graph = Pulls(world=world, token=token, shapes=shapes)
    root = graph.query() | graph.mutations()
    document, errors = _read(query)
    result = ExecutionResult(data=None, errors=errors)
    if document and not errors:
        result = execute_sync(graphql(), document, root, variable_values=dict(variables))
    wrong = [
        f"GraphQL: {error}"
        for error in result.errors or []
        if error.original_error and not isinstance(error.original_error, RefusedError | GraphQLError)
    ]
    return _answer(result), wrong


@cache
def _read(query: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """Return what a query asks for and what the schema has against it: most queries come many times."""
    try:
        document = parse(query)
    except GraphQLSyntaxError as error:
        return None, [error]
    # Queries that differ in the ids of commits alone are valid or not together, if what was one id is one id.
    ids: dict[str, str] = {}
    alike = _COMMIT.sub(lambda found: ids.setdefault(found[0], f'"{len(ids):040}"'), query)
    return document, validate(graphql(), document) if _has_faults(alike) else []


@cache
def _has_faults(query: str) -> bool:
    return bool(validate(graphql(), parse(query)))


def _answer(result: ExecutionResult) -> Node:
    answer: Node = {} if result.data is None and result.errors else {"data": result.data}
    if result.errors:
        answer["errors"] = [_error(error) for error in result.errors]
    return answer


def shas_of(repo: Repo, pull: Pull) -> list[str]:
    """Return the commits of a pull request, oldest first."""
    return [commit.sha for commit in reversed(repo.git.commits(pull.head_sha, without=pull.base_sha))]


def _error(error: GraphQLError) -> Node:
    refused = error.original_error
    kind = {"type": refused.kind} if isinstance(refused, RefusedError) else {}
    return kind | {key: value for key, value in error.formatted.items() if key != "extensions"}


class Pulls(Graph):
    """All that a request may read or change."""

    def pull(self, repo: Repo, pull: Pull) -> Node:
        self.need("pull_requests", "read")
        pull = repo.seen(pull)
        rule = repo.protection(pull.base_ref)
        latest = list({review.user: review for review in pull.reviews}.values())
        url = f"{self.shapes.site}/{repo.full_name}/pull/{pull.number}"
        queue = repo.queue if repo.queue and repo.queue.branch == pull.base_ref else None
        entry = rules.queue_entry(repo, pull)

        def reviews(name: str, found: list[Review]) -> Callable[..., Node]:
            return connection(name, found, lambda review: self.review(repo, pull, review))

        def all_reviews(info: object, states: Any = None, author: Any = None, **rest: Any) -> Node:
            found = [review for review in pull.reviews if states is None or review.state in states]
            return reviews("reviews", [each for each in found if author in (None, each.user)])(info, **rest)

        def opinionated(info: object, **given: Any) -> Node:
            found = [each for each in pull.opinions() if not given.get("writersOnly") or repo.may_write(each.user)]
            return reviews("latestOpinionatedReviews", found)(info, **given)

        def commit_node(sha: str) -> Node:
            return {"id": node_id("PRC", repo.id, sha), "commit": lambda _: self.commit(repo, sha)}

        return {
            "__typename": "PullRequest",
            "id": node_id("PR", repo.id, pull.number),
            "databaseId": repo.id * 100_000 + pull.number,
            "number": pull.number,
            "url": url,
            "permalink": url,
            "title": pull.title,
            "body": pull.body or "",
            "author": self.someone(pull.author),
            "state": pull_state(pull),
            "isDraft": pull.draft,
            "closed": not pull.open,
            "merged": pull.merged_at is not None,
            "createdAt": time(pull.created_at),
            "updatedAt": time(pull.updated_at),
            "closedAt": pull.closed_at and time(pull.closed_at),
            "mergedAt": pull.merged_at and time(pull.merged_at),
            "mergedBy": self.actor(pull.merged_by) if pull.merged_by else None,
            "mergeCommit": lambda _: self.commit(repo, pull.merge_sha) if pull.merge_sha else None,
            "potentialMergeCommit": lambda _: self._potential(repo, pull),
            "mergeable": lambda _: self._mergeable(repo, pull),
            "mergeStateStatus": lambda _: self._merge_state(repo, pull),
            "reviewDecision": lambda _: rules.review_decision(repo, pull),
            "reviews": all_reviews,
            "latestReviews": reviews("latestReviews", latest),
            "latestOpinionatedReviews": opinionated,
            "viewerLatestReview": lambda _: next(
                (self.review(repo, pull, each) for each in reversed(pull.reviews) if each.user == self.token.login),
                None,
            ),
            "comments": connection("comments", pull.comments, lambda comment: comment_node(self, repo, comment)),
            "timelineItems": lambda info, **given: timeline(self, repo, pull, given.get("itemTypes"))(info, **given),
            "autoMergeRequest": lambda _: self._armed(repo, pull),
            "viewerCanEnableAutoMerge": pull.open and repo.settings.allow_auto_merge and rule is not None,
            "viewerCanDisableAutoMerge": pull.open and pull.auto_merge is not None,
            "isMergeQueueEnabled": queue is not None,
            "isInMergeQueue": entry is not None,
            "mergeQueue": lambda _: self.queue(repo, pull.base_ref),
            "mergeQueueEntry": lambda _: self.entry(repo, queue, entry) if queue and entry else None,
            "repository": lambda _: self.repository(repo),
            "isCrossRepository": pull.head_repo is not repo,
            "headRepository": lambda _: self.repository(pull.head_repo) if pull.head_repo else None,
            "headRepositoryOwner": lambda _: self.actor(pull.head_repo.owner) if pull.head_repo else None,
            "headRefName": pull.head_ref,
            "headRefOid": pull.head_sha,
            "headRef": lambda _: self.ref(pull.head_repo, pull.head_ref) if pull.head_repo else None,
            "baseRefName": pull.base_ref,
            "baseRefOid": pull.base_sha,
            "baseRef": lambda _: self.ref(repo, pull.base_ref),
            "statusCheckRollup": lambda _: (self.commit(repo, pull.head_sha) or {})["statusCheckRollup"](_),
            "commits": lambda info, **rest: connection("commits", shas_of(repo, pull), commit_node)(info, **rest),
        }

    def review(self, repo: Repo, pull: Pull, review: Review) -> Node:
        return {
            "__typename": "PullRequestReview",
            "id": node_id("PRR", repo.id, review.id),
            "databaseId": review.id,
            "author": self.someone(review.user),
            "body": review.body,
            "lastEditedAt": review.edited_at and time(review.edited_at),
            "state": review.state,
            "commit": lambda _: self.commit(repo, review.sha),
            "createdAt": time(review.submitted_at),
            "submittedAt": time(review.submitted_at),
            "url": f"{self.shapes.site}/{repo.full_name}/pull/{pull.number}#pullrequestreview-{review.id}",
        }

    def _potential(self, repo: Repo, pull: Pull) -> Node | None:
        sha = rules.potential_merge(repo, pull) if pull.open and repo.is_settled(pull) else None
        return self.commit(repo, sha) if sha else None

    def _mergeable(self, repo: Repo, pull: Pull) -> str:
        if not pull.open or not repo.is_settled(pull):
            return "UNKNOWN"
        return "MERGEABLE" if rules.potential_merge(repo, pull) else "CONFLICTING"

    def _merge_state(self, repo: Repo, pull: Pull) -> str:
        return rules.merge_state(repo, pull).upper() if repo.is_settled(pull) else "UNKNOWN"

    def _armed(self, repo: Repo, pull: Pull) -> Node | None:
        armed = pull.auto_merge
        if armed is None:
            return None
        return {
            "authorEmail": None,
            "commitHeadline": armed.headline or None,
            "commitBody": armed.body or None,
            "enabledAt": time(armed.at),
            "enabledBy": self.actor(armed.by),
            "mergeMethod": armed.method.upper(),
            "pullRequest": lambda _: self.pull(repo, pull),
        }

    def mutations(self) -> Node:
        """What can be changed, by the name of the mutation."""
        changes = {
            "enablePullRequestAutoMerge": self._enable,
            "disablePullRequestAutoMerge": self._disable,
            "enqueuePullRequest": self._enqueue,
            "dequeuePullRequest": self._dequeue,
            "mergePullRequest": self._merge,
            "closePullRequest": self._close,
            "updatePullRequestBranch": self._update,
        }

        def run(change: Any) -> Any:
            def resolve(_: object, **given: Any) -> Node:
                wanted = given["input"]
                self.need("pull_requests", "write")
                repo, pull = self.pull_by_id(wanted.get("pullRequestId") or wanted["id"])
                more = change(repo, pull, wanted) or {}
                common = {"clientMutationId": wanted.get("clientMutationId"), "actor": self.actor(self.token.login)}
                return common | {"pullRequest": lambda _: self.pull(repo, pull)} | more

            return resolve

        return {name: run(change) for name, change in changes.items()} | comment_mutations(self)

    def _enable(self, repo: Repo, pull: Pull, wanted: Mapping[str, Any]) -> None:
        # Whoever may arm it, merges it.
        self.need("contents", "write")
        wish = AutoMerge(
            method=METHODS[wanted.get("mergeMethod") or "MERGE"],
            by=self.token.login,
            at=self.world.clock.tick(),
            headline=wanted.get("commitHeadline") or "",
            body=wanted.get("commitBody") or "",
            quiet=self.token.kind == "actions",
        )
        acts.enable_auto_merge(repo, pull, wish, expected=wanted.get("expectedHeadOid") or "")

    def _disable(self, _: Repo, pull: Pull, __: Mapping[str, Any]) -> None:
        acts.disable_auto_merge(pull)

    def _enqueue(self, repo: Repo, pull: Pull, wanted: Mapping[str, Any]) -> Node:
        self.need("contents", "write")
        expected, quiet = wanted.get("expectedHeadOid") or "", self.token.kind == "actions"
        entry = acts.enqueue(repo, pull, by=self.token.login, expected=expected, quiet=quiet)
        assert repo.queue is not None
        return {"mergeQueueEntry": self.entry(repo, repo.queue, entry)}

    def _dequeue(self, repo: Repo, pull: Pull, _: Mapping[str, Any]) -> Node:
        entry, queue = rules.queue_entry(repo, pull), repo.queue
        if entry is None or queue is None:
            raise RefusedError(422, "Pull request is not in the queue")
        node = self.entry(repo, queue, entry)
        acts.dequeue(repo, entry)
        return {"mergeQueueEntry": node}

    def _merge(self, repo: Repo, pull: Pull, wanted: Mapping[str, Any]) -> None:
        self.need("contents", "write")
        acts.merge(
            repo,
            pull,
            METHODS[wanted.get("mergeMethod") or "MERGE"],
            by=self.token.login,
            sha=wanted.get("expectedHeadOid") or "",
            headline=wanted.get("commitHeadline") or "",
            message=wanted.get("commitBody") or "",
        )

    def _close(self, repo: Repo, pull: Pull, _: Mapping[str, Any]) -> None:
        if pull.open:
            acts.close(repo, pull)

    def _update(self, repo: Repo, pull: Pull, wanted: Mapping[str, Any]) -> None:
        expected = wanted.get("expectedHeadOid") or ""
        acts.update_branch(repo, pull, by=self.token.login, expected=expected)
