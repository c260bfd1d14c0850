from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "vms.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
