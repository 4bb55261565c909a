"""The people of a commit object are those that `git log` shows, however odd their lines are."""

import pytest

from gitops_promotion.git.formats import Person, read_commit, read_person, read_whole_commit


@pytest.mark.parametrize(
    ("line", "person"),
    [
        # What `git log --format=%an%x00%ae%x00%ct` of git 2.39.5 prints of such an author and committer.
        ("X <a@x> 1700000000 +0000", Person("X", "a@x", "1700000000")),
        ("X <a@x> <b@y> 1700000000 +0000", Person("X", "a@x", "1700000000")),
        ("X<a@x>1700000000 +0000", Person("X", "a@x", "1700000000")),
        ("  X  Y \t<a@x>  1700000000 -0130", Person("  X  Y", "a@x", "1700000000")),
        ("X <a@x>> 1700000000 +0000", Person("X", "a@x", "1700000000")),
        ("X <a<b@x> 1700000000 +0000", Person("X", "a<b@x", "1700000000")),
        ("X > Y < a@x > 1700000000 +0000", Person("X > Y", " a@x ", "1700000000")),
        ("<> 1700000000 +0000", Person("", "", "1700000000")),
        ("X a@x 1700000000 +0000", Person()),
        ("X <a@x 1700000000 +0000", Person()),
        ("X <a@x> 17x +0000", Person("X", "a@x")),
        ("X <a@x> 1700000000", Person("X", "a@x")),
        ("X <a@x> -5 +0000", Person("X", "a@x")),
        ("X <a@x>", Person("X", "a@x")),
        ("", Person()),
    ],
)
def test_a_person_is_read_as_git_reads_it(line: str, person: Person) -> None:
    assert read_person([f"author {line}"], "author") == person
    content = f"tree {'1' * 40}\nauthor {line}\ncommitter {line}\n\nSubject\n".encode()
    header, commit = read_commit(content), read_whole_commit("2" * 40, content)
    assert (header.author, header.author_email) == (commit.author, commit.author_email) == person[:2]
    assert (commit.committer, commit.committer_email, bool(commit.committed_at)) == (*person[:2], bool(person.seconds))


def test_of_several_authors_the_last_counts() -> None:
    assert read_person(["author A <a@x> 1 +0000", "author B <b@y> 2 +0000"], "author") == Person("B", "b@y", "2")
    assert read_person(["committer A <a@x> 1 +0000"], "author") == Person()
