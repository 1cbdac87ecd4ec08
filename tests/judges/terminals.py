"""What a terminal shows of a mail: its HTML in lynx and w3m, its text in neomutt."""

import os
import pty
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.judges.correspondence import Mail
from tests.processes import started
from tests.terminals import shown_on
from tests.waiting import LIMIT

_OPTIONS = {
    "lynx": "-dump -nolist -assume_charset=utf-8 -display_charset=utf-8 -width=80",
    "w3m": "-dump -T text/html -I UTF-8 -O UTF-8 -cols 80",
}

# It pipes what it displays and ends: nobody presses keys, and no terminal has to be read.
_NEOMUTT = """
set folder = {folder}
set header_cache = ""
set pipe_decode = yes
set wait_key = no
ignore *
unignore from to subject date
push "<pipe-message>cat > {shown}<enter><exit>"
"""


def html_in(program: str, mail: Mail) -> str:
    """The HTML as `lynx` or `w3m` shows it, 80 columns wide."""
    with TemporaryDirectory() as folder:
        page = Path(folder) / "mail.html"
        page.write_text(mail.part("html"), encoding="utf-8")
        return _ran([program, *_OPTIONS[program].split(), str(page)], folder)


def _ran(command: list[str], home: str) -> str:
    done = subprocess.run(
        command,
        env={"HOME": home, "LANG": "C.UTF-8", "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout.decode()


def text_in_neomutt(mail: Mail) -> str:
    """Headers and text as neomutt shows them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mail").write_bytes(b"From digest Thu Jan  1 00:00:00 1970\n" + mail.content)
        (folder / "rc").write_text(_NEOMUTT.format(folder=folder, shown=folder / "shown"))
        _in_terminal(["neomutt", "-n", "-R", "-F", str(folder / "rc"), "-f", str(folder / "mail")], name)
        return (folder / "shown").read_text(encoding="utf-8")


def _in_terminal(command: list[str], home: str) -> None:
    """Runs what wants a terminal in one that nobody looks at."""
    ours, theirs = pty.openpty()
    environ = {"HOME": home, "LANG": "C.UTF-8", "TERM": "xterm", "PATH": os.environ["PATH"]}
    with started(*command, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        for _ in shown_on(ours):
            pass
        os.close(ours)
        process.wait(timeout=LIMIT)
