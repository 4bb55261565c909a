"""Arming, disarming and merging on GitHub, and the state of a pull request's head."""

import logging
import re
from collections.abc import Callable, Mapping

from gitops_promotion.core.forge import AutoMerge, HeadState, PullRequest
from gitops_promotion.errors import AuthError
from gitops_promotion.providers.github import queries
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.answers import (
    METHODS,
    READY,
    MergeState,
    read_head_state,
    read_merge_state,
    refusal_for,
)
from gitops_promotion.providers.github.api import Api
from gitops_promotion.providers.github.update_branch import is_outdated
from gitops_promotion.providers.http import PAUSES, RefusedError

# How often arming, or a merge, is tried.
_TRIES = 3
# GitHub refuses a merge while another one moves the base, and after a push (docs/facts/forges.md#races).
_MODIFIED = re.compile(r"branch was modified|merge already in progress", re.IGNORECASE)
_log = logging.getLogger(__name__)


class Merges:
    """The merging half of a repository on GitHub.

    `ids` has the GraphQL id of each pull request that an answer showed, `armed_for` the head that each was armed for.
    """

    def __init__(self, api: Api, address: Address, *, method: str, sleep: Callable[[float], None]) -> None:
        self.ids: dict[int, str] = {}
        self.armed_for: dict[int, str] = {}
        self._api = api
        self._path = f"/repos/{address.repository}"
        self._names = {"owner": address.owner, "name": address.name}
        self._method = method.upper()
        self._sleep = sleep

    def arm(self, pull_request: PullRequest) -> AutoMerge:
        """Arm it for exactly its head; `clean` where nothing is required, `refused` with the reason."""
        refusal, has_queue = "", False
        for _ in range(_TRIES):
            if refusal or not self._method or pull_request.number not in self.ids:
                state = self._settled_state(pull_request)
                has_queue = state.has_queue
                if (result := refusal_for(state, pull_request, refusal)) is not None:
                    return result
                if state.status in READY and has_queue:
                    return self._enqueue(pull_request)
                if state.armed:
                    # It may have been armed for another head, and GitHub does not arm twice.
                    self.disarm(pull_request)
            refusal = self._enable(pull_request, has_queue=has_queue)
            if not refusal:
                self.armed_for[pull_request.number] = pull_request.head_sha
                return AutoMerge(state="armed")
        return AutoMerge(state="refused", reason=f"GitHub says {refusal!r}: run this again")

    def _enable(self, pull_request: PullRequest, *, has_queue: bool) -> str:
        """Return "" if it is armed now, else GitHub's reason."""
        payload = {"pullRequestId": self.ids[pull_request.number], "expectedHeadOid": pull_request.head_sha}
        if not has_queue:  # a merge queue has a method of its own
            payload["mergeMethod"] = self._method
        return self._mutate("enablePullRequestAutoMerge", payload)

    def _enqueue(self, pull_request: PullRequest) -> AutoMerge:
        """Put a pull request that is ready into the merge queue."""
        payload = {"pullRequestId": self.ids[pull_request.number], "expectedHeadOid": pull_request.head_sha}
        refusal = self._mutate("enqueuePullRequest", payload)
        if refusal and not (state := self._settled_state(pull_request)).queued:
            result = refusal_for(state, pull_request, refusal)
            if result is not None and result.state in ("merged", "moved"):
                return result
            return AutoMerge(state="refused", reason=f"GitHub's merge queue says {refusal!r}: run this again")
        return AutoMerge(state="armed", reason=f"pull request #{pull_request.number} is in the merge queue")

    def disarm(self, pull_request: PullRequest) -> AutoMerge:
        """Disarm it, in the queue too."""
        self.armed_for.pop(pull_request.number, None)
        if pull_request.number not in self.ids:
            self._state(pull_request.number)
        refusal = self._mutate("disablePullRequestAutoMerge", {"pullRequestId": self.ids[pull_request.number]})
        if not refusal:
            return AutoMerge(state="off")
        state = self._state(pull_request.number)
        name = f"pull request #{pull_request.number}"
        if state.state != "OPEN":
            return AutoMerge(state="moved", reason=f"{name} is {state.state.lower()} already")
        if state.queued:
            refusal = self._mutate("dequeuePullRequest", {"id": state.id})
        elif not state.armed:
            refusal = ""
        if refusal:
            return AutoMerge(state="refused", reason=f"{name} stays armed, GitHub says {refusal!r}: disarm it by hand")
        return AutoMerge(state="off")

    def _mutate(self, name: str, payload: Mapping[str, object]) -> str:
        """Return "" if GitHub did it, else its reason."""
        try:
            self._api.graphql(
                queries.mutation(name), {"input": dict(payload)}, needs="contents: write and pull-requests: write"
            )
        except RefusedError as error:
            return error.reason
        return ""

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge it now, at exactly `pull_request.head_sha`; `refused` with the next step where GitHub does not."""
        if not self._method:
            self._state(pull_request.number)
        body = {"sha": pull_request.head_sha, "merge_method": self._method.lower()}
        refusal = ""
        for pause in PAUSES[:_TRIES]:
            try:
                path = f"{self._path}/pulls/{pull_request.number}/merge"
                self._api.rest("PUT", path, body, needs="contents: write")
            except RefusedError as error:
                if error.status not in (404, 405, 409, 422):
                    raise
                refusal = error.reason
            else:
                return AutoMerge(state="merged")
            if not _MODIFIED.search(refusal):
                break
            self._sleep(pause)
        result = refusal_for(self._state(pull_request.number), pull_request, refusal)
        if result is not None and result.state != "clean":
            return result
        if _MODIFIED.search(refusal):
            return AutoMerge(
                state="moved", reason=f"pull request #{pull_request.number} was not merged, GitHub says {refusal!r}"
            )
        return AutoMerge(
            state="refused",
            reason=f"pull request #{pull_request.number} was not merged, GitHub says {refusal!r}: merge it by hand",
        )

    def _settled_state(self, pull_request: PullRequest) -> MergeState:
        """Return the merge state once GitHub has computed it: it takes some seconds after a push."""
        state = self._state(pull_request.number)
        for pause in PAUSES:
            if state.settled and (state.state != "OPEN" or state.head_sha == pull_request.head_sha):
                break
            self._sleep(pause)
            state = self._state(pull_request.number)
        return state

    def _state(self, number: int) -> MergeState:
        """Return the merge state as it is now, settled or not."""
        data = self._api.graphql(queries.MERGE_STATE, {**self._names, "number": number}, needs="pull-requests: read")
        return self._learn(number, read_merge_state(data))

    def _learn(self, number: int, state: MergeState) -> MergeState:
        self.ids[number] = state.id
        self._method = self._method or (state.methods or METHODS)[0]
        return state

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return the head state, in 1 request, or 3 while GitHub is still computing it."""
        variables = {**self._names, "number": pull_request.number, "oid": pull_request.head_sha}
        head_state = HeadState()
        for pause in (*PAUSES[:2], None):
            try:
                data = self._api.graphql(queries.HEAD_STATE, variables, needs="pull-requests: read, checks: read")
            except AuthError as error:
                # Its checks may have failed: without the right to read them the head is kept as it is.
                _log.warning("the checks of #%d were not looked at: %s", pull_request.number, error)
                return HeadState(outdated=is_outdated(self._state(pull_request.number).status))
            state, head_state = read_head_state(data)
            self._learn(pull_request.number, state)
            if state.settled or pause is None:
                break
            self._sleep(pause)
        return head_state
