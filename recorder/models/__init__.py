"""The archive's tables: what footage there is (`catalogue`), and how long it stays (`retention`)."""

from recorder.models.catalogue import Gap, JournalPosition, Recording, Segment
from recorder.models.retention import GarbageFile, Hold, RetentionRule

__all__ = ["Gap", "GarbageFile", "Hold", "JournalPosition", "Recording", "RetentionRule", "Segment"]
