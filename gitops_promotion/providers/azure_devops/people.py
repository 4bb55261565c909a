"""What people do on a pull request: the requests of the methods of `Provider` about votes, comments and groups.

discussions.py reads the answers.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gitops_promotion.core import untrusted
from gitops_promotion.core.discussion import Comment, Discussion, People, Person
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.errors import AuthError, NoPullRequestError, ProviderError
from gitops_promotion.providers import Opinion
from gitops_promotion.providers.azure_devops.address import Address
from gitops_promotion.providers.azure_devops.answers import field, items, read_merge_state, text
from gitops_promotion.providers.azure_devops.completion import Completion
from gitops_promotion.providers.azure_devops.discussions import (
    REVIEW_MARKER,
    account_name,
    has_marker,
    has_votes,
    is_group,
    lacks_groups,
    own_comments_since_vote,
    read_account,
    read_discussion,
    read_pushers,
)
from gitops_promotion.providers.azure_devops.endpoints import PAGE, Directory, Endpoints
from gitops_promotion.providers.http import RefusedError

RECENT = 200
"""Pull requests, closed ones too, that one request lists in place of one request for each."""

_VOTES: dict[Opinion, int] = {"approved": 10, "changes-requested": -10}


class WithPeople:
    """The people's half of a repository on Azure DevOps."""

    def __init__(
        self,
        address: Address,
        endpoints: Endpoints,
        directory: Directory,
        completion: Completion,
    ) -> None:
        self._address = address
        self._endpoints = endpoints
        self._directory = directory
        self._completion = completion
        self._branchless: set[int] = set()
        self._groups: dict[str, People] = {}

    def _pull(self, number: int) -> Any:
        try:
            return self._endpoints.pull(number)
        except RefusedError as error:
            if error.status != 404:
                raise
            raise NoPullRequestError(
                f"there is no pull request #{number} in {self._address.name}, or the token may not read it: check the "
                "number and the scope Code (Read)"
            ) from error

    # -- reading

    def discussions(self, numbers: Sequence[int]) -> dict[int, Discussion]:
        """Return the votes, this tool's comments and the events of pull requests.

        It takes one request for all open ones, one for the newest of the others, and for each pull request one for its
        threads, and one for its pushes if anybody has voted.
        """
        distinct = list(dict.fromkeys(numbers))
        data_by_number: dict[int, Any] = {}
        for status, limit in (("active", PAGE), ("all", RECENT)):
            if len(set(distinct) - data_by_number.keys()) > 1:
                page = self._endpoints.pulls(status=status, limit=limit)
                data_by_number |= {field(data, int, "pull_request_id"): data for data in page if not lacks_groups(data)}
        return {
            number: self._discussion(number, data_by_number.get(number) or self._pull(number)) for number in distinct
        }

    def _discussion(self, number: int, data: Any) -> Discussion:
        threads = self._endpoints.threads(number)
        return read_discussion(
            data,
            threads,
            self._endpoints.iterations(number) if has_votes(data) else (),
            own_id=self._endpoints.own_id() if has_marker(threads) else "",
            has_branch=number not in self._branchless,
        )

    def identity(self) -> Person:
        """Return who this token belongs to; a build service or an application is a bot."""
        return read_account(self._endpoints.me())

    def members(self, group: str) -> People:
        """Return the direct members of a group, by two requests, or the problem that keeps them from being known.

        A group within the group is such a problem. Even then Azure DevOps says of each vote whether a member gave it.
        """
        if group not in self._groups:
            self._groups[group] = replace(self._members(group), by_review=True)
        return self._groups[group]

    def _members(self, group: str) -> People:
        try:
            identity = self._find(group, with_members=True)
            if isinstance(identity, str):
                return People(problem=identity)
            ids = getattr(identity, "member_ids", None)
            if not is_group(identity) or not isinstance(ids, list):
                return People(
                    problem=f"Azure DevOps lists no members of {untrusted.line(group)}: name a group or a team"
                )
            people = self._directory.by_ids([item for item in ids if isinstance(item, str)])
        except ProviderError as error:
            return People(problem=_unreadable(group, error))
        if any(is_group(person) for person in people):
            return People(problem=f"the group {untrusted.line(group)} has groups as members, which are not read")
        if len(people) < len(ids) or not all(account_name(person) for person in people):
            return People(problem=f"Azure DevOps does not name all members of {untrusted.line(group)}")
        return People(members=frozenset(account_name(person) for person in people))

    def pushers(self, pull_request: PullRequest) -> People:
        """Return who pushed to the branch since it was made, by one request."""
        name = f"#{pull_request.number}"
        try:
            pushes = self._endpoints.pushes(pull_request.head)
            names = read_pushers(pushes, pull_request.head, pull_request.head_sha)
        except ProviderError as error:
            return People(problem=f"who pushed to {name} cannot be read ({untrusted.line(str(error))})")
        if names is None:
            return People(problem=f"Azure DevOps does not say yet of each push to {name} who made it: run again")
        return People(members=names)

    def requires_status(self, pull_request: PullRequest, context: str) -> bool:
        """Return True if a policy of the base holds the pull request until this status succeeds on its newest push."""
        return self._completion.requires_status(pull_request, context)

    # -- writing

    def add_review(self, pull_request: PullRequest, verdict: Opinion, comment: str) -> None:
        """Vote as the owner of the token, in the name of `pull_request.head_sha`. Raises ProviderError.

        A vote belongs to no commit: the head is read before.
        """
        name = f"pull request #{pull_request.number}"
        state = read_merge_state(self._pull(pull_request.number))
        if state.state != "active":
            raise ProviderError(f"{name} is {state.state} already: nobody can vote on it any more")
        if state.head_sha != pull_request.head_sha:
            raise ProviderError(
                f"{pull_request.head} of {name} moved from {pull_request.head_sha} to {state.head_sha}: look at it "
                "again, then run this again"
            )
        try:
            self._endpoints.vote(pull_request.number, self._endpoints.own_id(), _VOTES[verdict])
            if comment:
                self._create_comment(pull_request.number, f"{REVIEW_MARKER}\n{comment}")
        except RefusedError as error:
            raise ProviderError(
                f"Azure DevOps takes no vote on {name} ({error.reason}): vote on its page, {pull_request.url}"
            ) from error

    def write_comment(self, pull_request: PullRequest, body: str, written: Sequence[Comment]) -> None:
        """Make this tool's one comment say `body`, in a closed thread. Raises ProviderError."""
        number = pull_request.number
        try:
            if not written:
                self._create_comment(number, body)
            elif _lines(written[0].body) != _lines(body):
                self._edit(number, written[0], body)
            for comment in written[1:]:
                self._delete(number, comment)
        except RefusedError as error:
            raise ProviderError(
                f"Azure DevOps takes no comment on pull request #{number} ({error.reason}): give the token's user the "
                "permission 'Contribute to pull requests' on the repository"
            ) from error

    def _edit(self, number: int, comment: Comment, body: str) -> None:
        """Change a comment, or write a new one if somebody has deleted it meanwhile."""
        try:
            self._endpoints.edit_comment(number, *_place(comment), body)
        except RefusedError as error:
            if error.status != 404:
                raise
            self._create_comment(number, body)

    def _create_comment(self, number: int, body: str) -> None:
        def find_made() -> bool | None:
            comments = own_comments_since_vote(self._endpoints.threads(number), self._endpoints.own_id())
            return any(_lines(comment) == _lines(body) for comment in comments) or None

        self._endpoints.comment(number, body, find_made)

    def _delete(self, number: int, comment: Comment) -> None:
        try:
            self._endpoints.delete_comment(number, *_place(comment))
        except RefusedError as error:
            # Another run may have deleted it just before.
            if error.status != 404:
                raise

    def add_reviewer(self, pull_request: PullRequest, name: str) -> str:
        """Make a person or a group a reviewer, unless they are one; returns why that was refused, "" if it was not.

        If a member of a group votes from then on, Azure DevOps says that the vote is for the group.
        """
        try:
            reviewers = items(getattr(self._pull(pull_request.number), "reviewers", None))
            # Adding somebody again would take their vote away.
            if any(_is_named(reviewer, name) for reviewer in reviewers):
                return ""
            identity = self._identity_or_problem(name)
            if isinstance(identity, str):
                return identity
            identity_id = text(identity, "id")
            if all(text(reviewer, "id") != identity_id for reviewer in reviewers):
                self._endpoints.vote(pull_request.number, identity_id, 0)
        except ProviderError as error:
            reason = error.reason if isinstance(error, RefusedError) else str(error)
            return f"Azure DevOps does not take {untrusted.line(name)} as a reviewer: {reason}"
        return ""

    def add_assignee(self, _pull_request: PullRequest, name: str) -> str:
        """Return the message that Azure DevOps has no assignees of pull requests."""
        return f"Azure DevOps assigns nobody to a pull request: put {untrusted.line(name)} into reviewers"

    def add_label(self, pull_request: PullRequest, label: str) -> str:
        """Give a pull request a label, which becomes one of the project; returns why that was refused."""
        name = untrusted.line(label)
        try:
            self._endpoints.label(pull_request.number, label)
        except AuthError as error:
            return f"the label {name} is left out: {error}"
        except RefusedError as error:
            return f"the label {name} is left out ({error.reason}): give it another name"
        return ""

    def _identity_or_problem(self, name: str) -> Any:
        """Return the one identity of this name, or the text of the problem."""
        try:
            return self._find(name)
        except ProviderError as error:
            return _unreadable(name, error)

    def _find(self, name: str, *, with_members: bool = False) -> Any:
        """Return the one identity of this name, or the text of the problem. Raises ProviderError."""
        identities = [
            identity
            for identity in self._directory.named(name, with_members=with_members)
            if _is_named(identity, name) and text(identity, "id")
        ]
        if len(identities) == 1:
            return identities[0]
        number = "more than one person or group" if identities else "no person and no group"
        return (
            f"{number} of {self._address.collection} is called {untrusted.line(name)}: write a group as "
            r"[PROJECT]\GROUP and a person as their unique name, mostly the mail address"
        )


def _is_named(identity: object, name: str) -> bool:
    """Return True if an identity has this name, as pull requests or the directory show it."""
    names = (
        text(identity, "display_name") if is_group(identity) else text(identity, "unique_name"),
        text(identity, "provider_display_name") if is_group(identity) else account_name(identity),
    )
    return name.casefold() in {item.casefold() for item in names if item}


def _unreadable(name: str, error: ProviderError) -> str:
    if isinstance(error, AuthError):
        return f"Azure DevOps does not show {untrusted.line(name)} to this token: give it the scope Identity (Read)"
    return f"Azure DevOps does not show {untrusted.line(name)} ({untrusted.line(str(error))})"


def _place(comment: Comment) -> tuple[int, int]:
    """Return the numbers of a comment's thread and of the comment in it."""
    thread, _, number = comment.id.partition("/")
    return int(thread), int(number)


def _lines(body: str) -> list[str]:
    """Return the lines of a text as a server may have kept them."""
    return body.replace("\r\n", "\n").rstrip().split("\n")
