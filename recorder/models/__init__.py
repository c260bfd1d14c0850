"""The archive's tables: what footage there is (`catalogue`), how long it stays (`retention`), and what keeps the ledger
of coverage whole (`coverage`)."""

from recorder.models.catalogue import Gap, JournalPosition, Recording, Segment
from recorder.models.coverage import ArchiveCheck, ArchiveFinding, CoverageMark, ServerSilence
from recorder.models.retention import GarbageFile, Hold, RetentionRule, StreamUsage

__all__ = [
    "ArchiveCheck",
    "ArchiveFinding",
    "CoverageMark",
    "Gap",
    "GarbageFile",
    "Hold",
    "JournalPosition",
    "Recording",
    "RetentionRule",
    "Segment",
    "ServerSilence",
    "StreamUsage",
]
