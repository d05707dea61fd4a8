"""Addresses of the staff's pages: nouns and keys, never a name or a clinical word."""

from django.urls import path, re_path

from courses.pages import (
    board,
    courses,
    desk,
    mails,
    meetings,
    orders,
    patients,
    plans,
    preferences,
    sessions,
    signing_in,
    visits,
)

_VERB = "|".join(sessions.VERBS)

urlpatterns = [
    path("", desk.desk, name="desk"),
    path("sign-in/", signing_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", signing_in.SignOut.as_view(), name="sign-out"),
    path("language/", preferences.set_language, name="set-language"),
    path("clinic/", preferences.set_clinic, name="set-clinic"),
    path("board/", board.board, name="board"),
    path("patients/", patients.patients, name="patients"),
    path("patients/new/", patients.patient_new, name="patient-new"),
    path("patients/<int:pk>/", patients.patient, name="patient"),
    path("patients/<int:pk>/consents/", patients.patient_consents, name="patient-consents"),
    path("patients/<int:pk>/courses/new/", orders.course_new, name="course-new"),
    path("patients/<int:pk>/prescriptions/new/", orders.referral_new, name="referral-new"),
    path("prescriptions/<int:pk>/", orders.referral, name="referral"),
    path("prescriptions/<int:pk>/sign/", orders.referral_sign, name="referral-sign"),
    path("courses/<int:pk>/", courses.course, name="course"),
    path("courses/<int:pk>/plan/", plans.plan_courses, name="plan-courses"),
    path("courses/<int:pk>/pause/", courses.course_pause, name="course-pause"),
    path("courses/<int:pk>/resume/", courses.course_resume, name="course-resume"),
    path("courses/<int:pk>/replan/", courses.course_replan, name="course-replan"),
    path("plans/<int:pk>/", plans.plan, name="plan"),
    path("plans/<int:pk>/again/", plans.plan_again, name="plan-again"),
    path("plans/<int:pk>/hold/", plans.plan_hold, name="plan-hold"),
    path("plans/<int:pk>/keep/", plans.plan_renew, name="plan-renew"),
    path("plans/<int:pk>/release/", plans.plan_release, name="plan-release"),
    path("plans/<int:pk>/book/", plans.plan_book, name="plan-book"),
    path("plans/<int:pk>/booked/", plans.plan_booked, name="plan-booked"),
    path("sessions/<int:pk>/", sessions.session, name="session"),
    path("sessions/<int:pk>/move/", sessions.session_move, name="session-move"),
    path("sessions/<int:pk>/cancel/", sessions.session_cancel, name="session-cancel"),
    re_path(rf"^sessions/(?P<pk>[0-9]+)/(?P<verb>{_VERB})/$", sessions.session_verb, name="session-verb"),
    path("visits/<int:pk>/", visits.visit, name="visit"),
    path("visits/<int:pk>/arrive/", visits.visit_arrive, name="visit-arrive"),
    path("visits/<int:pk>/cancel/", visits.visit_cancel, name="visit-cancel"),
    path("classes/<int:pk>/", meetings.meeting, name="meeting"),
    path("mails/", mails.mails, name="mails"),
    path("mails/<int:number>/", mails.mail, name="mail"),
]
