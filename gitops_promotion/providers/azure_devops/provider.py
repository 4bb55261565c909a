"""Pull requests, statuses and votes on Azure DevOps, in the cloud and on a server of one's own.

The official client signs and sends (api.py); what is asked is in endpoints.py, one request a method, so that each can
be counted (DESIGN 11); what is answered is read in answers.py, where every answer is checked like any other input.
completion.py arms and completes, statuses.py reads and posts statuses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.due import open_for
from gitops_promotion.core.forge import AutoMerge, CommitStatus, Draft, HeadState, PullRequest, Review
from gitops_promotion.core.pull_request_text import BODY_LIMIT, read_metadata
from gitops_promotion.errors import AuthError, LeaseLostError, ProviderError
from gitops_promotion.providers import Connection
from gitops_promotion.providers.azure_devops.address import Address
from gitops_promotion.providers.azure_devops.answers import (
    HEADS,
    REBASING,
    check_sha,
    get,
    is_completing,
    is_cut,
    look_of,
    merges_of,
    optional,
    pull_of,
    reviews_of,
    strategy_of,
    time_of,
)
from gitops_promotion.providers.azure_devops.api import Api, RefusedError, token
from gitops_promotion.providers.azure_devops.completion import PAUSES, Completion
from gitops_promotion.providers.azure_devops.endpoints import Endpoints
from gitops_promotion.providers.azure_devops.statuses import Statuses

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["AzureDevOps", "connect", "token"]

TITLE_LIMIT = 400
NEWEST = 100
"""Pull requests of one branch that are looked at."""


def connect(connection: Connection) -> "AzureDevOps":
    """Return the provider of the remote's repository on Azure DevOps. Raises UsageError; sends nothing yet."""
    address = Address.parse(connection.url, api_url=connection.api_url, environ=connection.environ)
    return AzureDevOps(address, connection)


class AzureDevOps:
    """A repository on Azure DevOps; see the module."""

    publishes = False

    def __init__(self, address: Address, connection: Connection) -> None:
        self._address = address
        self._sleep = connection.sleep
        api = Api(address, asked(connection), now=connection.now, sleep=connection.sleep)
        self._ask = Endpoints(api, address)
        self._prefixes = (connection.branch_prefix, "feature/", "remove/")
        self._completion = Completion(self._ask, method=connection.merge_method, sleep=connection.sleep)
        self._statuses = Statuses(self._ask, sleep=connection.sleep)
        # What answers have told on the way; each entry saves a request.
        self._open: dict[str, list[PullRequest]] = {}
        self._heads: dict[str, set[int]] = {}
        self._opened: dict[int, datetime] = {}
        self._ended: dict[int, Any] = {}
        self._merge_shas: dict[int, str] = {}

    # -- looking up

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request whole. Raises ProviderError if there is none of that number, or a fork's."""
        data = self._one(number)
        found = self._pull(data)
        if found is None:
            raise ProviderError(
                f"pull request #{number} of {self._address.name} comes from a fork, whose branches are none of ours: "
                "check it by hand"
            )
        if found.state == "merged":
            return replace(found, merge_sha=self._merge_sha(found, data))
        return self._as_branch(found, data, self._tips([found]))

    def _one(self, number: int) -> Any:
        try:
            return self._ask.pull(number)
        except RefusedError as error:
            if error.status != 404:
                raise
            raise ProviderError(
                f"there is no pull request #{number} in {self._address.name}, or the token may not read it: check the "
                "number and the scope Code (Read)"
            ) from error

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return the newest hundred from the branch `head`, open and closed, newest first.

        Of closed ones the body may be cut, but never before the end of its metadata.
        """
        items = self._ask.pulls(status="all", head=head, most=NEWEST)
        if len(items) == NEWEST and any(self._pull(item) is None for item in items):
            # Forks have branches of that name too, any number of them.
            items = self._ask.pulls(status="all", head=head)
        pairs = [(pull, item) for item in items if (pull := self._pull(item)) is not None and pull.head == head]
        pairs.sort(key=lambda pair: pair[0].number, reverse=True)
        tips = self._tips(pull for pull, _ in pairs)
        newest = next((pull.number for pull, _ in pairs if pull.state == "merged"), None)
        found = []
        for pull, item in pairs:
            if pull.state == "open":
                # What a list leaves out decides: the whole body, and whether it is armed.
                data = self._ask.pull(pull.number)
                self._completion.saw(pull.number, look_of(data))
                found.append(self._as_branch(self._pull(data) or pull, data, tips))
            elif pull.state == "merged":
                seen = self._whole(item) if pull.number == newest and not strategy_of(item) else item
                found.append(replace(self._readable(pull, item), merge_sha=self._merge_sha(pull, seen)))
            else:
                found.append(self._readable(pull, item))
        self._open[head] = [pull for pull in found if pull.state == "open"]
        return found

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones whose branch is one of this tool's, all pages; bodies may be cut behind the metadata."""
        pairs = [(pull, item) for item in self._ask.pulls(status="active") if (pull := self._pull(item)) is not None]
        ours = {pull.number: (pull, item) for pull, item in pairs if pull.head.startswith(self._prefixes)}
        tips = self._tips(pull for pull, _ in ours.values())
        return [
            self._as_branch(self._readable(pull, item), item, tips) for pull, item in ours.values() if pull.head in tips
        ]

    def _pull(self, data: object) -> PullRequest | None:
        """Read a pull request; None for a fork's. Learns what later requests need."""
        number = getattr(data, "pull_request_id", None)
        found = pull_of(data, self._address.page(number if isinstance(number, int) else 0))
        if found is not None and found.state == "open":
            self._heads.setdefault(found.head_sha, set()).add(found.number)
            if (at := time_of(data, "creation_date")) is not None:
                self._opened[found.number] = at
        return found

    def _readable(self, pull: PullRequest, item: object) -> PullRequest:
        """Return it with a body whose metadata, if it has any, is whole."""
        if not is_cut(item) or read_metadata(pull.body) is not None:
            return pull
        return replace(pull, body=optional(self._whole(item), "description"))

    def _whole(self, item: Any) -> Any:
        """Return what a list shows a part of; what has ended does not change any more."""
        number = item.pull_request_id
        if number not in self._ended:
            data = self._ask.pull(number)
            if optional(data, "status") == "active":
                return data
            self._ended[number] = data
        return self._ended[number]

    def _tips(self, pulls: Iterable[PullRequest]) -> dict[str, str]:
        """Return the branches of those that are open: Azure DevOps keeps a pull request open without its branch."""
        heads = {pull.head for pull in pulls if pull.state == "open"}
        wanted = (
            heads if len(heads) == 1 else {each for each in self._prefixes if any(h.startswith(each) for h in heads)}
        )
        found: dict[str, str] = {}
        for prefix in sorted(wanted):
            found |= self._ask.branches(prefix)
        return found

    def _as_branch(self, pull: PullRequest, data: object, tips: Mapping[str, str]) -> PullRequest:
        """Return it as its branch has it: its head is the branch's, and without a branch it is not open.

        What is being completed is: its branch goes before it is shown as merged. So what is armed is looked at until
        that would have been seen; it stays armed, for whoever brings the branch back.
        """
        for pause in PAUSES:
            if pull.state != "open" or pull.head in tips or not pull.auto_merge or is_completing(data):
                break
            self._sleep(pause)
            data = self._ask.pull(pull.number)
            pull = self._ours(data)
        if pull.state == "merged":
            return replace(pull, merge_sha=self._merge_sha(pull, data))
        if pull.state != "open" or (pull.head not in tips and is_completing(data)):
            return pull
        if pull.head not in tips:
            return replace(pull, state="closed")
        self._heads.setdefault(tips[pull.head], set()).add(pull.number)
        return replace(pull, head_sha=tips[pull.head])

    def _merge_sha(self, pull: PullRequest, data: object) -> str | None:
        """Return the commit that a merged one became.

        After a rebase the last trial merge is not what came into the base (FORGES), so its newest commits are asked
        which of them the pull request brought; one that is older than those keeps the trial's (B31).
        """
        if strategy_of(data) not in REBASING:
            return pull.merge_sha
        if pull.number not in self._merge_shas:
            shas = [sha for each in self._ask.history(pull.base) if (sha := optional(each, "commit_id"))]
            brought = merges_of(self._ask.merges(shas)) if shas else {}
            newest = next((sha for sha in shas if pull.number in brought.get(sha, ())), None)
            self._merge_shas[pull.number] = newest or pull.merge_sha or ""
        return self._merge_shas[pull.number] or None

    # -- opening and closing

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`.

        None comes out armed for an older head. Raises LeaseLostError if Azure DevOps does not show it at
        `draft.head_sha`.
        """
        known = open_for(self._open.get(draft.head, ()), draft.base)
        data = self._updated(known.number, known.base, draft) if known else None
        if data is None:
            data = self._created(draft)
        self._completion.saw(get(data, int, "pull_request_id"), look_of(data))
        pull_request = self._at(self._ours(data), draft.head_sha)
        self._open[draft.head] = [pull_request]
        if pull_request.auto_merge and self._completion.armed_for(pull_request.number) != draft.head_sha:
            if self.set_auto_merge(pull_request, enabled=False).state != "off":
                raise LeaseLostError(f"pull request #{pull_request.number} was merged or closed in between")
            return replace(pull_request, auto_merge=False)
        return pull_request

    def _created(self, draft: Draft) -> Any:
        """Create it; where that fails because somebody, or this very request before a broken answer, did: update."""
        try:
            return self._ask.create(
                head=draft.head,
                base=draft.base,
                title=fit(draft.title, TITLE_LIMIT),
                description=fit(draft.body, BODY_LIMIT),
            )
        except RefusedError as error:
            # A refusal whose words were lost on the way may be that one too.
            exists = error.kind in ("GitPullRequestExistsException", "")
            for item in self._ask.pulls(status="active", head=draft.head) if exists else ():
                other = self._pull(item)
                if other is not None and (other.head, other.base) == (draft.head, draft.base):
                    data = self._updated(other.number, other.base, draft)
                    if data is not None:
                        return data
            missing = "TF401398" in error.said
            how = f"the remote lacks {draft.head!r} or {draft.base!r}, run again" if missing else "correct that there"
            raise ProviderError(
                f"Azure DevOps opens no pull request from {draft.head} in {self._address.name} ({error.said}): {how}"
            ) from error

    def _updated(self, number: int, base: str, draft: Draft) -> Any:
        """Rewrite an open one; None if it is open no more."""
        # Even naming the same target is refused where retargeting is switched off (docs: Pull Requests - Update).
        target = {} if base == draft.base else {"target_ref_name": f"{HEADS}{draft.base}"}
        try:
            data = self._ask.edit(
                number, title=fit(draft.title, TITLE_LIMIT), description=fit(draft.body, BODY_LIMIT), **target
            )
        except RefusedError:
            if look_of(self._ask.pull(number)).state != "active":
                return None
            raise
        return data if look_of(data).state == "active" else None

    def _ours(self, data: object) -> PullRequest:
        found = self._pull(data)
        if found is None:
            raise ProviderError(f"Azure DevOps answered with a fork's pull request for {self._address.name}: run again")
        return found

    def _at(self, pull_request: PullRequest, head_sha: str) -> PullRequest:
        """Return it as soon as it shows the pushed head, which it does some time after the branch."""
        for pause in (*PAUSES, None):
            if pull_request.head_sha == head_sha:
                return pull_request
            if pause is None:
                break
            self._sleep(pause)
            pull_request = self._ours(self._ask.pull(pull_request.number))
        raise LeaseLostError(
            f"pull request #{pull_request.number} is at {pull_request.head_sha}, not at {head_sha}: run again"
        )

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Abandon it; its branch stays. Raises ProviderError if it is completed."""
        try:
            closed = self._ours(self._ask.edit(pull_request.number, status="abandoned"))
        except RefusedError:
            closed = self._ours(self._one(pull_request.number))
            if closed.state == "open":
                raise
        if closed.state == "merged":
            raise ProviderError(f"pull request #{closed.number} is merged already: revert {closed.merge_sha} instead")
        self._open.pop(closed.head, None)
        return closed

    # -- merging

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Let Azure DevOps complete it when every required policy is content, or not any more.

        `clean` where no policy requires a check, or none holds it: Azure DevOps would complete it at once, or by the
        word of reviewers, past a gate it knows nothing of.
        Auto-complete knows no commit: the head is compared before and after, and whoever pushes disarms it first.
        """
        return self._completion.arm(pull_request) if enabled else self._completion.disarm(pull_request)

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Complete it now, at exactly `pull_request.head_sha`; `refused` with what to do where Azure DevOps does not.

        `armed` where it still is at it when we stop looking.
        """
        return self._completion.merge(pull_request)

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return what blocks the head of an open pull request until the branch gets a new head."""
        return self._completion.head_state(pull_request)

    # -- statuses and reviews

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per genre and name of each commit; one that is not known has none.

        A verdict of ours that is older than an open pull request of the commit counts as not given: that one lacks it.
        """
        return {
            sha: [status for status in said if not (status.is_own and self._missed(sha, status))]
            for sha, said in self._statuses.read(shas).items()
        }

    def _missed(self, sha: str, status: CommitStatus) -> bool:
        opened = [self._opened[number] for number in self._heads.get(sha, ()) if number in self._opened]
        return status.created_at is not None and any(at > status.created_at for at in opened)

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit; our own verdict on the open pull requests too whose head that is."""
        self._statuses.post(check_sha(sha), status, self._numbers(sha) if status.is_own else ())

    def _numbers(self, sha: str) -> list[int]:
        """Return the open pull requests whose head is this commit."""
        if sha not in self._heads:
            for item in self._ask.pulls(status="active"):
                self._pull(item)
        return sorted(self._heads.setdefault(sha, set()))

    def reviews(self, number: int) -> list[Review]:
        """Return the vote of each person that counts now, newest first, with the commit it was given on."""
        data = self._one(number)
        if not any(getattr(each, "vote", None) for each in getattr(data, "reviewers", None) or ()):
            return []
        return reviews_of(data, self._ask.threads(number), self._ask.iterations(number))


def fit(text: str, limit: int) -> str:
    """Return a text cut to what Azure DevOps takes: it counts as UTF-16 does, in which an emoji is two."""
    data = text.encode("utf-16-le", "surrogatepass")
    return text if len(data) <= 2 * limit else data[: 2 * limit].decode("utf-16-le", "ignore")


def asked(connection: Connection) -> Callable[[], str]:
    """Return the connection's token, asked for when a request needs it, an absent one said so."""

    def given() -> str:
        found = connection.token()
        if not found:
            raise AuthError(
                "Azure DevOps wants a token: give one as GITOPS_PROMOTION_TOKEN, AZURE_DEVOPS_EXT_PAT or "
                "SYSTEM_ACCESSTOKEN (these two go to their own server only)"
            )
        return found

    return given
