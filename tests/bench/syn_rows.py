"""The table of `scripts/bench syn`: what is scanned by SYNs, by whom, and what is to be reached. See scan_rows.py.

Further in a command line: {mac} of the next hop, {source} address. The waits after the last probe are each scanner's
own default or the least that its users give it, and are told in the name.
"""

import json
import re

from scan_rows import Case, Contender, of_nmap, of_pier


def of_masscan(text):
    """-oL -: "open tcp PORT ADDRESS TIME"."""
    return {(address, int(port)) for port, address in re.findall(r"^open tcp (\d+) (\S+)", text, re.M)}


def of_zmap(text):
    """CSV of saddr,sport, successes only."""
    return {(address, int(port)) for address, port in re.findall(r"^(\d[\d.]+),(\d+)$", text, re.M)}


def rate_of_pier(text):
    """Probes a second, by its summary."""
    summary = json.loads(text.splitlines()[-1])
    return summary["probes"] / summary["elapsed"]


SYN = "pier-scan --syn --json -q --rate 400k -p {ports} {target}"
PIER = Contender("pier --syn", SYN, of_pier)
PIER_WAIT = Contender("pier --syn, 300 ms wait", SYN + " --probe-timeout 300ms", of_pier)
MASSCAN = Contender("masscan, 1 s wait", "masscan --rate 400000 --wait 1 -p{ports} {target} --interface eth0 "
                    "--adapter-ip {source} --router-mac {mac} -oL -", of_masscan)
ZMAP = Contender("zmap, 2 s cool-down", "zmap -q -v 0 -r 400000 -c 2 -p {first} -i eth0 -G {mac} -S {source} -b /dev/null "
                 "-O csv -f saddr,sport --output-filter=success=1&&repeat=0 -o - {target}", of_zmap)
NMAP_T4 = Contender("nmap -sS -T4", "nmap -n -Pn -sS -T4 -p {ports} -oG - {target}", of_nmap)
NMAP_FAST = Contender("nmap -sS --min-rate 100000", "nmap -n -Pn -sS --min-rate 100000 --max-retries 3 -p {ports} -oG - {target}",
                      of_nmap)

NET = "10.80.0.0/16"
HOST = "10.77.0.2"
ALL = "1-65535"
NETWORK_SCANNERS = (PIER, MASSCAN, ZMAP, NMAP_FAST, PIER_WAIT)
HOST_SCANNERS = (PIER, MASSCAN, NMAP_T4, PIER_WAIT)

CASES = (
    Case("net16", "A /16, one port", NET, "80-80", NETWORK_SCANNERS, 1, hosts=1000,
         reach=((MASSCAN.name, 0.4), (ZMAP.name, 0.4))),
    Case("net16-2", "A /16, one port, 2 % of packets lost each way", NET, "80-80", (PIER, MASSCAN, ZMAP), 1, hosts=1000, loss=2,
         both_ways=True, recall=0.999),
    Case("net16-10", "A /16, one port, 10 % of packets lost each way", NET, "80-80", (PIER, MASSCAN, ZMAP), 1, hosts=1000,
         loss=10, both_ways=True, recall=0.995),
    Case("limit", "A /16, one port, 5,000 SYNs a second taken (13.1 s for one round)", NET, "80-80", (PIER, MASSCAN, ZMAP), 1,
         hosts=1000, syn_rate=5000, floor=65536 / 5000, recall=0.99),
    Case("limit-silent", "The same, and closed ports are silent", NET, "80-80", (PIER, MASSCAN), 1, hosts=1000, syn_rate=5000,
         silent=True, floor=65536 / 5000, recall=0.99),
    Case("host", "A host, all ports", HOST, ALL, HOST_SCANNERS, 100,
         reach=((NMAP_T4.name, 1.0), (MASSCAN.name, 0.5))),
    Case("host-2", "A host, all ports, 2 % of packets lost each way", HOST, ALL, (PIER, MASSCAN, NMAP_T4), 100, loss=2,
         both_ways=True, recall=0.999),
    Case("host-10", "A host, all ports, 10 % of packets lost each way", HOST, ALL, (PIER, MASSCAN, NMAP_T4), 100, loss=10,
         both_ways=True, recall=0.995),
)

# The sender alone: every packet is dropped where it arrives.
SENDERS = (
    Contender("pier --syn", "pier-scan --syn --json -q --rate 10M --retries 0 --probe-timeout 10ms -p {ports} {target}", None),
    Contender("masscan", "masscan --rate 10000000 --wait 0 -p{ports} {target} --interface eth0 --adapter-ip {source} "
              "--router-mac {mac} -oL -", None),
    Contender("zmap", "zmap -q -v 0 -r 0 -c 0 -p {first} -i eth0 -G {mac} -S {source} -b /dev/null -O csv -f saddr,sport "
              "-o - {target}", None),
)
