"""Which texts are secret, and how they are masked."""

import json
from base64 import b64encode, standard_b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest

from gitops_promotion.core.secrets import masked, proxy_secrets, spellings

TOKEN = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.mark.parametrize("before", ["", "x", "xy", "x-access-token:", ":", "ann@example.org:"])
@pytest.mark.parametrize("after", ["", "\n", " and more", "!"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode, standard_b64encode])
@pytest.mark.parametrize("secret", [TOKEN, "pä?>ss~wörd>>>???", "s3cr3t-s3cr3t"])
def test_a_secret_is_masked_in_base64_whatever_stands_beside_it(
    secret: str, before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    text = encode(f"{before}{secret}{after}".encode()).decode()
    shown = masked(f"Authorization: Basic {text}", spellings(secret))
    assert "***" in shown
    # At most the characters at its ends are left, which hold the neighbours' bits too.
    assert (
        len(shown) <= len("Authorization: Basic ***") + len(encode(before.encode())) + len(encode(after.encode())) + 4
    )


@pytest.mark.parametrize("secret", [TOKEN, 'a"b\\c/d e+f', "pä?>ss~wörd", "\ud800half of a pair"])
def test_a_secret_is_masked_as_it_is_in_a_url_and_in_json(secret: str) -> None:
    texts = [secret, json.dumps({"token": secret}), quote(secret.encode("utf-8", "surrogatepass"), safe="")]
    for text in texts:
        shown = masked(f"<{text}>", spellings(secret))
        assert "***" in shown
        assert secret not in shown
        assert json.dumps(secret)[1:-1] not in shown


@pytest.mark.parametrize("secret", ["", "a", "1234567"])
def test_what_is_too_short_for_a_secret_hides_no_word(secret: str) -> None:
    assert spellings(secret) == frozenset()
    assert "12345678" in spellings("12345678")


def test_no_secret_is_no_spelling() -> None:
    assert masked("nothing here", spellings("")) == "nothing here"


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("http://ann:s3cr3t-s3cr3t@proxy:3128", {"ann:s3cr3t-s3cr3t", "s3cr3t-s3cr3t"}),
        ("ann:s3cr3t%2Ds3cr3t@proxy", {"ann:s3cr3t%2Ds3cr3t", "s3cr3t%2Ds3cr3t", "s3cr3t-s3cr3t"}),
        ("HTTP://ann:s3cr3t-/@s3@proxy/", {"ann:s3cr3t-/@s3", "s3cr3t-/@s3", "ann:s3cr3t-"}),
        ("http://ann:dev@proxy:3128", {"ann:dev"}),
        ("http://ann@proxy:3128", set()),
        ("http://proxy:3128", set()),
        ("", set()),
    ],
)
def test_the_password_of_a_proxy_is_secret_with_its_user_and_alone_if_it_is_long(
    address: str, secrets: set[str]
) -> None:
    assert set(proxy_secrets([address])) == secrets


def test_a_signed_web_token_is_masked_whosever_it_is() -> None:
    token = jwt({"alg": "RS256"}, {"iss": "12345"}, b"s" * 256)
    assert masked(f"Bearer {token}, once", ()) == "Bearer ***, once"
    assert masked("eyJ is no token, eyJhbGci.eyJpc3Mi neither", ()) == "eyJ is no token, eyJhbGci.eyJpc3Mi neither"


@pytest.mark.parametrize("end", ["\n-----END RSA PRIVATE KEY-----", ""])
def test_a_private_key_is_masked_also_cut_off(end: str) -> None:
    assert masked(f"key: -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc{end}", ()) == "key: ***"


def test_of_two_secrets_the_longer_is_masked_first() -> None:
    assert masked("tok-3n-tok-longer tok-3n-tok", ("tok-3n-tok", "tok-3n-tok-longer")) == "*** ***"


def jwt(header: object, payload: object, signature: bytes) -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
