"""The service does under a real systemd what units and documentation promise."""

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.mail_server import Do
from tests.systemd.machine import Machine, wait_until
from tests.systemd.service import ADA, BO, Service, documented, make_subscriber, next_minute
from tests.systemd.town import PASSWORD, USERNAME

pytestmark = pytest.mark.long

STATE = "/var/lib/private/arxiv-digest"
DYNAMIC_USERS = range(61184, 65520)  # systemd.exec(5), DynamicUser=
FETCHED = "asking arXiv next at="


def status_of(machine: Machine, pid: str) -> dict[str, str]:
    """/proc/PID/status of a process by its number inside."""
    lines = machine("cat", f"/proc/{pid}/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


# Starting, and what the service may do.


def test_it_starts_with_the_machine_and_is_active_once_it_is_ready(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)):
        service.start()
        assert "ready subscribers=1 transport=smtp" in service.journal
        assert (service.show("ActiveState"), service.show("SubState")) == ("active", "running")
        service.wait_for(FETCHED)
        assert service.show("StatusText").startswith("1 subscriber, asking arXiv next at")
        assert service.show("UnitFileState") == "enabled"


def test_its_process_has_a_user_of_its_own_and_no_rights(service: Service) -> None:
    with service.in_town():
        service.start()
        status = status_of(service.machine, service.show("MainPID"))
    assert {int(number) for number in status["Uid"].split()} <= set(DYNAMIC_USERS)
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize("unit", ["arxiv-digest", "arxiv-digest-run"])
def test_the_live_unit_is_exposed_by_at_most_one_point_three(service: Service, unit: str) -> None:
    with service.in_town():
        service.start()
        said = service.machine("systemd-analyze", "security", "--no-pager", f"{unit}.service")
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", said)
    assert found, said
    assert float(found[1]) <= 1.3


def test_a_mistake_in_the_files_is_named_and_not_tried_again(service: Service) -> None:
    service.write("digest.toml", "[smtp]\nprot = 587\n")
    service.add("RestartSec=100ms")
    assert service.machine.attempt("systemctl", "start", "arxiv-digest").returncode != 0
    time.sleep(1)
    assert (service.show("ActiveState"), service.show("ExecMainStatus")) == ("failed", "2")
    assert service.show("NRestarts") == "0"
    assert "smtp.prot" in service.journal


# State and secrets.


def test_the_state_is_kept_and_handed_over_whoever_owned_it(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)) as town:
        service.machine("systemctl", "start", "arxiv-digest-run")
        assert town.mails_to(ADA) == 1
        service.machine("chown", "-R", "root:root", STATE)
        service.start()
        user = status_of(service.machine, service.show("MainPID"))["Uid"].split()[0]
        owned = service.machine("find", STATE, "-printf", r"%U %m %f\n").splitlines()
        assert {line.split()[0] for line in owned} == {user}
        assert {f"{user} 700 arxiv-digest", f"{user} 600 digest.db"} <= set(owned)
        service.stop()
        service.machine("systemctl", "start", "arxiv-digest-run")
        assert town.mails_to(ADA) == 1


def test_a_state_that_was_lost_and_restored_knows_who_was_mailed(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)) as town:
        service.machine("systemctl", "start", "arxiv-digest-run")
        service.start()
        service.machine.shell(documented("backup"))
        service.reset()
        service.start()
        service.machine.shell(documented("restore"))
        service.stop()
        service.machine("systemctl", "start", "arxiv-digest-run")
        assert town.mails_to(ADA) == 1


def test_the_password_reaches_the_service_and_nobody_else(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)) as town:
        service.machine("systemctl", "start", "arxiv-digest-run")
        assert town.mails_to(ADA) == 1
        assert town.logins == {f"\0{USERNAME}\0{PASSWORD}"}
        service.start()
        pid = service.show("MainPID")
        user = status_of(service.machine, pid)["Uid"].split()[0]
        environ = service.machine("cat", f"/proc/{pid}/environ")
        password = "/etc/arxiv-digest/smtp-password"
        as_service = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "cat", password)
        refused = service.machine.attempt(*as_service)
    assert PASSWORD not in environ + service.journal
    assert "Permission denied" in refused.stderr


# Mail.


def test_a_mail_comes_at_the_set_time(service: Service) -> None:
    at = next_minute(after=timedelta(seconds=8))
    with service.in_town(make_subscriber(ADA, at)) as town:
        service.start()
        just_before = at - timedelta(seconds=0.5)
        wait_until(lambda: datetime.now(UTC) >= just_before, 100, "the set time")
        assert not town.mails_to(ADA)
        wait_until(lambda: town.mails_to(ADA), 6, "the mail")
        assert f"Date: {at:%a, %d %b %Y %H:%M:00} +0000".encode() in town.post.accepted[0].message


def test_after_a_sigkill_it_goes_on_and_repeats_no_mail(service: Service) -> None:
    at = next_minute(after=timedelta(seconds=8))
    service.add("RestartSec=1s")
    # The mail to Bo is under way when the process dies, that to Ada has arrived and is written down.
    with service.in_town(
        make_subscriber(ADA, at), make_subscriber(BO, at), answers={f"RCPT {BO}": [Do.HANG]}
    ) as town:
        service.start()
        killed = service.show("MainPID")
        wait_until(lambda: town.mails_to(ADA) and f"RCPT TO:<{BO}>" in town.post.commands, 100, "both mails")
        time.sleep(1)
        service.machine("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "arxiv-digest")
        wait_until(lambda: town.mails_to(BO), 30, "the mail that was under way")
        assert service.show("MainPID") not in {killed, "0"}
        assert (service.show("ActiveState"), service.show("NRestarts")) == ("active", "1")
        service.stop()
        service.machine("systemctl", "start", "arxiv-digest-run")
        assert (town.mails_to(ADA), town.mails_to(BO)) == (1, 1)


def test_a_thousand_mails_are_written_by_a_second_process_within_the_same_bounds(service: Service) -> None:
    addresses = [f"reader{number}@example.org" for number in range(1_000)]
    with service.in_town(*map(make_subscriber, addresses)) as town:
        service.machine("systemctl", "start", "arxiv-digest-run")
        assert all(town.mails_to(address) == 1 for address in addresses)
    told = service.machine("journalctl", "--quiet", "--output=cat", "--unit=arxiv-digest-run")
    assert "1,000 digests sent" in told
    assert "one process" not in told


# Signals.


def test_a_reload_rereads_the_files_at_once(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)):
        service.start()
        pid = service.show("MainPID")
        service.wait_for(FETCHED)
        service.write("subscribers.toml", make_subscriber(ADA), make_subscriber(BO))
        service.machine("systemctl", "reload", "arxiv-digest")
        service.wait_for("reloaded subscribers=2", 5)
        assert service.show("MainPID") == pid


def test_an_edit_is_noticed_by_itself_and_a_mistake_is_refused(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)):
        service.start()
        service.write("subscribers.toml", make_subscriber(ADA), "[[subscriber]]\nemial = 1\n")
        service.wait_for("reload refused", 25)
        assert "emial" in service.journal
        service.write("subscribers.toml", make_subscriber(ADA), make_subscriber(BO))
        service.machine("systemctl", "reload", "arxiv-digest")
        service.wait_for("reloaded subscribers=2", 5)
        assert (service.show("ActiveState"), service.show("NRestarts")) == ("active", "0")


def test_one_that_hangs_is_started_again_by_the_watchdog(service: Service) -> None:
    service.add("WatchdogSec=4s", "RestartSec=100ms")
    with service.in_town(make_subscriber(ADA)):
        service.start()
        service.wait_for(FETCHED)
        time.sleep(6)
        hung = service.show("MainPID")
        assert service.show("NRestarts") == "0"
        service.machine("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "arxiv-digest")
        wait_until(lambda: service.show("NRestarts") == "1", 20, "the restart")
        wait_until(lambda: service.show("ActiveState") == "active", 20, "being ready again")
        assert service.show("MainPID") != hung
        assert "Watchdog timeout" in service.journal


def test_it_stops_cleanly_and_soon(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)):
        service.start()
        service.wait_for(FETCHED)
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 5
    assert (service.show("ActiveState"), service.show("Result")) == ("inactive", "success")
    assert service.show("ExecMainStatus") == "0"
    assert "INFO digest.service.daemon: stopped" in service.journal


@pytest.mark.parametrize("form", ["text", "logfmt", "json"])
def test_the_journal_has_the_level_of_each_record_and_its_time_once(service: Service, form: str) -> None:
    with service.in_town(make_subscriber(ADA)):
        service.add(f"Environment=DIGEST_LOG__FORMAT={form}")
        service.start()
        service.wait_for("asking arXiv next")
        service.write("subscribers.toml", "[[subscriber]]\nemial = 1\n")
        service.machine("systemctl", "reload", "arxiv-digest")
        service.wait_for("reload refused", 25)
    shown = ("journalctl", "--quiet", "--output=json", f"--unit={service.unit}")
    records = [json.loads(line) for line in service.machine(*shown).splitlines()]
    ours = [one for one in records if "digest.service.daemon" in one["MESSAGE"]]
    levels = {one["PRIORITY"]: one["MESSAGE"] for one in ours}
    assert {*levels} == {"3", "6"}
    assert "reload refused" in levels["3"]
    assert not [said for one in ours if re.match(r"<|\d{4}-|time=|.\"time", said := one["MESSAGE"])]
    if form == "json":
        assert {json.loads(one["MESSAGE"])["level"] for one in ours} == {"error", "info"}
