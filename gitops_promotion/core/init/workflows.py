"""The files that start the verbs on a forge, made from the examples of this repository."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gitops_promotion.core.pages import page

ACTION = "OWNER/gitops-promotion@v2"
"""The name of the Action in the examples."""

_IMAGE = "ghcr.io/OWNER/gitops-promotion:2.0.0"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+@[A-Za-z0-9][A-Za-z0-9._/-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipelines:
    """The example files of a forge: their folder, the names, where they go, and the guide."""

    examples: str
    names: tuple[str, ...]
    folder: str
    guide: str


PIPELINES: Mapping[str, Pipelines] = {
    "github": Pipelines(
        examples="github",
        names=("new.yml", "promote.yml", "status.yml", "heal.yml"),
        folder=".github/workflows",
        guide="docs/github.md",
    ),
    "azdo": Pipelines(
        examples="azure",
        names=("promote.yml", "status.yml", "heal.yml"),
        folder="pipelines",
        guide="docs/azure-devops.md",
    ),
}
"""By the name of the forge; the project has no example files for other forges."""


def action_problem(text: str) -> str:
    """Return the problem with the name of an Action, "" if there is none."""
    return "" if _REFERENCE.fullmatch(text) else "write it as OWNER/REPOSITORY@REF, such as acme/gitops-promotion@v2"


def workflows(forge: str, examples: Mapping[str, str], *, branch: str, action: str) -> dict[str, bytes]:
    """Return the files of a forge by path, for the default branch and with the Action's name ("": as in the examples).

    `examples` are the texts of its example files by name.
    """
    pipelines = PIPELINES.get(forge)
    if pipelines is None:
        return {}
    files = {}
    for name in pipelines.names:
        text = examples[name].replace("branches: [main]", f"branches: [{branch}]")
        text = text.replace("include: [main]", f"include: [{branch}]")
        if action:
            repository, _, ref = action.partition("@")
            text = text.replace(ACTION, action).replace(_IMAGE, f"ghcr.io/{repository.lower()}:{ref.removeprefix('v')}")
        files[f"{pipelines.folder}/promotion-{name}"] = text.encode()
    return files


def undecided(forge: str, *, action: str) -> list[str]:
    """Return what a person must still set up for the files of a forge."""
    pipelines = PIPELINES.get(forge)
    if pipelines is None:
        return []
    sentences = []
    if not action:
        sentences.append(
            f"{pipelines.folder}/promotion-*.yml: OWNER stands for the account that has the Action and the image: give "
            "--action OWNER/REPOSITORY@REF, or replace it"
        )
    sentences.append(f"the identity of the jobs and the required check are set up by hand: {page(pipelines.guide)}")
    return sentences
