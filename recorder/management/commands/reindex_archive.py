"""`manage.py reindex_archive`: rows for every file that has none, also for a whole archive after a lost database."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from recorder.consistency.rebuild import rebuild_rows
from vms.servers.local import ensure_local_server


class Command(BaseCommand):
    help = "Rebuild the archive's rows from the files on this server's volumes; rows that are there stay as they are."

    def handle(self, *args, **options):
        count = rebuild_rows(ensure_local_server())
        self.stdout.write(f"{count} segments were given their rows." if count else "Every file has its row.")
