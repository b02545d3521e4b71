"""pier-listen -u with many peers on one socket: sessions, answers from where they were asked, expiry, relays."""

import json
import os
import signal
import socket

from harness import DEVNULL, TestCase, need_ipv6, run, wait_until


class Udp(TestCase):
    def server(self, *words, **options):
        return self.listen("-u", *words, **options)

    def peer(self, port, host="127.0.0.1", own=None):
        """A socket connected to the server: it hears nobody else, and nothing from another address of it."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        peer = self.enterContext(socket.socket(family, socket.SOCK_DGRAM))
        peer.settimeout(60)
        if own:
            peer.bind((own, 0))
        peer.connect((host, port))
        return peer

    def peers(self, server, count):
        return [self.peer(server.port) for _ in range(count)]

    def records(self, path, kind):
        return [r for r in map(json.loads, path.read_text().splitlines()) if r["type"] == kind]

    def stop(self, server):
        server.signal(signal.SIGTERM)
        done = server.wait()
        self.assertEqual(done.code, 143, done)
        return done


class Answering(Udp):
    def test_echo_for_many_peers_at_once(self):
        server = self.server("-k", "--echo", "0")
        peers = self.peers(server, 200)
        for round_ in range(3):
            for number, peer in enumerate(peers):
                peer.send(b"%d of %d" % (number, round_))
            for number, peer in enumerate(peers):
                self.assertEqual(peer.recv(100), b"%d of %d" % (number, round_))
        self.stop(server)

    def test_echo_keeps_borders_also_of_the_empty_and_the_largest(self):
        server = self.server("-k", "--echo", "0")
        peer = self.peer(server.port)
        for data in (b"", b"x", b"", b"y" * 65507):
            peer.send(data)
            self.assertEqual(peer.recv(1 << 16), data)

    def test_echo_without_k_is_for_the_first_alone(self):
        server = self.server("--echo", "--idle-timeout", "300ms", "127.0.0.1:0")
        first, second = self.peers(server, 2)
        first.send(b"one")
        self.assertEqual(first.recv(10), b"one")
        second.send(b"two")
        first.send(b"three")
        self.assertEqual(first.recv(10), b"three")
        self.assertEqual(server.wait().code, 124)
        second.setblocking(False)
        self.assertRaises(OSError, second.recv, 10)

    def test_discard_answers_nothing_and_counts(self):
        events = self.tmp() / "events"
        server = self.server("-k", "--discard", "--events", events, "127.0.0.1:0")
        peers = self.peers(server, 3)
        for peer in peers:
            peer.send(b"12345")
        wait_until(lambda: len(self.records(events, "datagram")) == 3, "three datagrams")
        self.stop(server)
        for record in self.records(events, "closed"):
            self.assertEqual((record["bytes_in"], record["bytes_out"]), (5, 0))

    def test_unix_datagrams(self):
        path = self.tmp() / "s"
        server = self.listen("-k", "--echo", f"unix-dgram:{path}")
        for name in ("\0pier-test-%d-%d" % (os.getpid(), i) for i in range(3)):
            peer = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            peer.settimeout(60)
            peer.bind(name)
            peer.connect(str(path))
            peer.send(name.encode())
            self.assertEqual(peer.recv(100), name.encode())
        self.stop(server)

    def test_a_peer_that_has_gone_is_no_matter_of_the_others(self):
        server = self.server("-k", "--echo", "0")
        for _ in range(20):  # an ICMP error for each
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
                gone.sendto(b"x", ("127.0.0.1", server.port))
        peer = self.peer(server.port)
        peer.send(b"still here")
        self.assertEqual(peer.recv(20), b"still here")


class WhereFrom(Udp):
    """A socket on every interface answers from the address that was written to, not from the route's."""

    def asked(self, server, *hosts):
        for host in hosts:
            peer = self.peer(server.port, host)
            peer.send(host.encode())
            yield peer, host

    def test_echo(self):
        server = self.server("-k", "--echo", ":0")
        for peer, host in self.asked(server, "127.0.0.1", "127.0.0.2", "127.1.2.3"):
            self.assertEqual(peer.recv(100).decode(), host)

    def test_one_peer_that_writes_to_two_addresses_is_answered_from_both(self):
        events = self.tmp() / "events"
        server = self.server("-k", "--echo", "--events", events, ":0")
        peer = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        peer.settimeout(60)
        for host in ("127.0.0.1", "127.0.0.9"):
            peer.sendto(b"x", (host, server.port))
            self.assertEqual(peer.recvfrom(10)[1], (host, server.port))
        self.assertEqual([r["local_addr"] for r in self.records(events, "connected")], ["127.0.0.1", "127.0.0.9"])

    def test_stdin_with_one_peer_and_with_many(self):
        for words in ([], ["-k"]):
            server = self.server(*words, ":0")
            for peer, host in self.asked(server, "127.0.0.5"):
                server.wait_out(host.encode())
                server.write(b"answer")
                self.assertEqual(peer.recv(100), b"answer")
                peer.send(b" again")
                server.wait_out(b"again")

    def test_exec(self):
        for words in ([], ["-k"]):
            server = self.server(*words, ":0", "-c", 'read x; echo "$PIER_LOCAL_ADDR $x"')
            for peer, host in self.asked(server, "127.0.0.5"):
                peer.send(b"\n")
                self.assertEqual(peer.recv(100).decode(), f"{host} {host}\n")

    def test_to(self):
        target = self.server("-k", "--echo", "127.0.0.1:0")
        server = self.server("-k", ":0", "--to", f"127.0.0.1:{target.port}")
        for peer, host in self.asked(server, "127.0.0.1", "127.0.0.7"):
            self.assertEqual(peer.recv(100).decode(), host)

    def test_ipv6(self):
        need_ipv6()
        server = self.server("-k", "--echo", ":0")
        for peer, host in self.asked(server, "::1"):
            self.assertEqual(peer.recv(100).decode(), host)


class Sessions(Udp):
    def test_events_have_each_datagrams_sender_and_size(self):
        for words in ([], ["--echo"], ["--exec", "--", "cat"]):
            events = self.tmp() / f"events{len(words)}"
            server = self.server("-k", "--events", events, "127.0.0.1:0", *words)
            peers = self.peers(server, 3)
            for number, peer in enumerate(peers * 2):
                peer.send(b"x" * number)
            wait_until(lambda: len(self.records(events, "datagram")) == 6, "six datagrams")
            self.assertEqual([(r["remote_addr"], r["remote_port"], r["bytes"]) for r in self.records(events, "datagram")],
                             [("127.0.0.1", peer.getsockname()[1], n) for n, peer in enumerate(peers * 2)])

    def test_silence_ends_a_peer_and_not_the_server(self):
        for words in ([], ["--echo"], ["--exec", "--", "cat"]):
            events = self.tmp() / f"events{len(words)}"
            server = self.server("-k", "--idle-timeout", "100ms", "--events", events, "127.0.0.1:0", *words)
            for _ in range(2):
                peer = self.peer(server.port)
                peer.send(b"x")
                count = len(self.records(events, "closed"))
                wait_until(lambda: len(self.records(events, "closed")) > count, "the end of the session")
            self.assertIn("no datagram either way", self.records(events, "closed")[0]["error"])
            self.assertTrue(server.running())
            wait_until(lambda: not server.children(), "no program")

    def test_who_goes_on_writing_is_not_idle(self):
        events = self.tmp() / "events"
        server = self.server("-k", "--echo", "--idle-timeout", "2s", "--events", events, "127.0.0.1:0")
        lively, silent = self.peers(server, 2)
        silent.send(b"x")

        def closed():
            lively.send(b"x")
            lively.recv(10)
            return self.records(events, "closed")

        wait_until(closed, "the silent one's end")
        self.assertEqual([r["remote_port"] for r in self.records(events, "closed")], [silent.getsockname()[1]])
        self.assertEqual(len(self.records(events, "connected")), 2)

    def test_the_default_is_in_the_help(self):
        self.assertRegex(run(["pier-listen", "--help"]).text, r"--idle-timeout(.|\n)*-u -k: 2m")

    def test_more_peers_than_are_remembered(self):
        events = self.tmp() / "events"
        server = self.server("-k", "--echo", "--events", events, "127.0.0.1:0")
        sockets = []
        for number in range(4200):  # one after another from 4,200 addresses
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.settimeout(60)
                peer.bind((f"127.1.{number // 200}.{number % 200 + 1}", 0))
                peer.sendto(b"%d" % number, ("127.0.0.1", server.port))
                self.assertEqual(peer.recv(10), b"%d" % number)
                sockets.append(peer.getsockname())
        closed = self.records(events, "closed")
        self.assertEqual(len(closed), 4200 - 4096)
        self.assertEqual([r["remote_addr"] for r in closed], [host for host, _ in sockets[:104]])
        self.stop(server)


    def test_a_peers_program_has_no_descriptor_but_its_three(self):
        server = self.server("-k", "127.0.0.1:0", "--exec", "--", "ls", "/proc/self/fd")
        for peer in self.peers(server, 3):  # while the others' are still known
            peer.send(b"x")
            self.assertEqual(peer.recv(100).split(), [b"0", b"1", b"2", b"3"])  # 3: the folder


class Relay(Udp):
    def test_each_peer_has_a_socket_of_its_own(self):
        target = self.raw_listener(kind=socket.SOCK_DGRAM)
        server = self.server("-k", "127.0.0.1:0", "--to", f"udp://127.0.0.1:{target.getsockname()[1]}")
        peers = self.peers(server, 50)
        for number, peer in enumerate(peers):
            peer.send(b"%d" % number)
        seen = {}
        for _ in peers:
            data, sender = target.recvfrom(100)
            seen[data] = sender
        self.assertEqual(len(set(seen.values())), 50)
        for data, sender in reversed(seen.items()):
            target.sendto(b"answer to " + data, sender)
        for number, peer in enumerate(peers):
            self.assertEqual(peer.recv(100), b"answer to %d" % number)
        self.stop(server)

    def test_a_target_that_refuses_ends_the_session_and_the_next_datagram_tries_again(self):
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        events = self.tmp() / "events"
        server = self.server("-k", "--events", events, "127.0.0.1:0", "--to", f"127.0.0.1:{port}")
        peer = self.peer(server.port)
        peer.send(b"lost")
        wait_until(lambda: self.records(events, "closed"), "the refusal")
        self.assertIn("refused", self.records(events, "closed")[0]["error"])
        target = self.raw_listener(kind=socket.SOCK_DGRAM, address=("127.0.0.1", port))
        peer.send(b"found")
        self.assertEqual(target.recv(10), b"found")

    def test_without_k_a_target_that_refuses_is_1(self):
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        server = self.server("127.0.0.1:0", "--to", f"127.0.0.1:{port}")
        self.peer(server.port).send(b"x")
        done = server.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("refused", done.err)

    def test_udp_to_unix_datagrams_and_back(self):
        path = self.tmp() / "s"
        target = self.listen("-k", "--echo", f"unix-dgram:{path}")
        server = self.server("-k", "127.0.0.1:0", "--to", f"unix-dgram:{path}")
        for number, peer in enumerate(self.peers(server, 5)):
            peer.send(b"%d" % number)
            self.assertEqual(peer.recv(10), b"%d" % number)
        self.assertTrue(target.running())

    def test_idle_sessions_give_their_sockets_back(self):
        target = self.server("-k", "--echo", "127.0.0.1:0")
        server = self.server("-k", "--idle-timeout", "200ms", "127.0.0.1:0", "--to", f"127.0.0.1:{target.port}")
        before = len(server.fds_at_rest())
        for peer in self.peers(server, 20):
            peer.send(b"x")
            peer.recv(10)
        wait_until(lambda: len(server.fds()) == before, "no descriptor left")

    def test_what_does_not_fit_is_refused(self):
        for words in (["-u", "0", "--to", "tcp://db:1"], ["-u", "0", "--to", "vsock:2:1"],
                      ["-u", "0", "--to", "tls://db:1"], ["0", "--to", "udp://db:1"]):
            self.assert_usage_error(run(["pier-listen", *words], stdin=DEVNULL), "--to")


class Join(Udp):
    def test_what_is_no_group_is_refused(self):
        for group in ("10.0.0.1", "x", "", "239.1.2.3%", "%eth0", "::1", "ff02::1", "ff01::1", "239.1.2.3/8"):
            self.assert_usage_error(run(["pier-listen", "-u", "--join", group, "0"], stdin=DEVNULL), group)

    def test_what_does_not_go_together_is_refused(self):
        for words in (["--join", "239.1.2.3", "0"], ["-u", "-6", "--join", "239.1.2.3", "0"],
                      ["-u", "--join", "239.1.2.3", "127.0.0.1:0"], ["-u", "-U", "--join", "239.1.2.3", "x"]):
            self.assert_usage_error(run(["pier-listen", *words], stdin=DEVNULL), "239.1.2.3")

    def test_an_interface_that_is_not_there_is_2(self):
        for group in ("239.1.2.3%nosuch0", "ff02::1%nosuch0"):
            done = run(["pier-listen", "-u", "--join", group, "0"], stdin=DEVNULL)
            self.assertEqual(done.code, 2, done)
            self.assertIn("nosuch0", done.err)

    def test_a_group_on_the_loopback_interface(self):
        server = self.server("-k", "--echo", "--join", "239.9.8.7%lo", "--port-file", self.tmp() / "port", "0")
        peer = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        peer.settimeout(60)
        peer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        peer.sendto(b"anybody?", ("239.9.8.7", server.port))
        self.assertEqual(peer.recvfrom(100), (b"anybody?", ("127.0.0.1", server.port)))
