"""Rooms and devices, and when they are out of use."""

import datetime as dt
from typing import Any

from django import forms
from django.db.models import Prefetch, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from clinic.errors import NotFound
from clinic.models import Clinic, Equipment, Outage, Room
from courses.booking import disruption
from courses.managing import places
from courses.managing.places import MOST_PLACES
from courses.managing.rights import MANAGE, device_for, room_for
from courses.pages.forms import DateField, TimeField
from courses.pages.managing.edits import act, edit_page
from courses.pages.permissions import PageRequest, page


class Suggesting(forms.TextInput):
    """A text with suggestions: the kinds that the clinic already has."""

    template_name = "managing/suggesting.html"

    def __init__(self, options: list[str]) -> None:
        super().__init__()
        self.options = options

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        list_id = f"{context['widget']['attrs'].get('id', name)}-list"
        context["widget"]["attrs"]["list"] = list_id
        return context | {"list_id": list_id, "suggested": self.options}


class RoomForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    room_type = forms.CharField(
        label=gettext_lazy("Kind of room"),
        max_length=50,
        help_text=gettext_lazy("Procedures ask for a room by this word."),
    )
    floor = forms.CharField(label=gettext_lazy("Floor"), max_length=16, required=False)
    capacity = forms.IntegerField(
        label=gettext_lazy("Places"),
        min_value=1,
        max_value=MOST_PLACES,
        initial=1,
        help_text=gettext_lazy("How many are treated here at once."),
    )

    def __init__(self, data: Any, *, clinic: Clinic, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        known = Room.objects.filter(clinic=clinic).values_list("room_type", flat=True).distinct().order_by("room_type")
        self.fields["room_type"].widget = Suggesting(list(known))


class RoomChangeForm(RoomForm):
    is_active = forms.BooleanField(label=gettext_lazy("In use"), required=False)


class DeviceForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    equipment_type = forms.CharField(
        label=gettext_lazy("Kind of device"),
        max_length=50,
        help_text=gettext_lazy("Procedures ask for a device by this word."),
    )
    inventory_number = forms.CharField(label=gettext_lazy("Inventory number"), max_length=50, required=False)
    room = forms.ModelChoiceField(label=gettext_lazy("Stands in"), queryset=Room.objects.none())

    def __init__(self, data: Any, *, clinic: Clinic, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        kinds = Equipment.objects.filter(clinic=clinic).values_list("equipment_type", flat=True).distinct()
        self.fields["equipment_type"].widget = Suggesting(list(kinds.order_by("equipment_type")))
        rooms = Room.objects.filter(clinic=clinic, is_active=True)
        self.fields["room"].queryset = rooms  # type: ignore[attr-defined]


class DeviceChangeForm(DeviceForm):
    is_active = forms.BooleanField(label=gettext_lazy("In use"), required=False)


class PeriodForm(forms.Form):
    """A day without a time is the whole day. `open_ended` says whether the end may be left out."""

    from_date = DateField(label=pgettext_lazy("absence", "From"))
    from_time = TimeField(
        label=pgettext_lazy("absence", "At"),
        required=False,
        help_text=gettext_lazy("Empty: from the beginning of the day."),
    )
    until_date = DateField(label=pgettext_lazy("absence", "Until"), required=False)
    until_time = TimeField(
        label=gettext_lazy("Until what time"), required=False, help_text=gettext_lazy("Empty: to the end of the day.")
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)

    def __init__(self, data: Any, *, initial: dict[str, Any], open_ended: bool) -> None:
        super().__init__(data, initial=initial)
        self.fields["until_date"].required = not open_ended
        if open_ended:
            self.fields["until_date"].help_text = _("Empty: until further notice.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in ("from_date", "until_date"):
            day = data.get(name)
            if day is not None and not 2000 <= day.year < 2200:
                self.add_error(name, _("Give a date between 2000 and 2199."))
        if data.get("until_time") is not None and data.get("until_date") is None and "until_date" not in self.errors:
            self.add_error("until_date", _("Give the day as well."))
        return data

    def period(self, zone: dt.tzinfo) -> tuple[dt.datetime, Any]:
        """UTC moments; None for an open end."""
        data = self.cleaned_data
        start = dt.datetime.combine(data["from_date"], data["from_time"] or dt.time(), tzinfo=zone)
        if data["until_date"] is None:
            return start.astimezone(dt.UTC), None
        whole = data["until_time"] is None
        last = data["until_date"] + dt.timedelta(days=1) if whole else data["until_date"]
        end = dt.datetime.combine(last, dt.time() if whole else data["until_time"], tzinfo=zone)
        return start.astimezone(dt.UTC), end.astimezone(dt.UTC)


@page(MANAGE)
def rooms(request: PageRequest) -> HttpResponse:
    """All rooms with what stands in them. `?all=1` shows those out of use for good as well."""
    with_gone = "all" in request.GET
    devices = Equipment.objects.order_by("name", "pk")
    rows = Room.objects.filter(clinic=request.clinic).select_related("resource")
    if not with_gone:
        rows, devices = rows.filter(is_active=True), devices.filter(is_active=True)
    outages = Outage.objects.filter(_standing_in([request.clinic.pk])).exclude(ends_at__lte=request.now)
    context = {
        "rooms": list(rows.prefetch_related(Prefetch("equipment", devices))),
        "outages": outages.select_related("resource__room", "resource__equipment").order_by("starts_at"),
        "with_gone": with_gone,
    }
    return render(request, "managing/rooms.html", context)


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def room_new(request: PageRequest) -> HttpResponse:
    return edit_page(
        request,
        title=_("New room"),
        form=RoomForm(request.POST or None, clinic=request.clinic),
        save=lambda data, _given: places.create_room(clinic=request.clinic, by=request.user, now=request.now, **data),
        done=_("Room added."),
        back=reverse("manage-rooms"),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def room(request: PageRequest, pk: int) -> HttpResponse:
    row = room_for(request.user, pk)
    initial = {name: getattr(row, name) for name in ("name", "room_type", "floor", "is_active")}
    initial["capacity"] = row.resource.capacity
    return edit_page(
        request,
        title=_("Change: %(name)s") % {"name": row},
        form=RoomChangeForm(request.POST or None, clinic=row.clinic, initial=initial),
        save=lambda data, given: places.edit_room(
            room=row, by=request.user, now=request.now, accepted=given.accepted, seen=given.seen, **data
        ),
        done=_("Saved."),
        back=reverse("manage-rooms"),
        rows=[row, row.resource],
        template="managing/place.html",
        outage_url=reverse("manage-outage-new", args=[pk]),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def device_new(request: PageRequest) -> HttpResponse:
    """`?room=3` is where it stands at first."""
    chosen = request.GET.get("room", "")
    initial = {"room": int(chosen)} if chosen.isdecimal() else None
    return edit_page(
        request,
        title=_("New device"),
        form=DeviceForm(request.POST or None, clinic=request.clinic, initial=initial),
        save=lambda data, _given: places.create_device(by=request.user, now=request.now, **data),
        done=_("Device added."),
        back=reverse("manage-rooms"),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def device(request: PageRequest, pk: int) -> HttpResponse:
    row = device_for(request.user, pk)
    names = ("name", "equipment_type", "inventory_number", "is_active")
    initial = {name: getattr(row, name) for name in names} | {"room": row.room_id}
    return edit_page(
        request,
        title=_("Change: %(name)s") % {"name": row},
        form=DeviceChangeForm(request.POST or None, clinic=row.clinic, initial=initial),
        save=lambda data, given: places.edit_device(
            device=row, by=request.user, now=request.now, accepted=given.accepted, seen=given.seen, **data
        ),
        done=_("Saved."),
        back=reverse("manage-rooms"),
        rows=[row, row.resource],
        template="managing/place.html",
        outage_url=reverse("manage-outage-new", args=[pk]),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def outage_new(request: PageRequest, pk: int) -> HttpResponse:
    """`pk` is the room's or the device's."""
    place: Room | Equipment
    try:
        place = room_for(request.user, pk)
    except NotFound:
        place = device_for(request.user, pk)
    today = request.clinic.local_date(request.now)
    form = PeriodForm(request.POST or None, initial={"from_date": today}, open_ended=True)

    def save(data: dict[str, Any], _given: object) -> object:
        starts_at, ends_at = form.period(place.clinic.tz)
        return disruption.record_outage(
            resource=place.resource,
            starts_at=starts_at,
            ends_at=ends_at,
            reason=data["reason"],
            by=request.user,
            now=request.now,
        )

    return edit_page(
        request,
        title=_("Out of use: %(name)s") % {"name": place},
        lead=_("It counts at once. Sessions inside it stay booked and are marked to be re-placed; the desk sees them."),
        form=form,
        save=save,
        done=_("Recorded. Sessions inside it are marked to be re-placed."),
        back=reverse("manage-rooms"),
        button=_("Record"),
        named={"starts_at": "from_date", "ends_at": "until_date"},
        template="managing/period.html",
    )


@page(MANAGE, methods=("POST",))
def outage_end(request: PageRequest, pk: int) -> HttpResponse:
    row = Outage.objects.filter(_standing_in(request.user.clinic_ids(MANAGE)), pk=pk).first()
    if row is None:
        raise NotFound

    def end(_given: object) -> None:
        if row.starts_at >= request.now:
            disruption.take_back(cause=row, by=request.user, now=request.now)
        else:
            disruption.end_outage(outage=row, ends_at=request.now, by=request.user, now=request.now)

    return act(request, end, title=_("In use again"), done=_("In use again."), back=reverse("manage-rooms"))


def _standing_in(clinic_ids: list[int]) -> Q:
    return Q(resource__room__clinic__in=clinic_ids) | Q(resource__equipment__clinic__in=clinic_ids)
