"""From what is rendered of an application to the objects, and the files, of its copy."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.feature import kinds
from gitops_promotion.core.feature.hosts import INGRESS, ISTIO_GATEWAY, ROUTES, Hosts, admits
from gitops_promotion.core.feature.kinds import KINDS, POD_REFERENCES, POD_SELECTIONS, SECRET, SERVICE, full_type
from gitops_promotion.core.feature.kustomization import Image
from gitops_promotion.core.feature.labels import POLICIES, Relabelling, Target, kind_of, relabel, selectings, targets
from gitops_promotion.core.feature.manifests import Id, Object, Value, text, write
from gitops_promotion.core.feature.names import FEATURE_LABEL, suffixed
from gitops_promotion.core.feature.paths import containers, first, pod_templates, slots
from gitops_promotion.core.feature.per_kind import adjust, drop_origins, issues_certificates
from gitops_promotion.core.feature.selection import SelectedObjects
from gitops_promotion.core.tags import ImageReference, Tag
from gitops_promotion.core.untrusted import code_span
from gitops_promotion.errors import ManifestError

Container = tuple[Id, str]
"""A container of an object, by the object's id and its own name."""

_EXTERNAL_SECRET = "external-secrets.io/ExternalSecret"  # noqa: S105  a kind
_CERTIFICATE = "cert-manager.io/Certificate"
_TLS = {
    INGRESS: "spec.tls[].secretName",
    kinds.GATEWAY: "spec.listeners[].tls.certificateRefs[].name",
    ISTIO_GATEWAY: "spec.servers[].tls.credentialName",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequest:
    """What is asked for: this feature of an application, at this tag, in this folder of the environment's."""

    feature: str
    tag: Tag
    subfolder: str
    selector: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformations:
    """What the environment's kustomization does to everything it holds, and whose image each container runs.

    `names` has what it puts before and behind a name; `fixed` the labels it sets on pods and selectors, `set_back`
    those it sets on objects, `setters` where it says so; `images` the images it replaces; `own` the containers whose
    image is the application's.
    """

    names: Mapping[Id, tuple[str, str]] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    set_back: frozenset[str] = frozenset()
    setters: Mapping[str, str] = field(default_factory=dict)
    images: frozenset[str] = frozenset()
    own: frozenset[Container] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy: `objects` as the environment must give them, its `files` by name, and the entries of `images:`.

    `url` is where it is reached, and `pattern` the same with `<feature>`; "" where it has no host.
    """

    objects: tuple[Object, ...]
    files: Mapping[str, bytes]
    images: tuple[Image, ...]
    notes: tuple[str, ...]
    url: str
    pattern: str


def names_of(template: dict[str, Value]) -> Iterator[tuple[str, dict[str, Value]]]:
    """Yield the containers of a pod template with their names."""
    for container in containers(template):
        yield text(container.get("name")), container


def make(chosen: SelectedObjects, request: CopyRequest, transformations: Transformations) -> Copy:
    """Return the copy of the chosen objects.

    Raises ManifestError if none of them runs the application's image, if a name gets too long, or if nothing tells the
    copy's pods from the original's.
    """
    writer = _Writer.of(chosen, request, transformations)
    objects = tuple(writer.intended(each) for each in chosen.copied)
    images: dict[str, Image] = {}
    files: dict[str, bytes] = {}
    for original, each in zip(chosen.copied, objects, strict=True):
        name = _file_name(original, files)
        files[name] = write(writer.as_file(original, each, images))
    files["kustomization.yaml"] = _kustomization(request.feature, sorted(files))
    if not any(container for container in transformations.own if container[0] in {each.id for each in chosen.copied}):
        raise ManifestError(
            "no container of what would be copied runs the image that the application's markers set: correct "
            "featureLabelSelector, or set featureOverwrite: true"
        )
    url, pattern = writer.hosts.url(chosen.copied)
    return Copy(
        objects=objects,
        files=files,
        images=tuple(images[name] for name in sorted(images)),
        notes=tuple(dict.fromkeys((*writer.notes, *_left_out(chosen), *_lost(chosen, writer)))),
        url=url,
        pattern=pattern,
    )


@dataclass(slots=True, kw_only=True)
class _Writer:
    request: CopyRequest
    transformations: Transformations
    renames: dict[tuple[str, str], dict[str, str]]
    relabelling: Relabelling
    hosts: Hosts
    notes: list[str]
    gateways: Sequence[Object]
    others: Sequence[Target]

    @classmethod
    def of(cls, chosen: SelectedObjects, request: CopyRequest, transformations: Transformations) -> "_Writer":
        renames: dict[tuple[str, str], dict[str, str]] = {}
        for each in chosen.copied:
            new = copy_name(each, request.feature, transformations)
            renames.setdefault((each.type, each.namespace), {})[each.name] = new
            for secret in provides(each):
                found = renames.setdefault((SECRET, each.namespace), {})
                found.setdefault(secret, suffixed(secret, request.feature, what=f"the Secret {secret} of {each}"))
        relabelling = relabel(
            chosen.copied,
            chosen.others,
            keys=request.selector,
            fixed=transformations.fixed,
            set_back=transformations.set_back,
            setters=transformations.setters,
            feature=request.feature,
        )
        hosts = Hosts.of(chosen.copied, request.feature, renames, SERVICE)
        gateways = [each for each in chosen.others if each.type == kinds.GATEWAY]
        return cls(
            request=request,
            transformations=transformations,
            renames=renames,
            relabelling=relabelling,
            hosts=hosts,
            notes=[],
            gateways=gateways,
            others=targets(chosen.others),
        )

    def name(self, kind: str, namespace: str, old: str) -> str:
        """Return what an object that is referred to is called for the copy: its old name if it was not copied."""
        # A namespace that only Flux knows (targetNamespace) is in no file.
        return self.renames.get((kind, namespace), {}).get(old) or self.renames.get((kind, ""), {}).get(old, old)

    def intended(self, each: Object) -> Object:
        """Return the copy of an object as the environment must give it."""
        new = each.editable()
        content = new.content
        drop_origins(content)
        metadata = content["metadata"]
        metadata["name"] = self.name(each.type, each.namespace, each.name)
        said = adjust(content, each)
        self._labels(content)
        for reference in kind_of(each).references:
            self._refer(content, reference, each.namespace)
        for template in pod_templates(content):
            for reference in POD_REFERENCES:
                self._refer(template, reference, each.namespace)
            for container, fields in names_of(template):
                if (each.id, container) in self.transformations.own and (
                    image := ImageReference.parse(text(fields.get("image")))
                ):
                    fields["image"] = f"{image.name}:{self.request.tag}"
        self._secrets(content, each)
        self._resource_names(content, each)
        self.hosts.rewrite(content, each, self.renames, SERVICE)
        for slot in slots(content, "spec.gateways[]"):
            slot.set(self.name(ISTIO_GATEWAY, each.namespace, slot.text) if slot.text else slot.value)
        self._note(each, content, said)
        return new

    def _labels(self, content: dict[str, Value]) -> None:
        metadata = content["metadata"]
        each = Object(content)
        self.relabelling.rewrite_metadata(metadata.get("labels"))
        for template in pod_templates(content):
            if template is not content and isinstance(template.get("metadata"), dict):
                self.relabelling.rewrite(template["metadata"].get("labels"))
            for selection in POD_SELECTIONS:
                for slot in slots(template, selection.path):
                    self.relabelling.rewrite_selector(slot.value, plain=False)
        for path in ("spec.volumeClaimTemplates[].metadata.labels", "spec.subsets[].labels"):
            for slot in slots(content, path):
                self.relabelling.rewrite(slot.value)
        for selecting in (*selectings([each]), *selectings([each], peers=True)):
            # Who else may talk to the pods may do so to the copy's; the application's own pods are the copy's there.
            if selecting.selection.peer and any(selecting.takes(other, other.labels) for other in self.others):
                continue
            self.relabelling.rewrite_selector(selecting.selector, plain=selecting.selection.plain)
        if not isinstance(metadata.get("labels"), dict):
            metadata["labels"] = {}
        metadata["labels"][FEATURE_LABEL] = self.request.feature

    def _refer(self, content: Value, reference: kinds.Reference, namespace: str) -> None:
        for slot in slots(content, reference.path):
            if reference.type:
                if slot.text:
                    slot.set(self.name(reference.type, namespace, slot.text))
            elif isinstance(slot.value, dict) and text(slot.value.get("name")):
                self._refer_by_kind(slot.value, reference.default, namespace)

    def _refer_by_kind(self, value: dict[str, Value], default: str, namespace: str) -> None:
        api = next((text(value[key]) for key in kinds.API_KEYS if key in value), "")
        kind = full_type(api, text(value.get("kind")), default)
        # A subject or a parent may be in another namespace.
        value["name"] = self.name(kind, text(value.get("namespace")) or namespace, text(value["name"]))

    def _secrets(self, content: dict[str, Value], each: Object) -> None:
        """Give what gets its certificate made for it a Secret of its own; a shared one must fit the copy's hosts."""
        for slot in slots(content, _TLS.get(each.type, "-")):
            new = self.name(SECRET, each.namespace, slot.text)
            if new == slot.text:
                self.notes.append(
                    f"{_named(each)}: keeps the certificate in {code_span(slot.text)}; it must fit its host"
                )
            slot.set(new)
        if each.type == _EXTERNAL_SECRET:
            for slot in slots(content, "spec.target.name"):
                slot.set(self.name(SECRET, each.namespace, slot.text))
        elif each.type == _CERTIFICATE:
            for slot in slots(content, "spec.secretName"):
                slot.set(self.name(SECRET, each.namespace, slot.text))

    def _resource_names(self, content: dict[str, Value], each: Object) -> None:
        """Let a role's rules name what was copied."""
        for rule in slots(content, "rules[]") if each.group == "rbac.authorization.k8s.io" else ():
            resources = {slot.text for slot in slots(rule.value, "resources[]")}
            for slot in slots(rule.value, "resourceNames[]"):
                for (kind, namespace), names in self.renames.items():
                    if kind.rpartition("/")[2].lower() + "s" in resources and namespace in (each.namespace, ""):
                        slot.set(names.get(slot.text, slot.text))

    def _note(self, each: Object, content: dict[str, Value], said: Sequence[str]) -> None:
        if each.type not in KINDS:
            said = (*said, "unchecked: of a kind that is not known, so only its name and labels are changed")
        if note := kind_of(each).note:
            said = (*said, note)
        if each.type in (kinds.CONFIG_MAP, SECRET) and re.search(r"-[2456789bcdfghkmt]{10}$", each.name):
            said = (*said, "was generated: the copy keeps what it says today")
        if each.type == INGRESS and (first(each.content, "spec.defaultBackend") or _catches_all(each)):
            said = (*said, "without what takes every host: its default backend, and rules without a host")
        if left := self.hosts.left_behind(content):
            said = (*said, f"still names {', '.join(code_span(host) for host in sorted(left))}")
        if each.type in ROUTES:
            said = (*said, *self._parents(content))
        self.notes += [f"{_named(each)}: {line}" for line in said]

    def _parents(self, content: dict[str, Value]) -> Iterator[str]:
        """Say where a route's Gateway takes none of its hosts; of one that is elsewhere nothing is known."""
        hosts = [slot.text for slot in slots(content, "spec.hostnames[]")]
        for slot in slots(content, "spec.parentRefs[]"):
            for gateway in self.gateways:
                listeners = [
                    text(listener.value.get("hostname")) for listener in slots(gateway.content, "spec.listeners[]")
                ]
                if gateway.name == text(slot.value.get("name")) and not any(
                    admits(listener, host) for listener in listeners for host in hosts
                ):
                    yield f"no listener of the Gateway {code_span(gateway.name)} takes {code_span(''.join(hosts[:1]))}"

    def as_file(self, original: Object, each: Object, images: dict[str, Image]) -> dict[str, Value]:
        """Return what the copy's file says, so that the environment makes `each` of it."""
        content = each.editable().content
        prefix, suffix = self.transformations.names.get(original.id, ("", ""))
        metadata = content["metadata"]
        metadata["name"] = each.name.removeprefix(prefix).removesuffix(suffix)
        # The copy's own kustomization sets it: by that it is known.
        del metadata["labels"][FEATURE_LABEL]
        if not metadata["labels"]:
            del metadata["labels"]
        for template in pod_templates(content):
            for name, container in names_of(template):
                image = ImageReference.parse(text(container.get("image")))
                if (
                    image
                    and (original.id, name) in self.transformations.own
                    and image.name in self.transformations.images
                ):
                    alias = f"{self.request.subfolder}/{image.name}"
                    images[alias] = Image(name=alias, new_name=image.name, new_tag=str(self.request.tag))
                    container["image"] = alias
        return content


def copy_name(each: Object, feature: str, transformations: Transformations) -> str:
    """Return an object's name in the copy, inside of what the environment puts before and behind it."""
    prefix, suffix = transformations.names.get(each.id, ("", ""))
    name = each.name
    # What is generated has its hash behind the suffix.
    inner = name.removeprefix(prefix).removesuffix(suffix) or name
    full = f"{prefix}{inner}{suffix}"
    suffixed(full, feature, what=str(each), kind=each.kind)
    return f"{prefix}{inner}-{feature}{suffix}"


def _catches_all(ingress: Object) -> bool:
    return any(not text(first(rule.value, "host")) for rule in slots(ingress.content, "spec.rules[]"))


def provides(each: Object) -> Iterator[str]:
    """Yield the Secrets that others make for an object."""
    if each.type == _EXTERNAL_SECRET:
        yield text(first(each.content, "spec.target.name")) or each.name
    elif each.type == _CERTIFICATE:
        yield from (slot.text for slot in slots(each.content, "spec.secretName") if slot.text)
    elif each.type in _TLS and issues_certificates(each):
        yield from (slot.text for slot in slots(each.content, _TLS[each.type]) if slot.text)


def _file_name(each: Object, taken: Iterable[str]) -> str:
    """Return a name for an object's file: names of objects are no names of files, `../x` and `a:b` least of all."""
    base = re.sub(r"[^a-z0-9.-]+|^\.+", "-", f"{each.kind.lower()}-{each.name}")[:200].strip(".-")
    found = set(taken) | {"kustomization.yaml"}
    name, number = f"{base}.yaml", 2
    while name in found:
        name, number = f"{base}-{number}.yaml", number + 1
    return name


def _kustomization(feature: str, files: Sequence[str]) -> bytes:
    return write(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": list(files),
            "labels": [{"pairs": {FEATURE_LABEL: feature}}],
        },
        comment="A feature's copy: written anew by `gitops-promotion feature`, removed by `feature-delete` and "
        "`feature-stale`.",
    )


def _left_out(chosen: SelectedObjects) -> Iterator[str]:
    for each, reason in chosen.left_out:
        yield f"{_named(each)}: left out, {reason}"


def _lost(chosen: SelectedObjects, writer: _Writer) -> Iterator[str]:
    """Say which policies of others let the original's pods in, or hold for them, and not the copy's."""
    policies = [each for each in chosen.others if each.type in POLICIES]
    mine = targets(chosen.copied)
    for peers, what in ((True, "does not admit the copy, only the original"), (False, "does not hold for the copy")):
        for selecting in selectings(policies, peers=peers):
            for target in mine:
                if selecting.takes(target, target.labels) and not selecting.takes(
                    target, writer.relabelling.labels(target)
                ):
                    yield f"{_named(selecting.owner)}: {what}"
                    break


def _named(each: Object) -> str:
    return code_span(f"{each.kind} {each.name}")
