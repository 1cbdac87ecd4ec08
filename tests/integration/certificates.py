"""TLS servers of all kinds on 127.0.0.1: in order, expired, self-signed, weak, old."""

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail server")])


def issued(
    authority: trustme.CA, name: str = "127.0.0.1", not_after: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context


def only_tls_1_0(authority: trustme.CA) -> ssl.SSLContext:
    context = issued(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    return context


def only_weak_ciphers(authority: trustme.CA) -> ssl.SSLContext:
    """Of TLS 1.2, with what no client of today offers."""
    context = issued(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("NULL:@SECLEVEL=0")
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    return _made(folder, rsa.generate_private_key(65537, 2048))


def with_short_key(authority: trustme.CA, folder: Path) -> ssl.SSLContext:
    """Of an authority that is trusted, and with an RSA key of 1,024 bits."""
    return _made(folder, rsa.generate_private_key(65537, 1024), authority)


def _made(folder: Path, key: rsa.RSAPrivateKey, authority: trustme.CA | None = None) -> ssl.SSLContext:
    certificate = _signed(key, authority)
    file = folder / "server.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    file.write_bytes(key.private_bytes(pem, form, plain) + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(file)
    return context


def _signed(key: rsa.RSAPrivateKey, authority: trustme.CA | None) -> x509.Certificate:
    now = datetime.now(UTC)
    name = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder(subject_name=_NAME, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(name, critical=False)
    )
    if authority is None:
        return builder.issuer_name(_NAME).sign(key, hashes.SHA256())
    signer = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
    return builder.issuer_name(issuer).sign(signer, hashes.SHA256())  # type: ignore[arg-type]
