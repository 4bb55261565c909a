"""Which addresses of a repository are accepted, and what is wrong with the others."""

import pytest

from gitops_promotion.core.repo_url import LIMIT, repo_url_problem

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/gitops",
        "https://org@dev.azure.com/org/project/_git/gitops",
        "https://git.example.com:8443/gitops.git",
        "https://dev.azure.com/acme/My%20Project/_git/gitops",
        "http://127.0.0.1:3000/gitops",
        "http://localhost/gitops",
        "http://[::1]:3000/gitops",
        "ssh://git@github.com/acme/gitops.git",
        "ssh://github.com:22/acme/gitops.git",
        "git@github.com:acme/gitops.git",
        "git@ssh.dev.azure.com:v3/acme/platform/gitops",
        "host:gitops.git",
        "git@[::1]:gitops.git",
        "file:///srv/git/gitops.git",
        "/srv/git/gitops.git",
        "../gitops.git",
        "gitops.git",
        "./a:b",
        "C/d:e",
    ],
)
def test_https_ssh_paths_and_http_to_this_machine_are_accepted(url: str) -> None:
    assert repo_url_problem(url) == ""


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "character"),
        (f"https://ann:{SECRET}@github.com/acme/gitops", "password"),
        (f"https://:{SECRET}@github.com/acme/gitops", "password"),
        (f"ssh://git:{SECRET}@github.com/acme/gitops", "password"),
        (f"git:{SECRET}@github.com:acme/gitops", "password"),
        (f"https://ann%3A{SECRET}@github.com/acme/gitops", "token"),
        (f"https://{SECRET * 7}@github.com/acme/gitops", "token"),
        (f"https://github.com/acme/gitops?token={SECRET}", "secret"),
        (f"https://github.com/acme/gitops#{SECRET}", "secret"),
        ("--upload-pack=touch /tmp/x", "dash"),
        ("-", "dash"),
        ("ssh://-oProxyCommand=touch/x", "host"),
        ("ssh://git@-oProxyCommand=touch/x", "host"),
        ("-oProxyCommand=touch:x", "dash"),
        ("git@-oProxyCommand=touch:x", "transport"),
        ("ssh://-l@host/x", "user"),
        ("ssh://%2doProxyCommand=x/y", "host"),
        ("ext::sh -c touch% /tmp/x", "transport"),
        ("ext::sh", "transport"),
        ("fd::17", "transport"),
        ("https::https://github.com/acme/gitops", "transport"),
        ("ext::https://github.com/acme/gitops", "transport"),
        ("git://github.com/acme/gitops", "transport"),
        ("ftp://github.com/acme/gitops", "transport"),
        ("HTTP://github.com/acme/gitops", "transport"),
        ("http://github.com/acme/gitops", "https"),
        ("http://127.0.0.1.example.com/gitops", "https"),
        ("http://localhost@example.com/gitops", "https"),
        ("http://2130706433/gitops", "https"),
        ("https:///gitops", "host"),
        ("https://", "host"),
        ("https://[::1/gitops", "malformed"),
        ("https://github.com:port/gitops", "malformed"),
        ("file://server/gitops", "another machine"),
        ("file://", "another machine"),
        ("https://github.com/a\nb", "character"),
        ("/srv/git\x00", "character"),
        ("https://github.com/" + "x" * LIMIT, "characters"),
    ],
)
def test_the_problem_of_any_other_is_named_without_what_may_be_a_secret(url: str, problem: str) -> None:
    text = repo_url_problem(url)
    assert problem in text
    assert ": " in text, "the next step"
    assert SECRET not in text
