"""`digest demo`: the whole path, in a subprocess, with nothing but this machine."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from email import message_from_bytes, policy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Runs before the command and ends it at the first look beyond this machine.
WATCHMAN = """
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            sys.stderr.write(f"went out: {event} {address}\\n")
            os._exit(99)
    elif event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "::1", "localhost"):
        sys.stderr.write(f"went out: {event} {arguments[0]}\\n")
        os._exit(99)

sys.addaudithook(watch)
"""


class Demo:
    """One run of the command in surroundings of its own; `folder` is where it was told to work."""

    def __init__(self, place: Path) -> None:
        self.home, self.cwd, self.folder = place / "home", place / "cwd", place / "demo"
        (watchman := place / "watchman").mkdir()
        (watchman / "sitecustomize.py").write_text(WATCHMAN, encoding="utf-8")
        self.home.mkdir()
        self.cwd.mkdir()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(place),
            "PYTHONPATH": f"{watchman}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "digest", "demo", *arguments],
            cwd=self.cwd,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Hostile surroundings: settings that would break it, and a current folder without write access."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    demo.environ |= {
        "DIGEST_STATE": str(demo.home / "precious.db"),
        "DIGEST_SUBSCRIBERS": str(demo.home / "precious.toml"),
        "DIGEST_SMTP__HOST": "smtp.example.org",
        "DIGEST_ARXIV__API_URL": "https://export.arxiv.org/api/query",
        "DIGEST_NONSENSE": "1",
    }
    (demo.cwd / "digest.toml").write_text("this is [ no TOML", encoding="utf-8")
    demo.cwd.chmod(0o500)
    return demo


@pytest.fixture(scope="module")
def output(demo: Demo) -> str:
    done = demo.run("--into", str(demo.folder))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def mails(folder: Path) -> dict[str, str]:
    """`day subscriber` → the text of the mail."""
    found = {}
    for file in (folder / "Maildir" / "new").iterdir():
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        text = message.get_body(("plain",))
        assert text is not None
        found[f"{message['Date'].datetime:%d} {message['To'].addresses[0].username}"] = text.get_content()
    return found


def unframed(text: str) -> str:
    """`text` on one line, without the box that errors of usage stand in."""
    return " ".join(text.replace("│", " ").split())


def papers(text: str) -> set[str]:
    return {found[-3:] for found in re.findall(r"arxiv\.org/abs/(260[56]\.99\d{3})", text)}


def test_each_subscriber_gets_a_mail_a_day_with_what_is_new_for_them(demo: Demo, output: str) -> None:
    assert {name: papers(text) for name, text in mails(demo.folder).items()} == {
        "02 ada": {"101", "102", "108", "113", "114"},
        "02 bruno": {"103", "107", "108", "114", "115"},
        "03 ada": {"119", "120", "121", "122"},
        "03 bruno": {"121", "122", "123"},
    }


def test_the_output_tells_who_got_what_and_why(output: str) -> None:
    for email, told in (
        ("ada", "2 June: 5 papers: "),
        ("bruno", "2 June: 5 papers: "),
        ("ada", "3 June: 4 papers: "),
        ("bruno", "Exoplanets with Two Sunsets: Transit… · "),
    ):
        assert re.search(rf"^  {email}@example\.org +{told}", output, re.MULTILINE)
    prose = " ".join(output.split())
    assert re.search(r"Late: 2606\.99122 .* 2 of 2 subscribers got it.* Replaced:", prose)
    assert re.search(r"Replaced: version 2 of 2605\.99108 .* 0 of 2 subscribers got it", prose)
    assert "no mail was sent" in prose
    assert "digest subscribe you@example.org -k" in output
    assert "digest run" in output


def test_each_mail_is_also_a_page_to_open(demo: Demo, output: str) -> None:
    pages = sorted(demo.folder.glob("*.html"))
    assert len(pages) == 4
    for page in pages:
        assert str(page) in output
        assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")


def test_output_that_is_piped_is_plain(output: str) -> None:
    assert not set(output) & set("\x1b│╭─")


def test_the_subscribers_own_settings_and_state_are_left_alone(demo: Demo, output: str) -> None:
    assert list(demo.home.rglob("*")) == []
    assert [file.name for file in demo.cwd.iterdir()] == ["digest.toml"]
    assert "precious" not in output


def test_no_server_is_left_behind(demo: Demo, output: str) -> None:
    config = tomllib.loads((demo.folder / "digest.toml").read_text(encoding="utf-8"))
    port = int(re.search(r":(\d+)/", config["arxiv"]["api_url"])[1])  # type: ignore[index]
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))


def test_a_folder_that_is_in_use_is_refused_and_left_as_it_is(demo: Demo, output: str) -> None:
    before = sorted(demo.folder.rglob("*"))
    done = demo.run("--into", str(demo.folder))
    assert done.returncode == 2
    assert "is not empty" in unframed(done.stderr)
    assert sorted(demo.folder.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_refused(demo: Demo) -> None:
    done = demo.run("--into", "/dev/null/demo")
    assert done.returncode == 2
    assert "cannot be used" in unframed(done.stderr)
    assert "Traceback" not in done.stderr


def test_without_a_folder_it_makes_a_temporary_one(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    done = demo.run()
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("arxiv-digest-demo-*")
    assert str(folder) in done.stdout
    assert len(mails(folder)) == 4
