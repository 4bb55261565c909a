"""Comments and the timeline of a pull request, as GraphQL shows and changes them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.forges.github_graph import Graph, Node
from tests.forges.github_pages import connection
from tests.forges.github_shapes import node_id, time
from tests.forges.github_state import Comment, Noted, Pull, RefusedError, Repo, Review

COMMENT_LIMIT = 65_536

ITEM_TYPES = {
    "BASE_REF_CHANGED_EVENT": "BaseRefChangedEvent",
    "CLOSED_EVENT": "ClosedEvent",
    "HEAD_REF_DELETED_EVENT": "HeadRefDeletedEvent",
    "HEAD_REF_FORCE_PUSHED_EVENT": "HeadRefForcePushedEvent",
    "MERGED_EVENT": "MergedEvent",
    "PULL_REQUEST_REVIEW": "PullRequestReview",
    "REOPENED_EVENT": "ReopenedEvent",
    "REVIEW_DISMISSED_EVENT": "ReviewDismissedEvent",
}


def comment_node(graph: Graph, repo: Repo, comment: Comment) -> Node:
    return {
        "__typename": "IssueComment",
        "id": node_id("IC", repo.id, comment.id),
        "author": graph.someone(comment.user),
        "body": comment.body,
        "createdAt": time(comment.created_at),
        "lastEditedAt": comment.edited_at and time(comment.edited_at),
        "isMinimized": comment.minimized,
        "viewerDidAuthor": comment.user == graph.token.login,
    }


def timeline(graph: Any, repo: Repo, pull: Pull, wanted: Sequence[str] | None) -> Callable[..., Node]:
    """The entries of the wanted types, oldest first."""
    nodes = [(review.submitted_at, review.id, graph.review(repo, pull, review)) for review in pull.reviews]
    nodes += [(noted.at, noted.id, node) for noted in pull.timeline if (node := _event(graph, repo, pull, noted))]
    nodes.sort(key=lambda entry: entry[:2])
    kinds = {ITEM_TYPES.get(name, name) for name in wanted or ITEM_TYPES}
    shown = [node for _, _, node in nodes if node["__typename"] in kinds]
    return connection("timelineItems", shown, lambda node: node)


def _event(graph: Any, repo: Repo, pull: Pull, noted: Noted) -> Node | None:
    common = {
        "__typename": noted.kind,
        "id": node_id("EV", repo.id, noted.id),
        "actor": graph.someone(noted.by),
        "createdAt": time(noted.at),
    }
    match noted.kind:
        case "Pushed":
            if repo.git.is_ancestor(noted.before, noted.after):
                return None
            return common | {
                "__typename": "HeadRefForcePushedEvent",
                "beforeCommit": lambda _: graph.commit(repo, noted.before),
                "afterCommit": lambda _: graph.commit(repo, noted.after),
            }
        case "MergedEvent":
            return common | {
                "mergeRefName": pull.base_ref,
                "commit": lambda _: graph.commit(repo, pull.merge_sha) if pull.merge_sha else None,
            }
        case "BaseRefChangedEvent":
            return common | {"previousRefName": noted.before, "currentRefName": noted.after}
        case "HeadRefDeletedEvent":
            return common | {"headRefName": pull.head_ref}
        case "ReviewDismissedEvent":
            review: Review | None = noted.review
            return common | {
                "dismissalMessage": None,
                "previousReviewState": noted.before,
                "review": lambda _: graph.review(repo, pull, review),
            }
    return common


def comment_mutations(graph: Graph) -> Node:
    """What can be changed of comments: with the right to write, those of everybody."""

    def update(_: object, **given: Any) -> Node:
        repo, _pull, comment = _find(graph, given["input"])
        body = given["input"]["body"]
        if len(body) > COMMENT_LIMIT:
            raise RefusedError(422, f"Body is too long (maximum is {COMMENT_LIMIT} characters)")
        comment.body, comment.edited_at = body, graph.world.clock.tick()
        return {"clientMutationId": None, "issueComment": comment_node(graph, repo, comment)}

    def delete(_: object, **given: Any) -> Node:
        _repo, pull, comment = _find(graph, given["input"])
        pull.comments.remove(comment)
        return {"clientMutationId": None}

    return {"updateIssueComment": update, "deleteIssueComment": delete}


def _find(graph: Graph, wanted: Mapping[str, Any]) -> tuple[Repo, Pull, Comment]:
    if not graph.token.allows("issues", "write"):
        graph.need("pull_requests", "write")
    kind, repo, number = graph.locate(wanted["id"])
    for pull in repo.pulls.values() if kind == "IC" else ():
        for comment in pull.comments:
            if str(comment.id) == number:
                return repo, pull, comment
    text = f"Could not resolve to a node with the global id of '{wanted['id']}'"
    raise RefusedError(404, text, kind="NOT_FOUND")
