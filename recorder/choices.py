"""The words of gaps and run ends as Django choices; the words themselves are capture's (`recorder.causes`)."""

from recorder.causes import EndReason, GapCause

GAP_CAUSES = [(cause.value, cause.value.replace("_", " ").capitalize()) for cause in GapCause]
END_REASONS = [(reason.value, reason.value.replace("_", " ").capitalize()) for reason in EndReason]
