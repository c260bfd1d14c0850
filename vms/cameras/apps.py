from django.apps import AppConfig


class CamerasConfig(AppConfig):
    name = "vms.cameras"
    label = "cameras"
    default_auto_field = "django.db.models.BigAutoField"
