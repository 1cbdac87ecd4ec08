"""digest.toml and the environment become settings, or every problem is named at once."""

import logging
import os
import socket
from datetime import UTC, datetime, time, timedelta
from ipaddress import ip_network
from pathlib import Path
from shutil import copyfile
from zoneinfo import TZPATH, ZoneInfo

import pytest

from digest.config.database_url import DatabaseUrl
from digest.config.loader import KEYS, Settings, load_settings, system_zone
from digest.config.local_timezone import machine_zone
from digest.errors import ConfigurationError

BASE_URL = 'base_url = "https://digest.example.org"\n'
LOOPBACK = "http://127.0.0.1:8931/api/query"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(toml: str = "", environ: dict[str, str] | None = None) -> Settings:
    file = Path("digest.toml").absolute()
    file.write_text(toml)
    return load_settings(file, environ or {})


def problems(toml: str = "", environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(toml, environ)
    return caught.value.problems


# Where the file and what it names are found


def test_all_keys_are_optional(tmp_path: Path) -> None:
    settings = load_settings(None, {"STATE_DIRECTORY": "/var/lib/arxiv-digest"})
    assert settings.subscribers == Path("subscribers.toml")
    assert settings.state == Path("/var/lib/arxiv-digest/digest.db")
    assert settings.delivery.transport == "maildir"
    assert settings.delivery.maildir == Path("/var/lib/arxiv-digest/Maildir")
    assert settings.arxiv.request_interval == timedelta(seconds=3)
    assert settings.arxiv.lookback_days == 16
    assert settings.arxiv.contact is None
    assert (settings.smtp.host, settings.smtp.security, settings.smtp.port) == (None, "starttls", 587)
    assert settings.defaults.at == time(7)


def test_the_file_named_on_the_command_line_goes_before_the_variable_and_the_folder(tmp_path: Path) -> None:
    for name in ("named", "variable", "digest"):
        Path(f"{name}.toml").write_text(f'state = "{name}.db"')
    environ = {"DIGEST_CONFIG": str(tmp_path / "variable.toml")}
    assert Path(str(load_settings(Path("named.toml"), environ).state)).name == "named.db"
    assert Path(str(load_settings(None, environ).state)).name == "variable.db"
    assert Path(str(load_settings(None, {}).state)).name == "digest.db"


@pytest.mark.parametrize(
    ("named", "environ"), [(Path("gone.toml"), {}), (None, {"DIGEST_CONFIG": "gone.toml"})]
)
def test_a_named_file_that_is_missing_is_an_error(named: Path | None, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.toml: no such file"):
        load_settings(named, environ)


def test_relative_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "digest.toml").write_text('state = "s/x.db"\n[delivery]\nmaildir = "mails"\n')
    settings = load_settings(folder / "digest.toml", {"DIGEST_SUBSCRIBERS": "here.toml"})
    assert settings.state == folder / "s/x.db"
    assert settings.delivery.maildir == folder / "mails"
    assert settings.subscribers == Path("here.toml")
    assert load_settings(folder / "digest.toml", {}).subscribers == folder / "subscribers.toml"


def test_the_environment_overrides_the_file() -> None:
    settings = load(
        '[smtp]\nhost = "a.example.org"\nconnections = 3\n[arxiv]\nlookback_days = 20\n',
        {
            "DIGEST_SMTP__HOST": "b.example.org",
            "DIGEST_ARXIV__RETRY_PAUSE": "0.5",
            "DIGEST_ARXIV__CONTACT": "",
        },
    )
    assert (settings.smtp.host, settings.smtp.connections) == ("b.example.org", 3)
    assert (settings.arxiv.lookback_days, settings.arxiv.retry_pause) == (20, timedelta(seconds=0.5))


def test_every_key_can_come_from_the_environment() -> None:
    environ = {
        "DIGEST_SUBSCRIBERS": "who.toml",
        "DIGEST_STATE": "state.db",
        "DIGEST_STATE_PASSWORD": "hush",
        "DIGEST_STATE_PASSWORD_FILE": "",
        "DIGEST_ARXIV__API_URL": LOOPBACK,
        "DIGEST_ARXIV__OAI_URL": "http://localhost/oai",
        "DIGEST_ARXIV__FEED_URL": "http://[::1]:8931/atom",
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0.05",
        "DIGEST_ARXIV__RETRY_PAUSE": "0.1",
        "DIGEST_ARXIV__LOOKBACK_DAYS": "14",
        "DIGEST_ARXIV__CONTACT": "https://lab.example.org/digest",
        "DIGEST_SMTP__PROVIDER": "gmail",
        "DIGEST_SMTP__HOST": "localhost",
        "DIGEST_SMTP__PORT": "2525",
        "DIGEST_SMTP__SECURITY": "none",
        "DIGEST_SMTP__ALLOW_PLAINTEXT": "true",
        "DIGEST_SMTP__USERNAME": "me",
        "DIGEST_SMTP__PASSWORD": "hush",
        "DIGEST_SMTP__PASSWORD_FILE": "",
        "DIGEST_SMTP__SENDER": "lab@example.org",
        "DIGEST_SMTP__SENDER_NAME": "The Lab",
        "DIGEST_SMTP__BOUNCE_ADDRESS": "bounce@example.org",
        "DIGEST_SMTP__CONNECTIONS": "4",
        "DIGEST_SMTP__MESSAGES_PER_CONNECTION": "100",
        "DIGEST_SMTP__MESSAGES_PER_MINUTE": "30",
        "DIGEST_SMTP__MESSAGES_PER_DAY": "2000",
        "DIGEST_SMTP__HELO": "mail.lab.example",
        "DIGEST_SMTP__TIMEOUT": "10",
        "DIGEST_DELIVERY__TRANSPORT": "maildir",
        "DIGEST_DELIVERY__MAILDIR": "mails",
        "DIGEST_DELIVERY__WORKERS": "3",
        "DIGEST_MAIL__CONTACT": "help@example.org",
        "DIGEST_MAIL__TEMPLATES": ".",
        "DIGEST_DEFAULTS__AT": "18:30",
        "DIGEST_DEFAULTS__TIMEZONE": "Asia/Tokyo",
        "DIGEST_DEFAULTS__WEEKLY": "Friday",
        "DIGEST_DEFAULTS__LENGTH": "Short",
        "DIGEST_DEFAULTS__DISCOVER": "3",
        "DIGEST_WEB__BASE_URL": "https://digest.example.org/lab/",
        "DIGEST_WEB__LISTEN": "[::1]:8000",
        "DIGEST_WEB__TRUSTED_PROXIES": "192.0.2.1, 10.0.0.0/8",
        "DIGEST_WEB__ROBOTS": "true",
        "DIGEST_WEB__METRICS_TOKEN": "figures-for-prometheus-1",
        "DIGEST_WEB__METRICS_LISTEN": "127.0.0.1:9345",
        "DIGEST_WEB__SIGNUP": "domains",
        "DIGEST_WEB__DOMAINS": "uni.example, Bücher.example",
        "DIGEST_WEB__MOST_PAPERS_A_DAY": "50",
        "DIGEST_WEB__SIGNUPS_PER_HOUR": "20",
        "DIGEST_WEB__SIGNUPS_PER_NETWORK": "10",
        "DIGEST_ADMIN__HEADER": "",
        "DIGEST_ADMIN__LISTEN": "[::1]:8346",
        "DIGEST_ADMIN__PROXIES": "192.0.2.1, 10.0.0.0/8",
        "DIGEST_ADMIN__ISSUER": "https://login.example.org/lab",
        "DIGEST_ADMIN__CLIENT_ID": "digest",
        "DIGEST_ADMIN__CLIENT_SECRET": "hush",
        "DIGEST_ADMIN__CLIENT_SECRET_FILE": "",
        "DIGEST_ADMIN__GROUPS": "looking after",
        "DIGEST_ADMIN__GROUP_CLAIM": "roles",
        "DIGEST_ADMIN__USERS": "ada@example.org, 4711",
        "DIGEST_OPERATOR__EMAIL": "op@example.org",
        "DIGEST_OPERATOR__HEARTBEAT": "mon",
        "DIGEST_OPERATOR__PING_URL": "https://hc.example/5d9b1c0e",
        "DIGEST_LOG__FORMAT": "json",
        "DIGEST_LOG__LEVEL": "debug",
        "DIGEST_LOG__ADDRESSES": "true",
    }
    assert set(environ) == {"DIGEST_" + "__".join(key).upper() for key in KEYS}
    settings = load("", environ)
    assert settings.subscribers == Path("who.toml")
    assert settings.arxiv.request_interval == timedelta(seconds=0.05)
    assert settings.smtp.password is not None
    assert settings.smtp.password.get_secret_value() == "hush"
    assert (settings.smtp.port, settings.smtp.sender_name) == (2525, "The Lab")
    assert (settings.delivery.transport, settings.delivery.maildir) == ("maildir", Path("mails"))
    assert settings.delivery.workers == 3
    defaults = settings.defaults
    assert (defaults.at, defaults.weekly, defaults.length) == (time(18, 30), 4, "short")
    assert defaults.discover == 3
    assert settings.defaults.timezone.key == "Asia/Tokyo"
    assert (settings.web.base_url, settings.web.address) == ("https://digest.example.org/lab", ("::1", 8000))
    assert settings.web.trusted_proxies == (ip_network("192.0.2.1"), ip_network("10.0.0.0/8"))
    assert settings.web.robots
    assert (settings.web.signup, settings.web.domains) == (
        "domains",
        ("uni.example", "xn--bcher-kva.example"),
    )
    web = settings.web
    assert (web.most_papers_a_day, web.signups_per_hour, web.signups_per_network) == (50, 20, 10)
    assert (settings.admin.address, settings.admin.issuer) == (("::1", 8346), "https://login.example.org/lab")
    assert settings.admin.proxies == settings.web.trusted_proxies
    assert settings.admin.users == ("ada@example.org", "4711")
    assert settings.admin.client_secret is not None
    assert (settings.operator.email, settings.operator.heartbeat) == ("op@example.org", 0)
    assert settings.operator.ping_url is not None
    assert settings.operator.ping_url.get_secret_value() == "https://hc.example/5d9b1c0e"
    assert (settings.log.format, settings.log.level, settings.log.addresses) == ("json", "debug", True)


WITH_PAGES = '[web]\nbase_url = "https://digest.example.org"\n[admin]\n'


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('header = "X-Remote-User"', "nobody could open /admin"),
        ('header = "X_Remote_User"\nusers = ["ada"]', "must be the name of a header"),
        ('header = "Cookie"\nusers = ["ada"]', "must be the name of a header"),
        ('header = "X-User"\nusers = [""]', "none of them empty"),
        ('header = "X-User"\nusers = ["ada"]\ngroups = ["staff"]', "only with admin.issuer"),
        (
            'header = "X-User"\nissuer = "https://login.example.org"\nclient_id = "x"\nusers = ["ada"]',
            "use only one of the two",
        ),
        ('issuer = "https://login.example.org"\nusers = ["ada"]', "admin.issuer: set admin.client_id too"),
        ('issuer = "http://login.example.org"\nclient_id = "x"\nusers = ["ada"]', "must be an https address"),
        ('issuer = "https://login.example.org?a"\nclient_id = "x"\nusers = ["ada"]', "without ? and #"),
        ('issuer = "https://l.example"\nclient_id = "x"', "nobody could open /admin"),
        ('header = "X-User"\nusers = ["ada"]\nlisten = "8346"', "for example"),
        ('client_secret_file = "nowhere"', "cannot be read"),
    ],
)
def test_a_mistake_in_admin_is_told(toml: str, problem: str) -> None:
    assert problem in "\n".join(problems(WITH_PAGES + toml))


def test_admin_needs_the_pages() -> None:
    assert "admin.header: needs web.base_url" in "\n".join(
        problems('[admin]\nheader = "X-User"\nusers = ["ada"]')
    )


@pytest.mark.parametrize("url", ["ftp://hc.example/5d9b1c0e", "hc.example/5d9b1c0e", "http://[5d9b1c0e"])
def test_an_address_for_pings_is_http_and_never_shown(url: str) -> None:
    (found,) = problems(f'[operator]\nping_url = "{url}"\n')
    assert "operator.ping_url: must be an http or https address" in found
    assert "5d9b1c0e" not in found
    assert "5d9b1c0e" not in repr(load('[operator]\nping_url = "https://hc.example/5d9b1c0e"'))


def test_a_token_for_metrics_is_never_shown() -> None:
    (found,) = problems('[web]\nmetrics_token = "5d9b1c0e"\n')
    assert "web.metrics_token: must be a token" in found
    assert "5d9b1c0e" not in found


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('base_url = "http://digest.example.org"', "must be an https address"),
        ('base_url = "https://digest.example.org/?a"', "because paths are added to it"),
        ('base_url = "digest.example.org"', "must be an http or https address"),
        ('listen = "8345"', 'for example "127.0.0.1:8345"'),
        ('listen = "localhost:8345"', 'for example "127.0.0.1:8345"'),
        ('listen = "::1:8345"', 'for example "127.0.0.1:8345"'),
        ('listen = "127.0.0.1:65536"', "up to 65535"),
        ('trusted_proxies = ["10.0.0.1/8"]', "10.0.0.1/8 has host bits set"),
        ("trusted_proxies = 1", "must be a list of addresses or networks"),
        ('signup = "open"', 'web.signup = "open": needs web.base_url'),
        (f'{BASE_URL}signup = "everybody"', '"domains", "invite" or "open"'),
        (f'{BASE_URL}signup = "domains"', "set web.domains too"),
        (f'{BASE_URL}domains = ["uni.example"]', 'web.domains = ["uni.example"]: has an effect only with'),
        (f'{BASE_URL}signup = "domains"\ndomains = ["@uni"]', '"@uni" is none'),
        (f'{BASE_URL}signup = "domains"\ndomains = 1', "must be a list"),
        (f'{BASE_URL}signup = "open"\nmost_papers_a_day = 0', "a number of papers from 1"),
        (f'{BASE_URL}signup = "open"\nsignups_per_hour = "many"', "a number from 1"),
    ],
)
def test_what_the_web_pages_cannot_be_set_to_is_explained(toml: str, problem: str) -> None:
    (found,) = problems(f"[web]\n{toml}\n")
    assert problem in found


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("http://mail.example.org", 'write host = "mail.example.org"'),
        ("https://mail.example.org/", 'write host = "mail.example.org"'),
        ("smtps://mail.example.org:465", 'write host = "mail.example.org" and port = 465'),
        ("SMTP://mail.example.org:25/?a", 'write host = "mail.example.org" and port = 25'),
        ("mail.example.org:587", 'write host = "mail.example.org" and port = 587'),
        ("mail.example.org/", 'write host = "mail.example.org"'),
        ("you@mail.example.org", 'write host = "mail.example.org"'),
        (" mail.example.org ", 'write host = "mail.example.org"'),
        ("[2001:db8::1]:25", 'write host = "2001:db8::1" and port = 25'),
        ("mail example org", 'for example "mail.example.org"'),
        ("http://", 'for example "mail.example.org"'),
    ],
)
def test_what_is_no_name_of_a_server_gets_the_name_to_write(host: str, advice: str) -> None:
    (found,) = problems(f'[smtp]\nhost = "{host}"\nsender = "digest@example.org"\n')
    assert "smtp.host" in found
    assert advice in found


@pytest.mark.parametrize(
    "host", ["mail.example.org", "mail", "192.0.2.1", "2001:db8::1", "bücher.example", "a_b"]
)
def test_names_and_addresses_of_servers_are_taken_as_they_are(host: str) -> None:
    assert load(f'[smtp]\nhost = "{host}"\nsender = "digest@example.org"\n').smtp.host == host


def test_a_path_in_a_problem_is_never_cut() -> None:
    path = "/".join(("", *["a-folder-with-a-long-name"] * 8, "password"))
    (found,) = problems(f'[smtp]\nusername = "a"\npassword_file = "{path}"\n')
    assert path in found
    assert "…" not in found


def test_web_pages_without_tls_are_for_this_machine_alone() -> None:
    assert load('[web]\nbase_url = "http://127.0.0.1:8345"').web.base_url == "http://127.0.0.1:8345"


def test_every_key_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    for key in KEYS:
        assert f"| `{key[-1]}` | `DIGEST_{'__'.join(key).upper()}` |" in text


# What follows from what


@pytest.mark.parametrize(
    ("toml", "security", "port"),
    [
        ("", "starttls", 587),
        ("port = 465", "tls", 465),
        ('security = "tls"', "tls", 465),
        ('security = "none"', "none", 25),
        ("port = 2525", "starttls", 2525),
        ('port = 465\nsecurity = "starttls"', "starttls", 465),
    ],
)
def test_port_and_security_follow_from_each_other(toml: str, security: str, port: int) -> None:
    smtp = load(f'[smtp]\nhost = "127.0.0.1"\n{toml}\n').smtp
    assert (smtp.security, smtp.port) == (security, port)


def test_mails_go_by_smtp_once_a_server_is_named() -> None:
    assert load('[smtp]\nhost = "mail.example.org"').delivery.transport == "smtp"
    both = load('[smtp]\nhost = "mail.example.org"\n[delivery]\ntransport = "maildir"')
    assert both.delivery.transport == "maildir"


@pytest.mark.parametrize(
    ("toml", "machine", "sender", "contact"),
    [
        ("", "box", "arxiv-digest@localhost", None),
        ("", "box.example.org", "arxiv-digest@box.example.org", None),
        ("", "bad_name.", "arxiv-digest@localhost", None),
        ('username = "me@example.org"\npassword = "x"', "box", "me@example.org", "me@example.org"),
        ('username = "me"\npassword = "x"', "box", "arxiv-digest@localhost", None),
        ('sender = "lab@localhost"', "box", "lab@localhost", "lab@localhost"),
    ],
)
def test_sender_and_contact_follow_from_the_login(
    toml: str, machine: str, sender: str, contact: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: machine)
    settings = load(f"[smtp]\n{toml}\n")
    assert (settings.smtp.sender, settings.arxiv.contact) == (sender, contact)


def test_a_contact_that_is_set_stays() -> None:
    settings = load('[smtp]\nsender = "a@example.org"\n[arxiv]\ncontact = "b@example.org"')
    assert settings.arxiv.contact == "b@example.org"


def test_the_time_zone_is_the_machines(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert system_zone({}, link) == "Europe/Berlin"
    assert system_zone({"TZ": ":Asia/Tokyo"}, link) == "Asia/Tokyo"
    assert system_zone({"TZ": "nonsense"}, link) == "UTC"
    assert machine_zone({}, tmp_path / "none", tmp_path / "none") == "UTC"


def a_copy(folder: Path) -> Path:
    """As a copied, or bind-mounted, /etc/localtime is: a file that points nowhere."""
    for place in TZPATH:
        if (original := Path(place) / "Europe" / "Berlin").is_file():
            return Path(copyfile(original, folder / "localtime"))
    pytest.skip("this system has no files of zones")


@pytest.mark.parametrize("written", ["Europe/Paris", "Asia/Tokyo", ""])
def test_a_copied_localtime_is_told_by_its_hours(tmp_path: Path, written: str) -> None:
    """/etc/timezone has the name, but only where it has the same hours: it may be left from before."""
    (tmp_path / "timezone").write_text(f"{written}\n")
    found = machine_zone({}, a_copy(tmp_path), tmp_path / "timezone")
    assert found is not None
    assert found.startswith("Europe/")
    assert found == written or written != "Europe/Paris"
    moments = [datetime(2027, month, 15, tzinfo=UTC) for month in (1, 7)]
    hours = [moment.astimezone(ZoneInfo(found)).utcoffset() for moment in moments]
    assert hours == [timedelta(hours=1), timedelta(hours=2)]


def test_tz_may_name_a_file_and_what_has_no_name_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    nothing = tmp_path / "none"
    assert machine_zone({"TZ": f":{link}"}, nothing, nothing) == "Asia/Tokyo"
    assert machine_zone({"TZ": "XYZ-1XYT,M3.5.0,M10.5.0/3"}, link, nothing) is None
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert machine_zone({}, nothing, tmp_path / "timezone") == "Asia/Tokyo"
    load_settings(None, {"TZ": "XYZ-1XYT,M3.5.0,M10.5.0/3"})
    assert "unknown, UTC is used source=TZ=XYZ-1XYT,M3.5.0,M10.5.0/3" in caplog.text
    caplog.clear()
    load_settings(None, {"TZ": "XYZ-1XYT", "DIGEST_DEFAULTS__TIMEZONE": "Asia/Tokyo"})
    assert not caplog.text


# arXiv's pace


def test_the_interval_can_be_lowered_for_a_search_api_on_loopback() -> None:
    arxiv = load("", {"DIGEST_ARXIV__API_URL": LOOPBACK, "DIGEST_ARXIV__REQUEST_INTERVAL": "0.05"}).arxiv
    assert arxiv.interval_for(LOOPBACK) == timedelta(seconds=0.05)


def test_arxiv_itself_is_never_asked_faster() -> None:
    arxiv = load("", {"DIGEST_ARXIV__API_URL": LOOPBACK, "DIGEST_ARXIV__REQUEST_INTERVAL": "0.05"}).arxiv
    assert arxiv.interval_for(arxiv.oai_url) == timedelta(seconds=3)
    assert load("[arxiv]\nrequest_interval = 5").arxiv.interval_for(arxiv.oai_url) == timedelta(seconds=5)


@pytest.mark.parametrize(
    "toml",
    [
        "",
        'api_url = "https://export.arxiv.org/api/query"',
        'api_url = "http://127.0.0.1.example.org/"',
        'api_url = "http://10.0.0.1/"\noai_url = "http://127.0.0.1/"',
        'api_url = "http://127.0.0.1/"\noai_url = "https://mirror.example.org/oai"',
        'api_url = "http://localhost@mirror.example.org/"',
    ],
)
def test_for_any_other_host_less_than_three_seconds_is_an_error(toml: str) -> None:
    (problem,) = problems(f"[arxiv]\nrequest_interval = 2.9\n{toml}\n")
    assert "arxiv.request_interval = 2.9: must be a number of seconds from 3" in problem


# Plaintext and passwords


def test_plaintext_is_for_loopback_unless_said_so() -> None:
    (problem,) = problems('[smtp]\nhost = "mail.example.org"\nsecurity = "none"')
    assert "smtp.security" in problem
    assert "smtp.allow_plaintext" in problem
    for host in ("localhost", "127.0.0.1", "::1"):
        assert load(f'[smtp]\nhost = "{host}"\nsecurity = "none"').smtp.port == 25
    assert (
        load('[smtp]\nhost = "mail.lan"\nsecurity = "none"\nallow_plaintext = true').smtp.security == "none"
    )


def test_a_password_never_goes_unencrypted_to_another_machine() -> None:
    login = 'allow_plaintext = true\nusername = "me"\npassword = "hush"'
    with pytest.raises(
        ConfigurationError, match=r"smtp\.security: the password would go unencrypted"
    ) as raised:
        load(f'[smtp]\nhost = "mail.lan"\nsecurity = "none"\n{login}')
    assert "hush" not in str(raised.value)


def secret(settings: Settings) -> str | None:
    password = settings.smtp.password
    return password.get_secret_value() if password else None


def test_the_password_file_gives_the_password_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("pass word\r\n")
    settings = load('[smtp]\nusername = "me"\npassword_file = "secret"')
    assert secret(settings) == "pass word"


def test_a_systemd_credential_gives_the_password(tmp_path: Path) -> None:
    (tmp_path / "smtp-password").write_text("hush\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert secret(load('[smtp]\nusername = "me"', environ)) == "hush"
    assert secret(load('[smtp]\nusername = "me"\npassword = "own"', environ)) == "own"
    (tmp_path / "smtp-password").write_text("\n")
    assert secret(load("", environ)) is None


def test_a_password_from_the_environment_replaces_that_of_the_file(tmp_path: Path) -> None:
    toml = '[smtp]\nusername = "me"\npassword_file = "gone"'
    assert secret(load(toml, {"DIGEST_SMTP__PASSWORD": "hush"})) == "hush"


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("tell-nobody\nsecond line")
    files = problems('[smtp]\nusername = "me"\npassword_file = "secret"\nport = 0')
    typed = problems('[smtp]\npassword = ["tell-nobody"]\nport = 0')
    alone = problems('[smtp]\npassword = "tell-nobody"', {"DIGEST_SMTP__PORT": "x"})
    good = load('[smtp]\nusername = "me"\npassword = "tell-nobody"')
    assert "tell-nobody" not in f"{files} {typed} {alone} {good!r} {good}"


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('username = "me"', "smtp.username: the password is missing"),
        ('password = "x"', "smtp.password: smtp.username is missing"),
        ('username = "me"\npassword_file = "gone"', "smtp.password_file: "),
        ('username = "me"\npassword_file = "empty"', "is empty"),
        ('username = "me"\npassword_file = "empty"\npassword = "x"', "use only one of the two"),
        ('username = "me"\npassword_file = "binary"', "is not UTF-8 text"),
    ],
)
def test_half_a_login_is_an_error(toml: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (found,) = problems(f"[smtp]\n{toml}\n")
    assert problem in found
    assert "digest.toml: " in found


# What is wrong, where, and what is allowed


@pytest.mark.parametrize(
    ("toml", "key", "allowed"),
    [
        ('stat = "x.db"', "stat", "did you mean state?"),
        ('[smpt]\nhost = "x"', "smpt", "did you mean smtp?"),
        ('[smtp]\nhots = "x"', "smtp.hots", "did you mean host?"),
        ('host = "x"', "host", "did you mean smtp.host?"),
        ("[defaults]\nzzz = 1", "defaults.zzz", "known keys are at, timezone, weekly, length, discover"),
        ("smtp = 5", "smtp = 5", "[smtp]"),
        ("state = 5", "state = 5", "must be the path of the state file"),
        ("[smtp]\nport = 70000", "smtp.port = 70000", "from 1 to 65535"),
        ('[smtp]\nport = "smtp"', 'smtp.port = "smtp"', "from 1 to 65535"),
        ('[smtp]\nsecurity = "ssl"', 'smtp.security = "ssl"', '"starttls", "tls" or "none"'),
        ('[smtp]\nsender = "me"', 'smtp.sender = "me"', "reader@example.org"),
        ('[smtp]\nsender_name = "a\\nb"', "smtp.sender_name", "text in one line"),
        ("[smtp]\nconnections = 0", "smtp.connections = 0", "from 1 to 50"),
        ("[smtp]\ntimeout = 0", "smtp.timeout = 0", "above 0"),
        ('[smtp]\nallow_plaintext = "perhaps"', "smtp.allow_plaintext", "true or false"),
        ("[arxiv]\nlookback_days = 13", "arxiv.lookback_days = 13", "from 14 to 365"),
        ("[arxiv]\nrequest_interval = nan", "arxiv.request_interval", "from 3 to 3600"),
        ("[arxiv]\nretry_pause = -1", "arxiv.retry_pause = -1", "from 0 to 3600"),
        ('[arxiv]\napi_url = "export.arxiv.org"', "arxiv.api_url", "http or https address"),
        ('[arxiv]\napi_url = "http://[::1"', "arxiv.api_url", "http or https address"),
        ('[arxiv]\ncontact = "me"', 'arxiv.contact = "me"', "mail address"),
        ('[delivery]\ntransport = "fax"', 'delivery.transport = "fax"', '"smtp" or "maildir"'),
        ('[delivery]\ntransport = "smtp"', "delivery.transport", "set smtp.host"),
        ('[defaults]\nat = "7am"', 'defaults.at = "7am"', "HH:MM"),
        ('[defaults]\ntimezone = "Europe/Berln"', "defaults.timezone", "did you mean Europe/Berlin?"),
        ('[defaults]\nlength = "long"', 'defaults.length = "long"', 'must be "short" (about'),
        ("[defaults]\nlength = 600", "defaults.length = 600", 'must be "short" (about'),
        ("[defaults]\ndiscover = 11", "defaults.discover = 11", "from 0 to 10"),
        ("[defaults]\ndiscover = true", "defaults.discover = true", "from 0 to 10"),
        ('[defaults]\ndiscover = "many"', 'defaults.discover = "many"', "from 0 to 10"),
        ('[defaults]\nweekly = "fry"', 'defaults.weekly = "fry"', "mon, tue"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_what_is_allowed(toml: str, key: str, allowed: str) -> None:
    (problem,) = problems(toml)
    assert problem.startswith(f"{Path('digest.toml').absolute()}: {key}")
    assert allowed in problem
    assert "pydantic" not in problem


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        '[smtp]\nprot = 25\nsecurity = "ssl"\nusername = "me"\n'
        "[arxiv]\nlookback_days = 1\nrequest_interval = 1\n",
        {"DIGEST_DEFAULTS__AT": "25:00", "DIGEST_SMTP__HOSTT": "x"},
    )
    told = {problem.split(": ")[1].split(" = ")[0] for problem in found}
    assert told == {
        "smtp.prot", "smtp.hostt", "smtp.security", "smtp.username",
        "arxiv.lookback_days", "arxiv.request_interval", "defaults.at",
    }  # fmt: skip


def test_a_user_without_a_home_has_to_name_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_state_path", homeless)
    (problem,) = problems("")
    assert problem == "state: this user has no home folder; set DIGEST_STATE, or HOME"
    assert load("", {"DIGEST_STATE": "here.db"}).state == Path("here.db")


def test_a_table_of_channels_under_another_name_is_told_with_its_own() -> None:
    (problem,) = problems('[[channels]]\nname = "lab"\n')
    assert problem.endswith("channels: unknown key; did you mean channel?")


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    (problem,) = problems('[smtp]\nport = 25\nhost = "localhost"', {"DIGEST_SMTP__PORT": "abc"})
    assert problem.startswith('DIGEST_SMTP__PORT: smtp.port = "abc": must be')


def test_an_unknown_variable_is_a_problem_in_a_known_section_only(caplog: pytest.LogCaptureFixture) -> None:
    (problem,) = problems("", {"DIGEST_SMTP__HOSTT": "x"})
    assert problem == "DIGEST_SMTP__HOSTT: smtp.hostt: unknown key; did you mean host?"
    with caplog.at_level(logging.WARNING):
        load("", {"DIGEST_FOO": "x", "DIGEST_STAT": "y"})
    assert [record.getMessage() for record in caplog.records] == [
        "unknown environment variable ignored name=DIGEST_FOO hint=None",
        "unknown environment variable ignored name=DIGEST_STAT hint=did you mean DIGEST_STATE?",
    ]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"[smtp]\nhost = \n", "line 2, column 8"),
        (b"state = [", "line 1 (the end)"),
        (b"# Gr\xfc\xdfe\n", "line 1: not UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_named_with_its_place(content: bytes, place: str) -> None:
    Path("digest.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^digest\.toml, ") as caught:
        load_settings(None, {})
    assert place in str(caught.value)


def test_a_byte_order_mark_as_editors_of_windows_write_it_is_no_mistake() -> None:
    mark = b"\xef\xbb\xbf"
    Path("digest.toml").write_bytes(
        mark + b'[smtp]\nhost = "a.example"\nusername = "me"\npassword_file = "pw"\n'
    )
    Path("pw").write_bytes(mark + b"secret\r\n")
    settings = load_settings(None, {})
    assert settings.smtp.password is not None
    assert settings.smtp.password.get_secret_value() == "secret"


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    file = Path("digest.toml")
    file.write_text("")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("root reads everything")
    with pytest.raises(ConfigurationError, match="cannot be read: Permission denied"):
        load_settings(None, {})


# Providers, limits and returned mail


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ('provider = "gmial"', ('smtp.provider = "gmial"', 'did you mean "gmail"?', "fastmail")),
        ('provider = "the basement"', ("must be one of gmail", "set smtp.host")),
        ("provider = 7", ("smtp.provider = 7", "must be one of gmail")),
        ('provider = "ses"', ("smtp.provider", "a server for each region", "set smtp.host")),
        ("messages_per_day = 0", ("smtp.messages_per_day = 0", "a whole number from 1")),
        ("messages_per_minute = 1.5", ("smtp.messages_per_minute = 1.5", "a whole number from 1")),
        ('messages_per_connection = "many"', ("smtp.messages_per_connection", "a whole number from 1")),
        ('helo = "mail"', ('smtp.helo = "mail"', "the full name of this machine")),
        ('bounce_address = "bounce"', ('smtp.bounce_address = "bounce"', "mail address")),
        (f'bounce_address = "{"b" * 40}@example.org"', ("smtp.bounce_address", "at most 39 characters")),
    ],
)
def test_a_wrong_limit_provider_or_bounce_address_is_named(toml: str, named: tuple[str, ...]) -> None:
    (problem,) = problems(f"[smtp]\n{toml}\n")
    assert all(words in problem for words in named)


def test_a_provider_is_a_mail_server_wherever_it_is_named() -> None:
    assert load('[smtp]\nprovider = "Fastmail"').smtp.provider == "fastmail"
    settings = load("", {"DIGEST_SMTP__PROVIDER": "gmail", "DIGEST_SMTP__MESSAGES_PER_DAY": "2000"})
    assert settings.delivery.transport == "smtp"
    assert (settings.smtp.host, settings.smtp.messages_per_day) == ("smtp.gmail.com", 2000)


def test_the_environment_goes_before_the_preset_of_the_file() -> None:
    settings = load('[smtp]\nprovider = "gmail"', {"DIGEST_SMTP__PORT": "465"})
    assert (settings.smtp.host, settings.smtp.port, settings.smtp.security) == ("smtp.gmail.com", 465, "tls")


def test_a_region_with_a_host_needs_no_more() -> None:
    settings = load('[smtp]\nprovider = "ses"\nhost = "email-smtp.eu-west-1.amazonaws.com"')
    assert settings.smtp.host == "email-smtp.eu-west-1.amazonaws.com"


def test_without_a_provider_there_are_no_limits() -> None:
    smtp = load('[smtp]\nhost = "mail.example.org"').smtp
    assert {smtp.messages_per_connection, smtp.messages_per_minute, smtp.messages_per_day} == {None}
    assert smtp.bounce_address is None


@pytest.mark.parametrize("zone", ["PST", "CEST", "GMT+2", "UTC-5", "+01:00", "UTC+5:30"])
def test_an_abbreviated_zone_gets_the_advice_to_name_a_city(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="has no summer time: use a city of that zone"):
        load_settings(None, {"DIGEST_DEFAULTS__TIMEZONE": zone})


DATABASE = 'state = "postgresql://ada@db.example.org/digest"\n'


def test_the_password_of_a_database_comes_from_its_file_a_variable_or_a_credential(tmp_path: Path) -> None:
    secret = tmp_path / "state-password"
    secret.write_text("hush\n")
    given: tuple[tuple[str, dict[str, str]], ...] = (
        (f'state_password_file = "{secret}"', {}),
        ("", {"DIGEST_STATE_PASSWORD": "hush"}),
        ('state_password = "former"', {"DIGEST_STATE_PASSWORD_FILE": str(secret)}),
        ("", {"CREDENTIALS_DIRECTORY": str(tmp_path)}),
    )
    for toml, environ in given:
        state = load(DATABASE + toml, environ).state
        assert isinstance(state, DatabaseUrl)
        assert state.url == "postgresql://ada@db.example.org/digest?password=hush"
        assert "hush" not in str(state)


def test_a_database_has_one_password() -> None:
    url = "postgresql://ada:hush@db.example.org/digest"
    (problem,) = problems("", {"DIGEST_STATE": url, "DIGEST_STATE_PASSWORD": "other"})
    assert "DIGEST_STATE: state = " in problem
    assert "ada:***@db" in problem
    assert "hush" not in problem
    assert "use only one" in problem
    (problem,) = problems(DATABASE + 'state_password = "a"\nstate_password_file = "b"')
    assert "state_password_file: state_password is also set" in problem


def test_mails_lie_in_this_users_folder_where_the_state_is_a_database(tmp_path: Path) -> None:
    settings = load(DATABASE, {"STATE_DIRECTORY": str(tmp_path)})
    assert settings.delivery.maildir == tmp_path / "Maildir"
