"""Arming and completing a pull request: the state of its trial merge, its policies, and the head they speak of."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from gitops_promotion.core.forge import OWN_CONTEXT, AutoMerge, HeadState, PullRequest
from gitops_promotion.providers.azure_devops.answers import (
    MERGE_STRATEGY,
    NOBODY,
    UNSETTLED,
    Look,
    Policy,
    allowed,
    answer,
    head_state_of,
    look_of,
    policy_of,
    strategy,
)
from gitops_promotion.providers.azure_devops.api import RefusedError
from gitops_promotion.providers.azure_devops.endpoints import Endpoints

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between looks at what Azure DevOps does in its own time."""


class Completion:
    """Completes pull requests of one repository; `method` is the configuration's mergeMethod."""

    def __init__(self, ask: Endpoints, *, method: str, sleep: Callable[[float], None]) -> None:
        self._ask = ask
        self._method = method
        self._sleep = sleep
        # What answers have told on the way; each entry saves a request.
        self._policies: dict[str, list[Policy]] = {}
        self._options: dict[int, Mapping[str, object]] = {}
        self._held: dict[int, bool] = {}
        self._armed_for: dict[int, str] = {}
        self._seen: dict[int, Look] = {}
        self._me = ""

    def saw(self, number: int, look: Look) -> None:
        """Take an answer that was just given for the next look."""
        self._seen[number] = look

    def armed_for(self, number: int) -> str:
        """Return the head that we armed a pull request for, "" if we did not."""
        return self._armed_for.get(number, "")

    def arm(self, pull_request: PullRequest) -> AutoMerge:
        """Set auto-complete on behalf of the token's identity, whoever opened the pull request (B30)."""
        name = f"pull request #{pull_request.number}"
        look = self._seen.pop(pull_request.number, None)
        if look is None or not look.settled or look.head_sha != pull_request.head_sha:
            look = self.look(pull_request)
        if (instead := answer(look, pull_request)) is not None:
            return instead
        policies = self._evaluated(pull_request, look)
        if policies is None:
            return AutoMerge(
                state="refused", reason=f"Azure DevOps has not looked at all policies for {name} yet: run this again"
            )
        options = self._completion(look, policies)
        if options is None:
            return AutoMerge(state="refused", reason=self._no_strategy(pull_request.base, policies))
        self._options[pull_request.number] = options
        held = self._held[pull_request.number] = any(policy.holds for policy in policies)
        if not held or not any(policy.is_check for policy in policies):
            # Whoever is asked for a review alone would let it complete past a gate that no policy knows.
            return AutoMerge(
                state="clean", reason=f"{name} waits for no check: no policy of {pull_request.base} requires one"
            )
        if any(policy.is_lasting for policy in policies):
            return AutoMerge(
                state="refused",
                reason=f"the policy of {pull_request.base} for the status {OWN_CONTEXT!r} takes what was said of an "
                "older push for the newest: switch on its 'Reset status whenever there are new changes'",
            )
        return self._set(pull_request, options)

    def _set(self, pull_request: PullRequest, options: Mapping[str, object]) -> AutoMerge:
        """Set auto-complete, and look whether it is for the head that was meant."""
        name = f"pull request #{pull_request.number}"
        try:
            after = look_of(self._ask.auto_complete(pull_request.number, self._identity(), options))
        except RefusedError as error:
            return answer(self.look(pull_request), pull_request) or AutoMerge(
                state="refused", reason=f"Azure DevOps says {error.said!r} to auto-complete of {name}: run this again"
            )
        if after.state == "active" and after.head_sha != pull_request.head_sha:
            self.disarm(pull_request)
            return AutoMerge(state="moved", reason=f"{pull_request.head} moved to {after.head_sha} meanwhile")
        if after.state != "active" or not after.armed:
            return answer(after, pull_request) or AutoMerge(
                state="refused",
                reason=f"Azure DevOps did not take auto-complete of {name}: give the token's user the permissions "
                "'Contribute' and 'Contribute to pull requests' on the repository",
            )
        self._armed_for[pull_request.number] = pull_request.head_sha
        return AutoMerge(state="armed")

    def disarm(self, pull_request: PullRequest) -> AutoMerge:
        """Clear auto-complete, which takes an identity that is nobody's: leaving it out changes nothing (B30)."""
        self._armed_for.pop(pull_request.number, None)
        name = f"pull request #{pull_request.number}"
        said = ""
        try:
            after = look_of(self._ask.auto_complete(pull_request.number, NOBODY))
        except RefusedError as error:
            said, after = error.said, look_of(self._ask.pull(pull_request.number))
        if after.state != "active":
            return AutoMerge(state="refused", reason=f"{name} is {after.state} already: open a new one")
        if after.armed:
            why = f", Azure DevOps says {said!r}" if said else ""
            return AutoMerge(state="refused", reason=f"{name} stays armed{why}: disarm it by hand")
        return AutoMerge(state="off")

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Complete it now, at exactly `pull_request.head_sha`; `refused` with what to do where Azure DevOps does not.

        `armed` where it still is at it when we stop looking, or was `clean` though somebody has to agree yet.
        """
        name = f"pull request #{pull_request.number}"
        if pull_request.number not in self._options:
            look = self.look(pull_request)
            if (instead := answer(look, pull_request)) is not None:
                return instead
            policies = self._policies_of(pull_request.base, look)
            options = self._completion(look, policies)
            if options is None:
                return AutoMerge(state="refused", reason=self._no_strategy(pull_request.base, policies))
            self._options[pull_request.number] = options
        if self._held.get(pull_request.number):
            return self._set(pull_request, self._options[pull_request.number])
        said = ""
        try:
            data = self._ask.complete(pull_request.number, pull_request.head_sha, self._options[pull_request.number])
        except RefusedError as error:
            said, data = error.said, self._ask.pull(pull_request.number)
        look = look_of(data)
        for pause in PAUSES:
            if said or look.state != "active" or look.merge not in ("succeeded", *UNSETTLED):
                break
            # It completes in its own time and shows the state before until then.
            self._sleep(pause)
            look = look_of(self._ask.pull(pull_request.number))
        if (instead := answer(look, pull_request)) is not None:
            return instead
        if said:
            return AutoMerge(
                state="refused", reason=f"{name} was not merged, Azure DevOps says {said!r}: merge it by hand"
            )
        return AutoMerge(state="armed", reason=f"{name} is being completed")

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return what its policies block the head for."""
        look = self._seen.get(pull_request.number) or look_of(self._ask.pull(pull_request.number))
        return head_state_of(self._evaluated(pull_request, look) or ())

    def look(self, pull_request: PullRequest) -> Look:
        """Look until the trial merge of the newest push is done, a bounded time."""
        look = look_of(self._ask.pull(pull_request.number))
        for pause in PAUSES:
            if look.settled and (look.state != "active" or look.head_sha == pull_request.head_sha):
                break
            self._sleep(pause)
            look = look_of(self._ask.pull(pull_request.number))
        return look

    def _evaluated(self, pull_request: PullRequest, look: Look) -> list[Policy] | None:
        """Return the policies with what they say of it; None where some have not been asked for all our waiting.

        That none has anything against it is believed only if each one of the branch was evaluated: after a push that
        takes some seconds, in which everything looks clean.
        """
        for pause in (*PAUSES, None):
            found = self._read(self._ask.evaluations(pull_request.number, look.project_id))
            known = {policy.id for policy in found}
            wanted = self._policies_of(pull_request.base, look)
            more = [policy for policy in wanted if policy.id not in known and policy.of_branch]
            if any(policy.holds for policy in found) or not any(policy.holds for policy in more):
                return found + more
            if pause is not None:
                self._sleep(pause)
        return None

    def _policies_of(self, base: str, look: Look) -> list[Policy]:
        if base not in self._policies:
            self._policies[base] = self._read(self._ask.policies(look.repository_id, base))
        return self._policies[base]

    def _read(self, items: Iterable[object]) -> list[Policy]:
        return [policy for item in items if (policy := policy_of(item)) is not None]

    def _completion(self, look: Look, policies: Sequence[Policy]) -> Mapping[str, object] | None:
        """Return how to complete it; None where no policy lets it be the configured way."""
        how = strategy(self._method, policies)
        if how is None:
            return None
        return {
            "merge_strategy": how,
            "delete_source_branch": True,
            # By itself it would wait for what nobody requires (docs: Pull Requests - Update).
            "auto_complete_ignore_config_ids": [policy.id for policy in policies if not policy.blocking],
            "transition_work_items": look.transition_work_items,
            # By itself a squash drops the promotion's trailers, which `new --built-at` reads again.
            "merge_commit_message": self._ask.message(look.head_sha) or None if how == "squash" else None,
        }

    def _no_strategy(self, base: str, policies: Sequence[Policy]) -> str:
        methods = allowed([policy for policy in policies if policy.type == MERGE_STRATEGY])
        how = f"set mergeMethod in the configuration to {' or '.join(methods)}" if methods else "allow one there"
        return f"the policy of {base} does not allow to merge by {self._method or 'any method'}: {how}"

    def _identity(self) -> str:
        self._me = self._me or self._ask.me()
        return self._me
