"""What people do on GitHub: reviews, comments, events, teams and pushes; the requests that read and write them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gitops_promotion.bounded_http import TooLargeError
from gitops_promotion.core import untrusted
from gitops_promotion.core.discussion import Comment, Discussion, People, Person
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.errors import AuthError, ProviderError
from gitops_promotion.providers import Opinion
from gitops_promotion.providers.github import queries
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.answers import field, text
from gitops_promotion.providers.github.api import PAGE, Api
from gitops_promotion.providers.github.discussions import (
    Page,
    contexts_of_protection,
    contexts_of_rules,
    next_cursor,
    own_comments,
    read_discussion,
    read_is_required,
    read_members,
    read_pushes,
    same_review,
)
from gitops_promotion.providers.http import PAGES, RefusedError, full_sha

PULL_REQUESTS = 50
"""Pull requests in one request for discussions."""

# Items of a page of reviews, comments or events: texts of 65,536 characters may make an answer too large.
_PAGE_SIZE = 100
_SMALL_PAGE_SIZE = 10
_TEAM = re.compile(r"([A-Za-z0-9-]{1,100})/([A-Za-z0-9_-][A-Za-z0-9_.-]{0,254})")
_EVENTS: Mapping[Opinion, tuple[str, str]] = {
    "approved": ("APPROVE", ""),
    # GitHub demands a text for this event.
    "changes-requested": ("REQUEST_CHANGES", "Declined."),
}
_MEMBERS = (
    "give the token the organisation permission `Members: read`, which the token of a GitHub App can have and a "
    "workflow's GITHUB_TOKEN cannot"
)
_COMMENTS = "pull-requests: write"


class WithPeople:
    """The people's half of a repository on GitHub."""

    def __init__(self, api: Api, address: Address) -> None:
        """Send nothing yet."""
        self._api = api
        self._address = address
        self._path = f"/repos/{address.repository}"
        self._names = {"owner": address.owner, "name": address.name}

    def discussions(self, numbers: Sequence[int]) -> dict[int, Discussion]:
        """Return the reviews, this tool's comments and the events of pull requests: one request for PULL_REQUESTS.

        It takes more requests only where a pull request has more than a page of reviewers, a page of comments before
        this tool's, or texts that are too long for one answer. Of events the newest page is read. Needs the permission
        pull-requests: read.
        """
        unread: dict[int, Mapping[str, str | None]] = dict.fromkeys(numbers, queries.FIRST)
        discussions: dict[int, Discussion] = {}
        for _ in range(PAGES):
            if not unread:
                return discussions
            batch = [(number, unread.pop(number)) for number in list(unread)[:PULL_REQUESTS]]
            for number, page in self._discussion_pages(batch, _PAGE_SIZE):
                discussions[number] = page.after(discussions.get(number))
                if page.cursors:
                    unread[number] = page.cursors
        raise ProviderError(
            f"GitHub shows no end of the reviews and comments of #{next(iter(unread))} in {self._address.repository}: "
            "close this pull request, so that a new one is opened"
        )

    def _discussion_pages(
        self, batch: Sequence[tuple[int, Mapping[str, str | None]]], size: int
    ) -> Iterator[tuple[int, Page]]:
        """Yield what one answer has of each pull request; where it is too large, what several smaller ones have."""
        try:
            query = queries.discussions(batch, size=size)
            data = self._api.graphql(query, self._names, needs="pull-requests: read")
        except TooLargeError:
            if len(batch) == 1 and size == _SMALL_PAGE_SIZE:
                raise
            middle = len(batch) // 2
            size = size if middle else _SMALL_PAGE_SIZE
            for part in filter(None, (batch[:middle], batch[middle:])):
                yield from self._discussion_pages(part, size)
            return
        except RefusedError as error:
            names = ", ".join(f"#{number}" for number, _ in batch)
            raise ProviderError(
                f"the reviews of {untrusted.line(names)} in {self._address.repository} cannot be read "
                f"({error.reason}): check that these pull requests exist, and run again"
            ) from error
        repository = field(data, dict, "repository")
        for number, parts in batch:
            yield number, read_discussion(field(repository, dict, f"p{number}"), parts)

    def members(self, group: str) -> People:
        """Return the members of `org/team`, those of its child teams too, or why they cannot be read.

        Needs the organisation permission Members: read. One request for a hundred members.
        """
        team = _TEAM.fullmatch(group)
        if team is None:
            return People(problem=f"{untrusted.quoted(group)} is no team: write it as `organisation/team-name`")
        path = f"/orgs/{team[1]}/teams/{team[2]}/members"
        try:
            return People(members=read_members(list(self._api.pages(path, {}, needs="organisation members: read"))))
        except AuthError as error:
            return People(problem=f"the team {group} cannot be read: {error}; {_MEMBERS}")
        except RefusedError as error:
            # GitHub gives the same answer where the permission is missing.
            reason = f"the team {group} cannot be read ({error.reason}): check its name, and {_MEMBERS}"
            return People(problem=reason)

    def pushers(self, pull_request: PullRequest) -> People:
        """Return who pushed to the branch of a pull request since it was created, Apps and this token's owner too.

        Commits do not say that: their author is what somebody wrote. One request for a hundred pushes; needs the
        permission contents: read.
        """
        ref = f"refs/heads/{pull_request.head}"
        name = f"who pushed to {untrusted.line(pull_request.head)} (#{pull_request.number})"
        pushers: frozenset[str] = frozenset()
        heads: frozenset[str] = frozenset()
        begins, cursor = False, ""
        for _ in range(PAGES):
            parameters = {"ref": ref, "per_page": PAGE, **({"after": cursor} if cursor else {})}
            try:
                data, headers = self._api.rest(
                    "GET", f"{self._path}/activity", needs="contents: read", parameters=parameters
                )
            except AuthError as error:
                return People(problem=f"{name} cannot be read: {error}")
            except RefusedError as error:
                advice = "give the token the permission contents: read, and run again"
                return People(problem=f"{name} cannot be read ({error.reason}): {advice}")
            page = read_pushes(data, ref)
            pushers |= page.pushers
            heads |= page.heads
            begins, cursor = page.begins, next_cursor(headers)
            if begins or not cursor:
                break
        if pull_request.head_sha not in heads:
            # GitHub records a push some time after it happened.
            return People(problem=f"{name} cannot be read: GitHub does not show its last push yet, run again")
        if not begins:
            advice = "close it and delete its branch, and `gitops-promotion promote --all` opens a new one"
            return People(problem=f"{name} cannot be read: GitHub does not show when the branch was created; {advice}")
        return People(members=pushers)

    def identity(self) -> Person:
        """Return who this token belongs to: `name[bot]` for an App's and a workflow's own. One request."""
        data = self._api.graphql(queries.VIEWER, {})
        name = field(field(data, dict, "viewer"), str, "login")
        return Person(name=name, is_bot=name.endswith("[bot]"))

    def add_review(self, pull_request: PullRequest, verdict: Opinion, comment: str) -> None:
        """Review `pull_request.head_sha` as the owner of the token. Raises ProviderError with GitHub's reason.

        One request. Needs the permission pull-requests: write.
        """
        event, substitute = _EVENTS[verdict]
        body = {"commit_id": full_sha(pull_request.head_sha), "event": event, "body": comment or substitute}
        number = pull_request.number
        try:
            path = f"{self._path}/pulls/{number}/reviews"
            data, _ = self._api.rest(
                "POST",
                path,
                body,
                needs="pull-requests: write",
                find_made=lambda: same_review(self._newest_of_viewer(number), verdict, body),
            )
        except RefusedError as error:
            raise ProviderError(
                f"GitHub takes no review of #{number} ({error.reason}): {_next_step(error.reason)}"
            ) from error
        if text(data, "state") not in ("APPROVED", "CHANGES_REQUESTED"):
            raise ProviderError(f"GitHub has not counted the review of #{number}: give it on {pull_request.url}")

    def write_comment(self, pull_request: PullRequest, body: str, written: Sequence[Comment]) -> None:
        """Make this tool's one comment say `body`: edit the oldest of those it has written, and delete the others.

        No request where nothing changes, else one for each comment. Needs the permission pull-requests: write.
        """
        try:
            for duplicate in written[1:]:
                self._change("deleteIssueComment", {"id": duplicate.id})
            if not written:
                self._create_comment(pull_request, body)
            elif not _is_same(written[0].body, body) and not self._change(
                "updateIssueComment", {"id": written[0].id, "body": body}
            ):
                # It was deleted since it was read.
                self._create_comment(pull_request, body)
        except AuthError as error:
            raise AuthError(f"the comment on #{pull_request.number} is not written: {error}") from error
        except RefusedError as error:
            raise ProviderError(
                f"the comment on #{pull_request.number} is not written ({error.reason}): give the token the permission "
                f"{_COMMENTS}"
            ) from error

    def _create_comment(self, pull_request: PullRequest, body: str) -> None:
        number = pull_request.number

        def find_made() -> Comment | None:
            comments = own_comments(self._newest_of_viewer(number))
            return next((comment for comment in comments if _is_same(comment.body, body)), None)

        path = f"{self._path}/issues/{number}/comments"
        self._api.rest("POST", path, {"body": body}, needs=_COMMENTS, find_made=find_made)

    def _newest_of_viewer(self, number: int) -> Mapping[str, Any]:
        """Return what the owner of the token has written last on a pull request."""
        data = self._api.graphql(queries.NEWEST_OF_VIEWER, {**self._names, "number": number})
        return field(field(data, dict, "repository"), dict, "pullRequest")

    def _change(self, mutation: str, payload: Mapping[str, str]) -> bool:
        """Edit or delete a comment; returns False if it is gone."""
        try:
            self._api.graphql(queries.mutation(mutation), {"input": dict(payload)}, needs=_COMMENTS)
        except RefusedError as error:
            if error.status != 404:
                raise
            return False
        return True

    def requires_status(self, pull_request: PullRequest, context: str) -> bool:
        """Return True if GitHub merges the pull request only after a success of the commit status `context`.

        Where the head has a status of that context, GitHub itself says so, whatever kind of rule it is: one request.
        Else the rules of the base are read, and then its classic protection: two more. What cannot be read counts as
        requiring nothing.
        """
        variables = {
            **self._names,
            "number": pull_request.number,
            "oid": full_sha(pull_request.head_sha),
            "context": context,
        }
        try:
            data = self._api.graphql(queries.IS_REQUIRED, variables, needs="commit statuses: read")
            if (is_required := read_is_required(data)) is not None:
                return is_required
        except (AuthError, RefusedError):
            pass
        base = quote(pull_request.base, safe="")
        return context in self._contexts_of_rules(base) or context in self._contexts_of_protection(base)

    def _contexts_of_rules(self, base: str) -> frozenset[str]:
        try:
            return contexts_of_rules(list(self._api.pages(f"{self._path}/rules/branches/{base}", {}, needs="")))
        except (AuthError, RefusedError):
            return frozenset()

    def _contexts_of_protection(self, base: str) -> frozenset[str]:
        try:
            return contexts_of_protection(self._api.rest("GET", f"{self._path}/branches/{base}")[0])
        except (AuthError, RefusedError):
            return frozenset()

    def add_reviewer(self, pull_request: PullRequest, name: str) -> str:
        """Ask a person, or the team `org/team`, for a review; returns why that was refused, "" if it was not.

        One request for each: GitHub refuses a request for several if one name is wrong. Who has voted must not be asked
        again: their vote leaves some of GitHub's lists. Needs the permission pull-requests: write, for a team also
        Members: read.
        """
        organisation, _, team = name.partition("/")
        if organisation and team:
            body: dict[str, Any] = {"team_reviewers": [team]}
        else:
            body = {"reviewers": [name]}
        label = untrusted.line(name, untrusted.VALUE_LIMIT)
        try:
            path = f"{self._path}/pulls/{pull_request.number}/requested_reviewers"
            self._api.rest("POST", path, body, needs="pull-requests: write")
        except AuthError as error:
            return f"{label} is not asked for a review: {error}"
        except RefusedError as error:
            advice = f"give {label} access to {self._address.repository}"
            return f"{label} is not asked for a review ({error.reason}): {advice}{f', and {_MEMBERS}' if team else ''}"
        return ""

    def add_assignee(self, pull_request: PullRequest, name: str) -> str:
        """Assign a person to a pull request; returns why that was refused, "" if it was not.

        GitHub leaves out whom it cannot assign, without an error: the answer has those who are assigned
        (https://docs.github.com/rest/issues/assignees#add-assignees-to-an-issue).
        """
        person = untrusted.line(name, untrusted.VALUE_LIMIT)
        try:
            path = f"{self._path}/issues/{pull_request.number}/assignees"
            response = self._api.rest("POST", path, {"assignees": [name]}, needs=_COMMENTS)[0]
        except AuthError as error:
            return f"{person} is not assigned: {error}"
        except RefusedError as error:
            return f"{person} is not assigned ({error.reason}): correct assignees in the configuration"
        assigned = response.get("assignees") if isinstance(response, dict) else None
        logins = [user.get("login") for user in assigned or () if isinstance(user, dict)]
        if name.casefold() in [str(login).casefold() for login in logins]:
            return ""
        return (
            f"{person} is not assigned: GitHub assigns at most ten people, who have write access: give it to {person}"
        )

    def add_label(self, pull_request: PullRequest, label: str) -> str:
        """Give a pull request a label; returns why that was refused, "" if it was not.

        One request for each: GitHub refuses a request for several if one label is wrong. It creates a new label.
        """
        name = untrusted.line(label, untrusted.VALUE_LIMIT)
        try:
            path = f"{self._path}/issues/{pull_request.number}/labels"
            self._api.rest("POST", path, {"labels": [label]}, needs=_COMMENTS)
        except AuthError as error:
            return f"the label {name} is left out: {error}"
        except RefusedError as error:
            return f"the label {name} is left out ({error.reason}): give it another name"
        return ""


def _is_same(written: str, body: str) -> bool:
    """Compare texts as GitHub keeps them: line ends and blanks at the end may differ."""
    return written.replace("\r\n", "\n").rstrip() == body.replace("\r\n", "\n").rstrip()


def _next_step(reason: str) -> str:
    """Return what to do where GitHub takes no review."""
    if re.search(r"your own pull request", reason, re.IGNORECASE):
        return "the author of a pull request cannot review it: another person must, with a token of their own"
    if re.search(r"not permitted to approve", reason, re.IGNORECASE):
        return "use the token of a person"
    if re.search(r"commit_?id|head sha|not part of the pull request", reason, re.IGNORECASE):
        return "it has changed meanwhile, look at it and run this again"
    return "check that it is open and that the token has the permission pull-requests: write"
