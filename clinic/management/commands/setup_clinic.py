"""`manage.py setup_clinic`: creates a clinic and its manager, asking for what was not said."""

import getpass
import os
import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clinic.errors import Invalid
from clinic.founding import found_clinic
from clinic.models import Clinic

# What is asked, in this order, with an example that shows the form.
QUESTIONS = {
    "name": "The clinic's name",
    "zone": "Its time zone, like Europe/Warsaw",
    "country": "Its country, as two letters like PL",
    "language": "The language of texts to its patients: en, ru, pl, uk",
    "email": "Its e-mail address, from which invitations are sent",
    "manager_email": "The manager's own e-mail address, to sign in with",
}


class Command(BaseCommand):
    help = (
        "Creates a clinic and its manager. What is not given is asked for; the password is read from MANAGER_PASSWORD, "
        "asked for on a terminal, or else made up and printed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        for name, question in QUESTIONS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", help=question)
        parser.add_argument("--if-empty", action="store_true", help="do nothing where there is a clinic already")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["if_empty"] and Clinic.objects.exists():
            return
        missing = [name for name in QUESTIONS if not options[name]]
        if missing and not sys.stdin.isatty():
            if not options["if_empty"]:
                raise CommandError(f"Say --{missing[0].replace('_', '-')}, or run this on a terminal.")
            self.stdout.write(
                "There is no clinic yet. Create one with `python3 run.py manage setup_clinic`, "
                "or import one with `python3 run.py manage import_clinic DIR`."
            )
            return
        if missing:
            self.stdout.write("A few questions create your clinic and its manager. Ctrl-C leaves everything as it is.")
        answers = {name: options[name] or self._ask(name) for name in QUESTIONS}
        password, is_made_up = self._password()
        try:
            membership = found_clinic(**answers, password=password)
        except Invalid as error:
            faults = (f"{name}: {' '.join(map(str, sentences))}" for name, sentences in error.details.items())
            raise CommandError("Nothing was created.\n" + "\n".join(faults)) from None
        self.stdout.write(f"Created {membership.clinic} and its manager {membership.user.email}.")
        if is_made_up:
            self.stdout.write(f"The manager's password: {password}")

    def _ask(self, name: str) -> str:
        self.stdout.write(f"{QUESTIONS[name]}: ", ending="")
        self.stdout.flush()
        return input().strip()

    def _password(self) -> tuple[str, bool]:
        if given := os.environ.get("MANAGER_PASSWORD"):
            return given, False
        if sys.stdin.isatty():
            return getpass.getpass("The manager's password (ten characters or more): "), False
        return secrets.token_urlsafe(12), True
