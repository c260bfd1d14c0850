from django.apps import AppConfig


class StorageLockerConfig(AppConfig):
    name = "storagelocker"
    default_auto_field = "django.db.models.BigAutoField"
