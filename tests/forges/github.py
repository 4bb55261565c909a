"""A GitHub on loopback, for tests: real repositories behind smart HTTP, REST and GraphQL as GitHub documents them.

    with GitHub(tmp_path) as github:
        gitops = github.repository("acme/gitops", files)
        gitops.protect("main", checks=["gitops-promotion"])
        ...                                     git, PyGithub and the provider use github.url, .api_url and .token
        gitops.post_status(sha, "kustomization/apps-dev/0c9c2e41", "success", by="flux[bot]")
        assert gitops.pull(1).merged_at
        assert [request.path for request in github.requests if request.kind == "rest"] == [...]

`GitHub` is the server with its tokens, faults and log; `Hosted` is one repository with the hands of the people and
programs around it. Leaving the block fails the test if this server answered something that GitHub would not.

For every forge: `server` (HTTP, the log), `faults`, `repository` (git). GitHub's own: `github_state` (what it knows),
`github_rules` (when a merge may be), `github_acts` (what is done to it), `github_effects` (what follows by itself),
`github_people` (hands), `github_rest`, `github_discussion`, `github_git` and `github_apps` (endpoints),
`github_shapes` (replies), `github_graph`, `github_graphql`, `github_timeline`, `github_pages`, `github_schema` (checks
against schemas/).
"""

import secrets
import threading
import traceback
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.forges import github_discussion as github_discussion  # its endpoints
from tests.forges import github_git as github_git  # its endpoints
from tests.forges import github_rest
from tests.forges.faults import Faults, Kind, Request, Response, reply
from tests.forges.git_http import serve_git
from tests.forges.github_apps import App, app_of, make_app
from tests.forges.github_effects import sync
from tests.forges.github_graphql import execute
from tests.forges.github_people import Hosted
from tests.forges.github_shapes import Shapes
from tests.forges.github_state import Clock, Event, RefusedError, Repo, Token, World
from tests.forges.repository import Repository
from tests.forges.server import Server

PERMISSIONS = {
    "checks": "read",
    "contents": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
"""What the documentation tells people to give an App."""


class GitHub:
    """The server. Its data live below `root`, nothing of them outside this object.

    `page_size` caps the pages of REST lists, `unknown_reads` is how many requests after a push do not yet know whether
    a pull request can merge, `late_reads` how many after a merge still show it open.
    """

    def __init__(self, root: Path, *, page_size: int = 100, unknown_reads: int = 0, late_reads: int = 0) -> None:
        self.world = World(unknown_reads=unknown_reads, late_reads=late_reads)
        self.page_size = page_size
        self.broken: list[str] = []
        self._root = root
        self._lock = threading.RLock()
        self._server = Server(self._answer, _kind)
        self.token = self.give_token("promoter")

    @property
    def url(self) -> str:
        """Where people look and git clones: `url` + "/acme/gitops.git"."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """The base of REST as on a GitHub Enterprise Server; it answers without the prefix too."""
        return f"{self.url}/api/v3"

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/api/graphql"

    @property
    def requests(self) -> list[Request]:
        """All requests so far, git's included, without their secrets."""
        return self._server.requests

    @property
    def faults(self) -> Faults:
        return self._server.faults

    def watch(self, act: Callable[[], object]) -> None:
        """Do something at each request, before it is answered."""
        self._server.watch = act

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def events(self) -> list[Event]:
        """All that could start a workflow, in order."""
        return self.world.events

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)
        if error is None:
            assert not self.broken, "\n".join(self.broken)

    def repository(self, full_name: str, files: Mapping[str, str | bytes], *, default_branch: str = "main") -> Hosted:
        """Make a repository, with one commit if there are files."""
        owner, _, name = full_name.partition("/")
        git = Repository.make(self._root / owner / f"{name}.git", files, default_branch)
        repo = Repo(
            id=len(self.world.repos) + 1,
            world=self.world,
            owner=owner,
            name=name,
            git=git,
            default_branch=default_branch,
            tips=git.branches(),
        )
        self.world.repos[full_name] = repo
        return Hosted(repo=repo, url=f"{self.url}/{full_name}.git", turn=self._turn, root=self._root)

    def give_token(
        self,
        login: str,
        *,
        kind: Literal["user", "installation", "actions"] = "user",
        permissions: Mapping[str, str] | None = None,
        repositories: frozenset[str] | None = None,
    ) -> str:
        """Make a token; without `permissions` it may do everything, else what is listed (`{"contents": "read"}`)."""
        prefix = {"user": "ghp", "installation": "ghs", "actions": "ghs"}[kind]
        secret = f"{prefix}_{secrets.token_hex(18)}"
        self.world.tokens[secret] = Token(
            secret=secret, login=login, kind=kind, permissions=permissions, repositories=repositories
        )
        return secret

    def revoke(self, secret: str) -> None:
        del self.world.tokens[secret]

    def install_app(self, slug: str, *repositories: str, permissions: Mapping[str, str] | None = None) -> App:
        """Make an App and install it; it acts as `<slug>[bot]`."""
        wanted = PERMISSIONS if permissions is None else permissions
        return make_app(self.world, slug, permissions=wanted, repositories=frozenset(repositories))

    def team(self, name: str, *members: str) -> None:
        """Make a team, `organisation/team-name`, with its members."""
        self.world.teams[name.casefold()] = list(members)

    @contextmanager
    def _turn(self, acting: Token) -> Iterator[World]:
        """Let one act at a time, after what was pushed before it and with all that follows from it."""
        with self._lock:
            self._sync_all()
            self.world.acting = acting
            try:
                yield self.world
                self._sync_all()
            finally:
                self.world.acting = None

    def _pushed(self, by: Token) -> None:
        with self._lock:
            self.world.acting = by
            try:
                self._sync_all()
            finally:
                self.world.acting = None

    def _sync_all(self) -> None:
        for repo in self.world.repos.values():
            if repo.parent is None:
                sync(repo)

    def _answer(self, request: Request) -> Response:
        try:
            token = self._token(request)
            request.actor = token.login if token else ""
            return self._git(request, token) if request.kind == "git" else self._api(request, token)
        except RefusedError as refused:
            if request.kind == "git":
                return _git_refusal(refused)
            return reply(refused.status, {"message": str(refused), "status": str(refused.status)}, refused.headers)
        except Exception:  # noqa: BLE001  a fault of this server must fail the test, not vanish in its thread
            self.broken.append(f"{request.method} {request.path}\n{traceback.format_exc()}")
            return reply(500, {"message": "Server Error"})

    def _api(self, request: Request, token: Token | None) -> Response:
        if token is None:
            raise RefusedError(401, "Requires authentication")
        with self._turn(token):
            self.world.request = request.number
            response = self._graphql(request, token) if request.kind == "graphql" else self._rest(request, token)
        # Only a classic token, which has no permissions of its own, is told what it may do.
        scopes = {"X-OAuth-Scopes": "repo"} if token.kind == "user" and token.permissions is None else {}
        return replace(response, headers=dict(response.headers) | self._limits(request) | scopes)

    def _token(self, request: Request) -> Token | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with suppress(ValueError):
                secret = b64decode(secret).decode().partition(":")[2]
        if not secret:
            return None
        if secret.count(".") == 2 and secret.startswith("ey"):
            app = app_of(self.world, secret)
            return Token(secret="", login=f"{app.slug}[bot]", kind="installation", permissions={}, app=app.id)
        if secret not in self.world.tokens:
            raise RefusedError(401, "Bad credentials")
        return self.world.tokens[secret]

    def _limits(self, request: Request) -> dict[str, str]:
        used = len([each for each in self.requests if each.kind == request.kind])
        return {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(5000 - used),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(self.clock.now.timestamp()) + 3600),
            "X-RateLimit-Resource": "graphql" if request.kind == "graphql" else "core",
            "X-GitHub-Request-Id": f"{request.number:04X}",
        }

    def _shapes(self, prefix: str) -> Shapes:
        return Shapes(api=f"{self.url}{prefix}", site=self.url)

    def _rest(self, request: Request, token: Token) -> Response:
        prefix = "/api/v3" if request.path.startswith("/api/v3/") else ""
        path = request.path.removeprefix(prefix)
        found = github_rest.find(request.method, path)
        if found is None:
            self.broken.append(f"{request.method} {path}: this GitHub does not speak that yet (schemas/cut_github.py)")
            raise RefusedError(404, "Not Found")
        operation, parameters = found
        repo = None
        if "repo" in parameters:
            repo = self._repo(f"{parameters['owner']}/{parameters['repo']}", token)
        body = request.json
        call = github_rest.Call(
            world=self.world,
            token=token,
            shapes=self._shapes(prefix),
            path=path,
            parameters=parameters,
            query=request.query,
            body=body if isinstance(body, dict) else {},
            page_size=self.page_size,
            repository=repo,
        )
        response, wrong = github_rest.answer(operation, call, request)
        self.broken += [f"{operation} answered {response.status}: {each}" for each in wrong]
        return response

    def _graphql(self, request: Request, token: Token) -> Response:
        body = request.json
        query = body.get("query") if isinstance(body, dict) else None
        if request.method != "POST" or not isinstance(body, dict) or not isinstance(query, str):
            raise RefusedError(400, "A query attribute must be specified and must be a string.")
        prefix = "/api/v3" if request.path.startswith("/api/") else ""
        answer, wrong = execute(self.world, token, self._shapes(prefix), query, body.get("variables") or {})
        self.broken += wrong
        return reply(200, answer)

    def _repo(self, full_name: str, token: Token) -> Repo:
        repo = self.world.repos.get(full_name)
        hidden = token.repositories is not None and full_name not in token.repositories and not token.app
        if repo is None or hidden:
            raise RefusedError(404, "Not Found")
        return repo

    def _git(self, request: Request, token: Token | None) -> Response:
        full_name = "/".join(request.path.split("/")[1:3]).removesuffix(".git")
        if token is None:
            raise RefusedError(401, "No anonymous write access.")
        self._repo(full_name, token)
        pushing = "git-receive-pack" in request.path or request.query.get("service") == "git-receive-pack"
        if not token.allows("contents", "write" if pushing else "read"):
            raise RefusedError(403, "Write access to repository not granted.")
        rest = request.path.split("/", 3)[3]
        response = serve_git(self._root, replace(request, path=f"/{full_name}.git/{rest}"), token.login)
        if pushing:
            self._pushed(token)
        return response


def _kind(path: str) -> Kind:
    if path.endswith(("/info/refs", "/git-upload-pack", "/git-receive-pack")):
        return "git"
    return "graphql" if path in ("/graphql", "/api/graphql") else "rest"


def _git_refusal(refused: RefusedError) -> Response:
    headers = {"Content-Type": "text/plain"}
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="GitHub"'
    text = "Repository not found." if refused.status == 404 else str(refused)
    return Response(status=refused.status, headers=headers, body=f"{text}\n".encode())
