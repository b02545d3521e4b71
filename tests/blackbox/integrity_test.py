"""Nothing is lost, doubled or changed, whatever the two ends are: 200 random transfers (random_transfers.py).

The ones here are small enough for a sanitized build. For sizes up to hundreds of MB, against a release build:

  PIER_BIN_DIR=build/release python3 -B tests/blackbox/integrity_test.py [--most 400M] [--count 200] [--first 0]
"""

import argparse
import collections
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import TestCase  # noqa: E402
from random_transfers import Transfer  # noqa: E402

MOST = 24 << 20
EACH = 20  # transfers a test


class RandomTransfers(TestCase):
    def transfers(self, first):
        folder = self.tmp()
        for number in range(first, first + EACH):
            Transfer(number, MOST, folder).run()

    def test_000(self):
        self.transfers(0)

    def test_020(self):
        self.transfers(20)

    def test_040(self):
        self.transfers(40)

    def test_060(self):
        self.transfers(60)

    def test_080(self):
        self.transfers(80)

    def test_100(self):
        self.transfers(100)

    def test_120(self):
        self.transfers(120)

    def test_140(self):
        self.transfers(140)

    def test_160(self):
        self.transfers(160)

    def test_180(self):
        self.transfers(180)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", default="400M", help="no source is larger (24M, 400M)")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the number of the first: each is repeatable")
    parser.add_argument("--dir", help="where the files are")
    args = parser.parse_args()
    most = int(args.most.rstrip("M")) << 20
    ways, total, early, failed = collections.Counter(), 0, 0, 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pier.", dir=args.dir) as folder:
        for number in range(args.first, args.first + args.count):
            transfer = Transfer(number, most, pathlib.Path(folder))
            try:
                transfer.run()
            except AssertionError as error:
                failed += 1
                print(error, flush=True)
            ways += transfer.ways
            early += transfer.plan.early is not None
            total += transfer.plan.up.size + transfer.plan.down.size
    print(f"{args.count} transfers, {early} of them with an early end, up to {total / 2**20:.0f} MiB in all, "
          f"{time.monotonic() - began:.0f} s: {failed} failed")
    for way, number in ways.most_common():
        print(f"{number:6}  {way}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
