"""Arming, disarming and merging on GitHub, and what keeps a pull request from merging."""

import logging
import re
from collections.abc import Callable, Mapping

from gitops_promotion.core.forge import AutoMerge, HeadState, PullRequest
from gitops_promotion.errors import AuthError
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.answers import (
    HEAD_STATE,
    LOOK,
    METHODS,
    READY,
    Look,
    answer,
    head_state_of,
    look_of,
)
from gitops_promotion.providers.github.api import Api, RefusedError

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between looks at what GitHub works out by itself after a push."""

_TRIES = 3
_log = logging.getLogger(__name__)


class Merges:
    """The merging half of a repository on GitHub; `ids` are the pull requests' of GraphQL, as answers told them."""

    def __init__(self, api: Api, address: Address, *, method: str, sleep: Callable[[float], None]) -> None:
        self.ids: dict[int, str] = {}
        self.armed_for: dict[int, str] = {}
        self._api = api
        self._path = f"/repos/{address.repository}"
        self._names = {"owner": address.owner, "name": address.name}
        self._method = method.upper()
        self._sleep = sleep

    def arm(self, pull_request: PullRequest) -> AutoMerge:
        """Arm it for exactly its head, or say why not; `clean` where nothing is required."""
        refusal, queue = "", False
        for _ in range(_TRIES):
            if refusal or not self._method or pull_request.number not in self.ids:
                look = self._look(pull_request)
                queue = look.queue
                if (instead := answer(look, pull_request, refusal)) is not None:
                    return instead
                if look.status in READY and queue:
                    return self._enqueue(pull_request)
                if look.armed:
                    # Whoever armed it may have seen another head, and arming anew is refused.
                    self.disarm(pull_request)
            refusal = self._enable(pull_request, queue=queue)
            if not refusal:
                self.armed_for[pull_request.number] = pull_request.head_sha
                return AutoMerge(state="armed")
        return AutoMerge(state="refused", reason=f"GitHub says {refusal!r}: run this again")

    def _enable(self, pull_request: PullRequest, *, queue: bool) -> str:
        """Return "" if it is armed now, else what GitHub says."""
        wish = {"pullRequestId": self.ids[pull_request.number], "expectedHeadOid": pull_request.head_sha}
        # A merge queue has a method of its own.
        return self._mutate("enablePullRequestAutoMerge", wish if queue else wish | {"mergeMethod": self._method})

    def _enqueue(self, pull_request: PullRequest) -> AutoMerge:
        """Put into the merge queue what is ready for it."""
        wish = {"pullRequestId": self.ids[pull_request.number], "expectedHeadOid": pull_request.head_sha}
        refusal = self._mutate("enqueuePullRequest", wish)
        if refusal and not self._look(pull_request).queued:
            return AutoMerge(state="refused", reason=f"GitHub's merge queue says {refusal!r}: run this again")
        return AutoMerge(state="armed", reason=f"pull request #{pull_request.number} is in the merge queue")

    def disarm(self, pull_request: PullRequest) -> AutoMerge:
        """Disarm it, in the queue too."""
        self.armed_for.pop(pull_request.number, None)
        if pull_request.number not in self.ids:
            self._glance(pull_request.number)
        this = {"pullRequestId": self.ids[pull_request.number]}
        refusal = self._mutate("disablePullRequestAutoMerge", this)
        if not refusal:
            return AutoMerge(state="off")
        look = self._glance(pull_request.number)
        name = f"pull request #{pull_request.number}"
        if look.state != "OPEN":
            return AutoMerge(state="refused", reason=f"{name} is {look.state.lower()} already: open a new one")
        if look.queued:
            refusal = self._mutate("dequeuePullRequest", {"id": look.id})
        elif not look.armed:
            refusal = ""
        if refusal:
            return AutoMerge(state="refused", reason=f"{name} stays armed, GitHub says {refusal!r}: disarm it by hand")
        return AutoMerge(state="off")

    def _mutate(self, name: str, wish: Mapping[str, object]) -> str:
        """Return "" if GitHub did it, else why not."""
        kind = name[:1].upper() + name[1:]
        query = f"mutation($input: {kind}Input!) {{ {name}(input: $input) {{ clientMutationId }} }}"
        try:
            self._api.graphql(query, {"input": dict(wish)}, needs="contents: write and pull-requests: write")
        except RefusedError as error:
            return error.said
        return ""

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge it now, at exactly `pull_request.head_sha`; `refused` with what to do where GitHub does not."""
        if not self._method:
            self._glance(pull_request.number)
        body = {"sha": pull_request.head_sha, "merge_method": self._method.lower()}
        said = ""
        for pause in PAUSES[:_TRIES]:
            try:
                path = f"{self._path}/pulls/{pull_request.number}/merge"
                self._api.rest("PUT", path, body, needs="contents: write")
            except RefusedError as error:
                if error.status not in (404, 405, 409, 422):
                    raise
                said = error.said
            else:
                return AutoMerge(state="merged")
            if not re.search(r"base branch was modified", said, re.IGNORECASE):
                break
            self._sleep(pause)
        instead = answer(self._glance(pull_request.number), pull_request, said)
        if instead is not None and instead.state != "clean":
            return instead
        return AutoMerge(
            state="refused",
            reason=f"pull request #{pull_request.number} was not merged, GitHub says {said!r}: merge it by hand",
        )

    def _look(self, pull_request: PullRequest) -> Look:
        """Look until GitHub has computed what it says, a bounded time: after a push it takes some seconds."""
        look = self._glance(pull_request.number)
        for pause in PAUSES:
            if look.settled and (look.state != "OPEN" or look.head_sha == pull_request.head_sha):
                break
            self._sleep(pause)
            look = self._glance(pull_request.number)
        return look

    def _glance(self, number: int) -> Look:
        """Look once."""
        data = self._api.graphql(LOOK, {**self._names, "number": number}, needs="pull-requests: read")
        return self._learn(number, look_of(data))

    def _learn(self, number: int, look: Look) -> Look:
        self.ids[number] = look.id
        self._method = self._method or (look.methods or METHODS)[0]
        return look

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return what blocks the head, in 1 request, or 3 while GitHub is still computing it."""
        wish = {**self._names, "number": pull_request.number, "oid": pull_request.head_sha}
        found = HeadState()
        for pause in (*PAUSES[:2], None):
            try:
                data = self._api.graphql(HEAD_STATE, wish, needs="pull-requests: read, checks: read")
            except AuthError as error:
                # Its checks are red or they are not: without the right to see them it is left as it is.
                _log.warning("the checks of #%d were not looked at: %s", pull_request.number, error)
                return HeadState(outdated=self._glance(pull_request.number).status == "BEHIND")
            look, found = head_state_of(data)
            self._learn(pull_request.number, look)
            if look.settled or pause is None:
                break
            self._sleep(pause)
        return found
