"""How a change of hours, or of a patient's own bookings, tells plans made before it that they are stale."""

import pgtrigger


def raises_version(which: str) -> pgtrigger.Trigger:
    """Raise the version of the resources that `which`, a condition on `clinic_resource r`, finds for NEW or OLD."""
    return pgtrigger.Trigger(
        name="raises_version",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        func=f"""
            IF TG_OP <> 'INSERT' THEN
                UPDATE clinic_resource r SET version = version + 1 WHERE {which.replace("ROW", "OLD")};
            END IF;
            IF TG_OP <> 'DELETE' THEN
                UPDATE clinic_resource r SET version = version + 1 WHERE {which.replace("ROW", "NEW")};
            END IF;
            RETURN NULL;
        """,
    )


ROOMS_OF_CLINIC = "r.id IN (SELECT resource_id FROM clinic_room WHERE clinic_id = ROW.clinic_id)"


def patients_bookings_raise_version() -> list[pgtrigger.Trigger]:
    """Triggers of reservations: a patient's version rises with every place that is taken or given back.

    Gaps, weekly maxima and procedures kept apart depend on all of a patient's bookings. By statement, not by row: a
    course of ten raises it once.
    """

    def trigger(name: str, operation: pgtrigger.Operation, which: str, **referencing: str) -> pgtrigger.Trigger:
        return pgtrigger.Trigger(
            name=name,
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=pgtrigger.Referencing(**referencing),
            func=f"""
                UPDATE clinic_resource SET version = version + 1 WHERE kind = 'patient' AND id IN ({which});
                RETURN NULL;
            """,
        )

    return [
        trigger(
            "new_booking_raises_version",
            pgtrigger.Insert,
            "SELECT resource_id FROM fresh WHERE live",
            new="fresh",
        ),
        trigger(
            "freed_booking_raises_version",
            pgtrigger.Update,
            "SELECT fresh.resource_id FROM fresh JOIN stale USING (id) WHERE fresh.live <> stale.live",
            old="stale",
            new="fresh",
        ),
    ]
