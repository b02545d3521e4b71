"""pier-whoami-port --all, --pid, --netns, --watch, --wait-free and --kill: the sockets of a host (contract, section 8)."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import sys

from harness import PTY, Lab, TestCase, need_ipv6, run, wait_until
from whoami_case import WhoamiTestCase, records, whoami

LISTEN = ("import socket,sys; s=socket.socket(); s.bind((sys.argv[1],0)); s.listen();"
          "print(s.getsockname()[1],flush=True); sys.stdin.read()")


class All(WhoamiTestCase):
    def mine(self, *args, **options):
        """The records of sockets that this process holds, by inode."""
        told = self.json(*args, **options)
        return {r["inode"]: r for r in told if any(o["pid"] == os.getpid() for o in r["owners"])}

    def test_every_kind_of_socket_with_its_role(self):
        server = self.raw_listener()
        client = self.raw_connect(server.getsockname())
        accepted = self.accept(server)
        datagrams = self.raw_listener(kind=socket.SOCK_DGRAM)
        path = self.tmp() / "s"
        unix = self.enterContext(socket.socket(socket.AF_UNIX))
        unix.bind(str(path))
        unix.listen()
        unix_client = TestCase.raw_connect(self, str(path), socket.AF_UNIX)
        unix_accepted = self.accept(unix)
        left, right = map(self.enterContext, socket.socketpair())
        told = self.mine("--all")
        expected = {server: ("tcp", "listen", "server"), client: ("tcp", "established", "client"),
                    accepted: ("tcp", "established", "accepted"), datagrams: ("udp", "unconnected", "server"),
                    unix: ("unix", "listen", "server"), unix_client: ("unix", "established", "client"),
                    unix_accepted: ("unix", "established", "accepted"), left: ("unix", "established", None),
                    right: ("unix", "established", None)}
        for sock, (proto, state, role) in expected.items():
            record = told[os.fstat(sock.fileno()).st_ino]
            self.assertEqual((record["proto"], record["state"], record["role"]), (proto, state, role), record)
            self.assertTrue(record["role_reason"])
        record = told[os.fstat(unix_client.fileno()).st_ino]
        self.assertEqual((record["family"], record["local_addr"], record["local_port"], record["remote_addr"]),
                         ("unix", None, None, str(path)))

    def test_rows_have_the_class_of_both_ends(self):
        server = self.raw_listener()
        self.raw_connect(server.getsockname())
        self.accept(server)
        done = whoami("--all", "--proto", "tcp")
        rows = [line.split("\t") for line in done.lines if f"{self.ip}:{self.port_of(server)}" in line]
        self.assertEqual(len(rows), 3, done)
        listens = rows[0]
        self.assertEqual(len(listens), 12)
        self.assertEqual(listens[:2] + listens[3:7], ["tcp", f"{self.ip}:{self.port_of(server)}", "-", "-", "listen",
                                                      "server"])
        self.assertEqual(listens[8], f"pid {os.getpid()}")
        self.assertEqual(sorted(row[6] for row in rows[1:]), ["accepted", "client"])

    def test_only_the_protocols_asked_for(self):
        self.raw_listener()
        self.raw_listener(kind=socket.SOCK_DGRAM)
        self.assertEqual({r["proto"] for r in self.mine("--all", "--proto", "udp").values()}, {"udp"})
        self.assertEqual({r["proto"] for r in self.mine("--all", "--proto", "tcp,udp").values()}, {"tcp", "udp"})

    def test_a_wildcard_that_takes_ipv4_too_says_so(self):
        need_ipv6()
        for only in (0, 1):
            server = self.enterContext(socket.socket(socket.AF_INET6))
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            server.bind(("::", 0))
            server.listen()
            port = self.port_of(server)
            (record,) = [r for r in self.json("--port", f"{port}/tcp")
                         if r["inode"] == os.fstat(server.fileno()).st_ino]
            self.assertEqual(record["also_ipv4"], not only)
            done = whoami("--port", f"{port}/tcp")
            self.assertEqual(f"\t[::]:{port} (also IPv4)\t" in done.text, not only, done)

    def test_a_listeners_backlog(self):
        server = self.enterContext(socket.socket())
        server.bind((self.ip, 0))
        server.listen(7)
        self.raw_connect(server.getsockname())
        record = [r for r in self.sockets("--port", self.port_of(server)) if r["state"] == "listen"][0]
        self.assertEqual((record["backlog_used"], record["backlog_limit"]), (1, 7))

    def test_multipath_tcp(self):
        try:
            server = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262))
        except OSError as error:
            self.skipTest(f"no MPTCP here: {error}")
        server.bind((self.ip, 0))
        server.listen()
        (record,) = self.sockets("--port", self.port_of(server))
        self.assertEqual((record["proto"], record["mptcp"], record["owners"][0]["pid"]), ("tcp", True, os.getpid()))
        plain = self.raw_listener()
        (record,) = self.sockets("--port", self.port_of(plain))
        self.assertIs(record["mptcp"], False)

    def test_a_connection_whose_listener_has_gone_is_known_by_its_ports(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 8080))
        server.listen()
        client = self.enterContext(lab.a.socket())
        client.connect(("127.0.0.1", 8080))
        accepted = self.accept(server)
        server.close()
        done = run(lab.a.command(["pier-whoami-port", "--port", "8080", "--json"]))
        (record,) = [r for r in records(done) if r["type"] == "socket"]
        self.assertEqual((record["inode"], record["role"]), (os.fstat(accepted.fileno()).st_ino, "accepted"))
        self.assertIn("its listener has gone", record["role_reason"])

    def test_all_is_one_question_of_the_kernel_for_each_table(self):
        done = whoami("--all", "--proto", "tcp,unix", "--explain")
        self.assertEqual(done.err.count("sock_diag "), 1, done)


class Pid(WhoamiTestCase):
    def test_the_sockets_of_one_process_and_no_others(self):
        child = self.spawn([sys.executable, "-c", LISTEN, self.ip])
        port = int(child.wait_out(rb"^(\d+)\n")[1])
        other = self.raw_listener()
        told = [r for r in self.json("--pid", child.pid) if r["proto"] == "tcp"]
        self.assertEqual([r["local_port"] for r in told], [port])
        self.assertEqual(told[0]["owners"][0]["pid"], child.pid)
        self.assertNotIn(os.fstat(other.fileno()).st_ino, [r["inode"] for r in told])

    def test_nobody_of_that_number(self):
        child = self.spawn(["true"])
        child.wait()
        done = whoami("--pid", child.pid)
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("no such process", done.err)

    def test_a_process_without_sockets(self):
        child = self.spawn(["cat"])
        done = whoami("--pid", child.pid)
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("has no sockets", done.err)

    def test_another_users_process_is_hidden(self):
        lab = self.enterContext(Lab())
        done = self.as_nobody(lab.a, "--pid", os.getpid())
        self.assertEqual((done.code, done.out), (3, b""), done)
        self.assertIn("not ours to see: run as root", done.err)

    def test_a_process_in_another_network_namespace(self):
        lab = self.enterContext(Lab())
        child = self.spawn(lab.a.command([sys.executable, "-c", LISTEN, "127.0.0.1"]))
        port = int(child.wait_out(rb"^(\d+)\n")[1])
        told = [r for r in self.json("--pid", child.pid) if r["proto"] == "tcp"]
        self.assertEqual([(r["local_port"], r["netns"]) for r in told], [(port, lab.a.name)])


class Netns(WhoamiTestCase):
    def test_by_name_by_process_and_all(self):
        lab = self.enterContext(Lab())
        child = self.spawn(lab.a.command([sys.executable, "-c", LISTEN, "127.0.0.1"]))
        port = int(child.wait_out(rb"^(\d+)\n")[1])
        for value in (lab.a.name, child.pid, "all"):
            told = [r for r in self.json("--port", port, "--netns", value) if r["netns"] == lab.a.name]
            self.assertEqual([o["pid"] for r in told for o in r["owners"]], [child.pid], value)

    def test_one_that_is_held_by_its_name_alone_is_entered(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 8080))
        server.listen()
        (record,) = self.json("--port", 8080, "--netns", lab.a.name)
        self.assertEqual((record["netns"], record["owners"][0]["pid"]), (lab.a.name, os.getpid()))

    def test_of_no_such_name(self):
        done = whoami("--all", "--netns", "pier-has-no-such")
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("pier-has-no-such", done.err)


class Watch(WhoamiTestCase):
    def test_tells_what_comes_and_what_goes(self):
        server = self.raw_listener()
        port = self.port_of(server)
        watcher = self.spawn(["pier-whoami-port", "--port", f"{port}/tcp", "--watch", "--interval", "10ms", "--json"])
        watcher.wait_out(rb'"change":"now"')
        client = self.raw_connect(server.getsockname())
        accepted = self.accept(server)
        watcher.wait_out(rb'"role":"accepted"[^\n]*"change":"new"')
        # Reset, so that nothing is left of it.
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        accepted.close()
        client.close()
        watcher.wait_out(rb'"role":"accepted"[^\n]*"change":"gone"')
        watcher.signal(signal.SIGINT)
        done = watcher.wait()
        self.assertEqual(done.code, 130, done)
        last = json.loads(done.lines[-1])
        self.assertEqual((last["type"], last["complete"]), ("summary", True))
        self.assertGreaterEqual(last["changes"], 2)

    def test_as_rows(self):
        server = self.raw_listener()
        watcher = self.spawn(["pier-whoami-port", "--port", f"{self.port_of(server)}/tcp", "--watch", "--interval", "10ms"])
        watcher.wait_out(rf"(?m)^now\ttcp\t{self.ip}:{self.port_of(server)}\t".encode())
        port = self.port_of(server)
        server.close()
        watcher.wait_out(rf"(?m)^gone\ttcp\t{self.ip}:{port}\t".encode())
        watcher.signal(signal.SIGTERM)
        self.assertEqual(watcher.wait().code, 143)


class WaitFree(WhoamiTestCase):
    def test_ends_when_the_last_one_has_gone(self):
        child = self.spawn([sys.executable, "-c", LISTEN, self.ip])
        port = int(child.wait_out(rb"^(\d+)\n")[1])
        waiter = self.spawn(["pier-whoami-port", "--port", f"{port}/tcp", "--wait-free", "60", "-v"])
        self.assertIsNone(waiter.process.poll())
        child.close_stdin()
        done = waiter.wait()
        self.assertEqual((done.code, done.out), (0, b""), done)
        self.assertIn("is free after", done.err)

    def test_says_who_still_has_it_at_the_end(self):
        server = self.raw_listener()
        done = whoami("--port", f"{self.port_of(server)}/tcp", "--wait-free", "1ms")
        self.assertEqual(done.code, 124, done)
        self.assertIn(f"pid {os.getpid()}", done.text)
        self.assertRegex(done.err, r"\Apier-whoami-port: --wait-free [^\n]+\n\Z")

    def test_a_port_in_time_wait_is_free_for_a_server(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 8080))
        server.listen()
        client = self.enterContext(lab.a.socket())
        client.connect(("127.0.0.1", 8080))
        accepted = self.accept(server)
        accepted.close()  # first, so that the server's port is the one in time-wait
        client.recv(1)
        client.close()
        server.close()
        done = run(lab.a.command(["pier-whoami-port", "--port", "8080", "--wait-free", "60"]))
        self.assertEqual(done.code, 0, done)


class Kill(WhoamiTestCase):
    def child(self):
        child = self.spawn([sys.executable, "-c", LISTEN, self.ip])
        return child, int(child.wait_out(rb"^(\d+)\n")[1])

    def test_signals_the_owner_and_waits_until_the_port_is_free(self):
        child, port = self.child()
        done = whoami("--port", f"{port}/tcp", "--kill", "TERM", "--yes", "--wait-free", "60")
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.text, rf"\ASIGTERM\tsent\tpython3[^\t]*\tpid {child.pid}\t")
        self.assertEqual(child.wait().code, 128 + signal.SIGTERM)

    def test_as_records(self):
        child, port = self.child()
        (record,) = self.json("--port", f"{port}/tcp", "--kill", "9", "-y")
        self.assertEqual((record["type"], record["pid"], record["signal"], record["outcome"]),
                         ("signal", child.pid, "KILL", "sent"))
        self.assertEqual(child.wait().code, 128 + signal.SIGKILL)

    def test_nobody_is_there(self):
        server = self.raw_listener()
        port = self.port_of(server)
        server.close()
        lab = self.enterContext(Lab())
        done = run(lab.a.command(["pier-whoami-port", "--port", str(port), "--kill", "TERM", "--yes"]))
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("nobody has port", done.err)

    def test_asks_on_a_terminal(self):
        child, port = self.child()
        asker = self.spawn(["pier-whoami-port", "--port", f"{port}/tcp", "--kill", "TERM"], stdin=PTY)
        asker.wait_err(rf"send SIGTERM to python3[^\n]* \(pid {child.pid}, ")
        asker.write(b"n\n")
        done = asker.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("\tdeclined\t", done.text)
        self.assertIsNone(child.process.poll())

    def test_without_a_terminal_it_wants_yes(self):
        self.assert_usage_error(whoami("--port", "8080", "--kill", "TERM"), "--kill", "--yes")

    def test_a_hidden_owner_cannot_be_signalled(self):
        lab = self.enterContext(Lab())
        server = self.enterContext(lab.a.socket())
        server.bind(("127.0.0.1", 0))
        server.listen()
        done = self.as_nobody(lab.a, "--port", self.port_of(server), "--kill", "TERM", "--yes")
        self.assertEqual((done.code, done.out), (3, b""), done)


class Usage(WhoamiTestCase):
    def test_bad_words_are_one_line_and_exit_2(self):
        for words, texts in ((["--all", "8"], ["8"]),
                             (["--pid", "0"], ["0"]),
                             (["--pid", "self"], ["self"]),
                             (["--all", "--port", "80"], ["--all", "--port"]),
                             (["--all", "--proto", "tcp,sctp"], ["tcp,sctp", "unix"]),
                             (["--port", "80", "--proto", "tcp"], ["--proto"]),
                             (["--watch"], ["--watch", "--port"]),
                             (["--port", "80", "--interval", "1s"], ["--interval", "--watch"]),
                             (["--all", "--watch", "--interval", "1us"], ["1us", "10ms"]),
                             (["--all", "--wait-free", "1s"], ["--wait-free", "--port"]),
                             (["--all", "--kill", "TERM", "--yes"], ["--kill", "--port"]),
                             (["--port", "80", "--kill", "NOPE", "--yes"], ["NOPE"]),
                             (["--port", "80", "--yes"], ["--yes", "--kill"]),
                             (["--netns", "all"], ["--netns"]),
                             (["--all", "--netns", "a/b"], ["a/b"])):
            with self.subTest(words=words):
                self.assert_usage_error(whoami(*words), *texts)


class Cgroup(WhoamiTestCase):
    """Where the kernel says in which control group a socket was made, only its processes are looked at."""

    def group(self):
        mount = pathlib.Path("/sys/fs/cgroup/unified")
        if not mount.is_dir():
            mount = pathlib.Path("/sys/fs/cgroup")
        folder = mount / f"pier-{os.getpid()}"
        try:
            folder.mkdir()
            self.addCleanup(lambda: wait_until(lambda: self.removed(folder), "an empty group"))
            (folder / "cgroup.procs").read_text()
        except OSError as error:
            self.skipTest(f"no control groups to make here: {error}")
        return folder

    @staticmethod
    def removed(folder):
        with contextlib.suppress(OSError):
            folder.rmdir()
            return True
        return False

    def test_an_owner_that_is_no_relative_is_found_by_its_group(self):
        folder = self.group()
        # Its parent ends, so that it is no relative of ours but for the host's first process.
        script = ('echo $$ >"$0/cgroup.procs" || exit 9; setsid "$1" -c "$2" "$3" <"$4" >"$5" 2>&1 & exit 0')
        fifo, told = self.tmp() / "stop", self.tmp() / "told"
        os.mkfifo(fifo)
        hold = os.open(fifo, os.O_RDWR)
        self.addCleanup(lambda: os.write(hold, b"\n") and os.close(hold))
        program = LISTEN.replace("sys.stdin.read()", "sys.stdin.readline()")
        done = run(["sh", "-c", script, str(folder), sys.executable, program, self.ip, str(fifo), str(told)])
        if done.code == 9:
            self.skipTest("this process may not be moved into a control group")
        self.assertEqual(done.code, 0, done)
        port = int(wait_until(lambda: told.exists() and told.read_text(), "the listener's port"))
        done = whoami("--port", f"{port}/tcp", "--json", "-v")
        self.assertEqual(done.code, 0, done)
        owners = [o for r in records(done) if r["type"] == "socket" for o in r["owners"]]
        self.assertIn(str(owners[0]["pid"]), (folder / "cgroup.procs").read_text().split())
        self.assertIn("among: cgroup", done.err)


if __name__ == "__main__":
    import unittest
    unittest.main()
