"""Which services this server runs, and their command lines (design: processes on a server)."""

from __future__ import annotations

import sys

from django.conf import settings

from watchdog.redis import redis_command
from watchdog.service import ServiceSpec


def service_specs(*, with_simulated_cameras: int = 0) -> list[ServiceSpec]:
    """In starting order. Raises `CannotStartError` when a binary is missing."""
    home = settings.VMS_HOME
    python = sys.executable
    environment = {"VMS_HOME": str(home.root), "DJANGO_SETTINGS_MODULE": "vms.settings", "PYTHONUNBUFFERED": "1"}
    specs = []
    if settings.VMS_HAS_OWN_REDIS:
        specs.append(ServiceSpec("redis", redis_command(home), stop_timeout_s=2))
    if with_simulated_cameras:
        specs.append(
            ServiceSpec(
                "simcam",
                [python, "-m", "recorder.simcam", "--cameras", str(with_simulated_cameras),
                 "--host", "127.0.0.1", "--port", str(settings.VMS_SIMCAM_PORT)],
                environment,
                stop_timeout_s=1,
            )
        )  # fmt: skip
    web_tls: list[str] = []
    media_tls: list[str] = []
    if settings.VMS_IS_HTTPS:
        certificate, key = str(settings.VMS_CERTIFICATE), str(settings.VMS_CERTIFICATE_KEY)
        web_tls = ["--ssl-certfile", certificate, "--ssl-keyfile", key]
        media_tls = ["--certificate", certificate, "--certificate-key", key]
    specs += [
        ServiceSpec(
            "web",
            [python, "-m", "uvicorn", "vms.asgi:application", "--host", settings.VMS_BIND,
             "--port", str(settings.VMS_PORT), "--ws", "websockets-sansio", "--ws-per-message-deflate", "false",
             "--lifespan", "off", "--log-level", "warning", "--no-access-log", "--no-server-header",
             "--timeout-graceful-shutdown", "2", *web_tls],
            environment,
        ),
        ServiceSpec(
            "media",
            [python, "-m", "recorder.media", "--home", str(home.root), "--bind", settings.VMS_BIND,
             "--port", str(settings.VMS_MEDIA_PORT), *media_tls],
            environment,
        ),
        ServiceSpec(
            "recorder",
            [python, "-m", "celery", "-A", "vms", "worker", "-P", "threads", "-c", "4",
             "-Q", f"recorder.{settings.VMS_SERVER_NAME}", "-n", f"recorder@{settings.VMS_SERVER_NAME}",
             "--without-gossip", "--without-mingle", "--loglevel", "INFO"],
            # Django's checks would load every page and route into the worker; `up` has run them.
            {**environment, "CELERY_SKIP_CHECKS": "1"},
            stop_timeout_s=6,
        ),
    ]  # fmt: skip
    return specs
