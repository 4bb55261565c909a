"""What Azure DevOps answers to requests about threads, reviewers, pushes and identities."""

from typing import Any

from tests.forges import azure_notes as notes
from tests.forges.azure_pulls import Call
from tests.forges.azure_shapes import page, time
from tests.forges.azure_state import Comment, RefusedError, Thread, guid

CONTRIBUTE = "PullRequestContribute"
MOST_OF_LABEL = 400
IDENTITY = "Identity"
"""What a token lacks that has not the scope to read people and groups."""


def list_threads(call: Call) -> Any:
    return page([call.shapes.thread(thread) for thread in call.pull.threads])


def create_thread(call: Call) -> Any:
    """Anybody may choose the properties and the kind of comment, but not its author."""
    call.needs(CONTRIBUTE)
    comments = call.body.get("comments") or []
    if not comments or not comments[0].get("content"):
        raise RefusedError(400, "ArgumentNullException", "Value cannot be null. Parameter name: comments")
    if any(comment.get("author") for comment in comments):
        raise RefusedError(400, "ArgumentException", "An author of a comment cannot be updated. Parameter name: Author")
    at = call.world.clock.tick()
    thread = Thread(
        id=call.world.new_id(),
        at=at,
        comments=[
            Comment(
                id=number,
                by=call.token.name,
                text=comment["content"],
                at=at,
                kind=comment.get("commentType", "text"),
            )
            for number, comment in enumerate(comments, 1)
        ],
        properties=call.body.get("properties") or {},
        people=(call.token.name,),
        status=call.body.get("status", "active"),
    )
    call.pull.threads.append(thread)
    return call.shapes.thread(thread)


def _comment(call: Call) -> Comment:
    """The comment of the path, which only its author may change."""
    call.needs(CONTRIBUTE)
    for thread in call.pull.threads:
        for comment in thread.comments:
            if (str(thread.id), str(comment.id)) == (call.parts["threadId"], call.parts["commentId"]):
                if comment.deleted:
                    break
                if comment.by != call.token.name:
                    raise RefusedError(403, "CommentAccessDeniedException", "You may change only your own comments.")
                return comment
    raise RefusedError(404, "DiscussionThreadNotFoundException", "The thread or comment was not found.")


def edit_comment(call: Call) -> Any:
    comment = _comment(call)
    comment.text, comment.at = call.body["content"], call.world.clock.tick()
    return call.shapes.comment(comment)


def delete_comment(call: Call) -> Any:
    _comment(call).deleted = True


def add_label(call: Call) -> Any:
    """docs: Pull Request Labels - Create: a label is one of the project, made when it is first used."""
    call.needs(CONTRIBUTE)
    name = call.body.get("name") or ""
    if not name.strip() or len(name) > MOST_OF_LABEL or not name.isprintable():
        raise RefusedError(400, "InvalidTagNameException", "VS403404: The following tag name is not valid.")
    if name not in call.pull.labels:
        call.pull.labels.append(name)
    return {"id": guid("label", name), "name": name, "active": True}


def put_reviewer(call: Call) -> Any:
    """docs: Pull Request Reviewers - Create Pull Request Reviewer."""
    call.needs(CONTRIBUTE)
    pull, vote, wanted = call.pull, call.body.get("vote", 0), call.parts["reviewerId"]
    name = next((each for each in call.world.names() if guid("identity", each) == wanted), None)
    if name is None:
        raise RefusedError(404, "IdentityNotFoundException", f"TF14045: The identity {wanted} could not be found.")
    if not pull.active:
        raise RefusedError(
            403, "GitPullRequestNotEditableException", "TF401181: The pull request cannot be edited due to its state."
        )
    if vote not in (10, 5, 0, -5, -10):
        raise RefusedError(400, "InvalidArgumentValueException", "Invalid argument value. Parameter name: vote")
    if name == call.token.name:
        notes.voted(call.repo, pull, name, vote)
        return call.shapes.reviewer(name, vote, pull.voted_for[name])
    if vote:
        raise RefusedError(
            400, "InvalidArgumentValueException", "Invalid argument value. Parameter name: only reviewers may vote"
        )
    # This takes the vote of one who has voted away.
    (pull.groups if name in call.world.groups else pull.votes)[name] = 0
    pull.voted_for.pop(name, None)
    return call.shapes.reviewer(name, 0)


def list_iterations(call: Call) -> Any:
    return page(
        [
            {
                "id": iteration.id,
                "author": call.shapes.identity(iteration.by),
                "sourceRefCommit": call.shapes.commit(iteration.sha),
                "createdDate": time(iteration.at),
                "updatedDate": time(iteration.at),
                "reason": "push" if iteration.id > 1 else "create",
            }
            for iteration in call.pull.iterations
        ]
    )


def list_pushes(call: Call) -> Any:
    """docs: Pushes - List: the newest first."""
    ref = call.query.get("searchCriteria.refName")
    pushes = []
    for number, event in enumerate(call.world.events, 1):
        is_push = event.name == "push" and event.repository == call.repo.full_name
        if is_push and ref in (None, f"refs/heads/{event.branch}"):
            update = {"name": f"refs/heads/{event.branch}", "oldObjectId": event.before, "newObjectId": event.sha}
            shown = {"pushId": number, "pushedBy": call.shapes.identity(event.by)}
            has_updates = call.query.get("searchCriteria.includeRefUpdates", "").lower() == "true"
            pushes.append(shown | ({"refUpdates": [update]} if has_updates else {}))
    skip, top = int(call.query.get("$skip", 0)), min(int(call.query.get("$top", 100)), call.page_size)
    return page(pushes[::-1][skip : skip + top])


def read_identities(call: Call) -> Any:
    """docs: Identities - Read Identities: by ids, or by a name as people or the directory write it."""
    if IDENTITY in call.token.lacks:
        raise RefusedError(401, "UnauthorizedRequestException", "TF400813: The user is not authorized.")
    query = call.query
    if ids := query.get("identityIds"):
        known = {guid("identity", name): name for name in call.world.names()}
        return page([call.shapes.account(known[each]) if each in known else None for each in ids.split(",")])
    wanted = query["filterValue"].lower()
    names = [name for name in sorted(call.world.names()) if wanted in (name.lower(), name.rpartition("\\")[2].lower())]
    has_members = query.get("queryMembership") == "Direct"
    return page(
        [
            call.shapes.account(name, call.world.groups[name] if has_members and name in call.world.groups else None)
            for name in names
        ]
    )
