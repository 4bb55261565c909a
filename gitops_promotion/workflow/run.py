"""One run of one verb: opens the repository and the forge, and closes everything temporary."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gitops_promotion import ci
from gitops_promotion.ci import CIContext
from gitops_promotion.core.config import Config
from gitops_promotion.errors import UsageError
from gitops_promotion.git import NoCheckout, Repository
from gitops_promotion.providers import Connection, Provider, TokenQuery, registry
from gitops_promotion.providers.choose import choose, find_token, git_user
from gitops_promotion.providers.facts import Forge
from gitops_promotion.providers.sources import Sources
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.stored_token import find_stored_token
from gitops_promotion.workflow.tip import Tip

if TYPE_CHECKING:
    from gitops_promotion.kustomize import Kustomize
    from gitops_promotion.registry import Registries


class Log(Protocol):
    """Where a run says what it does."""

    def note(self, text: str) -> None:
        """Say one thing worth knowing."""

    def detail(self, text: str) -> None:
        """Say what only a closer look needs."""

    def add_secret(self, secret: str, *, is_new: bool) -> None:
        """Mask a secret from now on; `is_new` for a secret that this run made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time, seconds that never go back, sleep, and random numbers from 0 to 1 for the length of pauses."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]


def _now() -> datetime:
    return datetime.now(UTC)


def system_clock() -> Clock:
    """Return the machine's clock."""
    return Clock(
        now=_now,
        monotonic=time.monotonic,
        sleep=time.sleep,
        random=secrets.SystemRandom().random,
    )


@dataclass(slots=True, kw_only=True)
class Run:
    """What a verb works with; `dry_run`: nothing may be written.

    `registries` returns the registries of images; its argument is how many seconds all their requests may take.
    `find_kustomize` raises KustomizeError.
    """

    tip: Tip
    context: CIContext
    clock: Clock
    note: Callable[[str], None]
    choose: Callable[[Config | None], Forge]
    connect: Callable[[Forge, Config | None], Provider]
    registries: "Callable[[float], Registries]"
    read_sources: Callable[[Forge], Sources]
    find_kustomize: "Callable[[], Kustomize]"
    dry_run: bool = False
    _facts: Forge | None = field(init=False, default=None)
    _forge: Provider | None = field(init=False, default=None)

    @property
    def facts(self) -> Forge:
        """The facts of the forge, which need no connection."""
        if self._facts is None:
            self._facts = self.choose(self.tip.config_if_there)
        return self._facts

    @property
    def forge(self) -> Provider:
        """The forge, connected when it is first needed."""
        if self._forge is None:
            self._forge = self.connect(self.facts, self.tip.config_if_there)
        return self._forge

    @property
    def sources(self) -> Sources:
        """What reads the changes of the repositories that applications are built from."""
        return self.read_sources(self.facts)

    @property
    def person(self) -> str:
        """Who runs this: the person that the runner names, git's user.name in a shell; "" for no person."""
        name = self.context.actor if self.context.runner else self.tip.repository.author
        return "" if name.endswith("[bot]") else name

    def lookups(self, *, heads: tuple[str, ...] = (), numbers: tuple[int, ...] = ()) -> Lookups:
        """Return what asks the forge for one look, now.

        `heads` are commits whose statuses will be needed too, and `numbers` pull requests whose discussions will.
        """
        return Lookups(forge=self.forge, now=self.clock.now(), heads=heads, numbers=numbers)

    @property
    def tells_channels(self) -> bool:
        """True if the configuration has channels and this run may tell them what it did.

        A dry run tells nothing, nor does a run whose workflow may be a pull request's own.
        """
        return (
            not self.dry_run and not self.context.unreviewed and self.tip.has_config and bool(self.tip.config.channels)
        )

    @property
    def publishes(self) -> bool:
        """True where a verdict has to be published; False without a configuration, hence without a promotion."""
        return self.tip.has_config and self.forge.publishes


def _ascii(token: str) -> str:
    """Return a token that can stand in the header of a request. Raises UsageError."""
    if not token.isascii():
        raise UsageError("the token has characters that no token has: copy it again")
    return token


def _tokens(
    token: str, provider: str, api_url: str, environ: Mapping[str, str], clock: Clock, terminal: Log
) -> Callable[[str], str]:
    """Return the function that gives the token for a remote's URL now: the option's, else the environment's."""

    @cache
    def finder(url: str) -> Callable[[], str]:
        query = TokenQuery(url=url, api_url=api_url, environ=environ, now=clock.now, sleep=clock.sleep)
        return find_token(query, option=provider)

    def token_for(url: str) -> str:
        if token:
            return _ascii(token)
        environment_token = _ascii(finder(url)())
        terminal.add_secret(environment_token, is_new=environment_token not in environ.values())
        return environment_token

    return token_for


def _find_kustomize(environ: Mapping[str, str]) -> "Kustomize":
    # Imported here, since most runs build nothing.
    from gitops_promotion.kustomize import Kustomize

    return Kustomize.find(environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """What is known when a repository is opened; `provider` and `api_url` are options, `person` that of --as."""

    repository: Repository
    runner: ci.Runner
    provider: str
    api_url: str
    person: str
    token_for: Callable[[str], str]
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock
    terminal: Log
    _stored: dict[str, str] = field(init=False, default_factory=dict, repr=False)

    def choose(self, config: Config | None) -> Forge:
        """Return the facts of the forge that the remote belongs to. Raises UsageError."""
        configured = config.provider if config else ""
        choice = choose(self.repository.url, option=self.provider, configured=configured, environ=self.environ)
        facts = registry.forge(choice.name)
        self.terminal.note(f"provider {facts.name} ({choice.reason})")
        return facts

    def connect(self, facts: Forge, config: Config | None) -> Provider:
        """Return the provider of a forge. Raises UsageError."""
        if self.person and not facts.trusts_names:
            raise UsageError(f"--as is for the local provider: on {facts.name} the token says who you are")
        if self.person:
            self.terminal.note(f"acting as {self.person}: plain git cannot check who you are")
        connection = Connection(
            store=self.repository,
            url=self.repository.url,
            token=lambda: self.token_for(self.repository.url) or self._stored_token(facts),
            author=self.person or self.repository.author,
            environ=self.environ,
            now=self.clock.now,
            sleep=self.clock.sleep,
            monotonic=self.clock.monotonic,
            nonce=lambda: secrets.token_hex(8),
            api_url=self.api_url,
        )
        if config:
            connection = replace(
                connection,
                merge_method=config.merge_method,
                check_run_apps=config.check_run_apps,
                branch_prefixes=config.branch_prefixes,
            )
        return registry.connect(facts.name, connection)

    def _stored_token(self, facts: Forge) -> str:
        """Return the token that gh or git has stored, in a shell; "" for none. It is looked for once."""
        if facts.name not in self._stored:
            token = ""
            if not self.runner.NAME:
                token = find_stored_token(
                    facts, self.repository, self.environ, self.terminal.note, api_url=self.api_url
                )
            self.terminal.add_secret(token, is_new=True)
            self._stored[facts.name] = token
        return self._stored[facts.name]

    def read_sources(self, facts: Forge) -> Sources:
        """Return what reads the changes of the repositories that applications are built from."""
        return Sources(
            forge=facts,
            url=self.repository.url,
            api_url=self.api_url,
            token=lambda: self.token_for(self.repository.url),
            environ=self.environ,
        )

    def registries(self, seconds: float) -> "Registries":
        """Return the registries of images, whose requests may take so many seconds together."""
        # Imported here, since most runs ask no registry and need no HTTP for it.
        from gitops_promotion.registry import Registries

        def hide(secret: str) -> None:
            self.terminal.add_secret(secret, is_new=True)

        return Registries(environ=self.environ, monotonic=self.clock.monotonic, hide=hide, seconds=seconds)


@contextmanager
def open_run(
    place: Path | NoCheckout,
    *,
    remote: str = "",
    provider: str,
    token: str,
    api_url: str,
    dry_run: bool,
    environ: Mapping[str, str],
    terminal: Log,
    person: str = "",
) -> Iterator[Run]:
    """Open a repository and read its remote; everything temporary is gone afterwards.

    `place` is a folder of its checkout, or the address of a repository without one. `remote` is the name of the
    checkout's remote, "" for the usual one. `person` acts on plain git in place of git's user.name, "" for nobody else.
    Raises UsageError, ConfigError, GitError, ProviderError.
    """
    registry.require(provider)
    clock = system_clock()
    runner = ci.runner(environ)
    context = runner.context(environ, ci.read_file)
    token_for = _tokens(token, provider, api_url, environ, clock, terminal)
    with (
        nullcontext(place) if isinstance(place, Path) else place.checkout() as folder,
        Repository.open(
            folder,
            remote=remote or None,
            token=token_for,
            user=lambda url: git_user(url, option=provider, environ=environ),
            environ=environ,
            trust=bool(runner.NAME),
            tell=terminal.note,
            no_checkout=place if isinstance(place, NoCheckout) else None,
        ) as repository,
    ):
        opening = _Opening(
            repository=repository,
            runner=runner,
            provider=provider,
            api_url=api_url,
            person=person,
            token_for=token_for,
            environ=environ,
            clock=clock,
            terminal=terminal,
        )
        yield Run(
            tip=Tip(repository=repository),
            choose=opening.choose,
            connect=opening.connect,
            find_kustomize=cache(lambda: _find_kustomize(environ)),
            read_sources=opening.read_sources,
            registries=opening.registries,
            context=context,
            clock=clock,
            note=terminal.note,
            dry_run=dry_run,
        )
        terminal.detail(f"{repository.commands} git commands")
