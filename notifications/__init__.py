"""What patients are told, and how it reaches them.

For the services of other apps (all else here is inside matter):

`notifications.snapshots.VisitSnapshot`
    All that is known here about a visit. `uid` never changes; `sequence` and `revised_at` rise with every
    change of time, place or state that should reach the patient (a cancellation too); a visit cancelled and booked
    again has a new uid.

`notifications.outbox.announce_visits(clinic=, patient=, visits=, summary_key=, now=)`
    Call it inside the transaction that changes the visits, last before the commit, with the visits as they are
    afterwards (all of one patient and one clinic). It enqueues what the patient must hear, withdraws what is
    no longer true, and plans the reminders: two SQL statements when nothing was announced before, never more than
    six, whatever the number of visits. `summary_key` (for example `programme:17`) asks for one summary of all these
    visits as well: pass it when a programme or a course is booked, `None` for a single move or cancellation.
    Calling it again with the same sequence does nothing. Workers are woken on commit.

`notifications.outbox.withdraw_reminders(uids=, reason=, now=)`
    No further reminders of these visits: confirmed, arrived.

`notifications.outbox.withdraw(subjects=, reason=, now=)`
    Nothing more is sent about these visits or summary keys.

`notifications.calls.open_calls(clinic=, day=, now=)` and `mark_reached`, `mark_confirmed`, `mark_not_reached`
    Who must be telephoned, and what came of it.

`notifications.models.Message`
    The outbox itself, to be read by pages and the API, never written by them.

`python -m notifications.sink` and `notifications.sink.list_mails(directory)`
    A local SMTP server that keeps what it gets as files, for development and demonstrations.
"""
