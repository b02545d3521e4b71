"""pier-listen -u on a host with several addresses; groups of both families; broadcast."""

import json
import socket

from harness import Lab, TestCase, wait_until


class Server(TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b

    def listen_on_b(self, *words, ready="listening"):
        events = self.tmp() / "events"
        server = self.spawn(self.b.command(["pier-listen", "-u", "-k", "--events", events, *words]))
        server.wait_err(ready)
        return server, events

    def peer(self, family=socket.AF_INET):
        peer = self.enterContext(self.a.socket(family, socket.SOCK_DGRAM))
        peer.settimeout(60)
        return peer

    def records(self, path, kind):
        return [r for r in map(json.loads, path.read_text().splitlines()) if r["type"] == kind]

    def test_answers_leave_from_the_address_written_to(self):
        for host in ("10.77.0.20", "10.77.0.30"):
            self.b.ip("addr", "add", f"{host}/24", "dev", "eth0")
        for host in ("fd77::20", "fd77::30"):
            self.b.ip("addr", "add", f"{host}/64", "dev", "eth0", "nodad")
        for words in (["--echo"], ["--exec", "--", "cat"], ["--to", "127.0.0.1:7001"]):
            with self.subTest(words=words):
                if words[0] == "--to":
                    self.listen_on_b("127.0.0.1:7001", "--echo")
                server, _ = self.listen_on_b(":7000", *words)
                for host in ("10.77.0.30", self.b.ip4, "10.77.0.20"):
                    peer = self.peer()
                    peer.sendto(host.encode(), (host, 7000))
                    self.assertEqual(peer.recvfrom(100), (host.encode(), (host, 7000)))
                for host in ("fd77::30", self.b.ip6, "fd77::20"):
                    peer = self.peer(socket.AF_INET6)
                    peer.sendto(host.encode(), (host, 7000))
                    data, sender = peer.recvfrom(100)
                    self.assertEqual((data.decode(), sender[:2]), (host, (host, 7000)))
                server.__exit__()

    def test_the_only_peer_too(self):
        self.b.ip("addr", "add", "10.77.0.30/24", "dev", "eth0")
        server = self.spawn(self.b.command(["pier-listen", "-u", ":7000"]))
        server.wait_err("listening")
        peer = self.peer()
        peer.connect(("10.77.0.30", 7000))
        peer.send(b"question")
        server.wait_out(b"question")
        server.write(b"answer")
        self.assertEqual(peer.recv(10), b"answer")

    def test_link_local(self):
        address = next(line.split()[1].split("/")[0] for line in self.b.ip("-6", "addr", "show", "eth0").splitlines()
                       if "fe80" in line)
        self.listen_on_b(":7000", "--echo")
        peer = self.peer(socket.AF_INET6)
        index = int(self.a.ip("-o", "link", "show", "eth0").split(":")[0])
        peer.sendto(b"near", (address, 7000, 0, index))
        data, sender = peer.recvfrom(10)
        self.assertEqual((data, sender[0].split("%")[0]), (b"near", address))

    def test_a_group_of_ipv4(self):
        _, events = self.listen_on_b("--join", "239.1.2.3%eth0", "--echo", "7000", ready="239.1.2.3:7000")
        self.a.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
        peer = self.peer()
        peer.sendto(b"who?", ("239.1.2.3", 7000))
        self.assertEqual(peer.recvfrom(10), (b"who?", (self.b.ip4, 7000)))
        record = self.records(events, "datagram")[0]
        self.assertEqual((record["remote_addr"], record["bytes"]), (self.a.ip4, 4))
        self.assertEqual(self.records(events, "connected")[0]["local_addr"], "239.1.2.3")

    def test_groups_of_both_families_on_one_port(self):
        self.listen_on_b("--join", "239.1.2.3%eth0", "--join", "ff02::4242%eth0", "--join", "239.1.2.4%eth0", "--echo",
                         "7000")
        self.a.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
        index = int(self.a.ip("-o", "link", "show", "eth0").split(":")[0])
        for group in ("239.1.2.4", "239.1.2.3"):
            peer = self.peer()
            peer.sendto(group.encode(), (group, 7000))
            self.assertEqual(peer.recvfrom(100), (group.encode(), (self.b.ip4, 7000)))
        peer = self.peer(socket.AF_INET6)
        peer.sendto(b"six", ("ff02::4242", 7000, 0, index))
        self.assertEqual(peer.recv(10), b"six")

    def test_the_group_alone_is_heard_unless_more_is_asked_for(self):
        server, events = self.listen_on_b("--join", "239.1.2.3%eth0", "--echo", "7000")
        self.a.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
        peer = self.peer()
        peer.connect((self.b.ip4, 7000))
        peer.send(b"x")
        self.assertRaises(ConnectionRefusedError, peer.recv, 10)
        server.__exit__()
        _, events = self.listen_on_b("--join", "239.1.2.3%eth0", "--echo", ":7000")
        for host in (self.b.ip4, "239.1.2.3"):
            peer = self.peer()
            peer.sendto(b"x", (host, 7000))
            self.assertEqual(peer.recvfrom(10), (b"x", (self.b.ip4, 7000)))
        self.assertEqual([r["local_addr"] for r in self.records(events, "connected")], [self.b.ip4, "239.1.2.3"])

    def test_a_group_that_another_program_has_joined_is_not_heard(self):
        other = self.enterContext(self.b.socket(socket.AF_INET, socket.SOCK_DGRAM))
        index = int(self.b.ip("-o", "link", "show", "eth0").split(":")[0]).to_bytes(4, "little")
        other.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.5.5.5") + b"\0" * 4 + index)
        _, events = self.listen_on_b("--join", "239.1.2.3%eth0", "--echo", ":7000")
        self.a.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
        peer = self.peer()
        peer.sendto(b"other", ("239.5.5.5", 7000))
        peer.sendto(b"ours", ("239.1.2.3", 7000))
        self.assertEqual(peer.recv(10), b"ours")
        self.assertEqual(len(self.records(events, "datagram")), 1)

    def test_broadcast_is_heard_and_answered_from_our_own_address(self):
        _, events = self.listen_on_b("--echo", ":7000")
        peer = self.peer()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        peer.sendto(b"all", ("10.77.0.255", 7000))
        self.assertEqual(peer.recvfrom(10), (b"all", (self.b.ip4, 7000)))
        wait_until(lambda: self.records(events, "connected"), "the record")
        self.assertEqual(self.records(events, "connected")[0]["local_addr"], "10.77.0.255")
