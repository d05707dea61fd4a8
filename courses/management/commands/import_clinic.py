"""`manage.py import_clinic DIR`: a clinic's own files into the database, with every defect and its remedy."""

import argparse
import zoneinfo
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.errors import DomainError
from courses import importing
from courses.demo.progress import Bar
from courses.importing.clinic_files import read_clinic
from courses.importing.issues import Issue, Outcome, write_report
from courses.importing.loading import GROUPS, Loaded, load_clinic
from courses.importing.mapping import Mapping, load_mapping
from courses.importing.records import ClinicFiles

SHIPPED = Path(importing.__file__).parent / "mappings"
# Enough to see what a kind is about; the rest is in the report.
MOST_PLACES = 20


class Command(BaseCommand):
    help = "Import a clinic from its own files; bad rows are left out and reported, running it again changes nothing."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, help="the directory with the tables and clinic.toml")
        parser.add_argument(
            "--mapping", help=f"a mapping file, or one that ships with the product: {', '.join(sorted(_shipped()))}"
        )
        parser.add_argument("--dry-run", action="store_true", help="read and check only; nothing is written")
        parser.add_argument("--report", type=Path, help="write every issue to this CSV file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._import(options["directory"], options["mapping"], options["report"], dry_run=options["dry_run"])
        except DomainError as error:
            raise CommandError(str(error)) from error

    def _import(self, directory: Path, mapping: str | None, report: Path | None, *, dry_run: bool) -> None:
        if not directory.is_dir():
            raise CommandError(_("%(path)s is not a directory. Name the one with the tables.") % {"path": directory})
        with Bar(_("Importing"), 1 + len(GROUPS)) as bar:
            files = read_clinic(directory, _mapping(mapping))
            loaded = None if dry_run else self._load(files, bar)
            bar.to(bar.total)
        issues = [*files.issues, *(loaded.issues if loaded else [])]
        self._print_issues(issues)
        self._print_summary(files, issues, loaded)
        if report is not None:
            try:
                write_report(report, issues)
            except OSError as error:
                raise CommandError(_("The report cannot be written: %(error)s") % {"error": error}) from error

    def _load(self, files: ClinicFiles, bar: Bar) -> Loaded:
        now, settings = timezone.now(), files.settings
        if settings.demo_now is not None:
            now = settings.demo_now.replace(tzinfo=zoneinfo.ZoneInfo(settings.zone))
        waiting = list(GROUPS)
        bar.to(1, note=waiting[0])

        def show_next(group: str) -> None:
            waiting.remove(group)
            bar.to(bar.total - len(waiting), note=waiting[0] if waiting else "")

        return load_clinic(files, by=None, now=now, done=show_next)

    def _print_issues(self, issues: Iterable[Issue]) -> None:
        by_kind: dict[tuple[int, str], list[Issue]] = defaultdict(list)
        order = [Outcome.REJECT, Outcome.WARN, Outcome.ACCEPT]
        for issue in issues:
            by_kind[order.index(issue.outcome), issue.kind].append(issue)
        for (_place, kind), members in sorted(by_kind.items()):
            style = self.style.ERROR if members[0].outcome == Outcome.REJECT else self.style.WARNING
            self.stdout.write(style(f"{members[0].outcome} · {kind} · {len(members)}"))
            sentences = dict.fromkeys(f"{issue.message}. {issue.remedy}" for issue in members)
            self.stdout.write("  " + "\n  ".join(list(sentences)[:MOST_PLACES]))
            for issue in members[:MOST_PLACES]:
                self.stdout.write(f"    {_place_of(issue)}")
            if len(members) > MOST_PLACES:
                self.stdout.write("    " + _("… and %(count)s more") % {"count": len(members) - MOST_PLACES})

    def _print_summary(self, files: ClinicFiles, issues: list[Issue], loaded: Loaded | None) -> None:
        rejected = len({(issue.file, issue.record) for issue in issues if issue.outcome == Outcome.REJECT})
        self.stdout.write(
            ngettext("%(count)s record left out.", "%(count)s records left out.", rejected) % {"count": rejected}
        )
        if loaded is None:
            self.stdout.write(_("Nothing was written."))
            return
        made = ", ".join(f"{noun} {count}" for noun, count in loaded.created.items())
        self.stdout.write(_("%(clinic)s: %(made)s") % {"clinic": files.settings.name, "made": made or _("nothing new")})
        for noun, count in loaded.differing.items():
            self.stdout.write(
                _("%(noun)s: %(count)s differ from what was imported earlier and were left as they are")
                % {"noun": noun, "count": count}
            )


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in SHIPPED.glob("*.toml")}


def _mapping(name: str | None) -> Mapping | None:
    if name is None:
        return None
    path = Path(name)
    return load_mapping(path if path.is_file() else _shipped().get(name, path))


def _place_of(issue: Issue) -> str:
    parts = [issue.file]
    if issue.record is not None:
        parts.append(_("record %(record)s, line %(line)s") % {"record": issue.record, "line": issue.line})
    if issue.column:
        parts.append(issue.column)
    if issue.related_record is not None:
        parts.append(_("see record %(record)s") % {"record": issue.related_record})
    place = ", ".join(parts)
    value = issue.raw_value.replace("\n", "\\n")
    return f"{place}: {value[:80]}" if value else place
