"""Who may come in: tokens, origins, names of hosts, and the certificate that a phone's camera wants."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Literal

import platformdirs

from kinesphere import files

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Role = Literal["player", "viewer"]

COOKIE = "kinesphere-token"
OPEN = ("/", "/show", "/pad", "/favicon.ico")  # the pages themselves hold nothing of the player's; nor does /assets/
VIEWED = ("/api/status", "/api/picture.jpg", "/ws/control", "/ws/pictures")  # what a viewer may ask for
SAFE = ("GET", "HEAD", "OPTIONS")
DAYS = 390  # that a certificate is good for: browsers refuse those of more than 398
LOOPBACK = ("127.0.0.1", "::1", "localhost")

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
        "worker-src 'self' blob:; connect-src 'self' data: {sockets}; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # an address may hold a token
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True)
class Door:
    """How the stage is reached. Of a stage on loopback whoever is at the machine is its player; else a token says who comes."""

    host: str = "127.0.0.1"  # what the server listens on
    port: int = 0
    names: tuple[str, ...] = ()  # further names that a page may call it by
    tokens: bool = False  # whether a token is asked for
    https: bool = False
    player: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    viewer: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def role(self, token: str) -> Role | None:
        """Who comes with this token; None is nobody."""
        if not self.tokens:
            return "player"
        given = token.encode()
        if hmac.compare_digest(given, self.player.encode()):
            return "player"
        return "viewer" if hmac.compare_digest(given, self.viewer.encode()) else None

    def called(self, host: str) -> bool:
        """Whether a Host header names this stage. A name of somebody else's that leads here (DNS rebinding) does not."""
        name = hostname(host)
        if name is None:
            return False
        if not self.tokens:
            return name in LOOPBACK
        return name in (*LOOPBACK, *self.names, self.host) or _is_address(name)

    def origin(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may ask: only a page that this stage has served."""
        return origin == f"{'https' if self.https else 'http'}://{host}"

    def address(self, page: str = "", role: Role = "player") -> str:
        """Where a browser finds a page ("", "pad", "show")."""
        host = self.names[0] if self.names else "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        host = f"[{host}]" if ":" in host else host
        token = f"?token={self.player if role == 'player' else self.viewer}" if self.tokens else ""
        return f"{'https' if self.https else 'http'}://{host}:{self.port}/{page}{token}"


def hostname(host: str) -> str | None:
    """The name in a Host header, without its port; None where it is none."""
    try:
        return urllib.parse.urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def machine_names() -> tuple[str, ...]:
    """What other devices call this machine: its address in the local network first, then its name."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only asks which of our addresses would be used
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    name = socket.gethostname().lower()
    return (*found, name, name if name.endswith(".local") else f"{name}.local")


class Guard:
    """Stands before the stage and turns away: foreign hosts and origins, wrong tokens, and viewers who want to play."""

    def __init__(self, app: Any, door: Door) -> None:
        self.app, self.door = app, door
        self.headers = {k: v.format(sockets="ws: wss:" if k.startswith("content") else "") for k, v in HEADERS.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _turn_away(scope, receive, send, *refusal)
            return
        await self.app(scope, receive, self._with_headers(scope, send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Why somebody may not come in, as a status and words; None where they may, and then `scope["role"]` says who it is."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, path = headers.get("host", ""), scope["path"]
        if not self.door.called(host):
            return 421, f"this stage is not called {host[:80]!r}: open {self.door.address().partition('?')[0]}"
        if (scope["type"] == "websocket" or scope["method"] not in SAFE) and not self._own_origin(headers, host):
            return 403, "only a page of this stage may ask for that"
        scope["role"] = self.door.role(_token(scope, headers))
        if path in OPEN or path.startswith("/assets/"):
            return None
        if scope["role"] is None:
            return 401, "the token is missing or wrong: open the address that the stage has printed, or its QR code"
        if scope["role"] == "viewer" and (path not in VIEWED or scope.get("method", "GET") not in SAFE):
            return 403, "this is the viewers' address, which shows the picture; playing needs the player's"
        return None

    def _own_origin(self, headers: dict[str, str], host: str) -> bool:
        """A browser always says its origin here; what says none is a program that a player has started."""
        return "origin" not in headers or self.door.origin(headers["origin"], host)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        if scope["type"] != "http":
            return send

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                more = [(k.encode(), v.encode()) for k, v in self.headers.items()]
                if self.door.tokens and scope["role"] is not None and scope["path"] in OPEN:
                    more.append((b"set-cookie", self._cookie(scope["role"]).encode()))
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        return sending

    def _cookie(self, role: Role) -> str:
        """So that pictures and downloads need no token in their addresses."""
        token = self.door.player if role == "player" else self.door.viewer
        return f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if self.door.https else ''}"


def _token(scope: Scope, headers: dict[str, str]) -> str:
    """The token of a request: in its address, else as a bearer, else from the cookie."""
    asked = urllib.parse.parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token")
    if asked:
        return asked[0]
    bearer = headers.get("authorization", "")
    if bearer.lower().startswith("bearer "):
        return bearer[7:].strip()
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


async def _turn_away(scope: Scope, receive: Receive, send: Send, status: int, words: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": words[:120]})
        return
    from starlette.responses import JSONResponse

    await JSONResponse({"problems": [words]}, status)(scope, receive, send)


# The certificate --------------------------------------------------------------------------------------------------------


def certificate(names: Iterable[str], folder: Path | None = None) -> tuple[Path, Path]:
    """A certificate and its key for these names, made on the spot and kept: (certificate, key), both PEM.

    The browser warns once, because nobody vouches for it; what is sent is secret all the same.
    """
    folder = folder or Path(platformdirs.user_cache_dir("kinesphere")) / "stage"
    names = sorted({*names, *LOOPBACK})
    cert, key = folder / "certificate.pem", folder / "key.pem"
    if not _holds(cert, key, names):
        folder.mkdir(parents=True, exist_ok=True)
        _make(cert, key, names)
    return cert, key


def _holds(cert: Path, key: Path, names: list[str]) -> bool:
    """Whether what was kept is for these names, and good for another week."""
    from cryptography import x509

    try:
        kept = x509.load_pem_x509_certificate(cert.read_bytes())
        alternatives = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    known = {str(name.value) for name in alternatives}
    return key.is_file() and set(names) <= known and kept.not_valid_after_utc > datetime.now(UTC) + timedelta(days=7)


def _make(cert: Path, key: Path, names: list[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    secret = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kinesphere on this machine")])
    now = datetime.now(UTC)
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name) for name in names
    ]
    made = (
        x509.CertificateBuilder(who, who, secret.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.replace(key, lambda unfinished: _write_secret(unfinished, pem))
    os.chmod(key, 0o600)
    files.replace(cert, lambda unfinished: unfinished.write_bytes(made.public_bytes(serialization.Encoding.PEM)))


def _write_secret(path: Path, pem: bytes) -> None:
    os.chmod(path, 0o600)
    path.write_bytes(pem)
