"""Paths in kustomizations that lead out of the repository: Flux allows any file inside it, and no other."""

from collections.abc import Iterator, Mapping
from posixpath import join, normpath

from gitops_promotion.core.feature import kustomization
from gitops_promotion.core.feature.manifests import Value
from gitops_promotion.errors import KustomizeError, ManifestError

# Generators and transformers are files of any name, and contain one of these.
_MARKS = (b"kustomize.config.k8s.io", b"builtin")
# The values below these keys are texts for objects and no paths.
_TEXT_KEYS = ("literals", "labels", "commonLabels", "pairs", "annotations", "commonAnnotations")


def outside(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield `file: path` for each path in a kustomization, generator or transformer that leads out of the repository.

    For a file that cannot be parsed it yields the error, since the paths in it are unknown.
    """
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        if name not in kustomization.NAMES and not any(mark in content for mark in _MARKS):
            continue
        if not name.endswith((".yaml", ".yml")) and name not in kustomization.NAMES:
            continue
        try:
            texts = [text for document in kustomization.values(content, path) for text in _texts(document)]
        except (ManifestError, KustomizeError) as error:
            yield str(error)
            continue
        # An entry of `files` may be `key=path`. A text of several lines is an inline patch.
        for text in texts:
            named_path = text.partition("=")[2] or text
            if "\n" not in text and _leads_out(folder, named_path):
                yield f"{path}: {text[:200]}"


def _texts(value: Value) -> Iterator[str]:
    """Yield every string that may be a path, those in inline generators and transformers included."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key not in _TEXT_KEYS:
                yield from _texts(child)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
        if "{" in value or "\n" in value:
            yield from _texts_of_inline_plugin(value)


def _texts_of_inline_plugin(text: str) -> Iterator[str]:
    try:
        documents = kustomization.values(text.encode(), "")
    except (ManifestError, KustomizeError):
        # kustomize would not parse it either.
        return
    for document in documents:
        if isinstance(document, dict) and document.get("apiVersion") == "builtin":
            yield from _texts(document)


def _leads_out(folder: str, path: str) -> bool:
    return path.startswith(("/", "~")) or normpath(join(folder, path)).split("/")[0] == ".."
