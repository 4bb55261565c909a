"""Hosts of a copy: `<feature>.<host>`, and what stays with the original because it has none of its own."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.kinds import DESTINATION_RULE, GATEWAY, VIRTUAL_SERVICE
from gitops_promotion.core.feature.manifests import Object, Value, text
from gitops_promotion.core.feature.names import feature_host
from gitops_promotion.core.feature.paths import Slot, all_texts, first, slots

INGRESS = "networking.k8s.io/Ingress"
ROUTES = tuple(f"gateway.networking.k8s.io/{kind}" for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute"))
ISTIO_GATEWAY = "networking.istio.io/Gateway"
_CERTIFICATE = "cert-manager.io/Certificate"
_DNS = "external-dns.alpha.kubernetes.io/hostname"
_DESTINATIONS = tuple(
    f"spec.{protocol}[].{place}.host"
    for protocol in ("http", "tls", "tcp")
    for place in ("route[].destination", "mirror", "mirrors[].destination")
)
_OWN = {
    INGRESS: ("spec.rules[].host", "spec.tls[].hosts[]"),
    **dict.fromkeys(ROUTES, ("spec.hostnames[]",)),
    GATEWAY: ("spec.listeners[].hostname",),
    ISTIO_GATEWAY: ("spec.servers[].hosts[]",),
    VIRTUAL_SERVICE: ("spec.hosts[]",),
    _CERTIFICATE: ("spec.dnsNames[]", "spec.commonName"),
}
# Only where they name one of the application's own hosts: a backend behind `urlRewrite` may want another.
_ALSO = (
    "spec.rules[].filters[].requestRedirect.hostname",
    "spec.rules[].filters[].urlRewrite.hostname",
    "spec.rules[].backendRefs[].filters[].requestRedirect.hostname",
    "spec.rules[].backendRefs[].filters[].urlRewrite.hostname",
    "spec.http[].redirect.authority",
    "spec.http[].rewrite.authority",
)
Renames = Mapping[tuple[str, str], Mapping[str, str]]
"""By type and namespace: what each of these names is called in the copy."""


def no_host(each: Object, copied: Iterable[Object]) -> str:
    """Return why an object that routes by host has none to give to a copy, "" if it has or routes by none."""
    parents = {parent.name for parent in copied if parent.type in (GATEWAY, ISTIO_GATEWAY)}
    hosts = [slot.text for path in _OWN.get(each.type, ())[:1] for slot in slots(each.content, path) if slot.text]
    if each.type == INGRESS and not hosts:
        return "it has no host, and would take the original's traffic"
    if each.type in ROUTES and not hosts:
        named = {text(first(slot.value, "name")) for slot in slots(each.content, "spec.parentRefs[]")}
        return "" if named and named <= parents else "it has no hostname, and would take the original's traffic"
    if each.type == ISTIO_GATEWAY and all("*" in host for host in hosts):
        return "its hosts are wildcards, and take in the copy's"
    if each.type == VIRTUAL_SERVICE and all(host == "*" for host in hosts):
        return "it has no host of its own, and would take the original's traffic"
    return ""


def service_host(host: str, namespace: str, services: Renames, service: str) -> str:
    """Return the copy's name for a Service in the mesh, short or with its namespace; "" if it was not copied."""
    name, dot, rest = host.partition(".")
    its = rest.partition(".")[0] if dot else namespace
    if dot and not re.fullmatch(r"[a-z0-9-]+(?:\.svc(?:\.[a-z0-9.-]+)?)?", rest):
        return ""
    new = services.get((service, its), {}).get(name, "")
    if not new and namespace in (its, ""):
        # A namespace that only Flux knows is not in the files.
        new = services.get((service, ""), {}).get(name, "")
    return f"{new}{dot}{rest}" if new else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The application's own hosts, each with the copy's."""

    feature: str
    renamed: Mapping[str, str]

    @classmethod
    def of(cls, copied: Iterable[Object], feature: str, renames: Renames, service: str) -> "Hosts":
        """Collect them from the objects that are copied. Raises ManifestError for one that gets too long."""
        renamed: dict[str, str] = {}
        for each in copied:
            for slot in _own(each.content, each.type):
                host = slot.text.rpartition("/")[2]
                mesh = each.type == VIRTUAL_SERVICE and service_host(host, each.namespace, renames, service)
                keeps = each.type in (GATEWAY, ISTIO_GATEWAY) and "*" in host
                if host and host != "*" and not mesh and not keeps:
                    renamed[host] = feature_host(host, feature)
            for host in _dns(each.annotations.get(_DNS, "")):
                renamed[host] = feature_host(host, feature)
        return cls(feature=feature, renamed=renamed)

    def rewrite(self, content: dict[str, Value], each: Object, renames: Renames, service: str) -> None:
        """Put the copy's hosts into an object's content; `each` is the original."""
        if each.type == INGRESS:
            _drop_rules_without_host(content)
        for slot in _own(content, each.type):
            scope, slash, host = slot.text.rpartition("/")
            if host in self.renamed and not (each.type in (GATEWAY, ISTIO_GATEWAY) and "*" in host):
                slot.set(f"{scope}{slash}{self.renamed[host]}")
        _once(content)
        if each.type in (VIRTUAL_SERVICE, DESTINATION_RULE):
            for path in ("spec.hosts[]", "spec.host", *_DESTINATIONS):
                for slot in slots(content, path):
                    if new := service_host(slot.text, each.namespace, renames, service):
                        slot.set(new)
        for path in _ALSO:
            for slot in slots(content, path):
                slot.set(self.renamed.get(slot.text, slot.value))
        if dns := each.annotations.get(_DNS):
            content["metadata"]["annotations"][_DNS] = ",".join(self.renamed.get(host, host) for host in _dns(dns))

    def left_behind(self, content: Value) -> set[str]:
        """Return the original's hosts that an object still names, in an environment variable for instance."""
        found = set()
        for host in self.renamed:
            name = re.compile(rf"(?<![A-Za-z0-9.*-]){re.escape(host)}(?![A-Za-z0-9-])")
            if any(name.search(each) for each in all_texts(content)):
                found.add(host)
        return found

    def url(self, copied: Sequence[Object]) -> tuple[str, str]:
        """Return the address of the copy and its pattern, such as `https://<feature>.example.com`; "" for none."""
        order = (INGRESS, *ROUTES[:1], VIRTUAL_SERVICE, *ROUTES[1:])
        found = sorted((each for each in copied if each.type in order), key=lambda each: order.index(each.type))
        for each in found:
            for slot in _own(each.content, each.type):
                if new := self.renamed.get(slot.text):
                    scheme = "https" if each.type != INGRESS or _encrypted(each.content, slot.text) else "http"
                    pattern = f"{scheme}://<feature>.{slot.text.removeprefix('*.')}"
                    return f"{scheme}://{new}", pattern
        return "", ""


def routed(objects: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Yield each host whose traffic an object takes, wildcards left out, with the object."""
    for each in objects:
        if each.type in (INGRESS, *ROUTES, VIRTUAL_SERVICE):
            found = dict.fromkeys(slot.text for path in _OWN[each.type][:1] for slot in slots(each.content, path))
            yield from ((host, each) for host in found if host and "*" not in host)


def admits(listener: str, host: str) -> bool:
    """Return True if a Gateway's listener takes a host."""
    return not listener or listener == host or (listener.startswith("*.") and host.endswith(listener[1:]))


def _once(content: dict[str, Value]) -> None:
    """Name each host once: `x` and `*.x` become the same one."""
    for path in ("spec.hostnames", "spec.hosts", "spec.dnsNames", "spec.tls[].hosts"):
        for slot in slots(content, path):
            if isinstance(slot.value, list) and all(isinstance(host, str) for host in slot.value):
                slot.set(list(dict.fromkeys(slot.value)))
    seen = set()
    for rule in [slot.value for slot in slots(content, "spec.rules[]")]:
        host = text(first(rule, "host"))
        if host and host in seen:
            content["spec"]["rules"].remove(rule)
        seen.add(host)


def _own(content: Value, kind: str) -> Iterator[Slot]:
    for path in _OWN.get(kind, ()):
        yield from slots(content, path)


def _dns(annotation: str) -> list[str]:
    return [host for part in annotation.split(",") if (host := part.strip())]


def _encrypted(content: Value, host: str) -> bool:
    hosts = [slot.text for slot in slots(content, "spec.tls[].hosts[]")]
    # An entry without hosts is for all of the Ingress.
    return host in hosts or any(first(slot.value, "hosts") is None for slot in slots(content, "spec.tls[]"))


def _drop_rules_without_host(content: dict[str, Value]) -> None:
    spec = content["spec"]
    spec["rules"] = [rule for rule in spec.get("rules", []) if isinstance(rule, dict) and text(rule.get("host"))]
    # It takes what no rule takes, on every host.
    spec.pop("defaultBackend", None)
