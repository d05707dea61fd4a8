from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ClinicConfig(AppConfig):
    name = "clinic"

    def ready(self) -> None:
        from clinic import checks  # noqa: F401 - registers them
        from clinic.roles import grant_application_role

        post_migrate.connect(grant_application_role, dispatch_uid="clinic.grant_application_role")
