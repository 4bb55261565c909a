"""The steps that findings print: commands that show or change the settings of a forge, or else sentences."""

import shlex

from gitops_promotion.core.doctor.facts import Facts

_METHOD_KEYS = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}


def allow_auto_merge(facts: Facts) -> str:
    """Return the step that allows auto-merge."""
    if facts.forge == "github":
        return f"`{_gh(facts, '', '-X PATCH -F allow_auto_merge=true')}`"
    return "allow it in the settings of the repository"


def allow_method(facts: Facts, method: str) -> str:
    """Return the step that allows a way to merge."""
    if facts.forge == "github" and method in _METHOD_KEYS:
        allow = f"-X PATCH -F {_METHOD_KEYS[method]}=true"
        return f"allow it by `{_gh(facts, '', allow)}`, and in the rules that `{_rules(facts)}` shows"
    if facts.forge == "azdo":
        return f"allow it in the policy that `{_policies(facts, 'Require a merge strategy')}` shows"
    return "allow it in the settings of the repository"


def show_rule(facts: Facts, kind: str, name: str) -> str:
    """Return the command that shows rules of the default branch: by their kind on GitHub, by name on Azure DevOps."""
    if facts.forge == "github":
        return f"`{_rules(facts, kind)}`"
    if facts.forge == "azdo":
        return f"`{_policies(facts, name)}`"
    return f"the rules of {facts.base}"


def require_check(facts: Facts, name: str) -> str:
    """Return the step that requires a check of this name."""
    if facts.forge == "github":
        rulesets = _gh(facts, "/rulesets", "-X POST --input -")
        return f"`gitops-promotion doctor --ruleset | {rulesets}` requires {name}"
    if facts.forge == "azdo":
        return (
            f"require {name} with a policy, by the commands in docs/azure-devops.md; `{_policies(facts)}` shows what "
            "is required now"
        )
    return f"require {name}"


def show_team(facts: Facts, team: str) -> str:
    """Return the command that shows whether the members of a team can be read."""
    if facts.forge == "github":
        organisation, _, name = team.partition("/")
        path = shlex.quote(f"orgs/{organisation}/teams/{name}/members")
        return f"`gh api {path}` asks the same with your token"
    return "docs/approvals.md has the form of the names"


def _gh(facts: Facts, path: str, options: str = "") -> str:
    return " ".join(filter(None, ("gh api", options, shlex.quote(f"repos/{facts.repository}{path}"))))


def _rules(facts: Facts, kind: str = "") -> str:
    selection = f"--jq '.[] | select(.type == \"{kind}\")'" if kind else ""
    return " ".join(filter(None, (_gh(facts, f"/rules/branches/{facts.base}"), selection)))


def _policies(facts: Facts, name: str = "") -> str:
    repository = shlex.quote(facts.repository)
    selection = f" --query \"[?type.displayName=='{name}']\"" if name else ' --query "[?isBlocking]"'
    return (
        f"az repos policy list --branch {shlex.quote(facts.base)} --repository-id "
        f'"$(az repos show --repository {repository} --query id --output tsv)"{selection}'
    )
