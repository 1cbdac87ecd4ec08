"""The render worker: a second process that claims mailings and writes their messages.

Meanwhile the first process sends. Python uses one core per process, and writing takes as long as sending.
`digest.service.worker_pool` starts the worker and describes the protocol. Its start takes as long as its
imports: keep them few.
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
"""The number of answers, of some dozens of mails each, between two trims of the heap.

Cached papers are replaced all the time, which fragments the heap: 5 MB of 76.
"""


def main() -> None:
    """Answers each line of standard input until its end."""
    # The first process handles the signals, and then ends its worker.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(10)  # sending has priority over writing
    setup = json.loads(sys.argv[1])
    writer_setup = WriterSetup(
        sender_identity=SenderIdentity(**setup["sender_identity"]),
        templates=Path(setup["templates"]) if setup["templates"] else None,
        base_url=setup["base_url"],
    )
    with os.fdopen(setup["buffer"], "wb") as buffer, open_store(Path(setup["state"])) as store:
        write = build_writer(writer_setup, links_for(writer_setup.base_url, store))
        collect_rarely()
        keep_what_is_there()
        for answered, line in enumerate(sys.stdin.buffer, start=1):
            answer = _answer(store, write, line, buffer)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            if answered % _BETWEEN_TRIMS == 0:
                trim_heap()
    os._exit(0)  # skips freeing the large caches object by object


def _answer(store: RenderStore, write: Write, line: bytes, buffer: IO[bytes]) -> dict[str, Any]:
    """Writes the messages to the shared buffer, and returns their descriptions."""
    now, until, limit = json.loads(line)
    try:
        rendered = draft(
            store, write, now=datetime.fromisoformat(now), until=datetime.fromisoformat(until), limit=limit
        )
    except StateError as error:
        return {"error": error.reason, "is_passing": error.is_passing}
    buffer.seek(0)
    buffer.writelines(one.outgoing.message for one in rendered if one.outgoing)
    buffer.flush()
    return {"drafts": [_described(one) for one in rendered]}


def _described(one: RenderedMessage) -> dict[str, Any]:
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
