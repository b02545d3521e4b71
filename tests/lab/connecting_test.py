"""How pier-connect goes out: from which address, port and interface, by which protocol, and what it says of it."""

import contextlib
import json
import pathlib
import select
import socket
import struct
import threading
import time

from harness import DEVNULL, Lab, TestCase, recv_exactly, reset, run, wait_until

IPPROTO_MPTCP = 262
TCPI_OPT_SYN_DATA = 0x20  # <linux/tcp.h>: the SYN carried data that was acknowledged


class Connecting(TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b

    def serve(self, port=80, host=None, proto=0, address=None, fast_open=False):
        host = host or self.b
        sock = self.enterContext(host.socket(proto=proto))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if fast_open:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        sock.bind((address or host.ip4, port))
        sock.listen()
        return sock

    def start(self, *words, **options):
        return self.spawn(self.a.command(["pier-connect", *map(str, words)]), **options)

    def on_a(self, *words, **options):
        return run(self.a.command(["pier-connect", *map(str, words)]), **options)

    # Events.

    def test_events_tell_what_became_of_each_address(self):
        self.a.hosts(f"{self.b.ip6} twofold\n{self.b.ip4} twofold\n")
        self.b.drop("meta nfproto ipv6 tcp dport 80")
        server, path = self.serve(), self.tmp() / "events"
        program = self.start("--events", path, "twofold", 80, stdin=DEVNULL)
        server.accept()[0].close()
        self.assertEqual(program.wait().code, 0)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        told = {(r["addr"], r["port"], r["result"]) for r in records if r["type"] == "attempt"}
        self.assertEqual(told, {(self.b.ip6, 80, "overtaken"), (self.b.ip4, 80, "connected")})

    def test_events_and_the_error_name_the_icmp_message(self):
        self.b.reject("meta nfproto ipv4 tcp dport 80", "icmp type admin-prohibited")
        path = self.tmp() / "events"
        done = self.on_a("--events", path, self.b.ip4, 80)
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, rf"\Apier-connect: connect {self.b.ip4}:80: [^\n]*icmp 3/13 "
                                   r"\(administratively prohibited\)\n\Z")
        record = next(r for r in map(json.loads, path.read_text().splitlines()) if r["type"] == "attempt")
        self.assertEqual(record["result"], "failed")
        self.assertIn("icmp 3/13", record["reason"])

    def test_an_icmp_message_ends_no_connection(self):
        server = self.serve()
        program = self.start(self.b.ip4, 80)
        peer = self.accept(server)
        self.b.reject("meta nfproto ipv4 tcp dport 80", "icmp type host-unreachable")
        program.write(b"lost once")
        wait_until(lambda: self.unreachables() > 0, "the ICMP message")
        self.b.nft("flush ruleset\n")
        self.assertEqual(recv_exactly(peer, 9), b"lost once")
        peer.close()
        self.assertEqual(program.wait().code, 0)

    def unreachables(self):
        """How many ICMP destination unreachable messages host a has received."""
        text = run(self.a.command(["cat", "/proc/net/snmp"])).text
        names, values = [line.split() for line in text.splitlines() if line.startswith("Icmp:")]
        return int(values[names.index("InDestUnreachs")])

    # Ports.

    def take_ports(self, server, first, last):
        """Has both ports of a narrow range in use towards the server; the sockets' other ends."""
        self.a.sysctl("net/ipv4/ip_local_port_range", f"{first} {last}")
        held = []
        for _ in range(first, last + 1):
            self.enterContext(self.a.socket()).connect(server.getsockname())
            held.append(self.accept(server))
        return held

    def test_without_a_free_port_it_is_a_fault_of_this_host(self):
        self.take_ports(self.serve(), 40000, 40001)
        for words in ([], ["--source", self.a.ip4]):
            with self.subTest(words=words):
                done = self.on_a(*words, self.b.ip4, 80)
                self.assertEqual(done.code, 2, done)
                self.assertRegex(done.err, rf"\Apier-connect: connect {self.b.ip4}:80: no port [^\n]*is free towards it: "
                                           r"all of 40000-40001 [^\n]*\n\Z")

    def test_a_port_that_comes_free_is_taken(self):
        server = self.serve()
        held = self.take_ports(server, 40000, 40001)
        program = self.start("--explain", "--source", self.a.ip4, self.b.ip4, 80, stdin=DEVNULL)
        program.wait_err("no local port is free now; trying again")
        reset(held[0])
        self.accept(server).close()
        self.assertEqual(program.wait().code, 0)

    def test_the_same_source_port_again_after_time_wait(self):
        """Our own end closed first, so that the pair of ports is in TIME_WAIT: nc -p fails here."""
        server = self.serve()
        self.a.sysctl("net/ipv4/tcp_tw_reuse", 1)
        for _ in range(2):
            program = self.start("--source", f"{self.a.ip4}:40007", self.b.ip4, 80, stdin=DEVNULL)
            peer = self.accept(server)
            self.assertEqual(peer.getpeername(), (self.a.ip4, 40007))
            self.assertEqual(peer.recv(1), b"")  # ours ends first
            peer.close()
            self.assertEqual(program.wait().code, 0)

    # Interfaces.

    def test_an_interface_is_kept_to(self):
        server = self.serve()
        program = self.start("--explain", "--interface", "eth0", self.b.ip4, 80, stdin=DEVNULL)
        self.accept(server).close()
        done = program.wait()
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.err, r"(?m)^setsockopt +SO_BINDTODEVICE eth0: ")
        done = self.on_a("--connect-timeout", "300ms", "--interface", "lo", self.b.ip4, 80)
        self.assertIn(done.code, (1, 124), done)

    def test_an_interface_is_kept_to_by_datagrams(self):
        server = self.enterContext(self.b.socket(kind=socket.SOCK_DGRAM))
        server.bind((self.b.ip4, 80))
        program = self.start("-u", "--reply-timeout", "10ms", "--interface", "eth0", self.b.ip4, 80, stdin=DEVNULL)
        self.assertEqual(program.wait().code, 0)
        program = self.start("-u", "--interface", "eth0", self.b.ip4, 80)
        program.write(b"x")
        self.assertEqual(server.recvfrom(10)[0], b"x")

    def test_an_interface_that_is_not_there_is_exit_2(self):
        for words in ([self.b.ip4, 80], ["-u", self.b.ip4, 80], ["--check", self.b.ip4, 80]):
            done = self.on_a("--interface", "wlan7", *words)
            self.assertEqual(done.code, 2, done)
            self.assertIn("interface 'wlan7': no such interface; this host has lo eth0", done.err)

    # Protocols.

    def test_mptcp_says_whether_the_peer_has_it(self):
        for proto, says in ((IPPROTO_MPTCP, r"connected in [^\n]* by MPTCP;"),
                            (0, r"connected in [^\n]* by plain TCP: the peer has no MPTCP;")):
            with self.subTest(proto=proto), self.serve(8000 + proto, proto=proto) as server:
                program = self.start("--mptcp", "--explain", self.b.ip4, 8000 + proto)
                peer = self.accept(server)
                program.write(b"over several paths")
                self.assertEqual(recv_exactly(peer, 18), b"over several paths")
                program.close_stdin()
                peer.sendall(b"ok")
                peer.close()
                done = program.wait()
                self.assertEqual((done.code, done.out), (0, b"ok"), done)
                self.assertRegex(done.err, says)

    def test_a_kernel_without_mptcp_is_exit_2(self):
        self.a.sysctl("net/mptcp/enabled", 0)
        done = self.on_a("--mptcp", self.b.ip4, 80)
        self.assertEqual(done.code, 2, done)
        self.assertIn("socket MPTCP: this kernel has no Multipath TCP", done.err)

    def syn_carried_data(self, peer):
        return struct.unpack("BBBBBBBB", peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8))[5] & TCPI_OPT_SYN_DATA

    def test_fast_open_sends_data_with_the_syn_to_a_server_it_knows(self):
        self.b.sysctl("net/ipv4/tcp_fastopen", 3)
        server = self.serve(fast_open=True)
        for known in (False, True):
            program = self.start("--fastopen", "--explain", self.b.ip4, 80, stdin=(self.tmp_file(b"question")))
            peer = self.accept(server)
            self.assertEqual(recv_exactly(peer, 8), b"question")
            self.assertEqual(bool(self.syn_carried_data(peer)), known)
            peer.sendall(b"answer")
            peer.close()
            done = program.wait()
            self.assertEqual((done.code, done.out), (0, b"answer"), done)

    def tmp_file(self, data):
        path = self.tmp() / "in"
        path.write_bytes(data)
        return self.enterContext(path.open("rb"))

    def test_fast_open_to_a_server_that_speaks_first(self):
        self.b.sysctl("net/ipv4/tcp_fastopen", 3)
        server = self.serve(fast_open=True)
        for stdin in (DEVNULL, None, None, DEVNULL):
            program = self.start("--fastopen", self.b.ip4, 80, **({"stdin": stdin} if stdin else {}))
            peer = self.accept(server)
            peer.sendall(b"220 welcome")
            program.wait_out(b"welcome")
            if not stdin:
                program.write(b"QUIT")
                self.assertEqual(recv_exactly(peer, 4), b"QUIT")
            peer.close()
            self.assertEqual(program.wait().code, 0)

    def test_fast_open_to_a_server_that_has_gone(self):
        self.b.sysctl("net/ipv4/tcp_fastopen", 3)
        with self.serve(fast_open=True) as server:
            program = self.start("--fastopen", self.b.ip4, 80, stdin=DEVNULL)
            self.accept(server).close()
            self.assertEqual(program.wait().code, 0)
        done = self.on_a("--fastopen", self.b.ip4, 80, stdin="question")
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("refused", done.err)


class SlowNames(TestCase):
    """A name server that takes its time, on host a itself."""

    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b
        folder = pathlib.Path("/etc/netns") / self.a.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30\n")
        self.server = self.enterContext(self.a.socket(kind=socket.SOCK_DGRAM))
        self.server.bind(("127.0.0.1", 53))

    def answer(self, query, client):
        """An A record for the lab's host b; nothing for other types."""
        kind = query[query.index(b"\0", 12) + 1:][:2]
        end = query.index(b"\0", 12) + 5
        record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(self.b.ip4)
        found = kind == b"\0\1"
        header = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
        self.server.sendto(header + query[12:end] + (record if found else b""), client)

    def test_a_slow_look_up_is_not_cut_by_the_second_of_an_attempt(self):
        listener = self.enterContext(self.b.socket())
        listener.bind((self.b.ip4, 80))
        listener.listen()
        program = self.spawn(self.a.command(["pier-connect", "--wait", "60s", "slow.example", "80"]), stdin=DEVNULL)
        begun = time.monotonic()
        query = self.server.recvfrom(512)
        while time.monotonic() < begun + 1.2:  # the point of it: longer than an attempt may take
            select.select([], [], [], 0.05)
        self.answer(*query)
        answering = threading.Thread(target=self.answer_all, daemon=True)
        answering.start()
        self.accept(listener).close()
        self.assertEqual(program.wait().code, 0)

    def answer_all(self):
        with contextlib.suppress(OSError):
            while True:
                self.answer(*self.server.recvfrom(512))

    def test_a_connect_timeout_bounds_the_look_up_too(self):
        done = run(self.a.command(["pier-connect", "--connect-timeout", "100ms", "slow.example", "80"]))
        self.assertEqual((done.code, done.err), (124, "pier-connect: resolve slow.example: no answer in 0.10 s\n"))
