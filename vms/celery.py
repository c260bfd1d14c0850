"""The Celery app: `celery -A vms worker|inspect|control`. Queues are named in settings."""

import os

from celery import Celery

import recorder.control  # noqa: F401 - the operations CLI looks for its commands before it loads any task

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vms.settings")

app = Celery("vms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# The recorder's step takes part only in workers named recorder@<server>.
app.steps["worker"].add("recorder.worker.bootstep:RecorderStep")
