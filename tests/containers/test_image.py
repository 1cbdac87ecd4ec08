"""The image of Containerfile keeps what docs/containers.md promises, under the limits of compose.yaml."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.containers.podman import IMAGE, Container
from tests.systemd.machine import wait_until
from tests.systemd.service import ADA
from tests.systemd.town import PASSWORD, USERNAME, Town, town_at

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

STATE = "/var/lib/arxiv-digest"
UID = "10001"


def settings(town: Town) -> dict[str, str]:
    return {
        "DIGEST_SUBSCRIBERS": "database",
        "DIGEST_ARXIV__CONTACT": "lab@example.org",
        "DIGEST_ARXIV__API_URL": town.arxiv.url,
        "DIGEST_ARXIV__REQUEST_INTERVAL": "0",
        "DIGEST_SMTP__HOST": "127.0.0.1",
        "DIGEST_SMTP__PORT": str(town.post.port),
        "DIGEST_SMTP__SECURITY": "none",
        "DIGEST_SMTP__USERNAME": USERNAME,
    }


def secret(tmp_path: Path) -> tuple[str, ...]:
    """As Compose gives one from a file: with the owner that the file has here."""
    path = tmp_path / "smtp-password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o444)
    return (f"{path}:/run/secrets/smtp-password:ro",)


def started(container: Container, environ: Mapping[str, str], *volumes: str) -> None:
    container.start(environ=environ, volumes=volumes)
    wait_until(lambda: "ready subscribers=" in container.log, 60, f"ready: {container.log}")


def health(container: Container) -> tuple[int, str]:
    done = container.attempt("digest", "status", "--health")
    return done.returncode, done.stdout


def test_a_fresh_container_is_healthy_and_has_no_rights(container: Container) -> None:
    started(container, {"DIGEST_SUBSCRIBERS": "database"})
    assert health(container) == (0, "the service works\n")
    lines = container("cat", "/proc/1/status").splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    assert set(status["Uid"]) == set(status["Gid"]) == {UID}
    assert {int(status[name][0], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == ["1"]
    for path in ("/etc/arxiv-digest/digest.toml", "/opt/arxiv-digest/x", "/x"):
        assert "Read-only file system" in container.attempt("touch", path).stderr
    kept = container("find", STATE, "-type", "f", "-printf", "%f %U %m\n").splitlines()
    assert {line.split()[1] for line in kept} == {UID}
    assert f"digest.db {UID} 600" in kept


def test_it_mails_with_settings_from_the_environment_and_a_password_from_a_file(
    container: Container, tmp_path: Path
) -> None:
    with town_at(os.getpid(), {}) as town:
        started(container, settings(town), *secret(tmp_path))
        due = (datetime.now(UTC) + timedelta(seconds=20)).replace(second=0) + timedelta(minutes=1)
        container("digest", "subscribe", ADA, "-k", "tea", "--at", f"{due:%H:%M}", "--timezone", "UTC")
        wait_until(lambda: town.mails_to(ADA) == 1, 180, f"a mail: {container.log}")
        assert town.logins == {f"\0{USERNAME}\0{PASSWORD}"}
        assert PASSWORD not in container.log
        assert container.stop() == 0
        container.podman("start", container.name)
        wait_until(lambda: container.log.count("ready subscribers=1") >= 1, 60, "it starts again")
        assert health(container) == (0, "the service works\n")
        assert town.mails_to(ADA) == 1


def test_it_stops_at_once_and_ends_with_zero(container: Container) -> None:
    started(container, {"DIGEST_SUBSCRIBERS": "database"})
    before = datetime.now(UTC)
    assert container.stop() == 0
    assert datetime.now(UTC) - before < timedelta(seconds=25), "it had to be killed"
    assert container.log.rstrip().endswith("stopped")


def test_it_stops_while_it_waits_for_its_state(container: Container) -> None:
    holder = Container(podman=container.podman, name=f"{container.name}-2")
    try:
        environ = {"DIGEST_SUBSCRIBERS": "database"}
        holder.start(environ=environ, volumes=(f"{holder.name}:{STATE}",))
        wait_until(lambda: "ready subscribers=" in holder.log, 60, "the first daemon")
        container.start(environ=environ, volumes=(f"{holder.name}:{STATE}",))
        wait_until(lambda: "waiting, trying again" in container.log, 60, container.log)
        before = datetime.now(UTC)
        container.stop()
        assert datetime.now(UTC) - before < timedelta(seconds=25), "it had to be killed"
    finally:
        holder.remove()
        container.podman.attempt("volume", "rm", "--force", holder.name)


def test_process_1_waits_for_processes_that_lost_their_parent(container: Container) -> None:
    started(container, {"DIGEST_SUBSCRIBERS": "database"})
    container("sh", "-c", "(sleep 0.2 &) && exit")

    def states() -> set[str]:
        lines = container("sh", "-c", "cat /proc/[0-9]*/stat").splitlines()
        return {line.rpartition(")")[0].partition("(")[2] for line in lines}

    wait_until(lambda: "sleep" not in states(), 30, "the orphan is gone")


def test_a_mistake_ends_with_two_and_is_named(container: Container) -> None:
    done = container.run("daemon", environ={"DIGEST_SMTP__PORT": "many"})
    assert done.returncode == 2
    assert "DIGEST_SMTP__PORT: smtp.port = many" in done.stderr.replace('"', "")


def test_a_file_that_the_user_may_not_read_is_named(container: Container, tmp_path: Path) -> None:
    path = tmp_path / "smtp-password"
    path.write_text(PASSWORD)
    path.chmod(0o400)
    container.start(environ={}, volumes=(f"{path}:/run/secrets/smtp-password:ro",))
    wait_until(lambda: "Permission denied" in container.log, 60, container.log)
    assert "smtp-password" in container.log
    assert PASSWORD not in container.log


def test_the_image_has_the_program_and_nothing_of_the_checkout(container: Container) -> None:
    started(container, {"DIGEST_SUBSCRIBERS": "database"})
    assert container("digest", "--version").startswith("digest ")
    assert "Running in containers" in container("digest", "docs", "containers")
    found = container.attempt("sh", "-c", "ls -d /src /build /wheels /opt/arxiv-digest/tests; which gcc npm")
    assert not found.stdout
    assert container.podman.inspect(IMAGE, ".Config.User") == f"{UID}:{UID}"
    check = container.podman.inspect(container.name, ".Config.Healthcheck.Test")
    assert check == ["CMD", "digest", "status", "--health"]
