"""pier-scan and what the network answers: black holes, ICMP of every code, resets, missing routes and neighbours.

Also what needs a loopback of its own.
"""

import json
import socket
import subprocess

import harness
from harness import run
from scan_lab import ScanLabTestCase, SynTestCase


class Networks:
    """What every kind of probe makes of a network's answers."""

    patience = "20s"  # until it is known that there is no neighbour

    def test_a_black_hole_is_filtered_after_all_tries(self):
        self.b.drop("tcp dport 80")
        for address in (self.b.ip4, self.b.ip6):
            [record], summary, code = self.scan("-p", 80, "--probe-timeout", "100ms", "--retries", 2, address)
            self.assertEqual((record["state"], record["reason"], record["tries"], record["rtt_us"], code),
                             ("filtered", "no answer", 3, None, 3))
            self.assertEqual((summary["probes"], summary["retries"]), (3, 2))

    def test_icmp_of_every_code_is_filtered_with_the_code(self):
        # nftables' name, the code on the wire, our word for it.
        for kind, code, word in (("net-unreachable", 0, "network unreachable"), ("host-unreachable", 1, "host unreachable"),
                                 ("prot-unreachable", 2, "protocol unreachable"),
                                 ("port-unreachable", 3, "port unreachable"), ("net-prohibited", 9, "network prohibited"),
                                 ("host-prohibited", 10, "host prohibited"),
                                 ("admin-prohibited", 13, "administratively prohibited")):
            with self.subTest(kind=kind):
                self.b.reject(f"meta nfproto ipv4 tcp dport {8000 + code}", f"icmp type {kind}")
                self.assertEqual(self.verdict(self.b.ip4, 8000 + code), ("filtered", f"icmp 3/{code} ({word})", 3))

    def test_icmpv6_of_every_code_is_filtered_with_the_code(self):
        for kind, code, word in (("no-route", 0, "no route"), ("admin-prohibited", 1, "administratively prohibited"),
                                 ("addr-unreachable", 3, "address unreachable"),
                                 ("port-unreachable", 4, "port unreachable")):
            with self.subTest(kind=kind):
                self.b.reject(f"meta nfproto ipv6 tcp dport {8000 + code}", f"icmpv6 type {kind}")
                self.assertEqual(self.verdict(self.b.ip6, 8000 + code), ("filtered", f"icmpv6 1/{code} ({word})", 3))

    def test_nobody_at_the_address_is_filtered(self):
        for command in ("net.ipv4.neigh.eth0.retrans_time_ms=20", "net.ipv6.neigh.eth0.retrans_time_ms=20"):
            subprocess.run(self.a.command(["sysctl", "-qw", command]), check=True)
        for address in ("10.77.0.99", "fd77::99"):
            with self.subTest(address=address):
                state, reason, code = self.verdict(address, 80, "--probe-timeout", self.patience)
                self.assertEqual((state, code), ("filtered", 3))
                self.assertIn("no neighbour answers", reason)


class Answers(Networks, ScanLabTestCase):
    def test_open_and_closed(self):
        for address in (self.b.ip4, self.b.ip6):
            self.serve(self.b, address, 80)
            self.assertEqual(self.verdict(address), ("open", "syn-ack", 0))
            self.assertEqual(self.verdict(address, 81), ("closed", "refused", 1))

    def test_a_reset_is_closed(self):
        self.b.reject("tcp dport 80", "tcp reset")
        for address in (self.b.ip4, self.b.ip6):
            self.assertEqual(self.verdict(address), ("closed", "refused", 1))


class AnswersToSyns(Networks, SynTestCase):
    patience = "1500ms"  # a SYN waits a second for the neighbour


class LocalFaults(ScanLabTestCase):
    def test_no_route_is_an_error(self):
        for address in ("192.0.2.1", "2001:db8::1"):
            state, reason, code = self.verdict(address)
            self.assertEqual((state, code), ("error", 3))
            self.assertIn("no route from this host", reason)

    def test_a_prohibiting_route_is_an_error(self):
        for kind in ("unreachable", "prohibit", "blackhole"):
            self.a.ip("route", "add", kind, "198.51.100.0/24")
            self.assertEqual(self.verdict("198.51.100.1")[0], "error", kind)
            self.a.ip("route", "del", kind, "198.51.100.0/24")

    def test_our_own_firewall_is_an_error(self):
        self.a.nft("add table inet own\nadd chain inet own outgoing { type filter hook output priority 0; }\n"
                   "add rule inet own outgoing tcp dport 80 reject with icmpx type admin-prohibited\n")
        self.serve(self.b, self.b.ip4, 80)
        self.serve(self.b, self.b.ip6, 80)
        for address in (self.b.ip4, self.b.ip6):
            state, reason, code = self.verdict(address)
            self.assertEqual((state, code), ("error", 3), reason)
            self.assertIn("this host", reason)

    def test_an_error_beside_an_open_port_is_0(self):
        self.serve(self.b, self.b.ip4, 80)
        records, summary, code = self.scan("-p", 80, self.b.ip4, "192.0.2.1")
        self.assertEqual(({r["addr"]: r["state"] for r in records}, code),
                         ({self.b.ip4: "open", "192.0.2.1": "error"}, 0))
        self.assertEqual((summary["open"], summary["error"], summary["closed"]), (1, 1, 0))

    def test_32_descriptors_are_enough(self):
        is_open = {self.serve(self.b, self.b.ip4, 0) for _ in range(5)}
        command = f"ulimit -n 32; exec {harness.binary('pier-scan')} -q -p 20000-40000,{','.join(map(str, is_open))} {self.b.ip4}"
        done = run(self.a.command(["sh", "-c", command]))
        self.assertEqual({int(line.split("\t")[1].split("/")[0]) for line in done.lines}, is_open)
        self.assertEqual(done.code, 0)


class Midway(ScanLabTestCase):
    """What changes while a scan is under way."""

    def start(self, *words):
        program = self.spawn(self.a.command(["pier-scan", "--json", "--all-states", "--rate", "5000", *words, self.b.ip4]))
        program.wait_out_size(100_000)  # some 500 ports are told
        return program

    def told(self, program):
        done = program.wait()
        records = [json.loads(line) for line in done.lines]
        ports = [r for r in records if r["type"] == "port"]
        self.assertEqual(len({r["port"] for r in ports}), len(ports), "a port is told once")
        return ports, records[-1], done

    def test_the_interface_goes_down(self):
        self.serve(self.b, self.b.ip4, 1)
        program = self.start("-p", "1-20000")
        self.a.ip("link", "set", "eth0", "down")
        ports, summary, done = self.told(program)
        self.assertEqual(len(ports), 20000)
        self.assertEqual((summary["complete"], summary["given_up"]), (False, [self.b.ip4]), done.err)
        self.assertEqual(summary["closed"] + summary["open"] + summary["error"], 20000)
        self.assertGreater(summary["error"], 1000)
        self.assertIn("no route from this host", done.err)

    def test_a_signal_ends_it_with_what_is_known(self):
        program = self.start("-p", "1-60000")
        program.signal(2)
        ports, summary, done = self.told(program)
        self.assertEqual(done.code, 130, done.err)
        self.assertEqual((summary["complete"], summary["closed"]), (False, len(ports)))
        self.assertLess(len(ports), 60000)

    def test_a_limit_of_syns_makes_it_slow_not_wrong(self):
        is_open = {self.serve(self.b, self.b.ip4, port) for port in range(100, 3000, 100)}
        self.b.nft("add table inet limits\nadd chain inet limits incoming { type filter hook input priority 0; }\n"
                   "add rule inet limits incoming tcp flags syn / syn,ack limit rate over 1000/second burst 100 packets drop\n")
        records, summary, code = self.scan("-p", "1-3000", self.b.ip4)
        self.assertEqual({r["port"] for r in records if r["state"] == "open"}, is_open)
        self.assertEqual((summary["complete"], summary["closed"], code), (True, 3000 - len(is_open), 0))
        self.assertGreater(summary["estimated_loss"], 0)


class Lossy(ScanLabTestCase):
    def test_retries_find_what_a_lossy_network_hides(self):
        """Every second SYN is dropped: each port needs about two probes, and the estimate says so."""
        ports = {self.serve(self.b, self.b.ip4, 0) for _ in range(40)}
        self.b.nft("add table inet lossy\nadd chain inet lossy incoming { type filter hook input priority 0; }\n"
                   "add rule inet lossy incoming tcp flags & (syn | ack) == syn numgen inc mod 2 == 0 drop\n")
        records, summary, code = self.scan("-p", ",".join(map(str, ports)), "--probe-timeout", "300ms",
                                           "--retries", 10, self.b.ip4)
        self.assertEqual(({r["port"] for r in records if r["state"] == "open"}, code), (ports, 0))
        self.assertGreater(summary["retries"], 0)
        self.assertGreater(summary["late_answers"], 0)
        self.assertTrue(0.25 < summary["estimated_loss"] < 0.8, summary)
        self.assertEqual(summary["estimated_missed"], 0, "every port answered in the end")


class Datagrams(ScanLabTestCase):
    def udp(self, host, address, port=0):
        sock = self.enterContext(host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind((address, port))
        return sock

    def test_icmp_of_the_target_is_closed_and_of_a_firewall_filtered(self):
        self.b.reject("meta nfproto ipv4 udp dport 92", "icmp type admin-prohibited")
        self.b.drop("udp dport 93")
        records, summary, code = self.scan("-u", "-p", "91-93", "--retries", 0, self.b.ip4)
        self.assertEqual({r["port"]: (r["state"], r["reason"]) for r in records},
                         {91: ("closed", "icmp 3/3 (port unreachable)"),
                          92: ("filtered", "icmp 3/13 (administratively prohibited)"),
                          93: ("open|filtered", "no answer")})
        self.assertEqual(code, 3)

    def test_a_host_that_limits_its_icmp_errors_is_asked_as_slowly(self):
        """Five a second, after a burst of six: at full speed most ports say nothing."""
        self.b.sysctl("net/ipv4/icmp_ratelimit", 200)
        self.b.sysctl("net/ipv4/icmp_ratemask", 6168)
        silent = self.udp(self.b, self.b.ip4, 40010)
        records, summary, code = self.scan("-u", "-p", "40000-40039", self.b.ip4)
        self.assertEqual({r["port"] for r in records if r["state"] == "closed"},
                         set(range(40000, 40040)) - {40010}, summary)
        [record] = [r for r in records if r["state"] != "closed"]
        self.assertEqual((record["state"], record["reason"]), ("open|filtered", "no answer; it limits its ICMP errors"))
        self.assertGreater(summary["elapsed"], 3, "as slowly as it answers")
        del silent

    def test_many_silent_ports_behind_the_limit_are_told_not_waited_for(self):
        self.b.sysctl("net/ipv4/icmp_ratelimit", 1000)
        done = run(self.a.command(["pier-scan", "-u", "-p", "40000-40299", "--probe-timeout", "200ms", self.b.ip4]))
        self.assertEqual(done.code, 3, done)
        self.assertRegex(done.err, r"10\.77\.0\.2 limits its ICMP errors, so \d+ silent ports may be closed or not")


class EverywhereOpen(ScanLabTestCase):
    """A tarpit or SYN proxy: one listener behind every port of the host."""

    def setUp(self):
        super().setUp()
        port = self.serve(self.b, self.b.ip4, 0)
        self.b.nft("add table ip tarpit\nadd chain ip tarpit incoming { type nat hook prerouting priority -100; }\n"
                   f"add rule ip tarpit incoming tcp dport 1-65535 redirect to :{port}\n")

    def test_is_suspect_and_no_port_of_it_is_called_open(self):
        records, summary, code = self.scan("-p", "22,80,443", self.b.ip4)
        self.assertEqual({r["state"] for r in records}, {"suspect"}, records)
        self.assertEqual((summary["open"], summary["suspect"], summary["hosts_suspect"], code), (0, 3, 1, 3))
        done = run(self.a.command(["pier-scan", "-p", "22,80,443", self.b.ip4]))
        self.assertEqual((done.out, done.code), (b"", 3))
        self.assertIn("where nobody should listen", done.err)

    def test_is_one_record_under_max_open(self):
        done = run(self.a.command(["pier-scan", "--json", "--state", "open,suspect", "--max-open", "20", "-p",
                                   "1-50", self.b.ip4]))
        [host] = [r for r in map(json.loads, done.lines[1:-1])]
        self.assertEqual((host["type"], host["state"], host["open"], host["addr"]),
                         ("host", "suspect", 50, self.b.ip4))


class OwnLoopback(ScanLabTestCase):
    def test_a_rule_of_our_own_firewall_is_told_from_a_closed_port(self):
        """On the loopback the ICMP error arrives while connect(2) still holds the socket."""
        self.a.reject("tcp dport 8080", "icmpx type port-unreachable")
        for address in ("127.0.0.1", "::1"):
            records, _, _ = self.scan("-p", "8000-8100", address)
            self.assertEqual({r["port"] for r in records if r["state"] != "closed"}, {8080})
            [record] = [r for r in records if r["port"] == 8080]
            self.assertIn(record["state"], ("filtered", "error"), record)
            self.assertIn("port unreachable", record["reason"])

    def test_all_65535_ports_twice_in_a_row(self):
        truth = {self.serve(self.a, "127.0.0.1", 0) for _ in range(50)} | {self.serve(self.a, "127.0.0.1", p)
                                                                         for p in (1, 80, 65535)}
        for _ in range(2):
            records, summary, code = self.scan("-p", "-", "127.0.0.1")
            self.assertEqual({r["port"] for r in records if r["state"] == "open"}, truth)
            self.assertEqual({r["port"] for r in records if r["state"] == "closed"}, set(range(1, 65536)) - truth)
            self.assertEqual((summary["complete"], code), (True, 0))

    def test_a_socket_that_meets_itself_is_never_open(self):
        """64 ephemeral ports, all of them scanned: each probe meets itself with a chance of one in 64 or more."""
        for family in ("127.0.0.1", "::1"):
            subprocess.run(self.a.command(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40063"]), check=True)
            met = 0
            for _ in range(100):
                records, summary, code = self.scan("-p", "40000-40063", family)
                self.assertEqual(({r["state"] for r in records}, len(records), code), ({"closed"}, 64, 1))
                met += summary["probes"] - summary["retries"] - 64
                if met >= 3:
                    break
            self.assertGreater(met, 0, "the kernel never chose the target's port: the test saw nothing")

    def test_a_listener_in_the_ephemeral_range_is_open_all_the_same(self):
        subprocess.run(self.a.command(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40063"]), check=True)
        for port in (40007, 40030):
            self.serve(self.a, "127.0.0.1", port)
        for _ in range(5):
            records, _, _ = self.scan("-p", "40000-40063", "127.0.0.1")
            self.assertEqual({r["port"] for r in records if r["state"] == "open"}, {40007, 40030})
