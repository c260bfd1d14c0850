"""The admin site at /admin/: for the owner only, and for reading. Rows are changed by services, never here.

Apps register with `owner_site` in their `admin.py`. Signing in is the console's, so that its lock-out holds here too.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect

from vms.accounts.rights import Role


class OwnerAdminSite(admin.AdminSite):
    site_header = "Heron VMS"
    site_title = "Heron VMS"
    index_title = "Database (read only)"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_authenticated and user.is_active and user.role == Role.OWNER)

    def login(self, request: HttpRequest, extra_context=None) -> HttpResponseRedirect:
        return HttpResponseRedirect(f"{settings.LOGIN_URL}?{urlencode({'next': request.get_full_path()})}")


owner_site = OwnerAdminSite(name="admin")


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows rows; adds, changes and deletes nothing."""

    list_per_page = 50
    show_full_result_count = False

    def has_view_permission(self, request: HttpRequest, obj=None) -> bool:
        return owner_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return owner_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False
