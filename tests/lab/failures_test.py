"""What a user sees when pier-connect fails: the line on stderr and the exit code of each way, and what --check makes of
it. The man page's DIAGNOSTICS has the same reasons; a reason that it does not know fails here."""

import contextlib
import os
import pathlib
import re
import socket
import threading

import harness
from harness import DEVNULL, Lab, TestCase, run
from pki import Pki
from proxies import Http, Socks4a, Socks5


def manual():
    """The words of the man page, without its macros."""
    text = (pathlib.Path(harness.ROOT) / "man" / "pier-connect.1").read_text().replace("\\&", "")
    text = text[text.index(".Sh DIAGNOSTICS"):]
    return " ".join(re.sub(r"(?m)^\.\w+ ?", "", text[:text.index("\n.Sh ", 1)]).split())


class Failure(TestCase):
    def expect(self, got, message, code, check_code, state, reason):
        """`got`: what run() gave without and with --check. The message is a pattern of the whole line's rest."""
        done, check = got
        self.assertEqual(done.code, code, done)
        self.assertRegex(done.err, rf"\Apier-connect: {message}\n\Z")
        self.assertEqual((check.code, len(check.lines)), (check_code, 1), check)
        cells = check.lines[0].split("\t")
        self.assertEqual(cells[5], state, cells)
        self.assertIn(reason, cells[6])

    def in_the_manual(self, reason):
        self.assertIn(reason, manual(), "DIAGNOSTICS of pier-connect.1")


class Network(Failure):
    V4 = {"net-unreachable": "icmp 3/0 (network unreachable)", "host-unreachable": "icmp 3/1 (host unreachable)",
          "prot-unreachable": "icmp 3/2 (protocol unreachable)", "port-unreachable": "icmp 3/3 (port unreachable)",
          "net-prohibited": "icmp 3/9 (network prohibited)", "host-prohibited": "icmp 3/10 (host prohibited)",
          "admin-prohibited": "icmp 3/13 (administratively prohibited)"}
    V6 = {"no-route": "icmpv6 1/0 (no route)", "admin-prohibited": "icmpv6 1/1 (administratively prohibited)",
          "addr-unreachable": "icmpv6 1/3 (address unreachable)", "port-unreachable": "icmpv6 1/4 (port unreachable)"}

    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b

    def both(self, where, *words):
        return [run(self.a.command(["pier-connect", *mode, *words, where]), stdin=DEVNULL) for mode in ([], ["--check"])]

    def test_each_icmp_message_is_named(self):
        for family, address, icmp, kinds in (("ipv4", self.b.ip4, "icmp", self.V4),
                                             ("ipv6", f"[{self.b.ip6}]", "icmpv6", self.V6)):
            for port, (kind, words) in enumerate(kinds.items(), start=100):
                with self.subTest(kind=kind, family=family):
                    self.b.reject(f"meta nfproto {family} tcp dport {port}", f"{icmp} type {kind}")
                    where = f"{address}:{port}"
                    self.expect(self.both(where), rf"connect {re.escape(where)}: [a-z ]+, {re.escape(words)}", 1, 3,
                                "filtered", words)
                    self.in_the_manual(words)

    def test_silence_refusal_and_no_route(self):
        self.b.drop("tcp dport 80")
        where = f"{self.b.ip4}:80"
        self.expect(self.both(where, "--connect-timeout", "200ms"), rf"connect {where}: no answer in 0\.2\d s", 124, 3,
                    "filtered", "no answer")
        self.in_the_manual("no answer in")
        self.expect(self.both(f"{self.b.ip4}:81"), rf"connect {self.b.ip4}:81: connection refused", 1, 1, "closed",
                    "refused")
        self.in_the_manual("connection refused")
        self.expect(self.both("192.0.2.1:80"), "connect 192.0.2.1:80: network is unreachable", 1, 3, "filtered",
                    "no route from this host")
        self.in_the_manual("network is unreachable")


class Stages(Failure):
    def server(self, act):
        """Does act(socket) with each client, and closes it; its address."""
        listener = self.raw_listener()

        def loop():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    client.settimeout(harness.SAFETY)
                    with client, contextlib.suppress(OSError, AssertionError):
                        act(client)

        threading.Thread(target=loop, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def both(self, *words):
        return [run(["pier-connect", *mode, *map(str, words)], stdin=stdin)
                for mode, stdin in (([], b"x"), (["--check"], b""))]

    def after_hello(self, end):
        """A server that ends so once the client has begun to speak."""
        def act(sock):
            harness.recv_exactly(sock, 3)
            end(sock)
        return self.server(act)

    @staticmethod
    def close(sock):
        """Without a reset: all that has come is read first."""
        sock.shutdown(socket.SHUT_WR)
        harness.recv_all(sock)

    def test_names_and_sessions(self):
        name = "no-such-host.invalid:80"
        self.expect(self.both(name), "resolve no-such-host.invalid: name not known", 1, 1, "error", "name not known")
        self.in_the_manual("name not known")

        def reset(sock):
            sock.recv(1)
            harness.reset(sock)

        done = run(["pier-connect", self.server(reset)], stdin=b"x")
        self.assertEqual((done.code, done.err), (1, "pier-connect: recv: connection reset by peer\n"))
        self.in_the_manual("connection reset by peer")

    def test_certificates(self):
        made = Pki(self.tmp())
        root, other = made.authority(), made.authority("Other CA")
        for cert, why in ((made.self_signed("self", "IP:127.0.0.1"), "self-signed certificate"),
                          (made.issue(root, "expired", "IP:127.0.0.1", days=-1), "the certificate expired on"),
                          (made.issue(root, "name", "DNS:other.example"), "the certificate is for"),
                          (made.issue(other, "stranger", "IP:127.0.0.1"), "its issuer is not known here")):
            with self.subTest(why):
                context = cert.server_context()
                where = self.server(lambda sock, context=context: context.wrap_socket(sock, server_side=True).close())
                self.expect(self.both("--tls", "--ca", root.cert, where),
                            rf"tls {where}: certificate verify failed: {why}[^\n]*; --pin [^\n]+", 1, 1, "closed", why)
                self.in_the_manual(why)

    def test_handshakes_cut_short(self):
        def begin(sock):
            sock.sendall(b"\x16\x03\x03\x00\x7a\x02\x00")
            self.close(sock)

        for where, why in ((self.after_hello(self.close), "the peer closed the connection without an answer"),
                           (self.after_hello(begin), "the peer closed the connection in the middle of the handshake"),
                           (self.after_hello(harness.reset), "connection reset by peer"),
                           (self.server(lambda sock: (sock.sendall(b"220 hello\r\n"), self.close(sock))),
                            "the peer does not speak TLS")):
            with self.subTest(why):
                self.expect(self.both("--tls", where), rf"tls {where}: {why}[^\n]*", 1, 1, "closed", why)
                self.in_the_manual(why)

    def test_tls_without_its_end(self):
        made = Pki(self.tmp())
        cert = made.self_signed("server", "IP:127.0.0.1")
        context = cert.server_context()

        def truncate(sock):
            tls = context.wrap_socket(sock, server_side=True)
            tls.sendall(b"half")
            while tls.recv(100):
                pass
            os.close(tls.detach())

        done = run(["pier-connect", "--tls", "--pin", cert.fingerprint, self.server(truncate)], stdin=b"x")
        self.assertEqual((done.code, done.out), (1, b"half"), done)
        self.assertIn("truncated", done.err)
        self.in_the_manual("truncated")

    def test_proxies(self):
        closed = self.enterContext(socket.socket())
        closed.bind(("127.0.0.1", 0))
        to = f"127.0.0.1:{closed.getsockname()[1]}"
        no_socks = self.server(lambda sock: (sock.sendall(b"SSH-2.0\r\n"), self.close(sock)))
        # Of the target, or of the proxy itself.
        for proxy, of_target, why, check_code, state in (
                (Socks5(self), True, "connection refused, says the proxy", 1, "closed"),
                (Socks5(self, refuse=1), False, "it failed, and does not say why", 3, "filtered"),
                (Socks5(self, refuse=2), False, "not allowed by its rules", 3, "filtered"),
                (Socks5(self, refuse=3), True, "network is unreachable, says the proxy", 3, "filtered"),
                (Socks5(self, refuse=4), True, "no route to host, says the proxy", 3, "filtered"),
                (Socks5(self, password="a:b"), False, "name and password", 3, "filtered"),
                (Socks4a(self, refuse=91), True, "refused or not reached, says the proxy", 3, "filtered"),
                (Http(self, refuse="403 Forbidden"), False, "403 Forbidden", 3, "filtered"),
                (Http(self, refuse="502 Bad Gateway"), True, "not reached (502 Bad Gateway), says the proxy", 3, "filtered"),
                (Http(self, password="a:b"), False, "it wants a name and password", 3, "filtered")):
            with self.subTest(why, kind=proxy.scheme):
                begin = f"connect {to}" if of_target else f"proxy {proxy.url}, asked for {to}"
                self.expect(self.both("--proxy", proxy.url, to), f"{begin}: [^\n]*{re.escape(why)}[^\n]*", 1, check_code,
                            state, why)
                self.in_the_manual(why)
        for url, message, why in (
                (f"socks5://{to}", f"connect to proxy {to}", "connection refused"),
                (f"socks5://{no_socks}", None, "its answer is not SOCKS 5"),
                ("socks5://" + self.after_hello(self.close), None, "it closed the connection in the middle"),
                ("http://" + self.after_hello(harness.reset), None, "connection reset by peer")):
            with self.subTest(why, url=url):
                self.expect(self.both("--proxy", url, to), f"{message or 'proxy ' + url}: {why}[^\n]*", 1, 3, "filtered",
                            why)
                self.in_the_manual(why)
