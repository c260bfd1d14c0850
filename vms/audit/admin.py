from django.contrib import admin

from vms.accounts.admin_site import ReadOnlyAdmin, owner_site
from vms.audit.models import AuditEntry


@admin.register(AuditEntry, site=owner_site)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor_name", "address", "action", "object_name", "outcome"]
    list_filter = ["action", "outcome"]
    search_fields = ["actor_name", "object_name"]
