"""How a token is shown to a server over HTTP, by git and by an API alike."""

import re
from base64 import b64encode

# RFC 7519: three parts, the first of which is JSON, hence begins with `{"`.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def authorization(token: str, *, user: str = "") -> str:
    """Return the value of the Authorization header for a token.

    A JSON web token, as Microsoft Entra gives them, is a `Bearer` token; any other is the password of `user`.
    """
    if _JWT.fullmatch(token):
        return f"Bearer {token}"
    return f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"
