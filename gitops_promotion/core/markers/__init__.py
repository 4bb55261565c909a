"""Markers: the comments that say which scalars are an application's, and how their values change."""

from gitops_promotion.core.markers.edit import (
    Edited,
    agreed_tag,
    applications,
    missing,
    only_tags_differ,
    read_tag,
    set_tag,
    unfit,
    with_stand_ins,
)
from gitops_promotion.core.markers.scalars import Place
from gitops_promotion.core.markers.scan import Marker, Misplaced, Scan, scan
from gitops_promotion.core.markers.spelling import is_manifest, line_words, mentions

__all__ = [
    "Edited",
    "Marker",
    "Misplaced",
    "Place",
    "Scan",
    "agreed_tag",
    "applications",
    "is_manifest",
    "line_words",
    "mentions",
    "missing",
    "only_tags_differ",
    "read_tag",
    "scan",
    "set_tag",
    "unfit",
    "with_stand_ins",
]
