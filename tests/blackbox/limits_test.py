"""pier-listen -k: how many clients at once, and that none of them touches another."""

import json
import resource
import signal
import socket

from harness import DEVNULL, RESET, TestCase, need_ipv6, recv_all, recv_exactly, reset, run, wait_until


def descriptors(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


class Limits(TestCase):
    def come(self, server, host="127.0.0.1"):
        """A client of an echo server, once it is served; None where it was reset."""
        client = self.enterContext(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
        client.settimeout(60)
        client.bind((host, 0))
        try:
            client.connect(("::1" if ":" in host else "127.0.0.1", server.port))
            client.sendall(b"x")
            recv_exactly(client, 1)
        except RESET:
            return None
        return client

    def test_a_client_over_the_limit_is_reset_and_counted(self):
        events = self.tmp() / "events"
        server = self.listen("-k", "-v", "--echo", "--max-clients", "2", "--events", events, "127.0.0.1:0")
        first, second = self.come(server), self.come(server)
        self.assertTrue(first and second)
        for _ in range(3):
            self.assertIsNone(self.come(server))
        server.wait_err(r"^127\.0\.0\.1:\d+ refused: too many clients$")
        first.sendall(b"still here")
        self.assertEqual(recv_exactly(first, 10), b"still here")
        first.close()
        server.wait_err("done:")
        self.assertTrue(self.come(server))
        server.signal(signal.SIGTERM)
        done = server.wait()
        self.assertEqual(done.code, 143)
        self.assertRegex(done.err, r"(?m)^reset because of --max-clients or --per-host: 3$")
        records = [json.loads(line) for line in events.read_text().splitlines()]
        refused = [r["reason"] for r in records if r["type"] == "refused"]
        self.assertEqual(refused, ["too many clients"] * 3)
        self.assertEqual((records[-1]["sessions"], records[-1]["refused"]), (3, 3))

    def test_it_keeps_open_and_one_is_the_least(self):
        server = self.listen("--echo", "--max-clients", "1", "127.0.0.1:0")
        for _ in range(3):
            client = self.come(server)
            self.assertIsNone(self.come(server))
            seen = server.err.count("done:")
            client.close()
            wait_until(lambda: server.err.count("done:") > seen, "its end")
        for words in (["--max-clients", "0"], ["--per-host", "0"], ["--max-clients", "x"], ["-u", "--max-clients", "3"],
                      ["--max-clients", "-1"]):
            self.assert_usage_error(run(["pier-listen", "-k", *words, "0"]))
        self.assert_usage_error(run(["pier-listen", "-k", "--per-host", "2", "unix:/nowhere"]), "--per-host")

    def test_each_host_has_its_own(self):
        server = self.listen("-k", "--echo", "--per-host", "2", "127.0.0.1:0")
        first = self.come(server)
        self.assertTrue(first and self.come(server))
        self.assertIsNone(self.come(server))
        self.assertTrue(self.come(server, "127.0.0.2"))
        first.close()
        server.wait_err("done:")
        self.assertTrue(self.come(server))
        self.assertIsNone(self.come(server))

    def test_ipv6_too(self):
        need_ipv6()
        server = self.listen("-k", "--echo", "--per-host", "1", ":0")
        self.assertTrue(self.come(server, "::1"))
        self.assertIsNone(self.come(server, "::1"))
        self.assertTrue(self.come(server, "127.0.0.1"))
        self.assertIsNone(self.come(server, "127.0.0.1"))

    def test_a_handshake_under_way_counts(self):
        server = self.listen("-k", "--tls", "--max-clients", "1", "0", stdin=DEVNULL)
        stalled = self.raw_connect(("127.0.0.1", server.port))
        # There is nothing to be seen of it: it counts once the next one is sent away.
        def refused():
            other = self.enterContext(socket.socket())
            other.settimeout(0.2)
            try:
                other.connect(("127.0.0.1", server.port))
                other.sendall(b"\x16")
                return other.recv(1) == b""
            except RESET:
                return True
            except TimeoutError:
                other.close()
                return False

        wait_until(refused, "a client beyond the limit")
        stalled.close()
        wait_until(lambda: run(["pier-connect", "--tls", "--insecure", server.port], stdin=b"hi").code == 0, "room again")
        server.wait_out(b"hi")

    def test_a_failed_handshake_gives_its_place_back(self):
        server = self.listen("-k", "--tls", "--max-clients", "2", "--per-host", "1", "0", stdin=DEVNULL)
        for _ in range(5):
            client = self.raw_connect(("127.0.0.1", server.port))
            failed = server.err.count("tls")
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            wait_until(lambda: server.err.count("tls") > failed, "the note of its failure")
            client.close()
        self.assertEqual(run(["pier-connect", "--tls", "--insecure", server.port], stdin=b"hi").code, 0)


class Descriptors(TestCase):
    """With few of them nobody fails, and who comes waits."""

    def exchange(self, server, count, held):
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(count)]
        for client in clients:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
        for client in clients:
            self.assertEqual(recv_all(client), b"hello")
            client.close()
        for client in held:
            client.close()

    def test_programs_wait_for_their_descriptors(self):
        for words in (["-c", "cat"], ["--idle-timeout", "1m", "-c", "cat"]):
            server = self.listen("-k", "127.0.0.1:0", *words, preexec=descriptors(32))
            held = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(3)]
            self.exchange(server, 40, held)
            server.wait_err("not accepting until a client has gone")
            server.signal(signal.SIGTERM)
            done = server.wait()
            self.assertEqual(done.code, 143)
            self.assertNotIn("Too many open files", done.err)

    def test_relayed_clients_wait_for_theirs(self):
        far = self.listen("-k", "--echo", "127.0.0.1:0")
        server = self.listen("-k", "127.0.0.1:0", "--to", f"127.0.0.1:{far.port}", preexec=descriptors(48))
        self.exchange(server, 40, [])
        self.assertNotIn("open files", server.err)

    def test_each_has_its_file(self):
        file = self.tmp() / "f"
        file.write_bytes(b"hello" * 100000)
        server = self.listen("-k", "127.0.0.1:0", "--send", file, preexec=descriptors(24), stdin=DEVNULL)
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(30)]
        for client in clients:
            self.assertEqual(len(recv_all(client)), 500000)
            client.close()
        self.assertNotIn("open files", server.err)

    def test_a_limit_beyond_what_there_is_room_for_is_told(self):
        server = self.listen("-k", "--echo", "--max-clients", "5000", "127.0.0.1:0", preexec=descriptors(64))
        self.assertRegex(server.err, r"--max-clients 5000: the limit of descriptors, 64, has room for \d+; more will wait")


class Others(TestCase):
    """What one client does touches no other."""

    def check(self, *words, tls=False):
        server = self.listen("-k", "--echo", *words, "127.0.0.1:0")
        good = ["pier-connect", *(["--tls", "--insecure"] if tls else []), server.port]
        if tls:
            honest = self.connect("--tls", "--insecure", server.port)
            honest.write("first\n")
            honest.wait_out(b"first\n")
        else:
            honest = self.connect(server.port)
        stalled = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(5)]
        flooding = self.raw_connect(("127.0.0.1", server.port))
        flooding.setblocking(False)
        try:
            while True:
                flooding.send(b"\x17" * 65536)  # and never reads
        except (BlockingIOError, ConnectionResetError, BrokenPipeError):
            pass
        for data in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 5000):
            client = self.raw_connect(("127.0.0.1", server.port))
            client.sendall(data)
            reset(client)
        for _ in range(3):
            done = run(good, stdin=b"hello")
            self.assertEqual((done.code, done.out), (0, b"hello"), done.err)
        honest.write("still here\n")
        honest.wait_out(b"still here\n")
        self.assertEqual(honest.finish().code, 0)
        for client in stalled:
            client.close()
        self.assertTrue(server.running())

    def test_plain(self):
        self.check()

    def test_behind_tls(self):
        self.check("--tls", tls=True)
