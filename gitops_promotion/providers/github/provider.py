"""A repository on GitHub: the requests of each method of `Provider`.

PyGithub signs and sends; the requests are written out here, so that those of each method can be counted, and every
answer is checked like any other input (answers.py). REST where it suffices; GraphQL for the statuses of many commits,
for auto-merge and for merge queues.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn
from urllib.parse import quote

from gitops_promotion.core import untrusted
from gitops_promotion.core.commits import MadeCommit, NewCommit
from gitops_promotion.core.due import open_for
from gitops_promotion.core.forge import AutoMerge, CommitStatus, Draft, ForgeSettings, HeadState, PullRequest
from gitops_promotion.core.races import require_off
from gitops_promotion.errors import AuthError, NoPullRequestError, OutdatedError, ProviderError
from gitops_promotion.providers import Connection
from gitops_promotion.providers.github import queries
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.answers import (
    field,
    items,
    newest,
    next_page,
    read_check_runs,
    read_pull_request,
    read_statuses,
)
from gitops_promotion.providers.github.api import PAGE, Api, TokenSigner
from gitops_promotion.providers.github.commits import make_commit
from gitops_promotion.providers.github.merging import Merges
from gitops_promotion.providers.github.people import WithPeople
from gitops_promotion.providers.github.settings import Settings
from gitops_promotion.providers.http import PAGES, RefusedError, full_sha, required_token, wait_for_head

COMMITS = 100
"""Commits in one request for statuses."""
DESCRIPTION_LIMIT = 140
"""Characters of a status's description."""

# The branch was merged or deleted since it was pushed, or is not shown yet; the base was renamed; or the pull request
# that exists is not open any more (docs/facts/forges.md#races).
_OUTDATED = re.compile(
    r"no commits between|not all refs are readable|already exists"
    r"|\b(?:head|base)(?:_sha)?\b.*(?:invalid|missing_field|can't be blank|must be a branch)",
    re.IGNORECASE,
)

_MISSING_CREDENTIALS = (
    "GitHub wants a token, and none was found for this host in GITOPS_PROMOTION_TOKEN, GITHUB_TOKEN and GH_TOKEN, nor, "
    "in a shell, by `gh auth token` and git's credential helpers: set one, run `gh auth login`, or give an App's "
    "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY"
)


def connect(connection: Connection) -> "GitHub":
    """Return the provider of the remote's repository on GitHub. Raises UsageError, AuthError; sends nothing yet."""
    address = Address.parse(connection.url, api_url=connection.api_url, environ=connection.environ)
    return GitHub(address, connection)


class GitHub(WithPeople):
    """A repository on GitHub; see the module."""

    publishes = False

    def __init__(self, address: Address, connection: Connection) -> None:
        token = required_token(connection, _MISSING_CREDENTIALS)
        super().__init__(Api(address, TokenSigner(token), now=connection.now, sleep=connection.sleep), address)
        self._sleep = connection.sleep
        self._prefixes = connection.branch_prefixes
        self._apps = frozenset(slug.casefold() for slug in connection.check_run_apps)
        self._merges = Merges(self._api, address, method=connection.merge_method, sleep=connection.sleep)
        self._settings = Settings(self._api, address, connection)
        # The open pull requests of branches, as earlier answers showed them; each entry saves a request.
        self._open: dict[str, list[PullRequest]] = {}

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request in full. Raises ProviderError if there is none of that number, or a fork's."""
        pull_request = self._read(self._pull(number))
        if pull_request is None:
            raise ProviderError(
                f"pull request #{number} of {self._address.repository} comes from a fork, and this tool leaves "
                "forks alone: check it by hand"
            )
        return pull_request

    def _pull(self, number: int) -> Any:
        try:
            return self._api.rest("GET", f"{self._path}/pulls/{number}", needs="pull-requests: read")[0]
        except RefusedError as error:
            if error.status != 404:
                raise
            raise NoPullRequestError(
                f"there is no pull request #{number} in {self._address.repository}, or the token may not read it: "
                "check the number and the permission pull-requests: read"
            ) from error

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return the newest hundred from the branch `head`, open and closed, newest first (docs/migrating.md, B25)."""
        read = (self._read(item) for item in self._list(head, state="all"))
        pulls = [pull for pull in read if pull is not None and pull.head == head]
        pulls.sort(key=lambda pull: pull.number, reverse=True)
        self._open[head] = [pull for pull in pulls if pull.state == "open"]
        return pulls

    def _list(self, head: str, *, state: str) -> list[Any]:
        try:
            data, _ = self._api.rest(
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
            self._raise_refusal(error)
        return items(data)

    def _raise_refusal(self, error: RefusedError) -> NoReturn:
        """Raise AuthError if the token does not see the repository, else the error itself."""
        if error.status != 404:
            raise error
        # git has just read the repository, so it exists.
        raise AuthError(
            f"the token does not see {self._address.repository} at {self._address.api}: give it access to this "
            "repository with the permissions contents: write and pull-requests: write"
        ) from error

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones from this tool's branches, all pages."""
        return [pull for pull in self.open_pull_requests() if pull.head.startswith(self._prefixes)]

    def open_pull_requests(self) -> list[PullRequest]:
        """Return all open ones from branches of this repository, all pages; in the same requests."""
        parameters = {"state": "open", "sort": "created", "direction": "desc"}
        try:
            documents = list(self._api.pages(f"{self._path}/pulls", parameters, needs="pull-requests: read"))
        except RefusedError as error:
            self._raise_refusal(error)
        # By number: while pages are read, the list may move on and show one twice.
        pulls = {pull.number: pull for data in documents if (pull := self._read(data)) is not None}
        return list(pulls.values())

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`.

        None comes out armed for an older head. Raises OutdatedError if GitHub does not show it at `draft.head_sha`.
        """
        open_one = open_for(self._open.get(draft.head, ()), draft.base)
        data = self._update(open_one.number, draft) if open_one else None
        if data is None and draft.number:
            raise OutdatedError(f"pull request #{draft.number} is not open any more")
        if data is None:
            data = self._create(draft)
        pull_request = self._shown_at(self._read_own(data), draft.head_sha)
        self._open[draft.head] = [pull_request]
        if pull_request.auto_merge and self._merges.armed_for.get(pull_request.number) != draft.head_sha:
            require_off(self.set_auto_merge(pull_request, enabled=False))
            return self.pull_request(pull_request.number)
        return pull_request

    def _create(self, draft: Draft) -> Any:
        """Create it, or update it where it exists: another run, or an earlier try of this request, may have made it."""
        body = {"title": draft.title, "body": draft.body, "head": draft.head, "base": draft.base}
        try:
            return self._api.rest("POST", f"{self._path}/pulls", body, needs="pull-requests: write")[0]
        except RefusedError as error:
            for item in self._list(draft.head, state="open") if error.status == 422 else ():
                pull = self._read(item)
                if pull is not None and (pull.head, pull.base) == (draft.head, draft.base):
                    data = self._update(pull.number, draft)
                    if data is not None:
                        return data
            raise self._cannot_open(error, draft) from error

    def _cannot_open(self, error: RefusedError, draft: Draft) -> ProviderError:
        problem = f"GitHub opens no pull request from {draft.head} in {self._address.repository} ({error.reason})"
        if error.status == 422 and _OUTDATED.search(error.reason):
            return OutdatedError(problem)
        if re.search(r"not found", error.reason, re.IGNORECASE):
            return ProviderError(f"{problem}: give the token the permissions contents: write and pull-requests: write")
        return ProviderError(f"{problem}: correct that there")

    def _update(self, number: int, draft: Draft) -> Any:
        """Rewrite an open one; None if it is no longer open."""
        body = {"title": draft.title, "body": draft.body, "base": draft.base}
        try:
            data, _ = self._api.rest("PATCH", f"{self._path}/pulls/{number}", body, needs="pull-requests: write")
        except RefusedError as error:
            # GitHub does not change the base of a closed one.
            if error.status == 422 and self.pull_request(number).state != "open":
                return None
            raise
        return data if field(data, str, "state") == "open" else None

    def _shown_at(self, pull_request: PullRequest, head_sha: str) -> PullRequest:
        """Return it as soon as it shows the pushed head. Raises OutdatedError."""
        return wait_for_head(pull_request, head_sha, read=self.pull_request, branch_sha=self._branch, sleep=self._sleep)

    def _branch(self, name: str) -> str:
        """Return the commit of a branch, "" where there is none."""
        try:
            data, _ = self._api.rest("GET", f"{self._path}/git/ref/heads/{quote(name)}", needs="contents: read")
        except RefusedError as error:
            if error.status != 404:
                raise
            return ""
        return full_sha(field(field(data, dict, "object"), str, "sha"))

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Close it unmerged; its branch stays. Raises ProviderError if it is merged."""
        path = f"{self._path}/pulls/{pull_request.number}"
        try:
            data, _ = self._api.rest("PATCH", path, {"state": "closed"}, needs="pull-requests: write")
            closed = self._read_own(data)
        except RefusedError:
            closed = self.pull_request(pull_request.number)
            if closed.state == "open":
                raise
        if closed.state == "merged":
            next_step = f"revert {closed.merge_sha} instead"
            raise OutdatedError(f"pull request #{closed.number} is merged already", next_step=next_step)
        self._open.pop(closed.head, None)
        return closed

    # -- merging

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Arm it for exactly `pull_request.head_sha`, or disarm it.

        `clean` where nothing is required, so that GitHub arms nothing: it could be merged now, and is not.
        """
        return self._merges.arm(pull_request) if enabled else self._merges.disarm(pull_request)

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge it now, at exactly `pull_request.head_sha`; `refused` with the next step where GitHub does not."""
        return self._merges.merge(pull_request)

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return the obstacles of an open pull request that only a new head removes.

        Needs the permission checks: read.
        """
        return self._merges.head_state(pull_request)

    # -- statuses and reviews

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per context of each commit; a commit GitHub does not know has none.

        One request for a hundred commits. Check runs count where their app is named in the configuration
        (docs/migrating.md, B22), and cost further requests only on commits with more than a hundred.
        """
        statuses: dict[str, list[CommitStatus]] = {full_sha(sha): [] for sha in shas}
        cursors: dict[str, str | None] = dict.fromkeys(statuses)
        for _ in range(PAGES):
            if not cursors:
                return {sha: newest(of_commit) for sha, of_commit in statuses.items()}
            batch, cursors = list(cursors.items())[:COMMITS], dict(list(cursors.items())[COMMITS:])
            for sha, commit in self._commits(batch):
                # On the further pages of a commit its statuses come again; the newest of each is kept.
                statuses[sha] += read_statuses(commit) + read_check_runs(commit, self._apps)
                if (cursor := next_page(commit)) is not None:
                    cursors[sha] = cursor
        raise ProviderError(f"GitHub shows no end of the check runs in {self._address.repository}: run again")

    def _commits(self, cursors: Sequence[tuple[str, str | None]]) -> Iterator[tuple[str, object]]:
        query = queries.statuses(cursors, check_runs=bool(self._apps))
        data = self._api.graphql(query, self._names, needs="commit statuses: read, checks: read")
        repository = field(data, dict, "repository")
        for index, (sha, _) in enumerate(cursors):
            yield sha, repository.get(f"c{index}")

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit; of its description GitHub takes DESCRIPTION_LIMIT characters."""
        body = {
            "state": status.state,
            "context": status.context,
            "description": status.description[:DESCRIPTION_LIMIT],
        }
        if status.url:
            body["target_url"] = status.url
        try:
            self._api.rest("POST", f"{self._path}/statuses/{full_sha(sha)}", body, needs="commit statuses: write")
        except RefusedError as error:
            raise ProviderError(
                f"GitHub takes no status {status.context!r} on {sha} ({error.reason}): check that the commit is pushed "
                "and the token has the permission commit statuses: write"
            ) from error

    def forge_settings(self, *, base: str, head: str, publishes: bool) -> ForgeSettings:
        """Return the settings and rules that decide about promotions, in at most eight requests."""
        return self._settings.read(base=base, head=head, publishes=publishes)

    def make_commit(self, commit: NewCommit) -> MadeCommit:
        """Make a commit with GitHub's signature; no ref changes. Raises AuthError where it signs none for the token."""
        return make_commit(self._api, self._path, commit)

    # -- reading

    def _read_own(self, data: object) -> PullRequest:
        """Read a pull request from a branch of this repository. Raises ProviderError for a fork's."""
        pull_request = self._read(data)
        if pull_request is None:
            raise ProviderError(f"GitHub answered with a fork's pull request for {self._address.repository}: run again")
        return pull_request

    def _read(self, data: object) -> PullRequest | None:
        """Read a pull request; None for a fork's. Remembers its GraphQL id for later requests."""
        repository = field(field(field(data, dict, "base"), dict, "repo"), str, "full_name")
        if repository.casefold() != self._address.repository.casefold():
            raise ProviderError(
                f"{self._address.repository} has moved to {untrusted.line(repository)}: put its new address in with "
                "`git remote set-url`"
            )
        pull_request = read_pull_request(data)
        if pull_request is not None:
            self._merges.ids[pull_request.number] = field(data, str, "node_id")
        return pull_request
