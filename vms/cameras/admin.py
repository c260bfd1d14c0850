from django.contrib import admin

from vms.accounts.admin_site import ReadOnlyAdmin, owner_site
from vms.cameras.models import Assignment, Camera, Stream, StreamStatus


@admin.register(Camera, site=owner_site)
class CameraAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "server",
        "recording_mode",
        "is_enabled",
        "is_simulated",
        "created_at",
        "deleted_at",
    ]
    list_filter = ["server", "recording_mode", "is_enabled", "is_simulated"]
    list_select_related = ["server"]
    search_fields = ["name"]
    exclude = ["password_sealed"]


@admin.register(Stream, site=owner_site)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ["camera", "kind", "url", "is_enabled"]
    list_filter = ["kind", "is_enabled"]
    list_select_related = ["camera"]
    search_fields = ["camera__name"]


@admin.register(StreamStatus, site=owner_site)
class StreamStatusAdmin(ReadOnlyAdmin):
    list_display = ["stream", "state", "state_detail", "fps", "bitrate_bps", "last_frame_at"]
    list_filter = ["state"]
    list_select_related = ["stream"]


@admin.register(Assignment, site=owner_site)
class AssignmentAdmin(ReadOnlyAdmin):
    list_display = ["camera", "server", "epoch", "starts_at", "ends_at", "reason"]
    list_filter = ["server"]
    list_select_related = ["camera", "server"]
