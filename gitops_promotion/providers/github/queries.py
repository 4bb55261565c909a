"""The GraphQL queries for GitHub; answers.py reads the answers."""

import json
from collections.abc import Mapping, Sequence

SETTINGS = ("mergeCommitAllowed", "squashMergeAllowed", "rebaseMergeAllowed")
"""The settings of a repository that allow the merge methods, in the order of `answers.METHODS`."""

_PULL_REQUEST = """id state isDraft headRefOid mergeable mergeStateStatus isMergeQueueEnabled isInMergeQueue
      autoMergeRequest { enabledAt }"""

MERGE_STATE = f"""query($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{
    {" ".join(SETTINGS)}
    pullRequest(number: $number) {{ {_PULL_REQUEST} }}
  }}
}}"""

HEAD_STATE = f"""query($owner: String!, $name: String!, $number: Int!, $oid: GitObjectID!) {{
  repository(owner: $owner, name: $name) {{
    {" ".join(SETTINGS)}
    pullRequest(number: $number) {{ {_PULL_REQUEST} }}
    object(oid: $oid) {{ ... on Commit {{ statusCheckRollup {{ contexts(first: 100) {{ nodes {{
      __typename
      ... on StatusContext {{ context state createdAt isRequired(pullRequestNumber: $number) }}
      ... on CheckRun {{ conclusion startedAt isRequired(pullRequestNumber: $number) }}
    }} }} }} }} }}
  }}
}}"""

REPOSITORY_SETTINGS = f"""query($owner: String!, $name: String!, $base: String!, $ref: String!) {{
  viewer {{ login }}
  repository(owner: $owner, name: $name) {{
    {" ".join(SETTINGS)} autoMergeAllowed viewerPermission
    mergeQueue(branch: $base) {{ id }}
    ref(qualifiedName: $ref) {{ refUpdateRule {{
      requiredApprovingReviewCount requiresCodeOwnerReviews requiresLinearHistory requiresSignatures
    }} }}
  }}
}}"""

_STATUSES = "status { contexts { context state description targetUrl createdAt creator { __typename login } } }"
_CHECK_RUNS = """statusCheckRollup { contexts(first: 100, after: %s) {
  pageInfo { hasNextPage endCursor }
  nodes { __typename ... on CheckRun {
    name status conclusion title detailsUrl startedAt completedAt checkSuite { app { slug } }
  } }
} }"""


def statuses(cursors: Sequence[tuple[str, str | None]], *, check_runs: bool) -> str:
    """Return the query for the statuses of commits, which the answer names `c0`, `c1` and so on.

    `cursors` has the full id of each commit and the cursor of its page of check runs, None for the first page. On
    further pages the statuses of a commit come again.
    """
    aliases = []
    for index, (sha, cursor) in enumerate(cursors):
        parts = [_STATUSES, _CHECK_RUNS % json.dumps(cursor)] if check_runs else [_STATUSES]
        aliases.append(f"c{index}: object(oid: {json.dumps(sha)}) {{ ... on Commit {{ {' '.join(parts)} }} }}")
    lines = "\n".join(aliases)
    return f"query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{\n{lines}\n}} }}"


VIEWER = "query { viewer { login } }"

IS_REQUIRED = """query($owner: String!, $name: String!, $number: Int!, $oid: GitObjectID!, $context: String!) {
  repository(owner: $owner, name: $name) { object(oid: $oid) { ... on Commit {
    status { context(name: $context) { isRequired(pullRequestNumber: $number) } }
  } } }
}"""

NEWEST_OF_VIEWER = """query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    viewerLatestReview { state body commit { oid } }
    comments(last: 50) { nodes { id body isMinimized viewerDidAuthor } }
  } }
}"""
"""What the owner of the token has written last on a pull request."""

_REVIEWS = """reviews: latestOpinionatedReviews(first: %(size)d, after: %(after)s, writersOnly: false) {
  pageInfo { hasNextPage endCursor }
  nodes { state body submittedAt author { __typename login } commit { oid } }
}"""
_COMMENTS = """comments(first: %(size)d, after: %(after)s) {
  pageInfo { hasNextPage endCursor }
  nodes { id body isMinimized viewerDidAuthor }
}"""
# No fields of teams anywhere here: without `Members: read` they spoil the whole answer (docs/facts/forges.md).
_EVENTS = """author { __typename login } createdAt state
events: timelineItems(last: %(size)d, itemTypes: [PULL_REQUEST_REVIEW, REVIEW_DISMISSED_EVENT, CLOSED_EVENT,
  REOPENED_EVENT, MERGED_EVENT, HEAD_REF_DELETED_EVENT, HEAD_REF_FORCE_PUSHED_EVENT, BASE_REF_CHANGED_EVENT]) {
  pageInfo { hasPreviousPage }
  nodes { __typename
    ... on PullRequestReview { id state body submittedAt author { __typename login } }
    ... on ReviewDismissedEvent {
      createdAt actor { __typename login } dismissalMessage previousReviewState review { id }
    }
    ... on ClosedEvent { createdAt actor { __typename login } }
    ... on ReopenedEvent { createdAt actor { __typename login } }
    ... on MergedEvent { createdAt actor { __typename login } }
    ... on HeadRefDeletedEvent { createdAt actor { __typename login } }
    ... on HeadRefForcePushedEvent { createdAt actor { __typename login } }
    ... on BaseRefChangedEvent { createdAt actor { __typename login } }
  }
}"""
_PARTS = {"events": _EVENTS, "reviews": _REVIEWS, "comments": _COMMENTS}

FIRST: Mapping[str, str | None] = dict.fromkeys(_PARTS)
"""The parts of a discussion, each with the cursor of its first page."""


def discussions(parts: Sequence[tuple[int, Mapping[str, str | None]]], *, size: int) -> str:
    """Return the query for parts of pull requests; the answer names each `p` with its number, such as `p12`.

    `parts` has the number of each pull request and the parts to read, each with the cursor of its page, None for the
    first one; a page has `size` items.
    """
    aliases = []
    for number, cursors in parts:
        fields = [_PARTS[part] % {"size": size, "after": json.dumps(cursor)} for part, cursor in cursors.items()]
        aliases.append(f"p{number}: pullRequest(number: {number}) {{ {' '.join(fields)} }}")
    lines = "\n".join(aliases)
    return f"query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{\n{lines}\n}} }}"


def mutation(name: str) -> str:
    """Return a mutation with one variable, `input`."""
    kind = name[:1].upper() + name[1:]
    return f"mutation($input: {kind}Input!) {{ {name}(input: $input) {{ clientMutationId }} }}"
