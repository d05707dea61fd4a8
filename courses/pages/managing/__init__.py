"""Pages of the manager: staff, hours, places, calendar, catalogue, accounts, import."""
