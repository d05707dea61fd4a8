"""How people are named where room is short."""

from clinic.models import Patient


def short_name(patient: Patient) -> str:
    """Ivanova A.; the full name where it is not known in parts."""
    return short_name_of(patient.family_name, patient.given_name, patient.full_name)


def short_name_of(family: str, given: str, full: str) -> str:
    return f"{family} {given[0]}." if family and given else full


def initials_of(family: str, given: str, full: str) -> str:
    """I. A., for paper that others may see."""
    parts = [part for part in (family, given) if part] or full.split()[:2]
    return " ".join(f"{part[0]}." for part in parts)
