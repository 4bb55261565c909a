"""`doctor`: what is wrong on the forge's side; it reads and changes nothing."""

from collections.abc import Mapping
from pathlib import Path

from gitops_promotion.commands.init import example_file
from gitops_promotion.core.checks import Findings, Tree
from gitops_promotion.core.doctor import Facts, diagnose, example_ruleset
from gitops_promotion.core.doctor.bots import DEPENDABOT, RENOVATE
from gitops_promotion.core.doctor.workflows import FOLDER
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus
from gitops_promotion.errors import GitError, ProviderError
from gitops_promotion.git.worktree import WorkingTree
from gitops_promotion.workflow.run import Run

COMMITS = 20
"""The newest commits of the default branch whose statuses are asked for."""


def doctor(run: Run, *, strict: bool = False) -> Findings:
    """Return what the forge, the server and other programs would do to promotions. Raises ConfigError, GitError.

    A forge that cannot be asked is a finding.
    """
    tip, repository = run.tip, run.tip.repository
    if repository.shallow:
        repository.deepen(COMMITS)
    commits = [commit.sha for commit in repository.history(tip.sha, [], COMMITS)]
    statuses, is_required, problem = _asked(run, commits)
    return diagnose(
        Facts(
            forge=run.facts.name,
            repository=_name(repository.url, run.facts.name),
            base=tip.base,
            config=tip.config,
            tree=Tree(contents=tip.yaml_files()),
            files=_files(run),
            statuses=statuses,
            commits=len(commits),
            problem=problem,
            is_required=is_required,
            server=repository.server_settings() if run.facts.name == "local" else None,
        ),
        strict=strict,
    )


def ruleset(folder: Path, *, environ: Mapping[str, str], trust: bool = False) -> str:
    """Return the ruleset of GitHub for the repository that a folder is in, as a file to import."""
    example = example_file("github", "ruleset.json")
    try:
        contents = WorkingTree.find(folder, environ, trust=trust).yaml_files()
    except GitError:
        contents = {}
    return example_ruleset.fitted(example, Tree(contents=contents))


def _asked(run: Run, commits: list[str]) -> tuple[list[CommitStatus] | None, bool | None, str]:
    """Return the statuses, whether the published verdict is required, and why they are not known."""
    try:
        posted = run.forge.statuses(commits)
        pulls = run.forge.open_promotions()
        is_required = run.forge.requires_status(pulls[0], OWN_CONTEXT) if pulls else None
    except ProviderError as error:
        return None, None, str(error)
    return [status for sha in commits for status in posted.get(sha, ())], is_required, ""


def _files(run: Run) -> Mapping[str, bytes]:
    """Return the files of the tip, beside manifests, that say what runs and who else writes."""
    tip = run.tip
    paths = [path for path in tip.yaml_files() if path.startswith(FOLDER)]
    return tip.repository.read(tip.sha, [*paths, *RENOVATE, *DEPENDABOT])


def _name(url: str, forge: str) -> str:
    """Return the repository as commands name it: OWNER/NAME, or the path of a plain one."""
    return url if forge == "local" else "/".join(Path(url.removesuffix(".git").replace(":", "/")).parts[-2:])
