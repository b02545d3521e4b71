"""What people do with nc, as they write it: each script is run by bash, with pier-nc in PATH under the name nc, and with
OpenBSD's, which shows that the script is right."""

import contextlib
import os
import pathlib
import random
import socket
import threading

from harness import TestCase, binary, need_program, recv_exactly, wait_until


def free_port():
    """One that the kernel gives to nobody by itself, for scripts that must name it twice."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(min(12000, low - 1), low)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port):
    rows = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


class Service:
    """A TCP or Unix server in a thread: `answer(request)` for each connection, whose request is of `size` bytes."""

    def __init__(self, test, size, answer, path=None):
        self.sock = test.enterContext(socket.socket(socket.AF_UNIX if path else socket.AF_INET))
        self.sock.bind(path or ("127.0.0.1", 0))
        self.sock.listen(8)
        self.port = None if path else self.sock.getsockname()[1]
        self.size, self.answer = size, answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.sock.accept()
                with client, contextlib.suppress(OSError, AssertionError):
                    client.sendall(self.answer(recv_exactly(client, self.size)))


class Idioms:
    """The scripts; a subclass says which nc."""

    def setUp(self):
        self.bin = self.tmp()
        (self.bin / "nc").symlink_to(self.target())
        self.env = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        self.folder = self.tmp()

    def script(self, text, **values):
        """bash -c TEXT in the test's folder, running."""
        return self.spawn(["bash", "-c", text.format(**values)], env=self.env, cwd=self.folder)

    def ends_well(self, text, **values):
        done = self.script(text, **values).finish()
        self.assertEqual(done.code, 0, done)
        return done

    def tree(self):
        source = self.folder / "source"
        (source / "deep").mkdir(parents=True)
        (source / "deep" / "file").write_bytes(random.Random(3).randbytes(700000))
        (source / "small").write_text("small")
        (self.folder / "target").mkdir()

    def assert_same_tree(self):
        for name in ("deep/file", "small"):
            self.assertEqual((self.folder / "target" / name).read_bytes(), (self.folder / "source" / name).read_bytes())

    def test_tar_pushed(self):
        self.tree()
        port = free_port()
        receiver = self.script("cd target; nc -l 127.0.0.1 {port} | tar x", port=port)
        wait_until(lambda: listens(port), "the receiver")
        self.ends_well("set -o pipefail; tar c -C source . | nc -N 127.0.0.1 {port}", port=port)
        self.assertEqual(receiver.finish().code, 0)
        self.assert_same_tree()

    def test_tar_pulled(self):
        self.tree()
        port = free_port()
        sender = self.script("set -o pipefail; tar c -C source . | nc -lN 127.0.0.1 {port}", port=port)
        wait_until(lambda: listens(port), "the sender")
        self.ends_well("set -o pipefail; nc -d 127.0.0.1 {port} | tar x -C target", port=port)
        self.assertEqual(sender.finish().code, 0)
        self.assert_same_tree()

    def test_wait_until_a_port_is_there(self):
        port = free_port()
        waiting = self.script("until nc -z localhost {port}; do sleep 0.05; echo not yet; done; echo up", port=port)
        waiting.wait_out(b"not yet")
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
            done = waiting.finish()
        self.assertTrue(done.code == 0 and done.out.endswith(b"up\n"), done)

    def test_http_by_hand(self):
        request = b"GET / HTTP/1.0\r\n\r\n"
        page = Service(self, len(request), lambda asked: b"HTTP/1.0 200 OK\r\n\r\n" + asked[:5])
        done = self.ends_well("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc localhost {port} | head -1", port=page.port)
        self.assertEqual(done.out, b"HTTP/1.0 200 OK\r\n")

    def test_proxy_command(self):
        far = Service(self, 5, lambda asked: b"SSH-2.0-far " + asked)
        gate = self.listen("-k", "0", "--serve-socks")
        done = self.ends_well("printf hello | nc -X 5 -x 127.0.0.1:{gate} localhost {port}", gate=gate.port, port=far.port)
        self.assertEqual(done.out, b"SSH-2.0-far hello")

    def test_health_checks_of_text_protocols(self):
        redis = Service(self, 6, lambda asked: b"+PONG\r\n" if asked == b"PING\r\n" else b"-ERR\r\n")
        self.ends_well("printf 'PING\\r\\n' | nc -w 5 127.0.0.1 {port} | grep -q PONG", port=redis.port)
        memcached = Service(self, 7, lambda asked: b"STAT pid 1\r\nEND\r\n")
        done = self.ends_well("[ \"$(echo stats | nc -CNq1 127.0.0.1 {port} | tail -1 | tr -d '\\r')\" = END ]",
                              port=memcached.port)
        self.assertEqual(done.err, "")

    def test_lines_of_one_client_after_another(self):
        port = free_port()
        reader = self.script("exec 3< <(exec nc -lk 127.0.0.1 {port} < /dev/null); nc=$!; while read -r line; do "
                             "echo \"got $line\"; [ \"$line\" = stop ] && kill $nc; done <&3", port=port)
        wait_until(lambda: listens(port), "the server")
        for word in ("one", "two", "stop"):
            self.ends_well("echo {word} | nc -N 127.0.0.1 {port}", word=word, port=port)
            reader.wait_out(b"got " + word.encode())
        self.assertEqual(reader.finish().out, b"got one\ngot two\ngot stop\n")

    def test_a_daemon_behind_a_unix_socket(self):
        path = str(self.folder / "docker.sock")
        request = b"GET /info HTTP/1.0\r\n\r\n"
        Service(self, len(request), lambda asked: b"HTTP/1.0 200 OK\r\n\r\n{\"ok\":true}", path)
        done = self.ends_well("printf 'GET /info HTTP/1.0\\r\\n\\r\\n' | nc -U docker.sock | tail -1")
        self.assertEqual(done.out, b'{"ok":true}')

    def test_which_ports_of_a_range_are_open(self):
        open_one = self.raw_listener().getsockname()[1]
        done = self.ends_well("nc -zv 127.0.0.1 {low}-{high} 2>&1 | grep succeeded", low=open_one - 2, high=open_one + 2)
        self.assertIn(f"Connection to 127.0.0.1 {open_one} port [tcp/", done.text)

    def test_syslog_over_udp(self):
        log = self.raw_listener(kind=socket.SOCK_DGRAM)
        self.ends_well("echo '<14>app: it works' | nc -u -w1 127.0.0.1 {port}", port=log.getsockname()[1])
        self.assertEqual(log.recv(100), b"<14>app: it works\n")

    def test_two_people_talk(self):
        port = free_port()
        alice = self.script("exec nc -l 127.0.0.1 {port}", port=port)
        wait_until(lambda: listens(port), "alice")
        bob = self.script("exec nc 127.0.0.1 {port}", port=port)
        for who, other, text in ((bob, alice, "hello alice\n"), (alice, bob, "hello bob\n"), (bob, alice, "bye\n")):
            who.write(text)
            other.wait_out(text.encode())
        bob.signal(15)
        self.assertEqual(alice.wait().code, 0)

    def test_a_relay_of_two_and_a_pipe(self):
        far = Service(self, 5, lambda asked: asked.upper())
        port = free_port()
        relay = self.script("mkfifo back; nc -l 127.0.0.1 {port} < back | nc -N 127.0.0.1 {far} > back", port=port,
                            far=far.port)
        wait_until(lambda: listens(port), "the relay")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(60)
            client.sendall(b"hello")
            self.assertEqual(recv_exactly(client, 5), b"HELLO")
        self.assertEqual(relay.wait().code, 0)


class OfPier(Idioms, TestCase):
    def target(self):
        return binary("pier-nc")


class OfOpenBsd(Idioms, TestCase):
    def target(self):
        return need_program("nc.openbsd")
