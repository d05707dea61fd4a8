"""Rows that a body names by key. A key that leads nowhere is a wrong field of the body, not a missing page."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import Clinic, Therapist
from courses.models import Procedure


def procedure_of(key: int, clinic: Clinic, *, field: str = "procedure") -> Procedure:
    """Raises Invalid for a procedure that the clinic does not have."""
    found = Procedure.objects.filter(pk=key, clinic=clinic).first()
    if found is None:
        raise Invalid(details={field: [_("This clinic has no such procedure.")]})
    return found


def therapist_of(key: int, clinic: Clinic, *, field: str = "therapist") -> Therapist:
    """Raises Invalid for a therapist who neither has hours nor a qualification in the clinic."""
    works_here = Q(shifts__clinic=clinic) | Q(qualifications__procedure__clinic=clinic)
    found = Therapist.objects.filter(works_here, pk=key).first()
    if found is None:
        raise Invalid(details={field: [_("This clinic has no such specialist.")]})
    return found


def prescriber_of(key: int, clinic: Clinic) -> Therapist:
    """Raises Invalid for someone who does not prescribe in the clinic."""
    found = therapist_of(key, clinic, field="prescriber")
    if not found.is_prescriber:
        raise Invalid(details={"prescriber": [_("This person does not prescribe.")]})
    return found
