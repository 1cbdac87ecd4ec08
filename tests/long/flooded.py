"""An installation that long tests flood: subscribers with a time each, an arXiv and a mail server here."""

import os
from datetime import datetime
from pathlib import Path

from digest.demo.arxiv import LocalArxiv
from tests.integration.mail_server import MailServer

ROOT = Path(__file__).parents[2]


def configure(
    folder: Path, arxiv: LocalArxiv, post: MailServer, due: dict[str, datetime], *, web: str = ""
) -> dict[str, str]:
    """Writes the files, and returns the environment of its processes. `web`: more lines of `[web]`."""
    (folder / "digest.toml").write_text(
        f"""
        [web]
        base_url = "https://digest.example.org"
        listen = "127.0.0.1:0"
        {web}
        [arxiv]
        contact = "lab@example.org"
        api_url = "{arxiv.url}"
        request_interval = 0
        [smtp]
        host = "127.0.0.1"
        port = {post.port}
        security = "none"
        sender = "digest@example.org"
        """
    )
    (folder / "subscribers.toml").write_text(
        "".join(
            f'[[subscriber]]\nemail = "{email}"\nkeywords = ["tea"]\nat = "{at:%H:%M}"\ntimezone = "UTC"\n'
            for email, at in due.items()
        )
    )
    return {
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DIGEST_STATE": str(folder / "digest.db"),
    }
