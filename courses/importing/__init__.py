"""Import of a clinic from its own files: reading, understanding, checking and loading.

Import order inside the package: ``issues, records, values, reading`` → ``mapping, wishes, timetable`` → ``rows`` →
``tables`` → ``checking`` → ``clinic_files`` → ``loading``. All but ``loading`` work without a database.
"""
