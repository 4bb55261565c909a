"""`feature`: show an unmerged change running next to the real thing, in the first environment."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from gitops_promotion.core import markers
from gitops_promotion.core import plan as planning
from gitops_promotion.core.feature import probe
from gitops_promotion.core.feature.copy import Copy, Wish, make
from gitops_promotion.core.feature.layout import Edits
from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.feature.selection import choose
from gitops_promotion.core.markers.scan import mentions
from gitops_promotion.core.model import Outcome, Plan, Request
from gitops_promotion.core.pull_request_text import code_span, commit_message
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, UsageError
from gitops_promotion.workflow.build import Finding, Workbench, application, refuse_ambiguous
from gitops_promotion.workflow.deliver import Intent, deliver, setting_tag
from gitops_promotion.workflow.session import Place, Session


def feature(session: Session, *, group: str, app: str, tag: str, name: str, find: Finding) -> list[Outcome]:
    """Return the outcome of proposing a feature of an application, at a tag, for the first environment (issue 5).

    With `featureOverwrite` the application's own tag changes; else it gets a copy of the application beside it, which
    is proved by building the environment. Raises UsageError, ConfigError, ManifestError, KustomizeError,
    ForeignCommitsError, GitError, ProviderError.
    """
    wanted = Tag.parse(tag)
    called = clean(name)
    said: list[str] = []

    def decide() -> Intent:
        configured = application(session, group, app)
        refuse_ambiguous(session, group, app, called)
        first = session.config.first.name
        request = Request(kind="feature", group=group, app=app, tag=wanted, environment=first, feature=called)
        session.read_applications([(group, app, first)])
        if not any(mentions(text, group, app) for text in session.files(group, first).values()):
            session.read_marked([Place(group=group, environment=first)], [])
        if configured.feature_overwrite:
            return setting_tag(session, request, session.files(group, first))
        if not configured.feature_label_selector:
            raise UsageError(
                f"{group}/{app} has neither featureLabelSelector nor featureOverwrite: true in {session.config_file}: "
                "say which labels its objects have, or that a feature may replace it"
            )
        wish = Wish(feature=called, tag=wanted, folder=f"{app}-{called}", selector=configured.feature_label_selector)
        intent, copy = _copying(session, request, wish, Workbench.of(session, group, find))
        said[:] = copy.notes
        return intent

    outcome = deliver(session, decide)
    return [replace(outcome, reasons=(*outcome.reasons, *said))]


def _copying(session: Session, request: Request, wish: Wish, bench: Workbench) -> tuple[Intent, Copy]:
    """Return the intent to have this copy, proved, and the copy."""
    marked = session.files(request.group, request.environment)

    def probing(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        where = f"{bench.layout.folder} on {session.base}"
        held = {path: files[path] for path in marked if path in files}
        return markers.set_tag(held, group=request.group, app=request.app, tag=probe.TAG, where=where).edits

    edits, copy = proved(bench, wish, probing)
    return Intent(plan=partial(_plan, session, request, edits, copy), files=bench.layout.files), copy


def proved(
    bench: Workbench, wish: Wish, probing: Callable[[Mapping[str, bytes]], Mapping[str, bytes]]
) -> tuple[Edits, Copy]:
    """Return the copy that is wished for, and the edits that put it in; none where it is there already.

    `probing` returns the edits to the environment's files that give the application `probe.TAG`. Raises ManifestError
    and KustomizeError.
    """
    layout = bench.layout
    if layout.has(wish.folder) and layout.feature_of(wish.folder) != wish.feature:
        raise ManifestError(
            f"{layout.folder}/{wish.folder} is there and is no copy for feature {wish.feature}: name the feature "
            "otherwise"
        )
    bare = layout.without([wish.folder])
    before = bench.build(bare)
    chosen = choose(before, wish.selector, layout.folder)
    base = layout.edited(bare)
    marked = dict(probing(base.files))
    drafted = base.edited(marked).with_folder(probe.FOLDER, probe.draft(chosen, wish))
    built = bench.build_beside({**bare, **marked, **drafted})
    copy = make(chosen, wish, probe.read(chosen, wish, built, layout.setters()))
    edits = layout.with_copy(wish.folder, copy)
    bench.check_copy(edits, before, copy, chosen.copied)
    return edits, copy


def _plan(session: Session, request: Request, edits: Edits, copy: Copy, base_sha: str) -> Plan:
    address = f"Address: {code_span(copy.url)} (for any feature: {code_span(copy.pattern)})" if copy.url else ""
    intro = f"A copy of {code_span(f'{request.group}/{request.app}')} for feature {code_span(request.feature)}"
    named = ", ".join(code_span(f"{each.kind} {each.name}") for each in copy.objects[:20])
    more = f" and {len(copy.objects) - 20} more" if len(copy.objects) > 20 else ""
    notes = (f"{intro}: {named}{more}. It is never promoted.", address, *(f"- {note}" for note in copy.notes))
    return planning.of_edits(
        request,
        session.config,
        edits,
        base=session.base,
        base_sha=base_sha,
        branch=session.config.feature_branch(request.group, request.app, request.feature),
        message=commit_message(request, seal=planning.seal(edits)),
        notes=[note for note in notes if note],
        url=copy.url,
    )
