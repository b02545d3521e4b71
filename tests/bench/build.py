"""What is measured: pier's programs, the bench's own tools, and which options this build has."""

import functools
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def add_options(parser):
    """The options that every benchmark has."""
    parser.add_argument("--quick", action="store_true", help="about a minute: less data, fewer rounds")
    parser.add_argument("--write", action="store_true", help="put the tables into tests/bench/RESULTS.md")
    parser.add_argument("--bin-dir", type=pathlib.Path, metavar="DIR",
                        help="measure the programs there, and build nothing (default: build the release preset)")


class Build:
    def __init__(self, bin_dir=None):
        """Builds the release preset, or takes what `bin_dir` has; the tools are in its folder bench."""
        self.bin_dir = bin_dir.resolve() if bin_dir else self._release()
        self.tools = self.bin_dir / "bench"
        for program in (self.bin_dir / "pier-listen", self.bin_dir / "pier-connect", self.tools / "bench_timed"):
            if not program.exists():
                sys.exit(f"bench: {program} is not built: cmake --build BUILD --target all bench_tools")
        self.timed = str(self.tools / "bench_timed")

    @staticmethod
    def _release():
        build = ROOT / "build" / "release"
        for words in (["cmake", "--preset", "release"],
                      ["cmake", "--build", "--preset", "release", "--target", "all", "bench_tools"]):
            done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"{done.stdout}\nbench: {' '.join(words)} failed")
        return build

    def path(self, word):
        """The program a word names: ours, a tool of the bench, or one of PATH. None where there is none."""
        if word.startswith("pier-"):
            found = self.bin_dir / word
        elif word.startswith("bench_"):
            found = self.tools / word
        else:
            return shutil.which(word)
        return str(found) if found.exists() else None

    @functools.cache
    def _help(self, program):
        return subprocess.run([self.path(program), "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=20, check=False).stdout

    def lacks(self, command):
        """Why a command line cannot be run here ("not installed", "not in this build"), or None."""
        words = command.split()
        if self.path(words[0]) is None:
            ours = words[0].startswith(("pier-", "bench_"))
            return "not in this build" if ours else "not installed"
        if not words[0].startswith("pier-"):
            return None
        options = words[:words.index("--")] if "--" in words else words
        unknown = [w for w in options if w.startswith("--") and not re.search(rf"{w}(?![\w-])", self._help(words[0]))]
        return f"no {unknown[0]} in this build" if unknown else None

    def command(self, command, **values):
        """A command line of a table as words, its {names} replaced and its program found."""
        words = [word.format(**values) for word in command.split()]
        return [self.path(words[0]), *words[1:]]
