"""TLS of pier-listen and pier-connect: with each other, and with Python's ssl as the peer that misbehaves."""

import hashlib
import json
import os
import re
import socket
import ssl
import threading

import harness
from harness import DEVNULL, TestCase, pattern, recv_all, run
from pki import Pki, client_context

PIN = r"SHA256:[0-9a-f]{64}"


class TlsCase(TestCase):
    def pki(self):
        return Pki(self.tmp())

    def tls_listen(self, *args, **options):
        """pier-listen --tls with a certificate made for the run: `.pin` is its fingerprint."""
        server = self.listen("--tls", *args, **options)
        server.pin = re.search(PIN, server.err)[0]
        return server

    def tls_connect(self, server, *args, **options):
        return self.connect("--tls", "--pin", server.pin, *args, "localhost", server.port, **options)

    def python_server(self, context, serve):
        """Accepts one client in a thread, shakes hands and calls serve(tls socket); its port. What became of it is
        in self.outcome."""
        listener = self.raw_listener()
        self.outcome = []

        def work():
            raw = self.accept(listener)
            try:
                with context.wrap_socket(raw, server_side=True) as tls:
                    self.outcome.append(serve(tls))
            except (ssl.SSLError, OSError) as error:
                self.outcome.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.addCleanup(thread.join, harness.SAFETY)
        self.thread = thread
        return listener.getsockname()[1]

    def python_client(self, server, context=None):
        raw = self.raw_connect(("127.0.0.1", server.port))
        return self.enterContext((context or client_context()).wrap_socket(raw, server_hostname="localhost"))


class TlsTest(TlsCase):
    def test_both_ends_with_a_certificate_made_for_the_run(self):
        server = self.tls_listen(0, stdin=harness.PIPE)
        client = self.tls_connect(server)
        client.write(b"question")
        client.close_stdin()
        self.assertTrue(server.wait_out(b"question"))
        done = server.finish(b"answer")
        self.assertEqual((done.code, done.out), (0, b"question"), done)
        done = client.wait()
        self.assertEqual((done.code, done.out, done.err), (0, b"answer", ""), done)

    def test_megabytes_both_ways_arrive_whole(self):
        ours, theirs = pattern(12 << 20, 1), pattern(9 << 20, 2)
        files = {}
        for name, data in (("a", ours), ("b", theirs)):
            files[name] = self.tmp() / name
            files[name].write_bytes(data)
        with open(files["a"], "rb") as a, open(files["b"], "rb") as b:
            server = self.tls_listen("--summary", 0, stdin=a)
            client = self.tls_connect(server, "--summary", stdin=b)
            for program, sent, got in ((client, theirs, ours), (server, ours, theirs)):
                done = program.wait()
                self.assertEqual(done.code, 0, done.err)
                self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(got).digest())
                self.assertIn(f"{len(got)} B in, {len(sent)} B out", done.err)

    def test_a_server_that_ends_first(self):
        server = self.tls_listen(0, stdin=harness.PIPE)
        client = self.tls_connect(server, stdin=DEVNULL)
        done = server.finish(b"all there is")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(client.wait()[:2], (0, b"all there is"))

    def test_send_only_and_recv_only(self):
        data = pattern(3 << 20)
        server = self.tls_listen("--recv-only", 0)
        done = self.tls_connect(server, "--send-only").finish(data)
        self.assertEqual(done.code, 0, done)
        done = server.wait()
        self.assertEqual((done.code, done.out), (0, data), done.err)

    def test_a_program_for_the_client(self):
        server = self.tls_listen("--exec", 0, "--", "tr", "a-z", "A-Z")
        self.assertEqual(self.tls_connect(server).finish(b"shout\n")[:2], (0, b"SHOUT\n"))
        self.assertEqual(server.wait().code, 0)

    def test_a_program_at_the_client(self):
        server = self.tls_listen(0)
        client = self.tls_connect(server, "--sh-exec", "echo from a program; cat >/dev/null", stdin=DEVNULL)
        self.assertTrue(server.wait_out(b"from a program\n"))
        self.assertEqual(server.finish().code, 0)
        self.assertEqual(client.wait().code, 0)

    def test_the_scheme_turns_it_on(self):
        server = self.listen("tls://127.0.0.1:0")
        pin = re.search(PIN, server.err)[0]
        done = self.connect("--pin", pin, f"https://127.0.0.1:{server.port}/path").finish(b"hello")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(server.finish()[:2], (0, b"hello"))

    def test_unix_socket(self):
        path = self.tmp() / "s"
        server = self.tls_listen(f"unix:{path}")
        self.assert_usage_error(run(["pier-connect", "--tls", f"unix:{path}"]), "--server-name", "--pin")
        done = self.connect("--tls", "--pin", server.pin, f"unix:{path}").finish(b"hello")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(server.finish()[:2], (0, b"hello"))

    def test_version_names_the_library(self):
        for program in ("pier-listen", "pier-connect"):
            self.assertRegex(run([program, "--version"]).text, r"(?m)^OpenSSL 3\.\d+\.\d+")

    def test_a_missing_library_is_one_clear_line(self):
        folder = self.tmp()
        (folder / "libssl.so.3").write_bytes(b"")
        done = run(["pier-connect", "--tls", "127.0.0.1", "9"], env={"LD_LIBRARY_PATH": str(folder)})
        self.assert_usage_error(done, "libssl.so.3", "TLS")
        done = run(["pier-connect", "--version"], env={"LD_LIBRARY_PATH": str(folder)})
        self.assertEqual(done.code, 0)
        self.assertIn("OpenSSL not found", done.text)

    def test_nothing_is_loaded_without_tls(self):
        server = self.listen(0)
        self.assertNotIn("libssl", open(f"/proc/{server.pid}/maps").read())
        self.assertNotIn("libcrypto", open(f"/proc/{server.pid}/maps").read())


class WordsTest(TlsCase):
    def test_usage_errors(self):
        for words, *texts in (
            (["-u", "--tls", "127.0.0.1", "80"], "--tls"),
            (["--tls", "udp://127.0.0.1:80"], "DTLS"),
            (["-u", "tls://127.0.0.1:80"], "DTLS"),
            (["--cert", "x.pem", "127.0.0.1", "80"], "--cert", "--tls"),
            (["--tls", "--key", "x.pem", "127.0.0.1", "80"], "--key", "--cert"),
        ):
            for program in ("pier-listen", "pier-connect"):
                with self.subTest(words=words, program=program):
                    self.assert_usage_error(run([program, *words]), *texts)
        for words, *texts in (
            (["--ca", "x.pem", "127.0.0.1", "80"], "--ca", "--tls"),
            (["--tls", "--insecure", "--ca", "x.pem", "127.0.0.1", "80"], "--insecure", "--ca"),
            (["--tls", "--insecure", "--pin", "a" * 64, "127.0.0.1", "80"], "--insecure", "--pin"),
            (["--tls", "--pin", "abc", "127.0.0.1", "80"], "'abc'", "SHA-256"),
            (["--tls", "--alpn", "h2,,x", "127.0.0.1", "80"], "'h2,,x'"),
            (["--tls", "--server-name", "bad name", "127.0.0.1", "80"], "'bad name'"),
        ):
            with self.subTest(words=words):
                self.assert_usage_error(run(["pier-connect", *words]), *texts)

    def test_files_that_do_not_fit(self):
        pki = self.pki()
        one, other = pki.self_signed("one", "DNS:localhost"), pki.self_signed("other", "DNS:localhost")
        broken = self.tmp() / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for words, *texts in (
            (["--cert", "/nonexistent.pem"], "--cert", "/nonexistent.pem", "no such file"),
            (["--cert", str(one.cert)], "--key", str(one.cert), "no private key"),
            (["--cert", str(one.key)], "--cert", "no certificate"),
            (["--cert", str(broken)], "--cert", "not a certificate"),
            (["--cert", str(one.cert), "--key", str(other.key)], "--key", "does not belong"),
            (["--cert", str(one.cert), "--key", str(pki.encrypt(one))], "--key", "encrypted", "openssl pkey"),
            (["--cert", str(one.cert), "--key", str(broken)], "--key", "no private key"),
            (["--cert", str(self.tmp())], "--cert"),
        ):
            for program in ("pier-listen", "pier-connect"):
                with self.subTest(words=words, program=program):
                    port = "0" if program == "pier-listen" else "9"
                    self.assert_usage_error(run([program, "--tls", *words, "127.0.0.1", port]), *texts)
        self.assert_usage_error(run(["pier-listen", "--tls", "--client-ca", "/nonexistent", "0"]), "--client-ca")
        self.assert_usage_error(run(["pier-connect", "--tls", "--ca", "/dev/null", "127.0.0.1", "9"]), "--ca")

    def test_one_file_for_certificate_chain_and_key(self):
        pki = self.pki()
        root = pki.authority()
        cert = pki.issue(root, "server", "DNS:localhost")
        both = self.tmp() / "both.pem"
        both.write_text(cert.key.read_text() + cert.cert.read_text() + root.cert.read_text())
        server = self.listen("--tls", "--cert", both, 0)
        self.assertNotRegex(server.err, PIN)
        done = self.connect("--tls", "--ca", root.cert, "localhost", server.port).finish(b"hello")
        self.assertEqual(done.code, 0, done)


class VerifyTest(TlsCase):
    """Who is believed, and what is said when not."""

    def setUp(self):
        self.made = self.pki()
        self.root = self.made.authority()

    def attempt(self, cert, *args, host="localhost", env=None):
        """What pier-connect says to a server with this certificate, and what the server got of its stdin."""
        server = self.listen("--tls", *cert.files, 0, stdin=DEVNULL)
        done = self.connect("--tls", *args, host, server.port, env=env).finish(b"secret")
        got = server.wait()
        if done.code != 0:
            self.assertEqual((got.code, got.out), (1, b""), got)
            self.assertRegex(done.err, r"\Apier-connect: tls [^\n]+\n\Z")
        return done, got.out

    def refused(self, cert, *args, texts, host="localhost", env=None):
        done, got = self.attempt(cert, *args, host=host, env=env)
        self.assertEqual((done.code, done.out, got), (1, b"", b""), done)
        for text in texts:
            self.assertIn(text, done.err)

    def accepted(self, cert, *args, host="localhost", env=None):
        done, got = self.attempt(cert, *args, host=host, env=env)
        self.assertEqual((done.code, got), (0, b"secret"), done)
        return done

    def test_self_signed(self):
        cert = self.made.self_signed("own", "DNS:localhost")
        self.refused(cert, texts=["self-signed certificate", f"--pin {cert.fingerprint} ", "--ca FILE"])
        self.accepted(cert, "--ca", cert.cert)
        self.accepted(cert, "--pin", cert.fingerprint)

    def test_an_issuer_in_the_system_store(self):
        cert = self.made.issue(self.root, "server", "DNS:localhost")
        self.refused(cert, texts=["issuer", "CN=Test CA", "--ca FILE"])
        self.accepted(cert, env={"SSL_CERT_FILE": str(self.root.cert)})
        # --ca is in place of the system's.
        other = self.made.authority("Other CA")
        self.refused(cert, "--ca", other.cert, texts=["issuer"], env={"SSL_CERT_FILE": str(self.root.cert)})

    def test_another_name(self):
        cert = self.made.issue(self.root, "server", "DNS:db.example,DNS:*.wild.example,DNS:par*.example,IP:192.0.2.1")
        ca = ["--ca", self.root.cert]
        self.refused(cert, *ca, texts=["db.example", "'localhost'", "--server-name"])
        self.refused(cert, *ca, host="127.0.0.1", texts=["192.0.2.1", "'127.0.0.1'"])
        for name in ("db.example", "DB.example.", "a.wild.example", "192.0.2.1"):
            with self.subTest(name=name):
                self.accepted(cert, *ca, "--server-name", name)
        for name in ("wild.example", "a.b.wild.example", "part.example", "192.0.2.2"):
            with self.subTest(name=name):
                self.refused(cert, *ca, "--server-name", name, texts=[f"'{name}'"])

    def test_a_common_name_is_no_name(self):
        cert = self.made.issue(self.root, "localhost")
        self.refused(cert, "--ca", self.root.cert, texts=["no name", "'localhost'"])

    def test_an_address(self):
        cert = self.made.issue(self.root, "server", "IP:127.0.0.1")
        self.accepted(cert, "--ca", self.root.cert, host="127.0.0.1")
        self.refused(cert, "--ca", self.root.cert, texts=["127.0.0.1", "'localhost'"])

    def test_expired(self):
        cert = self.made.issue(self.root, "server", "DNS:localhost", days=-1)
        self.refused(cert, "--ca", self.root.cert, texts=["expired on 20"])
        self.accepted(cert, "--pin", cert.fingerprint)

    def test_pins(self):
        cert = self.made.issue(self.root, "server", "DNS:elsewhere")
        other = self.made.issue(self.root, "other", "DNS:localhost")
        self.refused(cert, "--pin", other.fingerprint, texts=["--pin", cert.fingerprint])
        digits = cert.fingerprint.split(":")[1].upper()
        colons = ":".join(digits[i:i + 2] for i in range(0, 64, 2))
        for pin in (digits, colons):
            self.accepted(cert, "--pin", other.fingerprint, "--pin", pin)

    def test_insecure_says_so(self):
        cert = self.made.self_signed("own", "DNS:elsewhere")
        done = self.accepted(cert, "--insecure")
        self.assertRegex(done.err, r"\Atls: --insecure: [^\n]+\n\Z")

    def test_client_certificates(self):
        cert = self.made.issue(self.root, "server", "DNS:localhost")
        client = self.made.issue(self.root, "client")
        stranger = self.made.issue(self.made.authority("Other CA"), "stranger")
        for own, code, text in ((client, 0, ""), (stranger, 1, "issuer"), (None, 1, "no certificate")):
            with self.subTest(own=own and own.cert.name):
                server = self.listen("--tls", *cert.files, "--client-ca", self.root.cert, 0, stdin=DEVNULL)
                ours = self.connect("--tls", "--ca", self.root.cert, *(own.files if own else []), "localhost",
                                    server.port)
                # A server says no after the client's handshake: it is heard when reading.
                if code:
                    ours.wait_err(r"alert")
                done = ours.finish(b"secret")
                got = server.wait()
                self.assertEqual((done.code, got.code), (code, code), (done, got))
                self.assertEqual(got.out, b"" if code else b"secret")
                self.assertIn(text, got.err)

    def test_what_explain_and_events_tell(self):
        cert = self.made.issue(self.root, "server", "DNS:localhost")
        port = self.python_server(cert.server_context(alpn=["h2", "x"]), lambda tls: tls.unwrap() and None)
        events = self.tmp() / "events"
        done = self.connect("--tls", "--ca", self.root.cert, "--alpn", "x,http/1.1", "--events", events, "localhost",
                            port).finish()
        self.assertEqual(done.code, 0, done)
        records = [json.loads(line) for line in events.read_text().splitlines()]
        step = next(r for r in records if r["type"] == "step")
        expected = {"call": "tls", "result": "ok", "version": "TLSv1.3", "alpn": "x", "subject": "CN=server",
                    "fingerprint": cert.fingerprint, "verified": "chain"}
        self.assertEqual({name: step[name] for name in expected}, expected)
        self.assertRegex(step["cipher"], "^TLS_")
        done = self.attempt(cert, "--ca", self.root.cert, "--explain")[0]
        self.assertRegex(done.err, r"(?m)^tls +TLSv1\.3 with TLS_\w+; localhost:\d+ is CN=server, verified$")


class PeerTest(TlsCase):
    """Peers that end, stall, or speak something else."""

    def test_row_20_truncation_of_what_the_client_reads(self):
        cert = self.pki().self_signed("own", "DNS:localhost")

        def serve(tls):
            tls.sendall(b"half of it")
            os.close(tls.detach())  # FIN without close_notify

        port = self.python_server(cert.server_context(), serve)
        # Our close_notify, which this server would not read, would make its end a reset: stdin stays open.
        done = self.connect("--tls", "--pin", cert.fingerprint, "localhost", port).wait()
        self.assertEqual((done.code, done.out), (1, b"half of it"), done)
        self.assertIn("truncated", done.err)

    def test_row_20_truncation_of_what_the_server_reads(self):
        for many in ([], ["-k", "--max-accepts", "1"]):
            with self.subTest(many=many):
                server = self.tls_listen(*many, 0)
                tls = self.python_client(server)
                tls.sendall(b"half of it")
                server.wait_out(b"half of it")
                os.close(tls.detach())
                done = server.wait()
                self.assertEqual((done.code, done.out), (0 if many else 1, b"half of it"), done)
                self.assertIn("truncated", done.err)

    def test_half_close_is_close_notify(self):
        cert = self.pki().self_signed("own", "DNS:localhost")

        def serve(tls):
            heard = recv_all(tls)
            tls.sendall(b"heard " + heard)
            tls.unwrap()

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                port = self.python_server(cert.server_context(version=version), serve)
                done = self.connect("--tls", "--pin", cert.fingerprint, "localhost", port).finish(b"you")
                self.assertEqual((done.code, done.out), (0, b"heard you"), done)

    def test_only_versions_before_tls_1_2(self):
        server = self.tls_listen(0)
        context = client_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(ssl.SSLError):
            self.python_client(server, context)
        done = server.wait()
        self.assertEqual(done.code, 1)
        self.assertIn("none of TLS 1.2 and 1.3", done.err)

    def test_a_plain_client_on_a_tls_listener(self):
        server = self.tls_listen(0)
        raw = self.raw_connect(("127.0.0.1", server.port))
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
        done = server.wait()
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("does not speak TLS", done.err)
        self.assertIn("'GET / HTTP/1.0'", done.err)

    def test_a_client_that_leaves_during_the_handshake(self):
        server = self.tls_listen(0)
        self.raw_connect(("127.0.0.1", server.port)).close()
        done = server.wait()
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("closed the connection", done.err)

    def test_a_plain_server(self):
        listener = self.raw_listener()
        client = self.connect("--tls", "localhost", listener.getsockname()[1])
        peer = self.accept(listener)
        peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        done = client.finish(b"secret")
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("'SSH-2.0-OpenSSH_9.2'", done.err)
        self.assertNotIn(b"secret", recv_all(peer))

    def test_one_bad_client_of_many_ends_only_itself(self):
        server = self.tls_listen("-k", 0)
        stalled = self.raw_connect(("127.0.0.1", server.port))
        self.raw_connect(("127.0.0.1", server.port)).sendall(b"not TLS at all\n")
        server.wait_err("does not speak TLS")
        self.assertEqual(self.tls_connect(server, "--send-only").finish(b"served\n").code, 0)
        server.wait_out(b"served\n")
        # The one that stalled may still go on.
        tls = self.enterContext(client_context().wrap_socket(stalled))
        tls.sendall(b"late\n")
        server.wait_out(b"late\n")
        server.signal(15)
        self.assertEqual(server.wait().code, 143)

    def test_idle_timeout_ends_a_stalled_handshake(self):
        server = self.tls_listen("--idle-timeout", "100ms", 0)
        self.raw_connect(("127.0.0.1", server.port))
        done = server.wait()
        self.assertEqual(done.code, 124, done)

    def test_max_accepts_counts_whoever_came(self):
        server = self.tls_listen("--max-accepts", 2, 0)
        raw = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(self.tls_connect(server).finish(b"one").code, 0)
        raw.sendall(b"hello\r\n")
        done = server.wait()
        self.assertEqual((done.code, done.out), (0, b"one"), done)

    def test_connect_timeout_covers_the_handshake(self):
        listener = self.raw_listener()
        done = self.connect("--tls", "--connect-timeout", "200ms", "localhost", listener.getsockname()[1]).finish()
        self.assertEqual(done.code, 124, done)
        self.assertIn("tls localhost:", done.err)

    def test_a_reset_of_the_connection(self):
        server = self.tls_listen(0)
        tls = self.python_client(server)
        tls.sendall(b"some")
        server.wait_out(b"some")
        raw = socket.socket(fileno=tls.detach())
        harness.reset(raw)
        done = server.wait()
        self.assertEqual((done.code, done.out), (1, b"some"), done)
        self.assertIn("reset", done.err)

    def test_a_reader_of_stdout_that_goes_away_resets_the_peer(self):
        cert = self.pki().self_signed("own", "DNS:localhost")

        def serve(tls):
            while True:
                tls.sendall(b"x" * 65536)

        port = self.python_server(cert.server_context(), serve)
        done = run(["sh", "-c", '{ "$0" --tls --pin "$1" localhost "$2" </dev/null; echo "code $?" >&2; } | head -c 5',
                    harness.binary("pier-connect"), cert.fingerprint, str(port)])
        self.assertEqual((done.out, done.err), (b"xxxxx", "code 141\n"))
        self.thread.join(harness.SAFETY)
        self.assertIsInstance(self.outcome[0], OSError)


class ShowCertTest(TlsCase):
    def setUp(self):
        self.made = self.pki()
        self.root = self.made.authority()
        cert = self.made.issue(self.root, "server", "DNS:db.example,IP:127.0.0.1")
        chain = self.tmp() / "chain.pem"
        chain.write_text(cert.cert.read_text() + self.root.cert.read_text())
        self.cert = cert
        self.server = self.listen("--tls", "--cert", chain, "--key", cert.key, "-k", 0)

    def show(self, *args, host="127.0.0.1"):
        done = run(["pier-connect", "--show-cert", *args, host, self.server.port], stdin=b"not sent")
        self.assertEqual(self.server.out, b"")
        return done

    def test_rows(self):
        done = self.show("--ca", str(self.root.cert))
        self.assertEqual((done.code, done.err), (0, ""), done)
        rows = {tuple(line.split("\t")[:2]): line.split("\t")[2] for line in done.lines}
        self.assertEqual(rows["tls", "protocol"], "TLSv1.3")
        self.assertEqual(rows["tls", "verified"], "yes, by its chain")
        self.assertEqual(rows["0", "subject"], "CN=server")
        self.assertEqual(rows["0", "issuer"], "CN=Test CA")
        self.assertEqual(rows["0", "names"], "db.example, 127.0.0.1")
        self.assertEqual(rows["0", "key"], "EC 256")
        self.assertEqual(rows["0", "fingerprint"], self.cert.fingerprint)
        self.assertRegex(rows["0", "not-after"], r"\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
        self.assertEqual(rows["1", "subject"], "CN=Test CA")

    def test_who_would_not_be_believed_is_shown_and_exit_1(self):
        done = self.show("--json", "--ca", str(self.root.cert), host="localhost")
        records = [json.loads(line) for line in done.lines]
        self.assertEqual([r["type"] for r in records], ["start", "tls", "certificate", "certificate", "summary"])
        self.assertEqual((done.code, records[-1]["exit"], records[1]["verified"]), (1, 1, False))
        self.assertIn("db.example", records[1]["why"])
        self.assertEqual(records[2]["names"], ["db.example", "127.0.0.1"])
        self.assertEqual(records[2]["fingerprint"], self.cert.fingerprint)
        self.assertEqual(self.show().code, 1)

    def test_pin(self):
        self.assertEqual(self.show("--pin", self.cert.fingerprint).code, 0)
        self.assertEqual(self.show("--pin", "0" * 64).code, 1)

    def test_who_does_not_speak_tls(self):
        listener = self.raw_listener()
        client = self.connect("--show-cert", "localhost", listener.getsockname()[1], stdin=DEVNULL)
        self.accept(listener).sendall(b"220 hello\r\n")
        done = client.wait()
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("'220 hello'", done.err)


class CheckTest(TlsCase):
    def rows(self, done):
        return [line.split("\t") for line in done.lines]

    def test_the_handshake_is_part_of_being_up(self):
        server = self.tls_listen("-k", 0)
        plain = self.raw_listener()
        done = run(["pier-connect", "--check", "--pin", server.pin, "--connect-timeout", "500ms",
                    f"tls://localhost:{server.port}", f"localhost:{server.port}",
                    f"tls://localhost:{plain.getsockname()[1]}"])
        rows = self.rows(done)
        self.assertEqual([row[5] for row in rows], ["open", "open", "filtered"], done)
        self.assertTrue(rows[2][6].startswith("tls: "), done)
        self.assertEqual(done.code, 3, done)
        server.signal(15)
        self.assertEqual(server.wait().out, b"")

    def test_a_certificate_that_does_not_verify_is_closed(self):
        server = self.tls_listen("-k", 0)
        done = run(["pier-connect", "--check", "--json", f"tls://localhost:{server.port}"])
        record = json.loads(done.lines[1])
        self.assertEqual((done.code, record["state"]), (1, "closed"), done)
        self.assertEqual(record["reason"], "tls: certificate verify failed: self-signed certificate")

    def test_wait_goes_on_until_the_handshake_succeeds(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        client = self.connect("--wait", "60s", "--tls", "--insecure", "localhost", port)
        self.accept(listener).close()  # not up yet
        cert = self.pki().self_signed("own", "DNS:localhost")
        tls = self.enterContext(cert.server_context().wrap_socket(self.accept(listener), server_side=True))
        client.write(b"up")
        self.assertEqual(tls.recv(2), b"up")
        client.close_stdin()
        self.assertEqual(tls.recv(1), b"")
        tls.unwrap()
        self.assertEqual(client.wait().code, 0)

    def test_wait_that_passes_tells_the_last_reason(self):
        server = self.tls_listen("-k", 0)
        done = run(["pier-connect", "--wait", "200ms", "--tls", "localhost", server.port])
        self.assertEqual(done.code, 124, done)
        self.assertIn("self-signed", done.err)
