"""pier-whoami-port --stun and --nat through NATs of nftables to coturn, which has two addresses (RFC 5780)."""

import contextlib
import json
import os
import shutil

import namespaces
from harness import TestCase, need_namespaces, need_program, run, wait_until
from namespaces import Host
from pki import Pki

INSIDE4, OUTSIDE4, SERVER4, OTHER4 = "192.168.77.2", "10.88.0.1", "10.88.0.2", "10.88.0.3"
INSIDE6, SERVER6, OTHER6 = "fd77::2", "fd88::2", "fd88::3"

# How the router translates IPv4. It leaves IPv6 alone.
TABLE = "table ip pier {{ chain out {{ type nat hook postrouting priority srcnat; oifname eth1 {out}; }}\n{more}}}"
PORT_KEEPING = TABLE.format(out="masquerade", more="")
# Another port for each peer.
SYMMETRIC = TABLE.format(out="masquerade fully-random", more="")
# Whoever sends to an outer port comes in.
FULL_CONE = TABLE.format(out="masquerade", more="chain in { type nat hook prerouting priority dstnat;"
                         f" iifname eth1 meta l4proto udp dnat to {INSIDE4}; }}\n")


class NatLab:
    """client (inside) - router - server, each a network namespace."""

    def __init__(self, rules):
        tag = f"pier{os.getpid()}n"
        self.rules = rules
        self.client = Host(tag + "c", INSIDE4, INSIDE6)
        self.router = Host(tag + "r", "192.168.77.1", "fd77::1")
        self.server = Host(tag + "s", SERVER4, SERVER6)
        self.all = (self.client, self.router, self.server)

    def __enter__(self):
        need_namespaces()
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        for host in self.all:
            namespaces._ip("netns", "add", host.name)
            host.ip("link", "set", "lo", "up")
        for (a, one), (b, two) in (((self.client, "eth0"), (self.router, "eth0")),
                                   ((self.router, "eth1"), (self.server, "eth0"))):
            namespaces._ip("link", "add", one, "netns", a.name, "type", "veth", "peer", "name", two, "netns", b.name)
        for host, device, addresses in ((self.client, "eth0", [INSIDE4 + "/24", INSIDE6 + "/64"]),
                                        (self.router, "eth0", ["192.168.77.1/24", "fd77::1/64"]),
                                        (self.router, "eth1", [OUTSIDE4 + "/24", "fd88::1/64"]),
                                        (self.server, "eth0", [SERVER4 + "/24", OTHER4 + "/24", SERVER6 + "/64",
                                                               OTHER6 + "/64"])):
            for address in addresses:
                host.ip("addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
            host.ip("link", "set", device, "up")
        self.router.sysctl("net/ipv4/ip_forward", 1)
        self.router.sysctl("net/ipv6/conf/all/forwarding", 1)
        self.client.ip("route", "add", "default", "via", "192.168.77.1")
        self.client.ip("-6", "route", "add", "default", "via", "fd77::1")
        self.server.ip("-6", "route", "add", "fd77::/64", "via", "fd88::1")
        self.router.nft(self.rules)
        self.client.hosts(f"{SERVER4} stun.test\n{SERVER6} stun.test\n")
        wait_until(lambda: all("tentative" not in h.ip("-6", "addr") and "state DOWN" not in h.ip("link")
                               for h in self.all), "the cables to be up")

    def __exit__(self, *_):
        for host in self.all:
            with contextlib.suppress(AssertionError):
                for pid in host.pids():
                    with contextlib.suppress(OSError):
                        os.kill(pid, 9)
            with contextlib.suppress(AssertionError):
                namespaces._ip("netns", "del", host.name)
            shutil.rmtree(f"/etc/netns/{host.name}", ignore_errors=True)


class Stun(TestCase):
    def lab(self, rules):
        coturn = need_program("turnserver")
        lab = self.enterContext(NatLab(rules))
        folder = self.tmp()
        pki = Pki(folder)
        server = pki.self_signed("stun", "DNS:stun.test")
        self.ca = str(server.cert)
        words = [coturn, "-n", "-S", "-z", "--no-cli", "--no-dtls", "--log-file", "stdout", "--pidfile",
                 str(folder / "pid"), "--cert", str(server.cert), "--pkey", str(server.key), "-m", "1"]
        for address in (SERVER4, OTHER4, SERVER6, OTHER6):
            words += ["-L", address]
        self.spawn(lab.server.command(words))
        for address in (SERVER4, f"[{SERVER6}]"):
            wait_until(lambda: run(lab.client.command(
                ["pier-whoami-port", "--stun", address, "--reply-timeout", "1s"])).code == 0, f"coturn at {address}")
        return lab

    def ask(self, lab, *words, code=0):
        done = run(lab.client.command(["pier-whoami-port", "--json", *words]))
        self.assertEqual(done.code, code, done)
        return [json.loads(line) for line in done.lines][1:-1]

    def test_both_families_at_once_over_udp_tcp_and_tls(self):
        lab = self.lab(PORT_KEEPING)
        for words in (["--stun", "stun.test"], ["--stun", "tcp://stun.test"],
                      ["--stun", "stuns:stun.test", "--ca", self.ca]):
            told = {r["family"]: r for r in self.ask(lab, *words)}
            four, six = told["ipv4"], told["ipv6"]
            self.assertEqual((four["local_addr"], four["mapped_addr"], four["translated"]), (INSIDE4, OUTSIDE4, True))
            self.assertEqual((six["local_addr"], six["mapped_addr"], six["mapped_port"], six["translated"]),
                             (INSIDE6, INSIDE6, six["local_port"], False))
            self.assertEqual(four["tls"], "stuns" in words[1])
        (only,) = self.ask(lab, "-6", "--stun", "stun.test")
        self.assertEqual(only["family"], "ipv6")

    def test_one_family_that_fails_does_not_spoil_the_other(self):
        lab = self.lab(PORT_KEEPING)
        lab.router.nft("table ip6 pier { chain f { type filter hook forward priority 0; drop; }; }")
        done = run(lab.client.command(["pier-whoami-port", "--stun", "stun.test", "--reply-timeout", "1s"]))
        self.assertEqual((done.code, len(done.lines)), (0, 1), done)
        self.assertIn(f"[{SERVER6}]:3478", done.err)

    def nat(self, rules):
        lab = self.lab(rules)
        port, nat = self.ask(lab, "-4", "--stun", SERVER4, "--nat", "--reply-timeout", "3s")
        self.assertEqual((port["type"], nat["type"]), ("port", "nat"))
        self.assertEqual(port["mapped_addr"], OUTSIDE4)
        return nat["mapping"], nat["filtering"], nat["hairpin"]

    def test_a_nat_that_keeps_ports_maps_independently_and_filters_by_peer(self):
        self.assertEqual(self.nat(PORT_KEEPING), ("endpoint-independent", "address-and-port-dependent", False))

    def test_a_symmetric_nat(self):
        self.assertEqual(self.nat(SYMMETRIC), ("address-and-port-dependent", "address-and-port-dependent", False))

    def test_a_full_cone_nat(self):
        self.assertEqual(self.nat(FULL_CONE)[:2], ("endpoint-independent", "endpoint-independent"))

    def test_no_nat_at_all(self):
        lab = self.lab(PORT_KEEPING)
        port, nat = self.ask(lab, "--stun", f"[{SERVER6}]", "--nat", "--reply-timeout", "3s")
        self.assertEqual((port["translated"], nat["mapping"], nat["filtering"], nat["hairpin"]),
                         (False, "none", "endpoint-independent", True))
