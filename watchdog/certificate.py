"""The certificate of web and media when they can be reached from other machines: the user's own, else self-signed.

A self-signed one keeps passwords and pictures off the wire and gives browsers a secure context (WebCodecs needs one);
it proves nobody's identity, which the browser says. It names every address of this machine and is made anew when it
is about to expire or the machine got another address.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vms.own_addresses import own_addresses, own_names

VALID = timedelta(days=825)
"""The longest that browsers accept."""
RENEW_BEFORE = timedelta(days=30)


def ensure_certificate(certificate: Path, key: Path, bind: str) -> None:
    """Make the two PEM files where they are missing or of no use any more. Idempotent; raises `OSError`."""
    names = [x509.DNSName(name) for name in own_names()]
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in own_addresses(bind)]
    if _is_good(certificate, key, addresses):
        return
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, own_names()[0][:64])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    _write(
        key,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _is_good(certificate: Path, key: Path, addresses: list[x509.IPAddress]) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    if found.public_key() != private.public_key() or found.not_valid_after_utc < datetime.now(UTC) + RENEW_BEFORE:
        return False
    return {address.value for address in addresses} <= set(named.get_values_for_type(x509.IPAddress))


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
