"""The ruleset of GitHub that a repository needs, from the example in this repository."""

import json

from gitops_promotion.core.checks import Tree
from gitops_promotion.core.doctor.workflows import FOLDER, publishes
from gitops_promotion.core.forge import OWN_CONTEXT


def fitted(example: str, tree: Tree) -> str:
    """Return the example, which requires the job of `status.yml`, or the published status where a tree needs it."""
    published = any(
        path.startswith(FOLDER) and publishes(text.decode(errors="replace")) for path, text in tree.contents.items()
    )
    if not published and not (tree.config and tree.config.must_publish):
        return example
    content = json.loads(example)
    for rule in content["rules"]:
        if rule["type"] == "required_status_checks":
            # The id of the App that posts the status is left out: only its owner knows it.
            rule["parameters"]["required_status_checks"] = [{"context": OWN_CONTEXT}]
    return json.dumps(content, indent=2) + "\n"
