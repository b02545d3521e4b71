"""pier-connect through the proxies people run, and to servers that expect more than a connection: dante, tinyproxy,
haproxy, nginx and PostgreSQL."""

import contextlib
import os
import pathlib
import pwd
import socket
import subprocess
import threading
import unittest

import harness
from harness import DEVNULL, TestCase, need_program, need_root, run, wait_until
from pki import Pki


class Base(TestCase):
    def free_port(self):
        with self.raw_listener() as sock:
            return sock.getsockname()[1]

    def wait_for(self, port):
        def answers():
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=harness.SAFETY):
                    return True
            return False

        wait_until(answers, "the server to listen")

    def closed_port(self):
        sock = self.enterContext(socket.socket())
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]

    def password_file(self, text):
        path = self.tmp() / "password"
        path.write_text(text)
        return path

    def connect_through(self, url, *words, **options):
        return run(["pier-connect", "--proxy", url, *words], **options)

    def check_sessions(self, url, *words, half_close=True):
        """All bytes pass both ways, and a name is looked up there."""
        data = harness.pattern(1 << 20)
        answer = f"head -c {len(data)}"  # the same bytes, whether our end arrives or not
        server = self.listen("-k", "127.0.0.1:0", "-c", "cat" if half_close else answer)
        if not half_close:
            words += ("--no-half-close",)
        for host in ("127.0.0.1", "localhost"):
            done = self.connect_through(url, *words, host, server.port, stdin=data)
            self.assertEqual((done.code, done.err, done.out == data), (0, "", True))

    def check_check(self, url, *words):
        server = self.listen("-k", "--echo", "127.0.0.1:0")
        done = self.connect_through(url, *words, "--check", f"localhost:{server.port}")
        self.assertEqual((done.code, done.lines[0].split("\t")[5]), (0, "open"), done)


class Dante(Base):
    def start(self, method):
        """danted with a user of its own, "joe" with the password "secret", whom only its mount namespace knows."""
        need_root("danted checks passwords as root")
        danted, folder, port = need_program("danted"), self.tmp(), self.free_port()
        secret = subprocess.run([need_program("openssl"), "passwd", "-6", "secret"], check=True, capture_output=True,
                                text=True).stdout.strip()
        users, shadow = folder / "passwd", folder / "shadow"
        users.write_text(pathlib.Path("/etc/passwd").read_text() + "joe:x:64000:64000::/nonexistent:/bin/false\n")
        shadow.write_text(f"joe:{secret}:19000:0:99999:7:::\n")
        shadow.chmod(0o600)
        users.chmod(0o644)
        config = folder / "danted.conf"
        config.write_text(f"""
            logoutput: stderr
            internal: 127.0.0.1 port = {port}
            external: lo
            external.rotation: route
            user.privileged: root
            user.unprivileged: nobody
            clientmethod: none
            socksmethod: {method}
            client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
            socks block {{ from: 0.0.0.0/0 to: 127.66.0.0/16 }}
            socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect udpassociate }}
            socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 command: udpreply }}
""")
        script = (f"mount --bind {users} /etc/passwd && mount --bind {shadow} /etc/shadow && "
                  f"exec {danted} -f {config} -p {folder}/pid")
        daemon = self.spawn([need_program("unshare"), "-m", "sh", "-c", script], stdin=DEVNULL)

        def listens():
            self.assertTrue(daemon.running(), daemon.describe())
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=harness.SAFETY):
                    return True
            return False

        wait_until(listens, "danted to listen")
        self.addCleanup(self.end, daemon)  # its children with it
        return f"socks5://127.0.0.1:{port}"

    def end(self, daemon):
        if daemon.running():
            daemon.signal(15)
            daemon.wait()

    def test_a_password(self):
        url = self.start("username")
        words = ["--proxy-auth-file", self.password_file("joe:secret\n")]
        self.check_sessions(url, *words)
        self.check_check(url, *words)
        target = f"127.0.0.1:{self.closed_port()}"
        for text, why in (("joe:wrong", "password"), ("nobody-at-all:secret", "password")):
            done = self.connect_through(url, "--proxy-auth-file", self.password_file(text), target)
            self.assertEqual(done.code, 1, done)
            self.assertIn(f"proxy {url}, asked for {target}: ", done.err)
            self.assertIn(why, done.err)
        done = self.connect_through(url, target)
        self.assertIn("--proxy-auth-file", done.err)

    def test_what_it_refuses_and_what_the_target_does(self):
        url = self.start("none")
        self.check_sessions(url)
        closed = f"127.0.0.1:{self.closed_port()}"
        done = self.connect_through(url, closed)
        self.assertEqual((done.code, done.err),
                         (1, f"pier-connect: connect {closed}: connection refused, says the proxy\n"))
        done = self.connect_through(url, "127.66.0.1:80")
        self.assertEqual((done.code, done.err), (1, f"pier-connect: proxy {url}, asked for 127.66.0.1:80: not allowed "
                                                    "by its rules\n"))

    def test_datagrams(self):
        url = self.start("none")
        server = self.raw_listener(kind=socket.SOCK_DGRAM)

        def answer():
            with contextlib.suppress(OSError):
                data, sender = server.recvfrom(1 << 16)
                server.sendto(data.upper(), sender)

        threading.Thread(target=answer, daemon=True).start()
        done = self.connect_through(url, "-u", "--replies", "1", "--reply-timeout", "60s", "127.0.0.1",
                                    server.getsockname()[1], stdin=b"ping")
        self.assertEqual((done.code, done.out), (0, b"PING"), done)


class Tinyproxy(Base):
    """It takes the end of what a client sends for the end of all."""

    def start(self, *lines):
        folder, port = self.tmp(), self.free_port()
        config = folder / "tinyproxy.conf"
        config.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 600", "LogLevel Error", *lines, ""]))
        self.spawn([need_program("tinyproxy"), "-d", "-c", config], stdin=DEVNULL)
        self.wait_for(port)
        return f"http://127.0.0.1:{port}"

    def test_connect(self):
        url = self.start()
        self.check_sessions(url, half_close=False)
        self.check_check(url)

    def test_basic(self):
        url = self.start("BasicAuth joe secret")
        self.check_sessions(url, "--proxy-auth-file", self.password_file("joe:secret"), half_close=False)
        for words in ([], ["--proxy-auth-file", self.password_file("joe:wrong")]):
            done = self.connect_through(url, *words, "127.0.0.1:9")
            self.assertEqual(done.code, 1, done)
            self.assertIn(f"proxy {url}, asked for 127.0.0.1:9: ", done.err)

    def test_a_port_that_it_does_not_allow(self):
        url = self.start("ConnectPort 443")
        done = self.connect_through(url, "127.0.0.1:9")
        self.assertEqual(done.code, 1, done)
        self.assertIn(f"proxy {url}, asked for 127.0.0.1:9: 403", done.err)


class ProxyHeaders(Base):
    def ask(self, port, *words):
        done = run(["pier-connect", "--no-half-close", *words, "127.0.0.1", port],
                   stdin=b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        return done.out.decode()

    def check(self, port):
        self.wait_for(port)
        for version in ("v1", "v2"):
            port_of_ours = self.free_port()
            answer = self.ask(port, "--send-proxy", version, "--source-port", str(port_of_ours))
            self.assertIn(f"from 127.0.0.1:{port_of_ours}", answer)
        self.assertNotIn("from ", self.ask(port))

    def test_haproxy(self):
        port, config = self.free_port(), self.tmp() / "haproxy.cfg"
        config.write_text(f"""
            defaults
              mode http
              timeout connect 1m
              timeout client 1m
              timeout server 1m
            frontend front
              bind 127.0.0.1:{port} accept-proxy
              http-request return status 200 content-type text/plain lf-string "from %[src]:%[src_port]"
""")
        self.spawn([need_program("haproxy"), "-db", "-f", config], stdin=DEVNULL)
        self.check(port)

    def test_nginx(self):
        port, folder = self.free_port(), self.tmp()
        config = folder / "nginx.conf"
        temporary = "".join(f"{name}_temp_path {folder}/{name}; "
                            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config.write_text(f"""
            daemon off; master_process off; pid {folder}/pid; error_log stderr;
            events {{ worker_connections 64; }}
            http {{
              access_log off; {temporary}
              server {{
                listen 127.0.0.1:{port} proxy_protocol;
                location / {{ return 200 "from $proxy_protocol_addr:$proxy_protocol_port"; }}
              }}
            }}""")
        self.spawn([need_program("nginx"), "-c", config, "-p", folder], stdin=DEVNULL)
        self.check(port)


class Postgres(Base):
    def test_starttls(self):
        need_root("PostgreSQL is started as another user than root")
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))  # as Debian has it
        if not found:
            raise unittest.SkipTest("PostgreSQL is not installed")
        postgres, initdb = found[-1], found[-1].with_name("initdb")
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            raise unittest.SkipTest("there is no user postgres here") from None
        folder, port = self.tmp(), self.free_port()
        made = Pki(folder)
        root = made.authority()
        cert = made.issue(root, "server", "DNS:localhost")
        for path in (folder, cert.cert, cert.key):
            os.chown(path, user.pw_uid, user.pw_gid)
        cert.key.chmod(0o600)

        def as_postgres(*words):
            return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *map(str, words)]

        subprocess.run(as_postgres(initdb, "--no-sync", "-A", "trust", "-D", folder / "data"), check=True,
                       capture_output=True, stdin=subprocess.DEVNULL, cwd=folder)
        server = self.spawn(as_postgres(postgres, "-D", folder / "data", "-p", port, "-k", folder, "-c", "fsync=off", "-c",
                                        "listen_addresses=127.0.0.1", "-c", "ssl=on", "-c", f"ssl_cert_file={cert.cert}",
                                        "-c", f"ssl_key_file={cert.key}"), stdin=DEVNULL, cwd=folder)
        server.wait_err("ready to accept connections")
        words = ["--starttls", "postgres", "--ca", root.cert, f"localhost:{port}"]
        done = run(["pier-connect", "--show-cert", *words])
        self.assertEqual(done.code, 0, done)
        self.assertIn("0\tsubject\tCN=server", done.lines)
        # A start-up packet for a database that is not there: the answer is an error message of the protocol.
        body = b"\0\3\0\0user\0postgres\0database\0nowhere\0\0"
        done = run(["pier-connect", *words], stdin=(len(body) + 4).to_bytes(4, "big") + body)
        self.assertIn(b'database "nowhere" does not exist', done.out)
        server.signal(15)
        server.wait()
