"""The product's own settings in a home of their own: tests never touch `./var`."""

import os
import tempfile
from pathlib import Path

_home = Path(os.environ.get("HERON_TEST_HOME") or tempfile.mkdtemp(prefix="heron-"))
os.environ["HERON_TEST_HOME"] = str(_home)  # processes that tests start share it
os.environ["VMS_HOME"] = str(_home)
os.environ.setdefault("VMS_CAMERA_NETWORKS", "127.0.0.0/8,10.0.0.0/8,192.168.0.0/16")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from vms.settings import *  # noqa: E402, F403
from vms.settings import STATIC_ROOT, STORAGES  # noqa: E402

STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Pages are tested without collectstatic: plain names instead of hashed ones.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # signing in costs nothing here
