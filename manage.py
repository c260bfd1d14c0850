#!/usr/bin/env python3
"""Django's command line: `manage.py up` starts everything, `manage.py help` lists the rest."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vms.settings")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as err:
        raise SystemExit("Django is not installed here: start the product with ./run, which installs it.") from err
    try:
        _ = settings.INSTALLED_APPS  # loads the settings: what is wrong with them is one line, not a traceback
    except ImproperlyConfigured as err:
        raise SystemExit(f"Heron can't start: {err}") from err
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
