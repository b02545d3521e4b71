"""Rounds, medians, ratios, and what is said of them: tables, the reach, a section of RESULTS.md."""

import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

RESULTS = pathlib.Path(__file__).resolve().parent / "RESULTS.md"


def interleaved(things, rounds):
    """(round, thing) for every round; each round begins with another one, so that none is always the first."""
    for turn in range(rounds):
        for i in range(len(things)):
            yield turn, things[(turn + i) % len(things)]


def spread(values, digits=2):
    """"1.23 (1.20–1.31)": median, least and most."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def ratio(values, base):
    """Of the medians; None where one is missing."""
    if not values or not base or statistics.median(base) == 0:
        return None
    return statistics.median(values) / statistics.median(base)


def times(value):
    return "-" if value is None else f"{value:.2f}×"


def judge(what, value, least=None, most=None, unit="×"):
    """One line of the reach: "WHAT: 2.61×, at least 2.5×: met"."""
    bound = f"at least {least:.3g}{unit}" if least is not None else f"at most {most:.3g}{unit}"
    if value is None:
        return f"{what}: not measured, {bound}: unknown"
    met = value >= least if least is not None else value <= most
    return f"{what}: {value:.2f}{unit}, {bound}: {'met' if met else '**not met**'}"


def table(header, rows):
    """Markdown, its columns aligned: it reads on a terminal as well. Short rows are filled up."""
    lines = [[str(cell) for cell in row] + [""] * (len(header) - len(row)) for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines)


def first_line(words, pattern):
    """What the pattern's group finds in the output of a program, or an empty text."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(pattern, done.stdout + done.stderr, re.M)
    return found[1] if found else ""


VERSIONS = {
    "pier": (["pier-connect", "--version"], r"^\S+ (\S+)"),
    "nc.openbsd": (["nc.openbsd", "-h"], r"patchlevel ([\w.+~-]+)"),
    "nc.traditional": (["nc.traditional", "-h"], r"\[v([\w.+~-]+)\]"),
    "ncat": (["ncat", "--version"], r"Version (\S+)"),
    "socat": (["socat", "-V"], r"^socat version (\S+)"),
    "iperf3": (["iperf3", "--version"], r"^iperf (\S+)"),
    "openssl": (["openssl", "version"], r"^OpenSSL (\S+)"),
    "nmap": (["nmap", "--version"], r"^Nmap version (\S+)"),
    "masscan": (["masscan", "--version"], r"version (\S+)"),
    "zmap": (["zmap", "--version"], r"^zmap (\S+)"),
    "pnscan": (["pnscan", "-V"], r"version (\S+)"),
    "lsof": (["lsof", "-v"], r"revision: (\S+)"),
    "ss": (["ss", "-V"], r"iproute2-(\S+)"),
    "cp": (["cp", "--version"], r"\) (\S+)$"),
    "strace": (["strace", "--version"], r"version (\S+)"),
}


def versions(build, names):
    found = []
    for name in names:
        words, pattern = VERSIONS[name]
        path = build.path(words[0])
        version = first_line([path, *words[1:]], pattern) if path else ""
        found.append(f"{name} {version or 'not installed'}")
    return ", ".join(found)


def machine():
    """One sentence: processors, memory, kernel, load."""
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    model = f" ({model[1]})" if model else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} processors{model}, {memory:.0f} GiB of memory, {platform.system()} {platform.release()}, "
            f"load {os.getloadavg()[0]:.1f} at the start")


def progress(text):
    """One line on a terminal, replaced by the next."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Paper:
    """What a benchmark has to say: printed as it comes, and kept for RESULTS.md."""

    def __init__(self, text):
        self.parts = []
        self.add(text)

    def add(self, text):
        self.parts.append(text)
        print(text, end="\n\n", flush=True)

    def write(self, name, results=RESULTS):
        """As the section "## NAME (date)" in the place of the one of that name, or at the end."""
        old = results.read_text(encoding="utf-8")
        section = f"## {name} ({datetime.date.today()})\n\n" + "\n\n".join(self.parts) + "\n"
        pattern = re.compile(rf"^## {re.escape(name)} \(.*?(?=^## |\Z)", re.M | re.S)
        new = pattern.sub(lambda found: section + ("\n" if found.end() < len(old) else ""), old)
        if new == old and not pattern.search(old):
            new = f"{old.rstrip()}\n\n{section}"
        beside = results.with_suffix(".new")
        beside.write_text(new, encoding="utf-8")
        beside.replace(results)
