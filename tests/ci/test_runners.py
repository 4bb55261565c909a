"""The table of runners, and the promises that every runner keeps."""

import pytest

from gitops_promotion.ci import RUNNERS, CIContext, Runner, azure, github, runner, shell

SWITCHES = {"github": {"GITHUB_ACTIONS": "true"}, "azure": {"TF_BUILD": "True"}, "": {}}


def read(path: str) -> str:
    raise AssertionError(f"{path} was read")


def test_the_first_runner_that_is_here_runs_the_program_and_a_shell_is_everywhere() -> None:
    assert {name: runner(environ).NAME for name, environ in SWITCHES.items()} == {name: name for name in SWITCHES}
    assert runner({"GITHUB_ACTIONS": "false", "TF_BUILD": "no"}) is shell
    assert RUNNERS[-1] is shell
    assert len({each.NAME for each in RUNNERS}) == len(RUNNERS)


@pytest.mark.parametrize("each", RUNNERS, ids=[each.NAME or "shell" for each in RUNNERS])
def test_every_runner_can_do_without_all_its_variables_but_one(each: Runner) -> None:
    environ = SWITCHES[each.NAME]
    assert each.here(environ)
    assert each.context(environ, read) == CIContext(runner=each.NAME)
    assert each.inputs(environ, read) == {}
    published = each.publish(environ, outputs={"tag": "1"}, summary="| a |", nonce=lambda: "n")
    assert published.warnings == ()


@pytest.mark.parametrize("each", [github, azure], ids=["github", "azure"])
def test_a_runner_obeys_its_own_commands_and_a_blank_breaks_them(each: Runner) -> None:
    for command in (each.annotation("error", "title", "text"), each.conceal("secret")):
        assert each.OBEYS.search(command)
        assert not each.OBEYS.search(each.OBEYS.sub(r"\g<0> ", command))


def test_a_shell_obeys_nothing() -> None:
    assert not shell.OBEYS.search("::error::x\n##[error]x\n##vso[task.complete]")
