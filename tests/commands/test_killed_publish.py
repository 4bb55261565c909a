"""A run of `status --publish` on plain git that ends between the verdict and the merge."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop


@pytest.fixture
def green_and_armed(shop: "Shop") -> "Shop":
    """A promotion into qa is armed and its verdict is a success, but nobody has merged it."""
    branch = shop.opened("1.4.2")
    shop.flux("dev")
    head = shop.remote.sha(branch)
    reason = f"status gate of dev: webshop/webui 1.4.2 is healthy (kustomization/webshop-dev/2fb0a5b0 on {head[:7]})"
    status = {"context": "gitops-promotion", "state": "success", "description": reason, "url": "", "author": "ci"}
    status["created_at"] = "2026-01-01T00:00:00+00:00"
    record = json.dumps({"version": 1, "nonce": "n", "sha": head, "statuses": [status]})
    blob = shop.remote.git("hash-object", "-w", "--stdin", stdin=record)
    shop.remote.git("update-ref", f"refs/gitops-promotion/statuses/{head}", blob)
    assert shop.tags() == ("1.4.2", "1.0.0", "1.0.0")
    return shop


@pytest.mark.parametrize("verb", [("status", "--publish"), ("promote", "--all"), ("promote",)])
def test_the_next_run_merges_what_is_armed_and_green(green_and_armed: "Shop", verb: tuple[str, ...]) -> None:
    assert green_and_armed.run(*verb).results == ["merged"]
    assert green_and_armed.tags() == ("1.4.2", "1.4.2", "1.0.0")


@pytest.mark.parametrize("verb", [("status", "--publish"), ("promote", "--all")])
def test_what_is_no_longer_healthy_is_not_merged(green_and_armed: "Shop", verb: tuple[str, ...]) -> None:
    green_and_armed.flux("dev", "failure")
    green_and_armed.run(*verb)
    assert green_and_armed.tags() == ("1.4.2", "1.0.0", "1.0.0")
