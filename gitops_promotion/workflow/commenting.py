"""Writes this tool's one comment on a pull request."""

from collections.abc import Sequence

from gitops_promotion.core import comment
from gitops_promotion.core.comment import Part
from gitops_promotion.core.gates import Question, Verdict
from gitops_promotion.core.notifications import told
from gitops_promotion.errors import LeaseLostError, ProviderError
from gitops_promotion.workflow.examine import Subject
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.run import Run


def write(
    run: Run, subject: Subject, lookups: Lookups, verdicts: Sequence[tuple[Question | None, Verdict]]
) -> tuple[str, ...]:
    """Make the comment say what the gates say, where the configuration wants one; returns a warning if that fails.

    No request where it says that already. After a failure no other comment of this look is tried.
    """
    pull, config = subject.pull_request, run.tip.config
    if run.dry_run or pull is None or not verdicts or lookups.comments_failed or not config.writes_comments:
        return ()
    parts = [
        Part(
            question=question,
            verdict=verdict,
            auto=question is not None and config.environment(question.environment).auto,
            asks_people=question is not None
            and any("opinions" in gate.needs for gate in config.gates(question.environment, only=question.only)),
        )
        for question, verdict in verdicts
    ]
    body = comment.text(parts, number=pull.number)
    try:
        discussion = lookups.discussion(pull.number)
        comments = discussion.comments if discussion else ()
        if comments:
            body = told.with_told(body, told.in_comment(comments[0].body))
        if len(comments) != 1 or not comment.says_the_same(comments[0].body, body):
            run.forge.write_comment(pull, body, comments)
    except LeaseLostError:
        raise
    except ProviderError as error:
        lookups.note_failed_comment()
        return (f"the comment on #{pull.number} could not be written, and no other is tried: {error}",)
    return ()
