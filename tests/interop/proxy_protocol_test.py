"""PROXY headers of the programs that send them: haproxy, nginx and curl."""

import pathlib
import socket
import unittest

import harness
from harness import DEVNULL, TestCase, need_ipv6, need_program, recv_all, run, wait_until

ANSWER = 'echo "$PIER_REMOTE_ADDR $PIER_REMOTE_PORT $PIER_LOCAL_ADDR $PIER_LOCAL_PORT"; cat'


class Senders(TestCase):
    def serve(self, *words):
        return self.listen("-k", "127.0.0.1:0", "--proxy-protocol", *words, "-c", ANSWER)

    def check(self, front, host="127.0.0.1"):
        """What comes to `front` is known by its own address behind the proxy, and its bytes are whole."""
        client = self.raw_connect((host, front), socket.AF_INET6 if ":" in host else socket.AF_INET)
        client.sendall(b"data")
        client.shutdown(socket.SHUT_WR)
        here = f"{host} {client.getsockname()[1]} {host} {front}\ndata"
        self.assertEqual(recv_all(client).decode(), here)

    def free_port(self):
        with self.raw_listener() as sock:
            return sock.getsockname()[1]

    def haproxy(self, server, how, bind):
        config = self.tmp() / "haproxy.cfg"
        config.write_text(f"""
            defaults
              mode tcp
              timeout connect 1m
              timeout client 1m
              timeout server 1m
            listen front
              bind {bind}
              server back 127.0.0.1:{server.port} {how}
""")
        self.spawn([need_program("haproxy"), "-db", "-f", config], stdin=DEVNULL)

    def wait_for(self, port, host="127.0.0.1"):
        def answers():
            with harness.contextlib.suppress(OSError):
                with socket.create_connection((host, port), timeout=60):
                    return True
            return False

        wait_until(answers, "the proxy to listen")

    def test_haproxy(self):
        for how in ("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2 proxy-v2-options crc32c,unique-id"):
            with self.subTest(how=how):
                server, port = self.serve(), self.free_port()
                self.haproxy(server, how, f"127.0.0.1:{port}")
                self.wait_for(port)
                self.check(port)

    def test_haproxy_over_ipv6(self):
        need_ipv6()
        for how in ("send-proxy", "send-proxy-v2"):
            with self.subTest(how=how):
                server, port = self.serve(), self.free_port()
                self.haproxy(server, how, f"[::1]:{port}")
                self.wait_for(port, "::1")
                self.check(port, "::1")

    def test_its_own_health_checks_are_the_connection_itself(self):
        # Version 2 says LOCAL: no client is meant but the proxy. Version 1 names the proxy itself.
        for how in ("send-proxy", "send-proxy-v2"):
            with self.subTest(how=how):
                server = self.serve("--allow", "127.0.0.1")
                self.haproxy(server, how + " check inter 100ms check-send-proxy", f"127.0.0.1:{self.free_port()}")
                server.wait_err(r"^127\.0\.0\.1:\d+ connected \(client, \w+\)")

    def test_nginx(self):
        module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        nginx = need_program("nginx")
        if not module.exists():
            raise unittest.SkipTest("libnginx-mod-stream is not installed (scripts/bootstrap --tests installs it)")
        server, port, folder = self.serve(), self.free_port(), self.tmp()
        config = folder / "nginx.conf"
        config.write_text(f"""
            load_module {module};
            daemon off; master_process off; pid {folder}/pid; error_log stderr;
            events {{ worker_connections 64; }}
            stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{server.port}; proxy_protocol on;
              proxy_half_close on; }} }}""")
        self.spawn([nginx, "-c", str(config), "-p", str(folder)], stdin=DEVNULL)
        self.wait_for(port)
        self.check(port)

    def test_curl(self):
        server = self.listen("-k", "127.0.0.1:0", "--proxy-protocol", "-c",
                             'printf "HTTP/1.0 200 OK\\r\\n\\r\\n$PIER_REMOTE_ADDR by way of $PIER_LOCAL_PORT"')
        done = run([need_program("curl"), "-sS", "--haproxy-protocol", f"http://127.0.0.1:{server.port}/"], stdin=DEVNULL)
        self.assertEqual((done.code, done.text), (0, f"127.0.0.1 by way of {server.port}"), done.err)
        # Without the header it is sent away.
        done = run(["curl", "-sS", f"http://127.0.0.1:{server.port}/"], stdin=DEVNULL)
        self.assertNotEqual(done.code, 0)
