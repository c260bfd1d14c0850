"""What must be there before the services start: schema, static files, this server, a volume, an owner, a demo.

Every step is idempotent, so each start runs them all. Called by `manage.py up` in the parent process.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import OperationalError

from vms.accounts.models import User
from vms.accounts.rights import Role
from vms.accounts.services import create_owner_directly, make_setup_link
from vms.cameras.models import Camera
from vms.cameras.services import create_camera
from vms.servers.choices import VolumePurpose
from vms.servers.local import ensure_local_server
from vms.servers.models import Server
from vms.servers.volumes import VolumeUnusableError, ensure_volume
from watchdog.certificate import ensure_certificate
from watchdog.exceptions import CannotStartError

DEMO_CAMERAS = ("Car park north", "Lobby", "Harbour", "Warehouse aisle 3")
"""After the scenes that the simulator shows first, in its order."""


@dataclass(frozen=True, slots=True)
class Prepared:
    setup_token: str | None
    """Of the one-time owner set-up link, while there is no owner."""
    simulated_cameras: int


def prepare_installation() -> Prepared:
    """Raises `CannotStartError` with one line that names what is wrong and the way out."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except OperationalError as err:
        # The database's own words may be several lines.
        raise CannotStartError(
            f"The database does not answer (VMS_DATABASE_URL): {' '.join(str(err).split())}"
        ) from err
    _collect_static_files()
    server = ensure_local_server()
    try:
        ensure_volume(server, settings.VMS_HOME.default_volume)
        ensure_volume(server, buffer_directory(server), VolumePurpose.BUFFER)
    except VolumeUnusableError as err:
        raise CannotStartError(str(err)) from err
    # Redis and the recorder start later: that nobody could be told of the new cameras is no news.
    logging.getLogger("vms").setLevel(logging.ERROR)
    if settings.VMS_IS_HTTPS and not settings.VMS_HAS_OWN_CERTIFICATE:
        ensure_certificate(settings.VMS_CERTIFICATE, settings.VMS_CERTIFICATE_KEY, settings.VMS_BIND)
    token = _ensure_owner()
    _add_demo_cameras(server)
    simulated = Camera.objects.existing().filter(is_simulated=True).count()
    return Prepared(token, len(DEMO_CAMERAS) if simulated else 0)


def buffer_directory(server: Server) -> Path:
    """The ring for live-only cameras: in memory where the system offers that, named after the site, so that a new
    installation in an old place doesn't meet its predecessor's."""
    if settings.VMS_BUFFER_DIR:
        return Path(settings.VMS_BUFFER_DIR)
    memory = Path("/dev/shm")  # noqa: S108 - the directory in it is this site's own, mode 0700
    if os.access(memory, os.W_OK):
        return memory / f"heron-{server.site_id}-{server.name}"
    return settings.VMS_HOME.run / "buffer"


def _collect_static_files() -> None:
    """Only when a file changed: hashing and compressing all of them takes seconds."""
    state = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(ignore_patterns=[]):
            figures = Path(storage.path(name)).stat()
            state.update(f"{name} {figures.st_size} {figures.st_mtime_ns}\n".encode())
    mark = settings.STATIC_ROOT / ".collected"
    if mark.exists() and mark.read_text() == state.hexdigest():
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    mark.write_text(state.hexdigest())


def _ensure_owner() -> str | None:
    if User.objects.filter(role=Role.OWNER).exists():
        return None
    username, password = settings.VMS_OWNER_USER, settings.VMS_OWNER_PASSWORD
    if username and password:
        create_owner_directly(username=username, password=password)
        return None
    return make_setup_link()


def _add_demo_cameras(server: Server) -> None:
    """Only into a fresh installation: whoever removed them doesn't want them back."""
    if not settings.VMS_DEMO or Camera.objects.exists():
        return
    for number, name in enumerate(DEMO_CAMERAS, start=1):
        base = f"rtsp://127.0.0.1:{settings.VMS_SIMCAM_PORT}/{number}"
        create_camera(
            actor=None, name=name, main_url=f"{base}/main", sub_url=f"{base}/sub", server=server, is_simulated=True
        )
