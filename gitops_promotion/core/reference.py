"""Image references and tag scalars: take them apart, put a new tag in, write them so that YAML keeps them strings."""

import re
from dataclasses import dataclass
from typing import Self

from gitops_promotion.core.model import Tag
from gitops_promotion.errors import UsageError

# A name may hold a placeholder (`${REGISTRY}/web`): any visible characters that need no escape in a quoted scalar.
_VISIBLE = re.compile(r"""(?:(?!["'\\#])[!-~]){1,1000}""")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
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
class Reference:
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

    def at(self, tag: Tag, name: str) -> "Reference":
        """Return the image, under a new name if one is given, at `tag`; a digest stays only while it still fits."""
        unmoved = self.tag == tag.name and name in ("", self.name)
        return Reference(name or self.name, tag.name, tag.digest or (self.digest if unmoved else ""))


def is_plain_string(text: str) -> bool:
    """Return True if a plain (unquoted) scalar of this tag, digest or reference is a string to every reader of YAML."""
    # go-yaml takes out every `_` before it looks for a number (`0_x1`, `2e_-3`), unless one comes first.
    forms = (text,) if text.startswith("_") else (text, text.replace("_", ""))
    return not any(_NOT_A_STRING.fullmatch(form) for form in forms)
