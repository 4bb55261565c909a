"""Where the Azure DevOps provider sends requests, with which token, and to nobody else."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitops_promotion.errors import UsageError
from gitops_promotion.providers import TokenQuery
from gitops_promotion.providers.azure_devops.address import Address
from gitops_promotion.providers.azure_devops.facts import token
from gitops_promotion.providers.choose import choose, find_token

CLOUD = "https://dev.azure.com/acme"
OLD = "https://acme.visualstudio.com"
SERVER = "https://tfs.corp.test/tfs/Main"
JOB = {"SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/"}
SERVER_JOB = {"SYSTEM_COLLECTIONURI": f"{SERVER}/"}


def parse(url: str, *, api_url: str = "", environ: Mapping[str, str] | None = None) -> Address:
    return Address.parse(url, api_url=api_url, environ=environ or {})


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "collection"),
        [
            ("https://dev.azure.com/acme/shop/_git/gitops", CLOUD),
            ("https://acme@dev.azure.com/acme/shop/_git/gitops", CLOUD),
            ("https://DEV.azure.com/acme/shop/_git/gitops/", CLOUD),
            ("http://dev.azure.com/acme/shop/_git/gitops", CLOUD),
            ("https://dev.azure.com/acme/shop/_git/_optimized/gitops", CLOUD),
            ("git@ssh.dev.azure.com:v3/acme/shop/gitops", CLOUD),
            ("ssh://git@ssh.dev.azure.com/v3/acme/shop/gitops", CLOUD),
            ("ssh://git@ssh.dev.azure.com:22/v3/acme/shop/gitops", CLOUD),
            ("https://acme.visualstudio.com/shop/_git/gitops", OLD),
            ("https://acme.visualstudio.com/DefaultCollection/shop/_git/gitops", OLD),
            ("acme@vs-ssh.visualstudio.com:v3/acme/shop/gitops", OLD),
            ("ssh://acme@vs-ssh.visualstudio.com:22/shop/_ssh/gitops", OLD),
            ("ssh://acme@vs-ssh.visualstudio.com:22/DefaultCollection/shop/_ssh/gitops", OLD),
            ("https://tfs.corp.test/tfs/Main/shop/_git/gitops", SERVER),
            ("https://ann@tfs.corp.test:8443/tfs/Main/shop/_git/gitops", "https://tfs.corp.test:8443/tfs/Main"),
            ("http://tfs.corp.test:8080/tfs/Main/shop/_git/gitops", "http://tfs.corp.test:8080/tfs/Main"),
            ("https://tfs.corp.test/Main/shop/_git/gitops", "https://tfs.corp.test/Main"),
            ("ssh://tfs.corp.test:22/tfs/Main/shop/_ssh/gitops", SERVER),
        ],
    )
    def test_b31_every_shape_of_a_remote_is_understood(self, url: str, collection: str) -> None:
        found = parse(url)
        assert (found.collection, found.project, found.repository) == (collection, "shop", "gitops")

    @pytest.mark.parametrize(
        ("url", "collection"),
        [
            ("https://dev.azure.com/acme/_git/gitops", CLOUD),
            ("https://acme.visualstudio.com/_git/gitops", OLD),
            ("https://acme.visualstudio.com/DefaultCollection/_git/gitops", OLD),
            ("https://tfs.corp.test/Main/_git/gitops", "https://tfs.corp.test/Main"),
            ("https://tfs.corp.test/tfs/Main/_git/gitops", SERVER),
        ],
    )
    def test_b31_a_short_address_names_the_project_of_the_same_name(self, url: str, collection: str) -> None:
        found = parse(url)
        assert (found.collection, found.project, found.repository) == (collection, "gitops", "gitops")

    @pytest.mark.parametrize(
        "url",
        [
            "https://dev.azure.com/acme/Web%20Shop/_git/g%C3%ADt%20ops",
            "https://dev.azure.com/acme/Web Shop/_git/gít ops",
            "git@ssh.dev.azure.com:v3/acme/Web%20Shop/g%C3%ADt%20ops",
        ],
    )
    def test_names_may_have_blanks_with_or_without_percent_encoding(self, url: str) -> None:
        found = parse(url)
        assert found.name == "Web Shop/gít ops"
        assert found.page(7) == f"{CLOUD}/Web%20Shop/_git/g%C3%ADt%20ops/pullrequest/7"

    @pytest.mark.parametrize(
        ("url", "project"),
        [
            ("https://tfs.corp.test/devops/Main/shop/_git/gitops", "shop"),
            ("https://tfs.corp.test/devops/Main/_git/gitops", "gitops"),
            ("ssh://git@tfs.corp.test:2222/devops/main/shop/_ssh/gitops", "shop"),
        ],
    )
    def test_the_runner_or_the_option_names_the_virtual_directory(self, url: str, project: str) -> None:
        collection = "https://tfs.corp.test/devops/Main"
        for found in (
            parse(url, environ={"SYSTEM_COLLECTIONURI": f"{collection}/"}),
            parse(url, api_url=f"{collection}/"),
        ):
            assert (found.collection, found.project, found.repository) == (collection, project, "gitops")

    def test_b10_the_runner_of_another_server_does_not_count(self) -> None:
        for environ in (JOB, {"SYSTEM_COLLECTIONURI": "https://evil.test/tfs/Main"}):
            assert parse("https://tfs.corp.test/tfs/Main/shop/_git/gitops", environ=environ).collection == SERVER
        assert parse("https://dev.azure.com/acme/shop/_git/gitops", environ=SERVER_JOB).collection == CLOUD

    @pytest.mark.parametrize(
        "url",
        [
            "https://dev.azure.com/acme/shop/gitops",
            "https://dev.azure.com/acme/shop/_git/",
            "https://dev.azure.com/acme/shop/_git/gitops/more",
            "https://dev.azure.com/a{x}b/shop/_git/gitops",
            "https://dev.azure.com/acme/sh{op}/_git/gitops",
            "https://dev.azure.com/acme/../_git/gitops",
            "https://dev.azure.com/acme/shop/_git/..%2Fgitops",
            "https://dev.azure.com/acme/shop/_git/git%0Aops",
            "https://dev.azure.com/acme/_git/_git/gitops",
            "https://dev.azure.com\\@evil.test/acme/shop/_git/gitops",
            "git@ssh.dev.azure.com:acme/shop/gitops",
            "git@ssh.dev.azure.com:v3/ac.me/shop/gitops",
            "https://tfs.corp.test/a/b/c/d/_git/gitops",
            "https://tfs.corp.test/_git/gitops",
            "https://[::1/acme/shop/_git/gitops",
            "/srv/git/_git/gitops",
            "",
        ],
    )
    def test_an_address_without_a_repository_is_refused_and_not_shown(self, url: str) -> None:
        with pytest.raises(UsageError, match=r"names no repository on Azure DevOps.*--api-url") as error:
            parse(url)
        assert "gitops" not in str(error.value)

    @pytest.mark.parametrize("api", ["ftp://x.test/a", "https://", "x.test/a", "https://u:p@x.test/a", "https://x/a?b"])
    def test_an_invalid_address_of_a_collection_is_refused(self, api: str) -> None:
        with pytest.raises(UsageError, match="--api-url or SYSTEM_COLLECTIONURI"):
            parse("https://tfs.corp.test/tfs/Main/shop/_git/gitops", api_url=api)


class TestToken:
    HERE = "https://dev.azure.com/acme/shop/_git/gitops"
    THERE = f"{SERVER}/shop/_git/gitops"

    @staticmethod
    def found(url: str, environ: Mapping[str, str], api_url: str = "") -> str:
        query = TokenQuery(
            url=url,
            api_url=api_url,
            environ=environ,
            now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
            sleep=lambda _: None,
        )
        return token(query)()

    @pytest.mark.parametrize(
        ("url", "environ", "api_url", "job", "pat"),
        [
            (HERE, {}, "", True, True),
            (HERE, JOB, "", True, True),
            ("git@ssh.dev.azure.com:v3/acme/shop/gitops", JOB, "", True, True),
            ("https://acme.visualstudio.com/shop/_git/gitops", JOB, "", True, True),
            (HERE, {"SYSTEM_COLLECTIONURI": "https://Acme.visualstudio.com/"}, "", True, True),
            (THERE, SERVER_JOB, "", True, True),
            (THERE, {}, SERVER, True, True),
            # Another organisation's job has no business here.
            ("https://dev.azure.com/other/shop/_git/gitops", JOB, "", False, True),
            # A token of one server is never shown to another.
            (HERE, SERVER_JOB, "", False, True),
            (THERE, JOB, "", False, False),
            (THERE, {}, "", False, False),
            (THERE, {}, "https://proxy.test/tfs/Main", False, False),
            ("https://dev.azure.com.evil.test/acme/shop/_git/gitops", {}, "", False, False),
            ("https://evilvisualstudio.com/acme/shop/_git/gitops", {}, "", False, False),
            ("https://evil.test/proj/_git/gitops", JOB, "", False, False),
        ],
    )
    def test_b10_of_the_environment_goes_to_its_own_server_only(
        self, url: str, environ: Mapping[str, str], api_url: str, job: bool, pat: bool
    ) -> None:
        assert self.found(url, {**environ, "SYSTEM_ACCESSTOKEN": " t\n"}, api_url) == ("t" if job else "")
        assert self.found(url, {**environ, "AZURE_DEVOPS_EXT_PAT": " t\n"}, api_url) == ("t" if pat else "")

    def test_a_configured_token_wins_over_the_jobs_own(self) -> None:
        both = {**JOB, "SYSTEM_ACCESSTOKEN": "job", "AZURE_DEVOPS_EXT_PAT": "mine"}
        assert self.found(self.HERE, both) == "mine"

    def test_a_variable_that_the_pipeline_does_not_have_is_no_token(self) -> None:
        assert self.found(self.HERE, {**JOB, "SYSTEM_ACCESSTOKEN": "$(System.AccessToken)"}) == ""

    @pytest.mark.parametrize(
        ("url", "option", "found"),
        [
            (HERE, "", "t"),
            (HERE, "azdo", "t"),
            (HERE, "local", ""),
            ("https://github.com/acme/gitops", "", ""),
            ("/srv/git/gitops.git", "", ""),
        ],
    )
    def test_b10_of_the_environment_is_for_azure_devops_only(self, url: str, option: str, found: str) -> None:
        query = TokenQuery(
            url=url,
            api_url="",
            environ={"SYSTEM_ACCESSTOKEN": "t"},
            now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
            sleep=lambda _: None,
        )
        assert find_token(query, option=option)() == found

    def test_b10_an_own_host_is_chosen_by_the_runner_or_by_name_only(self) -> None:
        assert choose(self.THERE, option="", configured="", environ=SERVER_JOB).name == "azdo"
        with pytest.raises(UsageError, match="choose --provider"):
            choose(self.THERE, option="", configured="", environ=JOB)


@pytest.mark.parametrize(
    ("collection", "directory"),
    [
        ("https://dev.azure.com/acme", "https://vssps.dev.azure.com/acme"),
        ("https://dev.azure.com/a%20b", "https://vssps.dev.azure.com/a%20b"),
        ("https://acme.visualstudio.com", "https://acme.vssps.visualstudio.com"),
        ("https://acme.visualstudio.com/DefaultCollection", "https://acme.vssps.visualstudio.com"),
        ("http://dev.azure.com/acme", None),
        ("https://dev.azure.com.evil.test/acme", None),
        ("https://dev.azure.com/acme/more", None),
        ("https://evil.test/dev.azure.com/acme", None),
        ("https://evil.test/visualstudio.com", None),
        ("https://azure.acme.test/tfs/Default", None),
    ],
)
def test_the_directory_is_microsofts_own_in_the_cloud_and_the_collection_elsewhere(
    collection: str, directory: str | None
) -> None:
    address = Address(host="h", collection=collection, project="p", repository="r")
    assert address.directory == replace(address, collection=directory or collection)
