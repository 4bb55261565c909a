"""How a token is shown to a server."""

import pytest

from gitops_promotion.core.authorization import authorization


@pytest.mark.parametrize(
    ("token", "user", "shown"),
    [
        ("s3cr3t", "", "Basic OnMzY3IzdA=="),
        ("s3cr3t", "ann", "Basic YW5uOnMzY3IzdA=="),
        (
            "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
            "x",
            "Basic eDpnaHNfMTZDN2U0MkYyOTJjNjkxMkU3NzEwYzgzODM0N0FlMTc4QjRh",
        ),
        ("eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2ln", "ann", "Bearer eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2ln"),
        ("eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.", "", "Bearer eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ."),
        # Two dots make no web token.
        ("a.b.c", "", "Basic OmEuYi5j"),
        ("eyJ0eXAi.eyJhIjoxfQ", "", "Basic OmV5SjBlWEFpLmV5SmhJam94ZlE="),
    ],
)
def test_a_web_token_is_a_bearer_and_any_other_a_password(token: str, user: str, shown: str) -> None:
    assert authorization(token, user=user) == shown
