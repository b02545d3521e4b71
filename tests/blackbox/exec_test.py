"""--exec and --sh-exec: a program for each client, and what becomes of it."""

import os
import pathlib
import signal
import socket
import threading

import harness
from harness import DEVNULL, TestCase, need_ipv6, pattern, recv_all, reset, run, wait_until


def gone(pid):
    """Neither running nor waiting to be reaped."""
    return not pathlib.Path(f"/proc/{pid}").exists()


def state(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


class Listen(TestCase):
    """One client: what the program sees, and how its end is ours."""

    def ask(self, server, data=b"", host="127.0.0.1", family=socket.AF_INET):
        client = self.raw_connect((host, server.port), family)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return recv_all(client)

    def test_a_half_closed_client_gets_its_answer(self):
        server = self.listen("0", "--exec", "--", "wc", "-c")
        self.assertEqual(self.ask(server, b"x" * 70000), b"70000\n")
        self.assertEqual(server.wait()[:2], (0, b""))

    def test_the_programs_exit_code_is_ours(self):
        for command, code in (("exit 7", 7), ("exit 0", 0), ("kill -KILL $$", 137)):
            with self.subTest(command=command):
                server = self.listen("0", "-c", command)
                self.ask(server)
                self.assertEqual(server.wait().code, code)

    def test_a_program_that_is_not_there_is_127_before_anybody_has_come(self):
        for words in (["-e", "--", "no-such-program-here"], ["--exec", "--", "/no/such/file", "x"]):
            done = run(["pier-listen", "0", *words], stdin=DEVNULL)
            self.assertEqual((done.code, done.out), (127, b""), done)
            self.assertRegex(done.err, r"\Apier-listen: run '[^\n]*no such[^\n]*\n\Z")

    def test_a_file_that_cannot_be_run_is_126(self):
        plain = self.tmp() / "plain"
        plain.write_text("text\n")
        for name in (plain, plain.parent):
            done = run(["pier-listen", "0", "--exec", "--", name], stdin=DEVNULL)
            self.assertEqual((done.code, done.out), (126, b""), done)

    def test_exec_without_a_program_is_a_usage_error(self):
        self.assert_usage_error(run(["pier-listen", "0", "--exec"]), "--exec", "--")
        self.assert_usage_error(run(["pier-listen", "9000", "-e", "/bin/cat"]), "--exec -- ")
        self.assert_usage_error(run(["pier-listen", "0", "--exec", "--"]), "--exec")
        self.assert_usage_error(run(["pier-listen", "0", "--", "cat"]), "--exec")
        self.assert_usage_error(run(["pier-listen", "0", "--exec", "-c", "x", "--", "cat"]), "exec", "sh-exec")

    def test_words_reach_the_program_as_they_are(self):
        server = self.listen("0", "--exec", "--", "printf", "%s|", "a b", "*", "$HOME", "-k")
        self.assertEqual(self.ask(server), b"a b|*|$HOME|-k|")

    def test_the_environment_names_both_ends(self):
        server = self.listen("0", "--exec", "--", "env", env={"PIER_REMOTE_ADDR": "10.9.9.9", "KEPT": "yes"})
        client = self.raw_connect(("127.0.0.1", server.port))
        mine = client.getsockname()[1]
        seen = dict(line.split("=", 1) for line in recv_all(client).decode().splitlines() if "=" in line)
        wanted = {"PIER_REMOTE_ADDR": "127.0.0.1", "PIER_REMOTE_PORT": str(mine), "PIER_LOCAL_ADDR": "127.0.0.1",
                  "PIER_LOCAL_PORT": str(server.port), "PIER_PROTO": "tcp", "PROTO": "TCP",
                  "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": str(mine), "TCPLOCALIP": "127.0.0.1",
                  "TCPLOCALPORT": str(server.port), "KEPT": "yes"}
        self.assertEqual({name: seen.get(name) for name in wanted}, wanted)

    def test_ipv6_addresses_have_no_brackets(self):
        need_ipv6()
        server = self.listen("0", "-c", "echo $PIER_REMOTE_ADDR $TCPLOCALIP")
        self.assertEqual(self.ask(server, host="::1", family=socket.AF_INET6), b"::1 ::1\n")

    def test_a_unix_client_has_no_port(self):
        path = self.tmp() / "s"
        server = self.spawn(["pier-listen", f"unix:{path}", "-c", "echo $PROTO $PIER_PROTO $PIER_LOCAL_ADDR [$PIER_REMOTE_PORT]"])
        server.wait_err("listening")
        client = self.raw_connect(str(path), socket.AF_UNIX)
        self.assertEqual(recv_all(client), f"UNIX unix {path} []\n".encode())

    def test_it_has_no_descriptor_but_its_three(self):
        extra = os.open("/dev/null", os.O_RDONLY)
        try:
            for words in ([], ["--crlf"], ["--events", "fd:2"], ["--port-file", self.tmp() / "port"]):
                with self.subTest(words=words):
                    server = self.listen("-k", "0", *words, "--exec", "--", "ls", "/proc/self/fd", pass_fds=[extra])
                    for _ in range(2):  # the second while the first's are still known
                        self.assertEqual(self.ask(server).split(), [b"0", b"1", b"2", b"3"])  # 3: the folder
        finally:
            os.close(extra)

    def test_no_signal_is_blocked_and_sigpipe_is_as_usual(self):
        server = self.listen("0", "-c", "exec sed -n 's/^Sig[BI].*:.//p' /proc/self/status")
        blocked, ignored = self.ask(server).split()
        self.assertEqual(int(blocked, 16), 0)
        self.assertEqual(int(ignored, 16) & (1 << (signal.SIGPIPE - 1)), 0)

    def test_its_descriptors_block_again(self):
        server = self.listen("0", "-c", "exec sed -n 's/^flags:.//p' /proc/self/fdinfo/0 /proc/self/fdinfo/1")
        for flags in self.ask(server).split():
            self.assertEqual(int(flags, 8) & os.O_NONBLOCK, 0)

    def test_its_stderr_is_ours(self):
        server = self.listen("0", "-c", "echo complaint >&2")
        self.assertEqual(self.ask(server), b"")
        self.assertIn("complaint\n", server.wait().err)

    def test_ten_megabytes_through_cat_both_ways(self):
        data = pattern(10_000_000)
        for words in ([], ["--idle-timeout", "1m"]):  # its own socket; pipes
            with self.subTest(words=words):
                server = self.listen("0", *words, "--exec", "--", "cat")
                client = self.raw_connect(("127.0.0.1", server.port))
                sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
                sender.start()
                back = recv_all(client)
                sender.join()
                self.assertEqual(len(back), len(data))
                self.assertEqual(back, data)
                self.assertEqual(server.wait().code, 0)

    def test_summary_counts_what_went_through(self):
        for words in ([], ["--idle-timeout", "1m"]):
            with self.subTest(words=words):
                server = self.listen("0", "--summary", *words, "--exec", "--", "wc", "-c")
                self.ask(server, b"x" * 70000)
                self.assertRegex(server.wait().err, r"(?m): 70000 B in, 6 B out, [\d.]+ s, closed first: peer$")

    def test_a_program_that_reads_nothing_still_answers(self):
        for words in ([], ["--idle-timeout", "1m"]):
            with self.subTest(words=words):
                server = self.listen("0", *words, "-c", "exec </dev/null; echo answer; exit 3")
                self.assertEqual(self.ask(server, b"x" * 1000), b"answer\n")
                self.assertEqual(server.wait().code, 3)

    def test_crlf_is_for_what_the_program_writes(self):
        server = self.listen("0", "--crlf", "-c", "read line; echo \"got $line\"; echo two")
        self.assertEqual(self.ask(server, b"one\n"), b"got one\r\ntwo\r\n")

    def test_an_idle_client_is_reset_and_its_program_hung_up(self):
        server = self.listen("0", "--idle-timeout", "0.1", "-c", "trap 'exit 5' HUP; while :; do sleep 0.01; done")
        client = self.raw_connect(("127.0.0.1", server.port))
        with self.assertRaises(ConnectionResetError):
            client.recv(1)
        done = server.wait()
        self.assertEqual(done.code, 5)
        self.assertIn("no byte either way", done.err)

    def test_a_reset_is_sighup(self):
        for words in ([], ["--idle-timeout", "1m"]):
            with self.subTest(words=words):
                log = self.tmp() / "log"
                server = self.listen("0", *words, "-c",
                                     f"trap 'echo hup >{log}; exit 3' HUP; echo ready; while :; do sleep 0.01; done")
                client = self.raw_connect(("127.0.0.1", server.port))
                self.assertEqual(client.recv(6), b"ready\n")
                reset(client)
                done = server.wait()
                self.assertEqual((done.code, log.read_text()), (3, "hup\n"))
                self.assertIn("connection reset", done.err)

    def test_a_reset_that_the_program_ignores_is_sigterm_later(self):
        server = self.listen("0", "-c", "trap '' HUP; echo ready; exec sleep 60")
        client = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(client.recv(6), b"ready\n")
        reset(client)
        self.assertEqual(server.wait().code, 128 + signal.SIGTERM)

    def test_a_reset_is_no_success_even_if_the_program_says_so(self):
        server = self.listen("0", "-c", "trap 'exit 0' HUP; echo ready; while :; do sleep 0.01; done")
        client = self.raw_connect(("127.0.0.1", server.port))
        client.recv(6)
        reset(client)
        self.assertEqual(server.wait().code, 1)

    def test_an_orderly_end_is_no_reason_to_hang_up(self):
        server = self.listen("0", "-c", "cat >/dev/null; sleep 0.2; echo done")
        self.assertEqual(self.ask(server, b"x"), b"done\n")

    def test_a_signal_to_us_leaves_no_program(self):
        for words in ([], ["-k"], ["--idle-timeout", "1m"]):
            for number in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(words=words, number=number):
                    server = self.listen("0", *words, "-c", "echo $$; (sleep 60; true) & wait")
                    client = self.raw_connect(("127.0.0.1", server.port))
                    pid = int(client.recv(16))
                    inner = wait_until(lambda: [p for p in children_of(pid)], "the program's own child")
                    server.signal(number)
                    self.assertEqual(server.wait().code, 128 + number)
                    self.assertTrue(gone(pid))
                    for each in inner:  # an orphan that has ended is init's to reap, whenever that is
                        wait_until(lambda: gone(each) or state(each) == "Z", f"the end of {each}")

    def test_one_that_ignores_every_signal_is_killed_at_our_end(self):
        server = self.listen("0", "-c", "trap '' HUP TERM INT; echo $$; while :; do sleep 0.05; done")
        client = self.raw_connect(("127.0.0.1", server.port))
        pid = int(client.recv(16))
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        self.assertTrue(gone(pid))

    def test_explain_and_events_tell_of_it(self):
        events = self.tmp() / "events"
        server = self.listen("0", "--explain", "--events", events, "-c", "exit 4")
        self.ask(server)
        self.assertRegex(server.wait().err, r"(?m)^exec .*stdin and stdout$")
        self.assertRegex(events.read_text(), r'"type":"closed".*"exit_status":4')


def children_of(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Many(TestCase):
    """-k: a program each, at once."""

    def test_two_hundred_at_once(self):
        server = self.listen("-k", "0", "--exec", "--", "cat")
        before = server.fds_at_rest().keys()
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(200)]
        for number, client in enumerate(clients):
            client.sendall(b"%d\n" % number)
        for number, client in enumerate(clients):
            line = b""
            while not line.endswith(b"\n"):
                line += client.recv(64)
            self.assertEqual(line, b"%d\n" % number)
        self.assertEqual(len(server.children()), 200)
        for client in clients:
            client.shutdown(socket.SHUT_WR)
        for client in clients:
            self.assertEqual(client.recv(1), b"")
        wait_until(lambda: not server.children() and server.fds().keys() == before, "no descriptor left")

    def test_a_reset_with_unread_bytes_leaves_no_descriptor(self):
        for words in ([], ["--idle-timeout", "1h"]):  # its own socket; pipes
            with self.subTest(words=words):
                server = self.listen("-k", "0", *words, "--exec", "--", "cat")
                before = server.fds_at_rest().keys()
                client = self.raw_connect(("127.0.0.1", server.port))
                client.settimeout(0.2)
                with self.assertRaises(TimeoutError):  # cat writes until nothing more goes either way
                    while True:
                        client.sendall(bytes(1 << 16))
                reset(client)
                wait_until(lambda: not server.children() and server.fds().keys() == before, "no descriptor left")

    def test_one_clients_program_touches_no_other(self):
        server = self.listen("-k", "0", "-c", "read word; test $word = die && kill -9 $$; echo $word")
        quiet = self.raw_connect(("127.0.0.1", server.port))
        for word, answer in ((b"die", b""), (b"live", b"live\n")):
            client = self.raw_connect(("127.0.0.1", server.port))
            client.sendall(word + b"\n")
            self.assertEqual(recv_all(client), answer)
        quiet.sendall(b"still\n")
        self.assertEqual(recv_all(quiet), b"still\n")
        wait_until(lambda: not server.children(), "no zombie")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)

    def test_max_accepts_ends_with_the_last_program(self):
        server = self.listen("--max-accepts", 2, "0", "-c", "exit 9")
        for _ in range(2):
            self.assertEqual(recv_all(self.raw_connect(("127.0.0.1", server.port))), b"")
        self.assertEqual(server.wait().code, 0)

    def test_a_program_gets_the_descriptor_limit_that_we_have_found(self):
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        low = min(soft, hard, 512)
        server = self.listen("-k", "0", "-c", "ulimit -Sn",
                             preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard)))
        self.assertEqual(recv_all(self.raw_connect(("127.0.0.1", server.port))), b"%d\n" % low)


class Connect(TestCase):
    """pier-connect: the program talks to the server."""

    def test_both_ends_are_wired_and_the_status_passed(self):
        listener = self.raw_listener()
        for words in ([], ["--crlf"]):
            with self.subTest(words=words):
                client = self.connect("127.0.0.1", listener.getsockname()[1], *words, "-c",
                                      'read line; printf "you said %s" "$line"; exit 6')
                peer = self.accept(listener)
                peer.sendall(b"hello\n")
                self.assertEqual(recv_all(peer), b"you said hello")
                self.assertEqual(client.wait()[:2], (6, b""))

    def test_the_environment_is_seen_from_our_side(self):
        listener = self.raw_listener()
        self.connect("127.0.0.1", listener.getsockname()[1], "--exec", "--", "sh", "-c",
                     "echo $PIER_REMOTE_PORT $TCPLOCALPORT")
        peer = self.accept(listener)
        self.assertEqual(recv_all(peer).split(), [b"%d" % listener.getsockname()[1], b"%d" % peer.getpeername()[1]])

    def test_a_program_that_is_not_there_is_127_and_connects_to_nobody(self):
        listener = self.raw_listener()
        done = run(["pier-connect", "127.0.0.1", listener.getsockname()[1], "--exec", "--", "no-such-program"])
        self.assertEqual(done.code, 127, done)
        listener.settimeout(0)
        with self.assertRaises(BlockingIOError):
            listener.accept()

    def test_refused_runs_nothing(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        listener.close()
        done = run(["pier-connect", "127.0.0.1", port, "-c", "echo ran >&2"])
        self.assertEqual(done.code, 1, done)
        self.assertNotIn("ran", done.err)

    def test_a_signal_leaves_no_program(self):
        listener = self.raw_listener()
        client = self.connect("127.0.0.1", listener.getsockname()[1], "-c", "echo $$; exec sleep 60")
        pid = int(self.accept(listener).recv(16))
        client.signal(signal.SIGTERM)
        self.assertEqual(client.wait().code, 143)
        self.assertTrue(gone(pid))

    def test_check_runs_no_program(self):
        self.assert_usage_error(run(["pier-connect", "--check", "127.0.0.1", "1", "-c", "x"]), "check", "sh-exec")


class Datagrams(TestCase):
    """-u: a program for each peer; each read and write of it is one datagram."""

    def peer(self, server):
        return self.raw_connect(("127.0.0.1", server.port), kind=socket.SOCK_DGRAM)

    def test_messages_keep_their_borders(self):
        server = self.listen("-u", "127.0.0.1:0", "--exec", "--", "cat")
        peer = self.peer(server)
        for data in (b"one", b"two" * 1000, b"x" * 65507, b"y"):
            peer.send(data)
            self.assertEqual(peer.recv(1 << 16), data)
        burst = [b"%d" % i * (i * 97 % 2000 + 1) for i in range(40)]
        for data in burst:
            peer.send(data)
        for data in burst:
            self.assertEqual(peer.recv(1 << 16), data)

    def test_the_first_peers_program_gives_the_exit_status(self):
        server = self.listen("-u", "127.0.0.1:0", "-c", "read line; echo \"got $line\"; exit 5")
        peer = self.peer(server)
        peer.send(b"hello\n")
        self.assertEqual(peer.recv(100), b"got hello\n")
        self.assertEqual(server.wait().code, 5)

    def test_each_peer_has_its_own_program(self):
        server = self.listen("-k", "-u", "127.0.0.1:0", "-c", 'while read line; do echo "$UDPREMOTEPORT $line"; done')
        peers = [self.peer(server) for _ in range(20)]
        for number, peer in enumerate(peers):
            peer.send(b"%d\n" % number)
        for number, peer in enumerate(peers):
            self.assertEqual(peer.recv(100), b"%d %d\n" % (peer.getsockname()[1], number))
        self.assertEqual(len(server.children()), 20)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)

    def test_what_it_wrote_before_its_end_arrives(self):
        server = self.listen("-k", "-u", "127.0.0.1:0", "-c", "read x; echo 1; echo 2; echo 3")
        for _ in range(2):  # the same peer again gets a new program
            peer = self.peer(server)
            peer.send(b"\n")
            self.assertEqual([peer.recv(10) for _ in range(3)], [b"1\n", b"2\n", b"3\n"])
        wait_until(lambda: not server.children(), "no zombie")

    def test_an_idle_peer_is_hung_up(self):
        log = self.tmp() / "log"
        server = self.listen("-k", "--idle-timeout", "0.1", "-u", "127.0.0.1:0", "-c",
                             f"trap 'echo hup >>{log}; exit' HUP; while :; do sleep 0.01; done")
        self.peer(server).send(b"x")
        wait_until(lambda: log.exists() and log.read_text() == "hup\n", "the hang-up")
        self.assertTrue(server.running())
        server = self.listen("--idle-timeout", "0.1", "-u", "127.0.0.1:0", "-c", "exec sleep 60")
        self.peer(server).send(b"x")
        self.assertEqual(server.wait().code, 124)

    def test_a_signal_leaves_no_program(self):
        server = self.listen("-u", "127.0.0.1:0", "-c", "echo $$; exec sleep 60")
        peer = self.peer(server)
        peer.send(b"x")
        pid = int(peer.recv(16))
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        self.assertTrue(gone(pid))

    def test_unix_datagrams_too(self):
        folder = self.tmp()
        server = self.spawn(["pier-listen", f"unix-dgram:{folder}/s", "-c", "read x; echo $PIER_REMOTE_ADDR"])
        server.wait_err("listening")
        peer = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        peer.settimeout(harness.SAFETY)
        peer.bind(f"{folder}/c")
        peer.sendto(b"x\n", f"{folder}/s")
        self.assertEqual(peer.recv(200), f"{folder}/c\n".encode())
        self.assertEqual(server.wait().code, 0)

    def test_connect_runs_one_for_its_server(self):
        sock = self.raw_listener(kind=socket.SOCK_DGRAM)
        client = self.connect("-u", "127.0.0.1", sock.getsockname()[1], "-c", "echo ask; read answer; test $answer = yes && exit 8")
        data, peer = sock.recvfrom(100)
        self.assertEqual(data, b"ask\n")
        sock.sendto(b"yes\n", peer)
        self.assertEqual(client.wait().code, 8)

    def test_nobody_at_the_other_end_is_exit_1(self):
        sock = self.raw_listener(kind=socket.SOCK_DGRAM)
        port = sock.getsockname()[1]
        sock.close()
        done = run(["pier-connect", "-u", "127.0.0.1", port, "-c", "echo ask; exec sleep 60"])
        self.assertEqual(done.code, 1, done)
        self.assertIn("refused", done.err)
