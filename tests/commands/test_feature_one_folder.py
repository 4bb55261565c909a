"""Features where pathTemplate has no {group}, so that all groups have one folder and one kustomization."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.commands.conftest import Shop
    from tests.conftest import Remote

pytestmark = pytest.mark.kustomize

CONFIG = """\
pathTemplate: deploy/{env}
environments: [{name: dev, auto: true}]
groups:
  front: {applications: {web: {featureLabelSelector: {app: web}}}}
  back: {applications: {api: {featureLabelSelector: {app: api}}, web: {featureLabelSelector: {app: old}}}}
"""
COPY = "labels:\n- pairs: {gitops-promotion.xenit.io/feature: old}\nresources: []\n"
KUSTOMIZATION = "resources:\n- settings.yaml\n"


@pytest.fixture
def shop(make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", kustomize: str) -> "Shop":
    return make_shop(
        make_remote(
            {
                "gitops-promotion.yaml": CONFIG,
                "deploy/dev/kustomization.yaml": f"{KUSTOMIZATION}- api-old\n- web-old\n",
                "deploy/dev/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
                "deploy/dev/api-old/kustomization.yaml": COPY,
                "deploy/dev/web-old/kustomization.yaml": COPY,
            }
        )
    )


def test_stale_copies_of_groups_with_one_folder_all_lose_their_entries(shop: "Shop") -> None:
    run = shop.run("feature-stale", "--max-age", "0s")
    assert run.results == ["merged"]
    assert shop.remote.show("deploy/dev/kustomization.yaml", "main") == KUSTOMIZATION
    assert sorted(shop.remote.files("main")) == [
        *("deploy/dev/kustomization.yaml", "deploy/dev/settings.yaml", "gitops-promotion.yaml")
    ]


@pytest.mark.parametrize("verb", [("feature", "--tag", "1"), ("feature-delete",)], ids=lambda verb: verb[0])
def test_b32_a_folder_that_is_another_groups_too_is_an_error(shop: "Shop", verb: tuple[str, ...]) -> None:
    run = shop.run(*verb, "--group", "back", "--app", "web", "--feature", "old", code=2)
    assert "feature 'old' of back/web and feature 'old' of front/web would share" in run.only["message"]
