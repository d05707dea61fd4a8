"""How a change of hours tells plans made before it that they are stale."""

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
