"""The second process, which claims mailings and writes their messages while the first one sends.

Python uses one core a process, and writing takes as long as sending. `digest.service.worker_pool` begins it,
and tells how the two speak. What it imports is all that it waits for at its beginning.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from digest.config.memory import collect_rarely, keep_what_is_there, trim_heap
from digest.errors import StateError
from digest.mail.links import links_for
from digest.mail.message import SenderIdentity
from digest.pipeline.render_queue import RenderedMessage, Write, draft
from digest.service.mail_setup import WriterSetup, build_writer
from digest.storage.factory import open_store
from digest.storage.pipeline_stores import RenderStore

_BETWEEN_TRIMS = 100
"""Answers of some dozens of mails, in which what is kept is exchanged and leaves gaps: 5 MB of 76."""


def main() -> None:
    """Answers each line of standard input, until that ends."""
    # The first process is told to stop, and lets its worker go.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # a service may be forbidden it
        os.nice(10)  # what is written waits to be sent: sending goes first
    told = json.loads(sys.argv[1])
    writer_setup = WriterSetup(
        sender_identity=SenderIdentity(**told["sender_identity"]),
        templates=Path(told["templates"]) if told["templates"] else None,
        base_url=told["base_url"],
    )
    with os.fdopen(told["buffer"], "wb") as buffer, open_store(Path(told["state"])) as store:
        write = build_writer(writer_setup, links_for(writer_setup.base_url, store))
        collect_rarely()
        keep_what_is_there()
        for answered, line in enumerate(sys.stdin.buffer, start=1):
            answer = _answer(store, write, line, buffer)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            if answered % _BETWEEN_TRIMS == 0:
                trim_heap()
    os._exit(0)  # what it remembers is large, and need not be given back piece by piece


def _answer(store: RenderStore, write: Write, line: bytes, buffer: IO[bytes]) -> dict[str, Any]:
    """What is told of the drafts, whose messages are on the shared buffer then."""
    now, until, limit = json.loads(line)
    try:
        drafts = draft(
            store, write, now=datetime.fromisoformat(now), until=datetime.fromisoformat(until), limit=limit
        )
    except StateError as error:
        return {"error": error.reason, "is_passing": error.is_passing}
    buffer.seek(0)
    buffer.writelines(one.outgoing.message for one in drafts if one.outgoing)
    buffer.flush()
    return {"drafts": [_told(one) for one in drafts]}


def _told(one: RenderedMessage) -> dict[str, Any]:
    outgoing = one.outgoing
    return {
        "number": one.number,
        "token": one.token,
        "attempts": one.attempts,
        "email": one.email,
        "failure": one.failure,
        "sender": outgoing and outgoing.sender,
        "recipient": outgoing and outgoing.recipient,
        "size": len(outgoing.message) if outgoing else None,
    }


if __name__ == "__main__":
    main()
