"""The list of everything that was sent, for tests that compare an archive with it byte for byte.

One JSON object a line. Video: `stream` ("1/main"), `kind` "video", `counter`, `utc_ns`, `timestamp` (RTP,
unwrapped), `key`, `sha256` over the NAL units without start codes or lengths (the stamp included),
`bytes` of them, `viewers` (how many it was sent to). Audio: `kind` "audio", `index`, `utc_ns`,
`timestamp`, `sha256`, `bytes`, `viewers`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Ledger:
    """Lines are in the file when `flush` returns; the server calls it each second and at its end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1 << 16)

    def add(self, nals: Iterable[bytes], **facts: Any) -> None:
        digest, size = hashlib.sha256(), 0
        for nal in nals:
            digest.update(nal)
            size += len(nal)
        facts.update(sha256=digest.hexdigest(), bytes=size)
        self._file.write(json.dumps(facts, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
