"""pier-connect --starttls: the question in the server's own protocol, and nothing else before TLS."""

import contextlib
import threading

import harness
from harness import DEVNULL, TestCase, recv_exactly, run
from pki import Pki

# Of each protocol, what the server says and awaits in turn; the last is its go-ahead.
LDAP_ASK = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"


def ldap(code, text=b""):
    response = b"\x0a\1" + bytes([code]) + b"\4\0\4" + bytes([len(text)]) + text
    body = b"\2\1\1\x78" + bytes([len(response)]) + response
    return b"\x30" + bytes([len(body)]) + body


def mysql(capabilities):
    packet = b"\x0a8.0.36\0\1\0\0\0saltsalt\0" + capabilities.to_bytes(2, "little") + b"\x21\2\0" + bytes(20)
    return len(packet).to_bytes(3, "little") + b"\0" + packet


XMPP = (b"<?xml version='1.0'?><stream:stream from='x' version='1.0' xmlns='jabber:client' "
        b"xmlns:stream='http://etherx.jabber.org/streams'><stream:features>%s</stream:features>")
XMPP_ASK = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

SAY, AWAIT = "say", "await"
GOOD = {
    "smtp": [(SAY, b"220-mail\r\n220 ready\r\n"), (AWAIT, b"EHLO localhost\r\n"),
             (SAY, b"250-mail\r\n250-STARTTLS\r\n250 HELP\r\n"), (AWAIT, b"STARTTLS\r\n"), (SAY, b"220 go\r\n")],
    "imap": [(SAY, b"* OK ready\r\n"), (AWAIT, b"a1 STARTTLS\r\n"), (SAY, b"a1 OK begin\r\n")],
    "pop3": [(SAY, b"+OK ready\r\n"), (AWAIT, b"STLS\r\n"), (SAY, b"+OK begin\r\n")],
    "ftp": [(SAY, b"220 ready\r\n"), (AWAIT, b"AUTH TLS\r\n"), (SAY, b"234 go\r\n")],
    "ldap": [(AWAIT, LDAP_ASK), (SAY, ldap(0))],
    "postgres": [(AWAIT, b"\0\0\0\x08\x04\xd2\x16\x2f"), (SAY, b"S")],
    "mysql": [(SAY, mysql(0xffff)), (AWAIT, b"\x20\0\0\1\1\x8a\0\0\0\0\0\1\x21" + bytes(23))],
    "xmpp": [(AWAIT, b"version='1.0'>"), (SAY, XMPP % b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
             (AWAIT, XMPP_ASK), (SAY, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")],
}
# What a server says that does not want to, and a word of our error.
REFUSING = {
    "smtp": ([(SAY, b"220 x\r\n"), (AWAIT, b"EHLO localhost\r\n"), (SAY, b"250 HELP\r\n")], "offer"),
    "imap": ([(SAY, b"* OK x\r\n"), (AWAIT, b"a1 STARTTLS\r\n"), (SAY, b"a1 BAD what\r\n")], "BAD what"),
    "pop3": ([(SAY, b"+OK x\r\n"), (AWAIT, b"STLS\r\n"), (SAY, b"-ERR no\r\n")], "-ERR no"),
    "ftp": ([(SAY, b"220 x\r\n"), (AWAIT, b"AUTH TLS\r\n"), (SAY, b"502 never heard\r\n")], "502 never heard"),
    "ldap": ([(AWAIT, LDAP_ASK), (SAY, ldap(2, b"no TLS here"))], "no TLS here"),
    "postgres": ([(AWAIT, b"\x16\x2f"), (SAY, b"N")], "offer"),
    "mysql": ([(SAY, mysql(0xf7ff))], "offer"),
    "xmpp": ([(AWAIT, b"version='1.0'>"), (SAY, XMPP % b"<x/>")], "offer"),
}


def await_end(sock, end):
    got = b""
    while not got.endswith(end):
        got += recv_exactly(sock, 1)
    return got


class Base(TestCase):
    def setUp(self):
        made = Pki(self.tmp())
        self.root = made.authority()
        self.cert = made.issue(self.root, "server", "DNS:localhost")

    def server(self, script, after=None):
        """Plays the script for one client, then after(sock); its port. What went wrong is in self.faults, and what
        came in clear is in self.clear."""
        listener = self.raw_listener()
        self.faults, self.clear = [], b""

        def work():
            try:
                with self.accept(listener) as sock:
                    for what, data in script:
                        if what == SAY:
                            sock.sendall(data)
                        else:
                            self.clear += await_end(sock, data)
                    if after:
                        after(sock)
            except (OSError, AssertionError) as error:
                self.faults.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.addCleanup(thread.join, harness.SAFETY)
        self.thread = thread
        return listener.getsockname()[1]

    def upper(self, sock):
        """One message in capitals, over TLS."""
        with self.cert.server_context().wrap_socket(sock, server_side=True) as tls:
            data = b""
            while part := tls.recv(1 << 16):
                data += part
            tls.sendall(data.upper())
            tls.unwrap()

    def go(self, protocol, port, *words, stdin=b"secret", ca=None):
        return run(["pier-connect", "--starttls", protocol, "--ca", ca or self.root.cert, *words, "localhost", port],
                   stdin=stdin)


class Talking(Base):
    def test_each_protocol(self):
        for protocol, script in GOOD.items():
            with self.subTest(protocol):
                port = self.server(script, self.upper)
                done = self.go(protocol, port)
                self.thread.join()
                self.assertEqual((done.code, done.out, done.err), (0, b"SECRET", ""), done)
                self.assertEqual(self.faults, [])
                self.assertNotIn(b"secret", self.clear)

    def test_byte_by_byte(self):
        for protocol, script in GOOD.items():
            with self.subTest(protocol):
                parts = []
                for what, data in script:
                    parts += [(what, bytes([byte])) for byte in data] if what == SAY else [(what, data)]
                done = self.go(protocol, self.server(parts, self.upper))
                self.assertEqual((done.code, done.out), (0, b"SECRET"), done)

    def test_check_and_show_cert(self):
        port = self.server(GOOD["smtp"], self.upper)
        done = self.go("smtp", port, "--check")
        self.assertEqual((done.code, done.lines[0].split("\t")[5:7]), (0, ["open", "tls"]), done)
        port = self.server(GOOD["smtp"], self.upper)
        done = self.go("smtp", port, "--show-cert")
        self.assertEqual(done.code, 0, done)
        self.assertIn("0\tsubject\tCN=server", done.lines)

    def test_explain(self):
        done = self.go("pop3", self.server(GOOD["pop3"], self.upper), "--explain")
        self.assertRegex(done.err, r"(?m)^starttls +STARTTLS \(pop3\) localhost:\d+$")


class Refusing(Base):
    def test_a_server_that_does_not_want_to(self):
        for protocol, (script, word) in REFUSING.items():
            with self.subTest(protocol):
                port = self.server(script, lambda sock: sock.recv(1))
                done = self.go(protocol, port)
                self.thread.join()
                self.assertEqual((done.code, done.out), (1, b""), done)
                self.assertRegex(done.err, rf"\Apier-connect: STARTTLS \({protocol}\) localhost:{port}: [^\n]+\n\Z")
                self.assertIn(word, done.err)
                self.assertNotIn(b"secret", self.clear)

    def test_bytes_behind_the_go_ahead(self):
        """CVE-2011-0411: what a stranger on the way has put there would be taken for the server's."""
        for protocol, script in GOOD.items():
            with self.subTest(protocol):
                injected = script[:-1] + [(SAY, script[-1][1] + b"250 injected\r\n")]
                if protocol == "mysql":
                    injected = [(SAY, script[0][1] + b"injected")]
                port = self.server(injected, lambda sock: self.faults.append(sock.recv(1)))
                done = self.go(protocol, port)
                self.thread.join()
                self.assertEqual((done.code, done.out), (1, b""), done)
                self.assertIn("plain text behind its go-ahead", done.err)
                # No ClientHello was said to it.
                self.assertNotIn(b"\x16", self.faults)

    def test_one_that_is_not_believed_gets_nothing(self):
        other = Pki(self.tmp()).authority("Other CA")
        for protocol in ("smtp", "postgres", "mysql"):
            with self.subTest(protocol):
                got = []

                def shake(sock, got=got):
                    with contextlib.suppress(OSError):
                        with self.cert.server_context().wrap_socket(sock, server_side=True) as tls:
                            got.append(tls.recv(100))

                done = self.go(protocol, self.server(GOOD[protocol], shake), ca=other.cert)
                self.thread.join()
                self.assertEqual((done.code, done.out), (1, b""), done)
                self.assertNotIn(b"secret", b"".join(got) + self.clear)

    def test_one_that_ends_or_is_silent(self):
        port = self.server([(SAY, b"220 x\r\n")])
        done = self.go("smtp", port)
        self.assertEqual(done.code, 1, done)
        self.assertIn(f"STARTTLS (smtp) localhost:{port}: ", done.err)
        held = threading.Event()
        self.addCleanup(held.set)
        port = self.server([(SAY, b"220 x\r\n")], lambda sock: held.wait(harness.SAFETY))
        done = self.go("smtp", port, "--connect-timeout", "200ms")
        held.set()
        self.assertEqual(done.code, 124, done)

    def test_usage(self):
        for words, texts in ((["--starttls", "gopher", "h", "1"], ["'gopher'", "smtp"]),
                             (["--starttls", "smtp", "tls://h:1"], ["tls://h:1"]),
                             (["--starttls", "smtp", "-u", "h", "1"], ["--starttls"]),
                             (["--starttls", "smtp", "--fastopen", "h", "1"], ["--fastopen"]),
                             (["--show-cert", "h:1", "h:2"], []),
                             (["--show-cert", "--check", "h:1"], ["--check"]),
                             (["--show-cert", "--wait", "1s", "h:1", "--", "true"], ["--show-cert"])):
            with self.subTest(words):
                self.assert_usage_error(run(["pier-connect", *words], stdin=DEVNULL), *texts)
