"""TLS with the programs people have: openssl, ncat, socat, curl and nginx, in both roles, verified both ways."""

import hashlib
import threading

import harness
from harness import DEVNULL, TestCase, need_program, port_of, run, wait_until
from pki import Pki

SIZE = 4 << 20


class TlsInterop(TestCase):
    """An authority, a server's and a client's certificate, and one of an authority that nobody trusts."""

    def setUp(self):
        self.pki = Pki(self.tmp())
        self.root = self.pki.authority()
        self.server = self.pki.issue(self.root, "server", "DNS:localhost,IP:127.0.0.1")
        self.client = self.pki.issue(self.root, "client")
        self.stranger = self.pki.issue(self.pki.authority("Other CA"), "stranger", "DNS:localhost")


class Relay:
    """The tests of one peer that relays as we do. A subclass gives its command lines."""

    def setUp(self):
        super().setUp()
        self.peer_path = need_program(self.program)

    def we_listen(self, *ours, **theirs):
        server = self.listen("--tls", *self.server.files, *ours, "127.0.0.1:0")
        return server, self.spawn([self.peer_path, *self.client_words(server.port, **theirs)])

    def we_connect(self, *ours, cert=None, **theirs):
        peer = self.spawn([self.peer_path, *self.server_words(cert or self.server, **theirs)])
        port = port_of(peer, self.table)
        return self.connect("--tls", "--ca", self.root.cert, *ours, "localhost", port), peer

    table = "tcp"

    def exchange(self, ours, theirs):
        """Both send at once, and both get all of it; then the peer ends first, and we after it."""
        data = {ours: harness.pattern(SIZE, 1), theirs: harness.pattern(SIZE, 2)}
        threads = [threading.Thread(target=p.write, args=(d,)) for p, d in data.items()]
        for thread in threads:
            thread.start()
        for program in (ours, theirs):
            program.wait_out_size(SIZE)
        for thread in threads:
            thread.join()
        theirs.close_stdin()
        done = theirs.wait()
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(data[ours]).digest())
        ours.close_stdin()
        done = ours.wait()
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(data[theirs]).digest())

    def test_we_listen(self):
        self.exchange(*self.we_listen())

    def test_we_connect(self):
        self.exchange(*self.we_connect())

    def test_we_listen_to_tls_1_2_alone(self):
        self.exchange(*self.we_listen(version="1_2"))

    def test_we_connect_to_tls_1_2_alone(self):
        self.exchange(*self.we_connect(version="1_2"))

    def test_we_listen_and_want_a_certificate(self):
        self.exchange(*self.we_listen("--client-ca", self.root.cert, own=self.client))

    def test_we_listen_and_want_another_certificate(self):
        ours, _ = self.we_listen("--client-ca", self.root.cert, own=self.stranger)
        done = ours.wait()
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("issuer", done.err)

    def test_we_do_not_believe_a_stranger(self):
        ours, theirs = self.we_connect(cert=self.stranger)
        done = ours.finish(b"secret")
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("certificate verify failed", done.err)
        self.assertEqual(theirs.out, b"")

    def test_we_are_a_stranger(self):
        ours = self.listen("--tls", *self.stranger.files, "127.0.0.1:0")
        theirs = self.spawn([self.peer_path, *self.client_words(ours.port)])
        done = ours.wait()
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("alert", done.err)
        self.assertNotEqual(theirs.finish().code, 0)


class AskingRelay(Relay):
    """Of one that can ask its clients for a certificate."""

    def test_we_show_a_certificate(self):
        self.exchange(*self.we_connect(*self.client.files, wants=self.root))

    def test_we_show_none_where_one_is_wanted(self):
        ours, _ = self.we_connect(wants=self.root)
        done = ours.wait()
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertRegex(done.err, "alert|reset|closed|truncated")


class Openssl(AskingRelay, TlsInterop):
    program = "openssl"

    def client_words(self, port, own=None, version=None):
        return ["s_client", "-quiet", "-no_ign_eof", "-nocommands", "-verify_return_error", "-CAfile", self.root.cert,
                "-verify_hostname", "localhost", "-connect", f"127.0.0.1:{port}",
                *([f"-tls{version}"] if version else []), *(["-cert", own.cert, "-key", own.key] if own else [])]

    def server_words(self, cert, wants=None, version=None):
        return ["s_server", "-quiet", "-naccept", "1", "-accept", "127.0.0.1:0", "-cert", cert.cert, "-key", cert.key,
                *([f"-tls{version}"] if version else []),
                *(["-Verify", "1", "-verify_return_error", "-CAfile", wants.cert] if wants else [])]

    # What openssl's own commands do by a letter at the beginning of a line.
    def letter(self, letter, version):
        ours = self.listen("--tls", *self.server.files, "127.0.0.1:0")
        words = [w for w in self.client_words(ours.port, version=version) if w not in ("-quiet", "-nocommands")]
        theirs = self.spawn([self.peer_path, *words])
        theirs.wait_out(b"(?s)SSL-Session|Verify return code")
        theirs.write(letter)
        return ours, theirs

    def test_a_key_update_is_answered(self):
        ours, theirs = self.letter(b"K\n", "1_3")
        theirs.wait_err("KEYUPDATE")
        theirs.write(b"after it\n")
        ours.wait_out(b"after it\n")
        ours.write(b"and back\n")
        theirs.wait_out(b"and back\n")
        theirs.close_stdin()
        self.assertEqual(ours.finish().code, 0)

    def test_renegotiation_is_refused(self):
        ours, theirs = self.letter(b"R\n", "1_2")
        theirs.wait_err("RENEGOTIATING")
        self.assertNotEqual(theirs.wait().code, 0)
        # The refusal is a warning, after which the client gives up.
        self.assertEqual(ours.finish().out, b"")

    def test_we_pin(self):
        ours, theirs = self.we_connect()
        self.exchange(ours, theirs)
        peer = self.spawn([self.peer_path, *self.server_words(self.stranger)])
        port = port_of(peer, "tcp")
        self.exchange(self.connect("--tls", "--pin", self.stranger.fingerprint, "localhost", port), peer)

    def test_its_fingerprint_is_ours(self):
        text = run([self.peer_path, "x509", "-in", self.server.cert, "-noout", "-fingerprint", "-sha256"]).text
        ours, theirs = self.we_connect("--server-name", "localhost")
        self.exchange(ours, theirs)
        peer = self.spawn([self.peer_path, *self.server_words(self.server)])
        port = port_of(peer, "tcp")
        self.exchange(self.connect("--tls", "--pin", text.strip().partition("=")[2], "localhost", port), peer)

    def test_alpn(self):
        peer = self.spawn([self.peer_path, *self.server_words(self.server), "-alpn", "imap,h2"])
        ours = self.connect("--tls", "--ca", self.root.cert, "--alpn", "h2,http/1.1", "--explain", "localhost",
                            port_of(peer, "tcp"))
        ours.wait_err(r"^tls .* for h2; ")
        self.exchange(ours, peer)


class Ncat(Relay, TlsInterop):
    program = "ncat"

    def client_words(self, port, own=None, version=None):
        return ["--ssl", "--ssl-verify", "--ssl-trustfile", self.root.cert, *self.limits(version),
                *(["--ssl-cert", own.cert, "--ssl-key", own.key] if own else []), "localhost", port]

    def server_words(self, cert, wants=None, version=None):
        # It asks no client for a certificate.
        return ["-l", "127.0.0.1", "0", "--ssl", "--ssl-cert", cert.cert, "--ssl-key", cert.key, *self.limits(version)]

    @staticmethod
    def limits(version):
        return ["--ssl-ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"] if version else []

    def exchange(self, ours, theirs):
        data = harness.pattern(SIZE, 3)
        theirs.write(data)
        ours.wait_out_size(SIZE)
        # Less than it reads at once: of a record it has half read it forgets the rest until more comes.
        ours.write(b"answer")
        theirs.wait_out(b"answer")
        we_listen = ours.cmd[0].endswith("pier-listen")
        (theirs if we_listen else ours).close_stdin()
        self.assertEqual(theirs.wait().code, 0)
        ours.close_stdin()
        done = ours.wait()
        self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(data).digest())
        # As a client it never says close_notify.
        self.assertEqual(done.code, 1 if we_listen else 0, done.err)
        self.assertEqual("truncated" in done.err, we_listen, done.err)


class Socat(AskingRelay, TlsInterop):
    program = "socat"

    # -t: how long it waits for the other side after one has ended.
    def client_words(self, port, own=None, version=None):
        extra = f",cert={own.cert},key={own.key}" if own else ""
        return ["-t", "60", "-", f"OPENSSL:localhost:{port},pf=ip4,cafile={self.root.cert},verify=1"
                + extra + self.limits(version)]

    def server_words(self, cert, wants=None, version=None):
        check = f"verify=1,cafile={wants.cert}" if wants else "verify=0"
        return ["-t", "60", "-", f"OPENSSL-LISTEN:0,pf=ip4,bind=127.0.0.1,cert={cert.cert},key={cert.key},{check}"
                + self.limits(version)]

    @staticmethod
    def limits(version):
        return f",openssl-max-proto-version=TLS{version.replace('_', '.')}" if version else ""

    def exchange(self, ours, theirs):
        # It waits for our end after its own.
        ours.write(b"question")
        theirs.wait_out(b"question")
        theirs.write(b"answer")
        ours.wait_out(b"answer")
        ours.close_stdin()
        theirs.close_stdin()
        self.assertEqual(theirs.wait()[:2], (0, b"question"))
        done = ours.wait()
        self.assertEqual((done.code, done.out), (0, b"answer"), done)


class Curl(TlsInterop):
    def test_it_fetches_from_us(self):
        curl = need_program("curl")
        body = harness.pattern(SIZE, 7)
        page = self.tmp() / "page"
        page.write_bytes(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        with open(page, "rb") as stdin:
            ours = self.listen("--tls", *self.server.files, "127.0.0.1:0", stdin=stdin)
            url = f"https://localhost:{ours.port}/x"
            done = run([curl, "--silent", "--show-error", "--cacert", self.root.cert, url])
            self.assertEqual((done.code, done.out == body), (0, True), done.err)
            done = ours.wait()
            self.assertEqual(done.code, 0, done.err)
            self.assertTrue(done.out.startswith(b"GET /x HTTP/1.1\r\n"))

    def test_it_shows_us_its_certificate(self):
        curl = need_program("curl")
        ours = self.listen("--tls", *self.server.files, "--client-ca", self.root.cert, "--sh-exec",
                           "printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello'", "127.0.0.1:0")
        done = run([curl, "--silent", "--show-error", "--cacert", self.root.cert, "--cert", self.client.cert, "--key",
                    self.client.key, f"https://localhost:{ours.port}/"])
        self.assertEqual((done.code, done.out), (0, b"hello"), done.err)
        self.assertEqual(ours.wait().code, 0)


class Nginx(TlsInterop):
    """nginx in front, on a port of its own, as an ordinary process of this test."""

    def start(self, *lines):
        nginx = need_program("nginx")
        folder = self.tmp()
        self.body = harness.pattern(SIZE, 8)
        (folder / "page").write_bytes(self.body)
        sock = self.raw_listener()  # a port that is free, for nginx can't be told to choose one
        port = sock.getsockname()[1]
        sock.close()
        extra = "".join(line + ";" for line in lines)
        config = folder / "nginx.conf"
        config.write_text(f"""
            daemon off; master_process off; pid {folder}/pid; error_log stderr;
            events {{ worker_connections 64; }}
            http {{
              access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
              fastcgi_temp_path {folder}/c;
              uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
              server {{
                listen 127.0.0.1:{port} ssl; root {folder}; ssl_certificate {self.server.cert};
                ssl_certificate_key {self.server.key}; {extra}
              }}
            }}""")
        folder.chmod(0o755)
        self.spawn([nginx, "-c", str(config), "-p", str(folder)], stdin=DEVNULL)

        def answers():
            with harness.contextlib.suppress(OSError):
                return self.raw_connect(("127.0.0.1", port))

        wait_until(answers, "nginx to listen").close()
        return port

    def fetch(self, port, *words):
        # nginx closes with our close_notify unread, and thereby resets: it is kept back.
        done = self.connect("--tls", "--no-half-close", "--ca", self.root.cert, *words, "localhost", port).finish(
            b"GET /page HTTP/1.0\r\n\r\n")
        head, _, body = done.out.partition(b"\r\n\r\n")
        return done, head, body

    def test_we_fetch(self):
        for lines in ((), ("ssl_protocols TLSv1.2",), ("ssl_protocols TLSv1.3",)):
            with self.subTest(lines=lines):
                done, head, body = self.fetch(self.start(*lines))
                self.assertEqual(done.code, 0, done.err)
                self.assertIn(b"200 OK", head)
                self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(self.body).digest())

    def test_it_wants_our_certificate(self):
        port = self.start("ssl_verify_client on", f"ssl_client_certificate {self.root.cert}")
        done, head, body = self.fetch(port, *self.client.files)
        self.assertEqual((done.code, body == self.body), (0, True), done.err)
        # Without one the handshake succeeds, and HTTP says no.
        self.assertIn(b"400 Bad Request", self.fetch(port)[1])

    def test_check(self):
        port = self.start()
        done = run(["pier-connect", "--check", "--ca", self.root.cert, f"https://localhost:{port}"])
        self.assertEqual(done.code, 0, done)
        done = run(["pier-connect", "--check", f"https://localhost:{port}"])
        self.assertEqual(done.code, 1, done)
        self.assertIn("\tclosed\ttls: certificate verify failed: ", done.text)
