"""Image references and tag scalars: take them apart, put a new tag in, write them so that YAML keeps them strings."""

import re
from dataclasses import dataclass
from typing import Self

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

# A name may hold a placeholder (`${REGISTRY}/web`): any visible characters that need no escape in a quoted scalar.
_VISIBLE = re.compile(r"""(?:(?!["'\\#])[!-~]){1,1000}""")
# OCI distribution spec, "Pulling manifests": <reference> as a tag.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# OCI distribution spec, <name>, behind an optional registry host with an optional port.
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)

# What a plain scalar of these characters means to at least one reader. Sources: YAML 1.1 types, YAML 1.2 core schema,
# and go-yaml 2 and 3, which read integers as Go does (`0X1F`, `0B1`, even `0b-1`) and dates with
# one-digit months (FLUX 1).
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
        """Read `[registry[:port]/]path[:tag][@digest]`; None if it is none. Placeholders may stand in the name."""
        rest, at, digest = text.partition("@")
        path, slash, last = rest.rpartition("/")
        base, colon, tag = last.partition(":")
        if not base or not _VISIBLE.fullmatch(text) or (colon and not _TAG.fullmatch(tag)) or (at and not digest):
            return None
        return cls(path + slash + base, tag, digest)

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def at(self, tag: Tag, name: str) -> "ImageReference":
        """Return the image, under a new name if one is given, at `tag`; a digest stays only while it still fits."""
        unmoved = self.tag == tag.name and name in ("", self.name)
        return ImageReference(name or self.name, tag.name, tag.digest or (self.digest if unmoved else ""))


def is_plain_string(text: str) -> bool:
    """Return True if a plain (unquoted) scalar of this tag, digest or reference is a string to every reader of YAML."""
    # go-yaml takes out every `_` before it looks for a number (`0_x1`, `2e_-3`), unless one comes first.
    forms = (text,) if text.startswith("_") else (text, text.replace("_", ""))
    return not any(_NOT_A_STRING.fullmatch(form) for form in forms)
