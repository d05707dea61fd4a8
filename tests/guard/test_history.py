"""7. Every change has a trail, bulk changes and SQL by hand too, and the application cannot alter it."""

from typing import Any

import pghistory
import pytest
from django.apps import apps
from django.db import connection, models
from pghistory.models import Context, Event

from clinic.models import Clinic, Patient
from clinic.roles import history_tables
from courses.models import ProcedureSeparation
from tests import factories
from tests.guard.conftest import Attacker

# What design.md leaves untracked, what is only a draft, and what is not of the clinic's concern.
UNTRACKED = {
    "clinic.Reservation",
    "clinic.IdempotentRequest",
    "courses.ImportFile",
    "courses.ImportRun",
    "courses.ImportedRecord",
    "courses.Plan",
    "courses.Plan_courses",
    "courses.Repair",
    "notifications.Message",
}
# Reached through a model of its own that is tracked.
BY_ANOTHER_NAME = {"courses.Procedure_not_same_day_with": ProcedureSeparation}
# Django's groups and single permissions are not used: roles are memberships.
UNUSED = {"clinic.User_groups", "clinic.User_user_permissions"}


def own_models() -> list[type[models.Model]]:
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in {"clinic", "courses", "notifications"}
        and not model._meta.proxy
        and not issubclass(model, Event)
    ]


def trail_of(model: type[models.Model]) -> type[Event]:
    tracked: Any = BY_ANOTHER_NAME.get(model._meta.label, model)
    return tracked.pgh_event_models["insert"]


TRACKED = [model for model in own_models() if model._meta.label not in UNTRACKED | UNUSED | set(BY_ANOTHER_NAME)]
FACTORIES = {
    factory._meta.model: factory
    for factory in vars(factories).values()
    if isinstance(factory, type) and factory.__name__.endswith("Factory") and factory._meta.model
}


@pytest.mark.parametrize("model", TRACKED, ids=lambda model: model._meta.label)
def test_every_model_that_matters_leaves_a_trail(sql: Attacker, model: type[models.Model]) -> None:
    """Made through the model, changed by SQL, deleted by SQL where it can be: each leaves one row."""
    made = factories.class_meeting() if model._meta.object_name == "ClassMeeting" else FACTORIES[model]()
    key, table = model._meta.pk.column, model._meta.db_table
    trail = trail_of(model).objects.filter(pgh_obj=made.pk)
    assert trail.filter(pgh_label="insert").count() == 1
    column = changeable_column(model)
    if column is not None and model._meta.object_name != "RecordAmendment":  # which nothing may change
        before = trail.filter(pgh_label="update").count()
        sql.write(f"UPDATE {table} SET {column} WHERE {key} = %s", made.pk)
        assert trail.filter(pgh_label="update").count() == before + 1


def changeable_column(model: type[models.Model]) -> str | None:
    """An assignment that changes a row whatever it holds, and breaks no check."""
    told = {field.column for field in trail_of(model)._meta.concrete_fields}
    own = {
        field.column: field
        for field in model._meta.concrete_fields
        if field.column in told and not field.primary_key and not field.unique
    }
    if "capacity" in own:
        return "capacity = capacity + 1"
    for wanted in (
        "override_reason",
        "note",
        "comment",
        "name",
        "full_name",
        "text",
        "reason",
        "area",
        "revised_at",
        "valid_until",
    ):
        if wanted in own:
            field = own[wanted]
            if isinstance(field, models.DateField):
                return f"{wanted} = '2031-12-31'"
            return f"{wanted} = {wanted} || '.'"
    for column, field in own.items():
        if isinstance(field, models.BooleanField):
            return f"{column} = NOT {column}"
        if column == "version":
            return "version = version + 1"
        if isinstance(field, models.DateTimeField | models.DateField):
            return f"{column} = {column} + interval '1 day'"
    return None


def test_there_is_no_model_of_which_nobody_decided() -> None:
    labels = {model._meta.label for model in own_models()}
    assert labels >= UNTRACKED | UNUSED | set(BY_ANOTHER_NAME), "a name in this test has gone"
    for model in own_models():
        label = model._meta.label
        tracked = hasattr(BY_ANOTHER_NAME.get(label, model), "pgh_event_models")
        assert tracked != (label in UNTRACKED | UNUSED), label
    assert len(history_tables()) >= len(TRACKED)


def test_a_bulk_change_leaves_a_row_for_each(sql: Attacker) -> None:
    patients = [factories.PatientFactory() for _ in range(3)]
    Patient.objects.filter(pk__in=[p.pk for p in patients]).update(note="moved")
    trail = trail_of(Patient).objects.filter(pgh_label="update", note="moved")
    assert sorted(trail.values_list("pgh_obj_id", flat=True)) == sorted(p.pk for p in patients)
    Clinic.objects.bulk_create([Clinic(name="Hillside", zone="Europe/Warsaw", country="PL")])
    assert trail_of(Clinic).objects.filter(pgh_label="insert", name="Hillside").count() == 1


def test_two_procedures_kept_apart_leave_a_trail(sql: Attacker) -> None:
    one, other = factories.ProcedureFactory(), factories.ProcedureFactory()
    one.not_same_day_with.add(other)
    one.not_same_day_with.remove(other)
    labels = trail_of(ProcedureSeparation).objects.order_by("pgh_id").values_list("pgh_label", flat=True)
    assert sorted(labels) == ["delete", "delete", "insert", "insert"]


@pytest.mark.parametrize("table", sorted(history_tables()))
def test_the_trail_is_only_added_to(sql: Attacker, table: str) -> None:
    sql.denied(f"UPDATE {table} SET pgh_label = 'insert'")
    sql.denied(f"DELETE FROM {table}")
    sql.denied(f"TRUNCATE {table}")
    sql.write(f"SELECT count(*) FROM {table}")


def test_it_says_who_and_in_which_request(sql: Attacker) -> None:
    patient = factories.PatientFactory()
    with pghistory.context(user=17, request="r-1"):
        patient.note = "moved"
        patient.save()
        with pghistory.context(reason="asked by telephone"):
            patient.note = "moved again"
            patient.save()
    trail = trail_of(Patient).objects.filter(pgh_obj=patient.pk, pgh_label="update").select_related("pgh_context")
    assert {event.pgh_context.metadata["user"] for event in trail} == {17}
    context = Context.objects.get()
    assert context.metadata == {"user": 17, "request": "r-1", "reason": "asked by telephone"}


def test_who_did_it_is_added_to_and_never_changed(sql: Attacker) -> None:
    patient = factories.PatientFactory()
    with pghistory.context(user=None):  # as in the request that signs a person in
        Patient.objects.filter(pk=patient.pk).update(note="moved")
    change = "UPDATE pghistory_context SET metadata = %s::jsonb"
    sql.write(change, '{"user": 17}')
    sql.write(change, '{"user": 17, "url": "/patients/"}')
    sql.refused("change_context_is_kept", change, '{"user": 18, "url": "/patients/"}')
    sql.refused("change_context_is_kept", change, "{}")
    sql.refused("change_context_is_kept", "UPDATE pghistory_context SET id = gen_random_uuid()")
    sql.denied("DELETE FROM pghistory_context")
    sql.denied("TRUNCATE pghistory_context CASCADE")


def test_no_session_can_leave_the_trail(sql: Attacker) -> None:
    patient = factories.PatientFactory()
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(tgname, ',') FROM pg_trigger WHERE tgname LIKE 'pgtrigger_update_update%'")
        cursor.execute("SELECT set_config('pgtrigger.ignore', '{' || %s || '}', true)", [cursor.fetchone()[0]])
    sql.write("UPDATE clinic_patient SET note = 'unseen' WHERE resource_id = %s", patient.pk)
    assert trail_of(Patient).objects.filter(note="unseen").count() == 1
