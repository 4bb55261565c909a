"""`doctor`: what is wrong on the forge's side; it reads and changes nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from gitops_promotion.commands.init import example_file
from gitops_promotion.core import branch_names
from gitops_promotion.core.checks import Findings, Tree
from gitops_promotion.core.config import Config
from gitops_promotion.core.doctor import diagnose, example_ruleset
from gitops_promotion.core.doctor.bots import DEPENDABOT, RENOVATE
from gitops_promotion.core.doctor.facts import Facts
from gitops_promotion.core.doctor.settings import CODEOWNERS
from gitops_promotion.core.doctor.workflows import FOLDER
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.core.holds import FILE as HOLDS_FILE
from gitops_promotion.errors import GitError, ProviderError
from gitops_promotion.git.worktree import WorkingTree
from gitops_promotion.workflow.run import Run

COMMITS = 20
"""How many of the newest commits of the default branch are asked for their statuses."""


def doctor(run: Run, *, strict: bool = False) -> Findings:
    """Return what the forge, the server and other programs would do to promotions. Raises ConfigError, GitError.

    A forge that cannot be asked is a finding.
    """
    tip, repository = run.tip, run.tip.repository
    if repository.shallow:
        repository.deepen(COMMITS)
    commits = [commit.sha for commit in repository.history(tip.sha, [], COMMITS)]
    head = _head(tip.config)
    facts = Facts(
        forge=run.facts.name,
        repository=_name(repository.url, run.facts.name_length),
        base=tip.base,
        config=tip.config,
        tree=Tree(contents=tip.yaml_files(), irregular=repository.irregular(tip.sha, [HOLDS_FILE])),
        files=_files(run),
        commits=len(commits),
        server=repository.server_settings() if run.facts.name == "local" else None,
        signs=repository.signs_commits or (tip.config.commit_signing == "forge" and run.facts.makes_commits),
        push_refusal=repository.push_refusal(tip.sha, head),
    )
    return diagnose(_with_answers(run, facts, commits, head), strict=strict)


def ruleset(folder: Path, *, environ: Mapping[str, str], trust: bool = False) -> str:
    """Return the ruleset of GitHub for the repository that a folder is in, as a file to import."""
    example = example_file("github", "ruleset.json")
    try:
        contents = WorkingTree.find(folder, environ, trust=trust).yaml_files()
    except GitError:
        contents = {}
    return example_ruleset.fitted(example, Tree(contents=contents))


def _with_answers(run: Run, facts: Facts, commits: list[str], head: str) -> Facts:
    """Return the facts with what the forge answers, or with the reason why it does not."""
    try:
        posted = run.forge.statuses(commits)
        pulls = run.forge.open_promotions()
        return replace(
            facts,
            statuses=[status for sha in commits for status in posted.get(sha, ())],
            is_required=run.forge.requires_status(pulls[0], OWN_CONTEXT) if pulls else None,
            settings=run.forge.forge_settings(base=facts.base, head=head, publishes=facts.config.must_publish),
            teams={group: run.forge.members(group).problem for group in _teams(facts.config)},
        )
    except ProviderError as error:
        return replace(facts, problem=str(error))


def _head(config: Config) -> str:
    """Return the name of a branch such as promotions have, which is never made."""
    return branch_names.fill(config.branch_template, group="gitops-promotion", app="doctor", env="none")


def _teams(config: Config) -> list[str]:
    """Return the groups of the forge that must approve promotions."""
    gates = (gate for name in config.pipeline.names for gate in config.gates(name))
    return sorted({group for gate in gates if isinstance(gate, Approvals) for group in gate.forge_groups})


def _files(run: Run) -> Mapping[str, bytes]:
    """Return the files of the tip, beside manifests, that say what runs and who else writes."""
    tip = run.tip
    paths = [path for path in tip.yaml_files() if path.startswith(FOLDER)]
    return tip.repository.read(tip.sha, [*paths, *RENOVATE, *DEPENDABOT, *CODEOWNERS])


def _name(url: str, length: int) -> str:
    """Return the repository as commands name it: OWNER/NAME, NAME on Azure DevOps, or the path of a plain one."""
    parts = Path(unquote(url).removesuffix(".git").replace(":", "/")).parts
    return "/".join(parts[-length:]) if length else url
