"""The stage of the differential test: one scenario, played with OpenBSD's nc or with pier-nc, and what came of it.

A scenario is a row: the words for the program, what its stdin is, and steps that its peer and its user take, in
order. What is compared is what the peer got, and the program's stdout, exit code and stderr, in which ports and
folders have been given one name.
"""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import typing

import harness
from harness import PIPE, Spawn, port_of, recv_all, recv_exactly, reset, wait_until

LOOPBACK = "127.0.0.1"


class Row(typing.NamedTuple):
    name: str
    words: tuple            # of the program; "{port}", "{path}" and the like stand for what the stage has
    steps: tuple = ()       # (verb, argument …), see Stage.do_*
    stdin: object = PIPE
    kind: str = "alone"     # alone, client, server; with -u and -U as the words say


class Outcome(typing.NamedTuple):
    seen: tuple   # what the peer got, step by step
    out: bytes
    code: int
    err: str


class Stage(contextlib.ExitStack):
    """Where one row is played with one program. `program` is a path whose last part is nc."""

    def __init__(self, program, row):
        super().__init__()
        self.program, self.row = str(program), row
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="nc.")))
        flags = "".join(w[1:] for w in row.words if re.fullmatch("-[A-Za-z0-9]+", w))
        self.datagrams, self.unix = "u" in flags, "U" in flags
        self.family = socket.AF_UNIX if self.unix else socket.AF_INET6 if "::1" in row.words else socket.AF_INET
        self.names = {"path": str(self.folder / "s"), "own": str(self.folder / "own"), "folder": str(self.folder),
                      "abstract": "@" + self.folder.name}
        self.seen, self.sockets, self.listeners = [], [], []
        self.sock = self.peer = None

    # Sockets of ours.
    def socket(self):
        kind = socket.SOCK_DGRAM if self.datagrams else socket.SOCK_STREAM
        sock = self.enter_context(socket.socket(self.family, kind))
        sock.settimeout(harness.SAFETY)
        return sock

    def where(self, name="path"):
        if self.unix:
            text = self.names["abstract"] if "{abstract}" in self.row.words else self.names[name]
            return "\0" + text[1:] if text.startswith("@") else text
        return ("::1" if self.family == socket.AF_INET6 else LOOPBACK, 0)

    def serve(self):
        """A listener for a program that connects; "{port2}" is the port of a second one."""
        for name in ("port", "port2"):
            if name != "port" and "{port2}" not in self.row.words:
                break
            listener = self.socket()
            listener.bind(self.where())
            if not self.datagrams:
                listener.listen(8)
            self.listeners.append(listener)
            if not self.unix:
                self.names[name] = str(listener.getsockname()[1])

    def run(self):
        row = self.row
        if row.kind == "client":
            self.serve()
        if row.kind == "over a file":
            pathlib.Path(self.names["path"]).write_text("precious")
        words = [word.format(**self.names) for word in row.words]
        feed = row.stdin if isinstance(row.stdin, bytes) else None
        stdin = PIPE if feed is not None else row.stdin
        stdout = PIPE
        if any(step[0] == "own_stdout" for step in row.steps):
            self.ours, theirs = socket.socketpair()
            self.enter_context(self.ours)
            stdout = self.enter_context(theirs)
        if any(step[0] == "file" for step in row.steps):
            file = self.folder / "in"
            file.write_bytes(next(step[1] for step in row.steps if step[0] == "file"))
            stdin = self.enter_context(open(file, "rb"))
        stdin, stdout = self.odd_ends({step[0] for step in row.steps}, stdin, stdout)
        self.nc = self.enter_context(Spawn([self.program, *words], stdin=stdin, stdout=stdout))
        if hasattr(self, "ours"):
            stdout.close()
        if feed is not None:
            threading.Thread(target=harness._feed, args=(self.nc, feed), daemon=True).start()
        if row.kind == "server":
            self.find()
        for verb, *arguments in row.steps:
            getattr(self, "do_" + verb)(*arguments)
        done = self.nc.wait()
        return Outcome(tuple(self.seen), done.out, done.code, self.tidy(done.err))

    def odd_ends(self, verbs, stdin, stdout):
        """Stdin or stdout that no one would want."""
        if "folder_as_stdin" in verbs:
            stdin = os.open(self.folder, os.O_RDONLY)
            self.callback(os.close, stdin)
        if "full_stdout" in verbs:
            stdout = os.open("/dev/full", os.O_WRONLY)
            self.callback(os.close, stdout)
        if "broken_stdout" in verbs:
            reader, stdout = os.pipe()
            os.close(reader)
            self.callback(os.close, stdout)
        return stdin, stdout

    def find(self):
        """Waits until a program that listens does."""
        if self.unix:
            table = pathlib.Path("/proc/net/unix")
            name = self.names["abstract"] if "{abstract}" in self.row.words else self.names["path"]
            wait_until(lambda: re.search(re.escape(name) + "$", table.read_text(), re.M), f"{name} bound")
            return
        table = ("udp" if self.datagrams else "tcp") + ("6" if self.family == socket.AF_INET6 else "")
        self.names["port"] = str(port_of(self.nc, table))

    def tidy(self, text):
        text = text.replace(self.program + ":", "nc:").replace(str(self.folder), "FOLDER")
        text = text.replace(self.folder.name, "NAME")
        text = re.sub(r"(?s)usage:.*", "usage\n", text)
        return re.sub(r"\b\d{4,5}\b", "PORT", text)

    # Steps of the peer.
    def do_connect(self):
        """To a program that listens."""
        self.sock = self.socket()
        self.sockets.append(self.sock)
        if self.unix and self.datagrams:
            self.sock.bind(str(self.folder / f"client{len(self.sockets)}"))
        address = self.where() if self.unix else (self.where()[0], int(self.names["port"]))

        def connects():
            with contextlib.suppress(ConnectionRefusedError):  # bound, and not listening yet
                self.sock.connect(address)
                return True
            return False

        if self.datagrams:
            self.sock.connect(address)
        else:
            wait_until(connects, "somebody listening")

    def do_accept(self, which=0):
        if self.datagrams:
            self.sock = self.listeners[which]
        else:
            self.sock = self.enter_context(self.listeners[which].accept()[0])
            self.sock.settimeout(harness.SAFETY)

    def do_send(self, data):
        if self.datagrams and self.peer is not None:
            self.sock.sendto(data, self.peer)
        else:
            self.sock.sendall(data)

    def do_recv(self, size):
        if self.datagrams:
            data, self.peer = self.sock.recvfrom(65536)
            self.seen.append(data)
        else:
            self.seen.append(recv_exactly(self.sock, size))

    def do_head(self):
        """Of an HTTP request what is asked for; the version and the fields are each one's own."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += recv_exactly(self.sock, 1)
        self.seen.append(head.split(b"\r\n")[0].rpartition(b" ")[0])

    def do_eof(self):
        self.seen.append(recv_all(self.sock))

    def do_lost(self):
        """Reads until a reset or an end, and says which."""
        try:
            recv_all(self.sock)
            self.seen.append("end")
        except ConnectionResetError:
            self.seen.append("reset")

    def do_shut(self):
        self.sock.shutdown(socket.SHUT_WR)

    def do_close(self):
        self.sock.close()

    def do_reset(self):
        reset(self.sock)

    def do_use(self, which):
        """Another one of those who have connected."""
        self.sock = self.sockets[which]

    def do_refused(self):
        """Whether one more may connect."""
        try:
            self.do_connect_once()
            self.seen.append("let in")
        except ConnectionRefusedError:
            self.seen.append("refused")

    def do_connect_once(self):
        sock = self.socket()
        sock.connect((LOOPBACK, int(self.names["port"])))

    # Steps of the program's user.
    def do_type(self, data):
        self.nc.write(data)

    def do_type_end(self):
        self.nc.close_stdin()

    def do_out(self, size):
        self.nc.wait_out_size(size)

    def do_err(self, pattern):
        self.nc.wait_err(pattern)

    def do_kill(self):
        """Where it runs still."""
        self.nc.signal(15)

    def do_end(self):
        """The program's end comes here, and the peer is still there."""
        self.nc.process.wait(harness.SAFETY)

    def do_ends_within(self, seconds):
        """Whether it ends by itself; for the rows where one of the two never does."""
        try:
            self.nc.process.wait(seconds)
            self.seen.append("ended")
        except subprocess.TimeoutExpired:
            self.seen.append("runs on")

    def do_exists(self, name="path"):
        self.seen.append(f"{name} is there" if pathlib.Path(self.names[name]).exists() else f"{name} is gone")

    def do_file(self, data):
        """Stdin is a file of this."""

    def do_folder_as_stdin(self):
        """Stdin is a folder."""

    do_full_stdout = do_broken_stdout = do_folder_as_stdin  # likewise of stdout

    def do_second(self):
        """Another one of the same program, on the same port or path."""
        words = [w.format(**self.names) for w in self.row.words]
        if not self.unix:
            words[-1] = self.names["port"]
        with Spawn([self.program, *words], stdin=harness.DEVNULL) as second:
            try:
                second.process.wait(2)
                done = second.wait()
                self.seen.append(f"{done.code} {self.tidy(done.err)}")
            except subprocess.TimeoutExpired:
                self.seen.append("runs on")

    def do_find6(self):
        """The port of a server on all IPv6 addresses."""
        self.names["port"] = str(port_of(self.nc, "tcp6"))

    def do_connect_nameless(self):
        self.sock = self.socket()
        self.sock.connect(self.where())

    def do_kept(self):
        path = pathlib.Path(self.names["path"])
        self.seen.append("a file" if path.is_file() else "no file any more")

    def do_own_stdout(self):
        """Stdout is a Unix socket; what comes over it with a descriptor."""

    def do_descriptor(self):
        data, fds, _, _ = socket.recv_fds(self.ours, 16, 4)
        with socket.socket(fileno=fds[0]) as passed:
            passed.sendall(b"by the one who got it")
        self.seen += [data, len(fds)]


def play(program, row):
    with Stage(program, row) as stage:
        return stage.run()
