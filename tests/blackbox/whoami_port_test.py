"""pier-whoami-port: who am I, who owns a port, which port is free (contract, section 8)."""

import os
import re
import signal
import socket
import sys
import unittest

from harness import PTY, Lab, binary, need_ipv6, need_program, run, wait_until
from whoami_case import WhoamiTestCase, records, whoami

SOCKET_FIELDS = ["type", "proto", "family", "local_addr", "local_port", "local_class", "remote_addr",
                 "remote_port", "remote_class", "state", "role", "uid", "user", "inode", "owners", "hidden",
                 "hidden_reason", "role_reason", "also_ipv4", "mptcp", "interface", "backlog_used", "backlog_limit",
                 "receive_queue", "send_queue", "memory", "rtt_us", "netns"]



class Here(WhoamiTestCase):
    def test_tells_the_port_a_new_socket_gets_and_the_hosts_ranges(self):
        done = whoami()
        self.assertEqual((done.code, done.err), (0, ""), done)
        facts = dict(line.split("\t") for line in done.lines)
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            low, high = map(int, f.read().split())
        self.assertEqual(facts["ephemeral"], f"{low}-{high}")
        self.assertTrue(low <= int(facts["port"]) <= high, facts)
        self.assertIn(facts["class"], ("well-known", "registered", "dynamic"))
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
            self.assertEqual(facts["first-unprivileged"], f.read().strip())
        self.assertRegex(facts["tcp-in-use"], r"^\d+ of \d+ \(\d+\.\d%\)$")

    def test_as_a_record(self):
        (port,) = self.json()
        self.assertEqual(port["type"], "port")
        self.assertEqual((port["proto"], port["remote_addr"], port["remote_port"], port["role"]),
                         ("tcp", None, None, None))
        self.assertTrue(port["ephemeral_first"] <= port["local_port"] <= port["ephemeral_last"])
        self.assertLessEqual(port["tcp_in_use"], port["ephemeral_size"])

    def test_counts_ports_in_use_once_however_many_sockets_they_have(self):
        # In a network of its own, so that nobody else opens and closes sockets meanwhile.
        lab = self.enterContext(Lab())
        command = lab.a.command(["pier-whoami-port", "--json"])
        before = records(run(command))[1]
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        client = self.enterContext(lab.a.socket())
        client.connect(server.getsockname())
        datagrams = self.enterContext(lab.a.socket(kind=socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        after = records(run(command))[1]
        self.assertEqual((after["tcp_in_use"], after["udp_in_use"]),
                         (before["tcp_in_use"] + 2, before["udp_in_use"] + 1))

    def test_reserved_ports_and_the_range_are_those_of_this_network(self):
        lab = self.enterContext(Lab())
        for name, value in (("ip_local_port_range", "40000 40009"), ("ip_local_reserved_ports", "40000-40003,40007"),
                            ("ip_unprivileged_port_start", "80")):
            done = run(lab.a.command(["sh", "-c", f"echo '{value}' > /proc/sys/net/ipv4/{name}"]))
            self.assertEqual(done.code, 0, done)
        done = run(lab.a.command(["pier-whoami-port", "--json"]))
        port = records(done)[1]
        self.assertIn(port["local_port"], (40004, 40005, 40006, 40008, 40009))
        self.assertEqual((port["ephemeral_first"], port["ephemeral_last"]), (40000, 40009))
        self.assertEqual(port["reserved"], ["40000-40003", "40007"])
        self.assertEqual((port["ephemeral_size"], port["first_unprivileged"]), (5, 80))

    def test_the_busiest_peers_and_what_runs_out_first(self):
        lab = self.enterContext(Lab())
        run(lab.a.command(["sh", "-c", "echo '40000 40009' > /proc/sys/net/ipv4/ip_local_port_range"]))
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 8080))
        server.listen()
        clients = []
        for _ in range(5):
            clients.append(self.enterContext(lab.a.socket()))
            clients[-1].connect(("127.0.0.1", 8080))
        command = lab.a.command(["pier-whoami-port"])
        port = records(run([*command, "--json"]))[1]
        self.assertEqual(port["busiest"], [{"addr": "127.0.0.1", "port": 8080, "ports": 5, "percent": 50.0}])
        self.assertEqual((port["runs_out_first"], port["runs_out_percent"]),
                         ("tcp ports toward 127.0.0.1:8080", 50.0))
        self.assertEqual(port["time_wait"], 0)
        done = run(command)
        self.assertIn("busiest\t127.0.0.1:8080 5 of 10 (50.0%)\n", done.text)
        self.assertIn("runs-out-first\ttcp ports toward 127.0.0.1:8080: 5 of 10 (50.0%)\n", done.text)

    def test_an_ephemeral_range_that_is_used_up_is_a_fault_of_this_host(self):
        lab = self.enterContext(Lab())
        done = run(lab.a.command(["sh", "-c", "echo '40000 40001' > /proc/sys/net/ipv4/ip_local_port_range"]))
        self.assertEqual(done.code, 0, done)
        for port in (40000, 40001):
            sock = self.enterContext(lab.a.socket())
            sock.bind(("0.0.0.0", port))
            sock.listen()
        done = run(lab.a.command(["pier-whoami-port", "--free"]))
        self.assertEqual((done.code, done.out), (2, b""), done)
        self.assertRegex(done.err, r"\Apier-whoami-port: bind [^\n]+\n\Z")


class Ends(WhoamiTestCase):
    def test_both_ends_of_a_connection(self):
        server = self.raw_listener()
        done = whoami(self.ip, self.port_of(server))
        self.assertEqual((done.code, done.err), (0, ""), done)
        address = self.accept(server).getpeername()
        cells = done.text.rstrip("\n").split("\t")
        self.assertEqual(cells[:3], ["tcp", address[0], str(address[1])])
        self.assertEqual(cells[4:7], ["client", self.ip, str(self.port_of(server))])
        self.assertEqual(cells[8:11], ["server", "lo", "-"])
        self.assertGreater(int(cells[11]), 1000)

    def test_as_a_record(self):
        server = self.raw_listener()
        (port,) = self.json(f"{self.ip}:{self.port_of(server)}")
        address = self.accept(server).getpeername()
        self.assertEqual(port["type"], "port")
        self.assertEqual((port["family"], port["local_addr"], port["local_port"]), ("ipv4", *address))
        self.assertEqual((port["remote_addr"], port["remote_port"]), server.getsockname())
        self.assertEqual((port["role"], port["remote_role"], port["interface"]), ("client", "server", "lo"))

    def test_ipv6(self):
        need_ipv6()
        server = self.raw_listener(socket.AF_INET6)
        (port,) = self.json(f"[::1]:{self.port_of(server)}")
        self.assertEqual((port["family"], port["local_addr"], port["remote_addr"]), ("ipv6", "::1", "::1"))

    def test_the_well_known_port_has_its_class(self):
        (port,) = self.json("--no-connect", "127.0.0.1", "http")
        self.assertEqual((port["remote_port"], port["remote_class"]), (80, "well-known"))

    def test_no_connect_sends_nothing_and_has_no_port_yet(self):
        server = self.raw_listener()
        server.setblocking(False)
        (port,) = self.json("--no-connect", self.ip, self.port_of(server))
        self.assertEqual((port["local_addr"], port["local_port"], port["local_class"]), ("127.0.0.1", None, None))
        self.assertEqual(port["interface"], "lo")
        with self.assertRaises(BlockingIOError):
            server.accept()
        row = whoami("--no-connect", self.ip, self.port_of(server)).text.rstrip("\n").split("\t")
        self.assertEqual(row[:5], ["tcp", "127.0.0.1", "-", "-", "client"])

    def test_udp_is_connected_without_a_packet(self):
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        server.setblocking(False)
        (port,) = self.json(f"udp://{self.ip}:{self.port_of(server)}")
        self.assertEqual((port["proto"], port["local_addr"]), ("udp", "127.0.0.1"))
        self.assertGreater(port["local_port"], 0)
        with self.assertRaises(BlockingIOError):
            server.recv(1)

    def test_the_address_and_interface_are_those_of_the_route(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.b.socket())
        server.bind((lab.b.ip4, 0))
        server.listen()
        for words in ([], ["--no-connect"]):
            done = run(lab.a.command(["pier-whoami-port", *words, lab.b.ip4, str(self.port_of(server))]))
            self.assertEqual(done.code, 0, done)
            cells = done.text.rstrip("\n").split("\t")
            self.assertEqual((cells[1], cells[9]), (lab.a.ip4, "eth0"))
        # One's own address is reached by the loopback, whatever interface has it.
        done = run(lab.a.command(["pier-whoami-port", "--no-connect", lab.a.ip4, "80"]))
        self.assertEqual(done.text.rstrip("\n").split("\t")[9], "lo")

    def test_refused_is_no(self):
        with socket.socket() as sock:  # bound and not listening: refused, and nobody else's
            sock.bind((self.ip, 0))
            done = whoami(self.ip, self.port_of(sock))
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("connection refused", done.err)

    def test_no_route_is_no(self):
        lab = self.enterContext(Lab())
        for words in ([], ["--no-connect"]):
            done = run(lab.a.command(["pier-whoami-port", *words, "192.0.2.1", "80"]))
            self.assertEqual((done.code, done.out), (1, b""), done)
            self.assertIn("network is unreachable", done.err)

    def test_a_deadline_of_the_users_is_124(self):
        lab = self.enterContext(Lab())
        lab.b.drop("tcp dport 9")
        done = run(lab.a.command(["pier-whoami-port", "--connect-timeout", "50ms", "--json", lab.b.ip4, "9"]))
        self.assertEqual(done.code, 124, done)
        self.assertEqual([r["type"] for r in records(done)], ["start", "summary"])
        self.assertFalse(records(done)[-1]["complete"])

    def test_silence_until_the_kernel_gives_up_is_no_answer(self):
        lab = self.enterContext(Lab())
        lab.b.drop("tcp dport 9")
        # The fewest repetitions there are: the kernel gives up within seconds.
        done = run(lab.a.command(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_syn_retries"]))
        self.assertEqual(done.code, 0, done)
        done = run(lab.a.command(["pier-whoami-port", lab.b.ip4, "9"]))
        self.assertEqual((done.code, done.out), (3, b""), done)
        self.assertIn("timed out", done.err)

    def test_explain_tells_the_steps(self):
        server = self.raw_listener()
        done = whoami("--explain", self.ip, self.port_of(server))
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.err, r"(?m)^socket +")
        self.assertRegex(done.err, rf"(?m)^connect +.*{re.escape(self.ip)}:{self.port_of(server)}")
        steps = [r for r in records(whoami("--explain", "--json", self.ip, self.port_of(server)))
                 if r["type"] == "step"]
        self.assertIn("connect", [s["call"] for s in steps])


class Routes(WhoamiTestCase):
    def test_the_gateway_and_the_mtu_of_each_family(self):
        lab = self.enterContext(Lab())
        lab.a.ip("route", "add", "192.0.2.0/24", "via", lab.b.ip4, "mtu", "1400")
        lab.a.ip("-6", "route", "add", "2001:db8::/64", "via", lab.b.ip6)
        lab.a.hosts("192.0.2.9 far.test\n2001:db8::9 far.test\n")
        done = run(lab.a.command(["pier-whoami-port", "--no-connect", "far.test", "443", "--json"]))
        told = {r["family"]: r for r in records(done)[1:-1]}
        four, six = told["ipv4"], told["ipv6"]
        self.assertEqual((four["local_addr"], four["interface"], four["gateway"], four["mtu"], four["local_port"]),
                         (lab.a.ip4, "eth0", lab.b.ip4, 1400, None))
        self.assertEqual((six["local_addr"], six["gateway"], six["mtu"]), (lab.a.ip6, lab.b.ip6, 1500))
        on_link = records(run(lab.a.command(["pier-whoami-port", "--no-connect", lab.b.ip4, "443", "--json"])))[1]
        self.assertIsNone(on_link["gateway"])


class Owners(WhoamiTestCase):
    def test_the_row_of_a_listener(self):
        server = self.raw_listener()
        port = self.port_of(server)
        (row,) = self.rows("--port", port)
        cells = row.split("\t")
        self.assertEqual(len(cells), 9, cells)
        self.assertEqual(cells[:4], ["tcp", f"{self.ip}:{port}", "listen", "server"])
        self.assertEqual(cells[5], f"pid {os.getpid()}")
        with open("/proc/self/comm") as f:
            self.assertEqual(cells[4], f.read().strip())
        with open("/proc/self/cmdline", "rb") as f:
            self.assertEqual(cells[8], f.read().rstrip(b"\0").replace(b"\0", b" ").decode())

    def test_the_record_has_every_field_in_order(self):
        server = self.raw_listener()
        (record,) = self.sockets("--port", self.port_of(server))
        self.assertEqual(list(record), SOCKET_FIELDS)
        self.assertEqual((record["type"], record["proto"], record["family"]), ("socket", "tcp", "ipv4"))
        self.assertEqual((record["local_addr"], record["local_port"]), server.getsockname())
        self.assertEqual((record["remote_addr"], record["remote_port"], record["remote_class"]), (None, None, None))
        self.assertEqual((record["state"], record["role"], record["uid"]), ("listen", "server", os.geteuid()))
        self.assertEqual(record["inode"], os.fstat(server.fileno()).st_ino)
        self.assertIsNone(record["hidden"])
        (owner,) = record["owners"]
        self.assertEqual(list(owner), ["pid", "program", "cmdline", "unit", "container", "pod", "target"])
        self.assertEqual(owner["pid"], os.getpid())
        self.assertTrue(self.last["complete"])
        self.assertEqual(self.last["sockets"], self.last["owned"] + self.last["hidden"])
        self.assertGreaterEqual(self.last["owned"], 1)

    def test_nobody_is_no(self):
        lab = self.enterContext(Lab())  # where nobody else takes a port
        datagrams = self.enterContext(lab.a.socket(kind=socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        port = self.port_of(datagrams)
        done = run(lab.a.command(["pier-whoami-port", "--port", f"{port}/tcp"]))
        self.assertEqual((done.code, done.out, done.err), (1, b"", f"nobody has port {port} (tcp)\n"), done)
        done = run(lab.a.command(["pier-whoami-port", "--port", f"{port}/tcp", "--json"]))
        self.assertEqual((done.code, [r["type"] for r in records(done)]), (1, ["start", "summary"]), done)
        done = run(lab.a.command(["pier-whoami-port", "--port", f"{port}/udp"]))
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertEqual(done.text.split("\t")[:4], ["udp", f"127.0.0.1:{port}", "unconnected", "server"])

    def test_without_a_protocol_both_are_told(self):
        tcp = self.raw_listener()
        udp = self.enterContext(socket.socket(type=socket.SOCK_DGRAM))
        udp.bind(tcp.getsockname())
        self.assertEqual([r["proto"] for r in self.sockets("--port", self.port_of(tcp))], ["tcp", "udp"])

    def test_the_roles_of_both_ends(self):
        server = self.raw_listener()
        client = self.raw_connect(server.getsockname())
        accepted = self.accept(server)
        waits, came = self.sockets("--port", self.port_of(server))
        self.assertEqual((waits["role"], came["role"], came["state"]), ("server", "accepted", "established"))
        self.assertEqual((came["remote_addr"], came["remote_port"]), client.getsockname())
        self.assertEqual(came["inode"], os.fstat(accepted.fileno()).st_ino)
        (went,) = self.sockets("--port", self.port_of(client))
        self.assertEqual((went["role"], went["remote_port"]), ("client", self.port_of(server)))
        (row,) = self.rows("--port", self.port_of(client))
        self.assertEqual(row.split("\t")[1], f"{self.ip}:{self.port_of(client)}->{self.ip}:{self.port_of(server)}")

    def test_an_ipv4_client_of_a_dual_stack_listener_is_shown_as_ipv4(self):
        need_ipv6()
        server = self.enterContext(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        self.raw_connect((self.ip, self.port_of(server)))
        self.accept(server)
        told = self.json("--port", self.port_of(server))
        (waits,) = [r for r in told if r["inode"] == os.fstat(server.fileno()).st_ino]
        (came,) = [r for r in told if r["local_addr"] == self.ip]
        self.assertEqual((waits["family"], waits["local_addr"]), ("ipv6", "::"))
        self.assertEqual((came["family"], came["role"]), ("ipv4", "accepted"))

    def test_every_owner_of_a_shared_socket(self):
        server = self.raw_listener()
        child = self.spawn(["cat"], pass_fds=(server.fileno(),))
        rows = self.rows("--port", self.port_of(server))
        self.assertEqual({row.split("\t")[5] for row in rows}, {f"pid {os.getpid()}", f"pid {child.pid}"})
        (record,) = self.sockets("--port", self.port_of(server))
        self.assertEqual([o["pid"] for o in record["owners"]], sorted([os.getpid(), child.pid]))

    def test_two_processes_on_one_port(self):
        program = ("import socket,sys; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEPORT,1);"
                   "s.bind((sys.argv[1],int(sys.argv[2]))); s.listen(); print(s.getsockname()[1],flush=True);"
                   "sys.stdin.read()")
        first = self.spawn([sys.executable, "-c", program, self.ip, "0"])
        port = int(first.wait_out(rb"^(\d+)\n")[1])
        second = self.spawn([sys.executable, "-c", program, self.ip, str(port)])
        second.wait_out(rb"^(\d+)\n")
        pids = [o["pid"] for r in self.sockets("--port", port) for o in r["owners"]]
        self.assertEqual(sorted(pids), sorted([first.pid, second.pid]))

    def test_the_command_line_cannot_forge_a_row(self):
        server = self.raw_listener()
        argument = "a\tb\nc\x1b[31md"
        child = self.spawn(["sh", "-c", "read x", argument], pass_fds=(server.fileno(),))
        rows = self.rows("--port", self.port_of(server))
        (row,) = [r for r in rows if f"pid {child.pid}" in r]
        self.assertEqual(len(row.split("\t")), 9)
        self.assertIn(r"a\x09b\x0ac\x1b[31md", row)
        owners = [o for r in self.sockets("--port", self.port_of(server)) for o in r["owners"]]
        (owner,) = [o for o in owners if o["pid"] == child.pid]
        self.assertTrue(owner["cmdline"].endswith(argument), owner)

    def test_a_service_name(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 6379))
        server.listen()
        done = run(lab.a.command(["pier-whoami-port", "--port", "redis"]))
        self.assertEqual(done.code, 0, done)
        self.assertIn("\t127.0.0.1:6379\t", done.text)

    def test_another_users_owner_is_hidden_by_permission(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = self.port_of(server)
        done = self.as_nobody(lab.a, "--port", port)
        self.assertEqual((done.code, done.out), (3, b""), done)
        self.assertEqual(done.err, f"tcp 127.0.0.1:{port} is listening (uid 0), but its process is not ours to "
                                   "look into: run as root to see which\n")
        done = self.as_nobody(lab.a, "--port", port, "--json")
        self.assertEqual(done.code, 3, done)
        record = records(done)[1]
        self.assertEqual((record["owners"], record["hidden"], record["uid"]), ([], "permission", 0))

    def test_an_owner_in_another_pid_namespace_is_hidden(self):
        lab = self.enterContext(Lab())
        need_program("unshare")
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        if run([*command, "true"]).code != 0:
            raise unittest.SkipTest("no pid namespaces here")
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 0))
        server.listen()
        words = [binary("pier-whoami-port"), "--port", str(self.port_of(server)), "--json"]
        done = run(lab.a.command([*command, *words]))
        self.assertEqual(done.code, 3, done)
        self.assertEqual(records(done)[1]["hidden"], "pid-namespace")
        self.assertIn("another pid namespace", done.err)

    def test_a_port_in_time_wait_is_hidden(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 0))
        server.listen()
        client = self.enterContext(lab.a.socket())
        client.connect(server.getsockname())
        port = self.port_of(client)
        accepted = self.accept(server)
        client.close()
        accepted.recv(1)
        accepted.close()
        ask = lab.a.command(["pier-whoami-port", "--port", str(port)])
        record = wait_until(lambda: [r for r in records(run([*ask, "--json"])) if r.get("state") == "time-wait"],
                            "time-wait")[0]
        self.assertEqual((record["owners"], record["hidden"]), ([], "time-wait"))
        done = run(ask)
        self.assertEqual((done.code, done.out), (3, b""), done)
        self.assertIn("time-wait", done.err)

    def test_a_connection_in_the_accept_queue_is_the_kernels(self):
        server = self.raw_listener()
        self.raw_connect(server.getsockname())
        waits, queued = self.sockets("--port", self.port_of(server))
        self.assertEqual((waits["hidden"], queued["hidden"], queued["owners"]), (None, "kernel", []))

    def test_on_a_terminal_columns_are_aligned(self):
        server = self.raw_listener()
        self.raw_connect(server.getsockname())
        self.accept(server)
        first, second = self.rows("--port", self.port_of(server), stdout=PTY)
        self.assertEqual(first.index("listen"), second.index("established"))
        self.assertNotIn("\t", first + second)


class Free(WhoamiTestCase):
    def test_a_port_that_everybody_can_bind(self):
        done = whoami("--free")
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertRegex(done.text, r"\A[1-9]\d*\n\Z")

    def test_several_are_different(self):
        done = whoami("--free", 20)
        self.assertEqual(len(set(done.lines)), 20)

    def test_as_records(self):
        ports = self.json("--free", 2)
        self.assertEqual([p["type"] for p in ports], ["port", "port"])
        self.assertTrue(all(p["local_class"] in ("registered", "dynamic") for p in ports))
        self.assertEqual(self.last["ports"], 2)

    def test_hold_keeps_them_until_it_is_ended(self):
        holder = self.spawn(["pier-whoami-port", "--free", "2", "--hold"])
        ports = [int(p) for p in holder.wait_out(rb"\A(\d+\n\d+\n)\Z")[1].split()]
        for port in ports:
            for family, kind, host in ((socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
                                       (socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0")):
                with socket.socket(family, kind) as sock:
                    if kind == socket.SOCK_STREAM:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    with self.assertRaises(OSError):
                        sock.bind((host, port))
        done = whoami("--port", f"{ports[0]}/udp")
        self.assertIn(f"pid {holder.pid}", done.text)
        holder.signal(signal.SIGTERM)
        self.assertEqual(holder.wait().code, 143)

    def test_hold_ends_its_records_with_a_summary(self):
        holder = self.spawn(["pier-whoami-port", "--free", "--hold", "--json"])
        holder.wait_out(rb'"type":"port"[^\n]*\n')
        holder.signal(signal.SIGINT)
        done = holder.wait()
        self.assertEqual(done.code, 130, done)
        self.assertEqual([r["type"] for r in records(done)], ["start", "port", "summary"])

    def test_hold_says_on_a_terminal_that_it_waits(self):
        holder = self.spawn(["pier-whoami-port", "--free", "--hold"], stderr=PTY)
        holder.wait_err("held until")
        holder.signal(signal.SIGTERM)
        self.assertEqual(holder.wait().code, 143)

    def test_a_command_gets_the_port_and_its_socket(self):
        program = ("import os,socket,sys\n"
                   "assert os.environ['LISTEN_PID'] == str(os.getpid())\n"
                   "assert os.environ['LISTEN_FDS'] == '4'\n"
                   "ports = os.environ['PORT1'], os.environ['PORT2']\n"
                   "assert os.environ['LISTEN_FDNAMES'] == 'tcp-%s:tcp-%s:udp-%s:udp-%s' % (*ports, *ports)\n"
                   "for fd, port in ((5, ports[0]), (6, ports[1])):\n"
                   "    s = socket.socket(fileno=fd)\n"
                   "    assert s.type == socket.SOCK_DGRAM and s.getsockname()[1] == int(port)\n"
                   "    s.detach()\n"
                   "assert os.environ['PORT'] == os.environ['PORT1'] != os.environ['PORT2']\n"
                   "for fd, name in ((3, 'PORT1'), (4, 'PORT2')):\n"
                   "    s = socket.socket(fileno=fd)\n"
                   "    assert s.type == socket.SOCK_STREAM and os.get_blocking(fd)\n"
                   "    assert s.getsockname()[1] == int(os.environ[name])\n"
                   "    s.listen()\n"
                   "    c = socket.create_connection(('127.0.0.1', int(os.environ[name])))\n"
                   "    s.accept()\n"
                   "print(sorted(int(f) for f in os.listdir('/proc/self/fd') if int(f) < 3))\n"
                   "sys.exit(9)\n")
        done = run(["pier-whoami-port", "--free", "2", "--", sys.executable, "-c", program],
                   env={"LISTEN_FDNAMES": "old", "LISTEN_PID": "1", "LISTEN_FDS": "5"})
        self.assertEqual((done.code, done.err), (9, ""), done)
        self.assertEqual(done.text, "[0, 1, 2]\n")

    def test_a_command_may_bind_the_port_itself_and_nobody_else_can(self):
        program = ("import os,socket\n"
                   "port = int(os.environ['PORT'])\n"
                   "try:\n"
                   "    socket.socket().bind(('127.0.0.1', port))\n"
                   "except OSError as e:\n"
                   "    print('kept')\n"
                   "with socket.create_server(('', port)) as s:\n"
                   "    c = socket.create_connection(('127.0.0.1', port)); s.accept()\n"
                   "u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('127.0.0.1', port))\n"
                   "print('served')\n")
        done = run(["pier-whoami-port", "--free", "--tcp-only", "--", sys.executable, "-c", program])
        self.assertEqual((done.code, done.text), (0, "kept\nserved\n"), done)

    def test_the_ports_are_kept_until_the_command_is_done_whatever_it_closes(self):
        program = ("import os,socket\n"
                   "os.closerange(3, 100)\n"
                   "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
                   "    try:\n"
                   "        socket.socket(type=kind).bind(('127.0.0.1', int(os.environ['PORT'])))\n"
                   "    except OSError:\n"
                   "        print('kept', flush=True)\n"
                   "input()\n")
        holder = self.spawn(["pier-whoami-port", "--free", "--", sys.executable, "-c", program])
        holder.wait_out(rb"\Akept\nkept\n")
        holder.signal(signal.SIGTERM)  # handed on to the command
        self.assertEqual(holder.wait().code, 143)

    def test_leases_in_a_file_are_kept_as_long_as_their_holder_lives(self):
        path = self.tmp() / "ports"
        script = ('for i in 1 2 3; do "$0" --free 2 --lease "$1"; done; echo ready; read x')
        holder = self.spawn(["sh", "-c", script, binary("pier-whoami-port"), str(path)])
        text = holder.wait_out(rb"(?s)\A(.*)ready\n")[1].decode()
        ports = text.split()
        self.assertEqual(len(set(ports)), 6)
        lines = [line.split() for line in path.read_text().splitlines()]
        self.assertEqual([(line[0], line[1]) for line in lines], [(port, str(holder.pid)) for port in ports])
        holder.close_stdin()
        holder.wait()
        done = whoami("--free", "--lease", path)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(path.read_text().split()[0], done.text.strip())
        self.assertEqual(len(path.read_text().splitlines()), 1)

    def test_many_who_lease_at_once_get_different_ports(self):
        path = self.tmp() / "ports"
        callers = [self.spawn(["pier-whoami-port", "--free", "--lease", str(path)]) for _ in range(64)]
        ports = [caller.wait().text for caller in callers]
        self.assertEqual(len(set(ports)), 64, ports)

    def test_a_file_that_holds_something_else_than_leases_is_left_as_it_is(self):
        path = self.tmp() / "precious"
        for text in ("precious line 1\n", "1 2 3\nno lease", "1 2 3\n\n"):
            path.write_text(text)
            self.assert_usage_error(whoami("--free", "--lease", path), "--lease", str(path))
            self.assertEqual(path.read_text(), text)

    def test_a_lease_file_that_cannot_be_is_a_fault(self):
        done = whoami("--free", "--lease", "/nonexistent/folder/ports")
        self.assertEqual((done.code, done.out), (2, b""), done)
        self.assertIn("/nonexistent/folder/ports", done.err)

    def test_a_command_starts_with_the_signals_of_a_program(self):
        done = run(["pier-whoami-port", "--free", "--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])
        self.assertEqual(done.code, 0, done)
        for line in done.lines:
            name, mask = line.split()
            ours = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGTERM - 1) | 1 << (signal.SIGINT - 1)
            if name == "SigIgn:":  # Python, which started us, ignores SIGPIPE and gives it back to its children
                self.assertEqual(int(mask, 16) & ours, 0, line)
            else:
                self.assertEqual(int(mask, 16), 0, line)

    def test_a_command_that_is_not_there(self):
        done = whoami("--free", "--", "/nonexistent/program")
        self.assertEqual((done.code, done.out), (127, b""), done)
        self.assertRegex(done.err, r"\Apier-whoami-port: run /nonexistent/program: [^\n]+\n\Z")
        self.assertEqual(whoami("--free", "--", "/etc/passwd").code, 126)

    def test_the_commands_death_by_a_signal_is_passed_on(self):
        self.assertEqual(whoami("--free", "--", "sh", "-c", "kill -TERM $$").code, 143)

    def test_explain_tells_what_was_bound(self):
        done = whoami("--free", "--explain")
        port = done.text.strip()
        self.assertRegex(done.err, rf"(?m)^bind +.*:{port}")
        self.assertEqual(done.err.count("\nsocket ") + done.err.startswith("socket "), 2, done.err)


class Usage(WhoamiTestCase):
    def test_bad_words_are_one_line_and_exit_2(self):
        for words, texts in ((["--port", "80abc"], ["80abc"]),
                             (["--port", "0x50"], ["0x50"]),
                             (["--port", "80/sctp"], ["80/sctp", "tcp or udp"]),
                             (["--port", "80/"], ["80/"]),
                             (["--port", "0"], ["0"]),
                             (["--port", "65536"], ["65536"]),
                             (["--port", "80", "more"], ["more"]),
                             (["--port"], ["--port"]),
                             (["--free", "0"], ["0"]),
                             (["--free", "many"], ["many"]),
                             (["--free", "1", "2"], ["2"]),
                             (["--free", "--port", "80"], ["--port", "--free"]),
                             (["--free", "--hold", "--", "true"], ["--hold"]),
                             (["--free", "--json", "--", "true"], ["--json"]),
                             (["--free", "--"], ["command"]),
                             (["--hold"], ["--free"]),
                             (["--lease", "f"], ["--lease", "--free"]),
                             (["--free", "--lease", "f", "--", "true"], ["--lease"]),
                             (["--free", "--tcp-only"], ["--tcp-only"]),
                             (["--no-connect"], ["HOST PORT"]),
                             (["--connect-timeout", "1"], ["HOST PORT"]),
                             (["--connect-timeout", "soon", "localhost", "80"], ["soon"]),
                             (["--no-connect", "--connect-timeout", "1", "localhost", "80"], ["--no-connect"]),
                             (["1.2.3", "80"], ["1.2.3"]),
                             (["localhost:80:90"], ["localhost:80:90"]),
                             (["unix:/tmp/x"], ["unix:/tmp/x", "ports"]),
                             (["a", "b", "c"], ["c"]),
                             (["--prot", "80"], ["--prot", "--port"]),
                             (["--", "true"], ["--free"])):
            with self.subTest(words=words):
                self.assert_usage_error(whoami(*words), *texts)

    def test_a_closed_stdout_is_141(self):
        read, write = os.pipe()
        os.close(read)
        try:
            self.assertEqual(whoami("--free", stdout=write).code, 141)
        finally:
            os.close(write)

    def test_a_full_disk_is_a_fault(self):
        with open("/dev/full", "wb") as full:
            done = whoami("--free", stdout=full.fileno())
        self.assertEqual(done.code, 2, done)
        self.assertIn("no space left", done.err)

    def test_help_begins_with_examples(self):
        done = whoami("--help")
        self.assertEqual(done.code, 0)
        self.assertLess(done.text.index("Examples"), done.text.index("Usage"))
        for word in ("--no-connect", "--port", "--free", "--hold", "--explain", "--json", "--connect-timeout"):
            self.assertIn(word, done.text)


if __name__ == "__main__":
    unittest.main()
