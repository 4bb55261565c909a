"""Who must not approve a promotion: bots, and the people who opened the pull request, pushed to it or started it."""

from gitops_promotion.core.discussion import Person
from gitops_promotion.core.opinions import Facts


def reason_barred(facts: Facts, person: Person) -> str:
    """Return why a person must not decide on this pull request, "" if nothing is known against it."""
    name = person.name.casefold()
    if not name:
        return "the account is deleted"
    if person.is_bot or name.endswith("[bot]"):
        return "it is a bot"
    if facts.discussion and name == facts.discussion.author.name.casefold():
        return "this is who opened the pull request"
    tool = facts.tool_identity.name.casefold() if facts.tool_identity else ""
    pushers = facts.pushers.members if facts.pushers else ()
    if name != tool and name in {pusher.casefold() for pusher in pushers}:
        return "this is who pushed to the branch"
    if name in {starter.casefold() for starter in facts.starters}:
        return "this is who started the promotion"
    return ""
