"""All checks in their order, and what the command ends with."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from digest.assembly import Setup, load_setup, server_of
from digest.checks import Finding, Verdict, failed, ok, warning
from digest.checks.arxiv import check_arxiv
from digest.checks.clock import check_zones
from digest.checks.domain import Resolver, check_domain
from digest.checks.files import check_files
from digest.checks.sending import send_test
from digest.checks.service import check_service
from digest.checks.smtp import check_mail_server
from digest.config import find_config, load_settings
from digest.errors import ConfigurationError

CONFIGURATION = "configuration"
SUBSCRIBERS = "subscribers"
_CORRECT = "correct it: docs/configuration.md has every key"


async def examine(
    config: Path | None, environ: Mapping[str, str], resolver: Resolver, *, send_to: str | None
) -> AsyncIterator[Finding]:
    """Everything. With `send_to` a test digest is sent there, if the mail server was found in order."""
    for finding in _read(config, environ):
        yield finding
    setup = _setup(config, environ)
    if setup is None:
        yield warning("all else", "not checked: it follows from the configuration", "correct that first")
    else:
        for finding in (*check_zones(setup, datetime.now(UTC)), *check_files(setup)):
            yield finding
        async for finding in _asking_others(setup, resolver, send_to):
            yield finding
    async for finding in check_service():
        yield finding


def examine_here(config: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What can be told without a network."""
    yield from _read(config, environ)
    if setup := _setup(config, environ):
        yield from check_zones(setup, datetime.now(UTC))
        yield from check_files(setup)


def exit_code(findings: Iterable[Finding]) -> int:
    """2 where the configuration is broken, 1 where something else failed."""
    wrong = {finding.name for finding in findings if finding.verdict is Verdict.FAILED}
    return 2 if wrong & {CONFIGURATION, SUBSCRIBERS} else int(bool(wrong))


def _read(config: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Both files, each with all of its problems."""
    try:
        file = find_config(config, environ)
        settings = load_settings(config, environ)
    except ConfigurationError as error:
        yield from (failed(CONFIGURATION, problem, _CORRECT) for problem in error.problems)
        return
    where = file.absolute() if file else "no digest.toml, so the defaults hold"
    how = f"mails go to {settings.smtp.host}" if server_of(settings) else "mails go into a Maildir"
    yield ok(CONFIGURATION, f"{where}: {how}")
    try:
        setup = load_setup(config, environ)
    except ConfigurationError as error:
        yield from (failed(SUBSCRIBERS, problem, _CORRECT) for problem in error.problems)
        return
    yield _subscribers(setup)


def _subscribers(setup: Setup) -> Finding:
    path, number = setup.settings.subscribers.absolute(), len(setup.subscribers)
    if not number:
        return warning(SUBSCRIBERS, f"{path}: nobody yet", "digest subscribe EMAIL -k KEYWORD")
    keywords = sum(len(one.keywords) for one in setup.subscribers)
    return ok(SUBSCRIBERS, f"{path}: readers {number}, keywords {keywords}")


def _setup(config: Path | None, environ: Mapping[str, str]) -> Setup | None:
    """Without readers where only subscribers.toml is wrong; `None` where the settings are."""
    try:
        return load_setup(config, environ)
    except ConfigurationError:
        try:
            settings = load_settings(config, environ)
        except ConfigurationError:
            return None
        return Setup(config_file=find_config(config, environ), settings=settings, subscribers=())


async def _asking_others(setup: Setup, resolver: Resolver, send_to: str | None) -> AsyncIterator[Finding]:
    settings = setup.settings
    is_sound = True
    if server := server_of(settings):
        async for finding in check_mail_server(server, settings.smtp.sender):
            is_sound = is_sound and finding.verdict is not Verdict.FAILED
            yield finding
        async for finding in check_domain(settings.smtp, resolver):
            yield finding
    async for finding in check_arxiv(settings):
        yield finding
    if send_to and is_sound:
        async for finding in send_test(settings, send_to, datetime.now(UTC)):
            yield finding
    elif send_to:
        yield warning("test digest", "not sent: the mail server is not in order", "see above")
