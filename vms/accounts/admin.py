from django.contrib import admin

from vms.accounts.admin_site import ReadOnlyAdmin, owner_site
from vms.accounts.models import SignInFailures, User


@admin.register(User, site=owner_site)
class UserAdmin(ReadOnlyAdmin):
    list_display = ["username", "role", "is_active", "last_login", "date_joined"]
    list_filter = ["role", "is_active"]
    search_fields = ["username"]
    fields = ["username", "first_name", "last_name", "email", "role", "is_active", "last_login", "date_joined",
              "media_valid_from"]  # fmt: skip


@admin.register(SignInFailures, site=owner_site)
class SignInFailuresAdmin(ReadOnlyAdmin):
    list_display = ["username", "address", "count", "last_at"]
