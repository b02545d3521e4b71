"""How many system calls each way of the relay takes: the kernel moves the bytes, in large pieces, and nobody spins.

The bounds are several times what is measured (tests/bench/RESULTS.md): how much a call finds to move depends on how
the two ends happen to run.
"""

import os
import subprocess
import tempfile
import unittest

import harness
from harness import DEVNULL, TestCase

MIB = 32
WAITS = ("epoll_wait", "epoll_pwait", "poll", "epoll_ctl")
MOVES = ("sendfile", "splice", "read", "write", "recvfrom", "sendto")
NO_LEAKS = {"ASAN_OPTIONS": f"detect_leaks=0:exitcode={harness.SANITIZER_EXIT}"}  # that check needs ptrace for itself


def need_ptrace():
    harness.need_program("strace")
    done = subprocess.run(["strace", "-c", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest(f"ptrace is not possible here: {done.stderr.strip()}")


class SystemCalls(TestCase):
    def setUp(self):
        need_ptrace()
        self.folder = self.tmp()
        self.data = harness.pattern(MIB << 20)

    def source(self):
        path = self.folder / "source"
        if not path.exists():
            path.write_bytes(self.data)
        return self.enterContext(open(path, "rb"))

    def traced(self, name, *args, **options):
        """A program of ours whose calls are counted; `.calls()` once it has ended."""
        counts = self.folder / f"calls.{name}"
        program = self.spawn(["strace", "-f", "-c", "-U", "name,calls", "-o", counts, harness.binary(name),
                              *map(str, args)], env=NO_LEAKS, **options)

        def calls():
            self.assertEqual(program.wait().code, 0, program.describe())
            found = {}
            for line in counts.read_text().splitlines():
                words = line.split()
                if len(words) == 2 and words[1].isdigit() and words[0] != "total":
                    found[words[0]] = int(words[1])
            return found

        program.calls = calls
        return program

    def transfer(self, stdin, stdout, connect_options=()):
        """The calls of both ends, each to be asked for, while `stdin` goes from connect to listen's `stdout`."""
        listener = self.traced("pier-listen", "127.0.0.1:0", stdin=DEVNULL, stdout=stdout)
        where = listener.wait_err(harness.READY)["where"]
        connector = self.traced("pier-connect", *connect_options, where, stdin=stdin, stdout=DEVNULL)
        return listener.calls, connector.calls

    def assert_few(self, calls, by, moves, waits):
        """`by` moves the bytes: at most so many calls a MiB, and so many for waiting."""
        other = sum(calls.get(name, 0) for name in MOVES if name not in by)
        moved = sum(calls.get(name, 0) for name in by)
        waited = sum(calls.get(name, 0) for name in WAITS)
        print(f"{moved / MIB:.1f} of {' and '.join(by)}, {waited / MIB:.1f} to wait, a MiB")
        self.assertGreater(moved, 0, calls)
        self.assertLessEqual(moved, moves * MIB, calls)
        self.assertLessEqual(waited, waits * MIB, calls)
        self.assertLess(other, 200, calls)  # what starting and ending takes

    def test_file_to_socket_is_sendfile(self):
        listened, connected = self.transfer(self.source(), DEVNULL)
        self.assert_few(connected(), ["sendfile"], 12, 24)
        listened()

    def test_socket_to_null_is_splice(self):
        listened, connected = self.transfer(self.source(), DEVNULL)
        connected()
        self.assert_few(listened(), ["splice"], 100, 100)

    def test_socket_to_file_is_splice(self):
        out = self.folder / "out"
        with open(out, "wb") as file:
            listened, connected = self.transfer(self.source(), file)
            connected()
            self.assert_few(listened(), ["splice"], 100, 100)
        self.assertEqual(out.read_bytes(), self.data)

    def test_pipe_to_socket_is_splice(self):
        cat = subprocess.Popen(["cat"], stdin=self.source(), stdout=subprocess.PIPE)
        with cat:
            listened, connected = self.transfer(cat.stdout, DEVNULL)
            cat.stdout.close()
            self.assert_few(connected(), ["splice"], 300, 300)
            listened()

    def test_socket_to_pipe_is_splice(self):
        with tempfile.TemporaryFile(dir=self.folder) as out:
            cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=out)
            with cat:
                listened, connected = self.transfer(self.source(), cat.stdin)
                cat.stdin.close()
                connected()
                self.assert_few(listened(), ["splice"], 300, 300)
            out.seek(0)
            self.assertEqual(out.read(), self.data)

    def test_a_file_for_appending_is_written_in_large_pieces(self):
        out = self.folder / "out"
        with open(out, "ab") as file:
            listened, connected = self.transfer(self.source(), file)
            connected()
            self.assert_few(listened(), ["recvfrom", "write", "splice"], 200, 100)
        self.assertEqual(out.read_bytes(), self.data)

    def test_a_filter_reads_and_writes_in_large_pieces(self):
        listened, connected = self.transfer(self.source(), DEVNULL, connect_options=["--crlf"])
        self.assert_few(connected(), ["read", "sendto"], 60, 60)
        listened()


if __name__ == "__main__":
    unittest.main()
