"""pier-scan --banner: what open ports say they are."""

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import time

import harness
import services
from harness import SAFETY, need_program, wait_until
from pki import Pki
from scan_case import LOOPBACK, ScanTestCase


class Banners(ScanTestCase):
    def serve(self, talk, context=None):
        """A server that gives each connection to `talk`, over TLS with a context; its port."""
        listener = self.raw_listener()
        services.serve_each(self, listener, talk, context)
        return listener.getsockname()[1]

    def greeter(self, text):
        return self.serve(services.greeter(text))

    def banners(self, *ports, words=()):
        done = self.scan("--json", "--banner", "-p", ",".join(map(str, ports)), *words, LOOPBACK)
        _, records, summary = self.records(done)
        return {r["port"]: r for r in records}, summary, done

    def test_who_speaks_first_is_heard(self):
        smtp = self.greeter(b"220 mail.example ESMTP Postfix\r\n")
        ssh = self.greeter(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        found, summary, done = self.banners(smtp, ssh)
        self.assertEqual((done.code, summary["complete"]), (0, True), done)
        self.assertEqual([found[smtp][k] for k in ("app", "product", "banner", "tls")],
                         ["smtp", "Postfix", "220 mail.example ESMTP Postfix", None])
        self.assertEqual([found[ssh][k] for k in ("app", "product")], ["ssh", "OpenSSH_9.2p1 Debian-2"])

    def test_http_is_asked(self):
        port = self.serve(services.http)
        found, _, done = self.banners(port)
        self.assertEqual([found[port][k] for k in ("app", "product", "banner")],
                         ["http", "tests/1.0", "HTTP/1.1 200 OK"], done)

    def test_tls_is_found_and_its_certificate_told(self):
        own = Pki(self.tmp()).self_signed("db.example", "DNS:db.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.cert, own.key)
        context.set_alpn_protocols(["http/1.1"])
        port = self.serve(services.http, context)
        found, _, done = self.banners(port)
        record = found[port]
        self.assertEqual([record[k] for k in ("app", "product", "tls", "tls_alpn")],
                         ["http", "tests/1.0", "TLSv1.3", "http/1.1"], done)
        self.assertIn("db.example", record["tls_names"])

    def test_openssl_and_nginx(self):
        need_program("nginx")
        folder = self.tmp()
        own = Pki(folder).self_signed("web.example", "DNS:web.example")
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(socket.socket()) for _ in range(2)]
            for sock in held:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((LOOPBACK, 0))
            ports = [sock.getsockname()[1] for sock in held]
        conf = folder / "nginx.conf"
        conf.write_text(f"""
            daemon off; error_log stderr; pid {folder}/pid;
            events {{ worker_connections 64; }}
            http {{
              access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
              uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
              server {{ listen {LOOPBACK}:{ports[0]}; return 204; }}
              server {{ listen {LOOPBACK}:{ports[1]} ssl http2; ssl_certificate {own.cert};
                        ssl_certificate_key {own.key}; return 204; }}
            }}""")
        server = self.spawn(["nginx", "-c", conf, "-p", folder])
        wait_until(lambda: self.scan("-q", "-p", f"{ports[1]}", LOOPBACK).code == 0, "nginx to listen")
        found, _, done = self.banners(*ports)
        for port in ports:
            self.assertEqual(found[port]["app"], "http", done)
            self.assertTrue(found[port]["product"].startswith("nginx"), done)
        self.assertEqual(found[ports[1]]["tls_alpn"], "h2", done)
        self.assertIn("web.example", found[ports[1]]["tls_names"])
        server.signal(signal.SIGTERM)
        server.finish()

    def test_the_row_has_a_seventh_cell(self):
        port = self.greeter(b"+OK POP3 ready\r\n")
        done = self.scan("--banner", "-p", port, LOOPBACK)
        self.assertEqual(done.lines[0].split("\t")[6:], ["pop3 POP3 ready"], done)
        done = self.scan("-p", port, LOOPBACK)
        self.assertEqual(len(done.lines[0].split("\t")), 6, done)

    def test_who_says_nothing_or_too_much_or_resets_is_told_all_the_same(self):
        silent = self.open_port()  # nobody accepts
        closes = self.serve(lambda sock: None)
        resets = self.serve(harness.reset)

        def flood(sock):
            for _ in range(1000):
                sock.sendall(b"\x00\x1b[31m" * 1000)

        floods = self.serve(flood)
        started = time.monotonic()
        found, summary, done = self.banners(silent, closes, resets, floods)
        self.assertLess(time.monotonic() - started, 30)
        self.assertEqual((done.code, summary["open"], len(found)), (0, 4, 4), done)
        for port in (silent, closes, resets):
            self.assertEqual([found[port][k] for k in ("app", "banner", "tls")], [None, None, None], done)
        self.assertLessEqual(len(found[floods]["banner"]), 200 * 4)
        self.assertNotIn("\x1b", found[floods]["banner"])

    def test_a_signal_tells_what_is_open_all_the_same(self):
        port = self.open_port()
        program = self.spawn_scan("--json", "--banner", "-p", port, LOOPBACK)
        wait_until(lambda: len(program.fds()) > 5 and self.connected_to(port), "the port to be asked")
        program.signal(signal.SIGINT)
        done = program.finish()
        self.assertEqual(done.code, 130, done)
        _, [record], summary = self.records(done)
        self.assertEqual((record["port"], record["state"], summary["complete"]), (port, "open", False))

    @staticmethod
    def connected_to(port):
        with open("/proc/net/tcp", encoding="ascii") as rows:
            return any(f":{port:04X} 01" in row for row in rows)

    def test_only_where_it_is_asked_for(self):
        self.assert_usage_error(self.scan("--banner", "--checkpoint", "x", LOOPBACK), "--banner", "--checkpoint")
        seen = []
        port = self.serve(lambda sock: seen.append(sock.recv(100)))
        self.assertEqual(self.scan("-p", port, LOOPBACK).code, 0)
        done = subprocess.run([harness.binary("pier-scan"), "--json", "-p", str(port), LOOPBACK], capture_output=True,
                              check=True, timeout=SAFETY)
        self.assertNotIn("banner", json.loads(done.stdout.splitlines()[1]))
        self.assertFalse(any(seen), seen)
