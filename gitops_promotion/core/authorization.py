"""The `Authorization` header that gives a token to a server over HTTP, for git and for APIs."""

import re
from base64 import b64encode

# RFC 7519: three parts in base64. The first one is JSON and begins with `{"`, which is `eyJ` in base64.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def authorization(token: str, *, user: str = "") -> str:
    """Return the value of the Authorization header for a token.

    A JSON web token, such as Microsoft Entra issues, is a `Bearer` token; any other token is the password of `user`.
    """
    if _JWT.fullmatch(token):
        return f"Bearer {token}"
    return f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"
