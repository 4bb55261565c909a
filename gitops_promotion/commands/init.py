"""`init`: the configuration, markers and workflows for a repository that has none yet."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_promotion.commands.demo import files as demo_files
from gitops_promotion.core import init
from gitops_promotion.core.checks import Tree
from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.core.config import FILE, parse
from gitops_promotion.core.forge import Draft
from gitops_promotion.core.init import Proposal, ProposedEnvironment
from gitops_promotion.core.init import workflows as pipelines
from gitops_promotion.core.init.text import pull_request_body
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import GitError, RefusedPushError, UsageError
from gitops_promotion.git.worktree import WorkingTree
from gitops_promotion.providers.choose import choose
from gitops_promotion.workflow.replacing import replace_files
from gitops_promotion.workflow.run import Run

if TYPE_CHECKING:
    from gitops_promotion.core.names import Application

BRANCH = "gitops-promotion-init"
"""The branch of the pull request that `init` opens."""

_BY_HAND = "no event starts `gitops-promotion promote` here: run it after each merge, by hand or from cron"
_TITLE = "Promote images with gitops-promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProposal:
    """A proposal and the working tree that it is for."""

    tree: WorkingTree
    proposal: Proposal


def propose(
    folder: Path, *, provider: str, action: str, environ: Mapping[str, str], trust: bool = False
) -> TreeProposal:
    """Return the proposal for the repository that a folder is in, unpushed files included; nothing is written.

    `provider` is the forge, "" to find it by the remote; `action` names the Action ("": undecided). Raises UsageError
    if there is no repository, if it has a configuration, and if nothing can be proposed; GitError.
    """
    try:
        tree = WorkingTree.find(folder, environ, trust=trust)
    except GitError as error:
        if "is in no git repository" not in str(error):
            raise
        raise UsageError(f"{folder} is in no git repository: run `git init` there first") from None
    contents = tree.yaml_files()
    if FILE in contents or (tree.root / FILE).exists():
        raise UsageError(
            f"{FILE} is there already, and `init` overwrites nothing: run `gitops-promotion validate` to check it"
        )
    forge = provider or _forge(tree.url, environ)
    proposal = init.propose(contents, forge=forge) if contents else _example()
    workflows = _workflows(tree, forge, action)
    absent = {path: content for path, content in workflows.items() if not (tree.root / path).exists()}
    proposal = replace(
        proposal,
        edits={**proposal.edits, **absent},
        workflows=tuple(absent),
        undecided=(*proposal.undecided, *pipelines.undecided(forge, action=action)),
        notes=(*proposal.notes, *([] if forge in pipelines.PIPELINES else [_BY_HAND])),
    )
    return TreeProposal(tree=tree, proposal=_with_findings(contents, proposal))


def _forge(url: str, environ: Mapping[str, str]) -> str:
    """Return the name of the forge that a remote belongs to, "" where that is not known."""
    try:
        return choose(url, option="", configured="", environ=environ).name
    except UsageError:
        return ""


def _example() -> Proposal:
    """Return a small layout for an empty repository, with which the commands of the demo work."""
    names = ("dev", "qa", "prod")
    edits = {path: text.encode() for path, text in demo_files().items()}
    owned = Tree(contents=edits).owned
    applications: dict[Application, list[str]] = {}
    for site in sorted(owned, key=lambda site: (site.application, names.index(site.environment))):
        applications.setdefault(site.application, []).append(site.environment)
    return Proposal(
        environments=tuple(ProposedEnvironment(name=name, auto=name != "prod") for name in names),
        applications=applications,
        edits=edits,
        notes=("the repository is empty: this is an example, with the layout of the README",),
    )


def _workflows(tree: WorkingTree, forge: str, action: str) -> dict[str, bytes]:
    names = pipelines.PIPELINES[forge].names if forge in pipelines.PIPELINES else ()
    examples = {name: example_file(pipelines.PIPELINES[forge].examples, name) for name in names}
    return pipelines.workflows(forge, examples, branch=tree.default_branch, action=action)


def example_file(folder: str, name: str) -> str:
    """Return an example of this repository: from the installed package, or from the checkout that it runs from."""
    file = resources.files("gitops_promotion") / "examples" / folder / name
    if not file.is_file():
        file = Path(__file__).parents[2] / "examples" / folder / name
    return file.read_text(encoding="utf-8")


def _with_findings(contents: Mapping[str, bytes], proposal: Proposal) -> Proposal:
    """Return the proposal with a sentence about the markers that it leaves outside."""
    strays = Tree(contents={**contents, **proposal.edits}).strays
    if not strays:
        return proposal
    sentence = (
        f"{strays[0].at}: the marker {strays[0].name}"
        + (f" and {len(strays) - 1} more" if len(strays) > 1 else "")
        + " fit no environment: `gitops-promotion validate` names each of them"
    )
    return replace(proposal, undecided=(*proposal.undecided, sentence))


def write(tree_proposal: TreeProposal) -> Proposal:
    """Write the proposal to the working tree and return it; files that are there are never overwritten.

    All files are written or none. Raises UsageError, ManifestError.
    """
    root, proposal = tree_proposal.tree.root, tree_proposal.proposal
    new = {path: content for path, content in proposal.edits.items() if path not in proposal.old}
    changed = {str(root / path): proposal.edits[path] for path in proposal.old}
    with ExitStack() as undo:
        for path, content in new.items():
            _create(root, path, content, undo)
        replace_files(changed, {str(root / path): content for path, content in proposal.old.items()})
        undo.pop_all()
    return replace(proposal, state="written")


def _create(root: Path, path: str, content: bytes, undo: ExitStack) -> None:
    file = root / path
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.parent.resolve().is_relative_to(root.resolve()):
            raise UsageError(f"{path} would be outside of the repository: {quoted(path)} leads through a symbolic link")
        with file.open("xb") as stream:
            undo.callback(file.unlink, missing_ok=True)
            stream.write(content)
    except FileExistsError:
        raise UsageError(f"{path} is there already, and `init` overwrites nothing: move it away") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): make its folder writable") from None


def open_pull_request(run: Run, proposal: Proposal) -> Proposal:
    """Push the proposal on a branch of its own, open a pull request from it, and return it with the proposal.

    A server that takes no workflow files from this identity gets the branch without them. Raises UsageError if the
    remote differs from the checkout, GitError, ProviderError.
    """
    tip, repository = run.tip, run.tip.repository
    config = parse(proposal.edits[FILE], FILE)
    forge = run.connect(run.choose(config), config)
    _check_remote(run, proposal)
    message = f"{_TITLE}\n\nConfiguration, markers and workflows, as proposed by `gitops-promotion init`.\n"

    def push(edits: Mapping[str, bytes]) -> str:
        sha = repository.commit(tip.sha, edits, message)
        update = RefUpdate(ref=f"refs/heads/{BRANCH}", new=sha, expected=None)
        repository.push([update], unchanged={f"refs/heads/{tip.base}": tip.sha})
        return sha

    try:
        head_sha = push(proposal.edits)
    except RefusedPushError as error:
        if not proposal.workflows or "workflow" not in str(error).lower():
            raise
        printed = {path: proposal.edits[path] for path in proposal.workflows}
        edits = {path: content for path, content in proposal.edits.items() if path not in printed}
        proposal = replace(
            proposal,
            edits=edits,
            printed=printed,
            workflows=(),
            undecided=(
                *proposal.undecided,
                "the server takes no workflow files from this identity: add the files below by hand",
            ),
        )
        head_sha = push(edits)
    draft = Draft(
        head=BRANCH,
        head_sha=head_sha,
        base=tip.base,
        title=_TITLE,
        body=pull_request_body(proposal),
        gated=False,
        base_sha=tip.sha,
    )
    return replace(proposal, state="opened", pull_request=forge.open_pull_request(draft))


def _check_remote(run: Run, proposal: Proposal) -> None:
    """Raise UsageError if the branch is there already, or if the default branch differs from what was looked at."""
    tip = run.tip
    if tip.refs.branch(BRANCH):
        raise UsageError(
            f"the remote has a branch {BRANCH} from an earlier `init`: merge its pull request, or delete the branch"
        )
    present = tip.repository.read(tip.sha, sorted(proposal.edits))
    for path in sorted(proposal.edits):
        if present.get(path) == proposal.old.get(path):
            continue
        if path in proposal.old:
            raise UsageError(
                f"{path} of your checkout differs from that on origin/{tip.base}: commit and push it, or pull"
            )
        raise UsageError(f"{path} is on origin/{tip.base} already, but not in your checkout: pull, then run it again")
