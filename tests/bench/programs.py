"""Starting programs, waiting for their end within a bound, and what each has used.

Only the standard library. Every program is started through bench_timed (timed.cc), which knows what it used;
nothing waits without a bound, and what still runs at the end of a `with` is killed by its process group.
"""

import contextlib
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import time
import typing


class Failure(Exception):
    """A run that does not count, and why: one line."""


class Ended(typing.NamedTuple):
    """How a program ended. `code` as a shell tells it; times in seconds, `start` and `end` on time.monotonic()."""
    code: int
    start: float
    end: float
    cpu: float
    peak: int  # bytes of resident memory

    @staticmethod
    def parse(line):
        status, start, end, user, system, peak = map(int, line.split())
        code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return Ended(code, start / 1e9, end / 1e9, (user + system) / 1e6, peak * 1024)


class Program:
    """A measured program. `stdin` and `stdout` are as subprocess takes them; stderr goes to the file `log`."""

    def __init__(self, timed, words, stdin, stdout, log, env=None):
        self.name = pathlib.Path(words[0]).name
        self.log = pathlib.Path(log)
        self._report, report = os.pipe()
        try:
            with open(log, "wb") as stderr:
                self.process = subprocess.Popen([timed, str(report), *words], stdin=stdin, stdout=stdout, stderr=stderr,
                                                env=env, pass_fds=(report,), start_new_session=True)
        finally:
            os.close(report)

    def running(self):
        return self.process.poll() is None

    def wait(self, until):
        """Its end, awaited until time.monotonic() is `until`."""
        ready, _, _ = select.select([self._report], [], [], max(0, until - time.monotonic()))
        if not ready:
            raise Failure(f"{self.name} did not end in time")
        line = os.read(self._report, 200)
        if not line:
            raise Failure(f"{self.name} was killed")
        self.process.wait()
        return Ended.parse(line)

    def complaint(self):
        """The last line of its stderr, or nothing."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip()[:160] if lines else ""

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._report)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    """A server in the background, with all the processes it makes: a session of its own, killed at the end."""

    def __init__(self, words, log, stdin=subprocess.DEVNULL, env=None):
        self.name = pathlib.Path(words[0]).name
        self.log = pathlib.Path(log)
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=stderr, env=env,
                                            start_new_session=True)

    def running(self):
        return self.process.poll() is None

    complaint = Program.complaint

    def pids(self):
        """Every process of the session that has not ended."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    found.append(int(stat.parent.name))
        return found

    def cpu(self):
        """Seconds of processor time so far, of every living process and of the children they have reaped."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self, pids=None):
        """Bytes of its memory, shared pages by their share (PSS): of these processes, or of all."""
        total = 0
        for pid in pids or self.pids():
            with contextlib.suppress(OSError):
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) * 1024
        return total

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def close(self):
        while pids := self.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.001)
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def free_port():
    """A TCP port nobody has on the loopback, outside of the range that the kernel gives to clients."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1000):
        port = random.randrange(min(10000, low - 1), low) if low > 2000 else random.randrange(40000, 60000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failure("no free port")


def listens(port):
    """Whether a TCP socket listens on this port: read from /proc, because a connection would be its only client."""
    end = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as rows:
                for row in rows:
                    fields = row.split()
                    if fields[1].endswith(end) and fields[3] == "0A":
                        return True
        except FileNotFoundError:  # no IPv6
            pass
    return False


def wait_listening(program, port, until):
    while not listens(port):
        if not program.running():
            raise Failure(f"{program.name} ended before it listened: {program.complaint()}")
        if time.monotonic() > until:
            raise Failure(f"{program.name} did not listen in time")
        time.sleep(0.001)
