"""The REST endpoints, one function each. What they take and give is checked against GitHub's schemas on the way."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from tests.forges import github_acts as acts
from tests.forges import github_rules as rules
from tests.forges.faults import Request, Response, reply
from tests.forges.github_pages import page
from tests.forges.github_schema import faults_of_body, faults_of_query, faults_of_reply
from tests.forges.github_shapes import Shape, Shapes, time
from tests.forges.github_state import Pull, RefusedError, Repo, Token, World

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request with all that its endpoint needs; `repo` only where the path names one."""

    world: World
    token: Token
    shapes: Shapes
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    page_size: int
    repository: Repo | None = None

    @property
    def repo(self) -> Repo:
        assert self.repository is not None
        return self.repository

    def pull(self) -> Pull:
        text = self.parameters["pull_number"]
        return self.repo.pull(int(text) if text.isdigit() else 0)

    def sha(self, name: str = "ref") -> str:
        """The commit of a branch, tag or id in the path."""
        revision = self.parameters[name]
        for prefix in ("refs/heads/", "refs/", ""):
            if commit := self.repo.git.one_commit(f"{prefix}{revision}"):
                return commit.sha
        raise RefusedError(422, f"No commit found for SHA: {revision}")


Answer = tuple[int, object, dict[str, str]]
Endpoint = Callable[[Call], Answer]

ENDPOINTS: dict[str, tuple[Endpoint, str]] = {}
"""What answers each operation, with the permission it needs."""


def endpoint(operation: str, needs: str = "") -> Callable[[Endpoint], Endpoint]:
    """Register what answers `METHOD /path`; `needs` is the permission as `name:level`."""

    def register(function: Endpoint) -> Endpoint:
        ENDPOINTS[operation] = (function, needs)
        return function

    return register


def find(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the operation that a path belongs to and what its template's names stand for."""
    if method == "GET":
        # Older addresses of the same things: PyGithub, or its older versions, still ask there.
        path = re.sub(r"^(/repos/[^/]+/[^/]+)/statuses/([^/]+)$", r"\1/commits/\2/statuses", path)
        path = re.sub(r"^(/repos/[^/]+/[^/]+)/git/refs/(.+)$", r"\1/git/ref/\2", path)
    for operation, pattern in _patterns(method):
        if match := pattern.fullmatch(path):
            return operation, match.groupdict()
    return None


@cache
def _patterns(method: str) -> list[tuple[str, re.Pattern[str]]]:
    """Return the operations of a method with the patterns of their paths, the longest first."""
    found = []
    for operation in sorted(ENDPOINTS, key=len, reverse=True):
        verb, _, template = operation.partition(" ")
        pattern = template.replace("{ref}", "(?P<ref>.+)").replace("{branch}", "(?P<branch>.+)")
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        if verb == method:
            found.append((operation, re.compile(pattern)))
    return found


def answer(operation: str, call: Call, request: Request) -> tuple[Response, list[str]]:
    """Run an endpoint; returns its reply and what is wrong with it, which would be a fault of this server."""
    try:
        _check(operation, call, request)
        status, value, headers = ENDPOINTS[operation][0](call)
    except RefusedError as refused:
        status, headers = refused.status, refused.headers
        said = {"message": str(refused), "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        value = said | ({"errors": refused.errors} if isinstance(refused, acts.InvalidError) else {})
    return reply(status, value, headers), faults_of_reply(operation, status, value)


def _check(operation: str, call: Call, request: Request) -> None:
    name, _, level = ENDPOINTS[operation][1].partition(":")
    if name and not call.token.allows(name, level):
        accepted = {"X-Accepted-GitHub-Permissions": f"{name}={level}"}
        raise RefusedError(403, f"Resource not accessible by {call.token.noun}", headers=accepted)
    wrong = faults_of_body(operation, request.json) + faults_of_query(operation, request.query)
    if wrong:
        raise RefusedError(422, f"Invalid request.\n\n{'; '.join(wrong)}")
    if call.repository and call.repo.settings.archived and request.method != "GET":
        raise RefusedError(403, "Repository was archived so is read-only.")


def listed(call: Call, items: Sequence[T], show: Callable[[T], Shape]) -> Answer:
    return 200, *paged(call, items, show)


def paged(call: Call, items: Sequence[T], show: Callable[[T], Shape]) -> tuple[list[Shape], dict[str, str]]:
    return page(items, show, url=f"{call.shapes.api}{call.path}", query=call.query, cap=call.page_size)


@endpoint("GET /repos/{owner}/{repo}", "metadata:read")
def get_repository(call: Call) -> Answer:
    return 200, call.shapes.full_repository(call.repo), {}


@endpoint("GET /repos/{owner}/{repo}/pulls", "pull_requests:read")
def list_pulls(call: Call) -> Answer:
    query = call.query
    pulls = [call.repo.seen(pull) for pull in call.repo.pulls.values()]
    if (state := query.get("state", "open")) != "all":
        pulls = [pull for pull in pulls if pull.open == (state == "open")]
    owner, colon, ref = query.get("head", "").partition(":")
    if colon:
        # Without an owner GitHub ignores the filter and lists them all.
        pulls = [pull for pull in pulls if pull.head_ref == ref and (pull.head_repo and pull.head_repo.owner) == owner]
    if base := query.get("base"):
        pulls = [pull for pull in pulls if pull.base_ref == base]
    by_update = query.get("sort") == "updated"
    descending = query.get("direction", "asc" if by_update else "desc") == "desc"
    pulls.sort(key=lambda pull: (pull.updated_at if by_update else pull.created_at, pull.number), reverse=descending)
    return listed(call, pulls, lambda pull: call.shapes.pull(call.repo, pull))


@endpoint("POST /repos/{owner}/{repo}/pulls", "pull_requests:write")
def create_pull(call: Call) -> Answer:
    body = call.body
    owner, _, ref = body["head"].rpartition(":")
    fork = next((each for each in call.world.repos.values() if each.parent is call.repo and each.owner == owner), None)
    head_repo = fork if owner not in ("", call.repo.owner) else call.repo
    pull = acts.open_pull(
        call.repo,
        head_repo=head_repo,
        head=ref,
        base=body["base"],
        title=body.get("title") or "",
        body=body.get("body"),
        draft=body.get("draft", False),
        author=call.token.login,
    )
    return 201, call.shapes.full_pull(call.repo, pull), {}


@endpoint("GET /repos/{owner}/{repo}/pulls/{pull_number}", "pull_requests:read")
def get_pull(call: Call) -> Answer:
    return 200, call.shapes.full_pull(call.repo, call.repo.seen(call.pull())), {}


@endpoint("PATCH /repos/{owner}/{repo}/pulls/{pull_number}", "pull_requests:write")
def update_pull(call: Call) -> Answer:
    pull, body = call.pull(), call.body
    if body.get("base", pull.base_ref) not in call.repo.tips:
        raise acts.InvalidError([{"resource": "PullRequest", "field": "base", "code": "invalid"}])
    rivals = [each for each in call.repo.open_pulls() if each is not pull and each.head_ref == pull.head_ref]
    if pull.open and any(each.base_ref == body.get("base") for each in rivals if each.head_repo is pull.head_repo):
        text = f"A pull request already exists for base branch '{body['base']}' and head branch '{pull.head_ref}'"
        raise acts.InvalidError([{"resource": "PullRequest", "field": "base", "code": "invalid", "message": text}])
    if body.get("state") == "open" and not pull.open:
        acts.reopen(call.repo, pull)
    pull.title = body.get("title", pull.title)
    pull.body = body.get("body", pull.body)
    if (base := body.get("base", pull.base_ref)) != pull.base_ref:
        call.repo.note(pull, "BaseRefChangedEvent", before=pull.base_ref, after=base)
        pull.base_ref = base
    pull.updated_at = call.world.clock.tick()
    if body.get("state") == "closed" and pull.open:
        acts.close(call.repo, pull)
    return 200, call.shapes.full_pull(call.repo, pull), {}


@endpoint("PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge", "contents:write")
def merge_pull(call: Call) -> Answer:
    body = call.body
    sha = acts.merge(
        call.repo,
        call.pull(),
        body.get("merge_method", "merge"),
        by=call.token.login,
        sha=body.get("sha", ""),
        headline=body.get("commit_title", ""),
        message=body.get("commit_message", ""),
    )
    return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}, {}


@endpoint("GET /repos/{owner}/{repo}/pulls/{pull_number}/merge", "contents:read")
def is_merged(call: Call) -> Answer:
    if call.repo.seen(call.pull()).merged_at is None:
        raise RefusedError(404, "Not Found")
    return 204, None, {}


@endpoint("PUT /repos/{owner}/{repo}/pulls/{pull_number}/update-branch", "pull_requests:write")
def update_branch(call: Call) -> Answer:
    acts.update_branch(call.repo, call.pull(), by=call.token.login, expected=call.body.get("expected_head_sha", ""))
    return 202, {"message": "Updating pull request branch.", "url": f"{call.shapes.api}{call.path}"}, {}


@endpoint("GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews", "pull_requests:read")
def list_reviews(call: Call) -> Answer:
    pull = call.pull()
    return listed(call, pull.reviews, lambda review: call.shapes.review(call.repo, pull, review))


@endpoint("GET /repos/{owner}/{repo}/pulls/{pull_number}/commits", "pull_requests:read")
def list_pull_commits(call: Call) -> Answer:
    pull = call.pull()
    commits = call.repo.git.commits(pull.head_sha, without=pull.base_sha)[::-1][:250]
    return listed(call, commits, lambda commit: call.shapes.commit(call.repo, commit))


@endpoint("GET /repos/{owner}/{repo}/pulls/{pull_number}/files", "pull_requests:read")
def list_pull_files(call: Call) -> Answer:
    pull = call.pull()
    changes = call.repo.git.changes(pull.base_sha, pull.head_sha)
    return listed(call, changes, lambda change: call.shapes.change(call.repo, change, pull.head_sha))


@endpoint("POST /repos/{owner}/{repo}/statuses/{sha}", "statuses:write")
def create_status(call: Call) -> Answer:
    status = acts.post_status(
        call.repo,
        call.sha("sha"),
        context=call.body.get("context", "default"),
        state=call.body["state"],
        description=call.body.get("description"),
        target_url=call.body.get("target_url"),
        creator=call.token.login,
    )
    return 201, call.shapes.status(call.repo, status), {}


@endpoint("GET /repos/{owner}/{repo}/commits/{ref}/statuses", "statuses:read")
def list_statuses(call: Call) -> Answer:
    statuses = call.repo.statuses.get(call.sha(), [])[::-1]
    return listed(call, statuses, lambda status: call.shapes.status(call.repo, status))


@endpoint("GET /repos/{owner}/{repo}/commits/{ref}/status", "statuses:read")
def combined_status(call: Call) -> Answer:
    sha = call.sha()
    newest = call.repo.newest_statuses(sha)
    states = {status.state for status in newest}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    shown, headers = paged(call, newest, lambda status: call.shapes.simple_status(call.repo, status))
    url = f"{call.shapes.api}/repos/{call.repo.full_name}/commits/{sha}"
    value = {
        "state": state,
        "statuses": shown,
        "sha": sha,
        "total_count": len(newest),
        "repository": call.shapes.repository(call.repo),
        "commit_url": url,
        "url": f"{url}/status",
    }
    return 200, value, headers


@endpoint("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", "checks:read")
def list_check_runs(call: Call) -> Answer:
    sha, name = call.sha(), call.query.get("check_name")
    runs = call.repo.newest_checks(sha)
    if call.query.get("filter") == "all":
        runs = call.repo.checks.get(sha, [])[::-1]
    runs = [run for run in runs if name in (None, run.name)]
    shown, headers = paged(call, runs, lambda run: call.shapes.check_run(call.repo, run))
    return 200, {"total_count": len(runs), "check_runs": shown}, headers


@endpoint("GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pull_requests:read")
def list_pulls_of_commit(call: Call) -> Answer:
    pulls = rules.pulls_of(call.repo, call.sha("commit_sha"))
    return listed(call, pulls, lambda pull: call.shapes.pull(call.repo, pull))


@endpoint("GET /repos/{owner}/{repo}/commits/{ref}", "contents:read")
def get_commit(call: Call) -> Answer:
    commit = call.repo.git.one_commit(call.sha())
    assert commit is not None
    return 200, call.shapes.commit(call.repo, commit), {}


@endpoint("GET /repos/{owner}/{repo}/commits", "contents:read")
def list_commits(call: Call) -> Answer:
    start = call.query.get("sha") or call.repo.default_branch
    first = call.repo.git.one_commit(call.repo.tips.get(start, start))
    if first is None:
        raise RefusedError(404, "Not Found")
    times = {name: call.query[name] for name in ("since", "until") if name in call.query}
    commits = call.repo.git.commits(first.sha, **times)
    return listed(call, commits, lambda commit: call.shapes.commit(call.repo, commit))


@endpoint("GET /repos/{owner}/{repo}/git/ref/{ref}", "contents:read")
def get_ref(call: Call) -> Answer:
    name = call.parameters["ref"]
    sha = call.repo.tips.get(name.removeprefix("heads/"))
    if sha is None:
        raise RefusedError(404, "Not Found")
    url = f"{call.shapes.api}/repos/{call.repo.full_name}/git"
    target = {"sha": sha, "type": "commit", "url": f"{url}/commits/{sha}"}
    return 200, {"ref": f"refs/{name}", "node_id": f"REF_{name}", "url": f"{url}/refs/{name}", "object": target}, {}


@endpoint("DELETE /repos/{owner}/{repo}/git/refs/{ref}", "contents:write")
def delete_ref(call: Call) -> Answer:
    branch = call.parameters["ref"].removeprefix("heads/")
    if branch not in call.repo.tips:
        raise RefusedError(422, "Reference does not exist")
    if call.repo.protection(branch):
        raise RefusedError(422, f"Cannot delete protected branch {branch}")
    call.repo.git.move(branch, None, call.repo.tips[branch])
    return 204, None, {}


@endpoint("POST /repos/{owner}/{repo}/dispatches", "contents:write")
def dispatch(call: Call) -> Answer:
    payload = {"action": call.body["event_type"], "client_payload": call.body.get("client_payload", {})}
    call.world.record("repository_dispatch", call.repo, payload)
    return 204, None, {}


@endpoint("GET /rate_limit")
def rate_limit(call: Call) -> Answer:
    rate = {"limit": 5000, "used": 1, "remaining": 4999, "reset": int(call.world.clock.now.timestamp()) + 3600}
    return 200, {"rate": rate, "resources": {"core": rate, "search": rate, "graphql": rate}}, {}


@endpoint("GET /user")
def get_user(call: Call) -> Answer:
    at = time(call.world.clock.now)
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    nothing = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"))
    repo = next(iter(call.world.repos.values()))
    return 200, call.shapes.user(repo, call.token.login) | counts | nothing | {"created_at": at, "updated_at": at}, {}
