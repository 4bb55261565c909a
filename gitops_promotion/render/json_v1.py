"""`--output json`, version 1 (docs/exit-codes.md).

The fields are written out: a new field of a value inside the program is not a new key of the document.
"""

import json
from collections.abc import Mapping
from typing import Any

from gitops_promotion.core.forge import Details, PullRequest, PullRequests
from gitops_promotion.core.graph import Graph
from gitops_promotion.core.model import Outcome, Plan
from gitops_promotion.core.report import Report
from gitops_promotion.render.common import without_commands

VERSION = 1
"""A key that goes away or changes its meaning raises it; a new key does not."""


def report(report: Report, *, colour: bool = False) -> str:
    """Return the document with the list `outcomes`."""
    del colour
    return document(outcomes=[outcome_fields(outcome) for outcome in report.outcomes])


def pull_requests(pulls: PullRequests, *, colour: bool = False) -> str:
    """Return the document of `local list`, with the list `pull_requests`."""
    del colour
    return document(pull_requests=[pull_request_fields(pull) for pull in pulls.pull_requests])


def pull_request(details: Details, *, colour: bool = False) -> str:
    """Return the document of `local show`, with one `pull_request`."""
    del colour
    statuses = [{"context": s.context, "state": s.state, "description": s.description} for s in details.statuses]
    reviews = [{"author": r.author, "verdict": r.verdict, "sha": r.sha, "comment": r.comment} for r in details.reviews]
    return document(
        pull_request={
            **pull_request_fields(details.pull_request),
            "body": details.pull_request.body,
            "gated": details.gated,
            "statuses": statuses,
            "reviews": reviews,
            "diff": details.diff,
        }
    )


def graph(graph: Graph, *, colour: bool = False) -> str:
    """Return the document of `graph`, with the list `environments`."""
    del colour
    environments = [
        {
            "name": node.name,
            "auto": node.auto,
            "sources": list(node.sources),
            "require": node.require,
            "targets": list(node.targets),
            "patterns": list(node.patterns),
            "markers": list(node.markers),
            "files": list(node.files),
            "applications": [str(application) for application in node.applications],
        }
        for node in graph.environments
    ]
    return document(entry=graph.entry, environments=environments)


def document(**content: Any) -> str:
    """Return a document of this version with these keys."""
    return without_commands(json.dumps({"version": VERSION, **content}, indent=2)) + "\n"


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as the document has it."""
    return {
        "result": outcome.result,
        "exit_code": outcome.exit_code,
        "message": outcome.message,
        "group": outcome.group,
        "app": outcome.app,
        "environment": outcome.environment,
        "tag": outcome.tag,
        "previous_tag": outcome.previous_tag,
        "branch": outcome.branch,
        "sha": outcome.sha,
        "feature_url": outcome.feature_url,
        "pull_request": pull_request_fields(outcome.pull_request) if outcome.pull_request else None,
        "reasons": list(outcome.reasons),
        "warnings": list(outcome.warnings),
        "plan": _plan_fields(outcome.plan) if outcome.plan else None,
        "diff": outcome.plan.diff if outcome.plan else outcome.diff,
    }


def pull_request_fields(pull: PullRequest) -> Mapping[str, Any]:
    """Return a pull request as the document has it."""
    return {
        "number": pull.number,
        "url": pull.url,
        "state": pull.state,
        "head": pull.head,
        "head_sha": pull.head_sha,
        "base": pull.base,
        "merge_sha": pull.merge_sha,
        "auto_merge": pull.auto_merge,
        "title": pull.title,
        "author": pull.author,
    }


def _plan_fields(plan: Plan) -> Mapping[str, Any]:
    return {
        "branch": plan.branch,
        "base": plan.base,
        "base_sha": plan.base_sha,
        "commit_message": plan.message,
        "title": plan.title,
        "body": plan.body,
        "auto_merge": plan.auto_merge,
        "files": sorted(plan.edits),
    }
