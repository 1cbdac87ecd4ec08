"""The locks have all that pyproject.toml asks for at run time, in a version that it allows."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

CHECKOUT = Path(__file__).parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
FOR_DEVELOPMENT = {"dev", "docs", "test"}


def locked(*names: str) -> dict[str, set[Version]]:
    """The versions of each package; two where they differ by Python."""
    found: dict[str, set[Version]] = {}
    for name in names:
        text = (CHECKOUT / name).read_text()
        for package, version in re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE):
            found.setdefault(package, set()).add(Version(version))
    return found


def test_all_dependencies_are_locked() -> None:
    versions = locked("constraints.txt")
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert all(map(requirement.specifier.contains, versions[requirement.name])), requirement


def test_all_extras_of_the_program_are_locked() -> None:
    versions = locked("constraints-postgresql.txt", "constraints-extras.txt")
    for extra, texts in PROJECT["optional-dependencies"].items():
        for requirement in () if extra in FOR_DEVELOPMENT else map(Requirement, texts):
            assert all(map(requirement.specifier.contains, versions[requirement.name])), (extra, requirement)


def test_no_package_is_in_two_locks_of_the_image() -> None:
    names = ("constraints.txt", "constraints-postgresql.txt", "constraints-extras.txt")
    packages = [package for name in names for package in locked(name)]
    assert len(packages) == len(set(packages))
