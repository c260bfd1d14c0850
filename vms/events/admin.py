from django.contrib import admin

from vms.accounts.admin_site import ReadOnlyAdmin, owner_site
from vms.events.models import Event


@admin.register(Event, site=owner_site)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["at", "kind", "severity", "camera", "server", "detail"]
    list_filter = ["severity", "kind"]
    list_select_related = ["camera", "server"]
