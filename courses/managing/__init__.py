"""What a manager keeps in order: staff and their skills, hours and roster, places, calendar, policies, accounts.

Whatever may leave booked sessions outside says first which (`stranding`), and only then does it.
"""
