"""Addresses of the API, below /api/."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

import contextlib

from courses.api.views import description

for _name in ("calendar", "clinics", "courses", "desk", "patients", "plans", "prescribing", "sessions"):
    globals()[_name] = None
    with contextlib.suppress(ImportError):
        globals()[_name] = __import__(f"courses.api.views.{_name}", fromlist=["x"])

router = SimpleRouter()
if clinics: router.register("clinics", clinics.ClinicViews, basename="clinic")
if clinics: router.register("therapists", clinics.TherapistViews, basename="therapist")
if clinics: router.register("rooms", clinics.RoomViews, basename="room")
if clinics: router.register("equipment", clinics.EquipmentViews, basename="equipment")
if clinics: router.register("absences", clinics.AbsenceViews, basename="absence")
if patients: router.register("patients", patients.PatientViews, basename="patient")
if prescribing: router.register("procedures", prescribing.ProcedureViews, basename="procedure")
if prescribing: router.register("referrals", prescribing.ReferralViews, basename="referral")
if prescribing: router.register("programmes", prescribing.ProgrammeViews, basename="programme")
if courses: router.register("courses", courses.CourseViews, basename="course")
if sessions: router.register("sessions", sessions.SessionViews, basename="session")
if sessions: router.register("visits", sessions.VisitViews, basename="visit")
if calendar: router.register("appointments", calendar.AppointmentViews, basename="appointment")
if calendar: router.register("classes", calendar.ClassViews, basename="class")
if calendar: router.register("availability", calendar.AvailabilityViews, basename="availability")
if plans: router.register("plans", plans.PlanViews, basename="plan")
if desk: router.register("tasks", desk.TaskViews, basename="task")
if desk: router.register("messages", desk.MessageViews, basename="message")

app_name = "api"
urlpatterns = [
    path("schema/", description.SchemaView.as_view(), name="schema"),
    path("docs/", description.DocsView.as_view(), name="docs"),
    path("v1/", include(router.urls)),
    re_path(r"^.*$", description.NothingHere.as_view(), name="nothing"),
]
