"""Arming and completing a pull request: the state of its trial merge, its policies, and the head they are about."""

from collections.abc import Callable, Mapping, Sequence

from gitops_promotion.core.forge import OWN_CONTEXT, AutoMerge, HeadState, PullRequest
from gitops_promotion.providers.azure_devops import policies as policy_rules
from gitops_promotion.providers.azure_devops.answers import (
    NOBODY,
    UNSETTLED,
    MergeState,
    read_merge_state,
    refusal_for,
)
from gitops_promotion.providers.azure_devops.endpoints import Endpoints
from gitops_promotion.providers.azure_devops.policies import MERGE_STRATEGY, Policy, read_policies
from gitops_promotion.providers.http import PAUSES, RefusedError

_STALE = "GitPullRequestStaleException"
"""The kind of the refusal to complete a pull request whose source branch was pushed to."""


class Completion:
    """Completes pull requests of one repository; `method` is the configuration's mergeMethod."""

    def __init__(self, endpoints: Endpoints, *, method: str, sleep: Callable[[float], None]) -> None:
        self._endpoints = endpoints
        self._method = method
        self._sleep = sleep
        # By branch or number, from earlier answers; each entry saves a request.
        self._policies: dict[str, list[Policy]] = {}
        self._options: dict[int, Mapping[str, object]] = {}
        self._is_held: dict[int, bool] = {}
        self._armed_for: dict[int, str] = {}
        self._states: dict[int, MergeState] = {}

    def remember(self, number: int, state: MergeState) -> None:
        """Keep a state that an answer has just shown, for the next question about it."""
        self._states[number] = state

    def armed_for(self, number: int) -> str:
        """Return the head that this run armed a pull request for, "" if it did not."""
        return self._armed_for.get(number, "")

    def arm(self, pull_request: PullRequest) -> AutoMerge:
        """Set auto-complete on behalf of the token's identity, also for another's pull request.

        See B30 in docs/migrating.md.
        """
        name = f"pull request #{pull_request.number}"
        state = self._states.pop(pull_request.number, None)
        if state is None or not state.settled or state.head_sha != pull_request.head_sha:
            state = self._settled_state(pull_request)
        if (result := refusal_for(state, pull_request)) is not None:
            return result
        policies = self._evaluated(pull_request, state)
        if policies is None:
            return AutoMerge(
                state="refused", reason=f"Azure DevOps has not evaluated all policies of {name} yet: run this again"
            )
        options = self._completion_options(state, policies)
        if options is None:
            return AutoMerge(state="refused", reason=self._no_strategy(pull_request.base, policies))
        self._options[pull_request.number] = options
        is_held = self._is_held[pull_request.number] = any(policy.holds for policy in policies)
        if not is_held or not any(policy.is_check for policy in policies):
            # A review alone would let it complete past a gate that no policy knows.
            return AutoMerge(
                state="clean", reason=f"{name} waits for no check: no policy of {pull_request.base} requires one"
            )
        if any(policy.outlives_pushes for policy in policies):
            return AutoMerge(
                state="refused",
                reason=f"the policy of {pull_request.base} for the status {OWN_CONTEXT!r} takes the verdict on an "
                "older push for one on the newest: switch on its 'Reset status whenever there are new changes'",
            )
        return self._set(pull_request, options)

    def _set(self, pull_request: PullRequest, options: Mapping[str, object]) -> AutoMerge:
        """Set auto-complete, and check that it is for the head that was meant."""
        name = f"pull request #{pull_request.number}"
        try:
            after = read_merge_state(
                self._endpoints.auto_complete(pull_request.number, self._endpoints.own_id(), options)
            )
        except RefusedError as error:
            return refusal_for(self._settled_state(pull_request), pull_request) or AutoMerge(
                state="refused",
                reason=f"Azure DevOps says {error.reason!r} to auto-complete of {name}: run this again",
            )
        if after.state == "active" and after.head_sha != pull_request.head_sha:
            self.disarm(pull_request)
            return AutoMerge(state="moved", reason=f"{pull_request.head} moved to {after.head_sha} meanwhile")
        if after.state != "active" or not after.armed:
            return refusal_for(after, pull_request) or AutoMerge(
                state="refused",
                reason=f"Azure DevOps did not take auto-complete of {name}: give the token's user the permissions "
                "'Contribute' and 'Contribute to pull requests' on the repository",
            )
        self._armed_for[pull_request.number] = pull_request.head_sha
        return AutoMerge(state="armed")

    def disarm(self, pull_request: PullRequest) -> AutoMerge:
        """Clear auto-complete, which takes the identity NOBODY: leaving it out changes nothing.

        See B30 in docs/migrating.md.
        """
        self._armed_for.pop(pull_request.number, None)
        name = f"pull request #{pull_request.number}"
        refusal = ""
        try:
            after = read_merge_state(self._endpoints.auto_complete(pull_request.number, NOBODY))
        except RefusedError as error:
            refusal, after = error.reason, read_merge_state(self._endpoints.pull(pull_request.number))
        if after.state != "active":
            return AutoMerge(state="moved", reason=f"{name} is {after.state} already")
        if after.armed:
            reason = f", Azure DevOps says {refusal!r}" if refusal else ""
            return AutoMerge(state="refused", reason=f"{name} stays armed{reason}: disarm it by hand")
        return AutoMerge(state="off")

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Complete it now, at exactly `pull_request.head_sha`; `refused` comes with the next step.

        `armed` where it is still being completed after the last look, or was `clean` though a reviewer must agree.
        """
        name = f"pull request #{pull_request.number}"
        if pull_request.number not in self._options:
            state = self._settled_state(pull_request)
            if (result := refusal_for(state, pull_request)) is not None:
                return result
            policies = self._policies_of(pull_request.base, state)
            options = self._completion_options(state, policies)
            if options is None:
                return AutoMerge(state="refused", reason=self._no_strategy(pull_request.base, policies))
            self._options[pull_request.number] = options
        if self._is_held.get(pull_request.number):
            return self._set(pull_request, self._options[pull_request.number])
        refusal, is_stale = "", False
        try:
            data = self._endpoints.complete(
                pull_request.number, pull_request.head_sha, self._options[pull_request.number]
            )
        except RefusedError as error:
            refusal, is_stale = error.reason, error.kind == _STALE
            data = self._endpoints.pull(pull_request.number)
        state = read_merge_state(data)
        for pause in PAUSES:
            if refusal or state.state != "active" or state.trial not in ("succeeded", *UNSETTLED):
                break
            # To complete takes a while, and until then the answer shows the state before.
            self._sleep(pause)
            state = read_merge_state(self._endpoints.pull(pull_request.number))
        if (result := refusal_for(state, pull_request)) is not None:
            return result
        if is_stale:
            return AutoMerge(state="moved", reason=f"{name} was not merged, Azure DevOps says {refusal!r}")
        if refusal:
            return AutoMerge(
                state="refused", reason=f"{name} was not merged, Azure DevOps says {refusal!r}: merge it by hand"
            )
        return AutoMerge(state="armed", reason=f"{name} is being completed")

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return the head state that follows from the policies."""
        state = self._states.get(pull_request.number) or read_merge_state(self._endpoints.pull(pull_request.number))
        return policy_rules.head_state(self._evaluated(pull_request, state) or ())

    def requires_status(self, pull_request: PullRequest, context: str) -> bool:
        """Return True if a policy holds the pull request until a success of this status is on its newest push."""
        state = self._states.get(pull_request.number) or read_merge_state(self._endpoints.pull(pull_request.number))
        policies = self._evaluated(pull_request, state)
        if policies is None:
            policies = self._policies_of(pull_request.base, state)
        return any(policy.requires_status(context) for policy in policies)

    def _settled_state(self, pull_request: PullRequest) -> MergeState:
        """Return the merge state once the trial merge of the newest push is done, after a bounded time."""
        state = read_merge_state(self._endpoints.pull(pull_request.number))
        for pause in PAUSES:
            if state.settled and (state.state != "active" or state.head_sha == pull_request.head_sha):
                break
            self._sleep(pause)
            state = read_merge_state(self._endpoints.pull(pull_request.number))
        return state

    def _evaluated(self, pull_request: PullRequest, state: MergeState) -> list[Policy] | None:
        """Return the policies with their evaluations; None where some are not evaluated after all waiting.

        The answer that no policy holds it counts only if each policy of the branch was evaluated: for some seconds
        after a push everything looks clean.
        """
        for pause in (*PAUSES, None):
            evaluated = read_policies(self._endpoints.evaluations(pull_request.number, state.project_id))
            ids = {policy.id for policy in evaluated}
            of_branch = self._policies_of(pull_request.base, state)
            missing = [policy for policy in of_branch if policy.id not in ids and policy.is_of_branch]
            if any(policy.holds for policy in evaluated) or not any(policy.holds for policy in missing):
                return evaluated + missing
            if pause is not None:
                self._sleep(pause)
        return None

    def _policies_of(self, base: str, state: MergeState) -> list[Policy]:
        if base not in self._policies:
            self._policies[base] = read_policies(self._endpoints.policies(state.repository_id, base))
        return self._policies[base]

    def _completion_options(self, state: MergeState, policies: Sequence[Policy]) -> Mapping[str, object] | None:
        """Return how to complete it; None where no policy allows the configured way."""
        strategy = policy_rules.merge_strategy(self._method, policies)
        if strategy is None:
            return None
        return {
            "merge_strategy": strategy,
            "delete_source_branch": True,
            # Without this it waits for optional policies too:
            # https://learn.microsoft.com/rest/api/azure/devops/git/pull-requests/update
            "auto_complete_ignore_config_ids": [policy.id for policy in policies if not policy.blocking],
            "transition_work_items": state.transition_work_items,
            # Without this a squash drops the promotion's trailers, which `new --built-at` reads.
            "merge_commit_message": self._endpoints.message(state.head_sha) or None if strategy == "squash" else None,
        }

    def _no_strategy(self, base: str, policies: Sequence[Policy]) -> str:
        methods = policy_rules.allowed_methods([policy for policy in policies if policy.type == MERGE_STRATEGY])
        step = f"set mergeMethod in the configuration to {' or '.join(methods)}" if methods else "allow one there"
        return f"the policy of {base} does not allow to merge by {self._method or 'any method'}: {step}"
