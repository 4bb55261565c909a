"""Why nothing can be proposed for a tree: the error, with the next step."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gitops_promotion.core import config as configurations
from gitops_promotion.core.init.applications import Assignment, best_assignment
from gitops_promotion.core.init.images import Image
from gitops_promotion.core.init.layouts import Candidate
from gitops_promotion.core.pages import page
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

_NO_PAIR = (
    "no application was found in two environments, so nothing can be promoted: name the folders or files after "
    f"environments such as dev and prod, or write {configurations.FILE} by hand (docs/layouts.md)"
)


def without_assignment(candidates: Iterable[Candidate], images: Sequence[Image]) -> UsageError:
    """Return the error for images of which no layout finds an application in two environments.

    If a layout would find one with room for a marker behind each image, the lack of room is the cause.
    """
    assignment = best_assignment(candidates, [replace(image, is_free=True) for image in images])
    return without_images(assignment, images) if assignment else UsageError(_NO_PAIR)


def without_images(assignment: Assignment, images: Sequence[Image]) -> UsageError:
    """Return the error for an assignment whose images can have no marker. `images` are those of the tree."""
    named = {(image.path, image.line) for image, _ in assignment.undecided}
    named |= {
        (image.path, image.line)
        for by_environment in assignment.images.values()
        for images_there in by_environment.values()
        for image in images_there
    }
    crowded = [image for image in images if (image.path, image.line) in named and not image.marker]
    if not crowded:
        return UsageError(_NO_PAIR)
    first, others = crowded[0], f", nor behind {len(crowded) - 1} more" if len(crowded) > 1 else ""
    if first.is_free:
        return UsageError(
            f"{first.at}: {quoted(first.value)} is no tag, so no marker fits behind it{others}: write a tag there "
            f"({page('docs/markers.md')})"
        )
    return UsageError(
        f"{first.at}: no marker fits behind the tag of {first.base_name}{others}, since its line goes on there, and a "
        "marker must be the only comment: write each image in block style, with nothing behind its tag, and other "
        f"comments above it ({page('docs/markers.md')})"
    )
