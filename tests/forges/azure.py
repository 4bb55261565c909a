"""An Azure DevOps on loopback, for tests: real repositories behind smart HTTP and the REST API of its own client.

    with AzureDevOps(tmp_path) as azure:
        gitops = azure.repository("Web Shop/gitops", files)
        gitops.require_status("gitops-promotion")
        ...                         git, the client and the provider use gitops.url, azure.collection and azure.token
        gitops.post_status(sha, "kustomization/apps-dev/0c9c2e41", "succeeded", genre="fluxcd", by="flux")
        assert gitops.pull(1).status == "completed"
        assert [request.path for request in azure.requests if request.kind == "rest"] == [...]

`AzureDevOps` is the server with its tokens, faults and log; `HostedRepo` is one repository with the hands of the people
and programs around it. Leaving the block fails the test if this server answered something that its client's models do
not have.

For every forge: `server` (HTTP, the log), `faults`, `repository` (git). Azure DevOps' own: `azure_state` (what it
knows), `azure_rules` (policies, merges, what follows by itself), `azure_rest` (endpoints and resource locations),
`azure_pulls` and `azure_threads` (those about pull requests), `azure_notes` (the threads that it opens itself),
`azure_shapes` and `azure_models` (replies, checked against the client's
models), `azure_people` (hands), `azure_errors` (what it says when it says no).
"""

import base64
import json
import re
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
from urllib.parse import quote, unquote

from tests.forges import azure_pulls, azure_rest, azure_rules
from tests.forges.azure_errors import refusal, sign_in
from tests.forges.azure_people import HostedRepo
from tests.forges.azure_shapes import Shapes, page, wrong
from tests.forges.azure_state import Event, RefusedError, Repo, Token, World, guid
from tests.forges.faults import Faults, Kind, Request, Response, reply
from tests.forges.git_http import serve_git
from tests.forges.github_state import Clock
from tests.forges.repository import Repository
from tests.forges.server import Server

PUSH_REFUSED = "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch."


class AzureDevOps:
    """The server. Its data live below `root`, nothing of them outside this object.

    `path` is of the collection: `/acme` as in the cloud, `/tfs/DefaultCollection` as on a server of one's own.
    `page_size` caps the pages of lists, `batches` False is a server whose commit batches have no statuses, `areas`
    False one of one's own, which does not say where its services are, `sign_in` how an unknown token is refused.
    """

    def __init__(
        self,
        root: Path,
        *,
        path: str = "/acme",
        page_size: int = 1000,
        batches: bool = True,
        areas: bool = True,
        sign_in: Literal[203, 302, 401] = 401,
    ) -> None:
        self.world = World()
        self.path = path
        self.page_size = page_size
        self.batches = batches
        self.areas = areas
        self.sign_in = sign_in
        self.broken: list[str] = []
        self._root = root
        self._lock = threading.RLock()
        self._server = Server(self._answer, _kind)
        self.token = self.give_token("promoter")

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def collection(self) -> str:
        """The URL of the organisation or collection, the base of the API."""
        return f"{self.url}{self.path}"

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
        """All that could start a pipeline, in order."""
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

    def repository(
        self, full_name: str, files: Mapping[str, str | bytes], *, default_branch: str = "main"
    ) -> HostedRepo:
        """Make a repository of a project, with one commit if there are files."""
        project, _, name = full_name.partition("/")
        place = self._root / guid("place", full_name)
        git = Repository.make(place.with_suffix(".git"), files, default_branch, refusal=PUSH_REFUSED)
        repo = Repo(
            world=self.world, project=project, name=name, git=git, default_branch=default_branch, tips=git.branches()
        )
        self.world.repos[full_name] = repo
        url = f"{self.collection}/{quote(project)}/_git/{quote(name)}"
        return HostedRepo(repo=repo, url=url, turn=self._turn)

    def give_token(self, name: str, *, kind: Literal["pat", "jwt"] = "pat", lacks: frozenset[str] = frozenset()) -> str:
        """Make a token of an identity that lacks these Git permissions."""
        secret = secrets.token_hex(26)
        if kind == "jwt":
            parts = [json.dumps({"typ": "JWT", "alg": "none"}), json.dumps({"sub": name}), secret]
            secret = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
        self.world.tokens[secret] = Token(secret=secret, name=name, kind=kind, lacks=lacks)
        return secret

    def revoke(self, secret: str) -> None:
        del self.world.tokens[secret]

    @contextmanager
    def _turn(self, acting: Token) -> Iterator[World]:
        """Let one act at a time, after what was pushed before it and with all that follows from it."""
        with self._lock:
            if acting.name:
                self.world.people.add(acting.name)
            self._sync_all(acting)
            yield self.world
            self._sync_all(acting)

    def _sync_all(self, acting: Token) -> None:
        for repo in self.world.repos.values():
            azure_rules.sync(repo, acting.name)

    def _answer(self, request: Request) -> Response:
        try:
            token = self._token(request)
            request.actor = token.name if token else ""
            if request.kind == "git":
                return self._git(request, token)
            return sign_in(self.sign_in, self.url) if token is None else self._api(request, token)
        except RefusedError as refused:
            return refusal(refused.status, refused.key, str(refused))
        except Exception:  # noqa: BLE001  a fault of this server must fail the test, not vanish in its thread
            self.broken.append(f"{request.method} {request.path}\n{traceback.format_exc()}")
            return refusal(500, "Exception", "broken")

    def _token(self, request: Request) -> Token | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with suppress(ValueError):
                secret = b64decode(secret).decode().partition(":")[2]
        token = self.world.tokens.get(secret)
        # A token of Entra is no password, a personal one no bearer token.
        return token if token and (scheme.lower() == "bearer") == (token.kind == "jwt") else None

    def _api(self, request: Request, token: Token) -> Response:
        path = request.path
        if not path.lower().startswith(f"{self.path.lower()}/"):
            raise RefusedError(404, "HostNotFoundException", "The requested host could not be found.")
        below = path[len(self.path) + 1 :]
        if request.method == "OPTIONS" and below.lower() == "_apis":
            return reply(200, page([endpoint.location for endpoint in azure_rest.ENDPOINTS]))
        found = azure_rest.find(request.method, below)
        if found is None:
            self.broken.append(f"{request.method} {path}: this Azure DevOps does not speak that yet")
            raise RefusedError(404, "NotFoundException", "The controller was not found.")
        answer, model, parts = found
        body = request.json
        headers: dict[str, str] = {}
        with self._turn(token) as world:
            call = azure_pulls.Call(
                world=world,
                token=token,
                shapes=Shapes(collection=self.collection),
                query=request.query,
                body=body if isinstance(body, dict) else {},
                parts=parts,
                page_size=self.page_size,
                batches=self.batches,
                areas=self.areas,
                headers=headers,
                repository=self._repo(parts) if "project" in parts else None,
            )
            value = answer(call)
        shown, kind = (value["value"], model) if model.startswith("[") else (value, model)
        self.broken += [f"{request.method} {path}: {each}" for each in wrong(shown, kind)]
        return reply(201 if request.method == "POST" and not model.startswith("[") else 200, value, headers)

    def _repo(self, parts: Mapping[str, str]) -> Repo | None:
        project = parts["project"].lower()
        repos = [repo for repo in self.world.repos.values() if project in (repo.project.lower(), repo.project_id)]
        if not repos:
            raise RefusedError(
                404,
                "ProjectDoesNotExistWithNameException",
                f"TF200016: The following project does not exist: {parts['project']}. Verify that the name of the "
                "project is correct and that the project exists on the specified Azure DevOps Server.",
            )
        wanted = parts.get("repositoryId")
        if wanted is None:
            return None
        for repo in repos:
            if wanted.lower() in (repo.name.lower(), repo.id) and not repo.disabled:
                return repo
        raise RefusedError(
            404,
            "GitRepositoryNotFoundException",
            f"TF401019: The Git repository with name or identifier {wanted} does not exist or you do not have "
            "permissions for the operation you are attempting.",
        )

    def _git(self, request: Request, token: Token | None) -> Response:
        if token is None:
            headers = {"Content-Type": "text/plain", "WWW-Authenticate": f'Basic realm="{self.url}"'}
            return Response(status=401, headers=headers, body=b"TF400813: The user is not authorized.\n")
        path = re.fullmatch(rf"{self.path}/(?:([^/]+)/)?_git/([^/]+)/(.*)", unquote(request.path), re.IGNORECASE)
        repo = self._repo({"project": path[1] or path[2], "repositoryId": path[2]}) if path else None
        if path is None or repo is None:
            return Response(status=404, headers={"Content-Type": "text/plain"}, body=b"not found\n")
        pushing = "git-receive-pack" in request.path or request.query.get("service") == "git-receive-pack"
        if pushing and "GenericContribute" in token.lacks:
            words = "TF401027: You need the Git 'GenericContribute' permission to perform this action."
            return Response(status=403, headers={"Content-Type": "text/plain"}, body=f"{words}\n".encode())
        inner = replace(request, path=f"/{repo.git.path.name}/{path[3]}")
        response = serve_git(self._root, inner, token.name)
        if pushing:
            with self._lock:
                self._sync_all(token)
        return response


def _kind(path: str) -> Kind:
    return "git" if "/_git/" in path else "rest"
