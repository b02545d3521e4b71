"""Certificates for tests, made by openssl(1): authorities, and what they sign."""

import hashlib
import pathlib
import ssl
import subprocess

from harness import need_program


class Pki:
    """A folder of PEM files. Every method gives paths: Cert(cert, key)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.openssl = need_program("openssl")

    def _run(self, *words):
        subprocess.run([self.openssl, *map(str, words)], check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def authority(self, name="Test CA"):
        return self._make(name.replace(" ", "-"), ["-subj", f"/CN={name}"])

    def self_signed(self, name, san):
        return self._make(name, ["-subj", f"/CN={name}", "-addext", f"subjectAltName={san}"])

    def _make(self, stem, words):
        made = Cert(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                  "-keyout", made.key, "-out", made.cert, *words)
        return made

    def issue(self, authority, name, san=None, days=30):
        """Signed by the authority; `days` of -1 has expired."""
        made = Cert(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        extra = ["-addext", f"subjectAltName={san}"] if san else []
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", made.key,
                  "-out", request, "-subj", f"/CN={name}", *extra)
        self._run("x509", "-req", "-in", request, "-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial",
                  "-days", days, "-copy_extensions", "copy", "-out", made.cert)
        return made

    def encrypt(self, cert):
        """The key once more, with a passphrase."""
        path = cert.key.with_suffix(".enc")
        self._run("pkey", "-in", cert.key, "-aes256", "-passout", "pass:secret", "-out", path)
        return path


class Cert:
    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    @property
    def fingerprint(self):
        """As --pin takes it and pier-listen prints it."""
        return "SHA256:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.cert.read_text())).hexdigest()

    @property
    def files(self):
        return ["--cert", str(self.cert), "--key", str(self.key)]

    def server_context(self, **limits):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return limited(context, **limits)


def client_context(own=None, **limits):
    """A client that believes anybody; `own` is its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if own:
        context.load_cert_chain(own.cert, own.key)
    return limited(context, **limits)


def limited(context, version=None, alpn=None):
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    return context
