"""pier-listen --echo and --discard: what a server answers by itself."""

import json
import os
import re
import signal
import socket
import threading

import harness
from harness import DEVNULL, TestCase, need_program, pattern, recv_all, recv_exactly, reset, run, wait_until


class Echo(TestCase):
    def test_one_client(self):
        server = self.listen("--echo", "--summary", "0")
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(b"hello")
        self.assertEqual(recv_exactly(peer, 5), b"hello")
        peer.sendall(b"again")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), b"again")
        done = server.wait()
        self.assertEqual((done.code, done.out), (0, b""), done)
        self.assertRegex(done.err, r"(?m)^127\.0\.0\.1:\d+: 10 B in, 10 B out, [\d.]+ s, closed first: peer$")

    def test_a_large_transfer_comes_back_whole(self):
        data = pattern(8 << 20)
        server = self.listen("-k", "--echo", "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        sender = threading.Thread(target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR)))
        sender.start()
        self.assertEqual(recv_all(peer), data)
        sender.join(harness.SAFETY)

    def test_one_that_does_not_read_is_not_read_from_and_holds_up_nobody(self):
        server = self.listen("-k", "--echo", "0", stdin=DEVNULL)
        deaf = self.raw_connect(("127.0.0.1", server.port))
        deaf.setblocking(False)
        sent = 0
        block = pattern(1 << 16)

        def stuck():
            nonlocal sent
            try:
                while True:
                    sent += deaf.send(block[sent % len(block):])
            except BlockingIOError:
                return sent
        wait_until(lambda: stuck() == stuck() and sent > 0, "nothing more is taken")
        before = server.cpu_ticks()
        other = self.raw_connect(("127.0.0.1", server.port))
        other.sendall(b"me too")
        self.assertEqual(recv_exactly(other, 6), b"me too")
        self.assertLess(server.cpu_ticks() - before, 20)
        deaf.setblocking(True)
        deaf.shutdown(socket.SHUT_WR)
        back = recv_all(deaf)
        self.assertEqual(len(back), sent)
        self.assertEqual(back, (block * (sent // len(block) + 1))[:sent])

    def test_a_reset_touches_no_other(self):
        server = self.listen("-k", "--echo", "0", stdin=DEVNULL)
        first, second = (self.raw_connect(("127.0.0.1", server.port)) for _ in range(2))
        first.sendall(b"1")
        recv_exactly(first, 1)
        reset(first)
        server.wait_err("reset")
        second.sendall(b"2")
        self.assertEqual(recv_exactly(second, 1), b"2")

    def test_a_reset_of_the_one_client_is_1(self):
        server = self.listen("--echo", "0")
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(b"1")
        recv_exactly(peer, 1)
        reset(peer)
        done = server.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("pier-listen: recv: connection reset by peer", done.err)

    def test_stdin_is_not_read_and_stdout_not_written(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        os.write(write, b"typed")
        server = self.listen("--echo", "0", stdin=read)
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(b"data")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), b"data")
        self.assertEqual(server.wait()[:2], (0, b""))
        self.assertEqual(os.read(read, 100), b"typed")

    def test_unix_and_tls_and_a_dump(self):
        folder = self.tmp()
        server = self.listen("-k", "--echo", "--hex-dump", folder / "dump", f"unix:{folder}/s", stdin=DEVNULL)
        done = run(["pier-connect", f"unix:{folder}/s"], stdin=b"over unix")
        self.assertEqual((done.code, done.out), (0, b"over unix"))
        dump = (folder / "dump").read_text()
        self.assertEqual(re.findall("^[<>]", dump, re.M), ["<", ">"])
        data = pattern(3 << 20)
        server = self.listen("-k", "--echo", "--tls", "0", stdin=DEVNULL)
        done = run(["pier-connect", "--tls", "--insecure", "127.0.0.1", server.port], stdin=data)
        self.assertEqual((done.code, done.out), (0, data), done.err)

    def test_idle_clients_are_let_go(self):
        server = self.listen("-k", "--echo", "--idle-timeout", "100ms", "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(b"1")
        self.assertEqual(recv_exactly(peer, 1), b"1")
        with self.assertRaises(ConnectionResetError):
            peer.recv(1)
        server.wait_err("no byte either way")
        self.assertTrue(server.running())

    def test_max_accepts_ends_with_the_last(self):
        server = self.listen("--echo", "--max-accepts", "2", "0", stdin=DEVNULL)
        for _ in range(2):
            self.assertEqual(run(["pier-connect", server.port], stdin=b"x").out, b"x")
        self.assertEqual(server.wait().code, 0)

    def test_a_signal_ends_it_with_clients_there(self):
        server = self.listen("-k", "--echo", "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        server.wait_err("connected")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        self.assertEqual(recv_all(peer), b"")

    def test_netcats_and_socat_are_echoed_to(self):
        server = self.listen("-k", "--echo", "0", stdin=DEVNULL)
        for command in (["nc.openbsd", "-N"], ["ncat"], ["socat", "-t10", "-"]):
            with self.subTest(command=command):
                where = ([f"TCP:127.0.0.1:{server.port}"] if command[0] == "socat" else
                         ["127.0.0.1", str(server.port)])
                done = run([need_program(command[0]), *command[1:], *where], stdin=b"interop\n")
                self.assertEqual((done.code, done.out), (0, b"interop\n"), done)


class Discard(TestCase):
    def test_bytes_are_counted_and_thrown_away(self):
        for words in (["0"], ["--hex-dump", "/dev/null", "0"], ["--tls", "0"]):
            with self.subTest(words=words):
                events = self.tmp() / "events"
                server = self.listen("--discard", "--events", events, *words)
                options = ["--tls", "--insecure"] if "--tls" in words else []
                done = run(["pier-connect", *options, "127.0.0.1", server.port], stdin=bytes(5 << 20))
                self.assertEqual((done.code, done.out), (0, b""), done)
                self.assertEqual(server.wait()[:2], (0, b""))
                closed = [r for r in map(json.loads, events.read_text().splitlines()) if r["type"] == "closed"]
                self.assertEqual([(r["bytes_in"], r["bytes_out"]) for r in closed], [(5 << 20, 0)])

    def test_unix(self):
        path = self.tmp() / "s"
        server = self.listen("--discard", "--summary", f"unix:{path}")
        self.assertEqual(run(["pier-connect", f"unix:{path}"], stdin=bytes(100000)).code, 0)
        self.assertIn("100000 B in, 0 B out", server.wait().err)

    def test_nothing_is_answered(self):
        server = self.listen("-k", "--discard", "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(b"anyone?")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), b"")


class BadInput(TestCase):
    def test_what_does_not_go_together(self):
        for words, texts in ((["--echo", "--discard", "0"], ["--echo", "--discard"]),
                             (["--echo", "--exec", "0", "--", "cat"], ["--exec", "--echo"]),
                             (["--echo", "--send", "f", "0"], ["--echo", "--send"]),
                             (["--discard", "--recv-only", "0"], ["--discard", "--recv-only"]),
                             (["-u", "--echo", "--exec", "0", "--", "cat"], ["--exec", "--echo"])):
            with self.subTest(words=words):
                self.assert_usage_error(run(["pier-listen", *words]), *texts)
