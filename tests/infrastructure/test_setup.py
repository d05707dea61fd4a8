"""How `run.py` prepares the environment: once, and with a sentence where it cannot."""

import hashlib
import json
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two locks whose `.venv` would work if it were made."""
    (tmp_path / "requirements").mkdir()
    for name in run.SETS:
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}==1\n")
    monkeypatch.setattr(run, "PROJECT", tmp_path)
    monkeypatch.setattr(run, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(run, "_works", lambda _python: (tmp_path / ".venv").exists())
    return tmp_path


@pytest.fixture
def installed(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sets that were installed, in order."""
    names: list[str] = []

    def install(lock: Path, *, fresh: bool) -> bool:
        names.append(lock.stem)
        assert fresh is not (project / ".venv").exists()
        (project / ".venv").mkdir(exist_ok=True)
        return True

    monkeypatch.setattr(run, "_install_with_uv", lambda _lock, fresh: False)
    monkeypatch.setattr(run, "_install_with_pip", install)
    return names


def test_what_is_installed_is_not_installed_again(installed: list[str]) -> None:
    run.prepare("dev")
    run.prepare("dev")
    run.prepare("run")
    assert installed == ["dev"]


def test_tests_need_more_than_the_demonstration(installed: list[str]) -> None:
    run.prepare("run")
    run.prepare("dev")
    assert installed == ["run", "dev"]


def test_a_changed_lock_is_installed_whole(installed: list[str], project: Path) -> None:
    run.prepare("dev")
    (project / "requirements" / "run.txt").write_text("run==2\n")
    run.prepare("run")
    assert installed == ["dev", "dev"]
    mark = json.loads((project / ".venv" / "installed.json").read_text())
    assert mark["run"] == hashlib.sha256(b"run==2\n").hexdigest()


def test_an_installation_that_failed_is_tried_again(
    installed: list[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(run, "_install_with_pip", lambda _lock, fresh: False)
        with pytest.raises(SystemExit, match="could not be installed"):
            run.prepare("run")
    run.prepare("run")
    assert installed == ["run"]


def test_a_python_without_ensurepip_is_told_which_package_to_install(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_has", lambda module: module == "venv")
    with pytest.raises(SystemExit, match=r"apt-get install python3\.\d+-venv"):
        run._make_venv()


def test_no_other_python_than_the_one_at_hand_is_fetched(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[list[str], dict[str, str]]] = []

    class Done:
        returncode = 0

    def note(command: list[str], *, env: dict[str, str], **_kwargs: object) -> Done:
        ran.append((command, env))
        return Done()

    monkeypatch.setattr(run.shutil, "which", lambda _name: "/usr/bin/uv")
    monkeypatch.setattr(run.subprocess, "run", note)
    assert run._install_with_uv(project / "requirements" / "run.txt", fresh=True)
    assert {env["UV_PYTHON_DOWNLOADS"] for _command, env in ran} == {"never"}
    assert "--require-hashes" in ran[-1][0]


@pytest.mark.parametrize("name", run.SETS)
def test_a_lock_names_all_that_its_packages_ask_for(name: str) -> None:
    """It is installed without resolving anything."""
    lines = (run.PROJECT / "requirements" / f"{name}.txt").read_text().splitlines()
    locked = [Requirement(line.rstrip("\\")) for line in lines if line and line[0] not in " #"]
    here = {canonicalize_name(one.name) for one in locked if one.marker is None or one.marker.evaluate()}
    missing = {f"{package} asks for {asked}" for package in here for asked in _asks_for(package) if asked not in here}
    assert missing == set()


def _asks_for(package: str) -> set[str]:
    asked = [Requirement(line) for line in metadata.requires(package) or ()]
    return {canonicalize_name(one.name) for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})}
