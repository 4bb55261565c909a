"""What GitHub would do to promotions: its settings and rules, in at most eight requests, all of them reads.

The facts about who may read what are in docs/facts/forges.md#settings.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from gitops_promotion.core import untrusted
from gitops_promotion.core.forge import OWN_CONTEXT, ForgeSettings, Hidden, Obstacle, RequiredCheck
from gitops_promotion.errors import AuthError
from gitops_promotion.providers import Connection
from gitops_promotion.providers.github import queries
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.answers import METHODS, items, text
from gitops_promotion.providers.github.answers import field as read
from gitops_promotion.providers.github.api import Api
from gitops_promotion.providers.github.tokens import app_permissions
from gitops_promotion.providers.http import RefusedError

OWN_ACCOUNT = "github-actions[bot]"
"""The account of a workflow's own token, whose merges start no workflow."""

_WRITERS = ("WRITE", "MAINTAIN", "ADMIN")
_ADMINISTRATION = "give a token with the permission administration: read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of a branch, of all rulesets together. `methods`: None where no rule limits them."""

    checks: tuple[RequiredCheck, ...] = ()
    is_strict: bool = False
    approvals: int = 0
    some_approvals: bool = False
    methods: frozenset[str] | None = None
    kinds: frozenset[str] = frozenset()
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_rules(documents: Iterable[object], *, base: str, repository: str) -> Rules:
    """Read the active rules of a branch. Raises ProviderError."""
    rules = Rules()
    for document in documents:
        kind, parameters = text(document, "type"), _object(document, "parameters")
        rules = replace(rules, kinds=rules.kinds | {kind}, parameters={**rules.parameters, kind: parameters})
        if kind == "required_status_checks":
            checks = [
                _check(read(check, str, "context"), check.get("integration_id"), base=base, repository=repository)
                for check in items(parameters.get("required_status_checks"))
            ]
            is_strict = rules.is_strict or parameters.get("strict_required_status_checks_policy") is True
            rules = replace(rules, checks=(*rules.checks, *checks), is_strict=is_strict)
        elif kind == "workflows":
            paths = [text(workflow, "path") for workflow in items(parameters.get("workflows"))]
            required = [RequiredCheck(name=untrusted.line(path), is_build=True) for path in paths]
            rules = replace(rules, checks=(*rules.checks, *required))
        elif kind == "pull_request":
            rules = _with_pull_request_rule(rules, parameters)
        elif kind == "required_linear_history":
            rules = replace(rules, methods=_allowed(rules, {"squash", "rebase"}))
        elif kind == "required_signatures":
            # GitHub signs no commits that it rebases (docs/signed-commits.md).
            rules = replace(rules, methods=_allowed(rules, {"merge", "squash"}))
    return rules


def _with_classic(rules: Rules, classic: Mapping[str, Any]) -> Rules:
    """Return the rules with those of the classic protection, as `refUpdateRule` has them."""
    parameters = {
        "required_approving_review_count": classic.get("requiredApprovingReviewCount"),
        "require_code_owner_review": classic.get("requiresCodeOwnerReviews"),
    }
    rules = _with_pull_request_rule(rules, parameters)
    if classic.get("requiresLinearHistory") is True:
        rules = replace(rules, methods=_allowed(rules, {"squash", "rebase"}))
    if classic.get("requiresSignatures") is True:
        rules = replace(
            rules, methods=_allowed(rules, {"merge", "squash"}), kinds=rules.kinds | {"required_signatures"}
        )
    return rules


def _with_pull_request_rule(rules: Rules, parameters: Mapping[str, Any]) -> Rules:
    count = parameters.get("required_approving_review_count")
    approvals = count if isinstance(count, int) else 0
    of_files = parameters.get("require_code_owner_review") is True or any(
        isinstance(reviewer, dict) and reviewer.get("minimum_approvals") for reviewer in _required_reviewers(parameters)
    )
    methods = parameters.get("allowed_merge_methods")
    return replace(
        rules,
        approvals=max(rules.approvals, approvals),
        some_approvals=rules.some_approvals or of_files,
        methods=_allowed(rules, set(map(str, methods))) if isinstance(methods, list) else rules.methods,
    )


def _required_reviewers(parameters: Mapping[str, Any]) -> Sequence[object]:
    reviewers = parameters.get("required_reviewers")
    return reviewers if isinstance(reviewers, list) else ()


def _allowed(rules: Rules, methods: set[str]) -> frozenset[str]:
    return frozenset(methods if rules.methods is None else rules.methods & methods)


def _check(name: str, app: object, *, base: str, repository: str) -> RequiredCheck:
    """Return a required check; `app` is the id of the only App whose check counts, if there is one."""
    context = untrusted.line(name)
    if name != OWN_CONTEXT or (isinstance(app, int) and app > 0):
        return RequiredCheck(name=context)
    return RequiredCheck(
        name=context,
        weakness=Obstacle(
            problem=f"{base} takes the status {OWN_CONTEXT} from everybody who may post statuses, so each of them can "
            "let a promotion pass its gates",
            next_step="choose your App as its source, which is `integration_id` in the ruleset: "
            f"`gh api repos/{repository}/rules/branches/{base}` shows it, and docs/github.md has the steps",
        ),
    )


def obstacles_of(rules: Rules, *, base: str) -> tuple[Obstacle, ...]:
    """Return the rules of the default branch that no promotion satisfies."""
    obstacles = []
    if "required_deployments" in rules.kinds:
        names = rules.parameters["required_deployments"].get("required_deployment_environments")
        environments = (
            ", ".join(untrusted.line(str(name)) for name in names) if isinstance(names, list) else "environments"
        )
        obstacles.append(
            Obstacle(
                problem=f"{base} wants a deployment to {environments} before a merge, and nothing deploys the branch "
                "of a promotion",
                next_step=f"remove the rule `Require deployments to succeed` from {base}",
            )
        )
    if "update" in rules.kinds:
        obstacles.append(
            Obstacle(
                problem=f"only those who may bypass its rules can update {base}, so no promotion merges",
                next_step=f"remove the rule `Restrict updates` from {base}",
            )
        )
    return tuple(obstacles)


_REFUSALS = {
    "creation": ("may not be created", "Restrict creations"),
    "update": ("may not be updated", "Restrict updates"),
    "pull_request": ("take no pushes", "Require a pull request before merging"),
}
_DENIALS = {
    "non_fast_forward": ("take no forced pushes, so they grow instead", "Block force pushes"),
    "deletion": ("may not be deleted, so they stay when they are merged", "Restrict deletions"),
}


def head_obstacles(rules: Rules, head: str, refusals: Mapping[str, tuple[str, str]]) -> tuple[Obstacle, ...]:
    """Return an obstacle for each rule in `refusals` that the branches of promotions have."""
    return tuple(
        Obstacle(
            problem=f"branches such as {head} {effect}",
            next_step=f"exclude them from the ruleset with the rule `{name}`: add `refs/heads/promote/**/*` to the "
            "branches that it leaves out",
        )
        for kind, (effect, name) in refusals.items()
        if kind in rules.kinds
    )


def _methods(repository: Mapping[str, Any], rules: Rules) -> tuple[str, ...]:
    """Return the ways to merge that the repository and the rules allow."""
    allowed = [method.lower() for method, key in zip(METHODS, queries.SETTINGS, strict=True) if repository.get(key)]
    return tuple(method for method in allowed if rules.methods is None or method in rules.methods)


def _object(data: object, key: str) -> Mapping[str, Any]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, dict) else {}


class Settings:
    """Reads the settings of one repository."""

    def __init__(self, api: Api, address: Address, connection: Connection) -> None:
        """Send nothing yet."""
        self._api = api
        self._address = address
        self._connection = connection
        self._path = f"/repos/{address.repository}"
        self._hidden: list[Hidden] = []

    def read(self, *, base: str, head: str, publishes: bool) -> ForgeSettings:
        """Return what GitHub would do to promotions. Raises AuthError, ProviderError."""
        self._hidden = []
        data = self._repository(base)
        repository = _object(data, "repository")
        lacking = self._lacking(base, repository, publishes=publishes)
        of_base, of_head = self._rules(base), self._rules(head)
        checks, is_strict = self._classic_checks(base)
        settings = ForgeSettings(lacking=lacking)
        if data:
            settings = replace(
                settings,
                auto_merge=repository.get("autoMergeAllowed") is True,
                has_merge_queue=repository.get("mergeQueue") is not None,
                starts_workflows=text(_object(data, "viewer"), "login") != OWN_ACCOUNT,
            )
        if of_base is not None and checks is not None:
            rules = _with_classic(of_base, _object(_object(repository, "ref"), "refUpdateRule"))
            settings = replace(
                settings,
                checks=_without_duplicates((*rules.checks, *checks)),
                is_strict=rules.is_strict or is_strict,
                obstacles=obstacles_of(rules, base=base),
            )
            if data:
                settings = replace(
                    settings,
                    merge_methods=_methods(repository, rules),
                    approvals=rules.approvals,
                    some_approvals=rules.some_approvals,
                    wants_signatures="required_signatures" in rules.kinds | (of_head.kinds if of_head else frozenset()),
                )
        if of_head is not None:
            refusals = head_obstacles(of_head, head, _REFUSALS)
            denials = head_obstacles(of_head, head, _DENIALS)
            settings = replace(settings, obstacles=(*settings.obstacles, *refusals), denials=denials)
        return replace(settings, hidden=tuple(self._hidden))

    def _repository(self, base: str) -> Mapping[str, Any]:
        """Return the answer to `queries.REPOSITORY_SETTINGS`, nothing where an old server lacks a field of it."""
        names = {"owner": self._address.owner, "name": self._address.name}
        variables = {**names, "base": base, "ref": f"refs/heads/{base}"}
        try:
            return self._api.graphql(queries.REPOSITORY_SETTINGS, variables, needs="metadata: read")
        except RefusedError as error:
            step = f"look at `gh api repos/{self._address.repository}` with a token of an administrator"
            self._hide(f"auto-merge, the ways to merge, the queue and the reviews ({error.reason})", step)
            return {}

    def _hide(self, setting: str, next_step: str) -> None:
        self._hidden.append(Hidden(what=setting, next_step=next_step))

    def _rules(self, branch: str) -> Rules | None:
        path = f"{self._path}/rules/branches/{quote(branch, safe='')}"
        try:
            documents = list(self._api.pages(path, {}, needs="metadata: read"))
        except (AuthError, RefusedError) as error:
            self._hide(f"the rules of {branch} ({_reason(error)})", "give a token with the permission metadata: read")
            return None
        return read_rules(documents, base=branch, repository=self._address.repository)

    def _classic_checks(self, base: str) -> tuple[list[RequiredCheck] | None, bool | None]:
        """Return the checks of the classic protection, and whether branches must be up to date."""
        path = f"{self._path}/branches/{quote(base, safe='')}"
        try:
            branch = self._api.rest("GET", path, needs="contents: read")[0]
        except (AuthError, RefusedError) as error:
            self._hide(
                f"the classic protection of {base} ({_reason(error)})",
                "give a token with the permission contents: read",
            )
            return None, None
        required = _object(_object(branch, "protection"), "required_status_checks")
        if not required or text(required, "enforcement_level") == "off":
            return [], False
        repository = self._address.repository
        apps = {text(check, "context"): check.get("app_id") for check in items(required.get("checks"))}
        names = [name for name in items(required.get("contexts")) if isinstance(name, str)]
        contexts = dict.fromkeys((*apps, *names))
        checks = [
            _check(context, apps.get(context), base=base, repository=repository) for context in contexts if context
        ]
        try:
            policy = self._api.rest("GET", f"{path}/protection/required_status_checks", needs="administration: read")[0]
        except (AuthError, RefusedError) as error:
            step = f"{_ADMINISTRATION}, or look at `gh api repos/{repository}/branches/{base}/protection`"
            self._hide(f"whether pull requests into {base} must be up to date ({_reason(error)})", step)
            return checks, None
        return checks, _object({"policy": policy}, "policy").get("strict") is True

    def _lacking(self, base: str, repository: Mapping[str, Any], *, publishes: bool) -> tuple[str, ...]:
        """Return the permissions that the token lacks, as far as GitHub tells them."""
        needed = {
            "contents": "write",
            "pull_requests": "write",
            "statuses": "write" if publishes else "read",
            "checks": "read",
        }
        headers: Mapping[str, str] = {}
        lacking: list[str] = []
        try:
            path = f"{self._path}/commits/{quote(base, safe='')}/check-runs"
            _, headers = self._api.rest("GET", path, needs="checks: read", parameters={"per_page": 1})
        except AuthError:
            lacking.append("checks: read")
        except RefusedError as error:
            self._hide(f"the checks of {base} ({_reason(error)})", "give a token with the permission checks: read")
        granted = app_permissions(self._connection)
        if granted is not None:
            lacking = [
                f"{name.replace('_', '-')}: {level}"
                for name, level in needed.items()
                if granted.get(name) not in ("write", "admin", level)
            ]
        elif (scopes := headers.get("x-oauth-scopes")) is not None:
            names = {scope.strip() for scope in scopes.split(",")}
            if not names & {"repo", "public_repo"}:
                lacking.append("the scope repo")
        else:
            self._hide(
                "what the token may write",
                "GitHub tells that only of a classic token and where an App gives its key: set GITHUB_APP_ID and "
                "GITHUB_APP_PRIVATE_KEY, or compare the token with docs/github.md, A GitHub App",
            )
        role = repository.get("viewerPermission")
        if isinstance(role, str) and role not in _WRITERS:
            lacking.append(f"the role of somebody who may write (it has {untrusted.line(role.lower(), 20)})")
        return tuple(lacking)


def _without_duplicates(checks: Iterable[RequiredCheck]) -> tuple[RequiredCheck, ...]:
    """Return one check of each name: the one that a rule binds to an App, if there is one."""
    by_name: dict[str, RequiredCheck] = {}
    for check in checks:
        if check.name not in by_name or check.weakness is None:
            by_name[check.name] = check
    return tuple(by_name.values())


def _reason(error: AuthError | RefusedError) -> str:
    return error.reason if isinstance(error, RefusedError) else "the token has no permission for it"
