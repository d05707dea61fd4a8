"""What a manager keeps in order: staff, skills, hours, places, calendar, settings, catalogue, accounts, imports."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clinic.models import CalendarDay, Shift, User
from clinic.models.resources import Sex
from clinic.permissions import Role
from courses.api.fields import Body, DayField, KeyField, MinuteField, WeekdayField
from courses.catalogue.models import GapUnit
from courses.catalogue.needs import ROLES
from courses.importing.models import ImportRun
from courses.managing.patterns import Rhythm
from courses.managing.places import MOST_PLACES

_ACCEPTED = "Save although booked sessions are left outside; they are marked to be re-placed."
_RHYTHMS = [(one.value, one.label) for one in Rhythm if one != Rhythm.OTHER]


class AcceptedBody(Body):
    accepted = serializers.BooleanField(default=False, help_text=_ACCEPTED)


# --- Staff -----------------------------------------------------------------------------------------------------------


class TherapistChangeBody(Body):
    full_name = serializers.CharField(max_length=200, required=False)
    short_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    title = serializers.CharField(max_length=100, required=False, allow_blank=True)
    staff_group = serializers.CharField(max_length=50, required=False, allow_blank=True)
    gender = serializers.ChoiceField(Sex.choices, required=False, allow_blank=True)
    languages = serializers.ListField(child=serializers.RegexField(r"^[a-z]{2,3}$"), required=False, max_length=20)
    capacity = serializers.IntegerField(min_value=1, max_value=MOST_PLACES, required=False)
    is_prescriber = serializers.BooleanField(required=False)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


class TherapistBody(TherapistChangeBody):
    clinic = KeyField()
    full_name = serializers.CharField(max_length=200)


class QualificationBody(Body):
    therapist = KeyField()
    procedure = KeyField()
    valid_from = DayField(required=False, allow_null=True, default=None)
    valid_until = DayField(required=False, allow_null=True, default=None, help_text="The last day.")


class QualificationDatesBody(AcceptedBody):
    valid_from = DayField(allow_null=True)
    valid_until = DayField(allow_null=True, help_text="The last day.")


# --- Hours -----------------------------------------------------------------------------------------------------------


class ShiftSerializer(serializers.ModelSerializer[Shift]):
    class Meta:
        model = Shift
        fields = [
            "id",
            "therapist",
            "clinic",
            "name",
            "starts_on",
            "ends_on",
            "start_time",
            "end_time",
            "break_from",
            "break_until",
            "rrule",
            "exdates",
        ]


class ShiftTimesBody(Body):
    start_time = MinuteField()
    end_time = MinuteField()
    break_from = MinuteField(required=False, allow_null=True, default=None)
    break_until = MinuteField(required=False, allow_null=True, default=None)
    rhythm = serializers.ChoiceField(_RHYTHMS)
    weekdays = serializers.ListField(child=WeekdayField(), min_length=1, max_length=7)
    ends_on = DayField(required=False, allow_null=True, default=None)
    name = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")


class ShiftBody(ShiftTimesBody):
    therapist = KeyField()
    clinic = KeyField()
    starts_on = DayField()


class ShiftChangeBody(ShiftTimesBody):
    from_date = DayField(help_text="From this day on; what was before stays.")
    accepted = serializers.BooleanField(default=False, help_text=_ACCEPTED)


class ShiftEndBody(AcceptedBody):
    last_day = DayField()


class HoursBody(Body):
    start = MinuteField()
    end = MinuteField()


class RosterDayBody(Body):
    therapist = KeyField()
    date = DayField()
    hours = HoursBody(many=True, help_text="In order; none for a free day.")


class RosterBody(AcceptedBody):
    days = serializers.ListField(child=RosterDayBody(), min_length=1, max_length=1000)


class RosterCopyBody(AcceptedBody):
    what = serializers.ChoiceField([("week", "week"), ("month", "month")])
    from_day = DayField(help_text="A day of the week or month to copy.")
    onto_day = DayField(help_text="A day of the one to copy onto.")


class PublishBody(Body):
    until = DayField(allow_null=True, help_text="The last day that is final; null: all are.")


class ChangedDays(serializers.Serializer[None]):
    changed = serializers.IntegerField()


# --- Places and calendar ---------------------------------------------------------------------------------------------


class RoomChangeBody(AcceptedBody):
    name = serializers.CharField(max_length=100, required=False)
    room_type = serializers.CharField(max_length=50, required=False)
    floor = serializers.CharField(max_length=16, required=False, allow_blank=True)
    capacity = serializers.IntegerField(min_value=1, max_value=MOST_PLACES, required=False)
    is_active = serializers.BooleanField(required=False)


class RoomBody(Body):
    clinic = KeyField()
    name = serializers.CharField(max_length=100)
    room_type = serializers.CharField(max_length=50)
    floor = serializers.CharField(max_length=16, required=False, allow_blank=True, default="")
    capacity = serializers.IntegerField(min_value=1, max_value=MOST_PLACES, required=False, default=1)


class DeviceChangeBody(AcceptedBody):
    name = serializers.CharField(max_length=100, required=False)
    equipment_type = serializers.CharField(max_length=50, required=False)
    inventory_number = serializers.CharField(max_length=50, required=False, allow_blank=True)
    room = KeyField(required=False)
    is_active = serializers.BooleanField(required=False)


class DeviceBody(Body):
    room = KeyField()
    name = serializers.CharField(max_length=100)
    equipment_type = serializers.CharField(max_length=50)
    inventory_number = serializers.CharField(max_length=50, required=False, allow_blank=True, default="")


class CalendarDaySerializer(serializers.ModelSerializer[CalendarDay]):
    class Meta:
        model = CalendarDay
        fields = ["id", "clinic", "date", "kind", "name", "closes_at", "works_as"]


class CalendarDayBody(AcceptedBody):
    clinic = KeyField()
    date = DayField()
    kind = serializers.ChoiceField(CalendarDay.Kind.choices)
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    closes_at = MinuteField(required=False, allow_null=True, default=None)
    works_as = WeekdayField(required=False, allow_null=True, default=None)


class AcceptDaysBody(AcceptedBody):
    clinic = KeyField()
    dates = serializers.ListField(child=DayField(), min_length=1, max_length=100)


# --- Settings --------------------------------------------------------------------------------------------------------


class ClinicChangeBody(AcceptedBody):
    name = serializers.CharField(max_length=200, required=False)
    language = serializers.RegexField(r"^[a-z]{2,3}$", required=False)
    address = serializers.CharField(max_length=300, required=False, allow_blank=True)
    phone = serializers.CharField(max_length=32, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    opening_weekdays = serializers.ListField(child=WeekdayField(), min_length=1, max_length=7, required=False)
    book_until = DayField(required=False, allow_null=True)
    quiet_from = MinuteField(required=False)
    quiet_until = MinuteField(required=False)
    settle_minutes = serializers.IntegerField(min_value=0, max_value=120, required=False)
    reminder_offsets = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=720), max_length=5, required=False
    )
    hold_minutes = serializers.IntegerField(min_value=1, max_value=120, required=False)
    late_cancel_hours = serializers.IntegerField(min_value=0, max_value=336, required=False)
    room_change_minutes = serializers.IntegerField(min_value=0, max_value=60, required=False)


# --- Catalogue -------------------------------------------------------------------------------------------------------


class ProcedureChangeBody(Body):
    short_code = serializers.CharField(max_length=8, required=False, allow_blank=True)
    short_code_ru = serializers.CharField(max_length=8, required=False, allow_blank=True)
    name_en = serializers.CharField(max_length=200, required=False, allow_blank=True)
    name_ru = serializers.CharField(max_length=200, required=False, allow_blank=True)
    name_pl = serializers.CharField(max_length=200, required=False, allow_blank=True)
    category = serializers.CharField(max_length=32, required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=32), required=False, max_length=50)
    minutes = serializers.IntegerField(min_value=5, max_value=480, required=False, allow_null=True)
    sessions_default = serializers.IntegerField(min_value=0, max_value=365, required=False, allow_null=True)
    sessions_min = serializers.IntegerField(min_value=0, max_value=365, required=False, allow_null=True)
    sessions_max = serializers.IntegerField(min_value=0, max_value=365, required=False, allow_null=True)
    gap_min = serializers.IntegerField(min_value=0, max_value=365, required=False, allow_null=True)
    gap_max = serializers.IntegerField(min_value=0, max_value=365, required=False, allow_null=True)
    gap_unit = serializers.ChoiceField(GapUnit.choices, required=False)
    per_week = serializers.IntegerField(min_value=0, max_value=365, required=False, allow_null=True)
    therapist_change_cost = serializers.IntegerField(min_value=0, max_value=100, required=False)
    is_group = serializers.BooleanField(required=False)
    requires_referral = serializers.BooleanField(required=False)
    note = serializers.CharField(max_length=10_000, required=False, allow_blank=True)


class ProcedureBody(ProcedureChangeBody):
    clinic = KeyField()
    code = serializers.RegexField(r"^[A-Za-z0-9_-]{1,50}$")


class NeedBody(Body):
    role = serializers.ChoiceField([(one.value, one.label) for one in ROLES])
    type_code = serializers.CharField(max_length=50, required=False, allow_blank=True, default="")
    minutes_before = serializers.IntegerField(min_value=0, max_value=240, required=False, default=0)
    minutes_after = serializers.IntegerField(min_value=0, max_value=240, required=False, default=0)
    hands_on_start = serializers.IntegerField(min_value=0, max_value=240, required=False, default=0)
    hands_on_end = serializers.IntegerField(min_value=0, max_value=240, required=False, default=0)


class NeedsBody(Body):
    requirements = serializers.ListField(child=NeedBody(), max_length=20)


class VariantBody(Body):
    area = serializers.CharField(max_length=64)
    minutes = serializers.IntegerField(min_value=5, max_value=480, required=False, allow_null=True, default=None)
    units = serializers.DecimalField(
        max_digits=4, decimal_places=1, min_value=0, required=False, allow_null=True, default=None
    )


class VariantsBody(Body):
    variants = serializers.ListField(child=VariantBody(), max_length=60)


class SeparationsBody(Body):
    procedures = serializers.ListField(child=KeyField(), max_length=200)


# --- Accounts and imports --------------------------------------------------------------------------------------------


class UserSerializer(serializers.ModelSerializer[User]):
    roles = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "email", "first_name", "last_name", "is_active", "roles"]

    @extend_schema_field(
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"clinic": {"type": "integer"}, "role": {"type": "string"}},
            },
        }
    )
    def get_roles(self, user: User) -> list[dict[str, object]]:
        """Roles in the clinics that the reader manages."""
        own = set(self.context.get("clinic_ids", ()))
        return [{"clinic": m.clinic_id, "role": m.role} for m in user.memberships.all() if m.clinic_id in own]


class UserBody(Body):
    clinic = KeyField()
    email = serializers.EmailField(max_length=254)
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices), min_length=1, max_length=4)
    first_name = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")
    last_name = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")
    therapist = KeyField(required=False, help_text="Whose account it is.")


class UserRolesBody(Body):
    clinic = KeyField()
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices), max_length=4)


class SwitchBody(Body):
    is_active = serializers.BooleanField()


class InvitationSerializer(serializers.Serializer[None]):
    link = serializers.CharField(help_text="Works once: behind it the person chooses a password.")


class ImportSerializer(serializers.ModelSerializer[ImportRun]):
    class Meta:
        model = ImportRun
        fields = ["id", "clinic", "status", "mapping", "created_at", "accepted", "created", "differing", "error"]


class ImportFileBody(Body):
    name = serializers.CharField(max_length=150)
    content = serializers.CharField(trim_whitespace=False, allow_blank=True, help_text="The table as text.")


class ImportBody(Body):
    clinic = KeyField()
    files = serializers.ListField(child=ImportFileBody(), min_length=1, max_length=30)
    mapping = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
