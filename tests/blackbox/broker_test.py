"""pier-listen --broker and --chat: clients hear each other."""

import json
import os
import resource
import selectors
import signal
import socket
import threading
import time

from harness import DEVNULL, TestCase, need_program, pattern, recv_all, recv_exactly, reset, run, wait_until


class Lines:
    """The lines a socket gives, one at a time."""

    def __init__(self, sock):
        self.file = sock.makefile("rb")

    def next(self):
        return self.file.readline()


class Broker(TestCase):
    def join(self, server, count):
        """That many clients, once all are served."""
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(count)]
        wait_until(lambda: server.err.count(" connected ") >= count, "all to be served")
        return clients

    def test_all_others_hear_it_and_never_the_sender(self):
        server = self.listen("--broker", "0")
        a, b, c = self.join(server, 3)
        a.sendall(b"from a\n")
        for other in (b, c):
            self.assertEqual(recv_exactly(other, 7), b"from a\n")
        b.sendall(b"from b\n")
        for other in (a, c):  # a's first bytes are b's: its own did not come back
            self.assertEqual(recv_exactly(other, 7), b"from b\n")
        server.write(b"from stdin\n")
        for client in (a, b, c):
            self.assertEqual(recv_exactly(client, 11), b"from stdin\n")
        self.assertEqual(server.out, b"")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait()[:2], (143, b""))

    def test_500_clients_and_every_line_to_every_other(self):
        count, lines = 500, 2
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        server = self.listen("--broker", "0")
        clients = self.join(server, count)
        seen = [b""] * count
        selector = selectors.DefaultSelector()
        for number, client in enumerate(clients):
            client.sendall(b"".join(b"line %d of %d\n" % (line, number) for line in range(lines)))
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ, number)
        due = sum(len(b"line %d of %d\n" % (line, number)) for line in range(lines) for number in range(count))
        own = [sum(len(b"line %d of %d\n" % (line, number)) for line in range(lines)) for number in range(count)]
        left = set(range(count))
        while left:
            ready = selector.select(60)
            self.assertTrue(ready, f"{len(left)} clients still lack lines")
            for key, _ in ready:
                seen[key.data] += key.fileobj.recv(1 << 16)
                if len(seen[key.data]) >= due - own[key.data]:
                    left.discard(key.data)
                    selector.unregister(key.fileobj)
        everything = {b"line %d of %d" % (line, number) for line in range(lines) for number in range(count)}
        for number in range(count):
            got = seen[number].splitlines()
            self.assertEqual(len(got), lines * (count - 1))
            self.assertEqual(everything - set(got), {b"line %d of %d" % (line, number) for line in range(lines)})

    def test_a_fast_sender_waits_for_readers(self):
        data = pattern(32 << 20)
        server = self.listen("--broker", "0", stdin=DEVNULL)
        sender, *readers = self.join(server, 4)
        got = [None] * len(readers)

        def read(number):
            got[number] = recv_exactly(readers[number], len(data)) == data

        threads = [threading.Thread(target=read, args=(n,)) for n in range(len(readers))]
        for thread in threads:
            thread.start()
        sender.sendall(data)
        for thread in threads:
            thread.join(60)
        self.assertEqual(got, [True] * len(readers), server.err)

    def test_who_does_not_read_is_dropped_and_counted(self):
        data = pattern(64 << 20)
        events = self.tmp() / "events"
        server = self.listen("--broker", "--events", events, "0", stdin=DEVNULL)
        sender, reader, stalled = self.join(server, 3)
        thread = threading.Thread(target=sender.sendall, args=(data,))
        thread.start()
        self.assertEqual(recv_exactly(reader, len(data)) == data, True)
        thread.join(60)
        server.wait_err(r"done: .*too slow: \d+ B waited for it, and were not sent")
        with self.assertRaises(ConnectionResetError):
            recv_all(stalled)
        sender.sendall(b"more")
        self.assertEqual(recv_exactly(reader, 4), b"more")
        server.signal(signal.SIGTERM)
        self.assertRegex(server.wait().err, r"(?m)^reset because they were too slow: 1$")
        closed = [r for r in map(json.loads, events.read_text().splitlines()) if r["type"] == "closed"]
        self.assertEqual(sum("too slow" in (r["error"] or "") for r in closed), 1)

    def test_ends_and_resets_touch_nobody_else(self):
        server = self.listen("--broker", "0")
        a, b, c, d = self.join(server, 4)
        a.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(a), b"")  # its end is its end
        reset(b)
        server.wait_err("reset")
        c.sendall(b"last words")
        c.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_exactly(d, 10), b"last words")
        server.write(b"stdin too")
        self.assertEqual(recv_exactly(d, 9), b"stdin too")
        server.close_stdin()
        e = self.raw_connect(("127.0.0.1", server.port))
        e.sendall(b"x")
        self.assertEqual(recv_exactly(d, 1), b"x")

    def test_over_tls_and_unix(self):
        folder = self.tmp()
        for listen, connect in ((["--tls", "0"], ["--tls", "--insecure"]), ([f"unix:{folder}/s"], [f"unix:{folder}/s"])):
            with self.subTest(listen=listen):
                server = self.listen("--broker", *listen)
                where = connect + ([server.port] if server.port else [])
                one, two = self.connect(*where), self.connect(*where)
                wait_until(lambda: server.err.count(" connected ") == 2, "both")
                one.write("hello " * 20000)
                two.wait_out_size(120000)
                two.write("answer")
                one.wait_out(b"answer")
                self.assertEqual(one.finish().code, 0)

    def test_ncat_talks_with_us(self):
        server = self.listen("--chat", "127.0.0.1:0", stdin=DEVNULL)
        ncat = self.spawn([need_program("ncat"), "127.0.0.1", server.port])
        us = self.raw_connect(("127.0.0.1", server.port))
        wait_until(lambda: server.err.count(" connected ") == 2, "both")
        ncat.write("hello\n")
        self.assertRegex(Lines(us).next(), rb"\A<\d+> hello\n\Z")
        us.sendall(b"hi\n")
        ncat.wait_out(rb"<\d+> hi\n")

    def test_nothing_spins(self):
        server = self.listen("--broker", "0")
        clients = self.join(server, 3)
        clients[0].sendall(b"x" * (1 << 20))
        recv_exactly(clients[1], 1 << 20)
        recv_exactly(clients[2], 1 << 20)
        before = server.cpu_ticks()
        burn_until = time.process_time() + 0.3  # our own work, not a length of waiting
        while time.process_time() < burn_until:
            pass
        self.assertLess(server.cpu_ticks() - before, 5)

    def test_limits_hold_here_too(self):
        server = self.listen("--broker", "--max-accepts", "2", "0")
        a, b = self.join(server, 2)
        a.sendall(b"x")
        self.assertEqual(recv_exactly(b, 1), b"x")
        a.close()
        b.close()
        self.assertEqual(server.wait().code, 0)

    def test_an_input_that_cannot_be_read_is_exit_2(self):
        folder = os.open(self.tmp(), os.O_RDONLY)
        self.addCleanup(os.close, folder)
        server = self.listen("--broker", "0", stdin=folder)
        self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(server.wait().code, 2)

    def test_bad_usage(self):
        for words in (["--broker", "--echo"], ["--chat", "-c", "cat"], ["-u", "--broker"], ["--chat", "--send", "f"],
                      ["--broker", "--to", "80"]):
            self.assert_usage_error(run(["pier-listen", "0", *words]))
        self.assert_usage_error(run(["pier-listen", "--chat", "udp://:0"]), "--chat")


class Chat(TestCase):
    def join(self, server, count):
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(count)]
        wait_until(lambda: server.err.count(" connected ") >= count, "all to be served")
        return clients

    def test_lines_have_their_senders_number(self):
        server = self.listen("--chat", "0")
        a, b, c = self.join(server, 3)
        heard = Lines(c)
        a.sendall(b"one\n")
        first = heard.next()
        self.assertRegex(first, rb"\A<\d+> one\n\Z")
        b.sendall(b"two\n")
        second = heard.next()
        self.assertRegex(second, rb"\A<\d+> two\n\Z")
        self.assertNotEqual(first.split()[0], second.split()[0])
        a.sendall(b"three\nfour\r\n")
        self.assertEqual(heard.next(), first.split()[0] + b" three\n")
        self.assertEqual(heard.next(), first.split()[0] + b" four\r\n")
        server.write(b"all of you\n")
        self.assertEqual(heard.next(), b"<0> all of you\n")

    def test_lines_never_mix(self):
        server = self.listen("--chat", "0")
        a, b, c = self.join(server, 3)
        heard = Lines(c)
        a.sendall(b"half a ")
        b.sendall(b"whole\n")
        self.assertRegex(heard.next(), rb"\A<\d+> whole\n\Z")
        a.sendall(b"line\nrest")
        self.assertRegex(heard.next(), rb"\A<\d+> half a line\n\Z")
        a.shutdown(socket.SHUT_WR)
        self.assertRegex(heard.next(), rb"\A<\d+> rest\n\Z")

    def test_a_line_without_an_end_is_bounded(self):
        server = self.listen("--chat", "0", stdin=DEVNULL)
        a, b = self.join(server, 2)
        heard = Lines(b)
        a.sendall(b"x" * 10000 + b"\n")
        sizes = [len(heard.next().split(b" ", 1)[1]) - 1 for _ in range(3)]
        self.assertEqual(sizes, [4096, 4096, 10000 - 2 * 4096])

    def test_nothing_that_a_terminal_obeys(self):
        server = self.listen("--chat", "0", stdin=DEVNULL)
        a, b = self.join(server, 2)
        heard = Lines(b)
        a.sendall("\x1b[2J\tä\x07\x7f\r!\n".encode())
        self.assertEqual(heard.next().split(b" ", 1)[1], "\\x1b[2J\tä\\x07\\x7f\\x0d!\n".encode())
