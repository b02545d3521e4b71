"""Where a benchmark has its files, and what is in them."""

import os
import pathlib
import random
import shutil
import sys
import tempfile


def folder_with_room(need, place, stack):
    """A folder of our own, which ends with `stack`, where so many bytes fit: in `place`, or /dev/shm or TMPDIR."""
    places = [place] if place else [pathlib.Path("/dev/shm"), pathlib.Path(tempfile.gettempdir())]
    for folder in places:
        if folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > need:
            return pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pier.bench.", dir=folder)))
    sys.exit(f"bench: no room for {need >> 20} MiB in {' or '.join(map(str, places))}: use --dir or a smaller --size")


def make_source(path, size):
    """A file of so many real bytes, not holes. No letters among them: openssl s_client takes some as commands."""
    block = bytes(b for b in random.Random(1).randbytes(1 << 20) if not 65 <= b <= 122)
    with open(path, "wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(block[:left])
