"""Which meetings of a class are held."""

from django.db.models import Exists, OuterRef, Q

from clinic.models import Absence, Closure, Outage


def falls_out() -> Q:
    """Condition on ClassMeeting: the instructor is absent, the hall out of service or the clinic shut."""
    start, end = OuterRef("appointment__starts_at"), OuterRef("appointment__ends_at")
    inside = Q(starts_at__lt=end) & (Q(ends_at=None) | Q(ends_at__gt=start))
    return (
        Q(Exists(Absence.objects.filter(inside, therapist=OuterRef("group_class__instructor"))))
        | Q(Exists(Outage.objects.filter(inside, resource=OuterRef("group_class__room"))))
        | Q(Exists(Closure.objects.filter(inside, clinic=OuterRef("group_class__clinic"))))
    )
