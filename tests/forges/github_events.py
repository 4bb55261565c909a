"""What a workflow gets to read of an event, in the form of GitHub's webhooks: the server's notes, written out."""

from typing import Any

from tests.forges.github import GitHub
from tests.forges.github_shapes import Shapes, time
from tests.forges.github_state import Event, Repo

ZEROS = "0" * 40


def payload_of(event: Event, server: GitHub) -> dict[str, Any]:
    """Return the payload; what the event's own note says of a commit wins over what is known by now."""
    repo = server.world.repos[event.repository]
    shapes = Shapes(api=server.api_url, site=server.url)
    noted = dict(event.payload)
    write = {
        "push": _push,
        "pull_request": _pull_request,
        "merge_group": _merge_group,
        "status": _status,
        "repository_dispatch": _dispatch,
    }.get(event.name, lambda noted, _repo, _shapes: noted)
    return write(noted, repo, shapes) | {
        "repository": shapes.repository(repo),
        "sender": shapes.user(repo, event.by or "github"),
        "organization": {"login": repo.owner, "id": 1},
    }


def _push(noted: dict[str, Any], repo: Repo, shapes: Shapes) -> dict[str, Any]:
    before, after = noted["before"], noted["after"]
    new = [] if ZEROS in (before, after) else repo.git.commits(after, without=before)[19::-1]
    commits = [_commit(repo, commit.sha) for commit in new]
    return noted | {
        "base_ref": None,
        "created": before == ZEROS,
        "deleted": after == ZEROS,
        "forced": False,
        "compare": f"{shapes.site}/{repo.full_name}/compare/{before[:12]}...{after[:12]}",
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "pusher": {"name": "somebody", "email": "somebody@users.noreply.github.test"},
    }


def _pull_request(noted: dict[str, Any], repo: Repo, shapes: Shapes) -> dict[str, Any]:
    shown = shapes.pull(repo, repo.pull(noted["number"]))
    for end in ("head", "base"):
        shown[end] |= noted["pull_request"][end]
    return noted | {"pull_request": shown}


def _merge_group(noted: dict[str, Any], repo: Repo, _: Shapes) -> dict[str, Any]:
    group = noted["merge_group"]
    return noted | {"merge_group": group | {"head_commit": _commit(repo, group["head_sha"])}}


def _status(noted: dict[str, Any], repo: Repo, shapes: Shapes) -> dict[str, Any]:
    found = next(each for each in reversed(repo.statuses[noted["sha"]]) if each.context == noted["context"])
    return noted | {
        "id": found.id,
        "name": repo.full_name,
        "description": found.description,
        "target_url": found.target_url,
        "branches": [{"name": name} for name, tip in repo.tips.items() if tip == found.sha],
        "commit": {"sha": found.sha, "url": f"{shapes.api}/repos/{repo.full_name}/commits/{found.sha}"},
        "created_at": time(found.created_at),
        "updated_at": time(found.created_at),
    }


def _dispatch(noted: dict[str, Any], repo: Repo, _: Shapes) -> dict[str, Any]:
    return noted | {"branch": repo.default_branch, "installation": {"id": 1}}


def _commit(repo: Repo, sha: str) -> dict[str, Any]:
    commit = repo.commit(sha)
    assert commit is not None
    author, committer = commit.author, commit.committer
    return {
        "id": sha,
        "tree_id": commit.tree,
        "message": commit.message,
        "timestamp": time(committer.when),
        "author": {"name": author.name, "email": author.email},
        "committer": {"name": committer.name, "email": committer.email},
    }
