"""`digest init`: what it writes can be used, nothing is overwritten, the password stands in no setting."""

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest import cli
from digest.cli import init_service
from digest.cli.setup import Answers, MailServer, config_text, install
from digest.errors import ConfigurationError
from digest.service.bootstrap import Setup, load_setup
from tests.processes import started
from tests.terminals import shown_on
from tests.waiting import LIMIT

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


Init = Callable[..., Ended]


@pytest.fixture
def init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Init]:
    """Runs the command in an empty folder, where nobody can be asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["digest", "init", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Ended(code=code if isinstance(code, int) else 0, out=out, err=err)

    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        yield run


def written(folder: Path, environ: dict[str, str] | None = None) -> Setup:
    return load_setup(folder / "digest.toml", environ or {})


def test_an_address_and_keywords_are_enough(init: Init, tmp_path: Path) -> None:
    ended = init("--email", "a@lab.example", "-k", "graph neural network", "-k", "=compiler")
    assert (ended.code, ended.err) == (0, "")
    setup = written(tmp_path)
    (subscriber,) = setup.subscribers
    assert subscriber.email == "a@lab.example"
    assert [one.text for one in subscriber.keywords] == ["graph neural network", "=compiler"]
    assert (f"{subscriber.send_schedule.send_at:%H:%M}", subscriber.send_schedule.timezone.key) == (
        "07:00",
        "Europe/Berlin",
    )
    assert setup.settings.delivery.transport == "maildir"
    assert setup.settings.arxiv.contact == "a@lab.example"
    assert "failed" not in ended.out
    assert "digest doctor --send a@lab.example" in ended.out
    assert "digest run --dry-run" in ended.out
    assert "systemctl enable --now arxiv-digest" in ended.out


def test_a_provider_and_a_login_are_written_with_the_place_of_the_password(
    init: Init, tmp_path: Path
) -> None:
    options = ("--provider", "gmail", "--at", "08:15", "--timezone", "Asia/Tokyo")
    ended = init("--email", "a@lab.example", "-k", "tea", *options)
    assert ended.code == 0
    assert f"write only the password into {tmp_path}/smtp-password" in ended.out
    (tmp_path / "smtp-password").write_text(f"{PASSWORD}\n")
    smtp = written(tmp_path).settings.smtp
    assert (smtp.host, smtp.username, smtp.sender) == ("smtp.gmail.com", "a@lab.example", "a@lab.example")
    assert smtp.password is not None
    assert smtp.password.get_secret_value() == PASSWORD
    assert written(tmp_path).subscribers[0].send_schedule.timezone.key == "Asia/Tokyo"


def test_a_server_of_ones_own_with_and_without_a_login(init: Init, tmp_path: Path) -> None:
    init("--email", "a@lab.example", "-k", "tea", "--host", "mail.lab.example", "--port", "465")
    smtp = written(tmp_path, {"DIGEST_SMTP__PASSWORD": "x"}).settings.smtp
    assert (smtp.host, smtp.port, smtp.security) == ("mail.lab.example", 465, "tls")
    others = ("--folder", "open", "--username", "none")
    init("--email", "a@lab.example", "-k", "tea", "--host", "mail.lab.example", *others)
    smtp = written(tmp_path / "open").settings.smtp
    assert (smtp.username, smtp.port, smtp.sender) == (None, 587, "a@lab.example")


def test_a_login_that_is_no_address_does_not_become_the_sender(init: Init, tmp_path: Path) -> None:
    init("--email", "a@lab.example", "-k", "tea", "--provider", "sendgrid")
    smtp = written(tmp_path, {"DIGEST_SMTP__PASSWORD": "x"}).settings.smtp
    assert (smtp.username, smtp.sender) == ("apikey", "a@lab.example")


@pytest.mark.parametrize("name", ["digest.toml", "subscribers.toml"])
def test_nothing_is_overwritten(init: Init, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# mine\n")
    ended = init("--email", "a@lab.example", "-k", "tea")
    assert ended.code == 2
    assert f"{name} exists already and is never overwritten" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--email"),
        (("--email", "a@lab.example"), "--keyword"),
        (("--email", "nobody", "-k", "tea"), "mail address"),
        (("--email", "a@lab.example", "-k", '"tea'), "never closed"),
        (("--email", "a@lab.example", "-k", "tea", "--at", "25:00"), "HH:MM"),
        (("--email", "a@lab.example", "-k", "tea", "--timezone", "Mars"), "time zone"),
        (("--email", "a@lab.example", "-k", "tea", "--provider", "gmial"), 'did you mean "gmail"?'),
        (("--email", "a@lab.example", "-k", "tea", "--provider", "ses"), "--host"),
        (("--email", "a@lab.example", "-k", "tea", "--host", "m", "--port", "70000"), "from 1 to 65535"),
    ],
)
def test_what_is_missing_or_not_allowed_is_named_and_nothing_written(
    init: Init, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    ended = init(*arguments)
    assert ended.code == 2
    assert named in ended.err
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_made_is_named(init: Init, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = init("--email", "a@lab.example", "-k", "tea", "--folder", "file/below")
    assert (
        ended.code,
        "file/below cannot be created: Not a directory; choose another folder" in ended.err,
    ) == (
        2,
        True,
    )


def test_another_folder_is_named_in_the_next_commands(init: Init, tmp_path: Path) -> None:
    ended = init("--email", "a@lab.example", "-k", "tea", "--folder", "my place")
    assert written(tmp_path / "my place").subscribers
    assert "digest --config 'my place/digest.toml' doctor" in ended.out


def test_texts_are_written_as_toml_reads_them(tmp_path: Path) -> None:
    server = MailServer(host="mail.lab.example", username='a"b\\c', password_file="p")
    answers = Answers(email="a@lab.example", keywords=("tea",), at="07:00", timezone="UTC", server=server)
    (tmp_path / "digest.toml").write_text(config_text(answers))
    (tmp_path / "subscribers.toml").write_text("")
    assert written(tmp_path, {"DIGEST_SMTP__PASSWORD": "x"}).settings.smtp.username == 'a"b\\c'


def converse(folder: Path, *turns: tuple[str, str], code: int = 0, options: tuple[str, ...] = ()) -> str:
    """Runs the command on a terminal of its own: each answer is typed when its question stands there.

    It has to end with that code.
    """
    terminal, theirs = pty.openpty()
    environ = os.environ | {"PYTHONPATH": str(ROOT), "TZ": "UTC", "XDG_STATE_HOME": str(folder / "home")}
    shown, heard, waiting = "", 0, [*turns]
    with started(
        *(sys.executable, "-m", "digest", "init", *options),
        env=environ,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as child:
        os.close(theirs)
        for piece in shown_on(terminal):
            shown += piece.decode(errors="replace")
            if waiting and re.search(f"{waiting[0][0]}.*: $", shown[heard:]):
                heard = len(shown)
                os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
        os.close(terminal)
        assert child.wait(LIMIT) == code, shown
    assert not waiting, shown
    return shown


def test_on_a_terminal_questions_are_asked_again_until_the_answer_can_be_used(tmp_path: Path) -> None:
    shown = converse(
        tmp_path,
        ("Your mail address", "nobody"),
        ("Your mail address", "a@lab.example"),
        ("Keyword, for example", "graph neural network"),
        ("Another keyword", "compiler"),
        ("Another keyword", ""),
        ("Time of the daily mail", "06:30"),
        ("Time zone", ""),
        ("Provider", "gmail"),
        ("Name for the login", ""),
        ("File for the password", ""),
        ("Password", PASSWORD),
    )
    assert PASSWORD not in shown
    setup = written(tmp_path)
    assert [one.text for one in setup.subscribers[0].keywords] == ["graph neural network", "compiler"]
    assert f"{setup.subscribers[0].send_schedule.send_at:%H:%M}" == "06:30"
    assert setup.settings.smtp.host == "smtp.gmail.com"
    assert PASSWORD not in (tmp_path / "digest.toml").read_text()
    secret = tmp_path / "smtp-password"
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == (f"{PASSWORD}\n", 0o600)


def test_a_configuration_that_is_missing_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as told:
        load_setup(tmp_path / "gone.toml", {})
    assert len(told.value.problems) == 1


def test_an_installation_overwrites_nothing_whoever_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "subscribers.toml").write_text("# mine\n")
    answers = Answers(email="a@lab.example", keywords=("tea",), at="07:00", timezone="UTC")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        install(tmp_path, answers)
    assert [path.name for path in tmp_path.iterdir()] == ["subscribers.toml"]
    assert (tmp_path / "subscribers.toml").read_text() == "# mine\n"


def test_no_answer_is_taken_that_the_files_would_not_take(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    shown = converse(
        tmp_path,
        ("Your mail address", "a@lab.example"),
        ("Keyword, for example", '"tea'),
        ("Keyword, for example", "tea"),
        ("Another keyword", "ti:"),
        ("Another keyword", ""),
        ("Time of the daily mail", "7am"),
        ("Time of the daily mail", ""),
        ("Time zone", "CEST"),
        ("Time zone", "Asia/Tokyo"),
        ("Provider", "gmial"),
        ("Provider", "https://mail.lab.example:587"),
        ("Provider", "mail.lab.example"),
        ("Port", "abc"),
        ("Port", "70000"),
        ("Port", "465"),
        ("Name for the login", ""),
        ("File for the password", "gone/smtp"),
        ("File for the password", "dir"),
        ("File for the password", "dir/smtp"),
        ("Password", PASSWORD),
    )
    for reason in (
        'did you mean "gmail"?',
        'write host = "mail.lab.example" and port = 587',
        "from 1 to 65535",
        f"there is no folder {tmp_path}/gone",
        "this is a folder",
        "use a city",
    ):
        assert reason in shown
    settings = written(tmp_path).settings
    assert (settings.smtp.host, settings.smtp.port) == ("mail.lab.example", 465)
    assert (tmp_path / "dir" / "smtp").read_text() == f"{PASSWORD}\n"


def test_who_breaks_off_gets_the_command_that_goes_on(tmp_path: Path) -> None:
    shown = converse(
        tmp_path,
        ("Your mail address", "a@lab.example"),
        ("Keyword, for example", "graph neural network"),
        ("Another keyword", "tea"),
        ("Another keyword", ""),
        ("Time of the daily mail", ""),
        ("Time zone", "Asia/Tokyo"),
        ("Provider", "mail.lab.example"),
        ("Port", "\x04"),  # the end of input
        code=1,
    )
    keywords = "--keyword 'graph neural network' --keyword tea"
    rest = "--at 07:00 --timezone Asia/Tokyo --host mail.lab.example"
    assert f"digest init --email a@lab.example {keywords} {rest}\r\n" in shown
    assert not [*tmp_path.iterdir()]


def test_wrong_options_are_told_before_the_first_question(tmp_path: Path) -> None:
    shown = converse(tmp_path, code=2, options=("--timezone", "Mars", "-k", "tea"))
    assert "Your mail address" not in shown
    assert "Europe/Berlin" in shown


def test_the_lines_for_a_service_install_all_that_the_last_one_starts(
    init: Init, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = init("--email", "a@lab.example", "-k", "tea", "--provider", "gmail", "--folder", "my place")
    lines = [line.strip() for line in ended.out.partition("make it a service, as root:\n")[2].splitlines()]
    assert lines[-1] == "systemctl enable --now arxiv-digest"
    program = next(line for line in lines if "pip install" in line)
    assert Path(shlex.split(program)[-1]).exists() or "==" in program
    assert lines.index(program) == lines.index(next(line for line in lines if " -m venv " in line)) + 1
    (tmp_path / "my place" / "smtp-password").write_text(f"{PASSWORD}\n")
    (tmp_path / "etc" / "systemd" / "system").mkdir(parents=True)
    for line in lines:
        if not line.startswith("systemctl") and "/opt/" not in line:
            here = line.replace(" /etc/", f" {tmp_path}/etc/")
            subprocess.run(["/bin/sh", "-c", here], check=True, timeout=60)
    there = tmp_path / "etc" / "arxiv-digest"
    setup = written(there, {"DIGEST_SMTP__PASSWORD_FILE": str(there / "smtp-password")})
    assert (len(setup.subscribers), setup.settings.smtp.host) == (1, "smtp.gmail.com")
    assert (there / "smtp-password").stat().st_mode & 0o777 == 0o600
    unit = tmp_path / "etc" / "systemd" / "system" / "arxiv-digest.service"
    assert "WantedBy=multi-user.target" in unit.read_text()


def test_a_program_that_the_service_sees_is_not_installed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for home, count in ((tmp_path, 2), (tmp_path / "other", 0)):
        monkeypatch.setattr("shutil.which", lambda name, path: str(tmp_path / "bin" / name))
        monkeypatch.setenv("HOME", str(home))
        lines = init_service.service_lines(tmp_path, None)
        assert len([line for line in lines if "/opt/arxiv-digest" in line]) == count
