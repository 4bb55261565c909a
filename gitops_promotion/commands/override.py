"""`promote --override-gates` and `--override-hold`: a person sends a tag past the gates or holds of an environment."""

from collections.abc import Sequence
from dataclasses import replace

from gitops_promotion.core import overrides
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.overrides import Override
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, UsageError
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.intent import Intent, setting_tag
from gitops_promotion.workflow.origin import starter
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.superseding import close_rollback


def new_override(run: Run, environment: str, reason: str, *, gates: bool, hold: bool) -> Override:
    """Return the override of the person who runs this.

    Raises UsageError without a reason or a person, where the environment forbids overrides, and for the token of a
    workflow: every workflow can publish with such a token.
    """
    config = run.tip.config
    if not reason.strip():
        raise UsageError("an override needs --reason TEXT, which is recorded")
    if not config.allows_overrides(environment):
        raise UsageError(
            f"{environment} allows no override, since overrides is false there, the default with approvals: set "
            "overrides: true in the configuration of the environment"
        )
    if not run.person:
        raise UsageError("an override needs a person, and this run names none: start it by hand as a person")
    if not run.dry_run and overrides.is_of_workflow(run.forge.identity()):
        raise UsageError(
            "the token is the workflow's own, with which every workflow of a writer can publish: use the token of an "
            "App or of another account"
        )
    return Override(person=run.person, reason=reason.strip(), gates=gates, hold=hold)


def promote_past(
    run: Run, application: Application, environment: str, tag: Tag, *, reason: str, gates: bool, hold: bool
) -> list[Outcome]:
    """Return the outcome of proposing a tag past the gates or holds of an environment, with person and reason.

    A hold that covers only this promotion is lifted by the same pull request.

    Raises UsageError, ConfigError, ManifestError, ForeignCommitsError, GitError, ProviderError.
    """
    override = new_override(run, environment, reason, gates=gates, hold=hold)
    origin = Origin(triggered_by=starter(run).triggered_by, override=override)
    request = Request(kind=PROMOTION, application=application, environment=environment, tag=tag, origin=origin)

    def veto(_pulls: Sequence[PullRequest], _branch: Branch | None) -> Origin:
        return origin

    def decide() -> Intent:
        site = Site(application, environment)
        files = run.tip.files(site)
        if not files:
            if text := run.tip.marked.nothing_found():
                raise ManifestError.at(run.tip.config_file, 0, text)
            files = run.tip.marked.around(site)
        return setting_tag(run.tip, request, files, veto)

    outcome = deliver(run, decide)
    if run.dry_run or outcome.pull_request is None:
        return [outcome]
    # An open rollback would take the tag away again.
    closed = close_rollback(run, application, environment)
    notes = [f"rollback #{closed.number} of {environment} is superseded"] if closed else []
    return [replace(outcome, reasons=(*outcome.reasons, *notes))]
