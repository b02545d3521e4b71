"""Random transfers between pier-listen and pier-connect, checked by digest and by the counts of --summary.

A transfer is all that follows from its number: what each end reads and writes, how much, where it stalls, and in some
who closes early. What a transfer promises then:

- nobody closes early: both end with 0, every byte arrives in order, and both summaries name the very numbers;
- somebody does: nobody hangs, what arrived is the beginning of what was sent, and no summary counts more than was there.
"""

import collections
import dataclasses
import hashlib
import os
import pty
import random
import re
import signal
import socket
import termios
import threading
import time
import tty

import harness

BLOCK = 1 << 20
SOURCES = ("file", "file", "file at an offset", "pipe", "pipe", "socket", "null")
SINKS = ("file", "file", "append", "pipe", "pipe", "null", "socket", "terminal")
SLOW_SINKS = ("terminal",)  # a few KiB at a time through a line discipline
EARLY = ("reader closes", "listener is told to end", "connector is told to end")


def blocks(seed, size):
    """The bytes of a source, never twice the same block."""
    generator = random.Random(seed)
    while size > 0:
        part = generator.randbytes(min(BLOCK, size))
        size -= len(part)
        yield part


@dataclasses.dataclass
class Direction:
    """One way: from the source of one end to the sink of the other."""
    source: str
    sink: str
    size: int
    seed: int
    stalls: float  # how likely a pause is before a write or a read of ours
    piece: int  # what our writes and reads are at most


@dataclasses.dataclass
class Plan:
    number: int
    unix: bool
    up: Direction  # connect to listen
    down: Direction
    early: str | None
    early_after: int  # bytes

    def __str__(self):
        ways = ", ".join(f"{name} {d.source} -> {d.sink} {d.size} B (pieces of {d.piece}, stalls {d.stalls})"
                         for name, d in (("up", self.up), ("down", self.down)))
        return f"transfer {self.number}: {'unix' if self.unix else 'tcp'}; {ways}; early: {self.early} at {self.early_after}"


def plan(number, most):
    """`most`: no source is larger, in bytes."""
    rng = random.Random(number * 7919 + 1)

    def size():
        kind = rng.random()
        small = rng.choice((0, 1, 2, 4095, 4096, 4097, 65535, 65536, 65537))
        if kind < 0.2:
            return min(small, most)
        if kind < 0.55:
            return min(rng.randrange(1 << 18), most)
        if kind < 0.9:
            return min(rng.randrange(1 << 22), most)
        return rng.randrange(most + 1)

    def direction():
        d = Direction(rng.choice(SOURCES), rng.choice(SINKS), size(), rng.randrange(1 << 30),
                      rng.choice((0, 0, 0.02, 0.1)), rng.choice((1000, 4096, 65536, 1 << 20)))
        if d.source == "null":
            d.size = 0
        if d.sink in SLOW_SINKS:
            d.size = min(d.size, 1 << 19)
        if d.stalls or d.piece == 1000:
            d.size = min(d.size, 1 << 22)  # else it is the stalls that are tested, for minutes
        return d

    made = Plan(number, rng.random() < 0.25, direction(), direction(), None, 0)
    if rng.random() < 0.2:
        made.early = rng.choice(EARLY)
        made.early_after = rng.randrange(max(made.up.size, made.down.size) + 1)
    return made


class Source:
    """Gives a program its stdin: `fd` is that descriptor; `digest` what the whole is."""

    def __init__(self, direction, folder):
        self.direction = direction
        self.thread = None
        digest = hashlib.sha256()
        kind = direction.source
        if kind.startswith("file"):
            path = folder / f"source.{direction.seed}"
            head = b"what has been read before" if kind != "file" else b""
            with open(path, "wb") as file:
                file.write(head)
                for part in blocks(direction.seed, direction.size):
                    file.write(part)
                    digest.update(part)
            self.fd = os.open(path, os.O_RDONLY)
            os.lseek(self.fd, len(head), os.SEEK_SET)
            self.end = len(head) + direction.size
            path.unlink()
        elif kind == "null":
            self.fd = os.open(os.devnull, os.O_RDONLY)
        else:
            for part in blocks(direction.seed, direction.size):
                digest.update(part)
            if kind == "pipe":
                self.fd, self.feed = os.pipe()
            else:
                ours, theirs = socket.socketpair()
                self.fd, self.feed = theirs.detach(), ours.detach()
            self.thread = threading.Thread(target=self._feed, daemon=True)
        self.digest = digest.digest()

    def start(self):
        if self.thread:
            self.thread.start()

    def _feed(self):
        rng = random.Random(self.direction.seed + 1)
        try:
            for part in blocks(self.direction.seed, self.direction.size):
                view = memoryview(part)
                while view:
                    pause(rng, self.direction.stalls)
                    view = view[os.write(self.feed, view[:rng.randint(1, self.direction.piece)]):]
        except OSError:  # it has gone
            pass
        finally:
            os.close(self.feed)

    def check_offset(self):
        """The offset of a file is where the program left off: what another reader of it would go on from."""
        if self.direction.source.startswith("file"):
            return os.lseek(self.fd, 0, os.SEEK_CUR) == self.end
        return True

    def close(self):
        os.close(self.fd)
        if self.thread:
            self.thread.join(harness.SAFETY)


class Sink:
    """Takes a program's stdout: `fd` is that descriptor. After finish(): `count`, `digest`, and of the beginnings
    of what it took `digest_of`."""

    HEAD = b"there before"

    def __init__(self, direction, folder, close_after=None):
        self.direction, self.close_after = direction, close_after
        self.thread = None
        self.count, self.hash = 0, hashlib.sha256()
        self.known = True  # what it took can be seen
        kind = direction.sink
        if kind in ("file", "append"):
            self.path = folder / f"sink.{direction.seed}"
            self.path.write_bytes(self.HEAD if kind == "append" else b"")
            self.fd = os.open(self.path, os.O_WRONLY | (os.O_APPEND if kind == "append" else 0))
        elif kind == "null":
            self.fd = os.open(os.devnull, os.O_WRONLY)
            self.known = False
        else:
            if kind == "pipe":
                self.take, self.fd = os.pipe()
            elif kind == "socket":
                ours, theirs = socket.socketpair()
                self.take, self.fd = ours.detach(), theirs.detach()
            else:
                self.take, self.fd = pty.openpty()
                tty.setraw(self.fd, termios.TCSANOW)
            self.thread = threading.Thread(target=self._read, daemon=True)

    def start(self):
        """The program has it now: its end is to be seen."""
        os.close(self.fd)
        if self.thread:
            self.thread.start()

    def _read(self):
        rng = random.Random(self.direction.seed + 2)
        while self.close_after is None or self.count < self.close_after:
            pause(rng, self.direction.stalls)
            try:
                data = os.read(self.take, rng.randint(1, self.direction.piece))
            except OSError:  # EIO: nobody has the terminal any more
                break
            if not data:
                break
            self.hash.update(data)
            self.count += len(data)
        os.close(self.take)

    def finish(self):
        if self.thread:
            self.thread.join(harness.SAFETY)
            if self.thread.is_alive():
                raise AssertionError(f"the end of a {self.direction.sink} was not seen")
        elif self.known:
            with open(self.path, "rb") as file:
                if self.direction.sink == "append" and file.read(len(self.HEAD)) != self.HEAD:
                    raise AssertionError("what was there before is gone")
                while data := file.read(BLOCK):
                    self.hash.update(data)
                    self.count += len(data)
            self.path.unlink()
        self.digest = self.hash.digest()


def pause(rng, likely):
    if likely and rng.random() < likely:
        time.sleep(rng.random() * 0.004)


def prefix_digest(direction, count):
    digest = hashlib.sha256()
    for part in blocks(direction.seed, direction.size):
        digest.update(part[:count])
        count -= len(part)
        if count <= 0:
            break
    return digest.digest()


SUMMARY = re.compile(r"^(?:pier-\w+: )?.*: (\d+) B in, (\d+) B out, [\d.]+ s, closed first: (us|peer)$", re.M)
STEP = re.compile(r"^(sendfile|splice|read) +(?:.*: )?(moved by the kernel.*|copied through.*|.* is copied from here on)", re.M)


class Transfer:
    def __init__(self, number, most, folder):
        self.plan = plan(number, most)
        self.folder = folder
        self.ways = collections.Counter()

    def run(self):
        try:
            self._run()
        except AssertionError as error:
            raise AssertionError(f"{self.plan}\n{error}") from None

    def _run(self):
        p = self.plan
        close_after = p.early_after if p.early == "reader closes" else None
        up, down = Source(p.up, self.folder), Source(p.down, self.folder)
        arrived_up = Sink(p.up, self.folder, close_after)
        arrived_down = Sink(p.down, self.folder)
        where = f"unix:{self.folder}/s{p.number}" if p.unix else "127.0.0.1:0"
        options = ["--summary", "--explain", "--keep-stdin"]
        with harness.Spawn(["pier-listen", *options, where], stdin=down.fd, stdout=arrived_up.fd) as listener:
            arrived_up.start()
            ready = listener.wait_err(harness.READY)["where"]
            with harness.Spawn(["pier-connect", *options, where if p.unix else ready], stdin=up.fd,
                               stdout=arrived_down.fd) as connector:
                arrived_down.start()
                up.start()
                down.start()
                if p.early in EARLY[1:]:
                    self.end_early(listener if p.early == EARLY[1] else connector)
                connected, listened = connector.wait(), listener.wait()
        whole = up.check_offset() and down.check_offset()
        for end in (up, down):
            end.close()
        for sink in (arrived_up, arrived_down):
            sink.finish()
        for done in (connected, listened):
            self.ways.update(f"{call}: {how}" for call, how in STEP.findall(done.err))
        if p.early:
            self.check_early(connected, listened, arrived_up, arrived_down)
        else:
            require(whole, "a file's offset is not at its end")
            self.check_whole(connected, listened, (up, arrived_up), (down, arrived_down))

    def end_early(self, program):
        """By a signal, in the midst of it: after a while that depends on the number alone."""
        program.wait_err(r"^roles ")
        time.sleep(random.Random(self.plan.number).random() * 0.05)
        if program.running():
            program.signal(signal.SIGTERM)

    def check_whole(self, connected, listened, *ways):
        p = self.plan
        for name, done in (("connect", connected), ("listen", listened)):
            require(done.code == 0, f"{name} ended with {done.code}: {done.err}")
        for name, (source, sink), direction in zip(("up", "down"), ways, (p.up, p.down)):
            require(not sink.known or sink.count == direction.size, f"{name}: {sink.count} B arrived")
            require(not sink.known or sink.digest == source.digest, f"{name}: other bytes")
        for name, done, counts in (("connect", connected, (p.down.size, p.up.size)),
                                   ("listen", listened, (p.up.size, p.down.size))):
            told = summary(done)
            require(told == counts, f"{name} says {told} B in and out: {done.err}")

    def check_early(self, connected, listened, arrived_up, arrived_down):
        p = self.plan
        for name, done, sink, direction in (("listen", listened, arrived_up, p.up),
                                            ("connect", connected, arrived_down, p.down)):
            require(done.code in (0, 1, 141, 143), f"{name} ended with {done.code}: {done.err}")
            told = summary(done, missing=done.code == 143)
            if sink.known:
                require(sink.digest == prefix_digest(direction, sink.count), f"{name}: not what was sent")
                # A pipe that is closed by its reader may hold what nobody has read.
                exact = p.early != "reader closes" or sink is arrived_down
                if told:
                    require(sink.count == told[0] if exact else sink.count <= told[0],
                            f"{name} says {told[0]} B in; {sink.count} B were taken: {done.err}")
            if told:
                require(told[0] <= direction.size, f"{name} says {told[0]} B in: {done.err}")


def require(true, text):
    if not true:
        raise AssertionError(text)


def summary(done, missing=False):
    """(bytes in, bytes out), as --summary says."""
    found = SUMMARY.search(done.err)
    if found is None:
        require(missing, f"no summary: {done.err}")
        return None
    return int(found[1]), int(found[2])
