"""The commits between two versions of any repository on GitHub, with a token or without.

https://docs.github.com/en/rest/commits/commits#compare-two-commits: the oldest commits come first, in pages.
"""

import json
from typing import Any
from urllib.parse import quote

import requests

from gitops_promotion.bounded_http import BoundedAdapter, Signature
from gitops_promotion.core import untrusted
from gitops_promotion.core.sources import Difference, SourceCommit
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers import SourceQuery
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.http import is_full_sha

PAGE = 100
"""Commits in one answer."""

# Bytes of one answer, which has the changed files too, as many as 300 on its first page.
_LIMIT = 8 << 20
_VERSION = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def read_commits(query: SourceQuery) -> Difference:
    """Return what the new version has and the old one does not have, the newest commits first.

    Raises UsageError for an address that is no repository, ProviderError without a usable answer in time.
    """
    address = Address.parse(query.repository, api_url=query.api_url, environ=query.environ)
    versions = f"{quote(query.old, safe='')}...{quote(query.new, safe='')}"
    url = f"{address.api}/repos/{address.repository}/compare/{versions}"
    token = query.token()
    signature = Signature(f"Bearer {token}" if token else "")
    first = _ask(url, 1, signature, query.left())
    total = _count(first, "total_commits")
    page = -(-total // PAGE)
    commits = _commits(first)
    if page > 1:
        last = _commits(_ask(url, page, signature, query.left()))
        commits = [*commits, *last] if page == 2 else last
    newest_first = tuple(reversed(commits[-query.limit :]))
    return Difference(commits=newest_first, total=total, removed=_count(first, "behind_by"))


def _ask(url: str, page: int, signature: Signature, seconds: float) -> dict[str, Any]:
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, BoundedAdapter(seconds=seconds, limit=_LIMIT))
        parameters = {"per_page": PAGE, "page": page}
        try:
            response = session.get(url, params=parameters, headers=_VERSION, auth=signature, allow_redirects=False)
        except requests.RequestException as error:
            raise ProviderError(f"{url} cannot be asked ({type(error).__name__}): run again later") from None
    if response.status_code != 200:
        raise ProviderError(
            f"{untrusted.line(url)} answers {response.status_code}: check that both versions are there, and that the "
            "token may read the repository"
        )
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ProviderError(f"{untrusted.line(url)} gives no answer that can be read: check sourceRepository")
    return document


def _count(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0


def _commits(document: dict[str, Any]) -> list[SourceCommit]:
    items = document.get("commits")
    sources = []
    for item in items if isinstance(items, list) else []:
        commit = item.get("commit") if isinstance(item, dict) else None
        message = commit.get("message") if isinstance(commit, dict) else None
        sha = item.get("sha") if isinstance(item, dict) else None
        if isinstance(message, str) and isinstance(sha, str) and is_full_sha(sha):
            sources.append(SourceCommit(sha=sha, subject=message.partition("\n")[0].strip()))
    return sources
