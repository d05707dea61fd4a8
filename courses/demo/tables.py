"""The end of a demonstration as text: what was booked, what was not and why, whom to call, and totals."""

from collections.abc import Iterator, Sequence
from typing import Any

from courses.demo.outcomes import Outcome

_HEADINGS = ("prescription", "sessions", "first", "last", "visits", "therapists", "plan ms", "proven or gap")


def outcome_table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines: one prescription each, in order of its id; what could not be booked says why and what would open it."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.prescription)
    rows = [_row(outcome) for outcome in ordered]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    yield _line(_HEADINGS, widths)
    yield "  ".join("─" * width for width in widths)
    for outcome, row in zip(ordered, rows, strict=True):
        if outcome.booked:
            yield _line(row, widths)
        else:
            yield f"{outcome.prescription:<{widths[0]}}  not booked: {outcome.reason_code}. {outcome.reason}"
            if outcome.concession:
                yield f"{'':<{widths[0]}}  would open it: {outcome.concession}"


def _row(outcome: Outcome) -> tuple[str, ...]:
    if not outcome.booked or outcome.dates is None:
        return (outcome.prescription, *[""] * (len(_HEADINGS) - 1))
    first, last = outcome.dates
    return (
        outcome.prescription,
        str(len(outcome.sessions)),
        first.isoformat(),
        last.isoformat(),
        str(outcome.visits),
        " ".join(outcome.therapists),
        f"{outcome.plan_ms:.0f}",
        "proven" if outcome.proven else f"within {outcome.gap or 0:.1%}",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def total_lines(totals: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{totals['booked']} of {totals['prescriptions']} prescriptions booked: {totals['sessions']} sessions in "
        f"{totals['visits']} visits, {totals['proven']} plans proven best."
    )
    yield f"A plan took {totals['plan_ms_median']:.0f} ms in the middle and {totals['plan_ms_longest']:.0f} ms at most."
    yield f"{totals['mails']} mails delivered, {totals['to_call']} patients to call."
