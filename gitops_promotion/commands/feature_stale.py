"""`feature-stale`: remove the copies that have not changed for some time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from gitops_promotion.core.config import Config
from gitops_promotion.core.feature.folder import Edits, InstalledCopy
from gitops_promotion.core.kinds import REMOVAL
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import NO_APPLICATION, Application
from gitops_promotion.core.untrusted import code_span
from gitops_promotion.errors import GitError, PromotionError
from gitops_promotion.workflow.build import EnvironmentBuilder, KustomizeFinder, feature_environment, feature_folder
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.features import removal_plan
from gitops_promotion.workflow.intent import Intent
from gitops_promotion.workflow.run import Run

DEFAULT_MAX_AGE = 7 * 86400.0
"""Seconds: seven days, as in version 1."""


def feature_stale(run: Run, *, max_age: float, now: datetime, find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Return the outcome of proposing to remove every copy that was not changed for `max_age` seconds.

    One pull request removes them all. A copy whose age is unknown, or that cannot be removed, gets a failed outcome of
    its own. Raises ConfigError, KustomizeError, UsageError, ForeignCommitsError, GitError, ProviderError.
    """
    limit = timedelta(seconds=max_age)
    failures: list[Outcome] = []
    reasons: list[str] = []

    def decide() -> Intent | Outcome:
        failures.clear()
        reasons.clear()
        config = run.tip.config
        tree = run.tip.repository.lay_out(run.tip.sha)
        edits: Edits = {}
        files: dict[str, bytes] = {}
        removed: list[_AgedCopy] = []
        for applications in _applications_by_folder(config):
            builder = EnvironmentBuilder.of(run, applications[0], find_kustomize, tree)
            copies = _aged_copies(run, builder, applications, now, failures)
            stale = [copy for copy in copies if copy.age >= limit]
            reasons.extend(f"{copy}, {'stale' if copy in stale else 'kept'}" for copy in copies)
            if stale:
                removable, removal = _removable(builder, stale, failures)
                removed += removable
                edits |= removal
                files |= builder.folder.files
        environment = _deciding_environment(config, [copy.environment for copy in removed])
        request = Request(kind=REMOVAL, application=NO_APPLICATION, environment=environment)
        if not removed:
            return Outcome.of(request, "unchanged", f"no feature in {environment} is older than {_duration(limit)}")
        notes = [f"- {code_span(str(copy))}" for copy in removed]
        return Intent(plan=partial(removal_plan, run, request, edits, notes), files=files)

    outcome = deliver(run, decide)
    return [replace(outcome, reasons=(*outcome.reasons, *reasons)), *failures]


@dataclass(frozen=True, slots=True, kw_only=True)
class _AgedCopy:
    application: Application
    environment: str
    copy: InstalledCopy
    age: timedelta

    def __str__(self) -> str:
        return f"{self.application} feature {self.copy.feature}: changed {_duration(self.age)} ago"


def _deciding_environment(config: Config, environments: Collection[str]) -> str:
    """Return the environment whose `auto` decides on the pull request: one that a person merges into, if there is one.

    The first environment of the pipeline, if there are none.
    """
    with_features = [environment for environment in config.pipeline.environments if environment.name in environments]
    by_hand = [environment for environment in with_features if not environment.auto]
    return next(iter([*by_hand, *with_features]), config.pipeline.entry).name


def _duration(age: timedelta) -> str:
    hours = age.seconds // 3600
    return f"{age.days}d{hours}h" if hours and age.days else f"{age.days}d" if age.days else f"{hours}h"


def _applications_by_folder(config: Config) -> list[list[Application]]:
    """Return the applications, those of one folder together: one kustomization gets the edits for all of them."""
    applications: dict[str, list[Application]] = {}
    for group, names in config.groups.items():
        for name in names:
            application = Application(group, name)
            applications.setdefault(feature_folder(config, application), []).append(application)
    return list(applications.values())


def _removable(
    builder: EnvironmentBuilder, stale: Sequence[_AgedCopy], failures: list[Outcome]
) -> tuple[Sequence[_AgedCopy], Edits]:
    """Return the copies whose removal is proved, all at once or else one by one, and the edits that remove them.

    A copy that cannot be removed adds to `failures`.
    """

    def prove_removal(copies: Sequence[_AgedCopy]) -> Edits:
        edits = builder.folder.without([aged.copy.subfolder for aged in copies])
        builder.check_removal(edits, [aged.copy.feature for aged in copies])
        return edits

    def fail(aged: _AgedCopy, error: PromotionError) -> None:
        failures.append(Outcome.failed_for(aged.application, aged.environment, error))

    try:
        return stale, prove_removal(stale)
    except PromotionError as error:
        if len(stale) == 1:
            fail(stale[0], error)
            return (), {}
    removable: list[_AgedCopy] = []
    edits: Edits = {}
    for aged in stale:
        try:
            edits = prove_removal([*removable, aged])
        except PromotionError as error:
            fail(aged, error)
        else:
            removable.append(aged)
    return removable, edits


def _aged_copies(
    run: Run, builder: EnvironmentBuilder, applications: Sequence[Application], now: datetime, failures: list[Outcome]
) -> list[_AgedCopy]:
    """Return the copies of these applications in a folder, with their ages; unknown ages add to `failures`."""
    groups = {application.name: application.group for application in applications}
    copies = []
    for copy in builder.folder.copies(groups):
        application = Application(groups[copy.app], copy.app)
        environment = feature_environment(run.tip.config, application)
        try:
            changed = run.tip.repository.last_change(run.tip.sha, f"{builder.folder.path}/{copy.subfolder}")
        except GitError as error:
            # A copy of unknown age does not stop the removal of others (docs/migrating.md, B38).
            failures.append(Outcome.failed_for(application, environment, error))
            continue
        if changed is not None:
            age = max(now - changed, timedelta())
            copies.append(_AgedCopy(application=application, environment=environment, copy=copy, age=age))
    return copies
