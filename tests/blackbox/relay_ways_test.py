"""The ways the relay moves bytes (sendfile, splice, copies), seen from outside: what a shell and a peer notice.

The close table has its tests in close_table_test.py, and many transfers at random in integrity_test.py.
"""

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import unittest

import harness
from harness import DEVNULL, PIPE, RESET, TestCase, pattern, recv_all, recv_exactly, wait_until


class Ways(TestCase):
    def file(self, data, name="source"):
        path = self.tmp() / name
        path.write_bytes(data)
        return path

    def peer(self):
        """A socket of ours that waits, with a small window, so that a large file is stuck half way."""
        listener = socket.socket()
        self.enterContext(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        listener.settimeout(harness.SAFETY)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        return listener, str(listener.getsockname()[1])

    def shell(self, script, *words, **options):
        """A script in which $1 is pier-connect (or what `words` begin with)."""
        return self.spawn(["sh", "-c", script, "sh", *map(str, words)], **options)

    def stuck(self, program):
        """Waits until the program sleeps and has nothing to do, and is sure that it stays so: it does not spin."""
        def switches():
            with open(f"/proc/{program.pid}/status", encoding="ascii") as file:
                return [line for line in file if "ctxt_switches" in line]

        seen = []

        def same():
            seen.append(switches())
            return len(seen) > 20 and all(s == seen[-1] for s in seen[-20:])

        wait_until(same, "the program to sleep")

    # What --explain says.
    def test_explain_tells_the_way_of_each_direction(self):
        server = self.listen("--explain", "127.0.0.1:0", stdin=PIPE)
        with open(self.file(b"x" * 1000), "rb") as source:
            client = self.connect("--explain", "127.0.0.1", server.port, stdin=source, stdout=DEVNULL)
            server.wait_out(b"x" * 1000)
            server.close_stdin()
            told = client.wait().err
        self.assertRegex(told, r"(?m)^sendfile +standard input \(a file\) to the socket: moved by the kernel$")
        self.assertRegex(told, r"(?m)^splice +the socket to standard output \(/dev/null\): moved by the kernel, "
                               r"through a pipe of ours$")
        told = server.wait().err
        self.assertRegex(told, r"(?m)^splice +standard input \(a pipe\) to the socket: moved by the kernel$")
        self.assertRegex(told, r"(?m)^splice +the socket to standard output \(a pipe\): moved by the kernel$")

    def test_explain_tells_of_a_filter_and_of_a_way_that_was_refused(self):
        out = self.file(b"", "out")
        with open(out, "ab") as file:
            server = self.listen("--explain", "127.0.0.1:0", stdin=DEVNULL, stdout=file)
        client = self.connect("--explain", "--crlf", "127.0.0.1", server.port, stdout=DEVNULL)
        self.assertRegex(client.finish(b"a\n").err,
                         r"(?m)^read +standard input \(a pipe\) to the socket: copied through a buffer of ours$")
        self.assertRegex(server.wait().err, r"(?m)^splice +what is received is copied from here on: invalid argument$")
        self.assertEqual(out.read_bytes(), b"a\r\n")

    # Descriptors shared with the shell.
    def test_the_shells_next_command_goes_on_where_stdin_was_left(self):
        listener, port = self.peer()
        source = self.file(b"first line\n" + b"x" * 100_000)
        program = self.shell('{ read -r line; echo "$line"; "$1" 127.0.0.1 "$2"; cat; echo later; } <"$3"',
                             harness.binary("pier-connect"), port, source)
        peer = self.accept(listener)
        self.assertEqual(recv_all(peer), b"x" * 100_000)
        peer.close()
        self.assertEqual(program.wait()[:2], (0, b"first line\nlater\n"))

    def test_output_between_that_of_other_commands(self):
        for redirect in (">", ">>"):
            out = self.file(b"before\n", "out")
            script = f'{{ echo one; "$1" 127.0.0.1 "$2" </dev/null; echo two; }} {redirect}"$3"'
            listener, port = self.peer()
            program = self.shell(script, harness.binary("pier-connect"), port, out)
            peer = self.accept(listener)
            peer.sendall(b"bytes\n" * 50_000)
            peer.close()
            self.assertEqual(program.wait().code, 0)
            before = b"before\n" if redirect == ">>" else b""
            self.assertEqual(out.read_bytes(), before + b"one\n" + b"bytes\n" * 50_000 + b"two\n")

    def test_a_pipe_shared_with_others_stays_blocking(self):
        listener, port = self.peer()
        reading, writing = os.pipe()
        program = self.connect("127.0.0.1", port, stdin=DEVNULL, stdout=writing)
        peer = self.accept(listener)
        peer.sendall(b"x")
        self.assertEqual(os.read(reading, 10), b"x")
        self.assertEqual(fcntl.fcntl(writing, fcntl.F_GETFL) & os.O_NONBLOCK, 0)
        peer.close()
        self.assertEqual(program.wait().code, 0)
        os.close(reading)
        os.close(writing)

    # A source that changes meanwhile.
    def test_a_file_that_grows_is_sent_to_its_end_as_found(self):
        data = pattern(24 << 20)
        path = self.file(data)
        listener, port = self.peer()
        with open(path, "rb") as source:
            program = self.connect("--summary", "127.0.0.1", port, stdin=source)
        peer = self.accept(listener)
        start = recv_exactly(peer, 1000)
        self.stuck(program)
        with open(path, "ab") as more:
            more.write(b"and more")
        self.assertEqual(start + recv_all(peer), data + b"and more")
        peer.close()
        self.assertIn(f" {len(data) + 8} B out", program.wait().err)

    def test_a_file_that_is_truncated_ends_where_it_ends(self):
        path = self.file(pattern(24 << 20))
        listener, port = self.peer()
        with open(path, "rb") as source:
            program = self.connect("--summary", "127.0.0.1", port, stdin=source)
        peer = self.accept(listener)
        self.stuck(program)
        os.truncate(path, 1000)
        got = recv_all(peer)
        self.assertLess(len(got), 24 << 20)
        peer.close()
        done = program.wait()
        self.assertEqual(done.code, 0)
        self.assertIn(f" {len(got)} B out", done.err)

    # Row 6: what was not sent is counted, in hand or not.
    def assert_unsent(self, stdin, size):
        listener, port = self.peer()
        program = self.connect("--summary", "127.0.0.1", port, stdin=stdin)
        peer = self.accept(listener)
        recv_exactly(peer, 1000)
        self.stuck(program)
        harness.reset(peer)
        done = program.wait()
        self.assertEqual(done.code, 1, done)
        told = re.search(r"(\d+) B of standard input were not (?:accepted by the kernel|sent)", done.err)
        sent = re.search(r"(\d+) B out", done.err)
        self.assertTrue(told and sent, done.err)
        self.assertEqual(int(told[1]) + int(sent[1]), size, done.err)

    def test_row_06_the_rest_of_a_file_is_counted(self):
        with open(self.file(pattern(24 << 20)), "rb") as source:
            self.assert_unsent(source, 24 << 20)

    def test_row_06_what_waits_in_a_pipe_is_counted(self):
        # The writer is stuck, too, and what it still holds is its own.
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        given = [0]

        def fill():
            with contextlib.suppress(BlockingIOError):
                while True:
                    given[0] += os.write(writing, bytes(65536))

        listener, port = self.peer()
        program = self.connect("--summary", "127.0.0.1", port, stdin=reading)
        os.close(reading)
        peer = self.accept(listener)
        before = -1
        while given[0] != before:
            before = given[0]
            fill()
            self.stuck(program)
        harness.reset(peer)
        done = program.wait()
        os.close(writing)
        told = re.search(r"(\d+) B of standard input were not (?:accepted by the kernel|sent)", done.err)
        sent = re.search(r"(\d+) B out", done.err)
        self.assertEqual((done.code, int(told[1]) + int(sent[1])), (1, given[0]), done.err)

    # Row 7: at once, even while the pipe is full.
    def test_row_07_a_reader_that_goes_while_the_pipe_is_full(self):
        listener, port = self.peer()
        reading, writing = os.pipe()
        program = self.connect("127.0.0.1", port, stdin=DEVNULL, stdout=writing)
        os.close(writing)
        peer = self.accept(listener)
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                peer.send(bytes(65536))
        self.stuck(program)
        os.close(reading)
        self.assertEqual(program.wait().code, 141)
        peer.settimeout(harness.SAFETY)
        with self.assertRaises(RESET):
            recv_all(peer)
            peer.send(b"x")

    # Row 8: a disk that is full.
    def test_row_08_a_full_disk(self):
        folder = self.tmp()
        mount = 'mount -t tmpfs -o size=1M none "$1" || exit 99; '
        probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount, "sh", str(folder)], stdin=DEVNULL,
                               capture_output=True, text=True, check=False)
        if probe.returncode != 0:
            raise unittest.SkipTest(f"no mount of our own here: {probe.stderr.strip()}")
        for redirect in (">", ">>"):
            listener, port = self.peer()
            script = mount + f'"$2" 127.0.0.1 "$3" </dev/null {redirect}"$1/out"; code=$?; wc -c <"$1/out"; exit $code'
            program = self.spawn(["unshare", "-rm", "sh", "-c", script, "sh", folder, harness.binary("pier-connect"),
                                  port], stdin=DEVNULL)
            peer = self.accept(listener)
            with self.assertRaises(RESET):
                for _ in range(64):
                    peer.sendall(bytes(1 << 20))
            done = program.wait()
            self.assertEqual(done.code, 1, done)
            size = int(done.out)
            self.assertGreater(size, 0)
            self.assertRegex(done.err, rf"write standard output: no space left on device: {size} B were written, "
                                       r"[1-9]\d* B more had arrived")

    # Row 17: both ends wait without using the processor, whichever way.
    def test_row_17_a_slow_reader_costs_nothing(self):
        reading, writing = os.pipe()
        feeding, fed = os.pipe()
        self.enterContext(os.fdopen(reading, "rb"))
        for name, stdin in (("file", None), ("pipe", feeding)):
            with self.subTest(stdin=name):
                server = self.listen("127.0.0.1:0", stdin=DEVNULL, stdout=writing)
                if stdin is None:
                    source = self.enterContext(open(self.file(bytes(32 << 20)), "rb"))
                    client = self.connect("127.0.0.1", server.port, stdin=source)
                else:
                    client = self.connect("127.0.0.1", server.port, stdin=feeding)
                    os.set_blocking(fed, False)
                    for _ in range(3):
                        with contextlib.suppress(BlockingIOError):
                            while True:
                                os.write(fed, bytes(65536))
                        self.stuck(client)
                self.stuck(client)
                self.stuck(server)
                for program in (client, server):
                    program.signal(signal.SIGTERM)
                    self.assertEqual(program.wait().code, 143)
        for fd in (writing, feeding, fed):
            os.close(fd)


if __name__ == "__main__":
    unittest.main()
