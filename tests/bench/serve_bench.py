"""What the parts of `scripts/bench serve` share: servers that are up, clients that report, interleaved rounds."""

import contextlib
import json
import subprocess
import time

import report
from programs import Failure, Server, free_port, wait_listening

READY = 10  # seconds for a server to listen
STUCK = 120  # seconds after which a client of the bench has failed


class Bench:
    """Starts servers and clients, and keeps what failed."""

    def __init__(self, args, build, folder):
        self.args, self.build, self.folder = args, build, folder
        self.failed = {}  # (part, row): why

    @contextlib.contextmanager
    def serving(self, row, to=0):
        """The row's server, listening: (server, port)."""
        port = free_port()
        with Server(self.build.command(row.serve, port=port, to=to), self.folder / "log.server") as server:
            wait_listening(server, port, time.monotonic() + READY)
            yield server, port

    def client(self, *words):
        """What one of the bench's own clients reports."""
        done = subprocess.run(self.build.command(" ".join(map(str, words))), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=STUCK, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip() or f"{words[0]} exits {done.returncode}")
        return json.loads(done.stdout)

    def able(self, part, rows):
        """Those rows that this machine and this build have; the others are noted."""
        for row in rows:
            if why := self.build.lacks(row.serve):
                self.failed[part, row.name] = why
        return [row for row in rows if (part, row.name) not in self.failed]

    def rounds(self, part, rows, measure):
        """measure(row) in interleaved rounds: {row's name: [what it returned, …]}."""
        found = {row.name: [] for row in rows}
        for turn, row in report.interleaved(self.able(part, rows), self.args.rounds):
            if (part, row.name) in self.failed:
                continue
            report.progress(f"{part}: round {turn + 1} of {self.args.rounds}: {row.name}")
            try:
                found[row.name].append(measure(row))
            except (Failure, subprocess.TimeoutExpired) as failure:
                self.failed[part, row.name] = str(failure)
                found[row.name] = []
        report.progress("")
        return found

    def pier_failed(self):
        return any(name.startswith("pier") and not why.endswith("in this build") for (_, name), why in self.failed.items())
