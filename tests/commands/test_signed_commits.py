"""Signed commits through the verbs: all that the tool makes are signed, and one that cannot be changes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import refs

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

SIGN = (
    "echo '[GNUPG:] SIG_CREATED ' >&2\n"
    "cat > /dev/null\necho '-----BEGIN PGP SIGNATURE-----'\necho '-----END PGP SIGNATURE-----'\n"
)
FAIL = "echo 'gpg: signing failed: No secret key' >&2\nexit 2\n"


@pytest.fixture
def sign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Let git sign all commits by a program that runs this script."""

    def write(script: str) -> None:
        program = tmp_path / "gpg"
        program.write_text(f"#!/bin/sh\n{script}")
        program.chmod(0o755)
        for number, (key, value) in enumerate([("commit.gpgSign", "true"), ("gpg.program", str(program))]):
            monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
        monkeypatch.setenv("GIT_CONFIG_COUNT", "2")

    return write


def unsigned(shop: "Shop", *names: str) -> list[str]:
    """Return the subjects of the commits that these branches have beyond the first one, and that have no signature."""
    shas = shop.remote.git("rev-list", *names, "--not", START).split()
    commits = {sha: shop.remote.git("cat-file", "commit", sha) for sha in shas}
    assert commits
    return [commit.partition("\n\n")[2].partition("\n")[0] for commit in commits.values() if "\ngpgsig " not in commit]


START = "refs/start"


def test_every_commit_on_the_way_to_prod_is_signed(
    shop: "Shop", config: Callable[..., str], sign: Callable[[str], None]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(True, True, True))})
    shop.flux("prod")
    shop.remote.git("update-ref", START, "main")
    sign(SIGN)
    assert shop.new("1.4.2").results == ["merged"]
    for environment in ("dev", "qa"):
        number = shop.run("promote").only["pull_request"]["number"]
        shop.flux(environment)
        assert shop.check(number).results == ["passed"]
    assert shop.tags() == ("1.4.2", "1.4.2", "1.4.2")
    application = ("--group", "webshop", "--app", "webui")
    for words in (
        ["rollback", *application, "--env", "prod"],
        ["hold", *application, "--env", "qa", "--reason", "Sale"],
    ):
        number = shop.run(*words).only["pull_request"]["number"]
        shop.run("status", "--publish", "--pr", str(number))
    assert shop.tags() == ("1.4.2", "1.4.2", "1.0.0")
    assert unsigned(shop, "main") == []


def test_a_commit_on_top_of_a_branch_is_signed(
    shop: "Shop", config: Callable[..., str], sign: Callable[[str], None]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.remote.git("update-ref", START, "main")
    shop.remote.git("config", "receive.denyNonFastForwards", "true")
    sign(SIGN)
    shop.new("1.4.2")
    shop.edit({"README.md": "# Other work\n"})
    assert shop.new("1.5.0").results == ["updated"]
    assert unsigned(shop, "promote/webshop-webui", "^main") == []


def test_a_commit_that_cannot_be_signed_changes_nothing(shop: "Shop", sign: Callable[[str], None]) -> None:
    shop.opened("1.4.2")
    before = refs.read_refs(shop.remote.path)
    sign(FAIL)
    failed = shop.new("1.4.3", code=5)
    assert "git cannot sign the commit" in failed.stderr
    assert "set commit.gpgSign to false" in failed.stderr
    assert refs.read_refs(shop.remote.path) == before


def test_a_failure_after_auto_merge_was_disabled_says_so(shop: "Shop", sign: Callable[[str], None]) -> None:
    shop.opened("1.4.2")
    shop.remote.git("config", "receive.denyNonFastForwards", "true")
    sign(f'if [ -e "$0.once" ]; then\n{FAIL}fi\ntouch "$0.once"\n{SIGN}')
    failed = shop.new("1.4.3", code=5).stderr
    assert "git cannot sign the commit" in failed
    assert failed.rstrip().endswith("; auto-merge of pull request #2 is off now")


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_plain_git_cannot_make_the_commits_of_a_forge(
    more: tuple[str, ...], shop: "Shop", config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(more="commitSigning: forge\n")})
    before = refs.read_refs(shop.remote.path)
    failed = shop.new("1.4.2", *more, code=2).only["message"]
    assert "needs a forge that makes commits, and local makes none: remove the key" in failed
    assert refs.read_refs(shop.remote.path) == before


def test_a_configuration_that_signs_nothing_asks_for_no_key(
    shop: "Shop", config: Callable[..., str], sign: Callable[[str], None]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(more="commitSigning: off\n")})
    sign(FAIL)
    assert shop.new("1.4.2").results == ["merged"]


def test_looking_asks_for_no_key(shop: "Shop", sign: Callable[[str], None]) -> None:
    shop.opened("1.4.2")
    shop.flux("dev")
    sign(FAIL)
    assert shop.run("promote").results == ["unchanged"]
    assert shop.run("promote", "--dry-run").results == ["planned"]
