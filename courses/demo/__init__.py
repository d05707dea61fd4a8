"""The demonstration: a fictional clinic is imported, its prescriptions are planned and booked, and patients are told.

It does what a front desk does, and by the same way in: planning and booking go through the HTTP API.
"""
