"""An import from the browser: files are given, checked in the background, looked at, and only then imported.

Nothing hangs on the page: what was given and found lies in the database, and a row that waits is found by the next
look of a worker. A worker that dies is made up for, since loading does nothing twice.
"""

import datetime as dt
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound
from clinic.locking import writing
from clinic.models import Clinic, User
from clinic.permissions import Permission
from courses import importing
from courses.importing.clinic_files import SETTINGS_FILE, read_clinic
from courses.importing.issues import Issue
from courses.importing.loading import GROUPS, load_clinic
from courses.importing.mapping import TABLES, Mapping, load_mapping
from courses.importing.models import ImportFile, ImportRun
from courses.importing.records import ClinicFiles
from courses.importing.timetable import WEEKDAYS

SHIPPED = Path(importing.__file__).parent / "mappings"
MAPPING_FILE = "mapping.toml"
MOST_FILES = 30
MOST_BYTES = 30 * 1024 * 1024
# Reading and checking is the first step, then a step for each group.
STEPS = 1 + len(GROUPS)
# A worker that has not said anything for so long is taken for dead.
GIVEN_UP = dt.timedelta(minutes=15)
# Files hold patients' data; those of an import that nobody finished go after a week.
KEPT = dt.timedelta(days=7)
_Status = ImportRun.Status
_ENDINGS = (".csv", ".tsv", ".txt", ".toml")


def shipped_mappings() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def start_run(
    *, clinic: Clinic, files: Sequence[tuple[str, bytes]], by: User | None, now: dt.datetime, mapping: str = ""
) -> ImportRun:
    """Keep the files and have them checked. `mapping` names one that ships; a file MAPPING_FILE is the clinic's own.

    Zone, country and opening days are the clinic's; a clinic.toml among the files is left out of account. Raises
    Invalid for no files, too many, too large ones or names that are none, NotAllowed, NotFound.
    """
    _require_manager(clinic, by)
    if mapping and mapping not in shipped_mappings():
        raise Invalid(details={"mapping": [_("There is no such mapping.")]})
    _check_files(files)
    with writing():
        run = ImportRun.objects.create(clinic=clinic, mapping=mapping, created_at=now, created_by=by)
        ImportFile.objects.bulk_create(
            ImportFile(run=run, name=name, content=content) for name, content in files if name != SETTINGS_FILE
        )
        transaction.on_commit(_wake)
    return run


def confirm_run(*, run: ImportRun, by: User | None, now: dt.datetime) -> ImportRun:
    """Have what was checked imported. Raises Conflict where it is not waiting for that."""
    _require_manager(run.clinic, by)
    with writing():
        row = ImportRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if row.status != _Status.CHECKED:
            raise Conflict(_("This import is past that: see below how far it is."))
        row.status, row.step = _Status.QUEUED, 0
        row.save(update_fields=["status", "step"])
        transaction.on_commit(_wake)
    return row


def discard_run(*, run: ImportRun, by: User | None, now: dt.datetime) -> None:
    """Forget it and its files. Raises Conflict for one that is just being worked on."""
    _require_manager(run.clinic, by)
    with writing():
        row = ImportRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if row.status in {_Status.CHECKING, _Status.LOADING}:
            raise Conflict(_("It is being worked on. Wait until it has finished."))
        row.delete()


def run_for(user: User, pk: int) -> ImportRun:
    run = ImportRun.objects.select_related("clinic", "created_by").filter(clinic__in=user.clinic_ids(), pk=pk).first()
    if run is None:
        raise NotFound()
    _require_manager(run.clinic, user)
    return run


def issues_of(run: ImportRun) -> list[Issue]:
    """In the reader's language, whatever language it was checked in."""
    return [Issue(**row) for row in run.issues]


# --- Work in the background ------------------------------------------------------------------------------------------


def work_through(*, now: dt.datetime) -> int:
    """Do all that waits, one after the other; returns how many there were. Several workers share them."""
    ImportFile.objects.filter(run__created_at__lt=now - KEPT).delete()
    done = 0
    while (run := _claim(now)) is not None:
        _work(run, now)
        done += 1
    return done


def _claim(now: dt.datetime) -> ImportRun | None:
    left = Q(status__in=[_Status.CHECKING, _Status.LOADING], started_at__lt=now - GIVEN_UP)
    with writing():
        rows = ImportRun.objects.filter(Q(status__in=[_Status.WAITING, _Status.QUEUED]) | left).order_by("created_at")
        run = rows.select_for_update(skip_locked=True, of=("self",)).first()
        if run is None:
            return None
        loads = run.status in {_Status.QUEUED, _Status.LOADING}
        run.status = _Status.LOADING if loads else _Status.CHECKING
        run.started_at, run.step = now, 0
        run.save(update_fields=["status", "started_at", "step"])
    return ImportRun.objects.select_related("clinic", "created_by").get(pk=run.pk)


def _work(run: ImportRun, now: dt.datetime) -> None:
    try:
        # Suggestions in findings are kept as words, so in the language of whoever gave the files.
        with translation.override(_language(run)):
            files = _read(run, now)
        if run.status == _Status.LOADING:
            _load(run, files, now)
        else:
            _note(run, files)
            run.status = _Status.CHECKED
    except DomainError as error:
        with translation.override(_language(run)):
            run.status, run.error = _Status.FAILED, str(error)
    except Exception:
        run.status = _Status.FAILED
        run.save(update_fields=["status"])
        raise
    run.finished_at = now
    run.save()


def _read(run: ImportRun, now: dt.datetime) -> ClinicFiles:
    with tempfile.TemporaryDirectory() as above:
        directory = Path(above) / "files"
        directory.mkdir()
        for file in run.files.all():
            (directory / file.name).write_bytes(bytes(file.content))
        (directory / SETTINGS_FILE).write_text(_settings_text(run.clinic), encoding="utf-8")
        return read_clinic(directory, _mapping(run, directory), today=run.clinic.local_date(now))


def _load(run: ImportRun, files: ClinicFiles, now: dt.datetime) -> None:
    step = 1
    ImportRun.objects.filter(pk=run.pk).update(step=step)

    def tick(_group: str) -> None:
        nonlocal step
        step += 1
        ImportRun.objects.filter(pk=run.pk).update(step=step)

    loaded = load_clinic(files, by=run.created_by, now=now, clinic=run.clinic, done=tick)
    _note(run, files, loaded.issues)
    run.created, run.differing = dict(loaded.created), dict(loaded.differing)
    run.status, run.step = _Status.DONE, STEPS
    run.files.all().delete()


def _note(run: ImportRun, files: ClinicFiles, more: Collection[Issue] = ()) -> None:
    run.accepted = {table: len(getattr(files, table)) for table in TABLES if getattr(files, table)}
    run.issues = [_plain(issue) for issue in [*files.issues, *more]]
    run.step = 1


def _plain(issue: Issue) -> dict[str, Any]:
    """As JSON holds it. Words that stand in a sentence become text, numbers stay numbers."""
    words = {
        name: value if isinstance(value, int | float) or value is None else str(value)
        for name, value in issue.details.items()
    }
    return {
        "file": issue.file,
        "record": issue.record,
        "line": issue.line,
        "column": issue.column,
        "kind": issue.kind,
        "related_record": issue.related_record,
        "raw_value": issue.raw_value,
        "details": words,
    }


def _mapping(run: ImportRun, directory: Path) -> Mapping | None:
    own = directory / MAPPING_FILE
    if own.is_file():
        return load_mapping(own)
    return load_mapping(SHIPPED / f"{run.mapping}.toml") if run.mapping else None


def _settings_text(clinic: Clinic) -> str:
    """The clinic's own settings as the reader of files wants them."""
    days = ", ".join(f'"{WEEKDAYS[number - 1]}"' for number in clinic.opening_weekdays)
    lines = [
        f"name = {_quoted(clinic.name)}",
        f"zone = {_quoted(clinic.zone)}",
        f"country = {_quoted(clinic.country)}",
        f"language = {_quoted(clinic.language)}",
        f"opening_days = [{days}]",
    ]
    if clinic.book_until is not None:
        lines.append(f'book_until = "{clinic.book_until.isoformat()}"')
    return "\n".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def _check_files(files: Sequence[tuple[str, bytes]]) -> None:
    wrong: list[Any] = []
    names = [name for name, _content in files]
    if not files:
        wrong.append(_("Choose the files."))
    if len(files) > MOST_FILES:
        wrong.append(_("At most %(most)s files.") % {"most": MOST_FILES})
    if sum(len(content) for _name, content in files) > MOST_BYTES:
        wrong.append(_("At most %(most)s MB together.") % {"most": MOST_BYTES // 1024**2})
    wrong += [
        _("“%(name)s” is no table: .csv, .tsv, .txt or .toml.") % {"name": name[:100]}
        for name in names
        if not name.lower().endswith(_ENDINGS) or not name.isprintable() or len(name) > 150 or {*"/\\"} & {*name}
    ]
    if len({*names}) < len(names):
        wrong.append(_("Two files have the same name."))
    if wrong:
        raise Invalid(details={"files": wrong})


def _require_manager(clinic: Clinic, by: User | None) -> None:
    if by is not None and not by.may(Permission.MANAGE_CLINIC, clinic):
        raise NotAllowed() if clinic.pk in by.clinic_ids() else NotFound()


def _language(run: ImportRun) -> str:
    return (run.created_by.language if run.created_by else "") or run.clinic.language


def _wake() -> None:
    from courses.importing.tasks import wake

    wake()
