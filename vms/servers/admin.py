from django.contrib import admin

from vms.accounts.admin_site import ReadOnlyAdmin, owner_site
from vms.servers.models import Server, Volume


@admin.register(Server, site=owner_site)
class ServerAdmin(ReadOnlyAdmin):
    list_display = ["name", "is_main", "is_recorder", "state", "version", "last_seen_at"]


@admin.register(Volume, site=owner_site)
class VolumeAdmin(ReadOnlyAdmin):
    list_display = ["path", "server", "purpose", "is_enabled", "state", "free_bytes", "capacity_bytes"]
    list_filter = ["server", "state"]
    list_select_related = ["server"]
