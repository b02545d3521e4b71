"""pier-listen: where it waits, whom it serves, what it says."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import threading

import harness
from harness import DEVNULL, Lab, TestCase, need_ipv6, recv_all, recv_exactly, run, wait_until

EPHEMERAL = tuple(map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()))


class Ready(TestCase):
    """The ready line, and what it promises."""

    def test_port_0_is_one_number_on_both_families(self):
        need_ipv6()
        server = self.listen("-k", "0")
        line = server.err.splitlines()[0]
        self.assertRegex(line, r"\Alistening on 127\.0\.0\.1:(\d+) and \[::1\]:\1 "
                               r"\((registered|dynamic), ephemeral-here, this host only\)\Z")
        self.assertTrue(EPHEMERAL[0] <= server.port <= EPHEMERAL[1], server.port)
        self.assertEqual("dynamic" in line, server.port >= 49152)
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            client = self.raw_connect((host, server.port), family)
            client.sendall(host.encode())
            server.wait_out(host.encode())

    def test_a_port_outside_the_ephemeral_range_has_no_such_flag(self):
        with Lab() as lab:  # where port 1500 is surely free
            server = self.spawn(lab.a.command(["pier-listen", "1500"]))
            server.wait_err(r"\Alistening on 127\.0\.0\.1:1500 and \[::1\]:1500 \(registered, this host only\)$")

    def test_a_privileged_port_says_so(self):
        with Lab() as lab:
            lab.a.sysctl("net/ipv4/ip_unprivileged_port_start", 1024)
            server = self.spawn(lab.a.command(["pier-listen", "80"]))
            server.wait_err(r"\(well-known, privileged, this host only\)$")

    def test_public_is_every_interface(self):
        need_ipv6()
        for words in (["--public", "0"], [":0"], ["tcp://:0"]):
            with self.subTest(words=words):
                server = self.listen(*words)
                self.assertRegex(server.err.splitlines()[0],
                                 r"\Alistening on 0\.0\.0\.0:(\d+) and \[::\]:\1 "
                                 r"\(\w+, ephemeral-here, every interface\)\Z")

    def test_an_address_of_an_interface_names_it(self):
        with Lab() as lab:
            server = self.spawn(lab.a.command(["pier-listen", lab.a.ip4, "0"]))
            server.wait_err(rf"\Alistening on {re.escape(lab.a.ip4)}:\d+ \(\w+, ephemeral-here, eth0\)$")
            server = self.spawn(lab.a.command(["pier-listen", "-k", f"[{lab.a.ip6}]:0"]))
            server.wait_err(rf"\Alistening on \[{lab.a.ip6}\]:\d+ \(\w+, ephemeral-here, eth0\)$")

    def test_one_family_alone(self):
        need_ipv6()
        for words, mine, other in ((["-4", "0"], "127.0.0.1", "::1"), (["-6", "0"], "::1", "127.0.0.1"),
                                   (["127.0.0.1", "0"], "127.0.0.1", "::1"), (["::1", "0"], "::1", "127.0.0.1"),
                                   (["[::1]:0"], "::1", "127.0.0.1"), (["tcp://127.0.0.1:0"], "127.0.0.1", "::1")):
            with self.subTest(words=words):
                server = self.listen("-k", *words)
                self.assertNotIn(" and ", server.err)
                family = socket.AF_INET6 if ":" in mine else socket.AF_INET
                self.raw_connect((mine, server.port), family)
                with self.assertRaises(ConnectionRefusedError):
                    self.raw_connect((other, server.port), socket.AF_INET6 if ":" in other else socket.AF_INET)

    def test_localhost_by_name(self):
        server = self.listen("localhost", "0")
        self.raw_connect(("127.0.0.1", server.port))

    def test_a_host_without_ipv6_is_served_over_ipv4(self):
        with Lab() as lab:
            lab.a.sysctl("net/ipv6/conf/all/disable_ipv6", 1)
            server = self.spawn(lab.a.command(["pier-listen", "0"]))
            server.wait_err(r"\Alistening on 127\.0\.0\.1:\d+ \(")

    def test_no_port_at_all_is_a_usage_error(self):
        self.assert_usage_error(run(["pier-listen"]), "port")

    def test_quiet_says_nothing(self):
        port_file = self.tmp() / "port"
        server = self.spawn(["pier-listen", "-q", "--port-file", port_file, "0"])
        wait_until(port_file.exists, "the port file")
        with self.raw_connect(("127.0.0.1", int(port_file.read_text()))) as client:
            client.sendall(b"x")
        self.assertEqual(server.wait(), (0, b"x", ""))


class PortFile(TestCase):
    def test_it_holds_the_number_once_connections_are_accepted(self):
        port_file = self.tmp() / "port"
        port_file.write_text("old\n")
        old = port_file.stat().st_ino
        server = self.spawn(["pier-listen", "--port-file", port_file, "0"])
        wait_until(lambda: port_file.stat().st_ino != old, "a new file in the old one's place")
        text = port_file.read_text()
        self.assertRegex(text, r"\A\d+\n\Z")
        with self.raw_connect(("127.0.0.1", int(text))) as client:
            client.sendall(b"x")
        self.assertEqual(server.wait()[:2], (0, b"x"))
        self.assertEqual([p.name for p in port_file.parent.iterdir()], ["port"])

    def test_a_folder_that_is_not_there_is_exit_2(self):
        done = run(["pier-listen", "--port-file", self.tmp() / "none" / "port", "0"])
        self.assertEqual(done.code, 2, done)
        self.assertRegex(done.err, r"(?m)^pier-listen: .*port.*no such file or directory")

    def test_udp_has_a_port_too(self):
        port_file = self.tmp() / "port"
        server = self.listen("-u", "--port-file", port_file, "127.0.0.1:0")
        self.assertEqual(int(port_file.read_text()), server.port)


class Refused(TestCase):
    """What can't be bound says why, and what to do."""

    def test_a_taken_port_names_its_owner(self):
        taken = self.raw_listener()
        port = taken.getsockname()[1]
        done = run(["pier-listen", f"127.0.0.1:{port}"])
        program = pathlib.Path("/proc/self/comm").read_text().strip()
        user = run(["id", "-un"]).text.strip()
        self.assertEqual(done, (2, b"", f"pier-listen: bind 127.0.0.1:{port}: address in use by "
                                        f"{program} (pid {os.getpid()}, user {user})\n"))

    def test_taken_on_one_family_only_is_taken(self):
        with Lab() as lab, lab.a.socket(socket.AF_INET6) as taken:  # where the number is free on IPv4
            taken.bind(("::1", 9000))
            taken.listen()
            done = run(lab.a.command(["pier-listen", "9000"]))
        self.assertEqual(done.code, 2, done)
        self.assertIn("bind [::1]:9000: address in use by ", done.err)

    def test_a_taken_udp_port_names_its_owner(self):
        taken = self.raw_listener(kind=socket.SOCK_DGRAM)
        done = run(["pier-listen", "-u", f"127.0.0.1:{taken.getsockname()[1]}"])
        self.assertEqual(done.code, 2, done)
        self.assertIn(f"(pid {os.getpid()}, user ", done.err)

    def test_a_privileged_port_names_the_capability(self):
        setpriv = harness.need_program("setpriv")
        copy = self.tmp() / "pier-listen"  # nobody may be shut out of the build folder
        copy.parent.chmod(0o755)
        shutil.copy(harness.binary("pier-listen"), copy)
        with Lab() as lab:
            for start in (1024, 500):
                lab.a.sysctl("net/ipv4/ip_unprivileged_port_start", start)
                done = run(lab.a.command([setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", copy, "80"]))
                self.assertEqual(done.code, 2, done)
                self.assertRegex(done.err, r"\Apier-listen: bind 127\.0\.0\.1:80: permission denied: [^\n]*\n\Z")
                self.assertIn("CAP_NET_BIND_SERVICE", done.err)
                self.assertRegex(done.err, rf"\b{start}\b")

    def test_an_address_that_is_not_ours(self):
        done = run(["pier-listen", "192.0.2.1", "0"])
        self.assertEqual(done.code, 2, done)
        self.assertRegex(done.err, r"\Apier-listen: bind 192\.0\.2\.1:0: [^\n]+\n\Z")

    def test_a_name_that_does_not_resolve(self):
        done = run(["pier-listen", "name.invalid", "0"])
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertRegex(done.err, r"\Apier-listen: [^\n]*name\.invalid[^\n]*\n\Z")


class Unix(TestCase):
    def test_the_socket_file_comes_and_goes(self):
        path = self.tmp() / "s"
        for words in ([f"unix:{path}"], ["-U", path], ["--unix", path]):
            with self.subTest(words=words):
                server = self.listen(*words)
                self.assertTrue(stat.S_ISSOCK(path.stat().st_mode))
                client = self.raw_connect(str(path), socket.AF_UNIX)
                client.sendall(b"x")
                client.close()
                self.assertEqual(server.wait()[:2], (0, b"x"))
                self.assertFalse(path.exists())

    def test_sigterm_removes_the_file(self):
        path = self.tmp() / "s"
        server = self.listen(f"unix:{path}")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        self.assertFalse(path.exists())

    def test_asking_for_a_unix_path_in_use_disturbs_nobody(self):
        path = self.tmp() / "s"
        server = self.listen(f"unix:{path}")
        for words in ([f"unix:{path}"], [f"unix-dgram:{path}"]):
            self.assertEqual(run(["pier-listen", *words]).code, 2)
        self.assertEqual(run(["pier-connect", f"unix:{path}"], stdin="still there").code, 0)
        self.assertEqual(server.finish().out, b"still there")

    def test_a_stale_socket_file_is_replaced(self):
        path = self.tmp() / "s"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        self.listen(f"unix:{path}")
        self.raw_connect(str(path), socket.AF_UNIX)

    def test_a_live_one_is_not(self):
        path = self.tmp() / "s"
        live = self.raw_listener(socket.AF_UNIX, address=str(path))
        done = run(["pier-listen", f"unix:{path}"])
        self.assertEqual(done.code, 2, done)
        self.assertRegex(done.err, r"\Apier-listen: bind [^\n]*: address (already )?in use[^\n]*\n\Z")
        self.raw_connect(str(path), socket.AF_UNIX)
        self.accept(live)

    def test_a_file_of_another_kind_never(self):
        path = self.tmp() / "precious"
        path.write_text("data")
        done = run(["pier-listen", f"unix:{path}"])
        self.assertEqual(done.code, 2, done)
        self.assertEqual(path.read_text(), "data")

    def test_abstract(self):
        name = f"pier-test-{os.getpid()}"
        server = self.listen(f"unix:@{name}")
        with self.raw_connect("\0" + name, socket.AF_UNIX) as client:
            client.sendall(b"x")
        self.assertEqual(server.wait()[:2], (0, b"x"))

    def test_datagrams(self):
        folder = self.tmp()
        server = self.listen("-u", "-U", folder / "s")
        client = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        client.bind(str(folder / "c"))
        client.settimeout(harness.SAFETY)
        client.sendto(b"ping", str(folder / "s"))
        server.wait_out(b"ping")
        server.write(b"pong")
        self.assertEqual(client.recv(100), b"pong")

    def test_a_path_too_long_is_refused(self):
        self.assert_usage_error(run(["pier-listen", "unix:/tmp/" + "x" * 200]), "x" * 60)


class Serving(TestCase):
    def test_one_client_and_no_more(self):
        server = self.listen("127.0.0.1:0")
        first = self.raw_connect(("127.0.0.1", server.port))
        server.wait_err("connected")
        with self.assertRaises(ConnectionRefusedError):
            self.raw_connect(("127.0.0.1", server.port))
        first.sendall(b"only")
        first.close()
        self.assertEqual(server.wait()[:2], (0, b"only"))

    def test_keep_open_serves_several_at_once(self):
        server = self.listen("-k", "127.0.0.1:0")
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(3)]
        for number, client in enumerate(clients):
            client.sendall(b"from %d;" % number)
            server.wait_out(b"from %d;" % number)
        server.write(b"to all")
        for client in clients:
            self.assertEqual(recv_exactly(client, 6), b"to all")
        # Row 21: one ends, one is reset; the third is none the wiser.
        clients[0].close()
        harness.reset(clients[1])
        server.wait_err(r"(?s)(closed first|reset).*(closed first|reset)")
        server.write(b"still here")
        self.assertEqual(recv_exactly(clients[2], 10), b"still here")
        # The end of stdin closes nobody.
        server.close_stdin()
        late = self.raw_connect(("127.0.0.1", server.port))
        late.sendall(b"late;")
        server.wait_out(b"late;")
        for client in (clients[2], late):
            client.setblocking(False)
            with self.assertRaises(BlockingIOError):
                client.recv(1)
            client.settimeout(harness.SAFETY)
        server.signal(signal.SIGTERM)
        for client in (clients[2], late):
            self.assertEqual(recv_all(client), b"")
        self.assertEqual(server.wait().code, 143)

    def test_keep_open_reads_stdin_only_while_there_is_a_client(self):
        server = self.listen("-k", "127.0.0.1:0")
        server.write(b"kept until somebody comes")
        client = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(recv_exactly(client, 25), b"kept until somebody comes")

    def test_a_slow_client_of_many_loses_nothing(self):
        server = self.listen("-k", "127.0.0.1:0")
        fast, slow = (self.raw_connect(("127.0.0.1", server.port)) for _ in range(2))
        server.wait_err(r"(?s)connected.*connected")
        data = harness.pattern(6 << 20)
        got = []
        reader = threading.Thread(target=lambda: got.append(recv_exactly(fast, len(data))))
        writer = threading.Thread(target=lambda: server.write(data))
        reader.start()
        writer.start()
        self.assertEqual(recv_exactly(slow, len(data)), data)
        writer.join()
        reader.join()
        self.assertEqual(got[0], data)

    def test_max_accepts_then_exit_0(self):
        server = self.listen("--max-accepts", "2", "127.0.0.1:0", stdin=DEVNULL)
        for number in range(2):
            with self.raw_connect(("127.0.0.1", server.port)) as client:
                client.sendall(b"%d" % number)
                server.wait_out(b"%d" % number)
        done = server.wait()
        self.assertEqual((done.code, done.out), (0, b"01"), done)

    def test_max_accepts_refuses_the_next(self):
        server = self.listen("--max-accepts", "1", "127.0.0.1:0")
        first = self.raw_connect(("127.0.0.1", server.port))
        server.wait_err("connected")
        with self.assertRaises(ConnectionRefusedError):
            self.raw_connect(("127.0.0.1", server.port))
        first.close()
        self.assertEqual(server.wait().code, 0)

    def test_accept_timeout_with_keep_open(self):
        server = self.listen("-k", "--accept-timeout", "100ms", "127.0.0.1:0")
        self.assertEqual(server.wait().code, 124)

    def test_crlf(self):
        server = self.listen("--crlf", "127.0.0.1:0")
        client = self.raw_connect(("127.0.0.1", server.port))
        server.write(b"a\nb\r\n\nc")
        server.close_stdin()
        self.assertEqual(recv_all(client), b"a\r\nb\r\n\r\nc")

    def test_a_thousand_clients_one_after_another_leave_nothing_behind(self):
        server = self.listen("-k", "127.0.0.1:0", stdin=DEVNULL)
        for count in range(1000):
            with self.raw_connect(("127.0.0.1", server.port)) as client:
                client.sendall(b"x")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(client.recv(1), b"")
            if count == 0:
                # What the first one made it open for good stays; its own socket goes.
                before = wait_until(lambda: sum(t.startswith("socket:") for t in server.fds().values()) == 1 and
                                    server.fds_at_rest(), "the listening socket alone")
        server.wait_out_size(1000)
        wait_until(lambda: server.fds() == before, "the descriptors of before")


class Telling(TestCase):
    def serve_one(self, *args, **options):
        server = self.listen(*args, "127.0.0.1:0", **options)
        client = self.raw_connect(("127.0.0.1", server.port))
        name = "%s:%d" % client.getsockname()
        client.sendall(b"question")
        server.wait_out(b"question")
        server.write(b"ok")
        self.assertEqual(recv_exactly(client, 2), b"ok")
        client.close()
        return server, name, server.wait()

    def test_summary(self):
        _, name, done = self.serve_one("--summary")
        self.assertRegex(done.err, rf"(?m)^{re.escape(name)}: 8 B in, 2 B out, \d+\.\d+ s, closed first: peer$")

    def test_summary_when_we_end_first(self):
        server = self.listen("--summary", "127.0.0.1:0")
        client = self.raw_connect(("127.0.0.1", server.port))
        server.write(b"all")
        server.close_stdin()
        self.assertEqual(recv_all(client), b"all")
        client.close()
        self.assertRegex(server.wait().err, r"(?m): 0 B in, 3 B out, \d+\.\d+ s, closed first: us$")

    def check_events(self, records, port, complete):
        types = [r["type"] for r in records]
        self.assertEqual((types[0], records[0]["schema"], types[-1]), ("start", 1, "summary"))
        self.assertEqual(records[-1]["complete"], complete)
        for kind in ("listening", "connected", "closed"):
            self.assertEqual(types.count(kind), 1, types)
        listening = records[types.index("listening")]
        self.assertEqual(listening["port"], port)
        closed = records[types.index("closed")]
        self.assertEqual((closed["bytes_in"], closed["bytes_out"]), (8, 2))

    def test_events_in_a_file(self):
        path = self.tmp() / "events"
        server, _, done = self.serve_one("--events", path)
        self.assertEqual(done.out, b"question")  # stdout is the peer's bytes and nothing else
        self.check_events([json.loads(line) for line in path.read_text().splitlines()], server.port, True)

    def test_events_on_a_descriptor(self):
        reader, writer = os.pipe()
        server, _, _ = self.serve_one("--events", f"fd:{writer}", pass_fds=[writer])
        os.close(writer)
        with open(reader, encoding="utf-8") as stream:
            self.check_events([json.loads(line) for line in stream], server.port, True)

    def test_events_end_well_after_a_signal(self):
        path = self.tmp() / "events"
        server = self.listen("-k", "--events", path, "127.0.0.1:0")
        self.raw_connect(("127.0.0.1", server.port))
        wait_until(lambda: '"connected"' in path.read_text(), "the client's record, at once")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual((records[-1]["type"], records[-1]["complete"]), ("summary", False))

    def test_events_that_can_not_be_written_are_exit_2(self):
        server = self.listen("127.0.0.1:0", "--events", "/dev/full", stdin=DEVNULL)
        with self.raw_connect(("127.0.0.1", server.port)) as client:
            client.sendall(b"all the same")
        done = server.wait()
        self.assertEqual((done.code, done.out), (2, b"all the same"), done)
        self.assertIn("write --events /dev/full: no space left on device", done.err)

    def test_events_on_a_closed_descriptor_is_a_usage_error(self):
        self.assert_usage_error(run(["pier-listen", "--events", "fd:77", "0"]), "77")

    def test_explain_tells_each_step_in_order(self):
        _, name, done = self.serve_one("--explain", "-4")
        order = [r"socket", r"setsockopt", r"bind", r"listen", r"accept", r"close"]
        self.assertRegex(done.err, r"(?s)" + r".*".join(rf"(?:\A|\n){call}\b" for call in order))
        accept = re.search(r"(?m)^accept\b.*$", done.err)[0]
        self.assertIn(name, accept)
        self.assertRegex(done.err, r"(?m)^bind\b.*(registered|dynamic)")

    def test_explain_as_records(self):
        path = self.tmp() / "events"
        self.serve_one("--explain", "--events", path)
        calls = [r["call"] for r in map(json.loads, path.read_text().splitlines()) if r["type"] == "step"]
        order = [calls.index(call) for call in ("socket", "setsockopt", "bind", "listen", "accept", "close")]
        self.assertEqual(order, sorted(order), calls)
