"""The close table (pier(7)): each row for connect and listen, over TCP and over Unix sockets.

In each test `program` is ours and `peer` is a plain socket at the other end. N is the network side, I the
program's stdin, O its stdout.
"""

import contextlib
import fcntl
import hashlib
import os
import select
import signal
import socket
import struct
import termios
import time

import harness
from harness import CLOSED, DEVNULL, PIPE, PTY, RESET, TestCase, pattern, recv_all, recv_exactly, wait_until


def waiting_bytes(sock):
    """How much a socket has received that nobody has read."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0" * 4))[0]


def unsent_bytes(sock):
    """How much of what was written to a socket the other end has not taken (SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


class Rows:
    """The rows, written once; the classes below say which program and which transport."""

    def begin(self, *args, stdin=PIPE, stdout=PIPE):
        """A connected pair: (our program, the peer's socket)."""
        unix = self.transport == "unix"
        family = socket.AF_UNIX if unix else socket.AF_INET
        address = str(self.tmp() / "s") if unix else None
        if self.role == "connect":
            listener = self.raw_listener(family, address=address)
            where = [f"unix:{address}"] if unix else ["127.0.0.1", listener.getsockname()[1]]
            program = self.connect(*args, *where, stdin=stdin, stdout=stdout)
            peer = self.accept(listener)
        else:
            program = self.listen(*args, f"unix:{address}" if unix else "127.0.0.1:0", stdin=stdin, stdout=stdout)
            peer = self.raw_connect(address if unix else ("127.0.0.1", program.port), family)
        return program, peer

    def file(self, data):
        path = self.tmp() / "data"
        path.write_bytes(data)
        return self.enterContext(open(path, "rb"))

    def break_off(self, program, peer):
        """Ends the connection by a reset. A Unix socket has one when it is closed with bytes unread."""
        if self.transport == "unix":
            program.write(b"never read")
            wait_until(lambda: waiting_bytes(peer), "bytes at the peer")
            peer.close()
        else:
            harness.reset(peer)

    def assert_reset(self, peer):
        """The peer learns that it was cut off. A Unix socket may only say that it has ended."""
        if self.transport == "unix":
            with contextlib.suppress(*RESET):
                recv_all(peer)
        else:
            with self.assertRaises(RESET):
                recv_all(peer)

    def settle(self, number):
        """Waits until `number()` has stayed as it is, above 0, for a hundred looks."""
        seen = [0, 0]

        def look():
            now = number()
            seen[:] = [now, seen[1] + 1 if now == seen[0] else 0]
            return now > 0 and seen[1] >= 100

        wait_until(look, "a number that stays")

    def assert_still_open(self, program, peer):
        """Our program has not ended its sending side: three answers have come through, and no end."""
        before = len(program.out)
        for turn in range(1, 4):
            peer.sendall(b".")
            program.wait_out_size(before + turn)
        peer.setblocking(False)
        with self.assertRaises(BlockingIOError):
            peer.recv(1)
        peer.settimeout(harness.SAFETY)

    # Rows 1 and 2
    def test_row_01_end_of_stdin_half_closes_and_reading_goes_on(self):
        program, peer = self.begin()
        program.write(b"request")
        program.close_stdin()
        self.assertEqual(recv_all(peer), b"request")
        peer.sendall(b"answer, ")
        program.wait_out(b"answer, ")
        peer.sendall(b"all of it")
        peer.close()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"answer, all of it"), done)

    def test_row_01_a_file_is_sent_to_its_end(self):
        data = pattern(8 << 20)
        program, peer = self.begin(stdin=self.file(data))
        self.assertEqual(hashlib.sha256(recv_all(peer)).digest(), hashlib.sha256(data).digest())
        self.assertTrue(program.running())
        peer.sendall(b"thanks")
        peer.close()
        self.assertEqual(program.wait()[:2], (0, b"thanks"))

    def test_row_01_control_d_on_a_terminal(self):
        program, peer = self.begin(stdin=PTY)
        program.write(b"line\n")
        self.assertEqual(recv_exactly(peer, 5), b"line\n")
        program.write(b"\x04")
        self.assertEqual(recv_all(peer), b"")
        peer.sendall(b"bye")
        peer.close()
        self.assertEqual(program.wait()[:2], (0, b"bye"))

    def test_row_01_no_half_close_keeps_our_side_open(self):
        program, peer = self.begin("--no-half-close")
        program.write(b"request")
        program.close_stdin()
        self.assertEqual(recv_exactly(peer, 7), b"request")
        self.assert_still_open(program, peer)
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), b"")
        self.assertEqual(program.wait().code, 0)

    def test_row_02_everything_in_hand_is_written_out(self):
        data = pattern(8 << 20)
        program, peer = self.begin()
        program.close_stdin()
        self.assertEqual(recv_all(peer), b"")
        peer.sendall(data)
        peer.close()
        done = program.wait()
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(data).digest())

    # Row 3
    def test_row_03_a_file_is_sent_to_its_end_after_the_peers_end(self):
        data = pattern(8 << 20)
        program, peer = self.begin(stdin=self.file(data))
        peer.sendall(b"hello")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(hashlib.sha256(recv_all(peer)).digest(), hashlib.sha256(data).digest())
        self.assertEqual(program.wait()[:2], (0, b"hello"))

    def test_row_03_a_pipe_is_sent_while_it_has_data(self):
        data = pattern(60_000)  # less than a pipe holds, so all of it is there when the peer ends
        reader, writer = os.pipe()
        os.write(writer, data)
        program, peer = self.begin(stdin=reader)
        os.close(reader)
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), data)
        self.assertEqual(program.wait().code, 0)
        os.close(writer)  # was open, and idle, all the time

    # Row 4
    def test_row_04_an_idle_stdin_is_left_at_the_peers_end(self):
        program, peer = self.begin()
        peer.sendall(b"last words")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), b"")
        self.assertEqual(program.wait()[:2], (0, b"last words"))

    def test_row_04_a_terminal_is_left_at_the_peers_end(self):
        program, peer = self.begin(stdin=PTY)
        peer.sendall(b"last words")
        peer.close()
        self.assertEqual(program.wait()[:2], (0, b"last words"))

    def test_row_04_keep_stdin_waits_for_its_end(self):
        program, peer = self.begin("--keep-stdin")
        peer.sendall(b"last words")
        peer.shutdown(socket.SHUT_WR)
        program.wait_out(b"last words")
        for word in (b"one", b"two", b"three"):
            program.write(word)
            self.assertEqual(recv_exactly(peer, len(word)), word)
        program.close_stdin()
        self.assertEqual(recv_all(peer), b"")
        self.assertEqual(program.wait()[:2], (0, b"last words"))

    # Row 5
    def test_row_05_a_reset_is_told_after_what_arrived(self):
        data = pattern(100_000)
        program, peer = self.begin()
        peer.sendall(data)
        wait_until(lambda: unsent_bytes(peer) == 0, "all of it taken by the other end")
        self.break_off(program, peer)
        done = program.wait()
        self.assertEqual(done.code, 1, done.err)
        self.assertEqual(done.out, data)
        self.assertIn("reset", done.err)

    def test_row_05_a_reset_after_our_end(self):
        if self.transport == "unix":
            program, peer = self.begin()
            program.write(b"never read")
            wait_until(lambda: waiting_bytes(peer), "bytes at the peer")
        else:
            program, peer = self.begin()
        program.close_stdin()
        peer.sendall(b"begun")
        program.wait_out(b"begun")
        peer.close() if self.transport == "unix" else harness.reset(peer)
        done = program.wait()
        self.assertEqual((done.code, done.out), (1, b"begun"), done)
        self.assertIn("reset", done.err)

    # Row 6
    def test_row_06_bytes_that_could_not_be_sent_are_counted(self):
        size = 32 << 20
        program, peer = self.begin(stdin=self.file(pattern(size)))
        self.settle(lambda: waiting_bytes(peer))  # the buffers are full, and more of it is in hand
        peer.close()
        done = program.wait()
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"(?m)^pier-\w+: .*(?<!\d)[1-9]\d* B\b")

    def test_row_06_the_peer_has_gone_and_stdin_speaks_up(self):
        program, peer = self.begin("--keep-stdin")
        peer.close()
        # A TCP peer says that it has gone only when something reaches it.
        with contextlib.suppress(BrokenPipeError):
            while program.running():
                program.write(b"anybody there?\n")
        done = program.wait()
        self.assertEqual(done.code, 1, done)

    # Row 7
    def test_row_07_a_closed_stdout_is_noticed_at_once(self):
        reader, writer = os.pipe()
        program, peer = self.begin(stdout=writer)
        os.close(writer)
        os.close(reader)  # nothing is on its way, and nothing will be
        self.assert_reset(peer)
        done = program.wait()
        self.assertEqual(done.code, 141, done)
        self.assertNotIn("ipe", done.err)

    def test_row_07_a_stdout_closed_while_bytes_flow(self):
        reader, writer = os.pipe()
        program, peer = self.begin(stdout=writer)
        os.close(writer)
        peer.sendall(b"first")
        self.assertEqual(os.read(reader, 5), b"first")
        os.close(reader)
        with contextlib.suppress(*RESET):
            while True:
                peer.sendall(b"more" * 1000)
        self.assertEqual(program.wait().code, 141)

    # Row 8
    def test_row_08_a_full_output_is_told(self):
        with open("/dev/full", "wb") as full:
            program, peer = self.begin(stdout=full)
        peer.sendall(b"some")
        self.assert_reset(peer)
        done = program.wait()
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"(?m)^pier-\w+: .*no space left on device.*\b0 B")

    # Row 9
    def test_row_09_a_stdin_that_cannot_be_read_looks_like_no_end(self):
        folder = os.open("/", os.O_RDONLY)
        program, peer = self.begin(stdin=folder)
        os.close(folder)
        self.assert_reset(peer)
        done = program.wait()
        self.assertEqual(done.code, 2, done)
        self.assertRegex(done.err, r"(?m)^pier-\w+: .*standard input.*is a directory")

    # Rows 10 and 11
    def check_empty_stdin(self, stdin):
        program, peer = self.begin(stdin=stdin)
        if self.role == "connect":
            self.assertEqual(recv_all(peer), b"")  # row 10: half-closed at once
            peer.sendall(b"greeting")
            peer.close()
        else:
            self.assert_still_open(program, peer)  # row 11: receive only
            peer.sendall(b"greeting")
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(recv_all(peer), b"")
        done = program.wait()
        self.assertEqual(done.code, 0, done)
        self.assertTrue(done.out.endswith(b"greeting"), done)

    def test_row_10_11_stdin_closed_at_the_start(self):
        self.check_empty_stdin(CLOSED)

    def test_row_10_11_stdin_is_dev_null(self):
        self.check_empty_stdin(DEVNULL)

    # Row 12
    def test_row_12_stdout_closed_at_the_start(self):
        program, peer = self.begin(stdout=CLOSED)
        program.write(b"request")
        self.assertEqual(recv_exactly(peer, 7), b"request")
        self.assertEqual(program.fds()[1], "/dev/null")
        peer.sendall(pattern(1 << 20))
        program.close_stdin()
        self.assertEqual(recv_all(peer), b"")  # nothing of ours came back to the peer
        peer.close()
        self.assertEqual(program.wait().code, 0)

    def test_row_12_all_three_closed_at_the_start(self):
        address = str(self.tmp() / "s")
        listener = self.raw_listener(socket.AF_UNIX, address=address)
        program = self.connect(f"unix:{address}", stdin=CLOSED, stdout=CLOSED, stderr=CLOSED)
        peer = self.accept(listener)
        self.assertEqual({program.fds()[fd] for fd in (0, 1, 2)}, {"/dev/null"})
        self.assertEqual(recv_all(peer), b"")
        peer.close()
        self.assertEqual(program.wait().code, 0)

    # Row 13
    def test_row_13_send_only_ends_when_all_is_acknowledged(self):
        data = pattern(300_000)
        program, peer = self.begin("--send-only", stdin=self.file(data))
        peer.sendall(b"not wanted")
        self.assertEqual(recv_exactly(peer, len(data)), data)
        done = program.wait()  # though the peer ends nothing
        self.assertEqual((done.code, done.out), (0, b""), done)

    def test_row_13_send_only_notices_a_reset(self):
        program, peer = self.begin("--send-only")
        program.write(b"part")
        self.assertEqual(recv_exactly(peer, 4), b"part")
        self.break_off(program, peer)
        done = program.wait()
        self.assertEqual(done.code, 1, done)

    # Row 14
    def test_row_14_recv_only_never_reads_stdin(self):
        source = self.file(b"not to be sent")
        program, peer = self.begin("--recv-only", stdin=source)
        peer.sendall(b"taken")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), b"")
        self.assertEqual(program.wait()[:2], (0, b"taken"))
        self.assertEqual(os.lseek(source.fileno(), 0, os.SEEK_CUR), 0)  # the offset is shared: nobody read

    # Row 15
    def test_row_15_an_idle_deadline_resets(self):
        program, peer = self.begin("--idle-timeout", "200ms")
        peer.sendall(b"in hand")
        self.assert_reset(peer)
        done = program.wait()
        self.assertEqual((done.code, done.out), (124, b"in hand"), done)
        self.assertRegex(done.err, r"(?m)^pier-\w+: .*idle")

    # Row 16
    def check_signal(self, number):
        program, peer = self.begin()
        program.write(b"sent")
        self.assertEqual(recv_exactly(peer, 4), b"sent")
        peer.sendall(b"received")
        program.wait_out(b"received")
        program.signal(number)
        with contextlib.suppress(*RESET):
            self.assertEqual(recv_all(peer), b"")
        done = program.wait()
        self.assertEqual((done.code, done.out), (128 + number, b"received"), done)

    def test_row_16_sigint(self):
        self.check_signal(signal.SIGINT)

    def test_row_16_sigterm(self):
        self.check_signal(signal.SIGTERM)

    def test_row_16_a_blocked_output_holds_up_no_signal(self):
        reader, writer = os.pipe()
        program, peer = self.begin(stdout=writer)
        os.close(writer)
        self.fill(peer.send, peer)
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait().code, 143)
        os.close(reader)

    # Row 17
    def fill(self, send, handle, limit=64 << 20):
        """Writes until it has stayed full: the sum. More than `limit` means that somebody hoards it."""
        if isinstance(handle, socket.socket):
            handle.setblocking(False)
        else:
            os.set_blocking(handle.fileno(), False)
        total, full_since = 0, None
        chunk = pattern(65536, seed=7)
        while total < limit:
            try:
                total += send(chunk[total % 65536:] or chunk)
                full_since = None
            except BlockingIOError:
                full_since = full_since or time.monotonic()
                if time.monotonic() - full_since > 0.3:  # too short would make the test weaker, not wrong
                    break
                select.select([], [], [], 0.005)
        if isinstance(handle, socket.socket):
            handle.settimeout(harness.SAFETY)
        else:
            os.set_blocking(handle.fileno(), True)
        self.assertLess(total, limit)
        return total

    def expected(self, total):
        chunk = pattern(65536, seed=7)
        return (chunk * (total // 65536 + 1))[:total]

    def test_row_17_a_peer_that_does_not_read_stops_stdin(self):
        program, peer = self.begin()
        total = self.fill(lambda data: os.write(program.process.stdin.fileno(), data), program.process.stdin)
        program.close_stdin()
        self.assertEqual(hashlib.sha256(recv_all(peer)).digest(),
                         hashlib.sha256(self.expected(total)).digest())
        peer.close()
        self.assertEqual(program.wait().code, 0)

    def test_row_17_an_output_that_does_not_read_stops_the_peer(self):
        reader, writer = os.pipe()
        program, peer = self.begin(stdout=writer)
        os.close(writer)
        total = self.fill(peer.send, peer)
        peer.shutdown(socket.SHUT_WR)
        received = hashlib.sha256()
        while data := os.read(reader, 1 << 16):
            received.update(data)
        os.close(reader)
        self.assertEqual(received.digest(), hashlib.sha256(self.expected(total)).digest())
        self.assertEqual(program.wait().code, 0)


class ConnectTcp(Rows, TestCase):
    role, transport = "connect", "tcp"


class ConnectUnix(Rows, TestCase):
    role, transport = "connect", "unix"


class ListenTcp(Rows, TestCase):
    role, transport = "listen", "tcp"


class ListenUnix(Rows, TestCase):
    role, transport = "listen", "unix"


class Deadlines(TestCase):
    """What else of row 15 belongs to one program only."""

    def test_row_15_accept_timeout(self):
        done = harness.run(["pier-listen", "--accept-timeout", "100ms", "127.0.0.1:0"])
        self.assertEqual(done.code, 124, done)
        self.assertRegex(done.err, r"(?m)^pier-listen: accept: nobody came within ")

    def test_row_15_whole_run(self):
        listener = self.raw_listener()
        program = self.connect("--timeout", "300ms", "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        peer.sendall(b"in hand")
        with self.assertRaises(RESET):
            recv_all(peer)
        done = program.wait()
        self.assertEqual((done.code, done.out), (124, b"in hand"), done)
        self.assertRegex(done.err, r"(?m)^pier-connect: .*timeout")

    def test_row_16_a_signal_while_waiting_for_a_client(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                program = self.listen("0")
                program.signal(number)
                self.assertEqual(program.wait().code, 128 + number)


class Datagrams(TestCase):
    """Row 19: UDP has no end."""

    def begin(self, *args, stdin=PIPE):
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        return self.connect("-u", *args, "127.0.0.1", server.getsockname()[1], stdin=stdin), server

    def test_row_19_replies_are_waited_for_after_the_end_of_stdin(self):
        program, server = self.begin()
        program.write(b"question")
        data, client = server.recvfrom(100)
        self.assertEqual(data, b"question")
        program.close_stdin()
        server.sendto(b"answer", client)
        program.wait_out(b"answer")
        server.sendto(b", and more", client)
        self.assertEqual(program.wait()[:2], (0, b"answer, and more"))

    def test_row_19_the_end_alone_sends_nothing(self):
        program, server = self.begin("--reply-timeout", "100ms", stdin=DEVNULL)
        self.assertEqual(program.wait().code, 0)
        server.setblocking(False)
        with self.assertRaises(BlockingIOError):
            server.recv(1)

    def test_row_19_nobody_there_is_exit_1(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            # Held but not by a receiver: a UDP socket connected elsewhere refuses what others send to its port.
            taken.connect(("127.0.0.1", 9))
            done = harness.run(["pier-connect", "-u", "127.0.0.1", port], stdin="hello?")
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"\Apier-connect: [^\n]*refused[^\n]*\n\Z")

    def test_row_19_a_listener_answers_who_wrote(self):
        program = self.listen("-u", "127.0.0.1:0")
        client = self.raw_connect(("127.0.0.1", program.port), kind=socket.SOCK_DGRAM)
        client.send(b"ping")
        program.wait_out(b"ping")
        program.write(b"pong")
        self.assertEqual(client.recv(100), b"pong")
        program.close_stdin()
        self.assertEqual(program.wait()[:2], (0, b"ping"))

    def test_row_14_recv_only_and_row_16(self):
        program = self.listen("-u", "--recv-only", "127.0.0.1:0")
        client = self.raw_connect(("127.0.0.1", program.port), kind=socket.SOCK_DGRAM)
        client.send(b"one")
        program.wait_out(b"one")
        client.send(b"two")
        program.wait_out(b"two")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait()[:2], (143, b"onetwo"))

    def test_row_15_idle(self):
        program, server = self.begin("--idle-timeout", "200ms")
        program.write(b"x")
        self.assertEqual(server.recv(10), b"x")
        self.assertEqual(program.wait().code, 124)

    def test_row_07_a_closed_stdout(self):
        reader, writer = os.pipe()
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        program = self.connect("-u", "127.0.0.1", server.getsockname()[1], stdout=writer)
        os.close(writer)
        program.write(b"x")
        self.assertEqual(server.recv(10), b"x")
        os.close(reader)
        self.assertEqual(program.wait().code, 141)
