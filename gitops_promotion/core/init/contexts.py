"""Which commit statuses count for the environments, from the names of the objects that apply their folders."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.branch_names import fill
from gitops_promotion.core.init.images import Deployer, Image
from gitops_promotion.core.names import Application
from gitops_promotion.core.status_contexts import DEFAULT

_DEFAULT = "{group}-{env}"

Site = tuple[Application, str]
"""An application in an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """The status contexts of a proposal.

    `every` are patterns for all environments, () for the default ones. `own` are those of single environments, which a
    `commitStatusExpr` must post. `unknown` are the sites for which no object was found.
    """

    every: tuple[str, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[Site, ...] = ()

    @property
    def needs_expression(self) -> bool:
        """Whether Flux posts these statuses only with a `commitStatusExpr`."""
        return bool(self.own)


def find_contexts(
    images: Mapping[Application, Mapping[str, Sequence[Image]]], deployers: Sequence[Deployer]
) -> Contexts:
    """Return the contexts of the environments, from the names of the Kustomizations and Applications for them."""
    names: dict[Site, set[str]] = {}
    environments = {environment for by_environment in images.values() for environment in by_environment}
    for application, by_environment in images.items():
        for environment, site_images in by_environment.items():
            paths = [image.path for image in site_images]
            appliers = [d.name for d in deployers if _applies(d, environment, environments, paths)]
            names[application, environment] = {name for name in appliers if name}
    named_sites = {site: site_names for site, site_names in names.items() if site_names}
    unknown = tuple(site for site, site_names in names.items() if not site_names)
    if not named_sites:
        return Contexts(unknown=unknown)
    for template in _templates(named_sites):
        if all(_fits(template, site, site_names) for site, site_names in named_sites.items()):
            return _contexts(template, environments, unknown)
    return Contexts(unknown=tuple(names))


def _applies(deployer: Deployer, environment: str, environments: Iterable[str], paths: Sequence[str]) -> bool:
    """Return True if an object applies these files of an environment, by the folder that it applies.

    The name of the environment is in that folder, or else in the path of the object's own file.
    """
    folder = deployer.path
    if not folder:
        return False
    in_folder = [name for name in environments if name in folder.split("/")]
    in_folder = in_folder or [name for name in environments if name in deployer.file.split("/")]
    if in_folder and environment not in in_folder:
        return False
    # If a source contains only a part of the repository, the folder's path begins below the root.
    return all(f"/{path}".find(f"/{folder}/") >= 0 for path in paths) and bool(
        in_folder or any(path.startswith(f"{folder}/") for path in paths)
    )


def _templates(named_sites: Mapping[Site, set[str]]) -> Iterator[str]:
    """Yield the templates that the first names suggest: the default, then those with {env}, the plainest first."""
    (application, environment), names = next(iter(named_sites.items()))
    templates: dict[str, None] = {}
    for name in sorted(names):
        for group in (application.group, ""):
            for app in (application.name, ""):
                text = _replaced(name, environment, "{env}")
                text = _replaced(text, group, "{group}")
                templates[_replaced(text, app, "{app}")] = None
        templates[name] = None
    yield from sorted(templates, key=lambda text: (text != _DEFAULT, "{env}" not in text, text.count("{"), text))


def _replaced(text: str, word: str, placeholder: str) -> str:
    return re.sub(rf"(?<![A-Za-z0-9{{]){re.escape(word)}(?![A-Za-z0-9}}])", placeholder, text) if word else text


def _fits(template: str, site: Site, names: Iterable[str]) -> bool:
    application, environment = site
    return fill(template, group=application.group, app=application.name, env=environment) in names


def _contexts(template: str, environments: Iterable[str], unknown: tuple[Site, ...]) -> Contexts:
    if "{env}" in template:
        patterns = (f"*/{template}", f"*/{template}/*")
        return Contexts(every=() if patterns == DEFAULT else patterns, unknown=unknown)
    return Contexts(own={name: f"flux/{name}/{template}" for name in environments}, unknown=unknown)
