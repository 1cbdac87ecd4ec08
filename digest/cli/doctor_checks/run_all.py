"""All checks in their order, and the exit code."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from digest.cli.doctor_checks.arxiv import check_arxiv
from digest.cli.doctor_checks.channels import check_channels
from digest.cli.doctor_checks.clock import check_zones
from digest.cli.doctor_checks.dns import Resolver, check_domain
from digest.cli.doctor_checks.files import check_files
from digest.cli.doctor_checks.systemd import check_service
from digest.cli.doctor_checks.trial_mail import send_test
from digest.cli.doctor_checks.web import check_admin, check_pages
from digest.config.loader import find_config, load_settings
from digest.errors import ConfigurationError, StateError
from digest.keywords.broad_terms import cautions
from digest.model.paper import one_line
from digest.service.bootstrap import Setup
from digest.service.directory import directory_of, load_readable, place_of
from digest.service.finding import Finding, Verdict, failed, ok, warning
from digest.service.ping import Ping, send_ping
from digest.service.transports.base import transport_kind

CONFIGURATION = "configuration"
SUBSCRIBERS = "subscribers"
_CORRECT = "correct it; all keys: digest docs configuration"


async def examine(
    config: Path | None,
    environ: Mapping[str, str],
    resolver: Resolver,
    *,
    send_to: str | None,
    is_pinged: bool = False,
) -> AsyncIterator[Finding]:
    """All checks. With `send_to`, a test digest is sent there if the checks of the mail server passed."""
    setup, findings = _read(config, environ)
    for finding in (*findings, *_here(setup)):
        yield finding
    if setup is None:
        yield warning(
            "other checks", "not done: they need the configuration", "correct the configuration first"
        )
    else:
        async for finding in _asking_others(setup, resolver, send_to):
            yield finding
        if is_pinged:
            yield await _ping(setup)
    if setup is not None and setup.settings.channel:
        async for finding in check_channels(setup.settings, environ, setup.config_file):
            yield finding
    async for finding in check_service():
        yield finding


async def _ping(setup: Setup) -> Finding:
    url = setup.settings.operator.ping_url
    if url is None:
        return warning("ping", "not done: no address is set", "set operator.ping_url")
    host = urlsplit(url.get_secret_value()).hostname
    if cause := await send_ping(url, Ping(failed=(), figures="digest doctor --ping")):
        return failed("ping", f"{host}: {one_line(cause)}", "check operator.ping_url")
    return ok("ping", f"{host} took it; the address for a failure was not tried")


def examine_here(config: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The checks that need no network."""
    setup, findings = _read(config, environ)
    yield from findings
    yield from _here(setup)


def exit_code(findings: Iterable[Finding]) -> int:
    """2 if the configuration is wrong, 1 if another check failed."""
    wrong = {finding.name for finding in findings if finding.verdict is Verdict.FAILED}
    return 2 if wrong & {CONFIGURATION, SUBSCRIBERS} else int(bool(wrong))


def _read(config: Path | None, environ: Mapping[str, str]) -> tuple[Setup | None, tuple[Finding, ...]]:
    """Both files with all their problems; without subscribers if they cannot be read."""
    try:
        file = find_config(config, environ)
        settings = load_settings(config, environ)
    except ConfigurationError as error:
        return None, _broken(CONFIGURATION, error)
    where = file.absolute() if file else "no digest.toml, defaults are used"
    how = transport_kind(settings).summary(settings)
    found = ok(CONFIGURATION, f"{where}: {how}")
    try:
        subscribers, unread = load_readable(directory_of(settings))
    except ConfigurationError as error:
        setup = Setup(config_file=file, settings=settings, subscribers=(), fingerprint=())
        return setup, (found, *_broken(SUBSCRIBERS, error))
    except StateError as error:
        setup = Setup(config_file=file, settings=settings, subscribers=(), fingerprint=())
        return setup, (found, _unread(error))
    setup = Setup(config_file=file, settings=settings, subscribers=subscribers, fingerprint=())
    return setup, (found, *([_unread(unread)] if unread else []), _subscribers(setup))


def _unread(error: StateError) -> Finding:
    return warning(SUBSCRIBERS, f"not all read: {error.reason}", "see the check of the state")


def _broken(name: str, error: ConfigurationError) -> tuple[Finding, ...]:
    return tuple(failed(name, one_line(problem), _CORRECT) for problem in error.problems)


def _subscribers(setup: Setup) -> Finding:
    place, number = place_of(setup.settings), len(setup.subscribers)
    if not number:
        return warning(SUBSCRIBERS, f"{place}: no subscribers yet", "digest subscribe EMAIL -k KEYWORD")
    keywords = sum(len(one.keywords) for one in setup.subscribers)
    counted = f"{place}: subscribers {number}, keywords {keywords}"
    found = {keyword.text: keyword.query for one in setup.subscribers for keyword in one.keywords}
    broad = list(dict.fromkeys(line for query in found.values() for line in cautions(query)))
    if broad:
        others = f", and {len(broad) - 1} more" if len(broad) > 1 else ""
        return warning(SUBSCRIBERS, f"{counted}; {broad[0]}{others}", "digest keywords EMAIL")
    return ok(SUBSCRIBERS, counted)


def _here(setup: Setup | None) -> Iterator[Finding]:
    if setup:
        yield from check_zones(setup, datetime.now(UTC))
        yield from check_files(setup)


async def _asking_others(setup: Setup, resolver: Resolver, send_to: str | None) -> AsyncIterator[Finding]:
    settings = setup.settings
    is_sound = True
    kind = transport_kind(settings)
    async for finding in kind.check_server(settings):
        is_sound = is_sound and finding.verdict is not Verdict.FAILED
        yield finding
    if kind.is_public:
        async for finding in check_domain(settings.smtp, resolver):
            yield finding
    async for finding in check_arxiv(settings):
        yield finding
    async for finding in check_pages(settings.web):
        yield finding
    async for finding in check_admin(settings.web, settings.admin):
        yield finding
    if send_to and is_sound:
        async for finding in send_test(settings, send_to, datetime.now(UTC)):
            yield finding
    elif send_to:
        yield warning("test digest", "not sent: a check of the mail server failed", "see that check")
