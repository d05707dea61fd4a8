"""Load the shipped catalogue of procedures into a clinic; as often as one likes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from clinic.models import Clinic
from courses.catalogue.editing import figures_of
from courses.catalogue.loading import load_catalogue
from courses.catalogue.models import Procedure


class Command(BaseCommand):
    help = "Load the catalogue of procedures into a clinic. What the clinic has changed stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("clinic", type=int, metavar="CLINIC_ID")

    def handle(self, *args: Any, **options: Any) -> None:
        clinic = Clinic.objects.filter(pk=options["clinic"]).first()
        if clinic is None:
            known = ", ".join(f"{one.pk} {one.name}" for one in Clinic.objects.all()) or "none yet"
            raise CommandError(f"There is no clinic {options['clinic']}. Clinics: {known}.")
        done = load_catalogue(clinic=clinic, by=None, now=timezone.now())
        self.stdout.write(f"{clinic.name}: {len(done.created)} new, {len(done.changed)} changed, {len(done.kept)} kept")
        for code, what in done.changed:
            self.stdout.write(f"  changed  {code}: {what}")
        for code, what in done.kept:
            self.stdout.write(f"  kept     {code}: {what} (the clinic's own)")
        for procedure in Procedure.objects.filter(clinic=clinic, is_active=False):
            missing = [shown.name for shown in figures_of(procedure) if shown.value is None]
            if missing:
                self.stdout.write(f"  {procedure.code}: to be confirmed by the clinic: {', '.join(missing)}")
