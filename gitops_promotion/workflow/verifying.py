"""Asks the registry for the image of a tag before an environment gets it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from gitops_promotion.core import markers
from gitops_promotion.core.images import Image, marked_images
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, RegistryError
from gitops_promotion.workflow.run import Run

SECONDS = 30.0
"""Seconds for all requests about the images of one tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A tag whose image is in the registry: with its digest if it is to be pinned, and with warnings."""

    tag: Tag
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Verifier:
    """Looks for images, each once in a run, however often the run decides again.

    `pin`: the tag gets the digest that the registry has.
    """

    run: Run
    pin: bool
    _verified: dict[tuple[object, ...], Verified] = field(init=False, default_factory=dict)

    def verified(self, files: Mapping[str, bytes], marker: MarkerName, tag: Tag) -> Verified:
        """Return the tag, if each image that the markers in `files` name has it.

        A tag that the files have already is not asked for.

        Raises NoImageError (an image is not there), RegistryError (no answer), ManifestError (no image is named,
        or the images have different digests).
        """
        if self._is_there(files, marker, tag):
            return Verified(tag=tag)
        marked = marked_images(files, marker.group, marker.app)
        key = (*marked.images, tag)
        if key not in self._verified:
            self._verified[key] = self._ask_registry(marked.images, marker, tag)
        verified = self._verified[key]
        return Verified(tag=verified.tag, warnings=(*verified.warnings, *marked.unnamed))

    def _is_there(self, files: Mapping[str, bytes], marker: MarkerName, tag: Tag) -> bool:
        with suppress(ManifestError):
            present = markers.read_tag(files, marker.group, marker.app)
            is_pinned = bool(present and present.digest) or not self.pin
            return present is not None and present.name == tag.name and tag.digest in ("", present.digest) and is_pinned
        return False

    def _ask_registry(self, images: Mapping[Image, str], marker: MarkerName, tag: Tag) -> Verified:
        registries = self.run.registries(SECONDS)
        digests: dict[str, Image] = {}
        for image in images:
            try:
                manifest = registries.manifest(image, tag.digest or tag.name)
            except RegistryError as error:
                if self.pin or self.run.tip.config.verify_image != "warn":
                    raise
                return Verified(tag=tag, warnings=(f"could not verify that {image}:{tag} is there: {error}",))
            self.run.note(f"{image}:{tag.name} is there, with the digest {manifest.digest}")
            digests.setdefault(manifest.digest, image)
        if not self.pin or tag.digest:
            return Verified(tag=tag)
        if len(digests) > 1:
            raise ManifestError(
                f"--pin cannot write one digest for the images of {marker}, which have different ones "
                f"({', '.join(f'{image}@{digest[:19]}...' for digest, image in digests.items())}): leave out --pin, or "
                "give each image an application of its own"
            )
        return Verified(tag=Tag(tag.name, next(iter(digests))))
