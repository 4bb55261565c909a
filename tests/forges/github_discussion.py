"""The REST endpoints around people: reviews, comments, reviewers, labels, teams, activity, rules of a branch."""

from collections.abc import Mapping

from tests.forges import github_acts as acts
from tests.forges.github_rest import Answer, Call, endpoint, listed
from tests.forges.github_shapes import Shape, node_id, time
from tests.forges.github_state import Activity, Comment, Opinion, Pull, RefusedError, Review
from tests.forges.github_timeline import COMMENT_LIMIT


@endpoint("POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews", "pull_requests:write")
def create_review(call: Call) -> Answer:
    pull, body, login = call.pull(), call.body, call.token.login
    event, text = body.get("event"), body.get("body") or ""
    if event in ("APPROVE", "REQUEST_CHANGES") and login == pull.author:
        verb = "approve" if event == "APPROVE" else "request changes on"
        raise acts.InvalidError([f"Can not {verb} your own pull request"], "Unprocessable Entity")
    if event == "APPROVE" and call.token.kind == "actions":
        raise acts.InvalidError(["GitHub Actions is not permitted to approve pull requests."], "Unprocessable Entity")
    if event in ("REQUEST_CHANGES", "COMMENT") and not text:
        raise acts.InvalidError(["Body can not be blank"], "Unprocessable Entity")
    sha = body.get("commit_id") or pull.head_sha
    if call.repo.commit(sha) is None or not call.repo.git.is_ancestor(sha, pull.head_sha):
        raise acts.InvalidError(["The commitOID is not part of the pull request"], "Unprocessable Entity")
    if event is None:
        raise RefusedError(422, "this server keeps no pending reviews: send an `event`")
    states: Mapping[str, Opinion] = {
        "APPROVE": "APPROVED",
        "REQUEST_CHANGES": "CHANGES_REQUESTED",
        "COMMENT": "COMMENTED",
    }
    review = Review(
        id=call.world.new_id(),
        user=login,
        state=states[event],
        body=text,
        sha=sha,
        submitted_at=call.world.clock.tick(),
    )
    pull.reviews.append(review)
    call.world.record("pull_request_review", call.repo, {"action": "submitted", "number": pull.number})
    return 200, call.shapes.review(call.repo, pull, review), {}


@endpoint("POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers", "pull_requests:write")
def request_reviewers(call: Call) -> Answer:
    pull, repo = call.pull(), call.repo
    people, teams = call.body.get("reviewers", []), call.body.get("team_reviewers", [])
    if pull.author in people:
        raise RefusedError(422, "Review cannot be requested from pull request author.")
    names = [*people, *(f"{repo.owner}/{team}" for team in teams)]
    if teams and not _reads_teams(call):
        raise RefusedError(422, f"Could not resolve to a node with the global id of 'T_{teams[0]}'.")
    if any(repo.collaborators is not None and name not in repo.collaborators for name in names):
        kinds = "users or teams" if people and teams else "teams" if teams else "users"
        text = f"Reviews may only be requested from collaborators. One or more of the {kinds} you specified is not a "
        raise RefusedError(422, f"{text}collaborator of the {repo.full_name} repository.")
    pull.requested += [name for name in names if name not in pull.requested]
    return 201, call.shapes.pull(repo, pull), {}


@endpoint("POST /repos/{owner}/{repo}/issues/{issue_number}/comments")
def create_comment(call: Call) -> Answer:
    pull, text = _pull_of_issue(call), call.body["body"]
    if len(text) > COMMENT_LIMIT:
        error = f"body is too long (maximum is {COMMENT_LIMIT} characters)"
        raise acts.InvalidError(
            [{"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": error}]
        )
    comment = Comment(id=call.world.new_id(), user=call.token.login, body=text, created_at=call.world.clock.tick())
    pull.comments.append(comment)
    return 201, _comment(call, pull, comment), {}


@endpoint("POST /repos/{owner}/{repo}/issues/{issue_number}/labels")
def add_labels(call: Call) -> Answer:
    pull = _pull_of_issue(call)
    wanted = call.body["labels"]
    pull.labels += [name for name in wanted if name not in pull.labels]
    return listed(call, pull.labels, lambda name: _label(call, name))


@endpoint("POST /repos/{owner}/{repo}/issues/{issue_number}/assignees")
def add_assignees(call: Call) -> Answer:
    """Assign people, at most ten; whoever cannot be assigned is left out without an error."""
    pull = _pull_of_issue(call)
    people = [name for name in call.body["assignees"] if name not in call.world.strangers]
    pull.assignees = [*pull.assignees, *(name for name in people if name not in pull.assignees)][:10]
    return 201, call.shapes.issue(call.repo, pull), {}


def _pull_of_issue(call: Call) -> Pull:
    """The pull request behind an issue's number; one of two permissions is enough."""
    if not (call.token.allows("issues", "write") or call.token.allows("pull_requests", "write")):
        accepted = {"X-Accepted-GitHub-Permissions": "issues=write; pull_requests=write"}
        raise RefusedError(403, f"Resource not accessible by {call.token.noun}", headers=accepted)
    text = call.parameters["issue_number"]
    return call.repo.pull(int(text) if text.isdigit() else 0)


def _reads_teams(call: Call) -> bool:
    """A workflow's own token has no such permission, whatever the workflow asks for."""
    return call.token.kind != "actions" and call.token.allows("members", "read")


@endpoint("GET /orgs/{org}/teams/{team_slug}/members")
def list_members(call: Call) -> Answer:
    team = f"{call.parameters['org']}/{call.parameters['team_slug']}".casefold()
    if not _reads_teams(call):
        if call.token.kind == "user":
            raise RefusedError(404, "Not Found")
        accepted = {"X-Accepted-GitHub-Permissions": "members=read"}
        raise RefusedError(403, "Resource not accessible by integration", headers=accepted)
    if team not in call.world.teams:
        raise RefusedError(404, "Not Found")
    repo = next(iter(call.world.repos.values()))
    return listed(call, call.world.teams[team], lambda login: call.shapes.user(repo, login) | {"role": "member"})


@endpoint("GET /repos/{owner}/{repo}/activity", "contents:read")
def list_activity(call: Call) -> Answer:
    """Newest first, in pages with cursors: there are no page numbers here."""
    ref = call.query.get("ref", "")
    branch = ref.removeprefix("refs/heads/")
    found = [each for each in reversed(call.repo.activity) if not ref or each.branch == branch]
    start = 0
    if after := call.query.get("after"):
        start = next((index + 1 for index, each in enumerate(found) if f"djE6{each.id}" == after), len(found))
    size = max(1, min(int(call.query.get("per_page", 30)), 100, call.page_size))
    page = found[start : start + size]
    headers = {}
    if start + size < len(found):
        url = f"{call.shapes.api}{call.path}?ref={ref.replace('/', '%2F')}&after=djE6{page[-1].id}&per_page={size}"
        headers["Link"] = f'<{url}>; rel="next"'
    return 200, [_activity(call, each) for each in page], headers


def _activity(call: Call, activity: Activity) -> Shape:
    kind: str = activity.kind
    if kind == "push" and not call.repo.git.is_ancestor(activity.before, activity.after):
        kind = "force_push"
    return {
        "id": activity.id,
        "node_id": node_id("PSH", call.repo.id, activity.id),
        "before": activity.before,
        "after": activity.after,
        "ref": f"refs/heads/{activity.branch}",
        "timestamp": time(activity.at),
        "activity_type": kind,
        "actor": call.shapes.user(call.repo, activity.by) if activity.by else None,
    }


@endpoint("GET /repos/{owner}/{repo}/rules/branches/{branch}", "metadata:read")
def list_rules(call: Call) -> Answer:
    """Those of rulesets; the classic protection is not among them."""
    rule = call.repo.protection(call.parameters["branch"])
    rules: dict[str, Mapping[str, object]] = dict(rule.more) if rule and rule.ruleset else {}
    if rule and rule.ruleset and rule.checks:
        rules["required_status_checks"] = {
            "required_status_checks": [{"context": context} for context in rule.checks],
            "strict_required_status_checks_policy": rule.strict,
        }
    return listed(call, list(rules.items()), lambda item: _rule(call, *item))


def _rule(call: Call, kind: str, parameters: Mapping[str, object]) -> Shape:
    source = {"ruleset_source_type": "Repository", "ruleset_source": call.repo.full_name, "ruleset_id": 1}
    return {"type": kind, **source, **({"parameters": dict(parameters)} if parameters else {})}


@endpoint("GET /repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks", "administration:read")
def get_required_checks(call: Call) -> Answer:
    """Those of the classic protection, for administrators."""
    rule = call.repo.protection(call.parameters["branch"])
    if rule is None or rule.ruleset or not rule.checks:
        raise RefusedError(404, "Required status checks not enabled")
    url = f"{call.shapes.api}{call.path}"
    value = {
        "url": url,
        "contexts_url": f"{url}/contexts",
        "strict": rule.strict,
        "contexts": list(rule.checks),
        "checks": [{"context": context, "app_id": None} for context in rule.checks],
    }
    return 200, value, {}


@endpoint("GET /repos/{owner}/{repo}/branches/{branch}", "contents:read")
def get_branch(call: Call) -> Answer:
    name = call.parameters["branch"]
    commit = call.repo.commit(call.repo.tips.get(name, ""))
    if commit is None:
        raise RefusedError(404, "Branch not found")
    url = f"{call.shapes.api}/repos/{call.repo.full_name}/branches/{name}"
    rule = call.repo.protection(name)
    classic = rule if rule and not rule.ruleset else None
    checks = {
        "enforcement_level": "non_admins" if classic and classic.checks else "off",
        "contexts": list(classic.checks) if classic else [],
        "checks": [{"context": context, "app_id": None} for context in classic.checks] if classic else [],
    }
    value = {
        "name": name,
        "commit": call.shapes.commit(call.repo, commit),
        "_links": {"self": url, "html": f"{call.shapes.site}/{call.repo.full_name}/tree/{name}"},
        "protected": rule is not None,
        "protection": {"enabled": classic is not None, "required_status_checks": checks},
        "protection_url": f"{url}/protection",
    }
    return 200, value, {}


def _comment(call: Call, pull: Pull, comment: Comment) -> Shape:
    api = f"{call.shapes.api}/repos/{call.repo.full_name}/issues"
    return {
        "id": comment.id,
        "node_id": node_id("IC", call.repo.id, comment.id),
        "url": f"{api}/comments/{comment.id}",
        "issue_url": f"{api}/{pull.number}",
        "html_url": f"{call.shapes.site}/{call.repo.full_name}/pull/{pull.number}#issuecomment-{comment.id}",
        "body": comment.body,
        "user": call.shapes.user(call.repo, comment.user),
        "author_association": "MEMBER",
        "created_at": time(comment.created_at),
        "updated_at": time(comment.edited_at or comment.created_at),
    }


def _label(call: Call, name: str) -> Shape:
    return {
        "id": len(name),
        "node_id": node_id("LA", call.repo.id, name),
        "url": f"{call.shapes.api}/repos/{call.repo.full_name}/labels/{name}",
        "name": name,
        "description": None,
        "color": "ededed",
        "default": False,
    }
