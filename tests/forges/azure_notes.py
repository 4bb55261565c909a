"""The threads that Azure DevOps opens itself, with the properties that public clients read."""

from collections.abc import Mapping

from tests.forges.azure_state import SERVICE, Comment, Pull, Repo, Thread


def voted(repo: Repo, pull: Pull, by: str, vote: int) -> None:
    """Count somebody's vote, for their groups among the reviewers too, and write about it in the voter's name."""
    pull.votes[by] = vote
    groups = tuple(group for group in pull.groups if by in repo.world.groups.get(group, ()))
    pull.voted_for[by] = groups
    pull.groups |= dict.fromkeys(groups, vote)
    properties = {
        "CodeReviewThreadType": "VoteUpdate",
        "CodeReviewVoteResult": str(vote),
        "CodeReviewVotedByInitiatorIdentity": "1",
        "CodeReviewVotedByIdentity": "1",
    }
    _write(repo, pull, properties, about=by, author=by, text=f"{by.title()} voted {vote}")


def reset(repo: Repo, pull: Pull, by: str) -> None:
    """Reset all votes, as a policy does after a push."""
    if any(pull.votes.values()):
        properties = {
            "CodeReviewThreadType": "ResetMultipleVotes",
            "CodeReviewResetMultipleVotesInitiatorIdentity": "1",
        }
        _write(repo, pull, properties, about=by, author=SERVICE, text="Votes were reset")
    pull.votes = dict.fromkeys(pull.votes, 0)
    pull.groups = dict.fromkeys(pull.groups, 0)
    pull.voted_for.clear()


def pushed(repo: Repo, pull: Pull, by: str) -> None:
    properties = {
        "CodeReviewThreadType": "RefUpdate",
        "CodeReviewRefName": f"refs/heads/{pull.head_ref}",
        "CodeReviewRefNewCommitsCount": 1,
        "CodeReviewRefNewHeadCommit": pull.head_sha,
        "CodeReviewRefUpdatedByIdentity": "1",
    }
    _write(repo, pull, properties, about=by, author=SERVICE, text="The reference was updated")


def state_changed(repo: Repo, pull: Pull, by: str) -> None:
    properties = {
        "CodeReviewThreadType": "StatusUpdate",
        "CodeReviewStatus": pull.status.title(),
        "CodeReviewStatusUpdatedByIdentity": "1",
        "BypassPolicy": "False",
    }
    text = f"{by.title()} updated the pull request status to {pull.status.title()}"
    _write(repo, pull, properties, about=by, author=by, text=text)


def _write(repo: Repo, pull: Pull, properties: Mapping[str, object], *, about: str, author: str, text: str) -> None:
    at = repo.world.clock.tick()
    pull.threads.append(
        Thread(
            id=repo.world.new_id(),
            at=at,
            comments=[Comment(id=1, by=author, text=text, at=at, kind="system")],
            properties={
                key: {"$type": "System.Int32" if isinstance(value, int) else "System.String", "$value": value}
                for key, value in properties.items()
            },
            people=(about,),
        )
    )
