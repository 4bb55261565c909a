"""How REST writes down what GitHub knows: times in UTC to the second, addresses with the prefix of the request."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.forges import github_rules as rules
from tests.forges.github_state import CheckRun, Pull, Repo, Review, Status
from tests.forges.repository import Change
from tests.support.objects import Commit

Shape = dict[str, Any]

REPOSITORY_URLS = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors deployments "
    "downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels "
    "languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags teams "
    "trees"
)
USER_URLS = "events followers following gists organizations received_events repos starred subscriptions"


def time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, *parts: object) -> str:
    """An id of GraphQL; `read_node_id` takes it apart again."""
    return "_".join((kind, *map(str, parts)))


def read_node_id(text: str) -> tuple[str, list[str]]:
    kind, *parts = text.split("_")
    return kind, parts


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """Builds payloads with addresses below `api` and `site`; no trailing slash."""

    api: str
    site: str

    def user(self, repo: Repo, login: str) -> Shape:
        number, bot = repo.world.user_id(login), login.endswith("[bot]")
        url = f"{self.api}/users/{login}"
        return {
            "login": login,
            "id": number,
            "node_id": node_id("BOT" if bot else "U", number),
            "avatar_url": f"{self.site}/avatars/{number}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.site}/{login}",
            "type": "Bot" if bot else "User",
            "site_admin": False,
        } | {f"{name}_url": f"{url}/{name}" for name in USER_URLS.split()}

    def repository(self, repo: Repo) -> Shape:
        url, html = self._url(repo), f"{self.site}/{repo.full_name}"
        settings = repo.settings
        return {
            "id": repo.id,
            "node_id": node_id("R", repo.id),
            "name": repo.name,
            "full_name": repo.full_name,
            "owner": self.user(repo, repo.owner),
            "private": settings.private,
            "html_url": html,
            "description": None,
            "fork": repo.parent is not None,
            "url": url,
            "clone_url": f"{html}.git",
            "git_url": f"git:{html.partition(':')[2]}.git",
            "ssh_url": f"git@127.0.0.1:{repo.full_name}.git",
            "svn_url": html,
            "mirror_url": None,
            "homepage": None,
            "language": None,
            "forks": 0,
            "forks_count": 0,
            "stargazers_count": 0,
            "watchers": 0,
            "watchers_count": 0,
            "size": 1,
            "default_branch": repo.default_branch,
            "open_issues": 0,
            "open_issues_count": 0,
            "has_issues": True,
            "has_projects": False,
            "has_wiki": False,
            "has_pages": False,
            "has_downloads": True,
            "has_discussions": False,
            "archived": settings.archived,
            "disabled": False,
            "license": None,
            "visibility": "private" if settings.private else "public",
            "pushed_at": time(repo.world.clock.now),
            "created_at": time(repo.created_at),
            "updated_at": time(repo.created_at),
        } | {f"{name}_url": f"{url}/{name}" for name in REPOSITORY_URLS.split()}

    def full_repository(self, repo: Repo) -> Shape:
        settings = repo.settings
        return self.repository(repo) | {
            "network_count": 0,
            "subscribers_count": 0,
            "allow_auto_merge": settings.allow_auto_merge,
            "allow_merge_commit": settings.allow_merge_commit,
            "allow_squash_merge": settings.allow_squash_merge,
            "allow_rebase_merge": settings.allow_rebase_merge,
            "delete_branch_on_merge": settings.delete_branch_on_merge,
            "permissions": {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True},
        }

    def pull(self, repo: Repo, pull: Pull) -> Shape:
        """As lists show it."""
        url, html = f"{self._url(repo)}/pulls/{pull.number}", f"{self.site}/{repo.full_name}/pull/{pull.number}"
        issue = f"{self._url(repo)}/issues/{pull.number}"
        links = {
            "self": url,
            "html": html,
            "issue": issue,
            "comments": f"{issue}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{self._url(repo)}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": f"{self._url(repo)}/statuses/{pull.head_sha}",
        }
        merge_sha = pull.merge_sha
        if pull.open:
            # GitHub shows the commit of its own test merge here: that there is one does not mean merged.
            merge_sha = repo.trees.get((rules.base_tip(repo, pull), pull.head_sha))
        return {
            "url": url,
            "id": repo.id * 100_000 + pull.number,
            "node_id": node_id("PR", repo.id, pull.number),
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "issue_url": issue,
            "commits_url": links["commits"],
            "review_comments_url": links["review_comments"],
            "review_comment_url": links["review_comment"],
            "comments_url": links["comments"],
            "statuses_url": links["statuses"],
            "number": pull.number,
            "state": "open" if pull.open else "closed",
            "locked": False,
            "title": pull.title,
            "user": self.user(repo, pull.author),
            "body": pull.body,
            "labels": [],
            "milestone": None,
            "active_lock_reason": None,
            "created_at": time(pull.created_at),
            "updated_at": time(pull.updated_at),
            "closed_at": pull.closed_at and time(pull.closed_at),
            "merged_at": pull.merged_at and time(pull.merged_at),
            "merge_commit_sha": merge_sha,
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._end(repo, pull.head_repo, pull.head_ref, pull.head_sha),
            "base": self._end(repo, repo, pull.base_ref, pull.base_sha),
            "_links": {name: {"href": address} for name, address in links.items()},
            "author_association": "MEMBER",
            "auto_merge": self._auto_merge(repo, pull),
            "draft": pull.draft,
        }

    def issue(self, repo: Repo, pull: Pull) -> Shape:
        """A pull request as an issue."""
        url = f"{self._url(repo)}/issues/{pull.number}"
        keys = ("number", "state", "locked", "title", "user", "body", "labels", "milestone", "active_lock_reason")
        times = ("created_at", "updated_at", "closed_at", "author_association", "html_url")
        shown = self.pull(repo, pull)
        return {name: shown[name] for name in (*keys, *times)} | {
            "url": url,
            "id": repo.id * 100_000 + pull.number,
            "node_id": node_id("I", repo.id, pull.number),
            "repository_url": self._url(repo),
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "assignee": self.user(repo, pull.assignees[0]) if pull.assignees else None,
            "assignees": [self.user(repo, name) for name in pull.assignees],
            "comments": len(pull.comments),
        }

    def full_pull(self, repo: Repo, pull: Pull) -> Shape:
        """As a look-up of one shows it; mergeability is null until it is known."""
        settled = pull.open and repo.is_settled(pull)
        state = rules.merge_state(repo, pull) if settled else "unknown"
        commits = repo.git.commits(pull.head_sha, without=pull.base_sha)
        changes = repo.git.changes(pull.base_sha, pull.head_sha)
        return self.pull(repo, pull) | {
            "merged": pull.merged_at is not None,
            "mergeable": state != "dirty" if settled else None,
            "rebaseable": state != "dirty" if settled else None,
            "mergeable_state": state,
            "merged_by": self.user(repo, pull.merged_by) if pull.merged_by else None,
            "comments": 0,
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": len(commits),
            "additions": sum(change.additions for change in changes),
            "deletions": sum(change.deletions for change in changes),
            "changed_files": len(changes),
        }

    def status(self, repo: Repo, status: Status) -> Shape:
        return self.simple_status(repo, status) | {"creator": self.user(repo, status.creator)}

    def simple_status(self, repo: Repo, status: Status) -> Shape:
        return {
            "url": f"{self._url(repo)}/statuses/{status.sha}",
            "avatar_url": self.user(repo, status.creator)["avatar_url"],
            "id": status.id,
            "node_id": node_id("SC", repo.id, status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": time(status.created_at),
            "updated_at": time(status.created_at),
        }

    def check_run(self, repo: Repo, run: CheckRun) -> Shape:
        url = f"{self._url(repo)}/check-runs/{run.id}"
        empty: Shape = dict.fromkeys(("title", "summary", "text"))
        return {
            "id": run.id,
            "node_id": node_id("CR", repo.id, run.id),
            "head_sha": run.sha,
            "name": run.name,
            "url": url,
            "html_url": f"{self.site}/{repo.full_name}/runs/{run.id}",
            "details_url": None,
            "external_id": "",
            "status": "completed" if run.conclusion else "in_progress",
            "conclusion": run.conclusion or None,
            "started_at": time(run.started_at),
            "completed_at": run.completed_at and time(run.completed_at),
            "check_suite": {"id": repo.world.apps[run.app]},
            "output": empty | {"annotations_count": 0, "annotations_url": f"{url}/annotations"},
            "app": self.app(repo, run.app),
            "pull_requests": [],
        }

    def app(self, repo: Repo, slug: str) -> Shape:
        number = repo.world.apps[slug]
        return {
            "id": number,
            "slug": slug,
            "node_id": node_id("A", number),
            "owner": self.user(repo, repo.owner),
            "name": slug,
            "description": None,
            "external_url": self.site,
            "html_url": f"{self.site}/apps/{slug}",
            "created_at": time(repo.created_at),
            "updated_at": time(repo.created_at),
            "permissions": {},
            "events": [],
        }

    def review(self, repo: Repo, pull: Pull, review: Review) -> Shape:
        html = f"{self.site}/{repo.full_name}/pull/{pull.number}#pullrequestreview-{review.id}"
        url = f"{self._url(repo)}/pulls/{pull.number}"
        return {
            "id": review.id,
            "node_id": node_id("PRR", repo.id, review.id),
            "user": self.user(repo, review.user),
            "body": review.body,
            "state": review.state,
            "html_url": html,
            "pull_request_url": url,
            "_links": {"html": {"href": html}, "pull_request": {"href": url}},
            "submitted_at": time(review.submitted_at),
            "commit_id": review.sha,
            "author_association": "MEMBER",
        }

    def commit(self, repo: Repo, commit: Commit) -> Shape:
        url = f"{self._url(repo)}/commits/{commit.sha}"
        git = f"{self._url(repo)}/git"
        parent = f"{self._url(repo)}/commits"
        html = f"{self.site}/{repo.full_name}/commit"
        people = {
            role: {"name": person.name, "email": person.email, "date": time(person.when)}
            for role, person in (("author", commit.author), ("committer", commit.committer))
        }
        return {
            "url": url,
            "sha": commit.sha,
            "node_id": node_id("C", repo.id, commit.sha),
            "html_url": f"{html}/{commit.sha}",
            "comments_url": f"{url}/comments",
            "commit": people
            | {
                "url": f"{git}/commits/{commit.sha}",
                "message": commit.message,
                "comment_count": 0,
                "tree": {"sha": commit.tree, "url": f"{git}/trees/{commit.tree}"},
            },
            "author": None,
            "committer": None,
            "parents": [{"sha": sha, "url": f"{parent}/{sha}", "html_url": f"{html}/{sha}"} for sha in commit.parents],
        }

    def change(self, repo: Repo, change: Change, head: str) -> Shape:
        return {
            "sha": change.blob,
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": f"{self.site}/{repo.full_name}/blob/{head}",
            "raw_url": f"{self.site}/{repo.full_name}/raw/{head}",
            "contents_url": f"{self._url(repo)}/contents/?ref={head}",
        }

    def _url(self, repo: Repo) -> str:
        return f"{self.api}/repos/{repo.full_name}"

    def _end(self, repo: Repo, at: Repo | None, ref: str, sha: str) -> Shape:
        owner = at.owner if at else "ghost"
        return {
            "label": f"{owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.user(repo, owner),
            "repo": self.repository(at) if at else None,
        }

    def _auto_merge(self, repo: Repo, pull: Pull) -> Shape | None:
        armed = pull.auto_merge
        if armed is None:
            return None
        return {
            "enabled_by": self.user(repo, armed.by),
            "merge_method": armed.method,
            "commit_title": armed.headline,
            "commit_message": armed.body,
        }
