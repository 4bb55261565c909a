"""`new --verify` and `--pin` (docs/images.md), on a registry of the loopback interface."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.registry.server import Answer, Registry, serving

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

DEV = "webshop/dev/webui.yaml"


@pytest.fixture
def registry(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that has the webshop's image, and dev runs it from there."""
    monkeypatch.setenv("DOCKER_CONFIG", str(shop.tmp_path))
    with serving(Registry()) as served:
        text = shop.remote.show(DEV, "main")
        shop.edit({DEV: text.replace("ghcr.io", served.host)})
        yield served


def verifying(shop: "Shop", config: Callable[..., str], word: str) -> None:
    shop.edit({"gitops-promotion.yaml": config(more=f"verifyImage: {word}\n")})


def test_an_image_that_is_there_is_promoted_and_one_that_is_not_writes_nothing(
    shop: "Shop", registry: Registry
) -> None:
    registry.push("webshop/webui", "1.4.2")
    before = shop.remote.git("for-each-ref")
    failed = shop.new("1.4.3", "--verify", code=2)
    assert failed.only["message"].startswith(f"{registry.host}/webshop/webui:1.4.3 is not there")
    assert shop.new("1.4.3", "--verify", "--dry-run", code=2).results == ["failed"]
    assert shop.remote.git("for-each-ref") == before
    assert shop.new("1.4.2", "--verify").results == ["merged"]
    assert ":1.4.2 # {" in shop.remote.show(DEV, "main"), "not pinned"
    requests = len(registry.requests)
    assert shop.new("1.4.2", "--verify").results == ["unchanged"]
    assert len(registry.requests) == requests, "a tag that is there is not asked for"


def test_the_registry_is_asked_only_on_demand(shop: "Shop", registry: Registry) -> None:
    assert shop.new("1.4.2").results == ["merged"]
    assert registry.requests == []


def test_pin_writes_the_digest_of_the_index(shop: "Shop", registry: Registry) -> None:
    digest = registry.push("webshop/webui", "1.4.2")
    assert shop.new("1.4.2", "--pin").only["tag"] == f"1.4.2@{digest}"
    assert f"webui:1.4.2@{digest} #" in shop.remote.show(DEV, "main")
    assert shop.new("1.4.2", "--pin").results == ["unchanged"]
    assert len(registry.requests) == 1


def test_a_digest_that_was_given_is_the_one_that_is_asked_for(shop: "Shop", registry: Registry) -> None:
    digest = registry.push("webshop/webui", "1.4.2")
    assert shop.new(f"1.4.2@sha256:{'a' * 64}", "--pin", code=2).results == ["failed"]
    assert shop.new(f"1.4.2@{digest}", "--verify").results == ["merged"]


def test_a_registry_without_an_answer_fails_the_run_or_is_a_warning(
    shop: "Shop", registry: Registry, config: Callable[..., str]
) -> None:
    registry.instead["/v2/webshop/webui/manifests/1.4.2"] = Answer(status=503)
    verifying(shop, config, "true")
    assert "answers 503" in shop.new("1.4.2", code=6).only["message"]
    verifying(shop, config, "warn")
    assert shop.new("1.4.2", "--pin", code=6).results == ["failed"], "there is no digest to write"
    outcome = shop.new("1.4.2").only
    assert outcome["result"] == "merged"
    assert "could not verify" in outcome["warnings"][0]
    assert shop.new("1.4.3", code=2).results == ["failed"], "not there is an answer"


def test_one_digest_cannot_pin_different_images(shop: "Shop", registry: Registry) -> None:
    registry.push("webshop/webui", "1.4.2", labels={"a": "1"})
    registry.push("webshop/jobs", "1.4.2", labels={"a": "2"})
    text = shop.remote.show(DEV, "main")
    job = f'kind: Job\nspec:\n  image: {registry.host}/webshop/jobs:1.0.0 # {{"$imagepolicy": "webshop:webui"}}\n'
    shop.edit({DEV: f"{text}---\n{job}"})
    assert "cannot write one digest" in shop.new("1.4.2", "--pin", code=2).only["message"]
    assert shop.new("1.4.2", "--verify").results == ["merged"]


def test_a_marker_whose_image_cannot_be_told_is_an_error(shop: "Shop", registry: Registry) -> None:
    shop.edit({DEV: 'tag: 1.0.0 # {"$imagepolicy": "webshop:webui:tag"}\n'})
    assert f"{DEV}:1: cannot tell which image" in shop.new("1.4.2", "--verify", code=2).only["message"]
    assert registry.requests == []


def test_no_secret_of_the_registry_is_printed(shop: "Shop", registry: Registry) -> None:
    registry.login, registry.users = "token", {"ann": "s3cret-of-ann"}
    registry.push("webshop/webui", "1.4.2")
    (shop.tmp_path / "config.json").write_text(
        f'{{"auths": {{"{registry.host}": {{"username": "ann", "password": "s3cret-of-ann"}}}}}}'
    )
    done = shop.new("1.4.2", "--verify", "--verbose")
    assert done.results == ["merged"]
    assert "/token" in done.stderr
    assert "s3cret-of-ann" not in done.stdout + done.stderr
    assert "t0ken-of-the-registry" not in done.stdout + done.stderr
