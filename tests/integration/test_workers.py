"""Several worker processes do what one does: they compose and send, and decide together.

A worker that dies loses nothing, and one that hangs is not waited for.
"""

import asyncio
import errno
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import StateError
from digest.mail.links import links_for
from digest.mail.message import SenderIdentity
from digest.mail.smtp.session import SmtpServer, SmtpTransport
from digest.pipeline import coordinator as coordinator_module
from digest.pipeline.deliver import Composing, DeliveryReport, deliver
from digest.pipeline.plan import Plan
from digest.service import worker_pool
from digest.service.mail_setup import WriterSetup, build_writer
from digest.service.worker_pool import WorkerPool, shared_out, worker_count
from digest.storage.factory import is_at_work, open_alone
from digest.storage.rate_limit import UNLIMITED, Limits
from digest.storage.sqlite.store import SqliteStore
from digest.subscribers.subscriber import Subscriber
from tests.factories import make_subscriber
from tests.integration.mail_server import Answer, Do, MailServer, serving
from tests.processes import started_here
from tests.stores import LONG_AGO, NOW, found, outbox_of, record
from tests.waiting import LIMIT, until_true

GONE = "550 5.1.1 no such user"
QUOTA = "550 5.4.5 daily sending limit exceeded"
WRITER_SETUP = WriterSetup(
    sender_identity=SenderIdentity(sender="digest@example.org", contact="library@example.org"),
    base_url="https://d.example.org",
)


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator_module, "MANY", 1)
    monkeypatch.setattr(coordinator_module, "_BATCH", 5)


def addresses(count: int, domain: str = "example.org") -> list[str]:
    return [f"reader{number}@{domain}" for number in range(count)]


def with_papers(store: SqliteStore, count: int) -> list[Subscriber]:
    """Subscribers who have something new, and no digest yet."""
    subscribers = [make_subscriber(email, "tea") for email in addresses(count)]
    store.enrol(subscribers, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), covered=("tea",))
    return subscribers


class Mailing:
    """One mailing, by `count` workers over `connections` connections."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.store = store
        self.state = folder / "digest.db"
        self.count, self.connections = 2, 4
        self.limits = UNLIMITED
        self.subscribers: list[Subscriber] = []
        self.stop = asyncio.Event()
        self.pool: WorkerPool | None = None
        self.timeout = timedelta(seconds=LIMIT)

    async def send(
        self, server: MailServer, notice: Callable[[DeliveryReport], None] = lambda report: None
    ) -> DeliveryReport:
        transport = SmtpTransport(
            SmtpServer(
                host="127.0.0.1",
                port=server.port,
                security="none",
                connections=self.connections,
                timeout=self.timeout,
            )
        )
        pool = WorkerPool(
            count=self.count,
            state=self.state,
            transport=transport,
            writer_setup=WRITER_SETUP,
            limits=self.limits,
        )
        composing = None
        if self.subscribers:
            plan = Plan(self.store, self.subscribers, lambda *_: NOW)
            composing = Composing(plan=plan, backlog_since=LONG_AGO)
        async with asyncio.timeout(LIMIT):
            return await deliver(
                self.store,
                transport,
                build_writer(WRITER_SETUP, links_for(WRITER_SETUP.base_url, self.store)),
                lambda: NOW,
                composing=composing,
                limits=self.limits,
                start_workers=pool,
                stop=self.stop,
                notice=notice,
            )


@pytest.fixture
def mailing(store: SqliteStore, tmp_path: Path) -> Mailing:
    return Mailing(store, tmp_path)


def recipients(server: MailServer) -> Counter[str]:
    return Counter(mail.recipient for mail in server.accepted)


def workers_of(state: Path) -> set[int]:
    """The worker processes that have this state open, also those that another worker made."""
    found = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return {pid for pid in found if pid != os.getpid() and _has_open(pid, state)}


def _has_open(pid: int, state: Path) -> bool:
    try:
        return any(one.readlink() == state for one in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


async def test_they_compose_and_send_everything_once(mailing: Mailing) -> None:
    mailing.subscribers = with_papers(mailing.store, 40)
    async with serving(MailServer()) as server:
        report = await mailing.send(server)
    assert (report.composed.composed, report.sent, report.errors, report.notes) == (40, 40, [], [])
    assert recipients(server) == Counter(addresses(40))
    assert mailing.store.waiting() == 0


async def test_their_mails_are_those_of_one_process(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(6))
    async with serving(MailServer()) as server:
        await mailing.send(server)
    write = build_writer(WRITER_SETUP, links_for(WRITER_SETUP.base_url, mailing.store))
    theirs = {mail.recipient: mail.message for mail in server.accepted}
    mailing.store._connection._db.execute("UPDATE mailing SET state = 'pending', due_at = planned_at")
    ours = mailing.store.claim(now=NOW, until=NOW, limit=10)
    assert theirs == {one.digest.email: write(one).message for one in ours}


async def test_the_first_mail_leaves_before_the_last_digest_is_composed(mailing: Mailing) -> None:
    mailing.subscribers = with_papers(mailing.store, 400)
    composed: list[int] = []
    async with serving(MailServer()) as server:
        await mailing.send(server, lambda report: composed.append(report.composed.composed))
    assert composed[0] < 400


async def test_waiting_mailings_are_not_sent_before_a_new_digest_may_merge_them(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(20))
    record(mailing.store, found("2606.00002", "tea"), covered=("tea",))
    mailing.subscribers = [make_subscriber(email, "tea") for email in addresses(20)]
    async with serving(MailServer()) as server:
        report = await mailing.send(server)
    assert (report.sent, recipients(server)) == (20, Counter(addresses(20)))


async def test_a_server_that_calls_everybody_dead_stops_all_workers(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(60))
    async with serving(MailServer(answers={"RCPT": GONE})) as server:
        report = await mailing.send(server)
    assert report.is_server_down
    assert mailing.store.suppressions() == ()
    assert 8 <= sum(line.startswith("RCPT") for line in server.commands) <= 8 + mailing.connections
    assert len(mailing.store.claim(now=NOW + timedelta(hours=2), until=NOW, limit=99)) == 60


async def test_a_domain_that_is_routed_wrongly_is_stopped_in_all_workers(mailing: Mailing) -> None:
    wrong = addresses(50, "lab.example")
    outbox_of(mailing.store, *(one for pair in zip(wrong, addresses(50), strict=True) for one in pair))
    answers: dict[str, Answer] = {f"RCPT {one}": GONE for one in wrong}
    async with serving(MailServer(answers=answers)) as server:
        report = await mailing.send(server)
    tried = sum(line.startswith("RCPT") and "lab.example" in line for line in server.commands)
    assert recipients(server) == Counter(addresses(50))
    assert 8 <= tried <= 8 + mailing.connections
    assert (report.sent, report.is_server_down, mailing.store.suppressions()) == (50, False, ())
    assert "lab.example" in report.brakes[0]


async def test_dead_addresses_are_told_from_the_mails_of_all_workers(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(40))
    dead = ("reader7@example.org", "reader23@example.org")
    async with serving(MailServer(answers={f"RCPT {one}": GONE for one in dead})) as server:
        report = await mailing.send(server)
    assert (report.sent, report.suppressed) == (38, 2)
    assert {one.email for one in mailing.store.suppressions()} == set(dead)


async def test_recipients_who_are_not_served_are_tried_by_any_worker_and_keep_nobody_waiting(
    mailing: Mailing,
) -> None:
    refused, others = addresses(60)[:20], addresses(60)[20:]
    outbox_of(mailing.store, *addresses(60))
    answers: dict[str, Answer] = {f"RCPT {one}": "530 SMTP authentication is required." for one in refused}
    async with serving(MailServer(answers=answers)) as server:
        report = await mailing.send(server)
    assert recipients(server) == Counter(others)
    assert (report.sent, report.deferred, report.is_server_down) == (40, 20, False)
    assert {one.attempts for one in mailing.store.troubled(limit=99)} == {1}


async def test_a_server_that_serves_nobody_stops_all_workers(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(200))
    async with serving(MailServer(answers={"RCPT": "530 SMTP authentication is required."})) as server:
        report = await mailing.send(server)
    assert (report.sent, report.is_server_down, report.is_doubtful) == (0, True, False)
    assert {one.attempts for one in mailing.store.troubled(limit=299)} == {0}
    assert len([one for one in server.commands if one.startswith("RCPT")]) <= 30 + 4, (
        "one for each connection"
    )


async def test_recipients_with_a_quota_of_their_own_wait_alone_whatever_worker_tries_them(
    mailing: Mailing,
) -> None:
    full, others = addresses(60)[::15], [one for one in addresses(60) if one not in addresses(60)[::15]]
    outbox_of(mailing.store, *addresses(60))
    async with serving(MailServer(answers=dict.fromkeys([f"RCPT {one}" for one in full], QUOTA))) as server:
        report = await mailing.send(server)
    assert recipients(server) == Counter(others)
    assert (report.sent, report.limited_until, report.is_server_down) == (56, None, False)
    assert mailing.store.waiting() == 4
    assert {one.attempts for one in mailing.store.troubled(limit=99)} == {0}


async def test_the_quota_of_the_provider_ends_all_workers(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(60))
    answers = {"DATA": ["354 go on"] * 10 + [QUOTA] * 99}
    async with serving(MailServer(answers=answers)) as server:
        report = await mailing.send(server)
    assert report.sent == 10
    assert report.limited_until
    assert not report.is_server_down
    # A worker says of its accepted mails a moment later, so the three in a row may begin once more.
    assert sum(line == "DATA" for line in server.commands) <= 10 + 2 * mailing.connections


async def test_a_server_that_is_down_is_told_once_and_nobody_is_blamed(mailing: Mailing) -> None:
    mailing.subscribers = with_papers(mailing.store, 30)
    async with serving(MailServer(answers={"GREETING": "554 no service"})) as server:
        report = await mailing.send(server)
    assert (report.is_server_down, report.sent, len(report.errors)) == (True, 0, 1)
    assert report.composed.composed == 30, "they wait for the server"
    assert mailing.store.waiting() == 30


async def test_a_server_that_takes_few_connections_gets_all_mails_over_those(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(60))
    greetings = ["220 hello", *["421 too many connections"] * 3]
    async with serving(MailServer(answers={"GREETING": greetings})) as server:
        report = await mailing.send(server)
    assert (report.sent, report.is_server_down) == (60, False)
    assert recipients(server) == Counter(addresses(60))


async def test_the_limit_of_a_day_holds_over_all_workers(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(30))
    mailing.limits = Limits(per_day=12)
    async with serving(MailServer()) as server:
        report = await mailing.send(server)
    assert (report.sent, len(server.accepted)) == (12, 12)
    assert report.limited_until
    assert report.notes == [
        f"daily limit (12) reached; 18 mails wait until {report.limited_until:%Y-%m-%d %H:%M %Z}"
    ]


async def test_a_stop_finishes_the_current_mails_in_every_worker(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(200))

    def stop(report: DeliveryReport) -> None:
        if report.sent >= 5:
            mailing.stop.set()

    async with serving(MailServer()) as server:
        report = await mailing.send(server, stop)
    assert 5 <= report.sent < 200
    assert report.sent == len(server.accepted), "what was accepted is recorded"
    assert mailing.store.waiting() == 200 - report.sent
    assert mailing.store.reclaim(now=NOW, latest=NOW + timedelta(days=1)) == 0


@pytest.mark.parametrize("killed", [1, 2])
async def test_what_a_killed_worker_held_is_sent_by_the_others(mailing: Mailing, killed: int) -> None:
    """If no other is left, by the coordinator itself."""
    mailing.subscribers = with_papers(mailing.store, 150)
    victims: list[int] = []

    def kill(report: DeliveryReport) -> None:
        if report.sent >= 5 and not victims:
            until_true(lambda: len(workers_of(mailing.state)) == mailing.count)
            victims.extend(sorted(workers_of(mailing.state))[-killed:])
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

    async with serving(MailServer()) as server:
        report = await mailing.send(server, kill)
    assert len(victims) == killed
    assert (
        report.notes == ["a worker process ended early, and the others did its work: it has ended"] * killed
    )
    copies = {mail.message for mail in server.accepted}
    assert len(copies) == 150, "a mail that comes twice is the same mail"
    assert set(recipients(server)) == set(addresses(150))
    assert len(server.accepted) <= 150 + mailing.connections
    assert mailing.store.waiting() == 0


async def test_a_key_pressed_in_a_terminal_reaches_no_worker(mailing: Mailing) -> None:
    """Ctrl-C is for the whole group. While a worker still begins, it would end with a traceback."""
    outbox_of(mailing.store, *addresses(60))
    groups: set[int] = set()

    def look(report: DeliveryReport) -> None:
        groups.update(os.getpgid(pid) for pid in workers_of(mailing.state))

    async with serving(MailServer()) as server:
        await mailing.send(server, look)
    assert groups
    assert os.getpgid(0) not in groups


async def test_workers_that_never_begin_are_killed(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stuck = tmp_path / "stuck"
    stuck.write_text("#!/bin/sh\nsleep 600\n")
    stuck.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stuck))
    monkeypatch.setattr(worker_pool, "PATIENCE", 1.0)
    outbox_of(mailing.store, *addresses(60))
    async with serving(MailServer()) as server:
        report = await mailing.send(server)
    assert "it does not answer" in report.notes[0]
    assert set(recipients(server)) == set(addresses(60))


async def test_a_worker_that_hangs_is_killed(mailing: Mailing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "PATIENCE", 16.0)  # the other one says every 5 s that it is alive
    outbox_of(mailing.store, *addresses(60))
    stopped: list[int] = []

    def freeze(report: DeliveryReport) -> None:
        if not stopped:
            stopped.append(max(workers_of(mailing.state)))
            os.kill(stopped[0], signal.SIGSTOP)

    async with serving(MailServer()) as server:
        report = await mailing.send(server, freeze)
    assert "it does not answer" in report.notes[0]
    assert set(recipients(server)) == set(addresses(60))
    assert mailing.store.waiting() == 0


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
async def test_this_process_sends_where_no_other_can_be_had(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    mailing.subscribers = with_papers(mailing.store, 7)
    monkeypatch.setattr(sys, "executable", python)
    async with serving(MailServer()) as server:
        report = await mailing.send(server)
    assert (report.composed.composed, report.sent, report.errors) == (7, 7, [])
    assert report.notes


async def test_fewer_workers_do_it_where_the_system_allows_no_more(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os\ndef fork(): raise BlockingIOError(11, 'no more')\nos.fork = fork\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    mailing.subscribers = with_papers(mailing.store, 40)
    by_workers: set[int] = set()
    async with serving(MailServer()) as server:
        report = await mailing.send(server, lambda report: by_workers.update(workers_of(mailing.state)))
    assert (report.sent, report.errors) == (40, [])
    assert report.notes == [
        "a worker process ended early, and the others did its work: it cannot be started: [Errno 11] no more"
    ]
    assert len(by_workers) == 1


async def test_this_process_sends_where_files_are_too_few_for_workers(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailing.subscribers = with_papers(mailing.store, 7)
    pairs = [socket.socketpair()]

    def few() -> tuple[socket.socket, socket.socket]:
        if pairs:
            return pairs.pop()
        raise OSError(errno.EMFILE, "Too many open files")

    async with serving(MailServer()) as server:
        with monkeypatch.context() as patched:
            patched.setattr(socket, "socketpair", few)
            report = await mailing.send(server)
    assert (report.sent, report.errors) == (7, [])
    assert "no worker could be started: it cannot be started: [Errno 24] Too many" in report.notes[0]


async def test_an_error_of_the_state_ends_all_and_is_raised(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(200))
    told: list[DeliveryReport] = []

    def destroy(report: DeliveryReport) -> None:
        told.append(report)
        if len(told) == 1:
            mailing.store._connection._db.execute("ALTER TABLE mailing RENAME COLUMN claimed_by TO gone")

    async with serving(MailServer()) as server:
        with pytest.raises(StateError, match="no such column"):
            await mailing.send(server, destroy)


async def test_few_mails_need_no_worker(mailing: Mailing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator_module, "MANY", 8)
    mailing.subscribers = with_papers(mailing.store, 7)
    seen: set[int] = set()
    async with serving(MailServer()) as server:
        report = await mailing.send(server, lambda report: seen.update(workers_of(mailing.state)))
    assert (report.sent, seen) == (7, set())


@pytest.mark.usefixtures("_strange_folder")
async def test_they_look_for_no_modules_in_the_current_folder(mailing: Mailing) -> None:
    outbox_of(mailing.store, *addresses(6))
    async with serving(MailServer()) as server:
        report = await mailing.send(server)
    assert (report.sent, report.notes) == (6, [])


@pytest.fixture
def _strange_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jinja2.py").write_text("raise SystemExit('not the one that is installed')\n")
    monkeypatch.chdir(tmp_path)


def test_sessions_are_shared_out() -> None:
    assert shared_out(20, 2) == [10, 10]
    assert shared_out(5, 3) == [1, 2, 2]


def test_there_are_no_more_workers_than_connections() -> None:
    transport = SmtpTransport(SmtpServer(host="127.0.0.1", port=25, security="none", connections=3))
    assert worker_count(8, transport) == 3
    assert worker_count(2, transport) == 2
    assert worker_count(None, transport) in {1, 2, 3}


_FEW_ARE_MANY = (
    "from digest.pipeline import coordinator\ncoordinator.MANY = 1\nfrom digest.cli import main\nmain()\n"
)


def run_command(folder: Path, server: MailServer) -> tuple[tuple[str, ...], dict[str, str]]:
    """`digest run` with two workers, and its environment. There is no arXiv: it sends what waits."""
    subscribers = "".join(f'[[subscriber]]\nemail = "{one}"\nkeywords = ["tea"]\n' for one in addresses(200))
    (folder / "subscribers.toml").write_text(subscribers)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DIGEST_STATE": str(folder / "digest.db"),
        "DIGEST_SUBSCRIBERS": str(folder / "subscribers.toml"),
        "DIGEST_ARXIV__API_URL": "http://127.0.0.1:9/api/query",
        "DIGEST_ARXIV__OAI_URL": "http://127.0.0.1:9/oai",
        "DIGEST_ARXIV__FEED_URL": "http://127.0.0.1:9/atom",
        "DIGEST_ARXIV__RETRY_PAUSE": "0",
        "DIGEST_SMTP__HOST": "127.0.0.1",
        "DIGEST_SMTP__PORT": str(server.port),
        "DIGEST_SMTP__SECURITY": "none",
        "DIGEST_SMTP__CONNECTIONS": "2",
        "DIGEST_DELIVERY__WORKERS": "2",
    }
    return (sys.executable, "-c", _FEW_ARE_MANY, "run", "--now", NOW.isoformat()), environ


async def until(has_come: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not has_come():
            await asyncio.sleep(0.01)


async def test_the_next_run_waits_for_the_workers_of_one_that_was_killed(
    store: SqliteStore, tmp_path: Path
) -> None:
    outbox_of(store, *addresses(200))
    store.close()
    state = tmp_path / "digest.db"
    async with serving(MailServer(answers={"DOT": Do.HANG})) as server:
        command, environ = run_command(tmp_path, server)
        async with started_here(*command, env=environ, cwd=tmp_path) as run:
            await until(lambda: server.commands.count("DATA") == 2)
            workers = workers_of(state) - {run.pid}
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)  # else they end within seconds, seen or not
            try:
                os.kill(run.pid, signal.SIGKILL)
                await run.wait()
                assert is_at_work(state), "its workers hold the lock"
            finally:
                for pid in workers:
                    os.kill(pid, signal.SIGCONT)
            await asyncio.to_thread(_hold_for_a_moment, state)
            assert workers_of(state) == set()


def _hold_for_a_moment(state: Path) -> None:
    with open_alone(state):
        pass


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_all_processes_lets_them_finish_the_current_mails(
    store: SqliteStore, tmp_path: Path, stop: signal.Signals
) -> None:
    """As systemd sends it: to the whole service."""
    outbox_of(store, *addresses(200))
    async with serving(MailServer(seconds_per_byte=0.001)) as server:
        command, environ = run_command(tmp_path, server)
        run_here = started_here(
            *command, env=environ, cwd=tmp_path, start_new_session=True, stdout=PIPE, stderr=PIPE
        )
        async with run_here as run:
            await until(lambda: len(server.accepted) >= 5)
            for pid in {run.pid} | workers_of(tmp_path / "digest.db"):
                os.kill(pid, stop)
            async with asyncio.timeout(LIMIT):
                _, said = await run.communicate()
    assert b"stopping after the current mails" in said
    assert run.returncode == 130
    assert 5 <= len(server.accepted) < 200
    assert store.waiting() == 200 - len(server.accepted), "what was accepted is recorded"
    assert store.reclaim(now=NOW, latest=NOW + timedelta(days=1)) == 0


async def test_the_password_is_in_no_argument_and_no_environment(store: SqliteStore, tmp_path: Path) -> None:
    outbox_of(store, *addresses(200))
    extensions = ("AUTH PLAIN LOGIN",)
    async with serving(MailServer(answers={"DOT": Do.HANG}, extensions=extensions)) as server:
        command, environ = run_command(tmp_path, server)
        environ |= {"DIGEST_SMTP__USERNAME": "me", "DIGEST_SMTP__PASSWORD": "sesame-open"}
        async with started_here(*command, env=environ, cwd=tmp_path) as run:
            await until(lambda: server.commands.count("DATA") == 2)
            workers = workers_of(tmp_path / "digest.db") - {run.pid}
            seen = [
                (Path(f"/proc/{pid}") / name).read_bytes()
                for pid in workers
                for name in ("cmdline", "environ")
            ]
    assert len(workers) == 2
    assert any(line.startswith("AUTH") for line in server.commands)
    assert not [text for text in seen if b"sesame" in text]
