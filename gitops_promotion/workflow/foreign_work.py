"""Finds the work of others on a branch of this tool: its pull request may merge by itself, and no gate judges that."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from gitops_promotion.core import untrusted
from gitops_promotion.core.branch_contents import beyond_tags
from gitops_promotion.core.branch_names import FEATURES, REMOVALS
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Reason
from gitops_promotion.core.holds import ANY
from gitops_promotion.core.kinds import NARROW
from gitops_promotion.core.model import Kind, Plan, Request
from gitops_promotion.core.names import Application, Site
from gitops_promotion.errors import ForeignCommitsError, UsageError
from gitops_promotion.workflow.arming import disarm
from gitops_promotion.workflow.branch import Branch, read_branch
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip

_SHOWN = 3
"""How many commits of others are named: whoever may push can push any number."""


def foreign_work(run: Run, name: str, sites: Sequence[Site], changes: Sequence[FileChange]) -> Iterator[Reason]:
    """Yield the reasons why a branch of this tool is not this tool's alone; none for a branch of a person.

    `sites` are the applications and environments whose tags its merge would change, `changes` all that it would
    change. Raises GitError.
    """
    tip = run.tip
    blobs = tip.blobs(oid for change in changes for oid in (change.old_file, change.new_file))
    if name.startswith(tip.config.branch_prefixes[0]):
        if (owner := _owner(tip, name, sites)) is not None:
            ways = "remove it from the branch, or delete the branch and run `gitops-promotion promote --all`"
            paths = beyond_tags(owner, changes, blobs, tip.config)
            yield from _reasons(run, name, owner, paths, f"the tags of {owner}", ways)
            yield from _other_environments(tip, name, owner, sites, ways)
    elif kind := next((kind for kind in NARROW if name.startswith(kind.prefix)), None):
        if request := _request_of_branch(tip, name, kind):
            ways = f"remove it from the branch, or delete the branch and run `gitops-promotion {kind.name}` again"
            paths = kind.beyond(request, changes, blobs, tip.config)
            yield from _reasons(run, name, request.application, paths, kind.scope(request), ways)
    elif name.startswith((FEATURES, REMOVALS)):
        yield from _beyond_entry(run, name, changes)


def require_no_foreign_work(run: Run, plan: Plan, branch: Branch, current: PullRequest | None) -> None:
    """Raise if the branch holds anything but this application's promotion; such work is never overwritten.

    Raises UsageError for the work of another application, ForeignCommitsError for commits of people.
    """
    proposal = branch.proposal
    if proposal.other_owner:
        ways = ", or set branchTemplate in the configuration" if plan.request.kind.uses_settings else ""
        raise UsageError(
            f"the branch {plan.branch} holds work of {proposal.other_owner}, which shares it with "
            f"{plan.request.application}: rename one of them{ways}"
        )
    if proposal.foreign:
        if current is not None and current.auto_merge:
            disarm(run, current)
        names = ", ".join(
            f"{commit.sha[:7]} {commit.message.partition(chr(10))[0][:60]!r} by "
            f"{untrusted.line(commit.author_email, untrusted.VALUE_LIMIT)}"
            for commit in proposal.foreign[:_SHOWN]
        )
        count = len(proposal.foreign)
        raise ForeignCommitsError(
            f"{plan.branch} has {count} commit{'s' if count > 1 else ''} by someone else ({names}): left untouched, "
            "auto-merge off; merge the pull request, or close it and delete the branch, then run again"
        )


def _reasons(run: Run, name: str, owner: Application, paths: Sequence[str], scope: str, ways: str) -> Iterator[Reason]:
    branch = read_branch(run, name, owner)
    foreign = branch.proposal.foreign if branch else ()
    for commit in foreign[:_SHOWN]:
        email = untrusted.line(commit.author_email, untrusted.VALUE_LIMIT)
        text = f"{name} has the commit {commit.sha[:7]} of {email}, which is not this tool's"
        yield Reason(evidence=text, missing=ways)
    if len(foreign) > _SHOWN:
        text = f"{name} has {len(foreign) - _SHOWN} more commits that are not this tool's"
        yield Reason(evidence=text, missing=ways)
    if paths:
        yield Reason(evidence=f"{name} changes more than {scope}: {', '.join(paths[:3])}", missing=ways)


def _other_environments(tip: Tip, name: str, owner: Application, sites: Sequence[Site], ways: str) -> Iterator[Reason]:
    """Yield the reason why a branch is no promotion: it changes several environments, or one of another branch."""
    environments = [e for e in tip.config.pipeline.names if Site(owner, e) in sites]
    if len(environments) > 1 or any(tip.config.branch(owner, environment) != name for environment in environments):
        text = f"{name} changes the tag of {owner} in {' and '.join(environments)}, and a promotion is into one of them"
        yield Reason(evidence=text, missing=ways)


def _beyond_entry(run: Run, name: str, changes: Sequence[FileChange]) -> Iterator[Reason]:
    """Yield the reason why a branch is no feature: it changes files of a later environment.

    People may have branches of their own with such names, so the branch must have a commit of this tool.
    """
    entry, in_reach = run.tip.config.pipeline.entry.name, run.tip.config.layout.in_reach
    paths = [change.path for change in changes if (names := in_reach(change.path)) and entry not in names]
    branch = read_branch(run, name, Application("", "")) if paths else None
    if branch is not None and branch.proposal.paths:
        ways = "move that to a branch of its own"
        yield Reason(evidence=f"{name} changes more than {entry}: {', '.join(paths[:3])}", missing=ways)


def _owner(tip: Tip, branch: str, sites: Sequence[Site]) -> Application | None:
    """Return the application that a promotion branch belongs to, also if none of its tags is changed any more."""
    changed = {site.application for site in sites}
    return min(_owners(tip, branch, changed) or _owners(tip, branch, tip.applications()), default=None)


def _owners(tip: Tip, branch: str, applications: Iterable[Application]) -> list[Application]:
    names, config = tip.config.pipeline.names, tip.config
    return [application for application in applications if branch in {config.branch(application, n) for n in names}]


def _request_of_branch(tip: Tip, branch: str, kind: Kind) -> Request | None:
    """Return the application and environment that a branch of a kind is named for, None if it is for none."""
    applications = tip.applications()
    groups, names = {a.group for a in applications}, {a.name for a in applications}
    with_any = [Application(group, ANY) for group in groups] + [Application(ANY, name) for name in names]
    for application in (*applications, *with_any, Application(ANY, ANY)):
        if application.name != ANY and application.name not in branch:
            continue
        for environment in (*tip.config.pipeline.names, ANY):
            request = Request(kind=kind, application=application, environment=environment)
            with suppress(UsageError):
                if kind.branch(request, tip.config) == branch:
                    return request
    return None
