"""Builds an environment without and with a promotion's edits, to show what changes in its objects."""

from gitops_promotion.core.feature.folder import EnvironmentFolder
from gitops_promotion.core.model import Plan
from gitops_promotion.core.rendered import rendered_difference
from gitops_promotion.errors import KustomizeError, UsageError
from gitops_promotion.workflow.build import EnvironmentBuilder
from gitops_promotion.workflow.run import Run


def rendered(run: Run, plan: Plan, limit: int) -> list[str]:
    """Return Markdown of at most `limit` characters with what a promotion changes in the objects of its environment.

    What cannot be built is a note in the log and no error. Raises GitError.
    """
    request = plan.request
    try:
        path = run.tip.config.layout.folder(request.application, request.environment)
        tree = run.tip.repository.lay_out(run.tip.sha)
        folder = EnvironmentFolder(path=path, files=tree.below(path))
        builder = EnvironmentBuilder(folder=folder, tree=tree, find_kustomize=run.find_kustomize)
        before = builder.build({})
        return rendered_difference(before, builder.build(plan.edits), limit)
    except (KustomizeError, UsageError) as error:
        run.note(f"no rendered difference: {error}")
        return []
