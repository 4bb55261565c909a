"""How many examples a property is tried with: with --thorough as many as it says, else a fifth of them."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

# hypothesis's own default, all that UTF-8 can encode, takes each process a table that is a second and a half to make.
ANY = st.characters(exclude_categories=["Cs"])
ASCII = st.characters(max_codepoint=127)

settings.register_profile("all", max_examples=100, deadline=None)
settings.register_profile("few", max_examples=20, deadline=None)


def choose(*, thorough: bool) -> None:
    """Decide it for this run, before the tests are imported."""
    settings.load_profile("all" if thorough else "few")
    # Numbers and texts of our own code are examples too: to read all of it takes each process most of a second.
    if not thorough and hasattr(providers, "_get_local_constants"):
        vars(providers)["_get_local_constants"] = lambda: providers._local_constants


def examples(count: int, *, every_day: int = 0) -> settings:
    """Try `count` examples with --thorough, else `every_day` or a fifth, however long one takes."""
    profile = settings.default
    assert profile
    if every_day and profile.max_examples < 100:
        return settings(max_examples=every_day)
    return settings(max_examples=count * profile.max_examples // 100)
