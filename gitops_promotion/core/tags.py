"""Image references and tags: how they are written, their parts, and which of them YAML reads as strings."""

import re
from dataclasses import dataclass
from typing import Self

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

# OCI distribution spec, "Pulling manifests": <reference> as a tag.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# OCI distribution spec, <name>, behind an optional registry host with an optional port.
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)

# The image names in manifests, before anything replaces their placeholders: `${REGISTRY}/web`, `$(REGISTRY)/web`,
# `{{registry}}/web`. Blanks, quotes, backslashes and `#` need an escape in one of YAML's styles: no name has them.
_MAX_REFERENCE = 1000
_PLACEHOLDER = r"""\$\{[^{}\s"'\\#]*\}|\$\([^()\s"'\\#]*\)|\{\{[^{}\s"'\\#]*\}\}|\$[A-Za-z_]"""
_COMPONENT = rf"(?![.-])(?:[A-Za-z0-9_.-]|{_PLACEHOLDER})+"
_NAME = re.compile(
    rf"(?:(?:docker|oci)://)?(?:(?:{_COMPONENT}|\[[0-9A-Fa-f:.]+\])(?::(?:[0-9]{{1,5}}|{_PLACEHOLDER}\w*))?/)?"
    rf"{_COMPONENT}(?:/{_COMPONENT})*"
)
_WRITTEN_DIGEST = re.compile(rf"sha[0-9]+:[0-9A-Za-z]+|{_PLACEHOLDER}\w*")

# What a plain scalar of these characters means to at least one reader. Sources: YAML 1.1 types, YAML 1.2 core schema,
# and go-yaml 2 and 3, which read integers as Go does (`0X1F`, `0B1`, even `0b-1`) and dates with
# one-digit months (docs/facts/flux.md).
_NOT_A_STRING = re.compile(
    r"""
      ~ | < < | = | null | Null | NULL
    | y | Y | yes | Yes | YES | n | N | no | No | NO
    | true | True | TRUE | false | False | FALSE | on | On | ON | off | Off | OFF
    | [-+]? \. (?: inf | Inf | INF ) | \. (?: nan | NaN | NAN )
    | [-+]? 0 [xX] [0-9a-fA-F_]+ | [-+]? 0 [bB] [-+]? [01_]+ | [-+]? 0 [oO] [-+]? [0-7_]+
    | [-+]? (?: [0-9][0-9_]* (?: \. [0-9_]* )? | \. [0-9_]+ ) (?: [eE] [-+]? [0-9]+ )?
    | [-+]? [0-9][0-9_]* (?: : [0-5]? [0-9] )+ (?: \. [0-9_]* )?
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [Tt] [0-9:.]+ (?: Z | [-+] [0-9:]+ )? )?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Tag:
    """An image tag with the digest it was pinned to, if any."""

    name: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.2.3` or `1.2.3@sha256:...`. Raises UsageError."""
        name, at, digest = text.partition("@")
        if not _TAG.fullmatch(name):
            raise UsageError(
                f"tag {quoted(text)} is not a valid image tag: use letters, digits, '_', '.' and '-' (at most 128, "
                "the first not '.' or '-'), optionally followed by @sha256:<64 hex digits>"
            )
        if at and not _DIGEST.fullmatch(digest):
            raise UsageError(
                f"tag {quoted(text)} has a malformed digest: write <tag>@sha256:<64 lower-case hex digits>"
            )
        return cls(name, digest)

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else self.name


NO_TAG = Tag("")
"""The tag of a request that has none, such as one that removes a copy."""


def check_image(text: str) -> str:
    """Return `text` if it is an image name without tag and digest, such as `registry:5000/team/web`.

    Raises UsageError.
    """
    if len(text) > 255 or not _IMAGE.fullmatch(text):
        raise UsageError(
            f"image {text!r} is not an image name: write [registry[:port]/]path in lower case, without tag and digest"
        )
    return text


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image reference taken apart; absent parts are "". The digest is as written, valid or not."""

    name: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `[registry[:port]/]path[:tag][@digest]`; None for any other text. The name may have placeholders."""
        if len(text) > _MAX_REFERENCE:
            return None
        image, at, digest = text.partition("@")
        path, slash, last = image.rpartition("/")
        base, colon, tag = last.partition(":")
        name = path + slash + base
        if not base or not _NAME.fullmatch(name):
            return None
        if (colon and not _TAG.fullmatch(tag)) or (at and not _WRITTEN_DIGEST.fullmatch(digest)):
            return None
        return cls(name, tag, digest)

    def __str__(self) -> str:
        image = f"{self.name}:{self.tag}" if self.tag else self.name
        return f"{image}@{self.digest}" if self.digest else image


def is_tag(text: str) -> bool:
    """Return True for an image tag without a digest."""
    return bool(_TAG.fullmatch(text))


def is_digest(text: str) -> bool:
    """Return True for `sha256:...`, of any algorithm and length."""
    return bool(re.fullmatch(r"sha[0-9]+:[0-9A-Za-z]+", text))


def is_plain_string(text: str) -> bool:
    """Return True if a plain (unquoted) scalar of this tag, digest or reference is a string to every reader of YAML."""
    # go-yaml takes out every `_` before it looks for a number (`0_x1`, `2e_-3`), unless one comes first.
    forms = (text,) if text.startswith("_") else (text, text.replace("_", ""))
    return not any(_NOT_A_STRING.fullmatch(form) for form in forms)
