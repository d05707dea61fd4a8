"""Who changed what: the trail that pghistory's triggers write, guarded against those whose acts it tells of."""

import pgtrigger
from pghistory.models import Context

from clinic.models.appointments import refuse


class ChangeContext(Context):
    """Who, through which page, in which request. A request may add what it learns later, never change what it said."""

    class Meta:
        proxy = True
        triggers = [
            pgtrigger.Trigger(
                name="says_more_not_otherwise",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=f"""
                    IF NEW.id <> OLD.id OR NOT NEW.metadata @> jsonb_strip_nulls(OLD.metadata) THEN
                        {refuse("change_context_is_kept")};
                    END IF;
                    RETURN NEW;
                """,
            )
        ]
