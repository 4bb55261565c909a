"""Where the GitHub provider sends requests, with which token, and to nobody else."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_promotion.errors import UsageError
from gitops_promotion.providers import TokenQuery
from gitops_promotion.providers.choose import find_token
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.facts import token

ACTIONS = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com"}
GHES = {"GITHUB_SERVER_URL": "https://ghe.corp.test", "GITHUB_API_URL": "https://ghe.corp.test/api/v3"}


def query(url: str, environ: Mapping[str, str], api_url: str = "") -> TokenQuery:
    return TokenQuery(
        url=url,
        api_url=api_url,
        environ=environ,
        now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
        sleep=lambda _: None,
    )


class TestAddress:
    @pytest.mark.parametrize(
        "url",
        [
            "https://github.com/acme/gitops",
            "https://github.com/acme/gitops.git",
            "https://github.com/acme/gitops/",
            "https://x-access-token@GitHub.com/acme/gitops.git",
            "http://github.com/acme/gitops",
            "git@github.com:acme/gitops.git",
            "git@github.com:acme/gitops",
            "github.com:acme/gitops.git",
            "org-123@github.com:acme/gitops.git",
            "ssh://git@github.com/acme/gitops.git",
            "ssh://git@ssh.github.com:443/acme/gitops.git",
            "git@ssh.github.com:acme/gitops.git",
            "git://github.com/acme/gitops",
        ],
    )
    def test_b24_every_kind_of_remote_is_understood(self, url: str) -> None:
        found = Address.parse(url, api_url="", environ=ACTIONS)
        assert (found.host, found.repository, found.api) == ("github.com", "acme/gitops", "https://api.github.com")

    @pytest.mark.parametrize(
        ("url", "api"),
        [
            ("https://ghe.corp.test/acme/gitops.git", "https://ghe.corp.test/api/v3"),
            ("https://ghe.corp.test:8443/acme/gitops.git", "https://ghe.corp.test:8443/api/v3"),
            ("http://ghe.corp.test:8080/acme/gitops.git", "http://ghe.corp.test:8080/api/v3"),
            ("git@ghe.corp.test:acme/gitops.git", "https://ghe.corp.test/api/v3"),
            ("ssh://git@ghe.corp.test:2222/acme/gitops.git", "https://ghe.corp.test/api/v3"),
            ("https://corp.ghe.com/acme/gitops", "https://api.corp.ghe.com"),
            ("git@corp.ghe.com:acme/gitops.git", "https://api.corp.ghe.com"),
        ],
    )
    def test_b24_enterprise_servers_and_data_residency_have_their_own_api(self, url: str, api: str) -> None:
        assert Address.parse(url, api_url="", environ={}).api == api

    @pytest.mark.parametrize(
        "url",
        [
            "https://github.com/acme",
            "https://github.com/acme/gitops/tree/main",
            "https://github.com//gitops",
            "https://github.com/acme/..",
            "https://github.com/acme/.git",
            "https://github.com/acme/git%2Fops",
            "https://github.com/acme/git ops",
            "https://github.com/acme/gitops?x=1#y/../../z ",
            "https://[::1/acme/gitops",
            "/srv/git/acme/gitops",
            "file:///acme/gitops",
            "",
        ],
    )
    def test_an_address_without_a_repository_is_refused_and_not_shown(self, url: str) -> None:
        with pytest.raises(UsageError, match=r"names no repository on GitHub.*`git remote set-url`") as error:
            Address.parse(url, api_url="", environ={})
        assert "gitops" not in str(error.value).replace("OWNER", "")

    def test_the_option_overrides_the_runners_variable(self) -> None:
        url = "https://ghe.corp.test/acme/gitops"
        assert Address.parse(url, api_url="https://api.corp.test/v3/", environ=GHES).api == "https://api.corp.test/v3"
        runner = GHES | {"GITHUB_API_URL": "https://other.corp.test/api/v3"}
        assert Address.parse(url, api_url="", environ=runner).api == "https://other.corp.test/api/v3"
        assert (
            Address.parse(url, api_url="", environ={"GITHUB_API_URL": "http://localhost:1"}).api == "http://localhost:1"
        )

    @pytest.mark.parametrize(
        "environ", [GHES, GHES | {"GITHUB_SERVER_URL": ""} | {"GITEA_ACTIONS": "true"}, {**ACTIONS, **GHES}]
    )
    def test_b10_another_servers_runner_does_not_get_this_remotes_token(self, environ: Mapping[str, str]) -> None:
        assert (
            Address.parse("https://github.com/acme/gitops", api_url="", environ=environ).api == "https://api.github.com"
        )

    @pytest.mark.parametrize(
        "api",
        ["ftp://x.test", "https://", "api.github.com", "https://user:pw@x.test", "https://x.test/?a=b", "https://x\n"],
    )
    def test_an_invalid_address_of_an_api_is_refused(self, api: str) -> None:
        with pytest.raises(UsageError, match="--api-url or GITHUB_API_URL"):
            Address.parse("https://github.com/acme/gitops", api_url=api, environ={})


class TestToken:
    HERE = "https://github.com/acme/gitops"
    THERE = "https://ghe.corp.test/acme/gitops"

    @pytest.mark.parametrize(
        ("url", "environ", "api_url", "found"),
        [
            (HERE, {}, "", "t"),
            (HERE, ACTIONS, "", "t"),
            ("git@github.com:acme/gitops", ACTIONS, "", "t"),
            ("https://corp.ghe.com/acme/gitops", {}, "", "t"),
            (THERE, GHES, "", "t"),
            (THERE, {}, "https://ghe.corp.test/api/v3", "t"),
            # A token of one server is never shown to another.
            (HERE, GHES, "", ""),
            (THERE, ACTIONS, "", ""),
            (THERE, {}, "", ""),
            (THERE, {}, "https://proxy.test/api/v3", ""),
            ("https://corp.ghe.com/acme/gitops", ACTIONS, "", ""),
            ("https://github.com.evil.test/acme/gitops", ACTIONS, "", ""),
            ("https://evilghe.com/acme/gitops", {}, "", ""),
        ],
    )
    def test_b10_of_the_environment_goes_to_its_own_server_only(
        self, url: str, environ: Mapping[str, str], api_url: str, found: str
    ) -> None:
        assert token(query(url, {**environ, "GITHUB_TOKEN": " t\n"}, api_url))() == found

    @pytest.mark.parametrize(
        ("url", "option", "found"),
        [
            (HERE, "", "t"),
            (HERE, "github", "t"),
            (HERE, "local", ""),
            ("https://dev.azure.com/o/p/_git/r", "", ""),
            ("https://git.example.test/acme/gitops", "", ""),
            ("https://git.example.test/acme/gitops", "github", ""),
            ("/srv/git/gitops.git", "", ""),
        ],
    )
    def test_b10_of_the_environment_is_for_github_only(self, url: str, option: str, found: str) -> None:
        assert find_token(query(url, {"GITHUB_TOKEN": "t"}), option=option)() == found

    @pytest.mark.parametrize("missing", ["GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"])
    def test_half_an_app_is_refused(self, missing: str) -> None:
        both = {"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": "-----BEGIN hunter2", "GITHUB_TOKEN": "t"}
        with pytest.raises(UsageError, match=f"{missing} is missing") as error:
            token(query(self.HERE, {key: value for key, value in both.items() if key != missing}))
        assert "hunter2" not in str(error.value)

    @pytest.mark.parametrize("key", ["hunter2", "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n", "/no/such/hunter2", "\0"])
    def test_a_damaged_private_key_is_one_clear_line_without_it(self, key: str) -> None:
        with pytest.raises(UsageError, match=r"GITHUB_APP_PRIVATE_KEY .*: download") as error:
            token(query(self.HERE, {"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": key}))
        assert "hunter2" not in str(error.value)
        assert "\n" not in str(error.value)

    def test_a_folder_is_no_private_key(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="neither a private key"):
            token(query(self.HERE, {"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": str(tmp_path)}))

    def test_an_apps_key_is_not_used_for_another_server(self) -> None:
        environ = {**GHES, "GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": "damaged"}
        assert token(query(self.HERE, environ))() == ""
