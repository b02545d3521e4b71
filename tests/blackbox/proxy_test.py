"""pier-connect --proxy and --send-proxy: the way to a server through somebody else, and who said no."""

import contextlib
import json
import socket
import struct
import threading

import harness
import pki
from harness import DEVNULL, TestCase, need_ipv6, recv_all, recv_exactly, run
from proxies import Http, Socks4a, Socks5

KINDS = (Socks5, Socks4a, Http)
NAMES = {"db.test": "127.0.0.1"}


class Base(TestCase):
    def upper(self, greeting=b""):
        """A server that greets, and answers what it got in capitals once our side has ended. Its port."""
        listener = self.raw_listener()

        def loop():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        client.settimeout(harness.SAFETY)
                        client.sendall(greeting)
                        client.sendall(recv_all(client).upper())

        threading.Thread(target=loop, daemon=True).start()
        return listener.getsockname()[1]

    def closed_port(self):
        """A port that refuses as long as the test runs: it is bound, and nobody listens."""
        sock = self.enterContext(socket.socket())
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]

    def password_file(self, text):
        path = self.tmp() / "password"
        path.write_text(text)
        return path

    def through(self, *words, **options):
        words = [w.url if hasattr(w, "url") else str(w) for w in words]
        return run(["pier-connect", "--proxy", *words], **options)

    def check(self, *words, **options):
        """(exit code, address, state, reason) of --check of one endpoint."""
        done = self.through(*words[:1], "--check", *words[1:], **options)
        self.assertEqual(len(done.lines), 1, done)
        cells = done.lines[0].split("\t")
        return done.code, cells[2], cells[5], cells[6]


class Sessions(Base):
    def test_each_kind_resolves_the_name_and_keeps_all_bytes(self):
        port = self.upper()
        for kind in KINDS:
            with self.subTest(kind.__name__):
                proxy = kind(self, NAMES, early=b"220 early\r\n")
                data = harness.pattern(300_000)
                done = self.through(proxy, "db.test", port, stdin=data)
                self.assertEqual((done.code, done.err), (0, ""), done.err)
                self.assertEqual(done.out, b"220 early\r\n" + data.upper())
                self.assertEqual(proxy.asked, [f"db.test:{port}"])

    def test_addresses(self):
        need_ipv6()
        listener = self.raw_listener(socket.AF_INET6)
        port = listener.getsockname()[1]
        for kind in (Socks5, Http):
            with self.subTest(kind.__name__):
                proxy = kind(self)
                client = self.spawn(["pier-connect", "--proxy", proxy.url, f"[::1]:{port}"], stdin=DEVNULL)
                self.accept(listener).close()
                self.assertEqual(client.wait().code, 0)
        done = self.through(Socks4a(self), f"[::1]:{port}")
        self.assertEqual(done.code, 1)
        self.assertIn("IPv6", done.err)

    def test_a_chain(self):
        port = self.upper(b"hello ")
        last, middle, first = Http(self, NAMES), Socks4a(self), Socks5(self)
        done = self.through(first, "--proxy", middle.url, "--proxy", last.url, "db.test", port, stdin=b"x")
        self.assertEqual((done.code, done.out), (0, b"hello X"), done)
        self.assertEqual(first.asked, [f"127.0.0.1:{middle.port}"])
        self.assertEqual(middle.asked, [f"127.0.0.1:{last.port}"])
        self.assertEqual(last.asked, [f"db.test:{port}"])

    def test_tls_to_the_server_through_a_proxy(self):
        made = pki.Pki(self.tmp())
        root = made.authority()
        cert = made.issue(root, "server", "DNS:db.test")
        server = self.listen("--tls", *cert.files, "-k", 0, "--echo")
        for kind in KINDS:
            with self.subTest(kind.__name__):
                proxy = kind(self, NAMES)
                done = self.through(proxy, "--tls", "--ca", root.cert, "db.test", server.port, stdin=b"secret")
                self.assertEqual((done.code, done.out), (0, b"secret"), done)
                done = self.through(proxy, "--tls", "--ca", root.cert, "127.0.0.1", server.port, stdin=b"secret")
                self.assertEqual((done.code, done.out), (1, b""), done)
                self.assertIn("db.test", done.err)

    def test_tls_to_the_proxy(self):
        port = self.upper(b"hello ")
        made = pki.Pki(self.tmp())
        root = made.authority()
        context = made.issue(root, "proxy", "IP:127.0.0.1").server_context()
        proxy = Http(self, NAMES, wrap=lambda sock: context.wrap_socket(sock, server_side=True), early=b"early ")
        url = proxy.url.replace("http:", "https:")
        data = harness.pattern(300_000)
        done = self.through(url, "--ca", root.cert, "db.test", port, stdin=data)
        self.assertEqual((done.code, done.out), (0, b"early hello " + data.upper()), done.err)
        done = self.through(url, "db.test", port)
        self.assertEqual((done.code, done.out), (1, b""))
        self.assertIn(f"proxy {url}", done.err)

    def test_tls_in_tls(self):
        made = pki.Pki(self.tmp())
        root = made.authority()
        server = self.listen("--tls", *made.issue(root, "server", "DNS:db.test").files, "-k", 0, "--echo")
        context = made.issue(root, "proxy", "IP:127.0.0.1").server_context()
        proxy = Http(self, NAMES, wrap=lambda sock: context.wrap_socket(sock, server_side=True))
        data = harness.pattern(300_000)
        done = self.through(proxy.url.replace("http:", "https:"), "--tls", "--ca", root.cert, "db.test", server.port,
                            stdin=data)
        self.assertEqual((done.code, done.out == data, done.err), (0, True, ""))

    def test_our_own_proxies(self):
        port = self.upper()
        auth = self.password_file("joe:secret\n")
        for option, scheme in (("--serve-socks", "socks5"), ("--serve-http-proxy", "http")):
            with self.subTest(scheme):
                server = self.listen("-k", option, "--proxy-auth-file", auth, "127.0.0.1:0")
                done = self.through(f"{scheme}://127.0.0.1:{server.port}", "--proxy-auth-file", auth, "localhost",
                                    port, stdin=b"abc")
                self.assertEqual((done.code, done.out), (0, b"ABC"), done)

    def test_a_program(self):
        port = self.upper(b"hello")
        proxy = Socks5(self, NAMES)
        done = run(["pier-connect", "--proxy", proxy.url, "--exec", "db.test", port, "--", "sh", "-c",
                    "head -c 5 >&2"])
        self.assertEqual((done.code, done.err), (0, "hello"), done)

    def test_explain_tells_what_each_is_asked_for(self):
        port = self.upper()
        proxy = Http(self, NAMES)
        done = self.through(proxy, "--explain", "db.test", port)
        self.assertEqual(done.code, 0, done)
        self.assertIn(f"proxy http://127.0.0.1:{proxy.port}, asked for db.test:{port}", done.err)

    def test_the_deadlines_cover_the_dialogue(self):
        silent = self.raw_listener()
        url = f"socks5://127.0.0.1:{silent.getsockname()[1]}"
        done = self.through(url, "--connect-timeout", "200ms", "db.test", 80)
        self.assertEqual(done.code, 124, done)
        self.assertIn(f"proxy {url}: no answer in", done.err)
        done = self.through(url, "--wait", "300ms", "db.test", 80)
        self.assertEqual(done.code, 124, done)


class Passwords(Base):
    def test_given_where_asked_for(self):
        port = self.upper()
        auth = self.password_file("joe:se:cret\r\n")
        for kind, keep in ((Socks5, True), (Http, True), (Http, False)):
            with self.subTest(f"{kind.__name__} {keep}"):
                proxy = kind(self, NAMES, password="joe:se:cret")
                proxy.keep = keep
                done = self.through(proxy, "--proxy-auth-file", auth, "db.test", port, stdin=b"abc")
                self.assertEqual((done.code, done.out), (0, b"ABC"), done)
                self.assertEqual(proxy.connections, 1 if keep else 2)

    def test_wrong_or_missing(self):
        wrong = self.password_file("joe:other")
        for kind in (Socks5, Http):
            with self.subTest(kind.__name__):
                proxy = kind(self, password="joe:secret")
                done = self.through(proxy, "--proxy-auth-file", wrong, "db.test", 80)
                self.assertEqual((done.code, done.out), (1, b""))
                self.assertIn(f"proxy {proxy.url}, asked for db.test:80: ", done.err)
                self.assertNotIn("other", done.err)
                done = self.through(proxy, "db.test", 80)
                self.assertEqual(done.code, 1)
                self.assertIn("--proxy-auth-file", done.err)
                self.assertEqual(proxy.asked, [])

    def test_the_file(self):
        proxy = Socks5(self)
        for text, why in (("", "no line"), ("joe", "not a line"), ("a:b\nc:d\n", "more than one line")):
            with self.subTest(text):
                done = self.through(proxy, "--proxy-auth-file", self.password_file(text), "db.test", 80)
                self.assertEqual(done.code, 2, done)
                self.assertIn(why, done.err)
        done = self.through(proxy, "--proxy-auth-file", self.tmp() / "none", "db.test", 80)
        self.assertEqual(done.code, 2, done)
        self.assertEqual(proxy.connections, 0)


class Refusals(Base):
    def test_the_proxys_and_the_targets(self):
        closed = self.closed_port()
        target = f"127.0.0.1:{closed}"
        # What it says; ours, about whom; exit and state of --check.
        for proxy, about, why, code, state in (
                (Socks5(self), "target", "refused", 1, "closed"),
                (Socks5(self, refuse=2), "proxy", "not allowed", 3, "filtered"),
                (Socks5(self, refuse=4), "target", "no route to host", 3, "filtered"),
                (Socks5(self, refuse=1), "proxy", "fail", 3, "filtered"),
                (Socks4a(self, refuse=91), "target", "refused or not reached", 3, "filtered"),
                (Http(self, refuse="403 No way"), "proxy", "403 No way", 3, "filtered"),
                (Http(self, refuse="502 Bad"), "target", "502 Bad", 3, "filtered")):
            with self.subTest(f"{proxy.url} {proxy.refuse}"):
                done = self.through(proxy, target)
                self.assertEqual((done.code, done.out), (1, b""), done)
                begin = f"connect {target}: " if about == "target" else f"proxy {proxy.url}, asked for {target}: "
                self.assertRegex(done.err, r"\Apier-connect: [^\n]+\n\Z")
                self.assertIn(begin, done.err)
                self.assertIn(why, done.err)
                got = self.check(proxy, target)
                self.assertEqual((got[0], got[1], got[2]), (code, "-", state), got)
                self.assertIn(why, got[3])

    def test_a_proxy_that_is_not_there(self):
        closed = self.closed_port()
        done = self.through(f"socks5://127.0.0.1:{closed}", "db.test", 80)
        self.assertEqual(done.code, 1)
        self.assertIn(f"connect to proxy 127.0.0.1:{closed}: connection refused", done.err)
        code, _, state, reason = self.check(f"socks5://127.0.0.1:{closed}", "db.test", 80)
        self.assertEqual((code, state), (3, "filtered"))
        self.assertIn("proxy", reason)

    def test_a_proxy_that_does_not_reach_the_next(self):
        closed = self.closed_port()
        words = [Socks5(self), "--proxy", f"http://127.0.0.1:{closed}", "db.test", 80]
        done = self.through(*words)
        self.assertEqual(done.code, 1)
        self.assertIn(f"connect to proxy 127.0.0.1:{closed}: connection refused, says the proxy", done.err)
        code, _, state, _ = self.check(*words)
        self.assertEqual((code, state), (3, "filtered"))
        done = self.through(*words[:3], "--until-closed", "--wait", "200ms", *words[3:])
        self.assertEqual(done.code, 124, done)

    def test_no_proxy_at_all(self):
        port = self.upper(b"220 I am no proxy\r\n" * 1000)
        for scheme, why in (("socks5", "SOCKS 5"), ("socks4a", "SOCKS 4"), ("http", "HTTP")):
            with self.subTest(scheme):
                done = self.through(f"{scheme}://127.0.0.1:{port}", "db.test", 80)
                self.assertEqual((done.code, done.out), (1, b""), done)
                self.assertIn(f"proxy {scheme}://127.0.0.1:{port}: ", done.err)
                self.assertIn(why, done.err)

    def test_one_that_closes_or_resets_in_the_dialogue(self):
        for how in (socket.socket.close, harness.reset):
            with self.subTest(how.__name__):
                listener = self.raw_listener()
                url = f"socks5://127.0.0.1:{listener.getsockname()[1]}"
                client = self.spawn(["pier-connect", "--proxy", url, "db.test", "80"], stdin=DEVNULL)
                sock = self.accept(listener)
                recv_exactly(sock, 3)
                sock.sendall(b"\5")
                how(sock)
                done = client.wait()
                self.assertEqual((done.code, done.out), (1, b""), done)
                self.assertIn(f"proxy {url}: ", done.err)


class Reaching(Base):
    def test_check(self):
        port = self.upper()
        for kind in KINDS:
            proxy = kind(self, NAMES)
            self.assertEqual(self.check(proxy, f"db.test:{port}"), (0, "-", "open", "connected by proxy"))

    def test_several_with_expect(self):
        port = self.upper(b"220 ready\r\n")
        proxy = Socks5(self, NAMES, early=b"2")
        done = self.through(proxy, "--check", "--expect", "^2220 ready", f"db.test:{port}", f"localhost:{port}")
        self.assertEqual((done.code, len(done.lines)), (0, 2), done)
        done = self.through(proxy, "--check", "--expect", "^9", "--reply-timeout", "100ms", f"db.test:{port}")
        self.assertEqual(done.code, 1, done)

    def test_wait_until_the_target_is_there(self):
        sock = self.enterContext(socket.socket())
        sock.settimeout(harness.SAFETY)
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        proxy = Socks5(self, NAMES)
        client = self.spawn(["pier-connect", "--proxy", proxy.url, "--wait", "60s", f"db.test:{port}"], stdin=DEVNULL)
        harness.wait_until(lambda: len(proxy.asked) >= 2, "two attempts")
        sock.listen()
        peer = self.accept(sock)
        peer.sendall(b"at last")
        peer.close()
        done = client.wait()
        self.assertEqual((done.code, done.out), (0, b"at last"), done)

    def test_until_closed(self):
        port = self.closed_port()
        done = self.through(Socks5(self), "--check", "--until-closed", f"127.0.0.1:{port}")
        self.assertEqual((done.code, done.lines[0].split("\t")[5]), (0, "closed"), done)

    def test_records(self):
        port = self.upper()
        proxy = Socks5(self, NAMES)
        path = self.tmp() / "events"
        done = self.through(proxy, "--events", path, "db.test", port)
        self.assertEqual(done.code, 0, done)
        attempt = next(r for line in path.read_text().splitlines() if (r := json.loads(line))["type"] == "attempt")
        self.assertEqual((attempt["host"], attempt["port"]), ("127.0.0.1", proxy.port))


class Environment(Base):
    def go(self, env, *words, **options):
        return run(["pier-connect", *map(str, words)], env=env, **options)

    def test_only_when_asked_for(self):
        port = self.upper(b"hello")
        proxy = Socks5(self)
        env = {"ALL_PROXY": proxy.url}
        done = self.go(env, "127.0.0.1", port)
        self.assertEqual((done.out, proxy.connections), (b"hello", 0))
        done = self.go(env, "--proxy", "env", "127.0.0.1", port)
        self.assertEqual((done.out, proxy.connections), (b"hello", 1))
        done = self.go({"ALL_PROXY": "socks5://x:1", "all_proxy": proxy.url}, "--proxy", "env", "127.0.0.1", port)
        self.assertEqual((done.out, proxy.connections), (b"hello", 2))

    def test_no_proxy(self):
        port = self.upper(b"hello")
        proxy = Socks5(self)
        for names, direct in (("*", True), ("127.0.0.0/8", True), ("x, 127.0.0.1", True), ("10.0.0.0/8", False),
                              ("", False), ("7.0.0.1", False)):
            with self.subTest(names):
                before = proxy.connections
                done = self.go({"ALL_PROXY": proxy.url, "NO_PROXY": names}, "--proxy", "env", "127.0.0.1", port)
                self.assertEqual((done.out, proxy.connections == before), (b"hello", direct))
        for names, direct in ((".LOCALHOST", True), ("localhost", True), ("host", False), ("calhost", False)):
            with self.subTest(names):
                before = proxy.connections
                done = self.go({"ALL_PROXY": proxy.url, "NO_PROXY": names}, "--proxy", "env", "localhost", port)
                self.assertEqual((done.out, proxy.connections == before), (b"hello", direct))

    def test_nothing_there_is_no_proxy(self):
        port = self.upper(b"hello")
        done = self.go({"ALL_PROXY": "", "all_proxy": None}, "--proxy", "env", "127.0.0.1", port)
        self.assertEqual((done.code, done.out), (0, b"hello"), done)

    def test_what_it_says_is_checked(self):
        done = self.go({"ALL_PROXY": "socks5://joe:secret@x:1"}, "--proxy", "env", "127.0.0.1", 80)
        self.assert_usage_error(done, "--proxy-auth-file")
        self.assertNotIn("secret", done.err)


class Usage(Base):
    def test_refused(self):
        auth = self.password_file("a:b")
        for words, texts in (
                (["--proxy", "ftp://x", "h", "1"], ["'ftp://x'", "socks5://"]),
                (["--proxy", "x:1080", "h", "1"], ["'x:1080'", "socks5://"]),
                (["--proxy", "socks5://x:99999", "h", "1"], ["99999"]),
                (["--proxy", "socks5://", "h", "1"], ["socks5://"]),
                (["--proxy", "socks5://joe:secret@x", "h", "1"], ["***@x", "--proxy-auth-file"]),
                (["--proxy", "nonsense://joe:secret@x", "h", "1"], ["***@x"]),
                (["--proxy", "http://joe@x", "h", "1"], ["--proxy-auth-file"]),
                (["--proxy", "env", "--proxy", "socks5://x", "h", "1"], ["'env'"]),
                (["--proxy-auth-file", auth, "h", "1"], ["--proxy"]),
                (["--proxy", "socks4a://x", "--proxy-auth-file", auth, "h", "1"], ["SOCKS 4a"]),
                (["--proxy", "socks5://x", "unix:/x"], ["unix:/x"]),
                (["--proxy", "http://x", "-u", "h", "1"], ["SOCKS 5"]),
                (["--proxy", "socks5://x", "--proxy", "socks5://y", "-u", "h", "1"], ["one SOCKS 5"]),
                (["--proxy", "https://x", "--pin", "0" * 64, "h", "1"], ["--pin"]),
                (["--send-proxy", "v3", "h", "1"], ["'v3'", "v1, v2"]),
                (["--send-proxy", "v1", "-u", "h", "1"], ["--send-proxy"]),
                (["--send-proxy", "v1", "--fastopen", "h", "1"], ["--fastopen"]),
                (["--proxy", "socks5://x", "--fastopen", "h", "1"], ["--fastopen"])):
            with self.subTest(words):
                done = run(["pier-connect", *map(str, words)])
                self.assert_usage_error(done, *texts)
                self.assertNotIn("secret", done.err)


class SendProxy(Base):
    V2 = b"\r\n\r\n\0\r\nQUIT\n"

    def test_the_header_names_our_socket(self):
        for version, option in ((1, "v1"), (2, "v2")):
            with self.subTest(option):
                listener = self.raw_listener()
                to = listener.getsockname()
                client = self.spawn(["pier-connect", "--send-proxy", option, f"127.0.0.1:{to[1]}"], stdin=DEVNULL)
                sock, source = listener.accept()
                with sock:
                    got = recv_all(sock)
                self.assertEqual(client.wait().code, 0)
                if version == 1:
                    self.assertEqual(got, f"PROXY TCP4 127.0.0.1 127.0.0.1 {source[1]} {to[1]}\r\n".encode())
                else:
                    self.assertEqual(got, self.V2 + b"\x21\x11\0\x0c" + b"\x7f\0\0\1" * 2 +
                                     struct.pack("!HH", source[1], to[1]))

    def test_before_tls_and_before_data(self):
        made = pki.Pki(self.tmp())
        cert = made.self_signed("server", "IP:127.0.0.1")
        context = cert.server_context()
        listener = self.raw_listener()
        client = self.connect("--send-proxy", "v1", "--tls", "--pin", cert.fingerprint, "127.0.0.1",
                              listener.getsockname()[1], stdin=DEVNULL)
        sock = self.accept(listener)
        head = b""
        while not head.endswith(b"\r\n"):
            head += recv_exactly(sock, 1)
        self.assertTrue(head.startswith(b"PROXY TCP4 "))
        with context.wrap_socket(sock, server_side=True) as tls:
            self.assertEqual(tls.recv(1), b"")
            tls.unwrap()
        self.assertEqual(client.wait().code, 0)

    def test_a_unix_socket(self):
        path = str(self.tmp() / "s")
        listener = self.raw_listener(socket.AF_UNIX, address=path)
        client = self.connect("--send-proxy", "v1", f"unix:{path}", stdin=DEVNULL)
        with self.accept(listener) as sock:
            self.assertEqual(recv_all(sock), b"PROXY UNKNOWN\r\n")
        self.assertEqual(client.wait().code, 0)

    def test_with_check_and_through_a_proxy(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        proxy = Socks5(self, NAMES)
        client = self.connect("--proxy", proxy.url, "--send-proxy", "v1", "--check", f"db.test:{port}", stdin=DEVNULL)
        with self.accept(listener) as sock:
            self.assertRegex(recv_all(sock), rb"\APROXY TCP4 [^\n]+\n\Z")
        self.assertEqual(client.wait().code, 0)


class Datagrams(Base):
    def responder(self):
        sock = self.raw_listener(kind=socket.SOCK_DGRAM)

        def loop():
            with contextlib.suppress(OSError):
                while True:
                    data, sender = sock.recvfrom(1 << 16)
                    for part in data.split(b"|"):
                        sock.sendto(part.upper(), sender)

        threading.Thread(target=loop, daemon=True).start()
        return sock.getsockname()[1]

    def test_there_and_back(self):
        port = self.responder()
        for password in (None, "joe:secret"):
            with self.subTest(password):
                proxy = Socks5(self, NAMES, password=password)
                words = ["--proxy-auth-file", self.password_file(password)] if password else []
                path = self.tmp() / "events"
                done = self.through(proxy, *words, "-u", "--replies", 2, "--reply-timeout", "60s", "--summary",
                                    "--events", path, "db.test", port, stdin=b"one|two")
                self.assertEqual((done.code, done.out), (0, b"ONETWO"), done)
                self.assertIn("6 B in, 7 B out", done.err)
                self.assertEqual(proxy.asked, [f"db.test:{port}"])
                got = [r for line in path.read_text().splitlines() if (r := json.loads(line))["type"] == "datagram"]
                self.assertEqual([r["remote_port"] for r in got], [port, port])

    def test_the_end_of_the_association_ends_it(self):
        port = self.responder()
        relay = self.raw_listener(kind=socket.SOCK_DGRAM).getsockname()[1]
        stopped = threading.Event()

        class Ending(Socks5):
            def associate(self, client):
                client.sendall(b"\5\0\0\1\0\0\0\0" + struct.pack("!H", relay))
                stopped.wait(harness.SAFETY)

        proxy = Ending(self)
        client = self.connect("--proxy", proxy.url, "-u", "127.0.0.1", port)
        client.write(b"x")
        stopped.set()
        done = client.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("association", done.err)

    def test_refused(self):
        class Not(Socks5):
            def associate(self, client):
                client.sendall(b"\5\7\0\1\0\0\0\0\0\0")

        proxy = Not(self)
        done = self.through(proxy, "-u", "127.0.0.1", 53)
        self.assertEqual(done.code, 1, done)
        self.assertIn(f"proxy {proxy.url}", done.err)


