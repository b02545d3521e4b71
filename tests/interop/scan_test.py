"""pier-scan finds what nmap's connect scan finds, on a loopback of its own (a namespace)."""

import re
import socket

from harness import Lab, TestCase, need_program, run


class Nmap(TestCase):
    def open_by_nmap(self, host, address):
        nmap = need_program("nmap")
        family = ["-6"] if ":" in address else []
        done = run(host.command([nmap, "-sT", "-Pn", "-n", "-p", "1-65535", "-oG", "-", *family, address]))
        return {int(p) for p in re.findall(r"(\d+)/open/tcp", done.text)}

    def test_the_same_ports_are_open(self):
        lab = self.enterContext(Lab())
        for address, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
            with self.subTest(address=address):
                ports = set()
                for number in (0,) * 20 + (22, 443, 65535):
                    sock = self.enterContext(lab.a.socket(family))
                    sock.bind((address, number))
                    sock.listen(64)
                    ports.add(sock.getsockname()[1])
                theirs = self.open_by_nmap(lab.a, address)
                done = run(lab.a.command(["pier-scan", "-q", "-p", "-", address]))
                ours = {int(line.split("\t")[1].split("/")[0]) for line in done.lines}
                self.assertEqual(ours, ports)
                self.assertEqual(theirs, ours)
