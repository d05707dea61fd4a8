"""Rights of the application's database role: it works on rows, it never alters tables or history."""

import re
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections

# pgtrigger lets any session name triggers to skip (`SET pgtrigger.ignore`), which would let the application's role past
# every guard and out of the trail. Nothing here needs that, so the function that decides is made to say no.
_NO_TRIGGER_IS_SKIPPED = """
    CREATE OR REPLACE FUNCTION "public"._pgtrigger_should_ignore(trigger_name NAME) RETURNS BOOLEAN
    AS $$ BEGIN RETURN FALSE; END; $$ LANGUAGE plpgsql IMMUTABLE
"""
# A temporary table hides one of the same name from a trigger that looks for it by the caller's search path. Anybody may
# make one, so that an empty `clinic_absence` would open every absence. Hence temporary tables come last.
_TRIGGERS_SEE_THE_REAL_TABLES = """
    DO $$ DECLARE one regprocedure; BEGIN
        FOR one IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            AND prorettype = 'trigger'::regtype AND proowner = current_user::regrole AND proconfig IS NULL
        LOOP EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, public, pg_temp', one); END LOOP;
    END $$
"""
_ROLE_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")


def grant_application_role(*, using: str = "default", **_kwargs: Any) -> None:
    """After a migration, grant the application's role what it needs and no more; let nobody skip or mislead a trigger.

    History tables get INSERT and SELECT only (their triggers insert as the role that writes); who made a change
    may be added to by the same request, never deleted. No rights are granted where the role does not exist, or
    where the migrating role is the application's own.
    """
    role = settings.DATABASE_APP_ROLE
    connection = connections[using]
    if not _ROLE_NAME.match(role):
        raise ValueError(f"DATABASE_APP_ROLE {role!r} is not a plain role name")
    with connection.cursor() as cursor:
        cursor.execute(_NO_TRIGGER_IS_SKIPPED)
        cursor.execute(_TRIGGERS_SEE_THE_REAL_TABLES)
        cursor.execute("SELECT current_user, EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s)", [role])
        current, exists = cursor.fetchone()
        if not exists or current == role:
            return
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
        tables = set(connection.introspection.table_names(cursor))
        for table in sorted(history_tables() & tables):
            cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {connection.ops.quote_name(table)} FROM {role}")
        cursor.execute(f"REVOKE DELETE, TRUNCATE ON pghistory_context FROM {role}")


def history_tables() -> set[str]:
    """Names of the tables that hold the trail of changes."""
    from pghistory.models import Event

    return {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if issubclass(model, Event) and model._meta.managed and not model._meta.proxy
    }
