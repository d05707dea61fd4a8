"""Rooms that are not a procedure's usual ones but have its device: what a doctor could allow where there is no plan."""

import datetime as dt
from collections import defaultdict
from dataclasses import replace

from clinic.models import Equipment, ResourceKind
from courses.booking.calendars import read_calendars
from courses.booking.problems import Bridge
from courses.catalogue.models import Requirement
from courses.planning.types import RoomOption


def with_other_rooms(bridge: Bridge, *, now: dt.datetime) -> Bridge:
    """The bridge whose requests name these rooms as `other_rooms`, with their calendars. Five statements at most."""
    needs = Requirement.objects.filter(
        procedure__in={asked.procedure.pk for asked in bridge.asked}, role=ResourceKind.EQUIPMENT
    )
    types = dict(needs.values_list("procedure_id", "type_code"))
    devices = Equipment.objects.filter(
        clinic=bridge.clinic, is_active=True, room__is_active=True, equipment_type__in=set(types.values())
    )
    standing: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    capacities: dict[int, int] = {}
    for device in devices.select_related("resource", "room__resource").order_by("pk"):
        standing[device.equipment_type][device.room_id].append(device.pk)
        capacities |= {device.pk: device.resource.capacity, device.room_id: device.room.resource.capacity}
    requests = []
    for asked, request in zip(bridge.asked, bridge.problem.courses, strict=True):
        usual = {option.room for option in request.rooms}
        places = standing.get(types.get(asked.procedure.pk, ""), {})
        others = tuple(RoomOption(room, tuple(own)) for room, own in places.items() if room not in usual)
        requests.append(replace(request, other_rooms=others))
    named = {pk for r in requests for option in r.other_rooms for pk in (option.room, *option.devices)}
    unread = sorted(named - bridge.problem.resources.keys())
    if not named:
        return bridge
    calendars = read_calendars(bridge.days, therapists=[], places=unread, capacities=capacities, now=now)
    resources = {**bridge.problem.resources, **calendars.resources}
    return replace(bridge, problem=replace(bridge.problem, courses=tuple(requests), resources=resources))
