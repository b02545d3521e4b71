"""What the network answers, and what we make of it: black holes, prohibitions, resets, dead addresses.

Two hosts joined by a cable (namespaces): `a` runs our program, `b` is what it wants to reach.
"""

import json
import socket

import harness
from harness import DEVNULL, Lab, TestCase, recv_all, run


class Reaching(TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b

    def serve(self, address, port):
        """A listening socket on b."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = self.enterContext(self.b.socket(family))
        sock.bind((address, port))
        sock.listen()
        return sock

    def on_a(self, *words, **options):
        return run(self.a.command(["pier-connect", *map(str, words)]), **options)

    def check(self, address, port=80, *args):
        """The cells of the one row of --check, and the exit code."""
        done = self.on_a("--check", *args, address, port, stdin=DEVNULL)
        self.assertEqual(len(done.lines), 1, done)
        cells = done.lines[0].split("\t")
        self.assertEqual((len(cells), cells[:4]), (8, ["tcp", address, address, str(port)]), done)
        return cells, done.code

    def test_open_and_closed(self):
        for address in (self.b.ip4, self.b.ip6):
            with self.subTest(address=address):
                self.serve(address, 80)
                cells, code = self.check(address)
                self.assertEqual((cells[4], cells[5], code), ("http", "open", 0))
                cells, code = self.check(address, 81)
                self.assertEqual((cells[5], code), ("closed", 1))

    def test_a_black_hole_is_filtered_at_the_end_of_the_timeout(self):
        self.b.drop("tcp dport 80")
        for address in (self.b.ip4, self.b.ip6):
            with self.subTest(address=address):
                cells, code = self.check(address, 80, "--connect-timeout", "300ms")
                self.assertEqual((cells[5], cells[6], code), ("filtered", "no answer", 3))

    def test_a_black_hole_without_check_is_124(self):
        self.b.drop("tcp dport 80")
        done = self.on_a("--connect-timeout", "300ms", self.b.ip4, 80)
        self.assertEqual((done.code, done.out), (124, b""), done)
        self.assertRegex(done.err, rf"\Apier-connect: connect {self.b.ip4}:80: no answer[^\n]*\n\Z")

    def test_a_reset_is_closed(self):
        self.b.reject("tcp dport 80", "tcp reset")
        cells, code = self.check(self.b.ip4)
        self.assertEqual((cells[5], code), ("closed", 1))

    def check_unreachable(self, family, address, icmp, kinds):
        for port, kind in enumerate(kinds, start=100):
            with self.subTest(kind=kind):
                self.b.reject(f"meta nfproto {family} tcp dport {port}", f"{icmp} type {kind}")
                cells, code = self.check(address, port)
                self.assertEqual((cells[5], code), ("filtered", 3), cells)
                self.assertNotIn(cells[6], ("", "-", "no answer"), cells)

    def test_icmp_unreachable_of_each_kind_is_filtered(self):
        self.check_unreachable("ipv4", self.b.ip4, "icmp", ["net-unreachable", "host-unreachable", "admin-prohibited",
                                                            "host-prohibited", "net-prohibited", "prot-unreachable"])

    def test_icmpv6_unreachable_of_each_kind_is_filtered(self):
        self.check_unreachable("ipv6", self.b.ip6, "icmpv6", ["admin-prohibited", "no-route", "addr-unreachable"])

    def test_icmpv6_prohibition_is_named(self):
        self.b.reject("meta nfproto ipv6 tcp dport 80", "icmpv6 type admin-prohibited")
        self.assertIn("prohibited", self.check(self.b.ip6)[0][6])

    def test_a_host_that_is_not_there(self):
        cells, code = self.check("10.77.0.99", 80, "--connect-timeout", "10s")
        self.assertEqual((cells[5], code), ("filtered", 3), cells)

    def test_no_route_at_all(self):
        done = self.on_a("192.0.2.1", 80)
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"\Apier-connect: connect 192\.0\.2\.1:80: [^\n]*unreachable[^\n]*\n\Z")

    def test_json_of_a_filtered_port(self):
        self.b.drop("tcp dport 80")
        done = self.on_a("--check", "--json", "--connect-timeout", "200ms", self.b.ip4, 80, stdin=DEVNULL)
        self.assertEqual(done.code, 3, done)
        states = [r.get("state") for r in map(json.loads, done.lines)]
        self.assertEqual(states, [None, "filtered", None])

    def test_the_worst_of_several_counts(self):
        self.serve(self.b.ip4, 80)
        self.b.drop("tcp dport 81")
        words = [f"{self.b.ip4}:{port}" for port in (80, 81)]
        done = self.on_a("--check", "--connect-timeout", "200ms", *words)
        self.assertEqual(done.code, 3, done)
        done = self.on_a("--check", "--connect-timeout", "200ms", *words, f"{self.b.ip4}:82")
        self.assertEqual(done.code, 1, done)
        self.assertEqual([line.split("\t")[5] for line in done.lines], ["open", "filtered", "closed"])

    def two_addresses(self, port=80):
        """The name "twofold" has an IPv6 address that swallows everything, and an IPv4 address."""
        self.a.hosts(f"{self.b.ip6} twofold\n{self.b.ip4} twofold\n")
        self.b.drop(f"meta nfproto ipv6 tcp dport {port}")

    def test_a_dead_ipv6_address_does_not_keep_us_from_ipv4(self):
        self.two_addresses()
        server = self.serve(self.b.ip4, 80)
        program = self.spawn(self.a.command(["pier-connect", "--explain", "twofold", "80"]), stdin=DEVNULL)
        peer, address = server.accept()
        self.assertEqual(address[0], self.a.ip4)
        with peer:
            peer.sendall(b"over IPv4")
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"over IPv4"), done)
        # The dead one was tried, first.
        self.assertRegex(done.err, rf"(?s)connect[^\n]*\[{self.b.ip6}\]:80.*connect[^\n]*{self.b.ip4}:80")

    def test_every_address_of_a_name_is_told_when_none_answers(self):
        self.two_addresses()
        done = self.on_a("--connect-timeout", "1s", "twofold", 80)
        self.assertIn(done.code, (1, 124), done)
        self.assertRegex(done.err, r"\Apier-connect: connect twofold:80: [^\n]+\n\Z")
        self.assertIn(self.b.ip4, done.err)
        self.assertIn(self.b.ip6, done.err)
        self.assertIn("refused", done.err)

    def test_udp_to_nobody_is_1_and_to_a_black_hole_is_silence(self):
        done = self.on_a("-u", self.b.ip4, 90, stdin="x")
        self.assertEqual(done.code, 1, done)
        self.assertIn("refused", done.err)
        self.b.drop("udp dport 91")
        done = self.on_a("-u", "--reply-timeout", "200ms", self.b.ip4, 91, stdin="x")
        self.assertEqual((done.code, done.out), (0, b""), done)

    def test_udp_prohibited_is_1(self):
        self.b.reject("meta nfproto ipv4 udp dport 92", "icmp type admin-prohibited")
        done = self.on_a("-u", self.b.ip4, 92, stdin="x")
        self.assertEqual(done.code, 1, done)

    def test_the_cable_is_cut_and_nothing_is_invented(self):
        server = self.serve(self.b.ip4, 80)
        program = self.spawn(self.a.command(["pier-connect", "--idle-timeout", "1s", self.b.ip4, "80"]))
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"before")
            program.wait_out(b"before")
            self.b.ip("link", "set", "eth0", "down")
            program.write(b"lost")
            done = program.wait()  # row 18: the user's own deadline is what ends it
        self.assertEqual((done.code, done.out), (124, b"before"), done)

    def test_a_listener_on_an_interface_is_reached_from_outside(self):
        server = self.spawn(self.b.command(["pier-listen", "--public", "90"]), stdin=DEVNULL)
        server.wait_err(r"every interface\)$")
        done = self.on_a(self.b.ip6, 90, stdin="hello")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(server.wait()[:2], (0, b"hello"))
        done_server = self.spawn(self.b.command(["pier-listen", "91"]))
        done_server.wait_err(r"this host only\)$")
        self.assertEqual(self.on_a(self.b.ip4, 91).code, 1)

    def test_link_local_addresses_need_their_zone(self):
        address = self.link_local()
        server = self.enterContext(self.b.socket(socket.AF_INET6))
        server.bind(("::", 80))
        server.listen()
        program = self.spawn(self.a.command(["pier-connect", f"[{address}%eth0]:80"]))
        peer, _ = server.accept()
        program.close_stdin()
        with peer:
            self.assertEqual(recv_all(peer), b"")
        self.assertEqual(program.wait().code, 0)

    def link_local(self):
        def look():
            text = self.b.ip("-6", "-o", "addr", "show", "dev", "eth0", "scope", "link")
            return "inet6 " in text and "tentative" not in text and text.split("inet6 ")[1].split("/")[0]

        return harness.wait_until(look, "a link-local address")
