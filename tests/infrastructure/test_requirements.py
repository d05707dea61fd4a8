"""The locked sets: complete, pinned by hash, tied to no index, each a part of the next."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
SETS = ["production", "run", "dev"]
OURS = {"clinic", "courses", "notifications", "tests"}
# What only ever runs on a developer's machine or for a trial.
DEVELOPMENT = {
    PROJECT / "clinic" / "embedded",
    PROJECT / "clinic" / "launch.py",
    PROJECT / "clinic" / "checkup.py",
    PROJECT / "notifications" / "sink.py",
}


def _pins(name: str) -> dict[str, str]:
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()
    return {
        canonicalize_name(package): pin for package, pin in re.findall(r"^([\w.\[\],-]+)==(\S+)", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", SETS)
def test_every_package_is_pinned_by_hash_and_from_nowhere_in_particular(name: str) -> None:
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)
    assert len([entry for entry in entries if "==" in entry]) == len(_pins(name))
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_each_set_is_part_of_the_next() -> None:
    production, run, dev = (_pins(name) for name in SETS)
    assert production.items() <= run.items() <= dev.items()


@pytest.mark.parametrize("name", SETS)
def test_what_is_asked_for_is_what_is_locked(name: str) -> None:
    asked = re.findall(
        r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)$", (PROJECT / "requirements" / f"{name}.in").read_text(), re.M
    )
    assert asked
    assert {canonicalize_name(package): pin for package, pin in asked}.items() <= _pins(name).items()


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _is_development(path: Path) -> bool:
    return any(path == place or path.is_relative_to(place) for place in DEVELOPMENT)


def test_the_product_imports_nothing_that_production_lacks() -> None:
    asked = (PROJECT / "requirements" / "production.in").read_text()
    wanted = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)", asked, re.M)}
    homes = packages_distributions()
    missing = {
        f"{path.relative_to(PROJECT)}: {name}"
        for package in OURS - {"tests"}
        for path in (PROJECT / package).rglob("*.py")
        if not _is_development(path)
        for name in _imported(path) - OURS - set(sys.stdlib_module_names)
        if not wanted & {canonicalize_name(home) for home in homes.get(name, [name])}
    }
    assert not missing
