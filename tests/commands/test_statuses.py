"""Whose statuses open a gate: patterns of one environment, required statuses, clusters, and names that collide."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop
    from tests.conftest import Remote

APPS = """\
pathTemplate: apps/{env}
environments:
  - {name: staging, auto: true, statusContext: kustomization/apps/aaaa1111}
  - {name: production, auto: true, statusContext: kustomization/apps/bbbb2222}
"""
LIST = "environments:\n  - {name: dev, auto: true%s}\n  - {name: qa, auto: true}\n"


def status(shop: "Shop", context: str, state: str = "success") -> None:
    shop.local("set-status", "main", context, state)


@pytest.fixture
def apps(
    make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", manifest: Callable[..., str]
) -> "Shop":
    """Two clusters, and in both a Kustomization with the name apps."""
    files = {f"apps/{env}/webui.yaml": manifest("webui", "1.0.0") for env in ("staging", "production")}
    return make_shop(make_remote({"gitops-promotion.yaml": APPS, **files}))


@pytest.fixture
def pair(
    make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", manifest: Callable[..., str]
) -> "Callable[[str], Shop]":
    """Return the shop with these further keys in dev, and version 2 on its way from dev to qa as #2."""

    def make(keys: str) -> "Shop":
        files = {f"webshop/{env}/webui.yaml": manifest("webui", "1.0.0") for env in ("dev", "qa")}
        shop = make_shop(make_remote({"gitops-promotion.yaml": LIST % keys, **files}))
        shop.new("2")
        assert shop.run("promote").results == ["opened"]
        return shop

    return make


def test_the_status_of_an_environments_own_context_opens_its_gate_and_no_other(apps: "Shop") -> None:
    apps.new("2")
    apps.run("promote")
    status(apps, "kustomization/apps/bbbb2222")
    status(apps, "kustomization/apps/cccc3333")
    assert "nothing matching kustomization/apps/aaaa1111" in apps.check(2, code=4).only["reasons"][0]
    status(apps, "kustomization/apps/aaaa1111", "failure")
    assert apps.check(2, code=3).results == ["refused"]
    status(apps, "Kustomization/Apps/AAAA1111")
    assert apps.check(2).results == ["passed"]


def test_one_context_for_two_environments_is_an_error_of_every_verb(apps: "Shop") -> None:
    apps.edit({"gitops-promotion.yaml": APPS.replace("bbbb2222", "aaaa1111")})
    for verb in (["promote", "--all"], ["new", "--group", "webshop", "--app", "webui", "--tag", "2"]):
        assert (
            "gitops-promotion.yaml:4: production and staging have statuses of the same"
            in apps.run(*verb, code=2).stderr
        )


def test_an_own_context_that_names_another_environments_kustomization_is_an_error_of_the_gate(
    pair: "Callable[[str], Shop]",
) -> None:
    shop = pair(", statusContext: kustomization/webshop-qa/2fb0a5b0")
    status(shop, "kustomization/webshop-qa/2fb0a5b0")
    run = shop.check(2, code=2)
    assert "the statuses of webshop in dev and of webshop in qa have the same name" in run.stderr


def test_a_pattern_that_takes_the_statuses_of_others_is_named_in_a_warning(pair: "Callable[[str], Shop]") -> None:
    shop = pair("")
    shop.edit({"gitops-promotion.yaml": LIST % "" + "statusContext: '*/*-{env}/*'\n"})
    [warning] = shop.check(2, code=4).only["warnings"]
    assert warning.startswith(
        "gitops-promotion.yaml:4: statusContext is '*/*-{env}/*': its * takes the statuses of other "
    )


def test_applications_whose_statuses_have_one_name_are_an_error_that_says_how_to_tell_them_apart(
    pair: "Callable[[str], Shop]", manifest: Callable[..., str]
) -> None:
    shop = pair("")
    shop.edit({"gitops-promotion.yaml": LIST % "" + "statusContext: 'cd/{app}-{env}'\n"})
    status(shop, "cd/webui-dev")
    shop.edit({"blog/dev/webui.yaml": manifest("webui", "1", "blog")})
    run = shop.check(2, code=2)
    assert "the statuses of webshop/webui in dev and of blog/webui in dev have the same name" in run.stderr
    assert "such as */{group}/{app}/{env}" in run.stderr
    shop.edit({"gitops-promotion.yaml": LIST % "" + "statusContext: 'cd/{group}-{app}-{env}'\n"})
    status(shop, "cd/webshop-webui-dev")
    assert shop.check(2).results == ["passed"]


def test_a_status_of_another_system_holds_what_leaves_the_environment(pair: "Callable[[str], Shop]") -> None:
    shop = pair(", requiredContexts: [integration tests]")
    shop.flux("dev")
    reasons = shop.check(2, code=4).only["reasons"]
    assert reasons == [
        "status gate of dev: webshop/webui 2 is waiting for the status integration tests, which requiredContexts of "
        "dev demands"
    ]
    status(shop, "Integration Tests", "failure")
    assert shop.check(2, code=3).results == ["refused"]
    status(shop, "Integration Tests")
    assert shop.check(2).results == ["passed"]


def test_the_clusters_of_an_environment_decide(pair: "Callable[[str], Shop]") -> None:
    shop = pair(", clusters: [aaaa1111, bbbb2222]")
    status(shop, "kustomization/webshop-dev/aaaa1111")
    status(shop, "kustomization/webshop-dev/gone0000", "failure")
    assert "no report yet of bbbb2222" in shop.check(2, code=4).only["reasons"][0]
    status(shop, "kustomization/webshop-dev/bbbb2222")
    assert shop.check(2).results == ["passed"]


def test_a_decommissioned_cluster_is_dropped_by_one_edit(
    make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", manifest: Callable[..., str]
) -> None:
    files = {f"webshop/{env}/webui.yaml": manifest("webui", "1.0.0") for env in ("dev", "qa")}
    shop = make_shop(make_remote({"gitops-promotion.yaml": LIST % "", **files}))
    for cluster in ("aaaa1111", "gone0000"):
        status(shop, f"kustomization/webshop-dev/{cluster}")
    shop.new("2")
    shop.run("promote")
    status(shop, "kustomization/webshop-dev/aaaa1111")
    assert "waiting for kustomization/webshop-dev/gone0000" in shop.check(2, code=4).only["reasons"][0]
    shop.edit({"gitops-promotion.yaml": LIST % ", clusters: 1"})
    assert shop.check(2).results == ["passed"]
