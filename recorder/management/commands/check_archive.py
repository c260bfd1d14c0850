"""`manage.py check_archive`: files, rows and volumes of this server compared; exit 1 when they differ."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict

from django.core.management.base import BaseCommand

from recorder.consistency.compare import compare_archive
from vms.servers.local import ensure_local_server


class Command(BaseCommand):
    help = "Compare the files on this server's volumes with the database; says every difference, changes nothing."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="One JSON object a line.")

    def handle(self, *args, **options):
        counts: Counter[str] = Counter()
        for finding in compare_archive(ensure_local_server().pk):
            counts[finding.difference] += 1
            if options["json"]:
                self.stdout.write(json.dumps(asdict(finding)))
            else:
                self.stdout.write(f"{finding.difference}: {finding.path} {finding.detail}".rstrip())
        if not options["json"]:
            told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
            self.stdout.write(told or "Files and database agree.")
        if counts:
            raise SystemExit(1)
