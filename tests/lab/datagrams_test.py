"""pier-connect -u to groups and broadcast addresses, and what ICMP says of datagrams."""

import json
import socket
import struct

from harness import Lab, TestCase, run

IP_RECVTTL = 12  # <linux/in.h>


class Many(TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b

    def server(self, family, address):
        server = self.enterContext(self.b.socket(family, socket.SOCK_DGRAM))
        server.bind((address, 5353))
        return server

    def ask(self, server, own, *words):
        """Sends "who?" with these words; b answers from its own address. The events and the Done."""
        path = self.tmp() / "events"
        program = self.spawn(self.a.command(["pier-connect", "-u", "--replies", "1", "--events", path, *words]))
        program.write(b"who?")
        data, client = server.recvfrom(100)
        self.assertEqual(data, b"who?")
        server.sendto(b"me", client)
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"me"), done)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        sender = next(r for r in records if r["type"] == "datagram")
        self.assertEqual((sender["remote_addr"], sender["remote_port"]), (own, 5353))
        return done

    def test_broadcast(self):
        server = self.server(socket.AF_INET, "0.0.0.0")
        self.ask(server, self.b.ip4, "10.77.0.255:5353")
        self.ask(server, self.b.ip4, "--interface", "eth0", "255.255.255.255:5353")

    def test_multicast(self):
        server = self.server(socket.AF_INET, "0.0.0.0")
        self.a.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
        index = struct.pack("=I", int(self.b.ip("-o", "link", "show", "eth0").split(":")[0]))
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + b"\0" * 4 + index)
        server.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        self.ask(server, self.b.ip4, "239.1.2.3:5353")
        self.ask(server, self.b.ip4, "--source", f"{self.a.ip4}:4000", "239.1.2.3:5353")

    def test_the_ttl_of_multicast(self):
        server = self.server(socket.AF_INET, "0.0.0.0")
        self.a.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
        index = struct.pack("=I", int(self.b.ip("-o", "link", "show", "eth0").split(":")[0]))
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + b"\0" * 4 + index)
        server.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        for words, ttl in (([], 1), (["--ttl", "7"], 7)):
            done = run(self.a.command(["pier-connect", "-u", *words, "--reply-timeout", "1ms", "239.1.2.3:5353"]), stdin="x")
            self.assertEqual(done.code, 0, done)
            _, extra, _, _ = server.recvmsg(10, 100)
            self.assertEqual(struct.unpack("i", extra[0][2])[0], ttl)

    def test_multicast_over_ipv6_by_interface(self):
        server = self.server(socket.AF_INET6, "::")
        index = int(self.b.ip("-o", "link", "show", "eth0").split(":")[0])
        group = socket.inet_pton(socket.AF_INET6, "ff02::4242") + struct.pack("=I", index)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        path = self.tmp() / "events"
        program = self.spawn(self.a.command(["pier-connect", "-u", "--replies", "1", "--events", path,
                                             "[ff02::4242%eth0]:5353"]))
        program.write(b"who?")
        data, client = server.recvfrom(100)
        server.sendto(b"me", client)
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"me"), done)
        self.assertIn('"type":"datagram"', path.read_text())

    def test_icmp_of_each_kind_ends_a_session_and_is_named(self):
        for port, kind, code in ((100, "host-unreachable", 1), (101, "admin-prohibited", 13), (102, "net-unreachable", 0)):
            self.b.reject(f"meta nfproto ipv4 udp dport {port}", f"icmp type {kind}")
            done = run(self.a.command(["pier-connect", "-u", self.b.ip4, str(port)]), stdin="x")
            self.assertEqual(done.code, 1, done)
            self.assertIn(f"icmp 3/{code}", done.err)

    def test_icmp_of_each_kind_is_told_by_check(self):
        for port, kind, code in ((100, "host-unreachable", 1), (101, "admin-prohibited", 13)):
            self.b.reject(f"meta nfproto ipv4 udp dport {port}", f"icmp type {kind}")
            done = run(self.a.command(["pier-connect", "--check", "-u", self.b.ip4, str(port)]))
            cells = done.text.split("\t")
            self.assertEqual((done.code, cells[5]), (3, "filtered"), done)
            self.assertIn(f"icmp 3/{code}", cells[6])
        done = run(self.a.command(["pier-connect", "--check", "-u", self.b.ip4, "103"]))
        self.assertEqual((done.code, *done.text.split("\t")[5:7]), (1, "closed", "port unreachable"), done)
