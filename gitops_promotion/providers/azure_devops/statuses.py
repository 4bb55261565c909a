"""Statuses: read for many commits in few requests, posted where a policy of the branch can require them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.azure_devops.answers import find_iteration, items, read_statuses, text
from gitops_promotion.providers.azure_devops.endpoints import BATCH, Endpoints
from gitops_promotion.providers.http import PAUSES, RefusedError, full_sha

_STATES: Mapping[StatusState, str] = {"success": "succeeded", "failure": "failed", "pending": "pending"}
# The statuses that a batch shows of one commit may be cut: a commit with so many gets a request of its own.
_MANY = 100


class Statuses:
    """The statuses of one repository."""

    def __init__(self, endpoints: Endpoints, *, sleep: Callable[[float], None]) -> None:
        self._endpoints = endpoints
        self._sleep = sleep
        self._has_batches = True

    def read(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per genre and name of each commit; an unknown commit has none.

        A hundred commits are one request, and one more for each that has so many statuses that they may be cut. Where
        a batch shows no status at all, its first commit gets a request of its own, once: statuses in that answer mean
        that this server has no batches, and each commit gets its own request.
        """
        statuses: dict[str, list[CommitStatus]] = {full_sha(sha): [] for sha in shas}
        commits = list(statuses)
        for start in range(0, len(commits), BATCH):
            part = commits[start : start + BATCH]
            batch = self._batch(part) if self._has_batches else None
            for sha in part:
                answers = self._of_commit(sha) if batch is None else batch.get(sha, [])
                is_cut = batch is not None and len(answers) >= _MANY
                statuses[sha] = read_statuses(self._of_commit(sha) if is_cut else answers)
        return statuses

    def _batch(self, shas: Sequence[str]) -> dict[str, list[Any]] | None:
        """Return the statuses of commits by one request; None if this server does not answer such a request."""
        try:
            commits = self._endpoints.commits(shas)
        except RefusedError:
            # One unknown commit spoils the batch.
            return None
        answers = {text(commit, "commit_id"): items(getattr(commit, "statuses", None)) for commit in commits}
        if not any(answers.values()) and self._of_commit(shas[0]):
            self._has_batches = False
            return None
        return answers

    def _of_commit(self, sha: str) -> list[Any]:
        try:
            return self._endpoints.statuses(sha)
        except RefusedError as error:
            if error.status != 404:
                raise
            return []

    def post(self, sha: str, status: CommitStatus, numbers: Sequence[int]) -> None:
        """Publish a status on a commit; also on the pull requests of these numbers, which have it as their head.

        Policies of a branch know statuses of pull requests only. Such a status belongs to the push that was judged, so
        that it cannot pass a newer push. It is posted first: the commit's status says that all is posted.
        """
        fields = {"state": _STATES[status.state], "description": status.description}
        if status.url:
            fields["target_url"] = status.url
        try:
            for number in numbers:
                iteration = self._iteration(number, sha)
                self._endpoints.post_pull_status(number, iteration, fields, name=status.context)
            self._endpoints.post_status(full_sha(sha), fields, name=status.context, genre=status.genre)
        except RefusedError as error:
            raise ProviderError(
                f"Azure DevOps takes no status {status.context!r} on {sha} ({error.reason}): check that the commit is "
                "pushed and the token has the scope Code (Status)"
            ) from error

    def _iteration(self, number: int, sha: str) -> int:
        """Return the push to a pull request that brought a commit, once it is known: some time after the branch.

        Raises ProviderError: a status on the commit alone would never get to the pull request.
        """
        for pause in (*PAUSES, None):
            iteration = find_iteration(self._endpoints.iterations(number), sha)
            if iteration is not None:
                return iteration
            if pause is not None:
                self._sleep(pause)
        raise ProviderError(f"pull request #{number} does not show {sha} yet: run again")
