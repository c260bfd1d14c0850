from django.contrib import admin

from recorder.models import Gap, Recording, Segment
from vms.accounts.admin_site import ReadOnlyAdmin, owner_site


@admin.register(Recording, site=owner_site)
class RecordingAdmin(ReadOnlyAdmin):
    list_display = ["stream", "server", "epoch", "started_at", "ended_at", "end_reason"]
    list_filter = ["server", "end_reason"]
    list_select_related = ["stream", "server"]


@admin.register(Gap, site=owner_site)
class GapAdmin(ReadOnlyAdmin):
    list_display = ["stream", "server", "epoch", "started_at", "ended_at", "cause", "detail"]
    list_filter = ["server", "cause"]
    list_select_related = ["stream", "server"]


@admin.register(Segment, site=owner_site)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ["stream", "volume", "epoch", "started_at", "ended_at", "size_bytes"]
    list_select_related = ["stream", "volume"]
    raw_id_fields = ["recording"]
