"""A repository on Azure DevOps, in the cloud or on a server: the requests of each method of `Provider`.

The official client signs and sends (api.py); the requests are in endpoints.py, one a method, so that they can be
counted; answers.py reads the answers, and checks each like any other input. completion.py arms and completes,
statuses.py reads and posts statuses, people.py reads and writes what people do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.due import open_for
from gitops_promotion.core.forge import AutoMerge, CommitStatus, Draft, ForgeSettings, HeadState, PullRequest
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.races import require_off
from gitops_promotion.errors import OutdatedError, ProviderError
from gitops_promotion.providers import Connection
from gitops_promotion.providers.azure_devops.address import Address
from gitops_promotion.providers.azure_devops.answers import (
    HEADS,
    field,
    fit,
    is_completing,
    is_cut,
    read_merge_state,
    read_merges,
    read_pull_request,
    read_strategy,
    text,
    time,
)
from gitops_promotion.providers.azure_devops.api import Api
from gitops_promotion.providers.azure_devops.completion import Completion
from gitops_promotion.providers.azure_devops.endpoints import Directory, Endpoints
from gitops_promotion.providers.azure_devops.facts import FORGE
from gitops_promotion.providers.azure_devops.people import WithPeople
from gitops_promotion.providers.azure_devops.policies import REBASING
from gitops_promotion.providers.azure_devops.settings import read_settings
from gitops_promotion.providers.azure_devops.statuses import Statuses
from gitops_promotion.providers.http import PAUSES, RefusedError, full_sha, required_token, wait_for_head

if TYPE_CHECKING:
    from datetime import datetime

NEWEST = 100
"""How many pull requests of one branch are read."""

# The kind, and the number in the text, of two refusals to open a pull request (docs/facts/forges.md#pull-requests).
_EXISTS = "GitPullRequestExistsException"
_NO_BRANCH = "TF401398"

_MISSING_CREDENTIALS = (
    "Azure DevOps wants a token, and none was found for this host in GITOPS_PROMOTION_TOKEN, AZURE_DEVOPS_EXT_PAT and "
    "SYSTEM_ACCESSTOKEN, nor, in a shell, by git's credential helpers: set one"
)


def connect(connection: Connection) -> "AzureDevOps":
    """Return the provider of the remote's repository on Azure DevOps. Raises UsageError; sends nothing yet."""
    address = Address.parse(connection.url, api_url=connection.api_url, environ=connection.environ)
    return AzureDevOps(address, connection)


class AzureDevOps(WithPeople):
    """A repository on Azure DevOps; see the module."""

    publishes = False

    def __init__(self, address: Address, connection: Connection) -> None:
        self._sleep = connection.sleep
        token = required_token(connection, _MISSING_CREDENTIALS)
        self._token = token
        api, directory = (
            Api(server, token, now=connection.now, sleep=connection.sleep) for server in (address, address.directory)
        )
        endpoints = Endpoints(api, address)
        completion = Completion(endpoints, method=connection.merge_method, sleep=connection.sleep)
        super().__init__(address, endpoints, Directory(directory), completion)
        self._prefixes = connection.branch_prefixes
        self._statuses = Statuses(endpoints, sleep=connection.sleep)
        # By branch, commit or number, from earlier answers; each entry saves a request.
        self._open: dict[str, list[PullRequest]] = {}
        self._heads: dict[str, set[int]] = {}
        self._opened: dict[int, datetime] = {}
        self._ended: dict[int, Any] = {}
        self._merge_shas: dict[int, str] = {}

    # -- looking up

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request in full. Raises ProviderError if there is none of that number, or a fork's."""
        data = self._pull(number)
        pull = self._read(data)
        if pull is None:
            raise ProviderError(
                f"pull request #{number} of {self._address.name} comes from a fork, and this tool leaves forks alone: "
                "check it by hand"
            )
        if pull.state == "merged":
            return replace(pull, merge_sha=self._merge_sha(pull, data))
        return self._as_branch(pull, data, self._tips([pull], self._prefixes))

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return the newest hundred from the branch `head`, open and closed, newest first.

        Of closed ones the body may be cut, but never before the end of its metadata.
        """
        records = self._endpoints.pulls(status="all", head=head, limit=NEWEST)
        if len(records) == NEWEST and any(self._read(data) is None for data in records):
            # Forks can have any number of pull requests from branches with that name.
            records = self._endpoints.pulls(status="all", head=head)
        read = ((self._read(data), data) for data in records)
        pairs = [(pull, data) for pull, data in read if pull is not None and pull.head == head]
        pairs.sort(key=lambda pair: pair[0].number, reverse=True)
        tips = self._tips((pull for pull, _ in pairs), self._prefixes)
        newest_merged = next((pull.number for pull, _ in pairs if pull.state == "merged"), None)
        pulls = []
        for pull, data in pairs:
            if pull.state == "open":
                # A list lacks the full body and the auto-complete setting.
                full = self._endpoints.pull(pull.number)
                self._completion.remember(pull.number, read_merge_state(full))
                pulls.append(self._as_branch(self._read(full) or pull, full, tips))
            elif pull.state == "merged":
                needs_strategy = pull.number == newest_merged and not read_strategy(data)
                merge_sha = self._merge_sha(pull, self._full(data) if needs_strategy else data)
                pulls.append(replace(self._with_metadata(pull, data), merge_sha=merge_sha))
            else:
                pulls.append(self._with_metadata(pull, data))
        self._open[head] = [pull for pull in pulls if pull.state == "open"]
        return pulls

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones from this tool's branches, all pages; bodies may be cut behind the metadata."""
        return self._open_from(self._prefixes)

    def open_pull_requests(self) -> list[PullRequest]:
        """Return all open ones from branches of this repository, all pages; bodies of people's may be cut."""
        return self._open_from(("",))

    def _open_from(self, prefixes: tuple[str, ...]) -> list[PullRequest]:
        """Return the open ones from branches with these prefixes; Azure DevOps keeps one open without its branch."""
        pairs: dict[int, tuple[PullRequest, Any]] = {}
        for data in self._endpoints.pulls(status="active"):
            pull = self._read(data)
            if pull is not None and pull.head.startswith(prefixes):
                pairs[pull.number] = pull, data
        tips = self._tips((pull for pull, _ in pairs.values()), prefixes)
        return [
            self._as_branch(self._with_metadata(pull, data) if self._is_own(pull) else pull, data, tips)
            for pull, data in pairs.values()
            if pull.head in tips
        ]

    def _is_own(self, pull: PullRequest) -> bool:
        """Return True for one from this tool's branches."""
        return pull.head.startswith(self._prefixes)

    def _read(self, data: object) -> PullRequest | None:
        """Read a pull request; None for a fork's. Remembers heads and times for later requests."""
        number = getattr(data, "pull_request_id", None)
        pull = read_pull_request(data, self._address.page(number if isinstance(number, int) else 0))
        if pull is not None and pull.state == "open":
            self._heads.setdefault(pull.head_sha, set()).add(pull.number)
            if (opened := time(data, "creation_date")) is not None:
                self._opened[pull.number] = opened
        return pull

    def _with_metadata(self, pull: PullRequest, data: object) -> PullRequest:
        """Return it with complete metadata in its body, if the body has metadata."""
        if not is_cut(data) or read_metadata(pull.body) is not None:
            return pull
        return replace(pull, body=text(self._full(data), "description"))

    def _full(self, data: Any) -> Any:
        """Return all of a pull request that a list shows in part; one that has ended does not change any more."""
        number = field(data, int, "pull_request_id")
        if number not in self._ended:
            full = self._endpoints.pull(number)
            if text(full, "status") == "active":
                return full
            self._ended[number] = full
        return self._ended[number]

    def _tips(self, pulls: Iterable[PullRequest], prefixes: Iterable[str]) -> dict[str, str]:
        """Return the branches of the open ones: Azure DevOps keeps a pull request open without its branch."""
        heads = {pull.head for pull in pulls if pull.state == "open"}
        needed = {prefix for prefix in prefixes if any(head.startswith(prefix) for head in heads)}
        tips: dict[str, str] = {}
        for prefix in sorted(heads if len(heads) == 1 else needed):
            tips |= self._endpoints.branches(prefix)
        return tips

    def _as_branch(self, pull: PullRequest, data: object, tips: Mapping[str, str]) -> PullRequest:
        """Return it as its branch has it: its head is the branch's, and without a branch it is not open.

        While a pull request is being completed it counts as open: its branch is deleted before it is shown as merged.
        So an armed one without a branch is looked at until a completion would have been shown. It stays armed for the
        case that the branch comes back.
        """
        for pause in PAUSES:
            if pull.state != "open" or pull.head in tips or not pull.auto_merge or is_completing(data):
                break
            self._sleep(pause)
            data = self._endpoints.pull(pull.number)
            pull = self._read_own(data)
        if pull.state == "merged":
            return replace(pull, merge_sha=self._merge_sha(pull, data))
        if pull.state != "open" or (pull.head not in tips and is_completing(data)):
            return pull
        if pull.head not in tips:
            self._branchless.add(pull.number)
            return replace(pull, state="closed")
        self._branchless.discard(pull.number)
        self._heads.setdefault(tips[pull.head], set()).add(pull.number)
        return replace(pull, head_sha=tips[pull.head])

    def _merge_sha(self, pull: PullRequest, data: object) -> str | None:
        """Return the commit that a merged one became.

        After a rebase the last trial merge is not the commit in the base (docs/facts/forges.md): the newest commits of
        the base are asked for their pull requests (docs/migrating.md, B31). One that is older than those keeps the
        trial's commit.
        """
        if read_strategy(data) not in REBASING:
            return pull.merge_sha
        if pull.number not in self._merge_shas:
            shas = [sha for commit in self._endpoints.history(pull.base) if (sha := text(commit, "commit_id"))]
            numbers = read_merges(self._endpoints.merges(shas)) if shas else {}
            newest = next((sha for sha in shas if pull.number in numbers.get(sha, ())), None)
            self._merge_shas[pull.number] = newest or pull.merge_sha or ""
        return self._merge_shas[pull.number] or None

    # -- opening and closing

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`.

        None comes out armed for an older head. Raises OutdatedError if Azure DevOps does not show it at
        `draft.head_sha`.
        """
        open_one = open_for(self._open.get(draft.head, ()), draft.base)
        data = self._update(open_one.number, open_one.base, draft) if open_one else None
        if data is None and draft.number:
            raise OutdatedError(f"pull request #{draft.number} is not open any more")
        if data is None:
            data = self._create(draft)
        self._completion.remember(field(data, int, "pull_request_id"), read_merge_state(data))
        pull_request = self._shown_at(self._read_own(data), draft.head_sha)
        self._open[draft.head] = [pull_request]
        if pull_request.auto_merge and self._completion.armed_for(pull_request.number) != draft.head_sha:
            require_off(self.set_auto_merge(pull_request, enabled=False))
            return replace(pull_request, auto_merge=False)
        return pull_request

    def _create(self, draft: Draft) -> Any:
        """Create it, or update it where it exists: another run, or an earlier try of this request, may have made it."""
        try:
            return self._endpoints.create(
                head=draft.head,
                base=draft.base,
                title=fit(draft.title, FORGE.title_limit),
                description=fit(draft.body, FORGE.body_limit),
            )
        except RefusedError as error:
            # A refusal without a kind may mean the same.
            may_exist = error.kind in (_EXISTS, "")
            for item in self._endpoints.pulls(status="active", head=draft.head) if may_exist else ():
                pull = self._read(item)
                if pull is not None and (pull.head, pull.base) == (draft.head, draft.base):
                    data = self._update(pull.number, pull.base, draft)
                    if data is not None:
                        return data
            problem = f"Azure DevOps opens no pull request from {draft.head} in {self._address.name} ({error.reason})"
            # A branch was deleted or renamed; or the one that exists is not open any more.
            if _NO_BRANCH in error.reason or error.kind == _EXISTS:
                raise OutdatedError(problem) from error
            raise ProviderError(f"{problem}: correct that there") from error

    def _update(self, number: int, base: str, draft: Draft) -> Any:
        """Rewrite an open one; None if it is no longer open."""
        # Even naming the same target is refused where retargeting is switched off:
        # https://learn.microsoft.com/rest/api/azure/devops/git/pull-requests/update
        target = {} if base == draft.base else {"target_ref_name": f"{HEADS}{draft.base}"}
        title, description = fit(draft.title, FORGE.title_limit), fit(draft.body, FORGE.body_limit)
        try:
            data = self._endpoints.edit(number, title=title, description=description, **target)
        except RefusedError:
            if read_merge_state(self._endpoints.pull(number)).state != "active":
                return None
            raise
        return data if read_merge_state(data).state == "active" else None

    def _read_own(self, data: object) -> PullRequest:
        """Read a pull request from a branch of this repository. Raises ProviderError for a fork's."""
        pull = self._read(data)
        if pull is None:
            raise ProviderError(f"Azure DevOps answered with a fork's pull request for {self._address.name}: run again")
        return pull

    def _shown_at(self, pull_request: PullRequest, head_sha: str) -> PullRequest:
        """Return it as soon as it shows the pushed head. Raises OutdatedError."""
        return wait_for_head(
            pull_request,
            head_sha,
            read=lambda number: self._read_own(self._endpoints.pull(number)),
            branch_sha=lambda name: self._endpoints.branches(name).get(name),
            sleep=self._sleep,
        )

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Abandon it; its branch stays. Raises ProviderError if it is completed."""
        try:
            closed = self._read_own(self._endpoints.edit(pull_request.number, status="abandoned"))
        except RefusedError:
            closed = self._read_own(self._pull(pull_request.number))
            if closed.state == "open":
                raise
        if closed.state == "merged":
            next_step = f"revert {closed.merge_sha} instead"
            raise OutdatedError(f"pull request #{closed.number} is merged already", next_step=next_step)
        self._open.pop(closed.head, None)
        return closed

    # -- merging

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Let Azure DevOps complete it once every required policy is satisfied, or no longer.

        `clean` where no policy requires a check, or none holds it: Azure DevOps would complete it at once, or once the
        reviewers agree, past a gate that it does not know. Auto-complete knows no commit: the head is compared before
        and after, and this tool disarms before it pushes.
        """
        return self._completion.arm(pull_request) if enabled else self._completion.disarm(pull_request)

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Complete it now, at exactly `pull_request.head_sha`; `refused` comes with the next step.

        `armed` where it is still being completed after the last look.
        """
        return self._completion.merge(pull_request)

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return the obstacles of an open pull request that only a new head removes."""
        return self._completion.head_state(pull_request)

    # -- statuses

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per genre and name of each commit; an unknown commit has none.

        This tool's verdict counts as absent if it is older than an open pull request of the commit: that one lacks it.
        """
        return {
            sha: [status for status in statuses if not (status.is_own and self._is_too_old(sha, status))]
            for sha, statuses in self._statuses.read(shas).items()
        }

    def _is_too_old(self, sha: str, status: CommitStatus) -> bool:
        opened = [self._opened[number] for number in self._heads.get(sha, ()) if number in self._opened]
        return status.created_at is not None and any(at > status.created_at for at in opened)

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit; this tool's verdict also on the open pull requests with this head."""
        self._statuses.post(full_sha(sha), status, self._numbers(sha) if status.is_own else ())

    def forge_settings(self, *, base: str, head: str, publishes: bool) -> ForgeSettings:  # noqa: ARG002  publishing needs no more
        """Return the policies and permissions that decide about promotions, in five requests.

        What publishes verdicts needs no other permission than what opens pull requests.
        """
        # Entra and jobs give JSON web tokens, of three parts.
        is_personal = self._token().count(".") != 2
        return read_settings(self._endpoints, base=base, head=head, is_personal_token=is_personal)

    def _numbers(self, sha: str) -> list[int]:
        """Return the open pull requests with this commit as their head."""
        if sha not in self._heads:
            for data in self._endpoints.pulls(status="active"):
                self._read(data)
        return sorted(self._heads.setdefault(sha, set()))
