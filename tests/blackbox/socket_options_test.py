"""--sndbuf --rcvbuf --mss --nodelay --congestion --keepalive --tos: what the kernel has, and what the peer sees."""

import json
import socket
import subprocess
import sys

from harness import DEVNULL, TestCase, need_ipv6, need_program, run

NO_SUCH = "no-such-thing"


def established(side, port):
    """What ss(8) tells of the connection whose `side` ("sport" or "dport") is `port`: one string."""
    ss = need_program("ss")
    told = subprocess.run([ss, "-H", "-t", "-n", "-i", "-m", "-o", "--tos", "-O", "state", "established",
                           f"( {side} = :{port} )"], capture_output=True, text=True, check=True)
    return told.stdout


class Connect(TestCase):
    def kernel_view(self, *options):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        self.connect(*options, "127.0.0.1", port)
        peer = self.accept(listener)
        return established("dport", port), peer

    def test_every_option_is_in_force(self):
        view, _ = self.kernel_view("--sndbuf", "64k", "--rcvbuf", "32k", "--congestion", "reno", "--keepalive",
                                   "--tos", "16")
        for text in ("tb131072", "rb65536", " reno ", "timer:(keepalive", "tos:0x10"):
            self.assertIn(text, view)

    def test_the_peer_sends_segments_no_larger_than_mss(self):
        _, peer = self.kernel_view("--mss", "1000")
        sends = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        self.assertIn(sends, range(1000 - 40, 1001))  # less TCP's own options

    def test_udp_datagrams_carry_the_mark(self):
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        self.connect("-u", "--tos", "184", "127.0.0.1", server.getsockname()[1]).write(b"marked")
        data, ancillary, _, _ = server.recvmsg(100, 100)
        self.assertEqual((data, [value[0] for _, kind, value in ancillary if kind == socket.IP_TOS]),
                         (b"marked", [184]))

    def test_ipv6_has_its_traffic_class(self):
        need_ipv6()
        server = self.raw_listener(socket.AF_INET6, socket.SOCK_DGRAM)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        self.connect("-u", "--tos", "184", "::1", server.getsockname()[1]).write(b"marked")
        _, ancillary, _, _ = server.recvmsg(100, 100)
        self.assertEqual([int.from_bytes(value, sys.byteorder) for _, kind, value in ancillary
                          if kind == socket.IPV6_TCLASS], [184])

    def test_explain_tells_what_the_kernel_took(self):
        listener = self.raw_listener()
        events = self.tmp() / "events"
        program = self.connect("--explain", "--events", events, "--sndbuf", "64k", "--nodelay", "--tos", "255",
                               "127.0.0.1", listener.getsockname()[1], stdin=DEVNULL)
        self.accept(listener).close()
        done = program.wait()
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.err, r"(?m)^setsockopt SO_SNDBUF 65536 B: the kernel took 131072 B")
        self.assertRegex(done.err, r"(?m)^setsockopt TCP_NODELAY 1$")
        self.assertRegex(done.err, r"(?m)^setsockopt IP_TOS 255: the kernel took 252$")
        steps = {r["option"]: r for r in map(json.loads, events.read_text().splitlines())
                 if r["type"] == "step" and r["call"] == "setsockopt"}
        self.assertEqual((steps["IP_TOS"]["value"], steps["IP_TOS"]["kernel_value"]), ("255", "252"))

    def test_options_are_set_before_connecting(self):
        listener = self.raw_listener()
        done = run(["pier-connect", "--explain", "--rcvbuf", "64k", "--mss", "500", "--check", "127.0.0.1",
                    listener.getsockname()[1]], stdin=DEVNULL)
        calls = [line.split()[0] for line in done.err.splitlines()]
        self.assertEqual(calls, ["socket", "setsockopt", "setsockopt", "connect"], done)

    def test_an_unknown_congestion_control_names_those_there_are(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        for command in (["pier-connect", "127.0.0.1", port], ["pier-listen", "0"]):
            with self.subTest(command=command):
                done = run([*command, "--congestion", NO_SUCH], stdin=DEVNULL)
                self.assert_usage_error(done, f"'{NO_SUCH}'", "available: ", "reno")

    def test_a_buffer_that_the_host_cuts_is_said(self):
        with open("/proc/sys/net/core/wmem_max") as limit:
            most = int(limit.read())
        if most >= 1 << 30:
            self.skipTest("this host allows buffers of 1 GiB")
        listener = self.raw_listener()
        program = self.connect("--sndbuf", "1G", "127.0.0.1", listener.getsockname()[1], stdin=DEVNULL)
        self.accept(listener).close()
        done = program.wait()
        self.assertEqual(done.code, 0, done)
        self.assertIn(f"the send buffer will be {most} B, not {1 << 30} B: net.core.wmem_max", done.err)


class Listen(TestCase):
    def test_accepted_sockets_have_every_option(self):
        server = self.listen("--sndbuf", "64k", "--rcvbuf", "32k", "--congestion", "reno", "--keepalive", "--tos",
                             "16", "--mss", "1000", "0")
        peer = self.raw_connect(("127.0.0.1", server.port))
        server.wait_err("connected")
        view = established("sport", server.port)
        for text in ("tb131072", "rb65536", " reno ", "timer:(keepalive", "tos:0x10"):
            self.assertIn(text, view)
        self.assertLessEqual(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), 1000)

    def test_accepted_unix_sockets_have_the_buffer(self):
        path = self.tmp() / "s"
        server = self.listen("--explain", "--sndbuf", "64k", f"unix:{path}")
        self.raw_connect(str(path), socket.AF_UNIX)
        server.wait_err(r"^accept +a new socket \(fd (\d+)\)")
        server.wait_err(r"(?s)^accept.*^setsockopt SO_SNDBUF 65536 B: the kernel took 131072 B")


class BadInput(TestCase):
    def test_values_that_do_not_fit_are_quoted(self):
        for words, texts in ((["--mss", "0x200"], ["--mss '0x200'", "88 to 32767"]),
                             (["--mss", "87"], ["--mss '87'"]),
                             (["--tos", "256"], ["--tos '256'", "0 to 255"]),
                             (["--tos", "0x10"], ["--tos '0x10'"]),
                             (["--sndbuf", "0"], ["--sndbuf '0'", "1 to 1G"]),
                             (["--rcvbuf", "2G"], ["--rcvbuf '2G'", "1 to 1G"]),
                             (["--rcvbuf", "64x"], ["--rcvbuf '64x'"]),
                             (["--congestion", ""], ["--congestion ''"])):
            for command in (["pier-connect", "127.0.0.1", "9"], ["pier-listen", "0"]):
                with self.subTest(words=words, command=command):
                    self.assert_usage_error(run([*command, *words]), *texts)

    def test_an_option_of_another_transport_is_refused(self):
        path = self.tmp() / "s"
        for words, texts in ((["-u", "9", "--mss", "500"], ["--mss", "only TCP"]),
                             ([f"unix:{path}", "--nodelay"], ["--nodelay", "only TCP"]),
                             ([f"unix:{path}", "--keepalive"], ["--keepalive", "only TCP"]),
                             (["-u", "9", "--congestion", "reno"], ["--congestion", "only TCP"]),
                             ([f"unix:{path}", "--tos", "3"], ["--tos", "only TCP and UDP"])):
            for command in ("pier-connect", "pier-listen"):
                with self.subTest(words=words, command=command):
                    self.assert_usage_error(run([command, *words]), *texts)
        self.assertFalse(path.exists())
