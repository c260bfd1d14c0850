"""`manage.py up`: prepare the installation, then be the parent of every service until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vms.own_addresses import is_loopback_only, own_addresses
from watchdog.exceptions import CannotStartError
from watchdog.preparation import prepare_installation
from watchdog.services import service_specs
from watchdog.supervisor import Supervisor, hold_instance_lock, require_free_port


class Command(BaseCommand):
    help = "Start all services of this server and keep them running."
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("--only", help="Names of the services to start, with commas between them.")

    def handle(self, *args, only: str | None = None, **options):
        logging.getLogger("watchdog").setLevel(logging.INFO)
        try:
            lock = hold_instance_lock(settings.VMS_HOME.run / "up.lock")
            require_free_port(settings.VMS_BIND, settings.VMS_PORT, "VMS_PORT")
            require_free_port(settings.VMS_BIND, settings.VMS_MEDIA_PORT, "VMS_MEDIA_PORT")
            prepared = prepare_installation()
            if prepared.simulated_cameras:
                require_free_port("127.0.0.1", settings.VMS_SIMCAM_PORT, "VMS_SIMCAM_PORT")
            specs = service_specs(with_simulated_cameras=prepared.simulated_cameras)
            if only:
                wanted = {name.strip() for name in only.split(",")}
                if unknown := wanted - {spec.name for spec in specs}:
                    raise CannotStartError(f"There is no service named {', '.join(sorted(unknown))} here.")
                specs = [spec for spec in specs if spec.name in wanted]
        except CannotStartError as err:
            raise CommandError(str(err)) from err

        def tell() -> None:
            host = "localhost" if is_loopback_only(settings.VMS_BIND) else own_addresses(settings.VMS_BIND)[0]
            url = f"{'https' if settings.VMS_IS_HTTPS else 'http'}://{host}:{settings.VMS_PORT}"
            print(f"\n  Heron VMS runs at {url}/")
            if prepared.setup_token:
                print(f"  First time here? Make the owner's account: {url}/set-up/{prepared.setup_token}/")
            if prepared.simulated_cameras:
                print(f"  {prepared.simulated_cameras} simulated cameras are recording (VMS_DEMO=0 leaves them out).")
            print("  Ctrl-C stops everything.\n")
            sys.stdout.flush()

        async def supervise() -> None:
            await Supervisor(specs, log_directory=settings.VMS_HOME.log, on_started=tell).run()

        asyncio.run(supervise())
        del lock
