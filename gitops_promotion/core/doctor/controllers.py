"""Why Flux posts no statuses on commits, as far as the objects in the repository show it.

https://fluxcd.io/flux/components/notification/alerts/ and https://fluxcd.io/flux/components/notification/providers/
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from yaml.error import YAMLError

_NOTIFICATION = b"notification.toolkit.fluxcd.io/"
_KUSTOMIZATION = b"kustomize.toolkit.fluxcd.io/"
_WITH_STATUSES = ("azuredevops", "bitbucket", "bitbucketserver", "gitea", "github", "gitlab")
"""The types of Providers that post commit statuses."""


def cause(contents: Mapping[str, bytes], paths: Sequence[str]) -> str:
    """Return why Flux posts nothing about the files of an environment, "" where the repository does not show it."""
    suspended = [
        f"the Kustomization {name} in {path} is suspended"
        for path, name, spec in _objects(contents, _KUSTOMIZATION, "Kustomization")
        if spec.get("suspend") == "true" and _applies(spec, paths)
    ]
    if suspended:
        return suspended[0]
    alerts = list(_objects(contents, _NOTIFICATION, "Alert"))
    if not alerts:
        uses_flux = any(_objects(contents, _KUSTOMIZATION, "Kustomization"))
        return "no Alert of Flux is in this repository" if uses_flux else ""
    providers = {name: spec for _, name, spec in _objects(contents, _NOTIFICATION, "Provider")}
    failures = [_failure(path, name, spec, providers) for path, name, spec in alerts]
    return failures[0] if all(failures) else ""


def _failure(path: str, name: str, spec: Mapping[str, Any], providers: Mapping[str, Mapping[str, Any]]) -> str:
    """Return why an Alert posts no success on a commit, "" if it may."""
    alert = f"the Alert {name} in {path}"
    sources = [source for source in spec.get("eventSources") or () if isinstance(source, dict)]
    if spec.get("suspend") == "true":
        return f"{alert} is suspended"
    if not any(source.get("kind") == "Kustomization" for source in sources):
        return f"{alert} has no Kustomization among its eventSources"
    if spec.get("eventSeverity") == "error":
        return f"{alert} has eventSeverity: error, which reports no success"
    reference = spec.get("providerRef")
    provider = providers.get(str(reference.get("name"))) if isinstance(reference, dict) else None
    if provider is not None and str(provider.get("type")) not in _WITH_STATUSES:
        return f"{alert} has a Provider of the type {provider.get('type')}, which posts no commit status"
    return ""


def _applies(spec: Mapping[str, Any], paths: Sequence[str]) -> bool:
    folder = str(spec.get("path", "")).removeprefix("./").strip("/")
    return bool(folder) and any(path.startswith(f"{folder}/") for path in paths)


def _objects(contents: Mapping[str, bytes], group: bytes, kind: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the file, the name and the spec of each object of a kind."""
    for path, content in contents.items():
        if group not in content or kind.encode() not in content:
            continue
        try:
            documents = list(yaml.load_all(content.decode(errors="replace"), Loader=yaml.CBaseLoader))
        except YAMLError:
            continue
        for document in documents:
            if not isinstance(document, dict) or document.get("kind") != kind:
                continue
            metadata, spec = document.get("metadata"), document.get("spec")
            if str(document.get("apiVersion")).encode().startswith(group) and isinstance(spec, dict):
                yield path, str(metadata.get("name")) if isinstance(metadata, dict) else "", spec
