"""Which files a kustomization names: Flux lets it name any of the repository, and nobody may let it name others."""

from collections.abc import Iterator, Mapping
from posixpath import join, normpath

from gitops_promotion.core.feature import kustomization
from gitops_promotion.core.feature.manifests import Value
from gitops_promotion.errors import KustomizeError, ManifestError

# What a file must say to be read by kustomize for its own sake: generators and transformers are files of any name.
_WORDS = (b"kustomize.config.k8s.io", b"builtin")
# What stands below these is text for objects and no path.
_TEXTS = ("literals", "labels", "commonLabels", "pairs", "annotations", "commonAnnotations")


def outside(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield `file: path` for each path in a kustomization, generator or transformer that leads out of the repository.

    A file that does not parse is yielded too: nobody can tell what it names.
    """
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        if name not in kustomization.NAMES and not any(word in content for word in _WORDS):
            continue
        if not name.endswith((".yaml", ".yml")) and name not in kustomization.NAMES:
            continue
        try:
            texts = [text for document in kustomization.values(content, path) for text in _texts(document)]
        except (ManifestError, KustomizeError) as error:
            yield str(error)
            continue
        # An entry of `files` may be `key=path`; a patch may be written in place, on several lines or as JSON.
        for text in texts:
            named = text.partition("=")[2] or text
            if "\n" not in text and _leads_out(folder, named):
                yield f"{path}: {text[:200]}"


def _texts(value: Value) -> Iterator[str]:
    """Yield every string that may be a path, also of generators and transformers that are written in place."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in _TEXTS:
                yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
        if "{" in value or "\n" in value:
            yield from _inside(value)


def _inside(text: str) -> Iterator[str]:
    try:
        documents = kustomization.values(text.encode(), "")
    except (ManifestError, KustomizeError):
        # No YAML, so nothing that kustomize would act on.
        return
    for document in documents:
        if isinstance(document, dict) and document.get("apiVersion") == "builtin":
            yield from _texts(document)


def _leads_out(folder: str, named: str) -> bool:
    return named.startswith(("/", "~")) or normpath(join(folder, named)).split("/")[0] == ".."
