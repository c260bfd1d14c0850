"""Camera passwords at rest: AES-256-GCM, bound to their row, key outside the database.

Sealed form: version byte 1, 96-bit nonce, ciphertext with tag. The associated text names table, row and field, so a
sealed password copied to another camera doesn't open (NIST SP 800-38D; attack A37).
"""

from __future__ import annotations

import os
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_VERSION = b"\x01"
_NONCE_BYTES = 12


class SealBrokenError(Exception):
    """A sealed password doesn't open: another key, or a row that was tampered with."""


def _binding(camera_id: uuid.UUID) -> bytes:
    return f"cameras.camera|{camera_id}|password".encode()


def seal_password(camera_id: uuid.UUID, password: str) -> bytes:
    """Empty in, empty out."""
    if not password:
        return b""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(settings.VMS_SEAL_KEY).encrypt(nonce, password.encode(), _binding(camera_id))
    return _VERSION + nonce + sealed


def open_password(camera_id: uuid.UUID, sealed: bytes) -> str:
    """The password of this very row. Raises `SealBrokenError`."""
    sealed = bytes(sealed)
    if not sealed:
        return ""
    nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        if sealed[:1] != _VERSION:
            raise InvalidTag
        return AESGCM(settings.VMS_SEAL_KEY).decrypt(nonce, body, _binding(camera_id)).decode()
    except (InvalidTag, ValueError) as err:
        raise SealBrokenError(f"The password of camera {camera_id} doesn't open with this server's key.") from err
