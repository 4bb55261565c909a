"""Registries on loopback: whether an image is there, its digest, its labels; and every answer that is none."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from gitops_promotion.core.images import Image
from gitops_promotion.errors import NoImageError, PromotionError, RegistryError
from gitops_promotion.registry import Registries
from tests.registry.server import Answer, Registry, digest_of, serving

TOKEN = "t0ken-of-the-registry"
MANIFEST = "/v2/org/web/manifests/1.0"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry()) as served:
        yield served


@pytest.fixture
def hidden() -> list[str]:
    return []


@pytest.fixture
def docker(tmp_path: Path) -> Callable[[object], dict[str, str]]:
    """Return a function that writes docker's configuration, and returns the environment with it."""

    def write(config: object) -> dict[str, str]:
        (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
        return {"DOCKER_CONFIG": str(tmp_path), "PATH": str(tmp_path)}

    return write


def image(registry: Registry, name: str = "org/web") -> Image:
    return Image(registry.host, name)


def client(
    environ: dict[str, str] | None = None, *, seconds: float = 10.0, hidden: list[str] | None = None
) -> Registries:
    hide = ([] if hidden is None else hidden).append
    return Registries(environ=environ or {}, monotonic=monotonic, hide=hide, seconds=seconds)


def problem(registry: Registry, registries: Registries | None = None) -> PromotionError:
    with pytest.raises((NoImageError, RegistryError)) as caught:
        (registries or client()).labels(image(registry), "1.0")
    return caught.value


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("index", [True, False])
def test_the_digest_is_that_of_what_the_tag_names_and_the_labels_those_of_a_platform(
    registry: Registry, index: bool
) -> None:
    digest = registry.push("org/web", "1.0", labels={"a": "b", "c": 1}, index=index)
    assert client().manifest(image(registry), "1.0").digest == digest
    assert client().manifest(image(registry), digest).digest == digest
    assert client().labels(image(registry), "1.0") == {"a": "b"}


def test_an_image_that_the_registry_does_not_have_is_an_error_of_its_own(registry: Registry) -> None:
    registry.push("org/web", "2.0")
    found = problem(registry)
    assert isinstance(found, NoImageError)
    assert str(found) == f"{registry.host}/org/web:1.0 is not there: push it first, or correct the tag"


class TestSigning:
    def test_a_token_is_fetched_without_credentials_and_used_again(self, registry: Registry, hidden: list[str]) -> None:
        registry.login = "token"
        registry.push("org/web", "1.0")
        client(hidden=hidden).labels(image(registry), "1.0")
        token = f"Bearer {TOKEN}"
        assert [authorization for _, _, authorization in registry.requests] == ["", "", token, token, token]
        assert registry.paths[1] == "/token?service=here&scope=repository%3Aa%3Apull"
        assert hidden == [TOKEN]

    def test_credentials_get_the_token_and_go_nowhere_else(
        self, registry: Registry, docker: Callable[[object], dict[str, str]], hidden: list[str]
    ) -> None:
        registry.login, registry.users = "token", {"ann": "s3cret:x"}
        registry.push("org/web", "1.0")
        environ = docker({"auths": {f"https://{registry.host}/v2/": auth("ann", "s3cret:x")}})
        client(environ, hidden=hidden).manifest(image(registry), "1.0")
        assert [a.partition(" ")[0] for _, _, a in registry.requests] == ["", "Basic", "Bearer"]
        assert hidden == ["s3cret:x", TOKEN]

    def test_an_identity_token_is_exchanged(
        self, registry: Registry, docker: Callable[[object], dict[str, str]], hidden: list[str]
    ) -> None:
        registry.login, registry.identity_tokens = "token", ("refresh-me",)
        registry.push("org/web", "1.0")
        environ = docker({"auths": {registry.host: {"auth": "", "identitytoken": "refresh-me"}}})
        client(environ, hidden=hidden).manifest(image(registry), "1.0")
        assert registry.forms[0]["grant_type"] == ["refresh_token"]
        assert all("refresh-me" not in path for path in registry.paths)
        assert hidden == ["refresh-me", TOKEN]

    def test_basic_is_sent_where_it_is_asked_for(
        self, registry: Registry, docker: Callable[[object], dict[str, str]]
    ) -> None:
        registry.login, registry.users = "basic", {"AWS": "pa55word"}
        registry.push("org/web", "1.0")
        environ = docker({"auths": {registry.host: {"username": "AWS", "password": "pa55word"}}})
        assert client(environ).manifest(image(registry), "1.0").digest

    @pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
    @pytest.mark.parametrize("user", ["ann", "<token>"])
    def test_a_helper_of_the_users_configuration_is_asked(
        self, registry: Registry, docker: Callable[[object], dict[str, str]], tmp_path: Path, key: str, user: str
    ) -> None:
        registry.login, registry.users, registry.identity_tokens = "token", {"ann": "fr0m-helper"}, ("fr0m-helper",)
        registry.push("org/web", "1.0")
        helper = tmp_path / "docker-credential-mine"
        answer = json.dumps({"Username": user, "Secret": "fr0m-helper"})
        helper.write_text(f"#!/bin/sh\nread host\n[ \"$1 $host\" = 'get {registry.host}' ] && echo '{answer}'\n")
        helper.chmod(0o755)
        environ = docker({key: {registry.host: "mine"} if key == "credHelpers" else "mine"})
        assert client(environ).manifest(image(registry), "1.0").digest

    def test_a_helper_gets_the_variables_of_its_cloud_and_no_token_of_the_run(
        self, registry: Registry, docker: Callable[[object], dict[str, str]], tmp_path: Path
    ) -> None:
        registry.login, registry.users = "token", {"ann": "x"}
        registry.push("org/web", "1.0")
        helper = tmp_path / "docker-credential-mine"
        answer = json.dumps({"Username": "ann", "Secret": "x"})
        helper.write_text(f"#!/bin/sh\nexport -p > {tmp_path}/seen\necho '{answer}'\n")
        helper.chmod(0o755)
        cloud = {"AWS_SECRET_ACCESS_KEY": "aws-1", "AWS_SESSION_TOKEN": "aws-2", "AZURE_CLIENT_SECRET": "azure-1"}
        secrets = {
            "GITHUB_TOKEN": "hidden-1",
            "GITOPS_PROMOTION_TOKEN": "hidden-2",
            "SYSTEM_ACCESSTOKEN": "hidden-3",
            "AZURE_DEVOPS_EXT_PAT": "hidden-4",
            "GITOPS_PROMOTION_NOTIFY_OPS": "hidden-5",
            "GIT_CONFIG_VALUE_0": "hidden-6",
            "APP": "-----BEGIN RSA PRIVATE KEY-----hidden-7",
        }
        environ = docker({"credsStore": "mine"}) | cloud | secrets
        assert client(environ).manifest(image(registry), "1.0").digest
        seen = (tmp_path / "seen").read_text()
        assert [value for value in cloud.values() if value not in seen] == []
        assert "hidden" not in seen

    @pytest.mark.parametrize("name", ["../mine", "mine; touch x", "", "none"])
    def test_no_other_program_is_a_helper(
        self,
        registry: Registry,
        docker: Callable[[object], dict[str, str]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        registry.login, registry.users = "basic", {"ann": "x"}
        # A name with a slash would be looked up in the present folder, which may be a checkout.
        monkeypatch.chdir(tmp_path)
        helper = tmp_path / "docker-credential-.." / "mine"
        helper.parent.mkdir()
        helper.write_text(f"#!/bin/sh\n: > {tmp_path}/started\n")
        helper.chmod(0o755)
        assert "denies access" in str(problem(registry, client(docker({"credsStore": name}))))
        assert not (tmp_path / "started").exists()

    @pytest.mark.parametrize(
        "config", ["", "[]", '{"auths": []}', '{"auths": {"X": 1}}', '{"auths": 7, "credsStore": 1}']
    )
    def test_a_configuration_that_cannot_be_read_gives_no_credentials(
        self, registry: Registry, docker: Callable[[object], dict[str, str]], config: str
    ) -> None:
        registry.push("org/web", "1.0")
        registry.login = "token"
        assert client(docker(config)).manifest(image(registry), "1.0").digest

    @pytest.mark.parametrize("login", ["token", "basic"])
    def test_denied_is_no_answer_about_the_image(
        self, registry: Registry, docker: Callable[[object], dict[str, str]], login: str
    ) -> None:
        registry.login = "token" if login == "token" else "basic"
        registry.users = {"ann": "right"}
        environ = docker({"auths": {registry.host: auth("ann", "wrong")}})
        found = problem(registry, client(environ))
        assert found.exit_code == 6
        assert f"docker login {registry.host}" in str(found)
        assert "wrong" not in str(found)


class TestRedirects:
    def test_another_server_gets_no_credentials_not_even_those_of_netrc(
        self,
        registry: Registry,
        docker: Callable[[object], dict[str, str]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / ".netrc").write_text("machine localhost login eve password s3cret\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        registry.login, registry.users = "basic", {"ann": "pw"}
        with serving(Registry()) as storage:
            digest = storage.push("org/web", "1.0")
            location = f"http://localhost:{storage.port}{MANIFEST}"
            registry.instead = {}
            registry.push("org/web", "1.0")
            environ = docker({"auths": {registry.host: auth("ann", "pw")}})
            registries = client(environ)
            registries.manifest(image(registry), "1.0")
            registry.instead[MANIFEST] = Answer(status=307, headers={"Location": location})
            assert registries.manifest(image(registry), "1.0").digest == digest
            assert [authorization for _, _, authorization in storage.requests] == [""]

    @pytest.mark.parametrize(
        "location",
        ["http://example.com/x", "ftp://127.0.0.1/x", "http://a:b@127.0.0.1/x", "http://169.254.169.254/x"],
    )
    def test_an_address_without_tls_is_not_asked(self, registry: Registry, location: str) -> None:
        registry.instead[MANIFEST] = Answer(status=302, headers={"Location": location})
        assert "without https" in str(problem(registry))

    def test_an_address_that_is_none_is_not_asked(self, registry: Registry) -> None:
        registry.instead[MANIFEST] = Answer(status=302, headers={"Location": "//[bad"})
        assert "cannot be asked" in str(problem(registry))

    def test_an_endless_chain_ends(self, registry: Registry) -> None:
        registry.instead[MANIFEST] = Answer(status=302, headers={"Location": MANIFEST})
        assert "again and again" in str(problem(registry))

    def test_a_token_is_fetched_from_a_safe_address_alone(self, registry: Registry) -> None:
        challenge = {"WWW-Authenticate": 'Bearer realm="http://example.com/token"'}
        registry.instead[MANIFEST] = Answer(status=401, headers=challenge)
        assert "no address for tokens" in str(problem(registry))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=404, body=b"<html>"), "answers 404 and is no registry"),
        (Answer(status=404), "answers 404 and is no registry"),
        (Answer(status=500, body=b"{}"), "answers 500"),
        (Answer(status=429), "answers 429"),
        (Answer(status=204), "answers 204"),
        (Answer(status=403), "denies access"),
        (Answer(status=401, headers={"WWW-Authenticate": "Negotiate"}), "denies access"),
        (Answer(body=b"<html>"), "no manifest that can be read"),
        (Answer(body=b"[]"), "no manifest that can be read"),
        (Answer(body=b'{"schemaVersion": 2}'), "no manifest that can be read"),
        (Answer(body=b'{"schemaVersion": 1, "manifests": []}'), "no manifest that can be read"),
        (Answer(body=b"[" * 100_000), "no manifest that can be read"),
        (Answer(body=b" " * (5 << 20)), "too much data"),
        (
            Answer(
                body=b'{"schemaVersion": 2, "manifests": []}',
                headers={"Docker-Content-Digest": digest_of(b"another")},
            ),
            "wrong digest",
        ),
        (
            Answer(body=json.dumps({"schemaVersion": 2, "config": {"digest": digest_of(b"none"), "size": 4}}).encode()),
            "matches its digest",
        ),
    ],
)
def test_an_answer_that_cannot_be_used_is_no_answer(registry: Registry, answer: Answer, words: str) -> None:
    registry.instead[MANIFEST] = answer
    found = problem(registry)
    assert (type(found), found.exit_code) == (RegistryError, 6)
    assert words in str(found)


def test_a_digest_that_has_other_content_is_no_answer(registry: Registry) -> None:
    digest = registry.push("org/web", "1.0")
    registry.manifests[f"org/web/{digest}"] = registry.manifests["org/web/1.0"] + b" "
    with pytest.raises(RegistryError, match="wrong digest"):
        client().manifest(image(registry), digest)


def test_a_configuration_that_has_other_content_is_no_answer(registry: Registry) -> None:
    registry.push("org/web", "1.0", labels={"a": "b"})
    [digest] = registry.blobs
    registry.blobs[digest] = registry.blobs[digest].replace(b'"b"', b'"c"')
    assert "matches its digest" in str(problem(registry))


def test_an_index_without_platforms_has_no_labels(registry: Registry) -> None:
    registry.instead[MANIFEST] = Answer(body=b'{"schemaVersion": 2, "manifests": [{"digest": 1}, 7]}')
    assert client().labels(image(registry), "1.0") == {}


def test_a_registry_that_is_slow_is_given_up_in_time(registry: Registry) -> None:
    registry.silent = threading.Event()
    found = problem(registry, client(seconds=0.1))
    assert str(found) == f"the registry {registry.host} did not answer within 0.1s: run again later"


def test_a_port_where_nobody_listens_cannot_be_reached() -> None:
    with serving(Registry()) as gone:
        pass
    assert "cannot be reached (no connection)" in str(problem(gone))


def test_the_time_is_for_all_requests_together(registry: Registry) -> None:
    times = iter([0.0, 9.0, 11.0])
    registries = Registries(environ={}, monotonic=lambda: next(times), hide=lambda _: None, seconds=10)
    registry.push("org/web", "1.0")
    assert registries.manifest(image(registry), "1.0").digest
    assert registries.manifest(image(registry), "1.0").digest
    assert "did not answer within 10s" in str(problem(registry, registries))
