"""The tokens that a person's programs have stored: for the remote's own host alone, and nobody is asked for one."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.git.credentials import stored_password
from gitops_promotion.git.process import Runner
from gitops_promotion.providers import registry
from gitops_promotion.workflow.stored_token import find_stored_token

if TYPE_CHECKING:
    from gitops_promotion.git import Repository

HOME = "https://github.com/acme/gitops.git"


class Stored:
    """A repository of which only the address and git's stored password are asked for."""

    def __init__(self, url: str, password: str = "") -> None:
        self.url = url
        self.password = password
        self.hosts: list[str] = []

    def stored_password(self, host: str) -> str:
        self.hosts.append(host)
        return self.password


@pytest.fixture
def gh(tmp_path: Path, environ: dict[str, str]) -> Callable[[str], dict[str, str]]:
    """Put a `gh` on the PATH that runs this script, and return the environment."""

    def install(script: str) -> dict[str, str]:
        program = tmp_path / "bin" / "gh"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {**environ, "PATH": f"{program.parent}:{environ['PATH']}"}

    return install


def find(
    repository: Stored, environ: dict[str, str], forge: str = "github", api_url: str = ""
) -> tuple[str, list[str]]:
    told: list[str] = []
    stored: Repository = repository  # type: ignore[assignment]  # it asks for no more
    token = find_stored_token(registry.forge(forge), stored, environ, told.append, api_url=api_url)
    return token, told


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (HOME, "github.com"),
        ("git@github.com:acme/gitops.git", "github.com"),
        ("ssh://git@ssh.github.com:443/acme/gitops.git", "github.com"),
        ("https://acme.ghe.com/acme/gitops", "acme.ghe.com"),
    ],
)
def test_gh_is_asked_for_the_host_of_the_remote(url: str, host: str, gh: Callable[[str], dict[str, str]]) -> None:
    environ = gh('[ "$*" = "auth token --hostname ' + host + '" ] && echo gho-1')
    assert find(Stored(url), environ) == ("gho-1", [f"using the token of gh auth token for {host}"])


@pytest.mark.parametrize("script", ["exit 1", "echo not logged in", "printf 'a\\nb\\n'", "printf '\\303\\244'", ":"])
def test_git_is_asked_where_gh_has_no_token(script: str, gh: Callable[[str], dict[str, str]]) -> None:
    repository = Stored(HOME, "pw-1")
    token, told = find(repository, gh(script))
    if script in ("exit 1", ":"):
        assert (token, told) == ("pw-1", ["using the token of git's credential helper for github.com"])
    else:
        assert token == ""


@pytest.mark.parametrize(
    ("url", "forge", "api_url"),
    [
        ("https://github.com.evil.test/acme/gitops", "github", ""),
        ("https://git.acme.test/acme/gitops", "github", ""),
        ("/srv/gitops.git", "local", ""),
        (HOME, "github", "https://proxy.test/api"),
        (HOME, "azdo", ""),
    ],
)
def test_no_token_is_looked_for_that_would_travel_elsewhere(
    url: str, forge: str, api_url: str, gh: Callable[[str], dict[str, str]]
) -> None:
    repository = Stored(url, "pw-1")
    assert find(repository, gh("echo gho-1"), forge, api_url) == ("", [])
    assert repository.hosts == []


def test_gh_gets_no_secret_of_the_environment(gh: Callable[[str], dict[str, str]], tmp_path: Path) -> None:
    environ = gh(f"env > {tmp_path}/seen; echo gho-1")
    secrets = {
        "GITHUB_APP_PRIVATE_KEY": "k-1",
        "NPM_TOKEN": "n-1",
        "AZURE_DEVOPS_EXT_PAT": "p-1",
        "GITOPS_PROMOTION_NOTIFY_OPS": "https://hooks.invalid/c-1",
    }
    find(Stored(HOME), {**environ, **secrets})
    seen = (tmp_path / "seen").read_text()
    assert "HOME=" in seen
    assert [value for value in secrets.values() if value in seen] == []


def test_git_gives_what_its_helper_has_stored_and_asks_nobody(tmp_path: Path, environ: dict[str, str]) -> None:
    helper = '!f() { cat > "$HOME/asked"; echo username=x; echo password=pw-1; }; f'
    config = Path(environ["HOME"]) / ".gitconfig"
    config.write_text(
        config.read_text()
        + f'[credential]\n\thelper = "{helper}"\n'.replace('"$HOME', '\\"$HOME').replace('asked"', 'asked\\"')
    )
    runner = Runner(tmp_path)
    assert stored_password(runner, "github.com", environ) == "pw-1"
    assert "host=github.com\n" in (Path(environ["HOME"]) / "asked").read_text()
    assert stored_password(runner, "github.com\nhost=evil", environ) == ""
    config.write_text("")
    assert stored_password(runner, "github.com", {**environ, "GIT_ASKPASS": "echo"}) == ""
