"""Limits of what a registry and docker's configuration may say (docs/limits.md)."""

import json
from pathlib import Path

from gitops_promotion.registry import auth, credentials, manifests


def test_labels_have_a_number_and_a_length() -> None:
    labels = {f"l{number}": "x" * (manifests._MAX_VALUE + 1) for number in range(manifests._MAX_LABELS + 1)}
    read = manifests.read_labels(json.dumps({"config": {"Labels": labels}}).encode())
    assert len(read) == manifests._MAX_LABELS
    assert {len(text) for text in read.values()} == {manifests._MAX_VALUE}


def test_a_token_may_be_as_long_as_its_limit() -> None:
    assert auth.read_token(json.dumps({"token": "x" * auth._MAX_TOKEN}).encode())
    assert auth.read_token(json.dumps({"token": "x" * (auth._MAX_TOKEN + 1)}).encode()) == ""


def test_dockers_configuration_may_be_as_large_as_its_limit(tmp_path: Path) -> None:
    text = json.dumps({"auths": {"registry.example": {"auth": "YTpi"}}})
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    for size, found in ((credentials._MAX_BYTES, True), (credentials._MAX_BYTES + 1, False)):
        (tmp_path / "config.json").write_text(text[:-1].ljust(size - 1) + "}")
        assert bool(credentials.find_credentials("registry.example", environ, seconds=lambda: 1.0)) is found
