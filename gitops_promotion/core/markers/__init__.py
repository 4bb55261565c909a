"""Markers: the comments that say which scalars are an application's, and how their values change."""

from gitops_promotion.core.markers.edit import Edited, applications, missing, only_tags_differ, read_tag, set_tag
from gitops_promotion.core.markers.scan import Marker, Misplaced, Scan, is_manifest, mentions, scan

__all__ = [
    "Edited",
    "Marker",
    "Misplaced",
    "Scan",
    "applications",
    "is_manifest",
    "mentions",
    "missing",
    "only_tags_differ",
    "read_tag",
    "scan",
    "set_tag",
]
