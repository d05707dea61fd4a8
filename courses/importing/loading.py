"""Writing a clinic's files into the database: group by group, each in one transaction, and nothing twice."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pghistory
from django.db import connection

from clinic.locking import writing
from clinic.models import Clinic, User
from courses.importing.bookings import Bookings
from courses.importing.group_bookings import load_classes
from courses.importing.issues import Issue
from courses.importing.keys import ImportedKeys
from courses.importing.orders import load_orders
from courses.importing.people import load_people
from courses.importing.records import ClinicFiles
from courses.importing.session_bookings import load_sessions
from courses.importing.sites import find_or_create_clinic, load_calendar, load_site

GROUPS = ("site", "people", "bookings", "orders")


@dataclass(slots=True)
class Loaded:
    """What an import did: rows made per noun, rows that differ from an earlier import, and issues of the database."""

    clinic: Clinic
    created: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    issues: list[Issue] = field(default_factory=list)


def load_clinic(
    files: ClinicFiles,
    *,
    by: User | None,
    now: dt.datetime,
    clinic: Clinic | None = None,
    done: Callable[[str], None] = lambda _group: None,
) -> Loaded:
    """Write accepted records that are not in the database yet; nothing that is there is changed.

    They go to `clinic`, else to the one of the name in the files, which is made if need be and gets its country's
    public holidays proposed; a clinic that was named keeps its own calendar.

    Sessions and meetings that are over at `now` only count on their course. Each group of GROUPS is one durable
    transaction, and `done` is called with its name after it. Raises DomainError where the database refuses a group:
    then nothing of that group is written, the groups before it stay.
    """
    with pghistory.context(source="import", user=by.pk if by else None):
        proposes = clinic is None
        if clinic is None:
            with writing():
                clinic = find_or_create_clinic(files.settings)
        loaded = Loaded(clinic)
        for group in GROUPS:
            with writing():
                # Two imports of one clinic wait for each other, so that neither sees half of the other's keys.
                Clinic.objects.select_for_update(no_key=True).get(pk=clinic.pk)
                keys = ImportedKeys(clinic)
                if proposes and group == "site":
                    load_calendar(clinic, keys, now=now)
                loaded.issues += _load_group(group, clinic, files, keys, now=now)
                keys.save()
            loaded.created += keys.created
            loaded.differing += keys.differing
            done(group)
    return loaded


def _load_group(group: str, clinic: Clinic, files: ClinicFiles, keys: ImportedKeys, *, now: dt.datetime) -> list[Issue]:
    if group == "people":
        return load_people(clinic, files, keys)
    if group == "bookings":
        _prefer_indexes()
        bookings = Bookings(clinic, files, keys, now)
        load_classes(bookings)
        load_sessions(bookings)
        bookings.write()
        return bookings.issues
    if group == "site":
        load_site(clinic, files, keys)
    else:
        load_orders(clinic, files, keys)
    return []


def _prefer_indexes() -> None:
    """Keep the guard's triggers quick on tables whose statistics still say that they are empty.

    Planned as if there were nothing to read, each of thousands of checks at commit would read whole tables.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
