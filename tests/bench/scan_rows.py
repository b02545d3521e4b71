"""The table of `scripts/bench scan`: what is scanned, by whom, how its output is read, and what is to be reached.

In a command line {target} is an address or a prefix, {ports} a list as all of them understand it, {first} and {last} its
ends. Add yours here.
"""

import dataclasses
import json
import re


def of_pier(text):
    return {(r["addr"], r["port"]) for r in map(json.loads, text.splitlines())
            if r["type"] == "port" and r["state"] == "open"}


def missed_by_pier(text):
    """What its summary estimates: the share of open ports that it missed, or None."""
    return json.loads(text.splitlines()[-1]).get("estimated_missed")


def of_nmap(text):
    """-oG -: "Host: ADDRESS (…) Ports: 22/open/tcp//ssh///, …": what answered, and not "open|filtered"."""
    found = set()
    for address, ports in re.findall(r"^Host: (\S+) .*?Ports: ([^\t\n]*)", text, re.M):
        found |= {(address, int(port)) for port in re.findall(r"(\d+)/open/", ports)}
    return found


def of_pnscan(text):
    return {(address, int(port)) for address, port in re.findall(r"^(\S+)\s*:\s*(\d+)\s*:", text, re.M)}


def of_nc(text):
    return {(address, int(port)) for address, port in re.findall(r"^Connection to (\S+) (\d+) port .*succeeded", text, re.M)}


def of_bare(text):
    return {("127.0.0.1", int(line)) for line in text.splitlines()}


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    command: str
    read: object
    stderr: bool = False  # says there what it has found


PIER = Contender("pier", "pier-scan --json -q -p {ports} {target}", of_pier)
NMAP = "nmap -n -Pn -sT {speed} --max-retries 6 -p {ports} -oG - {target}"
NMAP_T4 = Contender("nmap -sT -T4", NMAP.replace("{speed}", "-T4"), of_nmap)
NMAP_T5 = Contender("nmap -sT -T5", NMAP.replace("{speed}", "-T5"), of_nmap)
PIER_UDP = Contender("pier -u", "pier-scan --json -q -u -p {ports} {target}", of_pier)
NMAP_UDP = Contender("nmap -sU -T4", "nmap -n -Pn -sU -T4 -p {ports} -oG - {target}", of_nmap)
PNSCAN = Contender("pnscan", "pnscan {target} {first}:{last}", of_pnscan)
NC = Contender("nc -z", "nc.openbsd -n -z -v -w 5 {target} {first}-{last}", of_nc, stderr=True)
BARE = Contender("bare loop: socket, connect, close", "bench_bare_scan {target} {first} {last}", of_bare)


@dataclasses.dataclass(frozen=True)
class Case:
    key: str
    title: str
    target: str
    ports: str  # "FIRST-LAST"
    contenders: tuple
    open: int  # of the first addresses of the target, so many ports each…
    hosts: int = 1  # …on so many of them
    loss: int = 0  # of a hundred packets that come to the scanned host
    both_ways: bool = False  # and of those that it sends
    silent: bool = False  # what is not open does not answer
    udp: bool = False  # open is what answers
    syn_rate: int = 0  # SYNs a second that it takes; 0: all
    reach: tuple = ()  # (other contender, most of its time)
    floor: float = 0  # seconds that no scan can be faster than; at most twice that is wanted
    recall: float = 1.0  # least share of the open ports


CASES = (
    Case("loopback", "This host, all ports", "127.0.0.1", "1-65535", (PIER, NMAP_T5, NMAP_T4, PNSCAN, NC, BARE), 21,
         reach=(("nmap -sT -T5", 0.4), ("pnscan", 0.65), (BARE.name, 0.45))),
    Case("host", "A host of the network, all ports", "10.77.0.2", "1-65535", (PIER, NMAP_T4, PNSCAN), 21,
         reach=(("nmap -sT -T4", 0.6),)),
    Case("net24", "A /24, 1,000 ports", "10.80.0.0/24", "1-1000", (PIER, NMAP_T4), 10, hosts=20),
    Case("net16", "A /16, one port", "10.80.0.0/16", "80-80", (PIER, NMAP_T4), 1, hosts=200),
    Case("loss2", "A host, 4,000 ports, 2 % of packets lost", "10.77.0.2", "1-4000", (PIER, NMAP_T4), 40, loss=2,
         reach=(("nmap -sT -T4", 1.5),)),
    Case("loss10", "A host, 4,000 ports, 10 % of packets lost", "10.77.0.2", "1-4000", (PIER, NMAP_T4), 40, loss=10,
         reach=(("nmap -sT -T4", 1.5),), recall=0.999),
    Case("limit", "A host, 4,000 ports, 1,000 SYNs a second taken", "10.77.0.2", "1-4000", (PIER, NMAP_T4), 40,
         syn_rate=1000),
    Case("udp", "UDP: a host, 1,000 ports, without a limit of ICMP errors", "10.77.0.2", "1-1000", (PIER_UDP, NMAP_UDP), 10,
         udp=True, reach=(("nmap -sU -T4", 0.5),)),
)
