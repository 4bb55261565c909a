"""Features in layouts where several groups share a folder, or where each application has its own."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.commands.conftest import Shop
    from tests.conftest import Remote

pytestmark = pytest.mark.kustomize

SHARED = """\
pathTemplate: deploy/{env}
environments: [{name: dev, auto: true}]
groups:
  front: {applications: {web: {featureLabelSelector: {app: web}}}}
  back: {applications: {api: {featureLabelSelector: {app: api}}, web: {featureLabelSelector: {app: old}}}}
"""
COPY = "labels:\n- pairs: {gitops-promotion.xenit.io/feature: old}\nresources: []\n"
KUSTOMIZATION = "resources:\n- settings.yaml\n"
APPS = """\
pathTemplate: %s
environments: [{name: dev, auto: true}, {name: prod}]
groups:
  shop:
    applications:
      web: {featureLabelSelector: {app: web}}
      web-api: {featureLabelSelector: {app: web-api}}
      batch: {featureOverwrite: true}
"""


@pytest.fixture
def shop(make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", kustomize: str) -> "Shop":
    return make_shop(
        make_remote(
            {
                "gitops-promotion.yaml": SHARED,
                "deploy/dev/kustomization.yaml": f"{KUSTOMIZATION}- api-old\n- web-old\n",
                "deploy/dev/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
                "deploy/dev/api-old/kustomization.yaml": COPY,
                "deploy/dev/web-old/kustomization.yaml": COPY,
            }
        )
    )


def test_stale_copies_of_several_groups_in_one_folder_all_lose_their_entries(shop: "Shop") -> None:
    run = shop.run("feature-stale", "--max-age", "0s")
    assert run.results == ["merged"]
    assert shop.remote.show("deploy/dev/kustomization.yaml", "main") == KUSTOMIZATION
    assert sorted(shop.remote.files("main")) == [
        *("deploy/dev/kustomization.yaml", "deploy/dev/settings.yaml", "gitops-promotion.yaml")
    ]


@pytest.mark.parametrize("verb", [("feature", "--tag", "1"), ("feature-delete",)], ids=lambda verb: verb[0])
def test_b32_a_folder_that_another_group_shares_is_an_error(shop: "Shop", verb: tuple[str, ...]) -> None:
    run = shop.run(*verb, "--group", "back", "--app", "web", "--feature", "old", code=2)
    assert "feature 'old' of back/web and feature 'old' of front/web would share" in run.only["message"]


def application(name: str) -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n"
        f"  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec:\n      containers:\n      - name: web\n"
        f'        image: ghcr.io/acme/{name}:1.0.0 # {{"$imagepolicy": "shop:{name}"}}\n'
    )


@pytest.fixture
def shop_of_folders(
    make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", kustomize: str
) -> "Shop":
    files = {"gitops-promotion.yaml": APPS % "apps/{app}/{env}"}
    for name in ("web", "web-api", "batch"):
        for environment in ("dev", "prod"):
            files[f"apps/{name}/{environment}/kustomization.yaml"] = "resources:\n- app.yaml\n"
            files[f"apps/{name}/{environment}/app.yaml"] = application(name)
    return make_shop(make_remote(files))


def test_a_copy_is_in_the_folder_of_its_application(shop_of_folders: "Shop") -> None:
    shop = shop_of_folders
    start = shop.remote.sha("main")
    names = ("--group", "shop", "--app", "web", "--feature", "pr-1")
    assert shop.run("feature", *names, "--tag", "pr-1-a").results == ["merged"]
    changed = shop.remote.git("diff", "--name-only", start, "main").splitlines()
    assert changed == [
        "apps/web/dev/kustomization.yaml",
        "apps/web/dev/web-pr-1/deployment-web.yaml",
        "apps/web/dev/web-pr-1/kustomization.yaml",
    ]
    assert shop.run("feature", *names, "--tag", "pr-1-a").results == ["unchanged"]
    assert shop.run("feature-stale", "--max-age", "0s").results == ["merged"]
    assert shop.remote.git("diff", start, "main") == ""
    assert shop.run("feature-delete", *names).results == ["unchanged"]


@pytest.mark.parametrize("pattern", ["apps/{app}/{env}.yaml", "apps/**/{env}", "apps/*/{env}"])
def test_a_layout_without_one_folder_for_copies_is_an_error(
    pattern: str, make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]"
) -> None:
    path = {"apps/{app}/{env}.yaml": "apps/%s/%s.yaml"}.get(pattern, "apps/%s/%s/app.yaml")
    files = {path % (name, env): application(name) for name in ("web", "batch") for env in ("dev", "prod")}
    shop = make_shop(make_remote({"gitops-promotion.yaml": APPS % f"'{pattern}'", **files}))
    names = ("--group", "shop", "--app", "web", "--feature", "pr-1")
    before = shop.remote.git("for-each-ref")
    for verb in (("feature", *names, "--tag", "pr-1-a"), ("feature-delete", *names), ("feature-stale",)):
        message = shop.run(*verb, code=2).only["message"]
        assert message.startswith("a feature needs one folder of shop/web in dev, and the path of dev is ")
        assert pattern in message
    assert shop.remote.git("for-each-ref") == before
    overwritten = shop.run("feature", "--group", "shop", "--app", "batch", "--feature", "pr-1", "--tag", "2")
    assert overwritten.results == ["merged"], "overwriting needs no folder"
