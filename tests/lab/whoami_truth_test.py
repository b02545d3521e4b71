"""pier-whoami-port --all against what was really started, and against ss and lsof, row by row; and each way in which an
owner can be hidden, produced for real."""

import json
import re
import sys
import unittest

from harness import Lab, TestCase, binary, need_program, need_root, run, wait_until

# Opens sockets of every kind and tells of each: inode, protocol, state, role, ends. Its user is the first argument.
CHILD = r'''
import encodings.idna, json, os, socket, sys  # all that a user who may not read our folders needs
os.setgroups([]), os.setgid(int(sys.argv[1])), os.setuid(int(sys.argv[1]))
told, keep = [], []
T, D, Q, U, V4, V6 = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.AF_UNIX, socket.AF_INET,
                      socket.AF_INET6)
def end(family, address):
    if family == U:
        return address.decode() if isinstance(address, bytes) else address
    host = address[0].removeprefix("::ffff:")
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
def tell(s, proto, state, role, peer=None, also=False):
    local = end(s.family, s.getsockname())
    if s.family == U and local.startswith("\0"):
        local = "@" + local[1:]
    told.append([os.fstat(s.fileno()).st_ino, proto, state, role, local, peer, also])
    keep.append(s)
def bound(family, kind, address, only=None, proto=0):
    s = socket.socket(family, kind, proto)
    if only is not None:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    s.bind(address)
    return s
def listening(*args, **named):
    s = bound(*args, **named)
    s.listen(9)
    return s
for turn in range(2):
    for s in (listening(V4, T, ("127.0.0.1", 0)), listening(V4, T, ("0.0.0.0", 0)), listening(V6, T, ("::1", 0), only=1)):
        tell(s, "tcp", "listen", "server")
    tell(listening(V6, T, ("::", 0), only=0), "tcp", "listen", "server", also=True)
    server = listening(V6, T, ("::", 0), only=0)
    tell(server, "tcp", "listen", "server", also=True)
    client = socket.create_connection(("127.0.0.1", server.getsockname()[1]))
    accepted, _ = server.accept()
    tell(client, "tcp", "established", "client", end(V4, client.getpeername()))
    tell(accepted, "tcp", "established", "accepted", end(V6, accepted.getpeername()))
    tell(bound(V4, T, ("127.0.0.1", 0)), "tcp", "bound", None)
    tell(bound(V4, D, ("127.0.0.1", 0)), "udp", "unconnected", "server")
    tell(bound(V6, D, ("::", 0), only=0), "udp", "unconnected", "server", also=True)
    s = bound(V4, D, ("127.0.0.1", 0)); s.connect(("127.0.0.1", 9))
    tell(s, "udp", "connected", "client", "127.0.0.1:9")
    s = bound(V6, D, ("::1", 0)); s.connect(("::1", 9))
    tell(s, "udp", "connected", "client", "[::1]:9")
    name = f"\0pier-{os.getpid()}-{turn}"
    unix = listening(U, T, name + "s")
    tell(unix, "unix", "listen", "server")
    client = socket.socket(U); client.connect(name + "s")
    accepted, _ = unix.accept()
    tell(client, "unix", "established", "client", "@" + name[1:] + "s")
    tell(accepted, "unix", "established", "accepted", "")
    tell(bound(U, D, name + "d"), "unix-dgram", "unconnected", "server")
    tell(listening(U, Q, name + "q"), "unix-seqpacket", "listen", "server")
print(json.dumps(told), flush=True)
sys.stdin.read()
'''
USERS = (0, 65534, 1234, 4321, 0, 65534)  # of six processes: 6 * 34 sockets


def end_of(record, side):
    addr, port = record[f"{side}_addr"], record[f"{side}_port"]
    if record["family"] == "unix":
        return addr or ""
    if addr is None:
        return None
    return f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"


class Truth(TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.truth = {}
        for uid in USERS:
            child = self.spawn(self.lab.a.command([sys.executable, "-c", CHILD, str(uid)]))
            for inode, *what in json.loads(child.wait_out(rb"(?s)\A(.*)\n")[1]):
                self.truth[inode] = (child.pid, uid, *what)
        self.assertGreaterEqual(len(self.truth), 200)
        done = run(self.lab.a.command(["pier-whoami-port", "--all", "--json"]))
        self.assertEqual(done.code, 0, done)
        self.told = {r["inode"]: r for line in done.lines[1:-1] for r in [json.loads(line)] if r["inode"]}

    def test_every_socket_is_told_as_it_was_made(self):
        for inode, (pid, uid, proto, state, role, local, peer, also) in self.truth.items():
            record = self.told.get(inode)
            self.assertIsNotNone(record, (proto, state, local))
            found = (record["proto"], record["state"], record["role"], end_of(record, "local"), record["uid"],
                     [o["pid"] for o in record["owners"]], record["hidden"], record["also_ipv4"])
            self.assertEqual(found, (proto, state, role, local, uid, [pid], None, also))
            if peer is not None:
                self.assertEqual(end_of(record, "remote") or "", peer, record)
        # Of what has ports, nothing else is in this network.
        extra = {i for i, r in self.told.items() if r["family"] != "unix"} - set(self.truth)
        self.assertEqual(extra, set())

    def test_ss_says_the_same(self):
        ss = need_program("ss")
        done = run(self.lab.a.command([ss, "-tuanpeH"]))
        self.assertEqual(done.code, 0, done)
        seen = set()
        for line in done.lines:
            words = line.split()
            inode = int(re.search(r"\bino:(\d+)", line)[1])
            if inode == 0:
                continue
            record = self.told[inode]
            seen.add(inode)
            host, _, port = words[4].rpartition(":")
            host = host.split("%")[0].strip("[]").replace("*", "::").removeprefix("::ffff:")
            self.assertEqual((words[0], host, int(port)), (record["proto"], record["local_addr"], record["local_port"]), line)
            self.assertEqual(sorted({int(p) for p in re.findall(r"pid=(\d+)", line)}),
                             [o["pid"] for o in record["owners"]], line)
            states = {"LISTEN": "listen", "ESTAB": "established" if words[0] == "tcp" else "connected",
                      "UNCONN": "unconnected"}
            self.assertEqual(states[words[1]], record["state"], line)
            self.assertEqual(int((re.search(r"\buid:(\d+)", line) or [0, 0])[1]), record["uid"], line)
        # ss does not show what is only bound.
        self.assertEqual(seen, {i for i, r in self.told.items() if r["family"] != "unix" and r["state"] != "bound"})

    def test_lsof_says_the_same(self):
        lsof = need_program("lsof")
        pids = ",".join(sorted({str(t[0]) for t in self.truth.values()}))
        # It reads the tables of the network that it runs in itself.
        done = run(self.lab.a.command([lsof, "-nP", "-a", "-p", pids, "-i", "-F", "pPdn"]))
        self.assertEqual(done.code, 0, done)
        seen, pid, inode = set(), 0, 0
        for line in done.lines:
            kind, value = line[0], line[1:]
            if kind == "p":
                pid = int(value)
            elif kind == "d":
                inode = int(value)
            elif kind == "n" and inode in self.told:
                record = self.told[inode]
                seen.add(inode)
                self.assertEqual([o["pid"] for o in record["owners"]], [pid])
                local, _, peer = value.partition("->")
                ours = end_of(record, "local").replace("0.0.0.0:", "*:").replace("[::]:", "*:")
                self.assertEqual(re.sub(r"\[::ffff:([\d.]+)\]", r"\1", local), ours, value)
                if peer:
                    self.assertEqual(re.sub(r"\[::ffff:([\d.]+)\]", r"\1", peer), end_of(record, "remote"), value)
        self.assertEqual(seen, {i for i, r in self.told.items() if r["family"] != "unix" and r["state"] != "bound"})


class Hidden(TestCase):
    """Why an owner cannot be named: what is done to get there, what is said, and the exit code."""

    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.server = self.enterContext(self.lab.a.socket())
        self.server.bind(("127.0.0.1", 8080))
        self.server.listen()

    def ask(self, port, *before):
        words = [*before, binary("pier-whoami-port"), "--port", f"{port}/tcp"]
        done = run(self.lab.a.command(words))
        records = [json.loads(line) for line in run(self.lab.a.command([*words, "--json"])).lines]
        return done, [r for r in records if r["type"] == "socket"]

    def assert_hidden(self, port, reason, sentence, *before):
        done, records = self.ask(port, *before)
        self.assertEqual({(r["hidden"], tuple(r["owners"])) for r in records}, {(reason, ())}, records)
        self.assertEqual((done.code, done.out), (3, b""), done)
        self.assertIn(sentence, done.err)
        self.assertIn(sentence, records[0]["hidden_reason"])

    def test_permission(self):
        need_root()
        before = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if run([*before, "test", "-x", binary("pier-whoami-port")]).code != 0:
            raise unittest.SkipTest("user nobody cannot reach the build folder")
        self.assert_hidden(8080, "permission", "run as root to see which", *before)

    def test_another_pid_namespace(self):
        before = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        if run([*before, "true"]).code != 0:
            raise unittest.SkipTest("no pid namespaces here")
        self.assert_hidden(8080, "pid-namespace", "another pid namespace: run as root on the host", *before)

    def connect(self):
        client = self.enterContext(self.lab.a.socket())
        client.connect(("127.0.0.1", 8080))
        return client

    def test_a_connection_that_nobody_has_accepted_is_the_kernels(self):
        client = self.connect()
        _, records = self.ask(8080)
        queued = [r for r in records if r["remote_port"] == client.getsockname()[1]]
        self.assertEqual([(r["hidden"], r["owners"]) for r in queued], [("kernel", [])])
        self.assertIn("nobody has accepted it yet", queued[0]["hidden_reason"])

    def test_time_wait(self):
        client = self.connect()
        port = client.getsockname()[1]
        accepted, _ = self.server.accept()
        client.close()
        accepted.close()
        wait_until(lambda: [r["state"] for r in self.ask(port)[1]] == ["time-wait"], "time-wait")
        self.assert_hidden(port, "time-wait", "the kernel keeps the port for up to a minute")

    def test_orphan(self):
        client = self.connect()
        port = client.getsockname()[1]
        accepted = self.enterContext(self.server.accept()[0])
        client.close()  # the other side does not close: half an end
        self.assertEqual(accepted.recv(1), b"")
        self.assert_hidden(port, "orphan", "the kernel still finishes the connection")


if __name__ == "__main__":
    unittest.main()
