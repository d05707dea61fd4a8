"""A clinic's own files: given, looked at row by row, and only then imported. Leaving the page loses nothing."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from courses.importing import runs
from courses.importing.issues import REPORT_COLUMNS, Issue, Outcome, report_rows
from courses.importing.mapping import TABLES
from courses.importing.models import ImportRun
from courses.managing.rights import MANAGE
from courses.pages.managing.edits import act, edit_page
from courses.pages.permissions import PageRequest, page

# Enough to see what a kind is about; the rest is in the table to download.
MOST_PLACES = 20
_ORDER = (Outcome.REJECT, Outcome.WARN, Outcome.ACCEPT)
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TABLES = {
    "staff": gettext_lazy("Staff"),
    "procedures": gettext_lazy("Procedures"),
    "rooms": gettext_lazy("Rooms"),
    "equipment": gettext_lazy("Devices"),
    "qualifications": gettext_lazy("Qualifications"),
    "shifts": gettext_lazy("Hours"),
    "absences": gettext_lazy("Absences"),
    "patients": gettext_lazy("Patients"),
    "classes": gettext_lazy("Classes"),
    "enrolments": gettext_lazy("Places in classes"),
    "sessions": gettext_lazy("Sessions"),
    "prescriptions": gettext_lazy("Prescriptions"),
    "prescription_lines": gettext_lazy("Lines of prescriptions"),
}


class Files(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files at once, as a list."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        given = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(one, initial) for one in given]


class FilesForm(forms.Form):
    tables = FilesField(
        label=gettext_lazy("Tables"),
        widget=Files(attrs={"accept": ".csv,.tsv,.txt,.toml", "multiple": True}),
        help_text=gettext_lazy("All at once. A file mapping.toml among them says what your columns are called."),
    )
    mapping = forms.ChoiceField(label=gettext_lazy("How they are written"), required=False)

    def __init__(self, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files)
        names = {"front_desk_ru": _("Front desk tables in Russian")}
        shipped = [(name, names.get(name, name)) for name in runs.shipped_mappings()]
        self.fields["mapping"].choices = [("", _("as the product names them")), *shipped]  # type: ignore[attr-defined]


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def imports(request: PageRequest) -> HttpResponse:
    form = FilesForm(request.POST, request.FILES) if request.method == "POST" else FilesForm()

    def save(data: dict[str, Any], _given: object) -> ImportRun:
        given: list[UploadedFile] = data["tables"]
        files = [(str(one.name), one.read()) for one in given]
        return runs.start_run(
            clinic=request.clinic, files=files, mapping=data["mapping"], by=request.user, now=request.now
        )

    return edit_page(
        request,
        title=_("Import"),
        lead=_("Nothing is written until you have seen what was found."),
        form=form,
        save=save,
        done=_("Files received."),
        back=reverse("manage-imports"),
        to=lambda run: reverse("manage-import", args=[run.pk]),
        button=_("Check the files"),
        template="managing/imports.html",
        named={"files": "tables"},
        runs=ImportRun.objects.filter(clinic=request.clinic).select_related("created_by").defer("issues")[:20],
        expected=[(f"{name}.csv", _TABLES[name], columns) for name, columns in TABLES.items()],
    )


@page(MANAGE)
def import_run(request: PageRequest, pk: int) -> HttpResponse:
    """While it is worked on the part that tells how far it is comes again and again, and alone."""
    run = runs.run_for(request.user, pk)
    context: dict[str, Any] = {"run": run, "steps": runs.STEPS, "working": _is_at_work(run)}
    if not context["working"]:
        context |= _found(run)
    template = "managing/import_state.html" if request.htmx else "managing/import.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _is_at_work(run: ImportRun) -> bool:
    return run.status in {"waiting", "checking", "queued", "loading"}


def _found(run: ImportRun) -> dict[str, Any]:
    issues = runs.issues_of(run)
    left_out: Counter[str] = Counter()
    for file, _record in {(i.file, i.record) for i in issues if i.outcome == Outcome.REJECT and i.record is not None}:
        left_out[file] += 1
    by_kind: dict[tuple[int, str], list[Issue]] = defaultdict(list)
    for issue in issues:
        by_kind[_ORDER.index(issue.outcome), issue.kind].append(issue)
    groups = [
        {
            "outcome": _ORDER[order],
            "message": members[0].message,
            "remedy": members[0].remedy,
            "count": len(members),
            "places": members[:MOST_PLACES],
            "more": max(len(members) - MOST_PLACES, 0),
        }
        for (order, _kind), members in sorted(by_kind.items())
    ]
    return {
        "accepted": [(_TABLES[table], run.accepted[table]) for table in TABLES if table in run.accepted],
        "left_out": sorted(left_out.items()),
        "total_left_out": sum(left_out.values()),
        "groups": groups,
        "total": len(issues),
        "created": sum(run.created.values()),
        "differing": sum(run.differing.values()),
    }


@page(MANAGE)
def import_report(request: PageRequest, pk: int) -> HttpResponse:
    """Every issue as CSV that a spreadsheet opens as it is: BOM, the separator of the language, no formulas."""
    run = runs.run_for(request.user, pk)
    separator = ";" if (get_language() or "en").startswith("ru") else ","
    answer = HttpResponse(
        _csv(runs.issues_of(run), separator).encode("utf-8-sig"), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="import-{run.pk}.csv"'
    return answer


def _csv(issues: list[Issue], separator: str) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\r\n")
    writer.writerow(REPORT_COLUMNS)
    writer.writerows(_harmless(row) for row in report_rows(issues))
    return stream.getvalue()


def _harmless(row: list[Any]) -> Iterator[Any]:
    for cell in row:
        yield f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


@page(MANAGE, methods=("POST",))
def import_confirm(request: PageRequest, pk: int) -> HttpResponse:
    run = runs.run_for(request.user, pk)
    return act(
        request,
        lambda _given: runs.confirm_run(run=run, by=request.user, now=request.now),
        title=_("Import"),
        done=_("It is being imported. You may leave this page."),
        back=reverse("manage-import", args=[pk]),
    )


@page(MANAGE, methods=("POST",))
def import_discard(request: PageRequest, pk: int) -> HttpResponse:
    run = runs.run_for(request.user, pk)
    return act(
        request,
        lambda _given: runs.discard_run(run=run, by=request.user, now=request.now),
        title=_("Import"),
        done=_("Forgotten, and the files with it."),
        back=reverse("manage-imports"),
    )
