"""Compares files and rows when somebody asks for it (`ArchiveCheck`), and keeps what it finds for API and page.

A thread of the recorder's worker, for only this machine has the volumes; the request is a row, so it outlives a restart
and needs no broker. A check that was cut off by a restart is told as failed.
"""

from __future__ import annotations

import logging
import threading
import uuid
from itertools import islice

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from recorder.consistency.compare import compare_archive
from recorder.models import ArchiveCheck, ArchiveFinding

logger = logging.getLogger(__name__)

POLL_S = 2.0
KEPT_FINDINGS = 10_000
"""More are counted, not kept: somebody swapped a disk, and the first ones say so."""
KEPT_CHECKS = 10
_BATCH = 500


class ArchiveChecker(threading.Thread):
    def __init__(self, server_id: uuid.UUID) -> None:
        super().__init__(name="archive-check", daemon=True)
        self._server_id = server_id
        self._stop_requested = threading.Event()

    def run(self) -> None:
        is_first = True
        while not self._stop_requested.wait(POLL_S):
            try:
                if is_first:
                    fail_interrupted(self._server_id)
                    is_first = False
                run_wanted_check(self._server_id)
            except (DatabaseError, InterfaceError) as err:
                logger.warning("the archive check waits for the database (%s)", type(err).__name__)
                close_old_connections()
                is_first = True
            except Exception:
                logger.exception("the archive check failed; the next round tries again")

    def stop(self) -> None:
        """A check that runs is left to die with the process."""
        self._stop_requested.set()
        self.join(1)


def fail_interrupted(server_id: uuid.UUID) -> None:
    ArchiveCheck.objects.filter(server=server_id, state=ArchiveCheck.State.RUNNING).update(
        state=ArchiveCheck.State.FAILED, finished_at=timezone.now(), error="The recorder was restarted meanwhile."
    )


def run_wanted_check(server_id: uuid.UUID) -> ArchiveCheck | None:
    """Carry out the check that waits, if one does. One query when none does."""
    check = ArchiveCheck.objects.filter(server=server_id, state=ArchiveCheck.State.WANTED).first()
    if check is None:
        return None
    check.state, check.started_at = ArchiveCheck.State.RUNNING, timezone.now()
    check.save(update_fields=["state", "started_at"])
    try:
        findings = compare_archive(server_id)
        kept = (
            ArchiveFinding(
                check_run=check, difference=finding.difference, volume=finding.volume, path=finding.path[:400],
                detail=finding.detail[:300],
            )
            for finding in islice(findings, KEPT_FINDINGS)
        )  # fmt: skip
        while batch := list(islice(kept, _BATCH)):
            ArchiveFinding.objects.bulk_create(batch)
            check.finding_count += len(batch)
        check.finding_count += sum(1 for _ in findings)
        check.state = ArchiveCheck.State.DONE
    except OSError as err:
        check.state, check.error = ArchiveCheck.State.FAILED, f"The volumes can't be read: {err}"[:300]
    except Exception as err:
        check.state, check.error = ArchiveCheck.State.FAILED, f"The check failed: {type(err).__name__}."
        raise
    finally:
        check.finished_at = timezone.now()
        check.save(update_fields=["state", "finished_at", "finding_count", "error"])
    old = ArchiveCheck.objects.filter(server=server_id).order_by("-pk").values_list("pk", flat=True)[KEPT_CHECKS:]
    ArchiveCheck.objects.filter(pk__in=list(old)).delete()
    return check
