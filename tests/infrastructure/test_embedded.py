"""The embedded servers as the tests themselves use them."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_the_server_is_the_version_that_production_runs() -> None:
    assert connection.pg_version // 10000 == 18
