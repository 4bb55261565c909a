"""`promote`: what arrived in one environment by a promotion is proposed for the next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from gitops_promotion.core import deployments, due, markers, plan
from gitops_promotion.core.commits import read_time
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.markers.scan import is_manifest, mentions
from gitops_promotion.core.model import Outcome, Request, Result
from gitops_promotion.core.names import check_name, is_name
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import AuthError, ManifestError, PromotionError, UsageError
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.deliver import Branch, Intent, deliver, failed, read_branch, setting_tag
from gitops_promotion.workflow.heal import heal
from gitops_promotion.workflow.session import Place, Session

# Seconds between looks while the forge does not show a merge that the tree already holds.
_LATE = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One application's possible step from an environment to the next; `forced` by a person's explicit wish."""

    group: str
    app: str
    source: str
    target: str
    forced: bool = False

    @property
    def places(self) -> tuple[Place, Place]:
        """Where its manifests are, before and after."""
        return Place(group=self.group, environment=self.source), Place(group=self.group, environment=self.target)

    def outcome(self, result: Result, message: str, tag: Tag | None = None) -> Outcome:
        """Return an outcome that ends this move."""
        return Outcome(
            result=result,
            message=message,
            group=self.group,
            app=self.app,
            environment=self.target,
            tag=str(tag or ""),
        )


def promote(
    session: Session,
    *,
    find_kustomize: KustomizeFinder,
    everything: bool = False,
    group: str = "",
    app: str = "",
    environment: str = "",
) -> list[Outcome]:
    """Return one outcome for each promotion that is due (DESIGN 7, promote and promote --all).

    Without a usable range in the runner's event, or with `everything`, all applications are compared; `app` with
    `environment` (the target) forces one. One failure does not stop the others. Raises UsageError, ConfigError,
    GitError and ProviderError for what concerns them all.
    """
    if group or app or environment:
        return _run(session, [_forced(session, group, app, environment)], one_each=False)
    pushed = None if everything else _pushed(session)
    if pushed is None:
        moves = _differing(session)
        outcomes = _run(session, moves, one_each=session.config.prflow == "per-app")
        outcomes += [] if session.dry_run else _heal_first(session, find_kustomize)
        names = " -> ".join(environment.name for environment in session.config.environments)
        return outcomes or [
            Outcome(
                result="unchanged", message=f"nothing to promote: in {names} no application differs from the one before"
            )
        ]
    moves, outcomes = pushed
    return [*outcomes, *_run(session, moves, one_each=False)] or [
        Outcome(result="skipped", message="no marked tag changed in this push: there is nothing to promote")
    ]


def _forced(session: Session, group: str, app: str, environment: str) -> Move:
    if not app or not environment:
        raise UsageError("to force one promotion give --app and --env, the environment to promote into")
    check_name("application", app)
    source = session.config.previous_environment(environment)
    if source is None:
        raise UsageError(f"{environment} is the first environment: `gitops-promotion new` sets its tags")
    if not group:
        groups = sorted({g for g, a in session.applications() if a == app})
        if len(groups) != 1:
            raise UsageError(
                f"the application {app} has markers in {'the groups ' + ', '.join(groups) if groups else 'no group'}: "
                "give --group"
            )
        group = groups[0]
    check_name("group", group)
    return Move(group=group, app=app, source=source.name, target=environment, forced=True)


def _differing(session: Session) -> list[Move]:
    names = [environment.name for environment in session.config.environments]
    moves = (
        Move(group=group, app=app, source=source, target=target)
        for group, app in session.applications()
        for source, target in pairwise(names)
    )
    return [move for move in moves if _differs(session, move)]


def _differs(session: Session, move: Move) -> bool:
    """Return True if both environments have the application and there is something to do or to say about it."""
    here, there = _files(session, move, move.source), _files(session, move, move.target)
    if not here:
        return False
    if not there:
        # To say that the chain is broken, where it goes on behind: an application may well end before prod.
        return any(_files(session, move, name) for name in _after(session, move.target))
    try:
        tag = markers.read_tag(here, move.group, move.app)
        return tag is not None and bool(markers.set_tag(there, group=move.group, app=move.app, tag=tag).edits)
    except ManifestError:
        return True


def _after(session: Session, environment: str) -> list[str]:
    names = [known.name for known in session.config.environments]
    return names[names.index(environment) + 1 :]


def _files(session: Session, move: Move, environment: str) -> dict[str, bytes]:
    files = session.files(move.group, environment)
    return {path: text for path, text in files.items() if mentions(text, move.group, move.app)}


def _pushed(session: Session) -> tuple[list[Move], list[Outcome]] | None:
    """Return the moves of the event's range, and outcomes for what ends here; None without a usable range."""
    before, after = session.context.before, session.context.after
    if not before or not after:
        return None
    if not (session.repository.fetch_commit(before) and session.repository.fetch_commit(after)):
        session.note(f"the event's range {before[:7]}..{after[:7]} is not to be had: comparing all applications")
        return None
    changes = [change for change in session.repository.diff_trees(before, after) if is_manifest(change.path)]
    changed = plan.changed_tags(changes, session.blobs(oid for c in changes for oid in (c.old, c.new)))
    moves: list[Move] = []
    outcomes = [failed(error) for error in changed.broken]
    order = [environment.name for environment in session.config.environments]
    for (group, app), paths in sorted(changed.paths.items()):
        if not (is_name(group) and is_name(app)):
            continue
        touched = {session.config.environment_of(path, group) for path in paths}
        for name, following in zip(order, [*order[1:], ""], strict=True):
            if name in touched and following:
                moves.append(Move(group=group, app=app, source=name, target=following))
            elif name in touched:
                message = f"{name} is the last environment: nothing follows"
                outcomes.append(Outcome(result="skipped", message=message, group=group, app=app, environment=name))
    return moves, outcomes


def _run(session: Session, moves: Sequence[Move], *, one_each: bool) -> list[Outcome]:
    """Carry out the moves; with `one_each` an application's later ones wait behind its first that is due."""
    outcomes: list[Outcome] = []
    session.fetch_branches(session.config.branch(move.group, move.app, move.target) for move in moves)
    settled: set[tuple[str, str]] = set()
    for move in moves:
        if one_each and (move.group, move.app) in settled:
            continue
        try:
            outcome = deliver(session, partial(_decide, session, move, moves))
        except PromotionError as error:
            outcome = failed(error, group=move.group, app=move.app, environment=move.target)
        # A pair whose manifests are wrong has not touched the branch; any other failure may have.
        in_the_way = outcome.result == "failed" and outcome.exit_code != ManifestError.exit_code
        if in_the_way or outcome.result not in ("skipped", "declined", "failed"):
            settled.add((move.group, move.app))
        outcomes.append(outcome)
    return outcomes


def _decide(session: Session, move: Move, moves: Sequence[Move]) -> Intent | Outcome:
    """Compare what is with what should be at the session's tip; all moves are read together, once a tip."""
    session.read_applications([(m.group, m.app, name) for m in moves for name in (m.source, m.target)])
    tag = markers.read_tag(_files(session, move, move.source), move.group, move.app)
    if tag is None:
        return move.outcome("skipped", f"{move.source} has no tag marker for {move.group}/{move.app} (any more)")
    if not _files(session, move, move.target):
        message = f"{move.target} has no marker for {move.group}/{move.app}: add one there if it belongs there"
        session.note(f"warning: {message}")
        return move.outcome("skipped", message, tag)
    files = session.files(move.group, move.target)
    request = Request(kind="promote", group=move.group, app=move.app, tag=tag, environment=move.target)
    edits = markers.set_tag(files, group=move.group, app=move.app, tag=tag).edits
    pulls: dict[str, Sequence[PullRequest]] = {}
    if edits and not move.forced and (why := _not_due(session, move, moves, tag, pulls)):
        return move.outcome("skipped", why, tag)
    return setting_tag(session, request, files, partial(_veto, session, move, request), pulls)


def _not_due(
    session: Session, move: Move, moves: Sequence[Move], tag: Tag, known: dict[str, Sequence[PullRequest]]
) -> str:
    """Return why nobody asked for this promotion, "" if it is due; what the forge was asked for is kept in `known`."""
    here = (move.group, move.app, move.source)
    there = (move.group, move.app, move.target)
    timelines = session.timelines({here: tag}, [there], [place for m in moves for place in m.places])
    stay = deployments.stay(timelines[here], tag)
    if been := due.been_there(timelines[here], timelines[there], tag):
        return f"{move.target} had {tag.name} at {been[:7]} and has moved on since; to go back to it: {_force(move)}"
    if (hand := due.changed_by_hand(timelines[here], timelines[there], tag)) is not None:
        what = f"{hand.sha[:7]} ({hand.message.partition(chr(10))[0][:60]!r} by {hand.author_email})"
        if not _is_merge_of_ours(session, move, hand.sha):
            return f"{what} changed it in {move.target} after {tag.name} came to {move.source}: {_force(move)}"
    branch = session.config.branch(move.group, move.app, move.source)
    for pause in (*_LATE, None):
        try:
            pulls = known[branch] = session.provider.pull_requests(head=branch)
        except AuthError as error:
            if not session.dry_run:
                raise
            session.note(f"warning: the forge was not asked how {tag.name} came to {move.source}: {error}")
            return ""
        why = due.provenance(stay, pulls, group=move.group, app=move.app, environment=move.source)
        if why is None:
            return ""
        if pause is None or not due.shown_late(pulls, environment=move.source, tag=tag):
            break
        session.note(f"the forge does not show the merge of {branch} yet; asking again in {pause:g} s")
        session.sleep(pause)
    return f"{tag.name} is not promoted by itself: {why}; to promote it: {_force(move)}"


def _is_merge_of_ours(session: Session, move: Move, sha: str) -> bool:
    branch = session.config.branch(move.group, move.app, move.target)
    return any(pull.merge_sha == sha for pull in session.provider.pull_requests(head=branch))


def _force(move: Move) -> str:
    return f"gitops-promotion promote --group {move.group} --app {move.app} --env {move.target}"


def _veto(
    session: Session, move: Move, request: Request, pulls: Sequence[PullRequest], branch: Branch | None
) -> Outcome | None:
    """Leave an open promotion into an earlier environment and a person's no alone."""
    order = [environment.name for environment in session.config.environments]
    earlier = order[: order.index(move.target)]
    current = due.current(pulls, session.base)
    proposed = branch.proposal.environments if branch else ()
    if current is not None and (busy := [name for name in earlier if name in proposed]):
        message = f"pull request #{current.number} into {busy[0]} has the branch {current.head}: it comes first"
        return replace(move.outcome("skipped", message, request.tag), pull_request=current)
    if not move.forced and (no := due.declined(request, pulls)):
        message = f"pull request #{no.number} for it was closed without merging; to propose it again: {_force(move)}"
        return replace(move.outcome("declined", message, request.tag), pull_request=no)
    return None


def _heal_first(session: Session, find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Rebuild open promotions into the first environment that conflict with or lag behind the tip: no other run will.

    The body is a hint for which to look at; what is rebuilt is what the branch's tree proposes.
    """
    first = session.config.environments[0].name
    outcomes: list[Outcome] = []
    pulls = session.provider.open_promotions()
    hints = [(pull, read_metadata(pull.body)) for pull in pulls]
    due = [
        (pull, hint) for pull, hint in hints if hint and hint.env == first and is_name(hint.group) and is_name(hint.app)
    ]
    session.fetch_branches(pull.head for pull, _ in due)
    for pull, hint in due:
        try:
            branch = read_branch(session, pull.head, hint.group, hint.app)
            if branch is None or branch.proposal.environments != (first,) or branch.proposal.tag is None:
                continue
            if branch.proposal.rival:
                # A feature's, whatever its body says: its tag is for no promotion.
                continue
            if branch.base_sha == session.tip:
                continue
            if not (
                session.repository.conflicts(session.tip, branch.sha) or session.provider.head_state(pull).outdated
            ):
                continue
            request = Request(
                kind="promote",
                group=hint.group,
                app=hint.app,
                tag=branch.proposal.tag,
                environment=first,
                built_at=read_time(branch.proposal.built_at),
            )
            outcomes.append(deliver(session, partial(_rebuild, session, request)))
        except PromotionError as error:
            outcomes.append(failed(error, group=hint.group, app=hint.app, environment=first))
    return outcomes + heal(session, pulls, find_kustomize)


def _rebuild(session: Session, request: Request) -> Intent:
    session.read_applications([(request.group, request.app, request.environment)])
    return setting_tag(session, request, session.files(request.group, request.environment))
