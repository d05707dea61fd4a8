"""How people are named where room is short."""

from clinic.models import Patient


def short_name(patient: Patient) -> str:
    """Ivanova A.; the full name where it is not known in parts."""
    if patient.family_name and patient.given_name:
        return f"{patient.family_name} {patient.given_name[0]}."
    return patient.full_name


def initials(patient: Patient) -> str:
    """I. A., for paper that others may see."""
    parts = [patient.family_name, patient.given_name]
    letters = [part[0] for part in parts if part] or [part[0] for part in patient.full_name.split()[:2]]
    return " ".join(f"{letter}." for letter in letters)
