"""The texts that `init` writes: the configuration, markers behind values, and a Provider of Flux."""

import json
import re
from collections.abc import Mapping, Sequence

from gitops_promotion.core.config.schema import CONFIG_ID
from gitops_promotion.core.init.applications import Assignment
from gitops_promotion.core.init.contexts import Contexts
from gitops_promotion.core.init.proposal import Proposal, ProposedEnvironment
from gitops_promotion.core.layout import MARKER, PATH, MarkerName
from gitops_promotion.core.markers.spelling import marker_comment
from gitops_promotion.core.pages import page
from gitops_promotion.core.untrusted import code_span

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_ROWS = 50
_BREAK = re.compile(rb"\r\n|\n|\r|\Z")


def configuration(
    assignment: Assignment, environments: Sequence[ProposedEnvironment], contexts: Contexts, ways: Mapping[str, str]
) -> str:
    """Return the text of the configuration; `ways` are the environments of applications that leave some out."""
    patterns = assignment.candidate.patterns
    own_markers = dict(assignment.candidate.own_markers)
    lines = [f"# yaml-language-server: $schema={CONFIG_ID}", f"# Every key: {page('docs/configuration.md')}"]
    if any(environment.after is not None for environment in environments):
        lines.append("prflow: per-env # several environments come after one")
    lines.append("environments: # in the order of promotion")
    last = len(environments) - 1
    for number, environment in enumerate(environments):
        fields = {"name": _scalar(environment.name), "auto": "true" if environment.auto else "false"}
        if environment.after is not None:
            fields["after"] = _scalars(environment.after)
        if len(patterns) > 1:
            fields["path"] = _scalars([pattern.replace("{env}", environment.name) for pattern in patterns])
        if marker := own_markers.get(environment.name):
            fields["marker"] = _scalar(marker)
        if context := contexts.own.get(environment.name):
            fields["statusContext"] = _scalar(context)
        if number:
            fields["unmanagedImages"] = "report"
        comment = "" if environment.auto else " # a person merges"
        if number == 0 and last:
            comment = " # merges by itself" if environment.auto else comment
        lines.append(f"  - {{{', '.join(f'{key}: {value}' for key, value in fields.items())}}}{comment}")
    if len(patterns) == 1 and patterns[0] != PATH:
        lines.append(f"pathTemplate: {_scalar(patterns[0])}")
    if assignment.candidate.marker != MARKER:
        lines.append(f"markerTemplate: {_scalar(assignment.candidate.marker)}")
    if contexts.every:
        lines.append(f"statusContext: {_scalars(contexts.every)}")
    return "\n".join([*lines, *_groups(ways)]) + "\n"


def _groups(ways: Mapping[str, str]) -> list[str]:
    """Return the lines of the applications that leave environments out, by `group/app`."""
    lines: list[str] = ["groups:"] if ways else []
    group = ""
    for name, environments in sorted(ways.items()):
        own_group, _, app = name.partition("/")
        if own_group != group:
            lines += [f"  {own_group}:", "    applications:"]
            group = own_group
        lines.append(f"      {app}: {{environments: [{environments}]}}")
    return lines


def _scalars(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_scalar, texts))}]"


def _scalar(text: str) -> str:
    """Return a scalar that every reader of YAML reads as this text."""
    words = ("true", "false", "yes", "no", "on", "off", "y", "n", "null")
    return text if _PLAIN.fullmatch(text) and text.lower() not in words else json.dumps(text)


def with_marker(content: bytes, line: int, name: MarkerName, suffix: str) -> bytes:
    """Return a file with a marker at the end of one of its lines; all other bytes stay."""
    start = 0
    for _ in range(line - 1):
        match = _BREAK.search(content, start)
        start = match.end() if match else len(content)
    end = _BREAK.search(content, start)
    stop = end.start() if end else len(content)
    before = content[:stop].rstrip(b" \t")
    return before + f" {marker_comment(name.group, name.app, suffix)}".encode() + content[stop:]


_TYPES = {"github": "github", "azdo": "azuredevops"}


def provider(environments: Sequence[ProposedEnvironment], forge: str) -> str:
    """Return the Provider of Flux that puts the environment into the context.

    The manifest is that of the first cluster; its comments say what differs in the other clusters.
    """
    first, *further = (environment.name for environment in environments)
    lines = [
        f"# in the cluster of {first}",
        *(f"# in the cluster of {name}: 'flux/{name}/'" for name in further),
        "apiVersion: notification.toolkit.fluxcd.io/v1beta3",
        "kind: Provider",
        "metadata: {name: gitops-status, namespace: flux-system}",
        "spec:",
        f"  type: {_TYPES.get(forge, 'TYPE # of the server of this repository, such as github')}",
        "  address: https://HOST/OWNER/REPOSITORY # this repository",
        "  secretRef: {name: gitops-status}",
        f"""  commitStatusExpr: "'flux/{first}/' + event.involvedObject.name\"""",
    ]
    return "\n".join(lines) + "\n"


def pull_request_body(proposal: Proposal) -> str:
    """Return the description of the pull request that brings a proposal."""
    rows = [
        f"| {code_span(str(application))} | {code_span(str(proposal.way(application)))} |"
        for application in proposal.applications
    ]
    parts = [
        "Configuration, markers and workflows for promotions by pull request, as proposed by `gitops-promotion init`.",
        "\n".join(["| application | environments |", "| --- | --- |", *rows[:_ROWS]]),
    ]
    if len(rows) > _ROWS:
        parts.append(f"and {len(rows) - _ROWS} more applications")
    if proposal.undecided:
        parts.append("\n".join(["To decide:", "", *(f"- {code_span(text)}" for text in proposal.undecided)]))
    if proposal.provider:
        title = "Each cluster needs a Provider of Flux such as this, and an Alert that uses it:"
        parts.append(f"{title}\n\n```yaml\n{proposal.provider}```")
    return "\n\n".join(parts) + "\n"
