"""pier-nc beside OpenBSD's nc: every row of nc_rows.py is played with both, and what comes of it is the same, but for
what nc_differences.py names, with its reason. Those differences are looked for: one that has gone is to be crossed out.
"""

import concurrent.futures
import os

from harness import TestCase, binary, need_ipv6, need_program
from nc_differences import DIFFERENCES
from nc_rows import GROUPS
from nc_stage import play

AT_ONCE = 6  # most of the time of a row is a second that -w or -i asks for


class Differential(TestCase):
    def setUp(self):
        self.programs = []
        for target in (need_program("nc.openbsd"), binary("pier-nc")):
            link = self.tmp() / "nc"
            os.symlink(target, link)
            self.programs.append(link)
        need_ipv6()

    def both(self, rows):
        """(row, what came of it with nc, and with pier-nc)."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            played = [(row, *(pool.submit(play, program, row) for program in self.programs)) for row in rows]
            for row, theirs, ours in played:
                outcomes = []
                for which, future in (("nc", theirs), ("pier-nc", ours)):
                    try:
                        outcomes.append(future.result())
                    except Exception as error:
                        raise AssertionError(f"row {row.name!r} with {which}: {error}") from error
                yield row, *outcomes

    def group(self, name):
        for row, theirs, ours in self.both(GROUPS[name]):
            with self.subTest(row=row.name, words=" ".join(row.words)):
                self.assertEqual(theirs, ours)

    def test_wrong_usage(self):
        self.group("usage")

    def test_nobody_there(self):
        self.group("closed")

    def test_client(self):
        self.group("client")

    def test_server(self):
        self.group("server")

    def test_datagrams(self):
        self.group("udp")

    def test_unix_sockets(self):
        self.group("unix")

    def test_proxies(self):
        self.group("proxies")

    def test_every_difference_is_there(self):
        rows = {row.name: (difference, check) for difference in DIFFERENCES for row, check in difference.rows}
        for row, theirs, ours in self.both([row for difference in DIFFERENCES for row, _ in difference.rows]):
            difference, check = rows[row.name]
            with self.subTest(difference=difference.title, row=row.name):
                self.assertNotEqual(theirs, ours, "nc does the same by now")
                self.assertTrue(check(ours), ours)

    def test_there_are_enough_rows(self):
        names = [(group, row.name) for group, rows in GROUPS.items() for row in rows]
        self.assertEqual(len(set(names)), len(names))
        self.assertGreaterEqual(len(names), 120)
