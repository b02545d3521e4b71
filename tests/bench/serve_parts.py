"""The parts of `scripts/bench serve`: each measures the rows of one table or two, and gives them as text."""

import contextlib
import dataclasses
import json
import statistics
import subprocess
import time

import report
from files import make_source
from programs import Failure, Program, free_port, wait_listening
from serve_bench import STUCK
from serve_rows import (AT_ONCE, BARE, BROKERS, ECHO, IDLE, IDLE_KIB, JOIN_LEAST, PIER_ECHO, RATE_REACH, SINK, THROUGH,
                        THROUGH_LEAST)

IDLE_SECONDS = 1  # of watching whether idle clients cost processor time


def session_rate(bench, row, at_once):
    """Sessions a second, the server's processor time for each in microseconds, and how many failed."""
    with bench.serving(row) as (server, port):
        before, start = server.cpu(), time.monotonic()
        done = bench.client("bench_load_client", port, at_once, bench.args.seconds, *["sink"] * row.sink)
        # The clock ran while it warmed up, too: what it used is shared out by time.
        used = (server.cpu() - before) * done["seconds"] / (time.monotonic() - start)
        if not server.running():
            raise Failure(f"{server.name} ended under load: {server.complaint()}")
    if done["sessions"] == 0:
        raise Failure(f"no session went through: {done['why'] or 'all wait'}")
    if row.name.startswith("pier") and done["failed"]:
        raise Failure(f"{done['failed']} sessions failed: {done['why']}")
    return done["sessions"] / done["seconds"], used / done["sessions"] * 1e6, done["failed"]


def rates(bench):
    parts, found = [], {}
    for title, rows in (("Sessions a second, with an echo", ECHO), ("Sessions a second, nothing sent back", SINK)):
        lines = {row.name: [row.name] for row in rows}
        for at_once in AT_ONCE:
            part = f"{title}, {at_once} at once"
            measured = bench.rounds(part, rows, lambda row, n=at_once: session_rate(bench, row, n))
            for row in rows:
                samples = measured[row.name]
                found[row.name, at_once] = [rate for rate, _, _ in samples]
                if not samples:
                    lines[row.name] += [bench.failed[part, row.name], ""]
                    continue
                failures = sum(failures for _, _, failures in samples)
                lines[row.name] += [report.spread(found[row.name, at_once], 0) + (f", {failures} failed" if failures else ""),
                                    f"{statistics.median(cpu for _, cpu, _ in samples):.0f}"]
        header = [""] + [cell for n in AT_ONCE for cell in (f"{n} at once, /s", "its CPU µs each")]
        parts.append(f"### {title}\n\n{report.table(header, lines.values())}")
    verdicts = []
    for row, others, levels, least in RATE_REACH:
        for at_once in levels:
            best = max((found[other.name, at_once] for other in others), key=lambda rate: statistics.median(rate or [0]))
            line = report.judge(f"{row.name}, {at_once} at once, to {' or '.join(o.name for o in others)}",
                                report.ratio(found[row.name, at_once], best), least)
            if row is PIER_ECHO and BARE not in others:
                line += f" (the bare loop: {report.times(report.ratio(found[BARE.name, at_once], best))})"
            verdicts.append(line)
    parts[0] += "\n\n" + "\n".join(f"- {line}" for line in verdicts)
    return parts


def accepted(server, empty, count):
    """How many clients a server holds, when it has them all or takes no more for a second."""
    held, seen = -1, time.monotonic()
    while held < count and time.monotonic() < seen + 1:
        now = server.descriptors() - empty
        if now != held:
            held, seen = now, time.monotonic()
        time.sleep(0.01)
    return held


def crowd(bench, row, count):
    """The cells of one row of the idle table, and the bytes each client costs."""
    with bench.serving(row) as (server, port), contextlib.ExitStack() as stack:
        own = server.process.pid
        before, own_before, empty = server.memory(), server.memory([own]), server.descriptors()
        words = bench.build.command(f"bench_idle_client {port} {count}" + " sink" * row.sink)
        clients = stack.enter_context(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        stack.callback(clients.kill)
        held = json.loads(clients.stdout.readline())["held"]
        if not server.running():
            raise Failure(f"{server.name} ended: {server.complaint()}")
        if row.sink:  # it answers nothing: what it has accepted are its descriptors
            held = min(held, accepted(server, empty, held))
        cpu = server.cpu()
        time.sleep(IDLE_SECONDS)
        cpu = server.cpu() - cpu
        # A server whose children share its pages has less than before: that is not a gain of its clients.
        each = max(0, server.memory() - before) / max(1, held)
        own_each = max(0, server.memory([own]) - own_before) / max(1, held)
        processes = len(server.pids())
        alive = ""
        if not row.sink:
            clients.stdin.close()
            alive = json.loads(clients.stdout.readline())["alive"]
    if row.name.startswith("pier") and (held != count or alive not in ("", count)):
        raise Failure(f"{held} of {count} held, {alive} alive after it")
    cells = [held, alive, processes, f"{each / 1024:.2f}", f"{own_each / 1024:.2f}", f"{cpu:.2f}"]
    return cells, each, processes, cpu


def idle(bench):
    parts = []
    for count in bench.args.clients:
        part = f"{count} idle clients"
        rows, ours = [], None
        for row in IDLE:
            if not bench.able(part, [row]):
                rows.append([row.name, bench.failed[part, row.name]])
                continue
            if count > row.most:
                rows.append([row.name, "left out: a process for each"])
                continue
            report.progress(f"{part}: {row.name}")
            try:
                cells, *measured = crowd(bench, row, count)
                rows.append([row.name, *cells])
                ours = measured if row == PIER_ECHO else ours
            except Failure as failure:
                bench.failed[part, row.name] = str(failure)
                rows.append([row.name, failure])
        report.progress("")
        header = ["", "held", "answer afterwards", "processes", "KiB each, all processes", "KiB each, the server",
                  f"CPU s in {IDLE_SECONDS} s"]
        each, processes, cpu = ours or (None, None, None)
        verdicts = [report.judge(f"{PIER_ECHO.name}, memory of each", None if each is None else each / 1024, most=IDLE_KIB,
                                 unit=" KiB"),
                    report.judge(f"{PIER_ECHO.name}, processes", processes, most=1, unit=""),
                    report.judge(f"{PIER_ECHO.name}, CPU in {IDLE_SECONDS} s", cpu, most=0, unit=" s")]
        parts.append(f"### {count:,} idle clients\n\nMemory is what the processes have more than before (PSS), without "
                     f"the kernel's.\n\n{report.table(header, rows)}\n\n" + "\n".join(f"- {line}" for line in verdicts))
    return parts


def through(bench):
    """Throughput of a file sent through a server in the middle, beside the direct way."""
    size = bench.args.size
    file = bench.folder / "source"
    make_source(file, size)

    def transfer(serve):
        until = time.monotonic() + STUCK
        with contextlib.ExitStack() as stack:
            to = free_port()
            counted = stack.enter_context(open(bench.folder / "counted", "w+b"))
            receiver = stack.enter_context(Program(bench.build.timed, bench.build.command(f"bench_bare_relay recv-count {to}"),
                                                   subprocess.DEVNULL, counted, bench.folder / "log.receiver"))
            wait_listening(receiver, to, until)
            port = stack.enter_context(bench.serving(serve, to))[1] if serve else to
            sender = stack.enter_context(Program(bench.build.timed, bench.build.command(f"bench_bare_relay send-file {port}"),
                                                 stack.enter_context(open(file, "rb")), subprocess.DEVNULL,
                                                 bench.folder / "log.sender"))
            ends = [sender.wait(until), receiver.wait(until)]
            arrived = int((bench.folder / "counted").read_text() or 0)
            if arrived != size or any(end.code for end in ends):
                raise Failure(f"{arrived} of {size} bytes arrived")
            return size / (max(end.end for end in ends) - ends[0].start)

    direct = dataclasses.replace(BARE, name="direct", serve="bench_bare_relay")
    rows = (direct, *THROUGH)
    found = bench.rounds("through", rows, lambda row: transfer(None if row is direct else row))
    lines = [[row.name, *([bench.failed["through", row.name]] if not found[row.name] else
                          [report.spread([rate / 2**30 for rate in found[row.name]]),
                           report.times(report.ratio(found[row.name], found["direct"]))])] for row in rows]
    verdict = report.judge("pier --to, throughput to the direct way", report.ratio(found["pier --to"], found["direct"]),
                           least=THROUGH_LEAST)
    return [f"### {size >> 20} MiB through a relay\n\nSent by sendfile, counted by a reader of 256 KiB.\n\n" +
            report.table(["", "GiB/s (least–most)", "to direct"], lines) + f"\n\n- {verdict}"]


def broker(bench):
    count = 50 if bench.args.quick else 500
    part = "broker"

    def measure(row):
        with bench.serving(row) as (_, port):
            done = bench.client("bench_broker_client", port, count, 4)
        if row.name.startswith("pier") and (done["joined"] != count or done["received"] != done["expected"] or done["wrong"]):
            raise Failure(f"{done['joined']} of {count} joined, {done['received']} of {done['expected']} lines came, "
                          f"{done['wrong']} wrong")
        return done

    found = bench.rounds(part, BROKERS, measure)
    rates_ = {name: [done["joined"] / max(done["join_seconds"], 1e-6) for done in all_] for name, all_ in found.items()}
    lines = []
    for row in BROKERS:
        samples = found[row.name]
        if not samples:
            lines.append([row.name, bench.failed[part, row.name]])
            continue
        talked = [done for done in samples if done["joined"] == count]
        lines.append([row.name, f"{min(done['joined'] for done in samples)} of {count}", report.spread(rates_[row.name], 0),
                      f"{sum(done['expected'] - done['received'] for done in talked)}" if talked else "",
                      report.spread([done["received"] / done["seconds"] for done in talked], 0) if talked else ""])
    verdict = report.judge("pier --broker, joining to ncat's", report.ratio(rates_["pier --broker"], rates_["ncat --broker"]),
                           least=JOIN_LEAST)
    return [f"### A broker and {count} clients who come at once\n\n" +
            report.table(["", "joined", "clients joining a second", "lines lost", "lines delivered a second"], lines) +
            f"\n\n- {verdict}"]


PARTS = {"rates": rates, "idle": idle, "through": through, "broker": broker}
