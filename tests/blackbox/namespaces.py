"""Two hosts joined by a cable, made of network namespaces: Lab().a and Lab().b.

Nothing leaves them. Each lab has names of its own, so labs of parallel tests do not meet.
"""

import contextlib
import ctypes
import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import threading

_counter = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Host:
    """One end: `name` of the namespace, `ip4` and `ip6` of its eth0."""

    def __init__(self, name, ip4, ip6):
        self.name, self.ip4, self.ip6 = name, ip4, ip6

    def command(self, cmd):
        """`cmd` as run on this host, for Spawn and run."""
        import harness
        return ["ip", "netns", "exec", self.name, *harness.resolve(cmd)]

    def ip(self, *words):
        return _ip("-n", self.name, *words)

    def sysctl(self, name, value):
        """Sets /proc/sys/NAME of this host."""
        subprocess.run(self.command(["sh", "-c", f"echo {value} >/proc/sys/{name}"]), check=True)

    def nft(self, rules):
        """Loads nftables rules: the text of a table."""
        done = subprocess.run(self.command(["nft", "-f", "-"]), input=rules, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"nft: {done.stderr}")

    def drop(self, match):
        """Incoming packets that match vanish: "tcp dport 80"."""
        self._filter(f"{match} drop")

    def reject(self, match, kind):
        """Incoming packets that match are answered: "icmp type admin-prohibited", "tcp reset"."""
        self._filter(f"{match} reject with {kind}")

    def _filter(self, rule):
        self.nft("add table inet pier_lab\n"
                 "add chain inet pier_lab incoming { type filter hook input priority 0; }\n"
                 f"add rule inet pier_lab incoming {rule}\n")

    def hosts(self, text):
        """What /etc/hosts says for programs run on this host."""
        folder = pathlib.Path("/etc/netns") / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts").write_text(text)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0):
        """A socket of this host for the test itself."""
        made = []

        def make():
            fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(fd, _CLONE_NEWNET) != 0:
                    made.append(OSError(ctypes.get_errno(), "setns"))
                    return
                made.append(socket.socket(family, kind, proto))
            except OSError as error:
                made.append(error)
            finally:
                os.close(fd)

        thread = threading.Thread(target=make)  # a namespace belongs to a thread, and this one ends
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        made[0].settimeout(60)
        return made[0]

    def received(self):
        """Packets that came in by eth0 so far."""
        text = self.ip("-s", "link", "show", "eth0").splitlines()
        [at] = [i for i, line in enumerate(text) if line.strip().startswith("RX:")]
        return int(text[at + 1].split()[1])

    def pids(self):
        return [int(p) for p in _ip("netns", "pids", self.name).split()]


class Lab:
    """a (10.77.0.1, fd77::1) and b (10.77.0.2, fd77::2). A context manager; TestCase.enterContext(Lab())."""

    def __init__(self):
        tag = f"pier{os.getpid()}x{next(_counter)}"
        self.a = Host(tag + "a", "10.77.0.1", "fd77::1")
        self.b = Host(tag + "b", "10.77.0.2", "fd77::2")

    def __enter__(self):
        import harness
        harness.need_namespaces()
        try:
            for host in (self.a, self.b):
                _ip("netns", "add", host.name)
                host.ip("link", "set", "lo", "up")
                # Every probe is answered: the kernel would send one ICMP error a second to each host.
                host.sysctl("net/ipv4/icmp_ratelimit", 0)
                host.sysctl("net/ipv6/icmp/ratelimit", 0)
            _ip("link", "add", "eth0", "netns", self.a.name, "type", "veth",
                "peer", "name", "eth0", "netns", self.b.name)
            for host in (self.a, self.b):
                host.ip("addr", "add", f"{host.ip4}/24", "dev", "eth0")
                host.ip("addr", "add", f"{host.ip6}/64", "dev", "eth0", "nodad")
                host.ip("link", "set", "eth0", "up")
            harness.wait_until(lambda: all("tentative" not in h.ip("-6", "addr") and
                                           "state UP" in h.ip("link", "show", "eth0")
                                           for h in (self.a, self.b)), "the cable to be up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for host in (self.a, self.b):
            with contextlib.suppress(AssertionError):
                for pid in host.pids():
                    with contextlib.suppress(OSError):
                        os.kill(pid, 9)
            with contextlib.suppress(AssertionError):
                _ip("netns", "del", host.name)
            shutil.rmtree(f"/etc/netns/{host.name}", ignore_errors=True)
