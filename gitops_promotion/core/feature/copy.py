"""The copy of an application: its objects as the environment must render them, and the files it renders them from."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.feature import kinds
from gitops_promotion.core.feature.hosts import INGRESS, ISTIO_GATEWAY, ROUTES, Hosts, Renames, admits
from gitops_promotion.core.feature.kinds import KINDS, POD_SELECTORS, SECRET
from gitops_promotion.core.feature.kustomization import Image
from gitops_promotion.core.feature.labels import (
    POLICIES,
    FixedLabels,
    Relabelling,
    Target,
    relabel,
    rules_of,
    selectors,
    targets,
)
from gitops_promotion.core.feature.manifests import Id, Object, Value, text, write
from gitops_promotion.core.feature.names import FEATURE_LABEL, suffixed
from gitops_promotion.core.feature.paths import containers, first, pod_templates, slots
from gitops_promotion.core.feature.per_kind import adjust, drop_origins, issues_certificates
from gitops_promotion.core.feature.references import references
from gitops_promotion.core.feature.selection import GENERATED_NAME, Selection
from gitops_promotion.core.tags import ImageReference, Tag
from gitops_promotion.core.untrusted import code_span
from gitops_promotion.errors import ManifestError

Container = tuple[Id, str]
"""A container, by the id of its object and its own name."""

_EXTERNAL_SECRET = "external-secrets.io/ExternalSecret"  # noqa: S105  a kind
_CERTIFICATE = "cert-manager.io/Certificate"
_TLS_SECRETS = {
    INGRESS: "spec.tls[].secretName",
    kinds.GATEWAY: "spec.listeners[].tls.certificateRefs[].name",
    ISTIO_GATEWAY: "spec.servers[].tls.credentialName",
}
# Fields with the name of a Secret that a controller creates for the object.
_CREATED_SECRETS = {_EXTERNAL_SECRET: "spec.target.name", _CERTIFICATE: "spec.secretName"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequest:
    """A feature of an application at a tag, and the subfolder of the environment's folder for its copy.

    `selector` are the labels of the application.
    """

    feature: str
    tag: Tag
    subfolder: str
    selector: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformations:
    """What the environment's kustomization does to the objects in it.

    `affixes` are the prefix and the suffix that it adds to a name, by object; `images` are the names of the images that
    it replaces; `labels` are the labels that it sets. `own_containers` are those that run the application's image.
    """

    affixes: Mapping[Id, tuple[str, str]] = field(default_factory=dict)
    labels: FixedLabels = field(default_factory=FixedLabels)
    images: frozenset[str] = frozenset()
    own_containers: frozenset[Container] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy: `objects` as the environment must render them, its `files` by name, and its entries of `images:`.

    `notes` are remarks for people. `url` is the address of the copy, `pattern` the address with `<feature>` in place of
    the name; both are "" without a host.
    """

    objects: tuple[Object, ...]
    files: Mapping[str, bytes]
    images: tuple[Image, ...]
    notes: tuple[str, ...]
    url: str
    pattern: str


def named_containers(template: dict[str, Value]) -> Iterator[tuple[str, dict[str, Value]]]:
    """Yield the containers of a pod template with their names."""
    for container in containers(template):
        yield text(container.get("name")), container


def make_copy(selection: Selection, request: CopyRequest, transformations: Transformations) -> Copy:
    """Return the copy of the selected objects.

    Raises ManifestError if none of them runs the application's image, if a name gets too long, or if no label tells the
    copy's pods from the original's.
    """
    if not any(object_id in {obj.id for obj in selection.copied} for object_id, _ in transformations.own_containers):
        raise ManifestError(
            "no container of the objects to copy runs the image that the application's markers set: correct "
            "featureLabelSelector, or set featureOverwrite: true for the application"
        )
    writer = _Writer.of(selection, request, transformations)
    objects = tuple(writer.copy_of(obj) for obj in selection.copied)
    images: dict[str, Image] = {}
    files: dict[str, bytes] = {}
    for original, obj in zip(selection.copied, objects, strict=True):
        files[_file_name(original, files)] = write(writer.as_file(original, obj, images))
    files["kustomization.yaml"] = _kustomization(request.feature, sorted(files))
    notes = (*writer.notes, *_left_out_notes(selection), *_policy_notes(selection, writer.relabelling))
    url, pattern = writer.hosts.url(selection.copied)
    return Copy(
        objects=objects,
        files=files,
        images=tuple(images[name] for name in sorted(images)),
        notes=tuple(dict.fromkeys(notes)),
        url=url,
        pattern=pattern,
    )


def copy_name(original: Object, feature: str, affixes: tuple[str, str]) -> str:
    """Return an object's name in the copy: the feature is between the name and the environment's suffix.

    Raises ManifestError if it is too long.
    """
    prefix, suffix = affixes
    # A generated name ends with its hash and not with the suffix.
    name = original.name.removeprefix(prefix).removesuffix(suffix) or original.name
    suffixed(f"{prefix}{name}{suffix}", feature, subject=str(original), kind=original.kind)
    return f"{prefix}{name}-{feature}{suffix}"


def created_secrets(obj: Object) -> Iterator[str]:
    """Yield the names of the Secrets that a controller creates for an object."""
    if obj.type == _EXTERNAL_SECRET:
        yield text(first(obj.content, _CREATED_SECRETS[obj.type])) or obj.name
    elif obj.type == _CERTIFICATE:
        yield from (slot.text for slot in slots(obj.content, _CREATED_SECRETS[obj.type]) if slot.text)
    elif obj.type in _TLS_SECRETS and issues_certificates(obj):
        yield from (slot.text for slot in slots(obj.content, _TLS_SECRETS[obj.type]) if slot.text)


def _renames(copied: Iterable[Object], request: CopyRequest, transformations: Transformations) -> Renames:
    """Return the names of the copy for all objects that are copied, and for the Secrets that are created for them."""
    renames: dict[tuple[str, str], dict[str, str]] = {}
    for obj in copied:
        affixes = transformations.affixes.get(obj.id, ("", ""))
        renames.setdefault((obj.type, obj.namespace), {})[obj.name] = copy_name(obj, request.feature, affixes)
        for secret in created_secrets(obj):
            new_name = suffixed(secret, request.feature, subject=f"the Secret {secret} of {obj}")
            renames.setdefault((SECRET, obj.namespace), {}).setdefault(secret, new_name)
    return renames


@dataclass(slots=True, kw_only=True)
class _Writer:
    """Writes the objects of one copy, and collects the notes about them."""

    request: CopyRequest
    transformations: Transformations
    selection: Selection
    renames: Renames
    relabelling: Relabelling
    hosts: Hosts
    remaining_targets: Sequence[Target]
    notes: list[str]

    @classmethod
    def of(cls, selection: Selection, request: CopyRequest, transformations: Transformations) -> "_Writer":
        renames = _renames(selection.copied, request, transformations)
        relabelling = relabel(
            selection.copied,
            selection.remaining,
            keys=request.selector,
            feature=request.feature,
            fixed=transformations.labels,
        )
        return cls(
            request=request,
            transformations=transformations,
            selection=selection,
            renames=renames,
            relabelling=relabelling,
            hosts=Hosts.of(selection.copied, request.feature, renames),
            remaining_targets=targets(selection.remaining),
            notes=[],
        )

    def name(self, kind: str, namespace: str, original: str) -> str:
        """Return the copy's name for an object of a type and namespace; the original's if it was not copied."""
        # A namespace that only Flux's targetNamespace sets is in no file.
        in_namespace = self.renames.get((kind, namespace), {}).get(original)
        return in_namespace or self.renames.get((kind, ""), {}).get(original, original)

    def copy_of(self, original: Object) -> Object:
        """Return the copy of an object as the environment must render it."""
        obj = original.editable()
        content = obj.content
        drop_origins(content)
        content["metadata"]["name"] = self.name(original.type, original.namespace, original.name)
        remarks = adjust(content, original)
        self._relabel(obj)
        self._rename_references(obj)
        self._set_tag(content, original)
        self._rename_secrets(content, original)
        self._rename_in_roles(content, original)
        self.hosts.rewrite(content, original)
        remarks += self._remarks(original, content)
        self.notes += [f"{_code(original)}: {remark}" for remark in remarks]
        return obj

    def as_file(self, original: Object, obj: Object, images: dict[str, Image]) -> dict[str, Value]:
        """Return the content of the file from which the environment renders `obj`, and add the entries of `images:`."""
        content = obj.editable().content
        prefix, suffix = self.transformations.affixes.get(original.id, ("", ""))
        metadata = content["metadata"]
        metadata["name"] = obj.name.removeprefix(prefix).removesuffix(suffix)
        # The copy's own kustomization sets this label, by which the copy is found again.
        del metadata["labels"][FEATURE_LABEL]
        if not metadata["labels"]:
            del metadata["labels"]
        for template in pod_templates(content):
            for name, container in named_containers(template):
                image = ImageReference.parse(text(container.get("image")))
                is_own = (original.id, name) in self.transformations.own_containers
                if image and is_own and image.name in self.transformations.images:
                    alias = f"{self.request.subfolder}/{image.name}"
                    images[alias] = Image(name=alias, new_name=image.name, new_tag=str(self.request.tag))
                    container["image"] = alias
        return content

    def _relabel(self, obj: Object) -> None:
        content = obj.content
        metadata = content["metadata"]
        self.relabelling.rewrite_metadata(metadata.get("labels"))
        self._relabel_pods(content)
        for path in ("spec.volumeClaimTemplates[].metadata.labels", "spec.subsets[].labels"):
            for slot in slots(content, path):
                self.relabelling.rewrite(slot.value)
        for selector in (*selectors([obj]), *selectors([obj], peers=True)):
            # Peers of other applications may talk to the copy as to the original; the application's own pods become
            # the copy's.
            if selector.field.peer and any(selector.matches(target) for target in self.remaining_targets):
                continue
            self.relabelling.rewrite_selector(selector.value, plain=selector.field.plain)
        if not isinstance(metadata.get("labels"), dict):
            metadata["labels"] = {}
        metadata["labels"][FEATURE_LABEL] = self.request.feature

    def _relabel_pods(self, content: dict[str, Value]) -> None:
        for template in pod_templates(content):
            if template is not content and isinstance(template.get("metadata"), dict):
                self.relabelling.rewrite(template["metadata"].get("labels"))
            for selector_field in POD_SELECTORS:
                for slot in slots(template, selector_field.path):
                    self.relabelling.rewrite_selector(slot.value, plain=False)

    def _rename_references(self, obj: Object) -> None:
        for reference in references(obj):
            reference.slot.set(self.name(reference.type, reference.namespace, reference.name))
        for slot in slots(obj.content, "spec.gateways[]"):
            if slot.text:
                slot.set(self.name(ISTIO_GATEWAY, obj.namespace, slot.text))

    def _set_tag(self, content: dict[str, Value], original: Object) -> None:
        for template in pod_templates(content):
            for name, container in named_containers(template):
                image = ImageReference.parse(text(container.get("image")))
                if image and (original.id, name) in self.transformations.own_containers:
                    container["image"] = f"{image.name}:{self.request.tag}"

    def _rename_secrets(self, content: dict[str, Value], original: Object) -> None:
        """Give the copy Secrets of its own where a controller creates them; note certificates that are shared."""
        for slot in slots(content, _TLS_SECRETS.get(original.type, "-")):
            new_name = self.name(SECRET, original.namespace, slot.text)
            if new_name == slot.text:
                self.notes.append(
                    f"{_code(original)}: keeps the certificate in {code_span(slot.text)}; it must fit its host"
                )
            slot.set(new_name)
        for slot in slots(content, _CREATED_SECRETS.get(original.type, "-")):
            slot.set(self.name(SECRET, original.namespace, slot.text))

    def _rename_in_roles(self, content: dict[str, Value], original: Object) -> None:
        """Change the `resourceNames` of a role to the copied objects."""
        if original.group != "rbac.authorization.k8s.io":
            return
        for rule in slots(content, "rules[]"):
            resources = {slot.text for slot in slots(rule.value, "resources[]")}
            for slot in slots(rule.value, "resourceNames[]"):
                for (kind, namespace), names in self.renames.items():
                    plural = kind.rpartition("/")[2].lower() + "s"
                    if plural in resources and namespace in (original.namespace, ""):
                        slot.set(names.get(slot.text, slot.text))

    def _remarks(self, original: Object, content: dict[str, Value]) -> Iterator[str]:
        if original.type not in KINDS:
            yield "unchecked: its kind is unknown, so only its name and labels are changed"
        if note := rules_of(original).note:
            yield note
        if original.type in (kinds.CONFIG_MAP, SECRET) and GENERATED_NAME.fullmatch(original.name):
            yield "was generated: the copy keeps its present content"
        if original.type == INGRESS and (
            first(original.content, "spec.defaultBackend") or _has_rule_without_host(original)
        ):
            yield "without its default backend and its rules without a host, which apply to every host"
        if hosts := self.hosts.original_hosts_in(content):
            yield f"still names {', '.join(code_span(host) for host in sorted(hosts))}"
        if original.type in ROUTES:
            yield from self._gateway_remarks(content)

    def _gateway_remarks(self, route: dict[str, Value]) -> Iterator[str]:
        """Yield the Gateways of the environment that admit none of a route's hosts; others are unknown."""
        hosts = [slot.text for slot in slots(route, "spec.hostnames[]")]
        parents = [slot.text for slot in slots(route, "spec.parentRefs[].name")]
        for gateway in self.selection.remaining:
            if gateway.type != kinds.GATEWAY or gateway.name not in parents:
                continue
            listeners = [text(first(slot.value, "hostname")) for slot in slots(gateway.content, "spec.listeners[]")]
            if not any(admits(listener, host) for listener in listeners for host in hosts):
                yield f"no listener of the Gateway {code_span(gateway.name)} admits {code_span(''.join(hosts[:1]))}"


def _has_rule_without_host(ingress: Object) -> bool:
    return any(not text(first(rule.value, "host")) for rule in slots(ingress.content, "spec.rules[]"))


def _file_name(obj: Object, existing: Iterable[str]) -> str:
    """Return a file name for an object that no other file has and that is safe: an object may be named `../x`."""
    stem = re.sub(r"[^a-z0-9.-]+|^\.+", "-", f"{obj.kind.lower()}-{obj.name}")[:200].strip(".-")
    names = {*existing, "kustomization.yaml"}
    name, number = f"{stem}.yaml", 2
    while name in names:
        name, number = f"{stem}-{number}.yaml", number + 1
    return name


def _kustomization(feature: str, files: Sequence[str]) -> bytes:
    return write(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": list(files),
            "labels": [{"pairs": {FEATURE_LABEL: feature}}],
        },
        comment="A feature's copy: overwritten by `gitops-promotion feature`, removed by `feature-delete` and "
        "`feature-stale`.",
    )


def _left_out_notes(selection: Selection) -> Iterator[str]:
    for obj, reason in selection.left_out:
        yield f"{_code(obj)}: left out, {reason}"


def _policy_notes(selection: Selection, relabelling: Relabelling) -> Iterator[str]:
    """Yield a remark for each network policy of others that concerns the original's pods and not the copy's."""
    policies = [obj for obj in selection.remaining if obj.type in POLICIES]
    for peers, remark in ((True, "does not admit the copy, only the original"), (False, "does not apply to the copy")):
        for selector in selectors(policies, peers=peers):
            if any(
                selector.matches(target) and not selector.matches(target, relabelling.labels(target))
                for target in targets(selection.copied)
            ):
                yield f"{_code(selector.owner)}: {remark}"


def _code(obj: Object) -> str:
    return code_span(f"{obj.kind} {obj.name}")
