"""Statuses: read of many commits in few requests, posted where a policy of the branch can require them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.azure_devops.answers import check_sha, iteration_of, optional, statuses_of
from gitops_promotion.providers.azure_devops.api import RefusedError
from gitops_promotion.providers.azure_devops.completion import PAUSES
from gitops_promotion.providers.azure_devops.endpoints import BATCH, Endpoints

_STATES: Mapping[StatusState, str] = {"success": "succeeded", "failure": "failed", "pending": "pending"}
# A commit with as many statuses is asked for them by itself: what a batch shows of it may be cut.
_MANY = 100


class Statuses:
    """The statuses of one repository."""

    def __init__(self, ask: Endpoints, *, sleep: Callable[[float], None]) -> None:
        self._ask = ask
        self._sleep = sleep
        self._batches = True

    def read(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per genre and name of each commit; one that is not known has none.

        A hundred commits are one request, and one more for each that has so many statuses that they may be cut. Where
        a server shows none at all in such a batch, the newest commit is asked by itself, once: one that has them after
        all means that this server has no batches, and each commit is asked.
        """
        found: dict[str, list[CommitStatus]] = {check_sha(sha): [] for sha in shas}
        wanted = list(found)
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            batch = self._batch(some) if self._batches else None
            for sha in some:
                items = self._said(sha) if batch is None else batch.get(sha, [])
                found[sha] = statuses_of(self._said(sha) if batch is not None and len(items) >= _MANY else items)
        return found

    def _batch(self, shas: Sequence[str]) -> dict[str, list[Any]] | None:
        """Return what commits have, by one request; None where that is not to be had of this server."""
        try:
            commits = self._ask.commits(shas)
        except RefusedError:
            # One commit that is not known spoils the batch.
            return None
        found = {optional(each, "commit_id"): getattr(each, "statuses", None) or [] for each in commits}
        if not any(found.values()) and self._said(shas[0]):
            self._batches = False
            return None
        return found

    def _said(self, sha: str) -> list[Any]:
        try:
            return self._ask.statuses(sha)
        except RefusedError as error:
            if error.status != 404:
                raise
            return []

    def post(self, sha: str, status: CommitStatus, numbers: Sequence[int]) -> None:
        """Publish a status on a commit; also on the pull requests of these numbers, whose head it is.

        Policies of a branch know statuses of pull requests only. Such a one is bound to the push it was given for, so
        that it cannot pass a newer one, and comes first: the commit's says that all is done.
        """
        said = {"state": _STATES[status.state], "description": status.description}
        if status.url:
            said["target_url"] = status.url
        try:
            for number in numbers:
                self._ask.post_pull_status(number, self._iteration(number, sha), said, name=status.context)
            self._ask.post_status(check_sha(sha), said, name=status.context, genre=status.genre)
        except RefusedError as error:
            raise ProviderError(
                f"Azure DevOps takes no status {status.context!r} on {sha} ({error.said}): check that the commit is "
                "pushed and the token has the scope Code (Status)"
            ) from error

    def _iteration(self, number: int, sha: str) -> int:
        """Return the push to a pull request that brought a commit as soon as it is known, some time after the branch.

        Raises ProviderError: what the commit alone is told nobody tells the pull request afterwards.
        """
        for pause in (*PAUSES, None):
            found = iteration_of(self._ask.iterations(number), sha)
            if found is not None:
                return found
            if pause is not None:
                self._sleep(pause)
        raise ProviderError(f"pull request #{number} does not show {sha} yet: run again")
