"""One transfer of `scripts/bench relay`: a sender, a receiver, what is between them, and what each has used."""

import contextlib
import dataclasses
import filecmp
import os
import re
import subprocess
import time

from files import make_source
from programs import Failure, Program, free_port, wait_listening
from relay_ways import TLS_AGREED, TLS_CIPHER, TLS_PROTOCOL
from tls_hello import HelloRelay

# iperf3 stops on the sender's word and leaves what is on the way then: so much, or half, is not lost data.
METER_SLACK = 16 << 20

OPENSSL_CONF = f"""openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = one
[one]
MinProtocol = {TLS_PROTOCOL}
MaxProtocol = {TLS_PROTOCOL}
CipherString = {TLS_CIPHER}
[req]
distinguished_name = name
[name]
"""


@dataclasses.dataclass
class Sample:
    wall: float  # seconds, from the sender's start to both ends' end
    size: int  # bytes
    cpu: list  # seconds: sender, receiver
    peak: list  # bytes of resident memory: sender, receiver

    def get(self, what):
        return {"CPU": sum(self.cpu), "time": self.wall, "throughput": self.size / self.wall}[what]


class Transfers:
    """Runs transfers with files in `folder`, which is ours alone."""

    def __init__(self, build, folder, limit):
        """`limit`: seconds after which a transfer has failed."""
        self.build, self.folder, self.limit = build, folder, limit
        self.agreed = {}  # contender: the protocol and cipher that its two ends spoke
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        (folder / "openssl.cnf").write_text(OPENSSL_CONF)
        self.tls_environment = {**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")}
        if build.path("openssl"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
                            "-days", "2", "-keyout", self.key, "-out", self.cert],
                           check=True, capture_output=True, env=self.tls_environment)

    def source(self, size):
        path = self.folder / f"source.{size}"
        if not path.exists():
            make_source(path, size)
        return path

    def run(self, way, contender, size, counted=False, traced=False):
        """A Sample. `counted`: what would go to /dev/null is counted instead, a file is compared, and the cipher
        looked at. `traced`: strace counts the calls of each end, into calls_file(). Raises Failure."""
        with contextlib.ExitStack() as stack:
            stack.callback((self.folder / "out").unlink, missing_ok=True)
            return _Run(self, stack, way, contender, size, counted, traced).run()

    def calls_file(self, end):
        return self.folder / f"strace.{end}"


class _Run:
    def __init__(self, transfers, stack, way, contender, size, counted, traced):
        self.all, self.stack, self.way, self.contender, self.size = transfers, stack, way, contender, size
        self.counted, self.traced = counted, traced
        self.folder, self.build = transfers.folder, transfers.build
        self.sink = "pipe" if counted and way.sink == "null" else way.sink
        self.out = self.folder / "out"
        self.until = time.monotonic() + transfers.limit

    def run(self):
        if self.contender.alone:
            copier = self.end("sender", self.contender.alone, 0, subprocess.DEVNULL, subprocess.DEVNULL)
            return self.sample([self.finished(copier)], self.out.stat().st_size)
        port = free_port()
        receiver, counter = self.start_receiver(port)
        wait_listening(receiver, port, self.until)
        between = self.stack.enter_context(HelloRelay(port)) if self.counted and self.way.tls else None
        sender = self.start_sender(between.port if between else port)
        ended = [self.finished(sender), self.finished(receiver)]
        arrived = None  # into /dev/null: the counted trial has told
        if counter:
            self.finished(counter)
        if "--summary" in self.contender.listen:  # nothing comes out of it to be counted
            arrived = int(re.search(r": (\d+) B in,", receiver.complaint())[1])
        elif counter:
            arrived = int((self.folder / "counted").read_text())
        elif self.sink == "file":
            arrived = self.out.stat().st_size
            if self.counted and not filecmp.cmp(self.all.source(self.size), self.out, shallow=False):
                raise Failure(f"other bytes than those sent: {arrived} of {self.size} arrived")
        if between:
            self.all.agreed[self.contender.name] = between.hello
            if between.hello != TLS_AGREED:
                raise Failure(f"speaks {between.hello}, not {TLS_AGREED}")
        return self.sample(ended, arrived)

    def end(self, what, command, port, stdin, stdout):
        """Starts an end that is measured."""
        words = self.build.command(command, port=port, size=self.size, file=self.all.source(self.size), out=self.out,
                                   cert=self.all.cert, key=self.all.key, cipher=TLS_CIPHER)
        if self.traced:
            words = [self.build.path("strace"), "-c", "-f", "-o", str(self.all.calls_file(what)), *words]
        return self.start(what, words, stdin, stdout)

    def start(self, what, words, stdin, stdout):
        return self.stack.enter_context(
            Program(self.build.timed, words, stdin, stdout, self.folder / f"log.{what}",
                    self.all.tls_environment if self.way.tls else None))

    def open(self, name, mode):
        return self.stack.enter_context(open(self.folder / name, mode))

    def start_receiver(self, port):
        """The receiver, and who counts what comes out of it."""
        # s_server ends its connection when stdin ends; for the others that says "receive only".
        stdin = subprocess.PIPE if self.contender.listen.startswith("openssl") else subprocess.DEVNULL
        if self.sink != "pipe":
            return self.end("receiver", self.contender.listen, port, stdin,
                            self.open("out" if self.sink == "file" else os.devnull, "wb")), None
        counter = self.start("counter", self.build.command("bench_bare_relay count"), subprocess.PIPE,
                             self.open("counted", "wb"))
        with counter.process.stdin as pipe:  # the receiver alone holds it then
            return self.end("receiver", self.contender.listen, port, stdin, pipe), counter

    def start_sender(self, port):
        command = self.contender.connect or self.way.sender
        said = self.open("said", "wb")
        file = self.open(self.all.source(self.size), "rb")
        if self.way.source == "file":
            return self.end("sender", command, port, file, said)
        cat = self.start("cat", ["cat"], file, subprocess.PIPE)
        with cat.process.stdout as pipe:
            return self.end("sender", command, port, pipe, said)

    def finished(self, program):
        ended = program.wait(self.until)
        if ended.code != 0:
            raise Failure(f"{program.name} exits {ended.code}: {program.complaint()}")
        return ended

    def sample(self, ended, arrived):
        wall = max(end.end for end in ended) - ended[0].start
        if self.contender.meter:
            arrived, wall = self.contender.meter((self.folder / "said").read_text())
            if arrived >= max(self.size - METER_SLACK, self.size / 2):
                wall, arrived = wall * self.size / arrived, self.size
        if arrived is not None and arrived != self.size:
            raise Failure(f"{arrived} of {self.size} bytes arrived")
        return Sample(wall, self.size, [end.cpu for end in ended], [end.peak for end in ended])
