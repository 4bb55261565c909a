"""Manifests, indexes and configurations of images, as registries store them.

https://github.com/opencontainers/image-spec has image-index.md, manifest.md and config.md. All that they say is the
claim of whoever built the image.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_LABELS = 1000
# Characters of the value of a label.
_MAX_VALUE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What something points to: the digest and the size in bytes, None where it is not said."""

    digest: str
    size: int | None = None

    def matches(self, content: bytes) -> bool:
        """Return True if the content is what the descriptor points to."""
        return digest_of(content) == self.digest and self.size in (None, len(content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or an index: its digest, and what is in it.

    `platform` is the manifest of one platform of an index, `config` the configuration of an image.
    """

    digest: str
    platform: Descriptor | None = None
    config: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


def digest_of(content: bytes) -> str:
    """Return the digest of some bytes, `sha256:...`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def is_digest(text: str) -> bool:
    """Return True for a digest that can be checked."""
    return bool(_DIGEST.fullmatch(text))


def read_manifest(content: bytes) -> Manifest | None:
    """Return the manifest or index in an answer, None for anything else."""
    document = _json(content)
    if not isinstance(document, dict) or document.get("schemaVersion") != 2:
        return None
    platforms = document.get("manifests")
    config = _descriptor(document.get("config"))
    if not isinstance(platforms, list) and config is None:
        return None
    return Manifest(
        digest=digest_of(content),
        platform=_platform(platforms) if isinstance(platforms, list) else None,
        config=config,
        annotations=_texts(document.get("annotations")),
    )


def read_labels(content: bytes) -> dict[str, str]:
    """Return the labels in the configuration of an image."""
    document = _json(content)
    config = document.get("config") if isinstance(document, dict) else None
    return _texts(config.get("Labels")) if isinstance(config, dict) else {}


def is_not_found(content: bytes) -> bool:
    """Return True if the body of a 404 is a registry's own, not that of a proxy or of another server."""
    document = _json(content)
    errors = document.get("errors") if isinstance(document, dict) else None
    return isinstance(errors, list) and any(isinstance(error, dict) and "code" in error for error in errors)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _platform(items: list[Any]) -> Descriptor | None:
    """Return the manifest of a platform, linux/amd64 if it is there; attestations have an unknown platform."""
    first: Descriptor | None = None
    for item in items:
        platform = item.get("platform") if isinstance(item, dict) else None
        system, machine = (platform.get("os"), platform.get("architecture")) if isinstance(platform, dict) else ("", "")
        descriptor = _descriptor(item)
        if descriptor is None or "unknown" in (system, machine):
            continue
        if (system, machine) == ("linux", "amd64"):
            return descriptor
        first = first or descriptor
    return first


def _descriptor(value: object) -> Descriptor | None:
    if not isinstance(value, dict):
        return None
    digest, size = value.get("digest"), value.get("size")
    if not isinstance(digest, str) or not is_digest(digest):
        return None
    return Descriptor(digest=digest, size=size if isinstance(size, int) and not isinstance(size, bool) else None)


def _texts(value: object) -> dict[str, str]:
    items = list(value.items())[:_MAX_LABELS] if isinstance(value, dict) else []
    return {key: text[:_MAX_VALUE] for key, text in items if isinstance(key, str) and isinstance(text, str)}
