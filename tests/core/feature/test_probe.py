"""The draft that shows what an environment does to the objects in it, and what is read from its rendering."""

import pytest

from gitops_promotion.core.feature import probe
from gitops_promotion.core.feature.copy import CopyRequest
from gitops_promotion.core.feature.manifests import parse
from gitops_promotion.core.feature.selection import select
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: web, image: 'ghcr.io/x/web:{probe.TAG.name}'}}, {{name: proxy, image: 'envoy:1.31'}}]
      initContainers: [{{name: pinned, image: 'ghcr.io/x/web@{probe.TAG.digest}'}}]
"""
METADATA = "metadata: {name: web, labels: {app: web}}"
SERVICE = f"apiVersion: v1\nkind: Service\n{METADATA}\nspec: {{selector: {{app: web}}}}\n"
POD = f"apiVersion: v1\nkind: Pod\n{METADATA}\nspec: {{containers: [{{name: web, image: a:1}}]}}\n"
OBJECTS = parse(f"{DEPLOYMENT}---\n{SERVICE}---\n{POD}".encode())
SELECTION = select(OBJECTS, {"app": "web"}, "shop/dev")
REQUEST = CopyRequest(feature="f", tag=Tag("2"), subfolder="web-f", selector={"app": "web"})
*DRAFT, KUSTOMIZATION = (content.decode() for content in probe.draft(SELECTION, REQUEST).values())
WEB, ENVOY = "image: ghcr.io/x/web:gitops-promotion-draft", "image: envoy:gitops-promotion-draft"


def test_the_draft_has_each_object_under_a_name_and_a_tag_of_its_own() -> None:
    assert list(probe.draft(SELECTION, REQUEST)) == ["0.yaml", "1.yaml", "2.yaml", "kustomization.yaml"]
    assert KUSTOMIZATION == "resources:\n- 0.yaml\n- 1.yaml\n- 2.yaml\n"
    for number, text in enumerate(DRAFT):
        assert f"  name: gitops-promotion-probe-{number}-x\n" in text
    assert [line.strip() for line in DRAFT[0].splitlines() if "image:" in line] == [WEB, ENVOY, WEB]
    assert Tag.parse(str(probe.TAG)) == probe.TAG


@pytest.mark.parametrize(
    ("old", "new", "affixes", "on_pods", "on_objects", "images"),
    [
        ("", "", ("", ""), set(), set(), set()),
        ("name: gitops-promotion-probe-0-x", "name: a-gitops-promotion-probe-0-x-1", ("a-", "-1"), set(), set(), set()),
        ("app: web-f", "app: all", ("", ""), {"app"}, set(), set()),
        ("labels:\n    app: web-f", "labels:\n    app: all", ("", ""), set(), {"app"}, set()),
        ("selector:\n    app: web-f", "selector:\n    app: all", ("", ""), {"app"}, set(), set()),
        ("matchLabels:\n      app: web-f", "matchLabels:\n      app: all", ("", ""), {"app"}, set(), set()),
        ("labels:\n        app: web-f", "labels:\n        app: all", ("", ""), {"app"}, set(), set()),
        ("feature: f", "feature: g", ("", ""), set(), {"gitops-promotion.xenit.io/feature"}, set()),
        (WEB, "image: mirror/web:1", ("", ""), set(), set(), {"ghcr.io/x/web"}),
        (ENVOY, "image: envoy:2", ("", ""), set(), set(), {"envoy"}),
        (" containers:", " other:", ("", ""), set(), set(), set()),
        ("  selector:", "  other:", ("", ""), set(), set(), set()),
    ],
)
def test_what_the_environment_changed_is_read(
    old: str, new: str, affixes: tuple[str, str], on_pods: set[str], on_objects: set[str], images: set[str]
) -> None:
    draft = "---\n".join(DRAFT)
    assert old in draft
    rendered = parse(draft.replace(old, new).encode() if old else draft.encode())
    found = probe.read(SELECTION, REQUEST, [*OBJECTS, *rendered], {"app": "kustomization.yaml"})
    deployment, *others = (obj.id for obj in SELECTION.copied)
    assert found.affixes == {deployment: affixes} | dict.fromkeys(others, ("", ""))
    assert (set(found.labels.on_pods), set(found.labels.on_objects)) == (on_pods, on_objects)
    assert set(found.images) == images
    assert found.labels.sources == {"app": "kustomization.yaml"}
    assert found.own_containers == {(deployment, "web"), (deployment, "pinned")}


def test_an_object_that_the_environment_takes_from_the_draft_is_an_error() -> None:
    with pytest.raises(ManifestError, match="renames or deletes a second Service web: "):
        probe.read(SELECTION, REQUEST, [*OBJECTS, *parse(DRAFT[0].encode())], {})
