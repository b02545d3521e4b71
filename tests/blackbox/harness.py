"""What the black-box tests share: running the real binaries and waiting on conditions.

Only the standard library. A test file is tests/{blackbox,interop,lab}/NAME_test.py with unittest classes;
every method test_* becomes a ctest test of its own (tests/black_box.cmake), so nothing here may need a
second test to have run. The binaries are in $PIER_BIN_DIR (build/dev of this checkout when unset).

Nothing waits for a length of time. SAFETY is the bound after which a wait that should have ended is a
failure; no test passes because of it.
"""

import contextlib
import errno
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import fcntl
import tempfile
import termios
import threading
import time
import typing
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("PIER_BIN_DIR") or ROOT / "build" / "dev").resolve()
SAFETY = 60.0

# The exit code of a sanitizer's report: no command of ours ever ends with it.
SANITIZER_EXIT = 99

CLOSED = object()  # for stdin=, stdout=, stderr=: the descriptor is closed at the start
PTY = object()  # for stdin=, stdout=, stderr=: a terminal of its own
PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL


def clean_env(extra=None):
    """The environment of every program under test: nothing of the caller's changes what it prints."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("LISTEN_") and k not in ("NO_COLOR", "NOTIFY_SOCKET", "COLUMNS")}
    env.update(LC_ALL="C.UTF-8", TERM="xterm-256color")
    env["ASAN_OPTIONS"] = f"detect_leaks=1:exitcode={SANITIZER_EXIT}:" + os.environ.get("ASAN_OPTIONS", "")
    env["UBSAN_OPTIONS"] = (f"print_stacktrace=1:halt_on_error=1:exitcode={SANITIZER_EXIT}:" +
                            os.environ.get("UBSAN_OPTIONS", ""))
    env["TSAN_OPTIONS"] = f"exitcode={SANITIZER_EXIT}:" + os.environ.get("TSAN_OPTIONS", "")
    env.update(extra or {})
    return {k: v for k, v in env.items() if v is not None}


def binary(name):
    """The path of one of our programs; a test of a program that was not built fails."""
    path = BIN_DIR / name
    if not path.exists():
        raise AssertionError(f"{path} is not built (PIER_BIN_DIR says where the binaries are)")
    return str(path)


def resolve(cmd):
    """Our own programs by name, others from PATH: the first word of `cmd` may be "pier-listen"."""
    cmd = [str(w) for w in cmd]
    if cmd[0] == "pier" or cmd[0].startswith("pier-"):
        cmd[0] = binary(cmd[0])
    return cmd


def wait_until(condition, what="the condition", within=SAFETY):
    """Polls until `condition()` is true and returns its value; fails after the safety bound."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not seen within {within:.0f} s: {what}")
        select.select([], [], [], 0.005)


class Done(typing.NamedTuple):
    """What a program left behind: exit code (128+N for a signal N), stdout as bytes, stderr as text."""
    code: int
    out: bytes
    err: str

    @property
    def text(self):
        return self.out.decode()

    @property
    def lines(self):
        return self.text.splitlines()


class Spawn:
    """A program in the background. Its pipes are read by threads as it writes, so it never blocks on us;
    give `stdout=fd` of your own pipe where it should. Use as a context manager: it is killed at the end."""

    def __init__(self, cmd, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=None, cwd=None, pass_fds=(),
                 preexec=None):
        self.cmd = resolve(cmd)
        self._changed = threading.Condition()
        self._bytes = {1: bytearray(), 2: bytearray()}
        self._open = set()
        self._readers = []
        self._masters = {}
        given = {0: stdin, 1: stdout, 2: stderr}
        redirect = " ".join(f"{fd}{'<' if fd == 0 else '>'}&-" for fd, v in given.items() if v is CLOSED)
        words = ["sh", "-c", f'exec "$@" {redirect}', "sh", *self.cmd] if redirect else self.cmd
        slaves = []
        for fd, value in given.items():
            if value is PTY:
                self._masters[fd], slave = pty.openpty()
                fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
                slaves.append(slave)
                given[fd] = slave
            elif value is CLOSED:
                given[fd] = DEVNULL
        self.process = subprocess.Popen(words, stdin=given[0], stdout=given[1], stderr=given[2],
                                        env=clean_env(env), cwd=cwd, pass_fds=pass_fds, preexec_fn=preexec)
        self.pid = self.process.pid
        for fd in slaves:
            os.close(fd)
        for fd, pipe in ((1, self.process.stdout), (2, self.process.stderr)):
            if pipe is not None or fd in self._masters:
                self._open.add(fd)
                source = pipe.fileno() if pipe is not None else self._masters[fd]
                thread = threading.Thread(target=self._read, args=(fd, source), daemon=True)
                thread.start()
                self._readers.append(thread)

    def _read(self, fd, source):
        while True:
            try:
                data = os.read(source, 1 << 16)
            except OSError:  # EIO: the other end of a terminal is closed
                data = b""
            with self._changed:
                if data:
                    self._bytes[fd] += data
                else:
                    self._open.discard(fd)
                self._changed.notify_all()
            if not data:
                return

    # What was written so far.
    @property
    def out(self):
        with self._changed:
            return bytes(self._bytes[1])

    @property
    def err(self):
        with self._changed:
            return self._bytes[2].decode(errors="replace")

    def _wait(self, predicate, fd, what):
        end = time.monotonic() + SAFETY
        with self._changed:
            while True:
                value = predicate(bytes(self._bytes[fd]))
                if value:
                    return value
                if fd not in self._open:
                    break
                if not self._changed.wait(end - time.monotonic()):
                    break
        raise AssertionError(f"{what} was not seen on descriptor {fd} of {self.describe()}")

    def wait_err(self, pattern):
        """The match of the regular expression in stderr, as soon as it is there (MULTILINE)."""
        return self._wait(lambda b: re.search(pattern, b.decode(errors="replace"), re.M), 2, repr(pattern))

    def wait_out(self, pattern):
        """The match of the bytes regular expression in stdout."""
        return self._wait(lambda b: re.search(pattern, b, re.M | re.S), 1, repr(pattern))

    def wait_out_size(self, size):
        return self._wait(lambda b: len(b) >= size, 1, f"{size} bytes")

    def describe(self):
        with self._changed:
            code = self.process.poll()
            return (f"{self.cmd!r} (pid {self.pid}, " + ("running" if code is None else f"ended {code}") +
                    f")\n  stdout: {bytes(self._bytes[1][-400:])!r}\n  stderr: {bytes(self._bytes[2][-4000:])!r}")

    def write(self, data):
        """To its stdin; blocks while the program does not take it."""
        if isinstance(data, str):
            data = data.encode()
        fd = self._masters.get(0)
        if fd is None:
            fd = self.process.stdin.fileno()
        while data:
            data = data[os.write(fd, data):]

    def close_stdin(self):
        self.process.stdin.close()

    def signal(self, number):
        self.process.send_signal(number)

    def running(self):
        return self.process.poll() is None

    def wait(self):
        """Waits for its end and for the end of its output: (code, out, err)."""
        try:
            self.process.wait(SAFETY)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end: {self.describe()}") from None
        for thread in self._readers:
            thread.join(SAFETY)
            if thread.is_alive():
                raise AssertionError(f"its output is still held open by a child: {self.describe()}")
        code = self.process.returncode
        done = Done(128 - code if code < 0 else code, self.out, self.err)
        if done.code == SANITIZER_EXIT or "Sanitizer" in done.err or "runtime error:" in done.err:
            raise AssertionError(f"sanitizer report from {self.cmd!r}:\n{done.err}")
        return done

    def finish(self, data=b""):
        """Writes `data` to stdin, ends it, and waits for the program."""
        with contextlib.suppress(BrokenPipeError):
            self.write(data)
        with contextlib.suppress(BrokenPipeError):
            self.close_stdin()
        return self.wait()

    # Facts of /proc, for what a program holds and uses.
    def fds(self):
        """{number: what it points at} of its open descriptors."""
        found = {}
        for entry in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                found[int(entry)] = os.readlink(f"/proc/{self.pid}/fd/{entry}")
        return found

    def fds_at_rest(self):
        """What fds() says while it sleeps: a sanitizer's check of an address opens a pipe for a moment."""
        def moment():
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            return re.findall(r"^(?:State|\w*ctxt_switches):\t(\w+)", status, re.MULTILINE)

        def look():
            asleep, found = moment(), self.fds()
            return found if asleep[0] == "S" and moment() == asleep else None

        return wait_until(look, "it to sleep")

    def cpu_ticks(self):
        """User and system time it has used, in clock ticks."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def children(self):
        """{pid: state letter} of its children; "Z" is one it has not reaped."""
        found = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.pid:
                    found[int(stat.parent.name)] = fields[0]
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    if pipe is not self.process.stdin:
                        for thread in self._readers:
                            thread.join(1)
                    pipe.close()
        for fd in self._masters.values():
            with contextlib.suppress(OSError):
                os.close(fd)
        self._masters = {}


def run(cmd, stdin=b"", **options):
    """Runs to the end: Done(code, out, err). `stdin` is bytes or text to feed, a file, DEVNULL, CLOSED or PTY."""
    feed = stdin.encode() if isinstance(stdin, str) else stdin
    if not isinstance(feed, bytes):
        with Spawn(cmd, stdin=feed, **options) as program:
            return program.wait()
    with Spawn(cmd, **options) as program:
        # From a thread of its own: a program that ends without reading must not hold us.
        writer = threading.Thread(target=_feed, args=(program, feed), daemon=True)
        writer.start()
        done = program.wait()
        writer.join(SAFETY)
        return done


def _feed(program, data):
    with contextlib.suppress(BrokenPipeError, OSError, ValueError):
        program.write(data)
    with contextlib.suppress(BrokenPipeError, OSError):
        program.close_stdin()


READY = r"^(?:[\w-]+: )?listening on (?P<where>.*?) \((?P<facts>[^()]*)\)\s*$"


class TestCase(unittest.TestCase):
    """unittest's, with programs and folders that end with the test."""

    maxDiff = 4000

    def spawn(self, cmd, **options):
        return self.enterContext(Spawn(cmd, **options))

    def tmp(self):
        """A folder of this test, removed after it. Its path is short: Unix socket paths are bounded."""
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="pier.")))

    def listen(self, *args, **options):
        """pier-listen with these words, ready: the Spawn, with `.port` (0 for Unix sockets)."""
        server = self.spawn(["pier-listen", *map(str, args)], **options)
        where = server.wait_err(READY)["where"]
        port = re.search(r":(\d+)(?: |$)", where)
        server.port = int(port[1]) if port else 0
        return server

    def connect(self, *args, **options):
        return self.spawn(["pier-connect", *map(str, args)], **options)

    def raw_listener(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, address=None):
        """A listening (or bound datagram) socket of ours; `.port` is in getsockname()[1]."""
        sock = self.enterContext(socket.socket(family, kind))
        sock.settimeout(SAFETY)
        if address is None:
            address = ("::1", 0) if family == socket.AF_INET6 else ("127.0.0.1", 0)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen(64)
        return sock

    def raw_connect(self, address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        sock = socket.socket(family, kind)
        sock.settimeout(SAFETY)
        try:
            sock.connect(address)
        except ConnectionResetError:  # it was accepted and reset before connect() returned
            sock.close()
            sock = one_that_was_reset()
        return self.enterContext(sock)

    def accept(self, listener):
        sock, _ = listener.accept()
        sock.settimeout(SAFETY)
        return self.enterContext(sock)

    def assert_usage_error(self, done, *texts):
        """One line on stderr with all these texts, nothing on stdout, exit 2."""
        self.assertEqual((done.code, done.out), (2, b""), done)
        self.assertRegex(done.err, r"\Apier(-[a-z-]+)?: [^\n]+\n\Z")
        for text in texts:
            self.assertIn(text, done.err)


def recv_all(sock):
    """What a socket gives up to its end."""
    parts = []
    while True:
        data = sock.recv(1 << 16)
        if not data:
            return b"".join(parts)
        parts.append(data)


def recv_exactly(sock, size):
    parts, left = [], size
    while left:
        data = sock.recv(left)
        if not data:
            raise AssertionError(f"the peer ended with {left} bytes to come")
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def reset(sock):
    """Closes a TCP socket so that the peer sees a reset (SO_LINGER with a time of 0)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def one_that_was_reset():
    """A TCP socket whose next call is told of a reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname(), SAFETY)
        reset(listener.accept()[0])
    wait_until(lambda: select.select([sock], [], [], 0)[0], "the reset")
    return sock


# What a peer's reset is told as: by which call meets it, and whether the peer had ended its side before.
RESET = (ConnectionResetError, BrokenPipeError)


def end_side(sock):
    """Ends the sending side of a socket whose peer may have reset it: that is ENOTCONN to shutdown(), and one of RESET here."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
        raise ConnectionResetError("reset before shutdown()") from error


def pattern(size, seed=1):
    """`size` bytes that repeat nowhere near, the same for the same seed."""
    import random
    return random.Random(seed).randbytes(size)


def port_of(program, table):
    """The port a program has bound, from /proc: these peers do not all tell."""
    path = pathlib.Path(f"/proc/{program.pid}/net/{table}")

    def look():
        inodes = {m[1] for what in program.fds().values() if (m := re.fullmatch(r"socket:\[(\d+)\]", what))}
        for line in path.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[2].endswith(":0000"):
                return int(fields[1].rpartition(":")[2], 16)
        return None

    return wait_until(look, f"a bound socket of {program.cmd}")


# Where a test cannot run at all it says why; elsewhere it must.
def need_root(why="needs root"):
    if os.geteuid() != 0:
        raise unittest.SkipTest(why)


def need_program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not path:
        raise unittest.SkipTest(f"{name} is not installed (scripts/bootstrap --tests installs it)")
    return path


def need_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        raise unittest.SkipTest(f"no IPv6 on the loopback here: {error}") from None


def need_namespaces():
    """Root, ip(8), and a kernel that lets us make network namespaces."""
    need_root("network namespaces need root")
    need_program("ip")
    probe = f"pier-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode != 0:
        raise unittest.SkipTest(f"no network namespaces here: {made.stderr.strip()}")
    subprocess.run(["ip", "netns", "del", probe], check=True)


from namespaces import Lab  # noqa: E402,F401  (needs what is above)
