"""`manage.py simcam`: simulated cameras over RTSP (see `recorder.simcam.cli`)."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand

from recorder.simcam import cli


class Command(BaseCommand):
    help = "Simulated IP cameras over RTSP, with main and sub stream, and faults on request"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
        code = cli.run(Namespace(**options))
        if code:
            sys.exit(code)
