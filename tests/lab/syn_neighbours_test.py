"""pier-scan --syn of a large network on one cable: its neighbours are found by ARP and Neighbor Discovery of our own."""

import contextlib
import json
import socket
import struct

import harness
from scan_lab import ScanLabTestCase

NETWORK = "10.80.0.0/16"  # on the cable
HOSTS = "10.80.0.0/18"    # of which these are b


class OnLink(ScanLabTestCase):
    words = ("--syn",)

    def setUp(self):
        super().setUp()
        self.a.ip("addr", "add", "10.80.255.254/16", "dev", "eth0")
        self.b.ip("route", "add", "10.80.255.254", "dev", "eth0")
        self.b.ip("route", "add", "local", HOSTS, "dev", "lo")

    def serve_some(self, count):
        """On addresses here and there among b's."""
        is_open = {f"10.80.{i * 64 // count}.{1 + i * 7 % 250}" for i in range(count)}
        for address in is_open:
            self.serve(self.b, address, 443)
        return is_open

    def scan_for_open(self, *words):
        done = harness.run(self.a.command(["pier-scan", "--syn", "--json", *map(str, words)]))
        records = [json.loads(line) for line in done.lines]
        return {r["addr"] for r in records if r["type"] == "port"}, records[-1], done

    def neighbours(self):
        """Of a's kernel."""
        return {line.split()[0] for line in self.a.ip("neigh", "show", "dev", "eth0").splitlines()}

    def lose(self, host, share):
        """Frames of any kind that come in, ARP too."""
        try:
            host.nft("add table netdev lossy\n"
                     "add chain netdev lossy incoming { type filter hook ingress device eth0 priority 0; }\n"
                     f"add rule netdev lossy incoming numgen random mod 100 < {share} drop\n")
        except AssertionError as error:
            self.skipTest(f"this kernel drops no frames for us: {error}")

    def test_all_of_a_network_larger_than_the_kernels_table(self):
        is_open = self.serve_some(300)
        found, summary, done = self.scan_for_open("--rate", "50k", "-p", 443, NETWORK)
        self.assertEqual(found, is_open, done.err)
        self.assertEqual((summary["complete"], done.code), (True, 0))
        self.assertEqual(summary["closed"], 2 ** 14 - len(is_open) + 1, "and a itself")
        # The kernel has to find those that it resets connections of, and no other.
        self.assertLessEqual(self.neighbours(), is_open | {self.b.ip4})

    def serve_some_of_ipv6(self):
        """On addresses here and there in fd80::/116, on the cable."""
        is_open = {f"fd80::{i:x}" for i in range(0x101, 0xf01, 0x1d)}
        self.a.ip("addr", "add", "fd80::1:1/64", "dev", "eth0", "nodad")
        self.b.ip("route", "add", "fd80::/64", "dev", "eth0")
        for address in is_open:
            self.b.ip("addr", "add", f"{address}/128", "dev", "eth0", "nodad")
            self.serve(self.b, address, 443)
        return is_open

    def test_ipv6(self):
        is_open = self.serve_some_of_ipv6()
        found, summary, done = self.scan_for_open("--rate", "20k", "-p", 443, "fd80::/116")
        self.assertEqual(found, is_open, done.err)
        self.assertEqual((summary["complete"], done.code), (True, 0))

    def test_ipv6_requests_that_are_lost_are_made_up_for(self):
        is_open = self.serve_some_of_ipv6()
        for host in (self.a, self.b):
            self.lose(host, 10)
        found, _, done = self.scan_for_open("--rate", "20k", "--retries", 9, "--probe-timeout", "400ms", "-p", 443,
                                            "fd80::/116")
        self.assertEqual(found, is_open, done.err)

    def test_requests_that_are_lost_are_made_up_for(self):
        is_open = self.serve_some(40)
        for host in (self.a, self.b):
            self.lose(host, 10)
        found, _, done = self.scan_for_open("--rate", "20k", "--retries", 9, "--probe-timeout", "400ms", "-p", 443,
                                            "10.80.0.0/19", *(is_open))
        self.assertEqual(found, is_open, done.err)

    def test_all_ports_of_a_host_wait_for_one_reply(self):
        ports = {self.serve(self.b, "10.80.1.1", 0) for _ in range(20)}
        before = self.b.received()
        records, _, code = self.scan("-p", "-", "--rate", "20k", "10.80.1.1")
        self.assertEqual({r["port"] for r in records if r["state"] == "open"}, ports)
        self.assertEqual({r["port"] for r in records if r["state"] == "closed"}, set(range(1, 65536)) - ports)
        self.assertEqual(code, 0)
        # One SYN each, hardly any again, and the resets of those that are open.
        self.assertLess(self.b.received() - before, 65536 * 1.2)

    def test_a_host_that_is_not_there_gets_a_few_requests_and_no_syn(self):
        self.b.nft("add table inet seen\nadd chain inet seen incoming { type filter hook input priority 0; }\n"
                   "add rule inet seen incoming tcp flags syn counter accept\n")
        before = self.b.received()
        records, summary, code = self.scan("-p", "1-5000", "--rate", "5k", "--retries", 0, "10.80.99.1")
        self.assertEqual({(r["state"], r["reason"]) for r in records}, {("filtered", "host unreachable (no neighbour answers)")})
        self.assertEqual((len(records), summary["complete"], code), (5000, True, 3))
        self.assertLess(self.b.received() - before, 20)

    def test_permanent_entries_of_the_kernel_are_used(self):
        """b does not answer ARP for it."""
        self.b.ip("addr", "add", "10.81.0.1/32", "dev", "lo")
        self.b.sysctl("net/ipv4/conf/all/arp_ignore", 1)
        mac = self.b.ip("-br", "link", "show", "eth0").split()[2]
        self.a.ip("route", "add", "10.81.0.0/24", "dev", "eth0")
        self.serve(self.b, "10.81.0.1", 80)
        self.assertEqual(self.verdict("10.81.0.1")[0], "filtered")
        self.a.ip("neigh", "add", "10.81.0.1", "lladdr", mac, "dev", "eth0", "nud", "permanent")
        self.assertEqual(self.verdict("10.81.0.1")[0], "open")

    def spawn_slow(self):
        """All of 300 ports of one host answer, at 150 a second."""
        scan = self.spawn(self.a.command(["pier-scan", "--syn", "--json", "--all-states", "--rate", "150", "--retries", "6",
                                          "--probe-timeout", "600ms", "-p", "1-300", "10.80.2.2"]))
        scan.wait_out(b'"state":"closed"')
        return scan

    def end_slow(self, scan):
        done = scan.finish()
        records = [json.loads(line) for line in done.lines]
        self.assertEqual({r["state"] for r in records if r["type"] == "port"}, {"closed"}, done.err)
        return records[-1]

    def test_a_neighbour_with_another_mac_address_is_found_again(self):
        scan = self.spawn_slow()
        self.b.ip("link", "set", "eth0", "address", "02:00:00:00:77:77")
        summary = self.end_slow(scan)
        self.assertGreater(summary["late_answers"], 0, "some went to the old one")

    def test_replies_that_nobody_asked_for_change_nothing(self):
        forged = bytes([2, 0, 0, 0, 0x66, 0x66])
        to = bytes.fromhex(self.a.ip("-br", "link", "show", "eth0").split()[2].replace(":", ""))
        with contextlib.closing(self.b.socket(socket.AF_PACKET, socket.SOCK_RAW)) as sock:
            sock.bind(("eth0", 0))

            def forge():
                sock.send(to + forged + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 2) + forged +
                          socket.inet_aton("10.80.2.2") + to + socket.inet_aton("10.80.255.254"))

            forge()
            scan = self.spawn_slow()
            for _ in range(50):
                forge()
            summary = self.end_slow(scan)
        self.assertEqual(summary["late_answers"], 0)

    def test_explain_says_that_neighbours_are_asked_for(self):
        self.serve(self.b, "10.80.1.1", 443)
        _, _, done = self.scan_for_open("--explain", "-p", 443, "10.80.1.1")
        self.assertIn("each neighbour is asked for its MAC address", done.text)
