"""pier-listen started by a service manager: sockets passed to it, READY=1 and STOPPING=1."""

import fcntl
import json
import os
import pathlib
import re
import signal
import socket

from harness import DEVNULL, TestCase, binary, need_program, recv_all, run, wait_until


class Activation(TestCase):
    def start(self, sockets, *words, env=None, pid="$$", **options):
        """pier-listen with these sockets as descriptors 3 and up."""
        # High numbers first, so that none is closed by taking another's place; sh knows no such numbers.
        held = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 100) for s in sockets]
        redirect = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(held))
        script = f'LISTEN_FDS={len(sockets)} LISTEN_PID={pid} exec "$@" {redirect}'
        program = self.spawn(["bash", "-c", script, "bash", binary("pier-listen"), *map(str, words)], env=env,
                             pass_fds=held, **options)
        for fd in held:
            os.close(fd)
        return program

    def test_a_passed_socket_is_served(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        server = self.start([listener], stdin=DEVNULL)
        server.wait_err(rf"^listening on 127\.0\.0\.1:{port} \(.*this host only\)$")
        with self.raw_connect(("127.0.0.1", port)) as client:
            client.sendall(b"hello")
        self.assertEqual(server.wait()[:2], (0, b"hello"))

    def test_several_are_served_together(self):
        listeners = [self.raw_listener(), self.raw_listener()]
        server = self.start(listeners, "-k", "--exec", "--", "cat")
        server.wait_err("listening on .* and ")
        for listener in listeners:
            client = self.raw_connect(listener.getsockname())
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(recv_all(client), b"x")

    def test_unix_and_datagram_sockets_too(self):
        path = str(self.tmp() / "s")
        server = self.start([self.raw_listener(socket.AF_UNIX, address=path)], "--exec", "--", "cat")
        server.wait_err(f"listening on unix:{path}")
        client = self.raw_connect(path, socket.AF_UNIX)
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(client), b"x")
        self.assertEqual(server.wait().code, 0)
        self.assertTrue(os.path.exists(path))  # it is the manager's
        sock = self.raw_listener(kind=socket.SOCK_DGRAM)
        server = self.start([sock], "-k", "--exec", "--", "cat")
        server.wait_err("listening on ")
        client = self.raw_connect(sock.getsockname(), kind=socket.SOCK_DGRAM)
        client.send(b"ping")
        self.assertEqual(client.recv(10), b"ping")

    def test_by_systemd_itself(self):
        folder = self.tmp()
        self.spawn([need_program("systemd-socket-activate"), "-l", folder / "s", "--fdname", "web", "-E", "ASAN_OPTIONS",
                    binary("pier-listen"), "-k", "--events", folder / "events", "-c", "env | grep -c LISTEN_; cat"], stdin=DEVNULL)
        # Flag 0x10000 of /proc/net/unix: it listens, not only has its name.
        wait_until(lambda: re.search(rf" 00010000 .* {folder}/s$", pathlib.Path("/proc/net/unix").read_text(), re.M),
                   "its socket")
        for _ in range(3):
            client = self.raw_connect(str(folder / "s"), socket.AF_UNIX)
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(recv_all(client), b"0\nx")
        records = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
        listening = next(r for r in records if r["type"] == "listening")
        self.assertEqual(listening["names"], ["web"])

    def test_names_and_options(self):
        listener = self.raw_listener()
        server = self.start([listener], "-v", "-k", "--explain", "--nodelay", env={"LISTEN_FDNAMES": "web"}, stdin=DEVNULL)
        server.wait_err(rf"^127\.0\.0\.1:{listener.getsockname()[1]}: passed to us as 'web'$")
        self.assertEqual(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)

    def test_children_see_nothing_of_it(self):
        listener = self.raw_listener()
        notify = self.raw_listener(socket.AF_UNIX, socket.SOCK_DGRAM, str(self.tmp() / "n"))
        server = self.start([listener], "-c", "env; ls /proc/self/fd",
                            env={"LISTEN_FDNAMES": "web", "NOTIFY_SOCKET": notify.getsockname()})
        server.wait_err("listening")
        seen = recv_all(self.raw_connect(listener.getsockname())).decode()
        self.assertNotIn("LISTEN_", seen)
        self.assertNotIn("NOTIFY_SOCKET", seen)
        self.assertEqual(seen.splitlines()[-4:], ["0", "1", "2", "3"])  # 3: the folder that ls reads

    def test_sockets_passed_to_another_are_not_ours(self):
        listener = self.raw_listener()
        server = self.start([listener], "127.0.0.1:0", pid=1, stdin=DEVNULL)
        port = int(server.wait_err(r"listening on 127\.0\.0\.1:(\d+)")[1])
        self.assertNotEqual(port, listener.getsockname()[1])

    def test_an_endpoint_besides_is_a_usage_error(self):
        listener = self.raw_listener()
        for words in (["127.0.0.1:0"], ["-u"], ["--backlog", "5"]):
            with self.subTest(words=words):
                done = self.start([listener], *words, stdin=DEVNULL).wait()
                self.assertEqual(done.code, 2, done)
                self.assertIn("LISTEN_FDS", done.err)

    def test_what_is_only_bound_is_listened_on(self):
        path = str(self.tmp() / "s")
        for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0)), (socket.AF_UNIX, path)):
            with self.subTest(family=family):
                bound = self.enterContext(socket.socket(family))
                bound.bind(address)
                server = self.start([bound], "-k", "--explain", "--echo", stdin=DEVNULL)
                server.wait_err("listen.* connections may wait(.|\\n)*listening on ")
                client = self.raw_connect(bound.getsockname(), family)
                client.sendall(b"x")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(client), b"x")

    def test_a_bound_socket_of_a_taken_address_is_an_error(self):
        first, second = (self.enterContext(socket.socket()) for _ in range(2))
        for sock in (first, second):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        second.bind(first.getsockname())
        first.listen()
        done = self.start([second], stdin=DEVNULL).wait()
        self.assertEqual(done.code, 2, done)
        self.assertIn(f"listen 127.0.0.1:{first.getsockname()[1]}", done.err)

    def test_what_has_no_address_is_refused(self):
        for family in (socket.AF_INET, socket.AF_UNIX):
            done = self.start([self.enterContext(socket.socket(family))], stdin=DEVNULL).wait()
            self.assertEqual(done.code, 2, done)
            self.assertIn("descriptor 3: it neither listens nor is bound", done.err)

    def test_transports_of_different_ports_are_refused(self):
        sockets = [self.raw_listener(), self.raw_listener(kind=socket.SOCK_DGRAM)]
        done = self.start(sockets, env={"LISTEN_FDNAMES": "tcp-1:udp-2"}, stdin=DEVNULL).wait()
        self.assertEqual(done.code, 2, done)
        self.assertIn("descriptor 4", done.err)

    def test_a_free_port_of_whoami_port_is_served(self):
        for count in (1, 2):
            server = self.spawn(["pier-whoami-port", "--free", count, "--", binary("pier-listen"), "-k", "--echo"],
                                stdin=DEVNULL)
            ports = [int(p) for p in server.wait_err(r"listening on " + " and ".join([r"\[::\]:(\d+)"] * count) + r" .*\n")
                     .groups()]
            for port in ports:
                client = self.raw_connect(("127.0.0.1", port))
                client.sendall(b"x")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(client), b"x")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait().code, 143)

    def test_what_does_not_listen_is_refused(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        done = self.start([ours], stdin=DEVNULL).wait()
        self.assertEqual(done.code, 2, done)
        self.assertIn("descriptor 3", done.err)
        done = run(["bash", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3<&-', "sh", binary("pier-listen")], stdin=DEVNULL)
        self.assertEqual(done.code, 2, done)

    def test_ready_and_stopping_are_told(self):
        for family in ("path", "abstract"):
            address = str(self.tmp() / "n") if family == "path" else f"\0pier-test-{os.getpid()}-{id(self)}"
            notify = self.raw_listener(socket.AF_UNIX, socket.SOCK_DGRAM, address)
            server = self.listen("-k", "127.0.0.1:0", stdin=DEVNULL, env={"NOTIFY_SOCKET": address.replace("\0", "@")})
            self.assertEqual(notify.recv(100), b"READY=1")
            server.signal(signal.SIGTERM)
            self.assertEqual(notify.recv(100), b"STOPPING=1")
            self.assertEqual(server.wait().code, 143)
