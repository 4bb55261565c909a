"""The keys about a promotion's image and about what its pull request says."""

from typing import Literal

from gitops_promotion.core.config.document import Document, Entry

VerifyImage = Literal["no", "yes", "warn"]
"""Whether `new` asks the registry for the image; `warn`: it goes on without an answer."""


def read_verify_image(document: Document, entry: Entry | None) -> VerifyImage:
    """Return `verifyImage`: a boolean or `warn`."""
    if entry and not entry.is_empty and entry.node.id == "scalar" and entry.node.value == "warn":
        return "warn"
    return "yes" if document.boolean(entry, "verifyImage") else "no"
