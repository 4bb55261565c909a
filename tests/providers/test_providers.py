"""Which provider is chosen, how it is found, and when a call is repeated."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gitops_promotion.errors import AuthError, ProviderError, TransientError, UsageError
from gitops_promotion.providers import Connection, TokenQuery
from gitops_promotion.providers.choose import choose, find_token
from gitops_promotion.providers.facts import Forge
from gitops_promotion.providers.http import ATTEMPTS, PATIENCE, Repeats, retrying
from gitops_promotion.providers.registry import FORGES, PROVIDERS, TOKENS, connect, forge, names
from tests.providers.no_store import NoStore

GHES = {"GITHUB_SERVER_URL": "https://ghe.corp.test"}
SERVER = {"SYSTEM_COLLECTIONURI": "https://tfs.corp.test:8080/tfs/DefaultCollection/"}


class TestChoosing:
    @pytest.mark.parametrize(
        ("url", "environ", "name"),
        [
            ("https://github.com/org/repo.git", {}, "github"),
            ("https://user:secret@GitHub.com/org/repo", {}, "github"),
            ("git@github.com:org/repo.git", {}, "github"),
            ("ssh://git@github.com/org/repo.git", {}, "github"),
            ("ssh://git@ssh.github.com:443/org/repo.git", {}, "github"),
            ("git://github.com/org/repo", {}, "github"),
            ("https://ghe.corp.test/org/repo", GHES, "github"),
            ("https://corp.ghe.com/org/repo", {}, "github"),
            ("git@ghe.corp.test:org/repo", GHES, "github"),
            ("https://github.com/org/repo", GHES, "github"),
            ("https://dev.azure.com/org/project/_git/repo", {}, "azdo"),
            ("https://org@dev.azure.com/org/project/_git/repo", {}, "azdo"),
            ("git@ssh.dev.azure.com:v3/org/project/repo", {}, "azdo"),
            ("https://org.visualstudio.com/project/_git/repo", {}, "azdo"),
            ("org@vs-ssh.visualstudio.com:v3/org/project/repo", {}, "azdo"),
            ("https://tfs.corp.test:8080/tfs/DefaultCollection/project/_git/repo", SERVER, "azdo"),
            ("/srv/git/repo.git", {}, "local"),
            ("../repo.git", {}, "local"),
            ("repo.git", {}, "local"),
            ("./odd:name", {}, "local"),
            ("/srv/github.com:x", {}, "local"),
            ("file:///srv/git/repo.git", {}, "local"),
            ("FILE:///srv/git/repo.git", {}, "local"),
        ],
    )
    def test_the_remotes_url_chooses(self, url: str, environ: Mapping[str, str], name: str) -> None:
        assert choose(url, option="", configured="", environ=environ).name == name

    @pytest.mark.parametrize(
        ("url", "environ"),
        [
            ("https://git.example.com/org/repo", {}),
            ("https://git.example.com/org/repo", GHES | SERVER),
            ("https://ghe.corp.test/org/repo", {}),
            ("https://github.com.evil.test/org/repo", {}),
            ("https://notgithub.com/org/repo", {}),
            ("https://evilghe.com/org/repo", {}),
            ("https://github.com@evil.test/org/repo", {}),
            ("https://evil.test\\@github.com/org/repo", {}),
            ("https://git\thub.com/org/repo", {}),
            ("https://evilvisualstudio.com/p/_git/r", {}),
            # An owner or a folder is no host (docs/migrating.md, B10).
            ("https://evil.test/dev.azure.com/p/_git/r", {}),
            ("github.com@evil.test:org/repo", {}),
            ("https://[::1/org/repo", {}),
            ("https:///org/repo", {}),
            ("ext::sh -c 'touch x'", {}),
            ("", {}),
            ("", {"GITHUB_SERVER_URL": "", "SYSTEM_COLLECTIONURI": ""}),
            ("https:///org/repo", {"GITHUB_SERVER_URL": "https:///"}),
            # Forgejo and Gitea set this variable to themselves.
            ("https://forgejo.test/o/r", {"GITHUB_SERVER_URL": "https://forgejo.test", "GITEA_ACTIONS": "true"}),
        ],
    )
    def test_b10_no_guess_is_made_about_any_other_host(self, url: str, environ: Mapping[str, str]) -> None:
        with pytest.raises(UsageError, match="--provider azdo, github or local") as error:
            choose(url, option="", configured="", environ=environ)
        assert "\n" not in str(error.value)

    def test_the_option_wins_over_the_configuration_and_that_over_the_remote(self) -> None:
        url = "https://github.com/org/repo"
        assert choose(url, option="local", configured="azdo", environ={}).name == "local"
        assert choose(url, option="", configured="azdo", environ={}).name == "azdo"

    def test_a_long_host_or_name_is_shortened(self, connection: Connection) -> None:
        with pytest.raises(UsageError) as of_host:
            choose(f"https://{'x' * 9999}.test/x", option="", configured="", environ={})
        with pytest.raises(UsageError) as of_name:
            connect("x" * 9999, connection)
        assert max(len(str(of_host.value)), len(str(of_name.value))) < 400

    def test_an_error_shows_no_credentials(self) -> None:
        with pytest.raises(UsageError) as error:
            choose("https://user:hunter2@git.example.com/x", option="", configured="", environ={})
        assert "hunter2" not in str(error.value)
        assert "'git.example.com'" in str(error.value)


@pytest.fixture
def connection() -> Connection:
    return Connection(
        store=NoStore(),
        url="https://user:hunter2@git.example.com/x",
        token=lambda: "hunter3",
        author="Ann",
        environ={"SECRET": "hunter4"},
        now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
        sleep=lambda _: None,
        nonce=lambda: "n",
    )


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package that registers one forge: its name, the forge's name, the object that the entry point names."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install_one(package: str, name: str, target: str, *, group: str = PROVIDERS, source: str = "") -> None:
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
        if source:
            (tmp_path / f"{package}.py").write_text(source)

    return install_one


OUTSIDE_TOKEN = """
def token(query):
    return lambda: "from outside"
"""

PLUG_IN = """
from gitops_promotion.providers.facts import Forge
from gitops_promotion.providers.local.facts import connect
FORGE = Forge(
    name="forgejo",
    connect=connect,
    claims=lambda host, environ: host == "code.forgejo.test",
    token=lambda query: lambda: query.environ.get("FORGEJO_TOKEN", ""),
    git_user="forgejo-user",
)
"""


class TestRegistry:
    def test_every_built_in_forge_is_registered_and_loads(self) -> None:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
        points = project["project"]["entry-points"][FORGES]
        assert set(points) == {"azdo", "github", "local"}
        for name, value in points.items():
            loaded = EntryPoint(name=name, value=value, group=FORGES).load()
            assert isinstance(loaded, Forge)
            assert loaded == forge(name)
            assert loaded.name == name

    def test_facts_load_no_sdk(self, tmp_path: Path) -> None:
        code = """
import sys
from datetime import UTC, datetime
from gitops_promotion.providers import Connection, TokenQuery, registry
from gitops_promotion.providers.choose import find_token
registry.forges()
url = sys.argv[1]
now = lambda: datetime.now(UTC)
query = TokenQuery(url=url, api_url="", environ={"GITHUB_TOKEN": "t"}, now=now, sleep=print)
assert find_token(query, option="")() == ""
registry.connect("local", Connection(
    store=None, url=url, token=str, author="", environ={}, now=now, sleep=print, nonce=str
))
print([name for name in ("github", "requests", "azure", "msrest", "tenacity") if name in sys.modules])
"""
        run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
        assert run.stdout == "[]\n", run.stderr

    def test_a_plug_in_forge_brings_its_own_host_token_and_git_user(
        self, install: Install, connection: Connection
    ) -> None:
        install("forgejo_plugin", "forgejo", "forgejo_plugin:FORGE", group=FORGES, source=PLUG_IN)
        url = "https://code.forgejo.test/acme/gitops"
        assert choose(url, option="", configured="", environ={}).name == "forgejo"
        assert choose("https://github.com/acme/gitops", option="", configured="", environ={}).name == "github"
        assert "forgejo" in names()
        query = TokenQuery(
            url=url, api_url="", environ={"FORGEJO_TOKEN": "t"}, now=connection.now, sleep=connection.sleep
        )
        assert find_token(query, option="")() == "t"
        assert forge("forgejo").git_user == "forgejo-user"
        assert connect("forgejo", connection).publishes

    def test_a_host_that_two_forges_claim_is_no_ones(self, install: Install) -> None:
        source = PLUG_IN.replace("code.forgejo.test", "github.com")
        install("forgejo_greedy", "forgejo", "forgejo_greedy:FORGE", group=FORGES, source=source)
        with pytest.raises(UsageError, match=r"'github\.com' .* is claimed by forgejo and github: choose --provider"):
            choose("https://github.com/acme/gitops", option="", configured="", environ={})

    def test_a_plug_in_that_does_not_load_keeps_nobody_else_from_being_chosen(
        self, install: Install, caplog: pytest.LogCaptureFixture
    ) -> None:
        install("broken", "broken", "no_such_sdk:FORGE", group=FORGES)
        assert choose("https://github.com/acme/gitops", option="", configured="", environ={}).name == "github"
        assert "provider 'broken' cannot be loaded" in caplog.text

    def test_a_package_without_facts_is_a_provider_by_name(self, install: Install, connection: Connection) -> None:
        install("outsider", "elsewhere", "gitops_promotion.providers.local.provider:connect")
        install("outsider_tokens", "elsewhere", "outsider_tokens:token", group=TOKENS, source=OUTSIDE_TOKEN)
        assert connect("elsewhere", connection).publishes
        query = TokenQuery(url="https://x.test/y", api_url="", environ={}, now=connection.now, sleep=connection.sleep)
        assert find_token(query, option="elsewhere")() == "from outside"
        assert find_token(query, option="")() == ""

    def test_an_unknown_name_lists_the_installed_ones(self, install: Install, connection: Connection) -> None:
        install("outsider", "elsewhere", "gitops_promotion.providers.local.provider:connect")
        with pytest.raises(UsageError, match=r"no provider 'gitlab': .*\(azdo, elsewhere, github, local\)"):
            connect("gitlab", connection)

    @pytest.mark.parametrize("target", ["no_such_sdk:connect", "gitops_promotion.providers.local:no_such"])
    def test_one_that_cannot_be_imported_is_one_clear_line(
        self, install: Install, connection: Connection, target: str
    ) -> None:
        install("broken", "broken", target)
        with pytest.raises(ProviderError, match=r"provider 'broken' cannot be loaded .*no_such"):
            connect("broken", connection)

    def test_an_adapter_whose_sdk_is_missing_is_one_clear_line(self, install: Install, connection: Connection) -> None:
        source = PLUG_IN.replace("connect=connect", "connect=lambda connection: __import__('no_such_sdk')")
        install("forgejo_bare", "forgejo", "forgejo_bare:FORGE", group=FORGES, source=source)
        with pytest.raises(ProviderError, match=r"provider 'forgejo' cannot be loaded .*no_such_sdk"):
            connect("forgejo", connection)

    @pytest.mark.parametrize("group", [FORGES, PROVIDERS])
    def test_two_packages_under_one_name_are_refused(
        self, install: Install, connection: Connection, group: str
    ) -> None:
        install("outsider", "elsewhere", "gitops_promotion.providers.local.provider:connect", group=group)
        install("impostor", "elsewhere", "impostor:connect", group=group)
        with pytest.raises(UsageError, match="registered by impostor and outsider"):
            connect("elsewhere", connection)

    def test_a_package_that_takes_a_built_in_name_is_refused(self, install: Install, connection: Connection) -> None:
        install("impostor", "github", "impostor:FORGE", group=FORGES)
        with pytest.raises(UsageError, match=r"'github' is registered by .*impostor"):
            connect("github", connection)

    def test_a_connection_shown_in_a_log_shows_no_secret(self, connection: Connection) -> None:
        assert "hunter" not in repr(connection)


class Flaky:
    """Fails with these errors in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, question: str) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return f"{question}!"


class TestRetrying:
    def test_a_temporary_failure_is_repeated_with_growing_pauses(self) -> None:
        slept: list[float] = []
        call = Flaky(*(TransientError("502") for _ in range(ATTEMPTS - 1)))
        assert retrying(slept.append)(call, "well") == "well!"
        assert slept == [1, 2, 4, 8]

    def test_it_ends_with_the_last_error(self) -> None:
        call = Flaky(*(TransientError(f"try {number}") for number in range(9)))
        with pytest.raises(TransientError, match="try 4"):
            retrying(lambda _: None)(call, "well")
        assert call.calls == ATTEMPTS

    @pytest.mark.parametrize("error", [ProviderError("422"), AuthError("401"), ValueError("a bug")])
    def test_no_other_failure_is_repeated(self, error: Exception) -> None:
        call = Flaky(error)
        with pytest.raises(type(error)):
            retrying(lambda _: None)(call, "well")
        assert call.calls == 1

    def test_the_forges_retry_after_is_followed(self) -> None:
        slept: list[float] = []
        call = Flaky(TransientError("429", retry_after=37.5), TransientError("429", retry_after=-1))
        assert retrying(slept.append)(call, "well") == "well!"
        assert slept == [37.5, 0]

    def test_a_retry_after_that_is_too_long_is_an_error_at_once(self) -> None:
        slept: list[float] = []
        call = Flaky(TransientError("limit", retry_after=PATIENCE - 1), TransientError("limit", retry_after=2))
        with pytest.raises(TransientError, match="limit"):
            retrying(slept.append)(call, "well")
        assert slept == [PATIENCE - 1]

    def test_one_caller_serves_many_calls(self) -> None:
        call = retrying(lambda _: None)
        for _ in range(3):
            assert call(Flaky(*(TransientError("502") for _ in range(ATTEMPTS - 1))), "well") == "well!"


class TestRepeats:
    def test_a_look_finds_what_the_lost_answer_was_about(self) -> None:
        call = Flaky(TransientError("reset"))
        assert Repeats(lambda _: None)(lambda: call("well"), lambda: "made") == "made"
        assert call.calls == 1

    def test_nothing_is_looked_for_before_the_first_try(self) -> None:
        assert Repeats(lambda _: None)(lambda: Flaky()("well"), lambda: "made") == "well!"

    def test_it_is_sent_again_where_a_look_finds_nothing(self) -> None:
        call = Flaky(TransientError("reset"), TransientError("reset"))
        assert Repeats(lambda _: None)(lambda: call("well"), lambda: None) == "well!"
        assert call.calls == 3

    def test_nothing_is_sent_while_no_look_succeeds_and_each_look_is_one_request(self) -> None:
        repeats = Repeats(lambda _: None)
        call, look = Flaky(TransientError("reset")), Flaky(*(TransientError("502") for _ in range(9)))
        with pytest.raises(TransientError, match="502"):
            repeats(lambda: call("well"), lambda: repeats(lambda: look("made")))
        assert (call.calls, look.calls) == (1, ATTEMPTS - 1)
        later = Flaky(TransientError("502"))
        assert repeats(lambda: later("well")) == "well!", "the look that failed has ended"


@pytest.mark.parametrize(
    ("name", "url", "page"),
    [
        ("github", "git@github.com:acme/shop.git", "https://github.com/acme/shop/pull/7"),
        ("github", "https://ghes.example:8443/acme/shop", "https://ghes.example:8443/acme/shop/pull/7"),
        ("github", "http://127.0.0.1:5000/acme/shop.git", "http://127.0.0.1:5000/acme/shop/pull/7"),
        ("github", "https://github.com/acme", ""),
        ("azdo", "https://dev.azure.com/acme/web/_git/shop", "https://dev.azure.com/acme/web/_git/shop/pullrequest/7"),
        ("azdo", "https://dev.azure.com/acme", ""),
        ("local", "/srv/shop.git", "gitops-promotion local show 7"),
    ],
)
def test_the_page_of_a_pull_request_is_known_without_a_request(name: str, url: str, page: str) -> None:
    assert forge(name).page(url, 7) == page
