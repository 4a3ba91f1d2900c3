"""
TLS as this hub speaks it, and the certificate that it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from OpenSSL import SSL
from OpenSSL.crypto import TYPE_DSA, TYPE_RSA, X509, Error
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from securehub.network.eager import EagerFactory

ALPN = b"securehub/1"

# Forward secrecy and authenticated encryption only; the defaults would offer CBC and CCM besides. TLS 1.3 has only good ones.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

# Best first, as in Mozilla's "intermediate" recommendation. OpenSSL before 3.5 has no ML-KEM, and takes the second line.
GROUPS = (b"X25519MLKEM768:X25519:P-256:P-384", b"X25519:P-256:P-384")

_RELEASE_BUFFERS = 0x10  # SSL_MODE_RELEASE_BUFFERS of openssl/ssl.h: an idle connection keeps no buffers

MAX_RSA_BITS = 8192
MAX_EXPONENT_BITS = 32
"""
The most bits of the public exponent of a client's RSA key, which nearly always has 17. Checking a signature takes a step for each bit, and
OpenSSL accepts as many bits as the key has: that takes as long as twenty handshakes.
"""

MAX_DSA_BITS = 3072
"""The most that the standard allows (FIPS 186-4). OpenSSL accepts 10,000, with which checking a signature takes 15 ms."""

MOST_STEPS = 1000
"""Of handshakes on one connection: one takes some thirty, and new keys take seven, which are due after millions of requests."""

_RSA = (TYPE_RSA, 912)  # and EVP_PKEY_RSA_PSS, for which pyOpenSSL has no name


class NoSharedProtocol(SSL.Error):
    """The client offered protocols by ALPN, and ours is not among them."""


class BadCertificate(Exception):
    """A certificate or its key cannot be used; the text says why."""


class Identity(NamedTuple):
    """
    What the hub shows of itself.

    @ivar chain: its certificate, and those of the authorities above it.
    @ivar key: the certificate's.
    """

    chain: tuple[x509.Certificate, ...]
    key: Any

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Identity:
        """
        Read both from PEM files.

        @raise BadCertificate: they cannot be read, or do not belong together.
        """
        try:
            chain = tuple(x509.load_pem_x509_certificates(certificate.read_bytes()))
            public = chain[0].public_key()
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise BadCertificate(f"the certificate cannot be read: {_why(certificate, error)}") from None
        try:
            # For a passphrase OpenSSL would ask on the terminal, and wait; this does not.
            private = serialization.load_pem_private_key(key.read_bytes(), None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BadCertificate(f"the key cannot be read: {_why(key, error)}") from None
        if private.public_key() != public:
            raise BadCertificate(f"{key} is not the key of {certificate}")
        return cls(chain, private)

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def ends(self) -> datetime:
        """When the first certificate of the chain ends; clients refuse it from then on."""
        return min(each.not_valid_after_utc for each in self.chain)

    @property
    def fingerprint(self) -> str:
        """The certificate's, see L{fingerprint}."""
        return fingerprint(self.certificate)

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; negative once it has."""
        return (self.ends - now).days

    def check_dates(self, now: datetime) -> None:
        """
        @raise BadCertificate: clients would refuse it now.
        """
        if self.ends <= now:
            raise BadCertificate(f"the certificate has ended on {self.ends:%Y-%m-%d}")
        if self.certificate.not_valid_before_utc > now:
            raise BadCertificate(f"the certificate begins on {self.certificate.not_valid_before_utc:%Y-%m-%d}")


class HubTLS(TLSMemoryBIOProtocol):
    """
    Twisted's TLS, with two differences in how it ends.

    A peer that says goodbye has said all, but may still listen (RFC 8446, 6.1), as socat does, and C{socket.end} of Node. So the protocol
    gets C{readConnectionLost}, and closes when everything is answered. Twisted closes at once, and so loses the answers to what is carried
    out all the same. A connection that just ends, without a goodbye, is lost as ever: nobody knows what was still to come.

    And nothing is left of it. Twisted keeps the reason for the end with its traceback. There mostly is one, because few clients say goodbye
    properly. It refers to itself, the protocol, and the OpenSSL connection with its buffers, and would keep them until the collector comes.
    Nobody reads it.

    @ivar steps: of its handshakes, alerts included.
    """

    transport: Any
    wrappedProtocol: Any
    steps = 0
    _goodbye = False
    _has_said_all = False

    def resumeProducing(self) -> None:
        """Read on, unless all has been said: nothing counts behind a goodbye, but OpenSSL would keep it."""
        if not self._has_said_all:
            self.transport.resumeProducing()

    def _flushReceiveBIO(self) -> None:
        super()._flushReceiveBIO()
        if self._goodbye:
            self._goodbye = self._lostTLSConnection = False
            if not self._has_said_all:
                self._has_said_all = True
                self.transport.pauseProducing()
                self.wrappedProtocol.readConnectionLost()

    def _shutdownTLS(self) -> None:
        # Twisted would answer the peer's goodbye before its requests.
        if self.disconnecting:
            super()._shutdownTLS()
            if self._has_said_all:
                super()._tlsShutdownFinished(None)

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        if reason is not None:
            reason.cleanFailure()
        elif not self.disconnecting:
            # The peer's goodbye. Twisted reads until the connection counts as lost; so it does until then.
            self._goodbye = self._lostTLSConnection = True
            return
        super()._tlsShutdownFinished(reason)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    Makes the server's side of TLS connections.

    @param protocols: those that are spoken, the best first; a client that offers none of them by ALPN is not spoken to.

    @ivar identity: what new connections are shown.
    @ivar context: taken for each new connection; another may be put in its place while the hub runs, and open connections live on.
    """

    def __init__(self, certificate: Path, key: Path, protocols: Sequence[bytes] = (ALPN,)) -> None:
        self._protocols = protocols
        self.use(Identity.load(certificate, key))

    def use(self, identity: Identity) -> None:
        """
        From now on show this to new connections.

        @raise BadCertificate: OpenSSL does not take it; what was there stays.
        """
        self.context = self.context_for(identity)
        self.identity = identity

    def context_for(self, identity: Identity) -> SSL.Context:
        """
        What shows this to new connections, if it is put in the place of L{context}.

        @raise BadCertificate: OpenSSL does not take it.
        """
        return make_context(identity, self._protocols)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self.context)
        connection.set_app_data(protocol)
        return connection


def make_context(identity: Identity, protocols: Sequence[bytes]) -> SSL.Context:
    """
    TLS 1.2 or newer, with a certificate chain and its key.

    The keys of session tickets are the context's own, made at random and never stored. A ticket saves a returning client a part of the
    handshake. It is not a login: every connection begins logged out. It stands for the client certificate of its first handshake, which is
    looked up like any other. Early data, which could be replayed, is refused: OpenSSL has it off by default.

    @raise BadCertificate: OpenSSL does not take them: a key that is too small, say.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    _set_groups(context)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(_RELEASE_BUFFERS)
    context.set_info_callback(_count_step)
    # A client certificate is asked for and not required. Who signed it does not matter, because members log in with certificates that they
    # have registered. So as little as possible of a chain is checked (100 signatures took 40 ms), and keys that make even that take long
    # end the handshake.
    context.set_verify(SSL.VERIFY_PEER, _accept)
    context.set_verify_depth(0)
    # Without an id every resumed session with VERIFY_PEER would end as an internal error. Sessions are resumed by tickets, which clients
    # keep: OpenSSL's own cache would keep 20,480 sessions here, each with the whole chain that a stranger has sent (0.8 MB).
    context.set_session_id(b"securehub")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    try:
        context.use_certificate(identity.certificate)
        for authority in identity.chain[1:]:
            context.add_extra_chain_cert(authority)
        context.use_privatekey(identity.key)
        context.check_privatekey()
    except (SSL.Error, TypeError) as error:
        raise BadCertificate(f"the certificate cannot be used: {error}") from None
    context.set_alpn_select_callback(partial(_select_protocol, protocols))
    return context


def wrap(tls: ServerTLS, factory: IProtocolFactory) -> EagerFactory:
    """
    A factory that speaks TLS in front of another.

    Twisted's own gathering of small writes is left out: the gate writes once a turn, and gathering would only delay that.
    """
    wrapped = TLSMemoryBIOFactory(tls, False, factory)
    wrapped.protocol = HubTLS
    return EagerFactory(wrapped)


def fingerprint(certificate: x509.Certificate) -> str:
    """The SHA-256 fingerprint of a certificate, as openssl shows it: pairs of digits with colons."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _set_groups(context: SSL.Context) -> None:
    """Leave out the other curves that OpenSSL would offer: P-521 and X448 cost six times as much as P-256."""
    # pyOpenSSL can only set a single curve, which would lose X25519; so this reaches below it. If it cannot, the defaults are used.
    library: Any = getattr(SSL, "_lib", None)
    set_list = getattr(library, "SSL_CTX_set1_curves_list", None)
    if set_list is None:
        return
    for groups in GROUPS:
        if set_list(context._context, groups) == 1:
            return
        # What is left in OpenSSL's queue of errors would be taken for one of the next connection.
        library.ERR_clear_error()
    raise BadCertificate("OpenSSL knows none of the key exchanges that are wanted")


def _why(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{path}: {error.strerror or error}"
    if isinstance(error, TypeError):
        return f"{path} has a passphrase"
    if isinstance(error, UnsupportedAlgorithm):
        return f"{path} is of a kind that cannot be used"
    return f"{path} is not PEM, or is damaged"


def _count_step(connection: SSL.Connection, *_: int) -> None:
    """
    Called at each step of a handshake, and with each alert. A client that takes too many counts as one that has said goodbye.

    In TLS 1.2 it may ask for another handshake, and is warned that there is none; in 1.3 it may ask for new keys, and gets them. OpenSSL
    answers as often as it is asked, and nothing above it notices: nobody would stop reading, or bound the answers that are not read.
    """
    protocol: HubTLS = connection.get_app_data()
    protocol.steps += 1
    if protocol.steps > MOST_STEPS:
        connection.set_shutdown(SSL.RECEIVED_SHUTDOWN)


def _accept(_: SSL.Connection, certificate: X509, *__: int) -> bool:
    """
    Called with each of a client's certificates that is checked, before any signature of its key is.

    @return: whether to go on: not if checking would take long, or nobody can tell how long.
    """
    try:
        key = certificate.get_pubkey()
        if key.type() == TYPE_DSA:
            return key.bits() <= MAX_DSA_BITS
        if key.type() not in _RSA:
            return True
        exponent: int = key.to_cryptography_key().public_numbers().e  # type: ignore[union-attr]
    except (Error, ValueError, UnsupportedAlgorithm):
        return False
    return key.bits() <= MAX_RSA_BITS and exponent.bit_length() <= MAX_EXPONENT_BITS


def _select_protocol(spoken: Sequence[bytes], _: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    for protocol in spoken:
        if protocol in offered:
            return protocol
    # Raised inside of OpenSSL's callback, this ends the handshake with the alert no_application_protocol.
    raise NoSharedProtocol([("securehub", "alpn", f"none of {list(offered)!r} is spoken here")])
