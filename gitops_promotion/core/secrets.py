"""How secrets are kept out of logs, messages and child processes: which texts are secret, and their masks."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from urllib.parse import quote, unquote

# Not only the variables of the built-in forges: also those of other packages' forges and of other tools in the job.
_SECRET_NAMES = re.compile(
    r"GITOPS_PROMOTION_NOTIFY_.*|.*(?:TOKEN|SECRET|PASSW|PRIVATE_?KEY|ACCESS_?KEY|API_?KEY|CREDENTIAL).*|(?:.*_)?PAT(?:_.*)?",
    re.IGNORECASE | re.DOTALL,
)

# Always secret: a signed web token, such as a GitHub App signs, and a private key.
_ALWAYS_SECRET = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.{0,20000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_SCHEME = re.compile(r"\A[a-z0-9]+://", re.IGNORECASE)
SHORTEST = 8
"""The fewest characters of a secret that is masked: the mask of a shorter one would hide parts of ordinary words.

GitLab masks no shorter ones either (https://docs.gitlab.com/ci/variables/#mask-a-cicd-variable).
"""


def spellings(secret: str) -> frozenset[str]:
    """Return every text that a secret may be in a log: the secret itself, in a URL, in JSON, and inside base64.

    Base64 of a longer text, such as `user:secret`, has the secret in one of three spellings, depending on its offset;
    characters that also depend on the text around it are left out. Empty for a secret shorter than SHORTEST.
    """
    if len(secret) < SHORTEST:
        return frozenset()
    content = secret.encode("utf-8", "surrogatepass")
    texts = {quote(content, safe=""), json.dumps(secret)[1:-1]}
    for encode in (b64encode, urlsafe_b64encode):
        for offset in range(3):
            encoded = encode(bytes(offset) + content).decode()
            texts.add(encoded[(offset * 8 + 5) // 6 : (offset + len(content)) * 8 // 6])
    return frozenset({secret} | {text for text in texts if len(text) >= SHORTEST})


def proxy_secrets(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the texts that no message may show: the user and password of proxies, and each long password alone.

    curl shows the part of an address that it cannot read, up to the first `/`, `?` or `#`.
    """
    secrets = []
    for address in addresses:
        user, _, password = _SCHEME.sub("", address).rpartition("@")[0].partition(":")
        for part in {password, re.split("[/?#]", password)[0]} - {""}:
            secrets.append(f"{user}:{part}")
            secrets += [text for text in (part, unquote(part)) if len(text) >= SHORTEST]
    return tuple(secrets)


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text with `***` in place of these secrets, and of every signed web token and private key."""
    # The longest first: one secret may be part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _ALWAYS_SECRET.sub("***", text)


def is_secret(name: str, value: str) -> bool:
    """Return True if an environment variable has a secret: its name says so, or its value is a private key."""
    return bool(_SECRET_NAMES.fullmatch(name)) or "PRIVATE KEY-----" in value
