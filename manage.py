#!/usr/bin/env python3
"""Django's command line. `python3 run.py manage …` reaches the same commands with the embedded servers started."""

import os
import sys

# These change the schema, which only the owner of the tables may do; all else runs with the application's rights.
OWNER_COMMANDS = {"migrate", "makemigrations", "sqlmigrate", "squashmigrations", "pgtrigger", "flush"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    owner = os.environ.get("DATABASE_OWNER_URL")
    if owner and len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["DATABASE_URL"] = owner
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        message = "Django is not installed in this Python. Run `python3 run.py manage …`, which makes .venv first."
        raise SystemExit(message) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
