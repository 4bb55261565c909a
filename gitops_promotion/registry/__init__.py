"""The registries of images: whether an image is there, its digest and its labels.

Requests are few, end in time, and follow the OCI distribution specification
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
"""

from gitops_promotion.registry.client import Manifest, Registries

__all__ = ["Manifest", "Registries"]
