"""The ways beside the daemon's unit that docs/service.md shows: the timer, and no systemd at all."""

from collections.abc import Iterator

import pytest

from tests.systemd.service import ADA, BO, Service, documented, make_subscriber

pytestmark = pytest.mark.long

COMMAND = "/usr/local/sbin/arxiv-digest"


def test_the_timer_takes_the_place_of_the_daemon(service: Service) -> None:
    with service.in_town(make_subscriber(ADA)) as town:
        service.start()
        service.machine.shell(documented("timer"))
        assert service.show("ActiveState") == "inactive"
        listed = service.machine("systemctl", "list-timers", "--no-legend", "arxiv-digest-run.timer")
        assert "arxiv-digest-run.service" in listed
        service.machine("systemctl", "start", "arxiv-digest-run")
        assert town.mails_to(ADA) == 1
        service.machine("systemctl", "disable", "--now", "arxiv-digest-run.timer")
        service.machine("systemctl", "enable", "arxiv-digest")


@pytest.fixture
def by_hand(service: Service) -> Iterator[Service]:
    """The command for those without systemd is there, and gone afterwards with its user and state."""
    service.machine.shell(documented("by hand"))
    yield service
    service.machine.shell(f"userdel --remove arxiv-digest; rm {COMMAND}")


def test_cron_runs_a_cycle_and_says_nothing(by_hand: Service) -> None:
    *_, user, command = documented("cron").strip().split(maxsplit=6)
    with by_hand.in_town(make_subscriber(ADA)) as town:
        # All that cron gives a job, crontab(5).
        environ = ("env", "-i", "SHELL=/bin/sh", "PATH=/usr/bin:/bin", "HOME=/root", f"LOGNAME={user}")
        for _ in range(3):
            done = by_hand.machine.attempt(*environ, "/bin/sh", "-c", command)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert town.mails_to(ADA) == 1
        owners = by_hand.machine("find", "/var/lib/arxiv-digest", "-printf", r"%u\n").split()
    assert set(owners) == {"arxiv-digest"}


def test_a_supervisor_can_run_the_daemon_in_the_foreground(by_hand: Service) -> None:
    supervised = Service(machine=by_hand.machine, unit="supervised.service")
    with by_hand.in_town(make_subscriber(ADA)):
        by_hand.machine("systemd-run", "--quiet", f"--unit={supervised.unit}", COMMAND, "daemon")
        supervised.wait_for("ready subscribers=1 transport=smtp")
        by_hand.write("subscribers.toml", make_subscriber(ADA), make_subscriber(BO))
        by_hand.machine("systemctl", "kill", "--signal=HUP", supervised.unit)
        supervised.wait_for("reloaded subscribers=2", 5)
        by_hand.machine("systemctl", "stop", supervised.unit)
    assert "Deactivated successfully" in supervised.journal
