#!/bin/sh
# Run once by PostgreSQL's image on an empty volume: the owner, who migrates; the application's role; their database.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$DATABASE_OWNER_PASSWORD" --set app_password="$DATABASE_APP_PASSWORD" <<'SQL'
CREATE ROLE clinic_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE clinic_app LOGIN PASSWORD :'app_password';
GRANT clinic_app TO clinic_owner;
CREATE DATABASE clinic OWNER clinic_owner;
SQL
