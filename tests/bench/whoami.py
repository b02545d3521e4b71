#!/usr/bin/env python3
# Whose port is it: pier-whoami-port beside lsof and ss, on a host with many processes, descriptors and sockets.
"""Measures how long it takes to find the owner of a port, and to list every socket with its owner.

  scripts/bench whoami [--quick] [--rounds 9] [--write]

In a network namespace of its own: a crowd of processes with idle descriptors, and one listener that is a relative of the
program asked, one in a control group of its own, and one anywhere, for which everybody must be looked at; then many
connections; then 100,000 look-ups of pier-classify-port beside getent(1). Rounds are interleaved. System calls are
counted by strace. Exit 1: pier failed, or said another owner.
"""

import argparse
import contextlib
import ctypes
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

import build as builds
import report

CLONE_NEWNET = 0x40000000
LISTEN = ("import socket,sys; s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen();"
          "print(s.getsockname()[1],flush=True); sys.stdin.read()")


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench whoami", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--rounds", type=int, metavar="N", help="(default: 9, quick 3)")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 9)
    args.parents, args.children, args.files = (10, 19, 24) if args.quick else (40, 49, 24)
    args.pairs = 1000 if args.quick else 10000
    return args


def own_network():
    """From here on this process is in a network of its own, with a loopback. False where that is not allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return True


class Bench:
    def __init__(self, args, build, paper, stack):
        self.args, self.build, self.paper, self.stack = args, build, paper, stack
        self.failed = False

    def crowd(self, parents, children, files, pairs):
        """Its stop(), and the port that one of it listens on."""
        crowd = subprocess.Popen([self.build.path("bench_crowd"), *map(str, (parents, children, files, pairs))],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def stop():
            crowd.stdin.close()
            try:
                crowd.wait(30)
            except subprocess.TimeoutExpired:
                crowd.kill()
        self.stack.callback(stop)
        line = crowd.stdout.readline()
        if not line:
            sys.exit("bench: the crowd did not come together")
        return stop, int(line)

    def once(self, words):
        """Seconds, and what it wrote."""
        begun = time.perf_counter()
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        return time.perf_counter() - begun, done

    def calls(self, words):
        """How many system calls it makes, or None."""
        if not self.build.path("strace"):
            return None
        with tempfile.NamedTemporaryFile() as file:
            subprocess.run(["strace", "-f", "-c", "-o", file.name, *words], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=240, check=False)
            found = re.search(r"^100\.00\s+[\d.]+\s+\d+\s+(\d+)", pathlib.Path(file.name).read_text(), re.M)
        return int(found[1]) if found else None

    def measure(self, title, contenders, expected=None):
        """A table of contenders {name: command}; the first is the base of ratios. Times by name."""
        commands = {}
        for name, command in contenders.items():
            words = command.split()
            if self.build.path(words[0]):
                commands[name] = [self.build.path(words[0]), *words[1:]]
        seconds = {name: [] for name in commands}
        for name in commands:
            self.once(commands[name])  # what is read for the first time is read by all
        for _, name in report.interleaved(list(commands), self.args.rounds):
            report.progress(f"{title}: {name}")
            took, done = self.once(commands[name])
            if name.startswith("pier") and (done.returncode != 0 or (expected and expected not in done.stdout)):
                self.failed = True
                print(f"bench: {name}: exit {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
            seconds[name].append(took * 1e3)
        rows = [[name, f"`{contenders[name]}`", report.spread(seconds[name], 1) if name in seconds else "not installed",
                 self.calls(commands[name]) or "-" if name in commands else ""] for name in contenders]
        report.progress("")
        self.paper.add(f"### {title}\n\n" + report.table(["", "command", "ms", "system calls"], rows))
        return seconds

    def judge(self, lines):
        self.paper.add("\n".join(f"- {line}" for line in lines))


def in_cgroup(stack):
    """The port and pid of a listener in a control group of its own, or a reason."""
    mount = pathlib.Path("/sys/fs/cgroup/unified")
    mount = mount if mount.is_dir() else pathlib.Path("/sys/fs/cgroup")
    group = mount / f"pier-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        return None, str(error)

    def remove():
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
                return
            time.sleep(0.05)
    stack.callback(remove)
    # By way of a process that ends at once, so that it is no child of ours.
    script = f'echo $$ >"{group}/cgroup.procs" && exec "$0" -c "$1" <"$2"'  # $$ is that of a shell of its own
    fifo = stack.enter_context(tempfile.TemporaryDirectory()) + "/stop"
    os.mkfifo(fifo)
    hold = os.open(fifo, os.O_RDWR)
    outer = subprocess.Popen(["sh", "-c", 'sh -c "$0" "$@" & echo $!', script, sys.executable, LISTEN, fifo],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
    lines = [outer.stdout.readline().strip() for _ in range(2)]
    outer.wait()
    if not all(lines):
        return None, "the listener did not start there"
    pid, port = map(int, lines)

    def stop():
        os.close(hold)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    stack.callback(stop)
    return (port, pid), ""


def owners(bench):
    args = bench.args
    stop, port = bench.crowd(args.parents, args.children, args.files, 0)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        others = {"lsof": "lsof -nP -i", "ss": "ss -tlnp"}
        mine = ours.getsockname()[1]
        near = bench.measure(
            f"The owner is a relative; {args.parents * (args.children + 1)} processes with {args.files} files each",
            {"pier": f"pier-whoami-port --port {mine}/tcp", **others}, f"pid {os.getpid()}")
        found, why = in_cgroup(bench.stack)
        grouped = {}
        if found:
            grouped = bench.measure("The owner is in a control group of its own",
                                    {"pier": f"pier-whoami-port --port {found[0]}/tcp", **others}, f"pid {found[1]}")
        else:
            bench.paper.add(f"No control group: {why}")
        walked = bench.measure("The owner is anywhere, and everybody is looked at",
                               {"pier": f"pier-whoami-port --port {port}/tcp", **others})
    stop()
    lines = []
    for name, times in (("relative", near), ("control group", grouped)):
        lines.append(report.judge(f"{name}, to lsof", report.ratio(times.get("pier"), times.get("lsof")), most=0.2))
        lines.append(report.judge(f"{name}, to ss", report.ratio(times.get("pier"), times.get("ss")), most=0.5))
    lines.append(report.judge("anywhere, to ss", report.ratio(walked.get("pier"), walked.get("ss")), most=1))
    bench.judge(lines)


def everything(bench):
    stop, _ = bench.crowd(1, 1, 10, bench.args.pairs)
    times = bench.measure(f"Every socket: {2 * bench.args.pairs} ends of connections",
                          {"pier": "pier-whoami-port --all --proto tcp", "pier, records":
                           "pier-whoami-port --all --proto tcp --json", "ss": "ss -tanp", "lsof": "lsof -nP -iTCP"})
    stop()
    bench.judge([report.judge("every socket, to ss", report.ratio(times.get("pier"), times.get("ss")), most=1)])


def lookups(bench):
    count = 10000 if bench.args.quick else 100000
    ports = [str(i * 7919 % 65535 + 1) for i in range(count)]
    lines = "".join(f"{port}/tcp\n" for port in ports).encode()
    keys = [f"{port}/tcp" for port in ports]
    seconds = {"pier-classify-port": [], "getent": []}
    for _, name in report.interleaved(list(seconds), min(3, bench.args.rounds)):
        begun = time.perf_counter()
        if name == "getent":
            # In one process, as far as the kernel takes so many words: in as few as can be.
            for at in range(0, count, 50000):
                subprocess.run(["getent", "services", *keys[at:at + 50000]], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, timeout=600, check=False)
        else:
            subprocess.run([bench.build.path(name)], input=lines, stdout=subprocess.DEVNULL, timeout=60, check=True)
        seconds[name].append((time.perf_counter() - begun) * 1e3)
    rows = [[name, report.spread(times, 0), f"{sorted(times)[len(times) // 2] / count * 1e3:.2f}"]
            for name, times in seconds.items()]
    bench.paper.add(f"### {count} look-ups\n\n" + report.table(["", "ms", "µs each"], rows))
    bench.judge([report.judge("look-ups, to getent",
                              report.ratio(seconds["pier-classify-port"], seconds["getent"]), most=0.1)])


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    build = builds.Build(args.bin_dir)
    apart = own_network()
    with contextlib.ExitStack() as stack:
        paper = report.Paper(f"{report.machine()}. {report.versions(build, ['pier', 'lsof', 'ss', 'strace'])}.\n\n"
                             f"{'In a network of its own' if apart else 'In the network of the host'}, {args.rounds} "
                             "interleaved rounds: medians, and the least and the most; the start of the program is in "
                             "it, and system calls are counted in a run apart.")
        bench = Bench(args, build, paper, stack)
        owners(bench)
        everything(bench)
        lookups(bench)
        if args.write:
            paper.write("whoami")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
