"""What the statuses of commits say about the deployments of the past."""

from collections.abc import Sequence
from datetime import timedelta

from gitops_promotion.core.history import Event
from gitops_promotion.core.metrics import Health, read_health
from gitops_promotion.core.status_contexts import fill
from gitops_promotion.core.status_reports import Statuses
from gitops_promotion.workflow.past import Past
from gitops_promotion.workflow.run import Run


def health_of(run: Run, past: Past, events: Sequence[Event], statuses: Statuses) -> Health:
    """Return what statuses say now about the deployments among these events of the past. Raises ConfigError."""
    config = run.tip.config
    templates = config.context_templates
    return read_health(
        events,
        [commit.sha for commit in past.commits],
        statuses,
        patterns=lambda site: fill(templates.get(site.environment, ()), site.application, site.environment),
        late=run.clock.now() - timedelta(seconds=config.status_timeout),
    )
