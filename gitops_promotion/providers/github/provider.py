"""Pull requests, statuses and reviews on GitHub, GitHub Enterprise Cloud and Server.

PyGithub signs and sends; what is asked is written out here, so that each method's requests can be counted (DESIGN 11)
and every answer is checked like any other input. REST for what it has, GraphQL for statuses of many commits,
auto-merge and merge queues, which REST has not or not in one request.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from gitops_promotion.core import untrusted
from gitops_promotion.core.due import open_for
from gitops_promotion.core.forge import AutoMerge, CommitStatus, Draft, HeadState, PullRequest, Review
from gitops_promotion.errors import AuthError, LeaseLostError, ProviderError
from gitops_promotion.providers import Connection
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.answers import (
    CHECK_RUNS,
    CONTEXTS,
    REVIEWS,
    check_runs_of,
    check_sha,
    get,
    listed,
    newest,
    next_page,
    pull_of,
    review_of,
    statuses_of,
)
from gitops_promotion.providers.github.api import PAGE, PAGES, Api, Given, RefusedError, token
from gitops_promotion.providers.github.merging import PAUSES, Merges

__all__ = ["GitHub", "connect", "token"]

COMMITS = 100
"""Commits asked for their statuses in one request."""


def connect(connection: Connection) -> "GitHub":
    """Return the provider of the remote's repository on GitHub. Raises UsageError, AuthError; sends nothing yet."""
    address = Address.parse(connection.url, api_url=connection.api_url, environ=connection.environ)
    return GitHub(address, connection)


class GitHub:
    """A repository on GitHub; see the module."""

    publishes = False

    def __init__(self, address: Address, connection: Connection) -> None:
        self._address = address
        self._sleep = connection.sleep
        self._path = f"/repos/{address.repository}"
        self._api = Api(address, Given(asked(connection)), now=connection.now, sleep=connection.sleep)
        self._names = {"owner": address.owner, "name": address.name}
        self._prefixes = (connection.branch_prefix, "feature/", "remove/")
        self._apps = frozenset(slug.casefold() for slug in connection.check_run_apps)
        self._merges = Merges(self._api, address, method=connection.merge_method, sleep=connection.sleep)
        # What answers have told on the way; each entry saves a request.
        self._open: dict[str, list[PullRequest]] = {}

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request whole. Raises ProviderError if there is none of that number, or a fork's."""
        found = self._pull(self._one(number))
        if found is None:
            raise ProviderError(
                f"pull request #{number} of {self._address.repository} comes from a fork, whose branches are none of "
                "ours: check it by hand"
            )
        return found

    def _one(self, number: int) -> Any:
        try:
            return self._api.rest("GET", f"{self._path}/pulls/{number}", needs="pull-requests: read")[0]
        except RefusedError as error:
            if error.status != 404:
                raise
            raise ProviderError(
                f"there is no pull request #{number} in {self._address.repository}, or the token may not read it: "
                "check the number and the permission pull-requests: read"
            ) from error

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return the newest hundred from the branch `head`, open and closed, newest first (B25)."""
        items = self._list(head, state="all")
        found = [pull for item in items if (pull := self._pull(item)) is not None and pull.head == head]
        found.sort(key=lambda pull: pull.number, reverse=True)
        self._open[head] = [pull for pull in found if pull.state == "open"]
        return found

    def _list(self, head: str, *, state: str) -> list[Any]:
        try:
            items, _ = self._api.rest(
                "GET",
                f"{self._path}/pulls",
                needs="pull-requests: read",
                parameters={
                    "head": f"{self._address.owner}:{head}",
                    "state": state,
                    "sort": "created",
                    "direction": "desc",
                    "per_page": PAGE,
                },
            )
        except RefusedError as error:
            self._hidden(error)
        return listed(items)

    def _hidden(self, error: RefusedError) -> NoReturn:
        if error.status != 404:
            raise error
        # git has just read it, so it is there.
        raise AuthError(
            f"the token does not see {self._address.repository} at {self._address.api}: give it access to this "
            "repository with the permissions contents: write and pull-requests: write"
        ) from error

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones whose branch is one of this tool's, all pages."""
        try:
            wanted = {"state": "open", "sort": "created", "direction": "desc"}
            items = list(self._api.pages(f"{self._path}/pulls", wanted, needs="pull-requests: read"))
        except RefusedError as error:
            self._hidden(error)
        found = {pull.number: pull for item in items if (pull := self._pull(item)) is not None}
        return [pull for pull in found.values() if pull.head.startswith(self._prefixes)]

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`.

        None comes out armed for an older head. Raises LeaseLostError if GitHub does not show it at `draft.head_sha`.
        """
        known = open_for(self._open.get(draft.head, ()), draft.base)
        data = self._updated(known.number, draft) if known else None
        if data is None:
            data = self._created(draft)
        pull_request = self._at(self._ours(data), draft.head_sha)
        self._open[draft.head] = [pull_request]
        if pull_request.auto_merge and self._merges.armed_for.get(pull_request.number) != draft.head_sha:
            if self.set_auto_merge(pull_request, enabled=False).state != "off":
                raise LeaseLostError(f"pull request #{pull_request.number} was merged or closed in between")
            return self.pull_request(pull_request.number)
        return pull_request

    def _created(self, draft: Draft) -> Any:
        """Create it; where that fails because somebody, or this very request before a broken answer, did: update."""
        body = {"title": draft.title, "body": draft.body, "head": draft.head, "base": draft.base}
        try:
            return self._api.rest("POST", f"{self._path}/pulls", body, needs="pull-requests: write")[0]
        except RefusedError as error:
            for item in self._list(draft.head, state="open") if error.status == 422 else ():
                other = self._pull(item)
                if other is not None and (other.head, other.base) == (draft.head, draft.base):
                    data = self._updated(other.number, draft)
                    if data is not None:
                        return data
            raise self._cannot_open(error, draft) from error

    def _cannot_open(self, error: RefusedError, draft: Draft) -> ProviderError:
        advice = (
            (r"no commits between", f"{draft.head} has nothing that {draft.base} lacks, run again"),
            (r"not all refs are readable|head\b.*invalid", f"the remote has no branch {draft.head!r}, run again"),
            (r"base\b.*invalid", f"the remote has no branch {draft.base!r}, check its default branch"),
            (r"not found", "give the token the permissions contents: write and pull-requests: write"),
        )
        how = next((what for key, what in advice if re.search(key, error.said, re.IGNORECASE)), "correct that there")
        return ProviderError(
            f"GitHub opens no pull request from {draft.head} in {self._address.repository} ({error.said}): {how}"
        )

    def _updated(self, number: int, draft: Draft) -> Any:
        """Rewrite an open one; None if it is open no more."""
        body = {"title": draft.title, "body": draft.body, "base": draft.base}
        try:
            data, _ = self._api.rest("PATCH", f"{self._path}/pulls/{number}", body, needs="pull-requests: write")
        except RefusedError as error:
            # GitHub does not change the base of a closed one.
            if error.status == 422 and self.pull_request(number).state != "open":
                return None
            raise
        return data if get(data, str, "state") == "open" else None

    def _at(self, pull_request: PullRequest, head_sha: str) -> PullRequest:
        """Return it as soon as it shows the pushed head: GitHub moves it some time after the branch."""
        for pause in PAUSES:
            if pull_request.head_sha == head_sha:
                return pull_request
            self._sleep(pause)
            pull_request = self.pull_request(pull_request.number)
        if pull_request.head_sha == head_sha:
            return pull_request
        raise LeaseLostError(
            f"pull request #{pull_request.number} is at {pull_request.head_sha}, not at {head_sha}: run again"
        )

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Close it unmerged; its branch stays. Raises ProviderError if it is merged."""
        path = f"{self._path}/pulls/{pull_request.number}"
        try:
            data, _ = self._api.rest("PATCH", path, {"state": "closed"}, needs="pull-requests: write")
            closed = self._ours(data)
        except RefusedError:
            closed = self.pull_request(pull_request.number)
            if closed.state == "open":
                raise
        if closed.state == "merged":
            raise ProviderError(f"pull request #{closed.number} is merged already: revert {closed.merge_sha} instead")
        self._open.pop(closed.head, None)
        return closed

    # -- merging

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Arm it for exactly `pull_request.head_sha`, or disarm it.

        `clean` where nothing is required, so that GitHub arms nothing: it could be merged now, and is not.
        """
        return self._merges.arm(pull_request) if enabled else self._merges.disarm(pull_request)

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge it now, at exactly `pull_request.head_sha`; `refused` with what to do where GitHub does not."""
        return self._merges.merge(pull_request)

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return what blocks the head of an open pull request until the branch gets a new head.

        Needs the permission checks: read.
        """
        return self._merges.head_state(pull_request)

    # -- statuses and reviews

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per context of each commit; a commit GitHub does not know has none.

        One request for a hundred commits. Check runs count where their app is named in the configuration (B22), and
        cost further requests only on commits with more than a hundred.
        """
        found: dict[str, list[CommitStatus]] = {sha: [] for sha in shas}
        for sha in found:
            check_sha(sha)
        todo: dict[str, str | None] = dict.fromkeys(found)
        parts = [CONTEXTS, CHECK_RUNS] if self._apps else [CONTEXTS]
        for _ in range(PAGES):
            if not todo:
                return {sha: newest(statuses) for sha, statuses in found.items()}
            now, later = list(todo.items())[:COMMITS], list(todo.items())[COMMITS:]
            todo = dict(later)
            for sha, commit in self._commits(now, parts):
                found[sha] += statuses_of(commit) + check_runs_of(commit, self._apps)
                if (cursor := next_page(commit)) is not None:
                    todo[sha] = cursor
        raise ProviderError(f"GitHub shows no end of the check runs in {self._address.repository}: run again")

    def _commits(
        self, cursors: Sequence[tuple[str, str | None]], parts: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        aliases = []
        for index, (sha, cursor) in enumerate(cursors):
            # On the further pages of a commit the statuses come again; the newest of each is kept.
            wanted = " ".join(part % json.dumps(cursor) if "%s" in part else part for part in parts)
            aliases.append(f"c{index}: object(oid: {json.dumps(sha)}) {{ ... on Commit {{ {wanted} }} }}")
        query = "query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) {\n%s\n} }"
        data = self._api.graphql(query % "\n".join(aliases), self._names, needs="commit statuses: read, checks: read")
        repository = get(data, dict, "repository")
        for index, (sha, _) in enumerate(cursors):
            commit = repository.get(f"c{index}")
            yield sha, commit if isinstance(commit, dict) else {}

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit; GitHub takes 140 characters of its description."""
        body = {"state": status.state, "context": status.context, "description": status.description[:140]}
        if status.url:
            body["target_url"] = status.url
        try:
            self._api.rest("POST", f"{self._path}/statuses/{check_sha(sha)}", body, needs="commit statuses: write")
        except RefusedError as error:
            raise ProviderError(
                f"GitHub takes no status {status.context!r} on {sha} ({error.said}): check that the commit is pushed "
                "and the token has the permission commit statuses: write"
            ) from error

    def reviews(self, number: int) -> list[Review]:
        """Return the last approval or objection of each person who may write, newest first, with its commit."""
        found: list[Review] = []
        after: str | None = None
        for _ in range(PAGES):
            variables = {**self._names, "number": number, "after": after}
            try:
                data = self._api.graphql(REVIEWS, variables, needs="pull-requests: read")
            except RefusedError as error:
                raise ProviderError(
                    f"the reviews of pull request #{number} of {self._address.repository} are not to be had "
                    f"({error.said}): check the number"
                ) from error
            pull = get(get(data, dict, "repository"), dict, "pullRequest")
            reviews = get(pull, dict, "latestOpinionatedReviews")
            found += [review for node in listed(reviews.get("nodes")) if (review := review_of(node)) is not None]
            info = get(reviews, dict, "pageInfo")
            if not get(info, bool, "hasNextPage"):
                break
            after = get(info, str, "endCursor")
        return sorted(found, key=lambda review: review.at or datetime.min.replace(tzinfo=UTC), reverse=True)

    # -- reading

    def _ours(self, data: object) -> PullRequest:
        found = self._pull(data)
        if found is None:
            raise ProviderError(f"GitHub answered with a fork's pull request for {self._address.repository}: run again")
        return found

    def _pull(self, data: object) -> PullRequest | None:
        """Read a pull request; None for a fork's. Learns what later requests need."""
        where = get(get(get(data, dict, "base"), dict, "repo"), str, "full_name")
        if where.casefold() != self._address.repository.casefold():
            raise ProviderError(
                f"{self._address.repository} has moved to {untrusted.line(where)}: put its new address in with "
                "`git remote set-url`"
            )
        found = pull_of(data)
        if found is not None:
            self._merges.ids[found.number] = get(data, str, "node_id")
        return found


def asked(connection: Connection) -> Callable[[], str]:
    """Return the connection's token, asked for when a request needs it, an absent one said so."""

    def given() -> str:
        found = connection.token()
        if not found:
            raise AuthError(
                "GitHub wants a token: give one as GITOPS_PROMOTION_TOKEN or GITHUB_TOKEN (it goes to its own server "
                "only), or an App's GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY"
            )
        return found

    return given
