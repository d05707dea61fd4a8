"""Addresses of the API, below /api/."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from courses.api.views import (
    calendar,
    clinics,
    courses,
    description,
    desk,
    disruptions,
    patients,
    plans,
    prescribing,
    sessions,
)

router = SimpleRouter()
router.register("clinics", clinics.ClinicViews, basename="clinic")
router.register("therapists", clinics.TherapistViews, basename="therapist")
router.register("rooms", clinics.RoomViews, basename="room")
router.register("equipment", clinics.EquipmentViews, basename="equipment")
router.register("absences", clinics.AbsenceViews, basename="absence")
router.register("outages", disruptions.OutageViews, basename="outage")
router.register("closures", disruptions.ClosureViews, basename="closure")
router.register("qualifications", disruptions.QualificationViews, basename="qualification")
router.register("repairs", disruptions.RepairViews, basename="repair")
router.register("patients", patients.PatientViews, basename="patient")
router.register("procedures", prescribing.ProcedureViews, basename="procedure")
router.register("referrals", prescribing.ReferralViews, basename="referral")
router.register("programmes", prescribing.ProgrammeViews, basename="programme")
router.register("courses", courses.CourseViews, basename="course")
router.register("sessions", sessions.SessionViews, basename="session")
router.register("visits", sessions.VisitViews, basename="visit")
router.register("appointments", calendar.AppointmentViews, basename="appointment")
router.register("classes", calendar.ClassViews, basename="class")
router.register("availability", calendar.AvailabilityViews, basename="availability")
router.register("plans", plans.PlanViews, basename="plan")
router.register("tasks", desk.TaskViews, basename="task")
router.register("messages", desk.MessageViews, basename="message")

app_name = "api"
urlpatterns = [
    path("schema/", description.SchemaView.as_view(), name="schema"),
    path("docs/", description.DocsView.as_view(), name="docs"),
    path("v1/", include(router.urls)),
    # Whatever else, also with a line break in it.
    re_path("", description.NothingHere.as_view(), name="nothing"),
]
