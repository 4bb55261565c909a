"""Tokens over HTTP, with git's own server program on the loopback interface."""

import os
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import AuthError, GitError
from gitops_promotion.git import NoCheckout
from tests.forges.faults import Request, Response
from tests.forges.git_http import serve_git
from tests.forges.server import Server
from tests.support import shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_promotion.git import Repository
    from tests.conftest import Checkout, Remote

    Open = Callable[..., Repository]
    StartForge = Callable[..., "Forge"]

TOKEN = "s3cret-t0ken"


def basic(userinfo: str) -> str:
    return "Basic " + b64encode(userinfo.encode()).decode()


@dataclass
class Forge:
    """What the server on loopback asks for and what it saw."""

    root: Path
    accepts: set[str] = field(default_factory=set)
    """Authorization headers that may read and write; none: everybody may."""
    read_only: bool = False
    refusal: Callable[[list[str]], str] = lambda _: "Write access not granted\n"
    redirect: str = ""
    busy: int = 0
    port: int = 0
    seen: list[list[str]] = field(default_factory=list)
    """The Authorization headers of each request that was let in, and of each that was redirected."""
    exposed: list[str] = field(default_factory=list)
    """Where the token could be read by others while git was talking to us."""
    scratch: Path | None = None
    secret: str = TOKEN

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/remote.git"

    def look_around(self) -> None:
        secrets = (self.secret.encode(), basic(f"x-access-token:{self.secret}").removeprefix("Basic ").encode())
        # Some hundred files at each request, and pathlib takes three times as long.
        for name in os.listdir("/proc"):  # noqa: PTH208  it takes less time
            if name.isdecimal():
                with suppress(OSError), open(f"/proc/{name}/cmdline", "rb", buffering=0) as file:  # noqa: PTH123  it takes less time
                    text = file.read()
                    if any(secret in text for secret in secrets):
                        self.exposed.append(text.decode(errors="replace"))
        for folder, _, names in os.walk(self.scratch) if self.scratch else ():
            for path in filter(os.path.isfile, (f"{folder}/{name}" for name in names)):
                with suppress(FileNotFoundError), open(path, "rb", buffering=0) as file:  # noqa: PTH123  it takes less time
                    content = file.read()
                    if any(secret in content for secret in secrets):
                        self.exposed.append(path)

    def answer(self, request: Request) -> Response:
        given = request.headers.get("authorization")
        # A header that was sent twice is shown as one.
        headers = given.split(", ") if given else []
        if self.busy:
            return Response(status=self.busy)
        if self.redirect:
            self.seen.append(headers)
            return Response(status=301, headers={"Location": self.redirect + request.target})
        if self.accepts and self.accepts.isdisjoint(headers):
            return Response(status=401, headers={"WWW-Authenticate": 'Basic realm="forge"'})
        if self.read_only and "git-receive-pack" in request.target:
            return Response(status=403, headers={"Content-Type": "text/plain"}, body=self.refusal(headers).encode())
        self.seen.append(headers)
        self.look_around()
        return serve_git(self.root, request, "somebody")


@pytest.fixture
def start_forge(remote: "Remote", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[StartForge]":
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with ExitStack() as started:

        def start(*accepts: str, **options: Any) -> Forge:
            forge = Forge(root=remote.path.parent, accepts={basic(one) for one in accepts}, scratch=scratch, **options)
            server = started.enter_context(Server(forge.answer, lambda _: "git"))
            forge.port = int(server.url.rpartition(":")[2])
            return forge

        yield start


def promote(repository: "Repository") -> str:
    main = repository.fetch(*repository.refs("refs/heads/*").shas)["refs/heads/main"]
    sha = repository.commit(main, {"a": b"1"}, "Change\n")
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])
    return sha


USERS = [("", "x-access-token"), ("org@", "org"), ("a%40b@", "a@b")]
DEPTHS = [(), ("--depth=1",)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    config, arguments = metafunc.config, metafunc.fixturenames
    if {"user", "sent", "depth"} <= set(arguments):
        pairs = [(*user, depth) for user in USERS for depth in shares.of_git(config, 1, DEPTHS, user[0])]
        ids = [f"{sent}-{'shallow' if depth else 'full'}" for _, sent, depth in pairs]
        metafunc.parametrize(("user", "sent", "depth"), pairs, ids=ids)
    if {"place", "userinfo"} <= set(arguments):
        places = [(place, name) for place in PLACES for name in shares.of_git(config, 1, [*USERINFO], place)]
        ids = ["-".join(pair) for pair in places]
        metafunc.parametrize(("place", "userinfo"), [(place, USERINFO[name]) for place, name in places], ids=ids)


def test_the_token_is_sent_once_a_request_and_is_visible_to_no_other_user(
    user: str, sent: str, depth: tuple[str, ...], remote: "Remote", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge(f"{sent}:{TOKEN}")
    checkout = remote.clone("checkout", *depth)
    remote.commit({"moved": "1"})
    checkout.git("remote", "set-url", "origin", forge.url.replace("//", f"//{user}"))
    repository = open_repository(checkout.path, token=TOKEN)
    sha = promote(repository)
    assert remote.sha("p") == sha
    assert repository.read(sha, ["a"])
    assert len(forge.seen) >= 5
    assert all(headers == [basic(f"{sent}:{TOKEN}")] for headers in forge.seen)
    assert forge.exposed == []
    assert repository.url == forge.url
    (reader,) = [path for path in Path("/proc").glob("[0-9]*/cmdline") if is_reader(path)]
    assert TOKEN.encode() not in reader.with_name("environ").read_bytes()
    assert b64encode(f"{sent}:{TOKEN}".encode()) not in reader.with_name("environ").read_bytes()


def test_a_repository_without_a_checkout_gets_the_token_where_a_remote_does_and_its_cache_has_none(
    remote: "Remote", start_forge: "StartForge", open_repository: "Open", tmp_path: Path
) -> None:
    remote.git("config", "uploadpack.allowFilter", "true")
    forge = start_forge(f"x-access-token:{TOKEN}")
    elsewhere = start_forge()
    place = NoCheckout(url=forge.url, cache_dir=tmp_path / "cache")
    with place.checkout() as folder:
        repository = open_repository(folder, token=TOKEN, no_checkout=place)
        main = repository.fetch("refs/heads/main")["refs/heads/main"]
        assert list(repository.read(main, ["README.md"])) == ["README.md"]
        sha = promote(repository)
        assert remote.sha("p") == sha
        repository.close()
        forge.redirect = elsewhere.url.removesuffix("/remote.git")
        with pytest.raises(GitError):
            open_repository(folder, token=TOKEN, no_checkout=place).refs()
    assert len(forge.seen) >= 5
    assert all(headers == [basic(f"x-access-token:{TOKEN}")] for headers in forge.seen)
    assert forge.exposed == []
    assert elsewhere.seen == []
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


def is_reader(path: Path) -> bool:
    """Whether this is the process of ours that reads objects."""
    try:
        parent = path.with_name("stat").read_text().rpartition(")")[2].split()[1]
        return b"cat-file" in path.read_bytes() and parent == str(os.getpid())
    except OSError:
        return False


def test_a_new_token_replaces_the_previous_one(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge("x-access-token:first")
    checkout.git("remote", "set-url", "origin", forge.url)
    tokens = ["first", "second", "third"]
    asked: list[str] = []

    def find(url: str) -> str:
        asked.append(url)
        return tokens[len(asked) - 1]

    repository = open_repository(checkout.path, token=find)
    assert asked == []
    repository.refs()
    forge.accepts = {basic("x-access-token:second")}
    repository.fetch("refs/heads/main")
    with pytest.raises(AuthError, match="does not accept the token"):
        repository.refs()
    assert asked == [forge.url] * 3
    assert {header for headers in forge.seen for header in headers} == {
        basic("x-access-token:first"),
        basic("x-access-token:second"),
    }


def test_a_wrong_token_is_an_authentication_error_without_the_token(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge("x-access-token:another")
    checkout.git("remote", "set-url", "origin", forge.url)
    repository = open_repository(checkout.path, token=TOKEN)
    attempts: list[Callable[[], object]] = [
        repository.refs,
        lambda: repository.fetch("refs/heads/main"),
        lambda: repository.fetch_commit("1" * 40),
        lambda: repository.push([RefUpdate(ref="refs/heads/p", new=checkout.sha(), expected=None)]),
    ]
    for attempt in attempts:
        with pytest.raises(AuthError, match=r"does not accept the token.*: check --token") as caught:
            attempt()
        assert forge.url in str(caught.value)
        assert TOKEN not in str(caught.value)


def test_without_a_token_the_error_asks_for_one(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    checkout.git("remote", "set-url", "origin", start_forge("x-access-token:another").url)
    with pytest.raises(AuthError, match="wants a token: give one with --token"):
        open_repository(checkout.path).refs()


def test_a_token_that_may_not_write_is_an_error_with_the_reason(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge(f"x-access-token:{TOKEN}", read_only=True)
    checkout.git("remote", "set-url", "origin", forge.url)
    repository = open_repository(checkout.path, token=TOKEN)
    with pytest.raises(AuthError, match=r"lacks a permission \(Write access not granted\)"):
        promote(repository)


def test_a_token_that_the_remote_repeats_is_masked(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge(f"x-access-token:{TOKEN}", read_only=True)
    forge.refusal = lambda headers: f"No write for {TOKEN} in {headers[0]} at http://ci:pass@host/\n\033[2J"
    checkout.git("remote", "set-url", "origin", forge.url)
    with pytest.raises(AuthError, match=r"No write for \*\*\* in Basic \*\*\* at http://host/") as caught:
        promote(open_repository(checkout.path, token=TOKEN))
    assert str(caught.value).isprintable()


# Not TOKEN: git of the test itself gets it as an argument, which another test could see at the same time.
ADDRESS_TOKEN = f"addr3ss-t0ken-{os.getpid()}"


USERINFO = {
    "password": f"ci:{ADDRESS_TOKEN}",
    "user": f"{ADDRESS_TOKEN}:x-oauth-basic",
    "percent signs": f"a%40b:{ADDRESS_TOKEN}%25",
}
PLACES = ["url", "pushurl", "insteadOf", "pushInsteadOf"]


def test_a_token_in_the_address_is_in_no_argument_and_no_message(
    place: str, userinfo: str, checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge(unquote(userinfo), secret=ADDRESS_TOKEN)
    secret = forge.url.replace("//", f"//{userinfo}@")
    if place == "url":
        checkout.git("remote", "set-url", "origin", secret)
    elif place == "pushurl":
        checkout.git("remote", "set-url", "--push", "origin", secret)
    else:
        prefix = "forge:" if place == "insteadOf" else f"{forge.root}/"
        checkout.git("remote", "set-url", "origin", f"{prefix}remote.git")
        checkout.git("config", "--global", f"url.{secret.removesuffix('remote.git')}.{place}", prefix)
    repository = open_repository(checkout.path)
    sha = promote(repository)
    assert checkout.git("ls-remote", str(forge.root / "remote.git"), "refs/heads/p").startswith(sha)
    assert forge.seen
    assert forge.exposed == []
    forge.accepts = {"another"}
    with pytest.raises(AuthError) as caught:
        repository.push([RefUpdate(ref="refs/heads/q", new=sha, expected=None)])
    assert ADDRESS_TOKEN not in str(caught.value)


@pytest.fixture
def spied_commands(tmp_path: Path, environ: dict[str, str]) -> "Iterator[Callable[[], list[list[str]]]]":
    """Each git command that was started: its name, and `token` and `key` if its environment has one."""
    spy = tmp_path / "spy" / "git"
    spy.parent.mkdir()
    real = shutil.which("git", path=environ["PATH"])
    encoded = b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    spy.write_text(f"""#!/bin/sh
for word; do case $word in -C) skip=1;; *) [ "$skip" = 1 ] && skip= || {{ name=$word; break; }};; esac; done
case "$(env)" in *'{TOKEN}'*|*'{encoded}'*) name="$name token";; esac
case "$(env)" in *'PRIVATE KEY'*) name="$name key";; esac
echo "$name" >> {tmp_path}/spied
exec {real} "$@"
""")
    spy.chmod(0o755)
    environ["PATH"] = f"{spy.parent}{os.pathsep}{environ['PATH']}"
    yield lambda: [line.split() for line in (tmp_path / "spied").read_text().splitlines()]


def test_only_commands_that_reach_the_remote_get_the_token(
    checkout: "Checkout",
    start_forge: "StartForge",
    open_repository: "Open",
    environ: dict[str, str],
    spied_commands: "Callable[[], list[list[str]]]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkout.git("remote", "set-url", "origin", start_forge(f"x-access-token:{TOKEN}").url)
    main = checkout.sha("origin/main")
    for name, value in (("SOME_TOKEN", TOKEN), ("GITHUB_APP_PRIVATE_KEY", "-----BEGIN RSA PRIVATE KEY-----\nMII")):
        monkeypatch.setenv(name, value)
        environ[name] = value
    repository = open_repository(checkout.path, token=TOKEN, environ=environ)
    sha = promote(repository)
    repository.read(sha, repository.grep(sha, []))
    repository.diff_from_merge_base(main, sha)
    repository.commits(main, sha)
    repository.history(sha, ["webshop"], 1)
    repository.manifests(sha)
    spied = spied_commands()
    assert {name for name, *secrets in spied if secrets == ["token"]} == {"ls-remote", "fetch", "push"}
    assert len({name for name, *secrets in spied if not secrets}) > 4
    assert not any("key" in secrets for _, *secrets in spied)


OWN_HEADERS = {
    "for all": "http.extraHeader",
    "for the host": "http.http://127.0.0.1:{port}/.extraHeader",
    "for the path": "http.http://127.0.0.1:{port}/remote.git.extraHeader",
    "for the path and user": "http.http://org@127.0.0.1:{port}/remote.git.extraHeader",
}


SCOPES = ["--local", "--global", "include", "environment"]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("key", OWN_HEADERS.values(), ids=OWN_HEADERS)
def test_a_header_of_a_checkout_step_is_used_only_without_a_token(
    key: str,
    scope: str,
    checkout: "Checkout",
    start_forge: "StartForge",
    open_repository: "Open",
    environ: dict[str, str],
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    forge = start_forge("left:behind")
    promotes = scope in shares.of_git(pytestconfig, 1, SCOPES, key)
    key = key.format(port=forge.port)
    value = f"AUTHORIZATION: {basic('left:behind')}"
    checkout.git("remote", "set-url", "origin", forge.url.replace("//", "//org@"))
    if scope == "environment":
        environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": value}
    elif scope == "include":
        checkout.git("config", "--file", str(tmp_path / "more"), key, value)
        checkout.git("config", f"includeIf.gitdir:{checkout.path}/.git.path", str(tmp_path / "more"))
    else:
        checkout.git("config", scope, key, value)
    open_repository(checkout.path, environ=environ).refs()
    assert all(headers == [basic("left:behind")] for headers in forge.seen)
    forge.accepts = {basic(f"org:{TOKEN}")}
    forge.seen.clear()
    repository = open_repository(checkout.path, environ=environ, token=TOKEN)
    # All commands that reach the remote get the same settings.
    promote(repository) if promotes else repository.refs()
    assert len(forge.seen) >= (4 if promotes else 2)
    assert all(headers == [basic(f"org:{TOKEN}")] for headers in forge.seen)


def test_credential_helpers_are_used_only_without_a_token(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    forge = start_forge("helper:word")
    checkout.git("remote", "set-url", "origin", forge.url)
    helper = f"!f() {{ echo $1 >> {tmp_path}/asked; echo username=helper; echo password=word; }}; f"
    checkout.git("config", "credential.helper", helper)
    open_repository(checkout.path).refs()
    assert "get" in (tmp_path / "asked").read_text()
    (tmp_path / "asked").unlink()
    (tmp_path / "ask").write_text(f"#!/bin/sh\necho ask >> {tmp_path}/asked\necho word\n")
    (tmp_path / "ask").chmod(0o755)
    asking = environ | {"GIT_ASKPASS": str(tmp_path / "ask"), "SSH_ASKPASS": str(tmp_path / "ask")}
    with pytest.raises(AuthError):
        open_repository(checkout.path, token=TOKEN, environ=asking).refs()
    assert not (tmp_path / "asked").exists()


def test_a_password_in_the_address_is_hidden_and_a_token_replaces_it(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge("ci:pass%word")
    checkout.git("remote", "set-url", "origin", forge.url.replace("//", "//ci:pass%25word@"))
    repository = open_repository(checkout.path)
    repository.refs()
    assert repository.url == forge.url
    forge.accepts = {"nobody"}
    with pytest.raises(AuthError) as caught:
        repository.refs()
    assert "pass" not in str(caught.value)
    forge.accepts = {basic("ci:pass%word")}
    with pytest.raises(AuthError):
        open_repository(checkout.path, token=TOKEN).refs()
    forge.accepts = {basic(f"ci:{TOKEN}")}
    forge.seen.clear()
    promote(open_repository(checkout.path, token=TOKEN))
    assert all(headers == [basic(f"ci:{TOKEN}")] for headers in forge.seen)


@pytest.mark.parametrize("url", ["ssh://ci:pass%25word@127.0.0.1:1/x", "http://127.0.0.1:1/x?token=pass%25word"])
def test_no_message_shows_a_password_or_a_query_of_any_address(
    checkout: "Checkout", open_repository: "Open", url: str
) -> None:
    checkout.git("remote", "set-url", "origin", url)
    repository = open_repository(checkout.path, environ={**checkout.environ, "GIT_SSH_COMMAND": "false"})
    with pytest.raises(GitError) as caught:
        repository.refs()
    assert "pass" not in str(caught.value) + repository.url


def test_no_message_shows_the_password_of_a_proxy(checkout: "Checkout", open_repository: "Open") -> None:
    checkout.git("remote", "set-url", "origin", "http://127.0.0.1:1/x")
    checkout.git("config", "http.proxy", "http://ann:s3cr3t/a@127.0.0.1:1")
    with pytest.raises(GitError, match=re.escape("in '***'")):
        open_repository(checkout.path).refs()


def test_a_redirect_is_not_followed_with_the_token(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    other = start_forge()
    forge = start_forge(redirect=f"http://127.0.0.1:{other.port}")
    checkout.git("remote", "set-url", "origin", forge.url)
    checkout.git("config", "http.followRedirects", "true")
    checkout.git("config", f"http.{forge.url}.followRedirects", "true")
    with pytest.raises(GitError, match=r"the remote has moved, put in its new address.*wants another token"):
        open_repository(checkout.path, token=TOKEN).refs()
    assert forge.seen == [[basic(f"x-access-token:{TOKEN}")]]
    assert other.seen == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_an_error_that_says_to_try_again(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open", status: int
) -> None:
    forge = start_forge(busy=status)
    checkout.git("remote", "set-url", "origin", forge.url)
    with pytest.raises(GitError, match=f"returned error: {status}: the server is overloaded or down, try again later"):
        open_repository(checkout.path, token=TOKEN).refs()


def test_the_token_goes_to_no_other_address_of_the_repository(
    checkout: "Checkout", start_forge: "StartForge", open_repository: "Open"
) -> None:
    forge = start_forge(f"x-access-token:{TOKEN}")
    other = start_forge()
    checkout.git("remote", "set-url", "origin", forge.url)
    checkout.git("remote", "set-url", "--push", "origin", other.url)
    promote(open_repository(checkout.path, token=TOKEN))
    assert other.seen
    assert all(headers == [] for headers in other.seen)


@pytest.mark.parametrize(
    "name", ["GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE", "GIT_TRACE2_EVENT", "GIT_TRACE_SETUP"]
)
def test_traces_of_git_do_not_show_the_token(
    name: str,
    checkout: "Checkout",
    start_forge: "StartForge",
    open_repository: "Open",
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    forge = start_forge("x-access-token:another")
    checkout.git("remote", "set-url", "origin", forge.url)
    checkout.git("config", "--global", "trace2.configParams", "*")
    checkout.git("config", "--global", "trace2.envVars", "GIT_CONFIG_VALUE_0,GIT_CONFIG_VALUE_8,GIT_CONFIG_VALUE_9")
    more = {"GIT_TRACE_REDACT": "0", "GIT_TRACE2_CONFIG_PARAMS": "*", name: str(tmp_path / "trace")}
    with pytest.raises(AuthError) as caught:
        open_repository(checkout.path, token=TOKEN, environ=environ | more).refs()
    more[name] = "1"
    with pytest.raises(AuthError) as shown:
        open_repository(checkout.path, token=TOKEN, environ=environ | more).refs()
    traced = (tmp_path / "trace").read_text() if (tmp_path / "trace").exists() else ""
    for text in (str(caught.value), str(shown.value), traced):
        assert TOKEN not in text
        assert b64encode(f"x-access-token:{TOKEN}".encode()).decode() not in text
    assert traced or name == "GIT_CURL_VERBOSE"
