"""The Django project. The Celery app is loaded here so that `@shared_task` finds it in every process."""

from vms.celery import app as celery_app

__all__ = ["celery_app"]
