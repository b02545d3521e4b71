"""pier itself: finding the program of a command, help, and what it says when it can't."""

import os
import shutil

import harness
from harness import PTY, TestCase, binary, run


class FrontDoor(TestCase):
    def stage(self, **scripts):
        """A folder with a copy of pier, and shell scripts as its commands; returns the folder."""
        folder = self.tmp()
        shutil.copy(binary("pier"), folder / "pier")
        self.add(folder, **scripts)
        return folder

    def add(self, folder, **scripts):
        folder.mkdir(exist_ok=True)
        for name, text in scripts.items():
            file = folder / name.replace("_", "-")
            file.write_text("#!/bin/sh\n" + text)
            file.chmod(0o755)

    def test_runs_the_program_beside_it_with_the_words_as_they_are(self):
        folder = self.stage(pier_listen='printf "<%s>" "$@"; cat; exit 7\n')
        elsewhere = self.tmp() / "bin"
        self.add(elsewhere, pier_listen="exit 1\n")
        done = run([str(folder / "pier"), "listen", "-q", "", "a b", "--", "--help"], stdin="in",
                   env={"PATH": f"{elsewhere}:{os.environ['PATH']}"})
        self.assertEqual(done, (7, b"<-q><><a b><--><--help>in", ""))

    def test_the_program_in_path_is_second(self):
        folder = self.stage()
        elsewhere = self.tmp() / "bin"
        self.add(elsewhere, pier_scan='echo "path $*"\n')
        done = run([str(folder / "pier"), "scan", "x"], env={"PATH": f"{elsewhere}:{os.environ['PATH']}"})
        self.assertEqual(done, (0, b"path x\n", ""))

    def test_a_link_to_pier_finds_the_programs_of_its_target(self):
        folder = self.stage(pier_listen="echo here\n")
        link = self.tmp() / "pier"
        link.symlink_to(folder / "pier")
        self.assertEqual(run([str(link), "listen"]), (0, b"here\n", ""))

    def test_a_program_that_is_not_there_is_127(self):
        folder = self.stage()
        done = run([str(folder / "pier"), "nc", "-h"], env={"PATH": str(folder)})
        self.assertEqual((done.code, done.out), (127, b""))
        self.assertEqual(done.err, f"pier: run pier-nc: not found in {folder} or in PATH\n")

    def test_a_program_that_cannot_run_is_126(self):
        folder = self.stage(pier_nc="exit 0\n")
        (folder / "pier-nc").chmod(0o644)
        done = run([str(folder / "pier"), "nc"])
        self.assertEqual(done, (126, b"", "pier: run pier-nc: permission denied\n"))

    def test_signals_of_the_caller_reach_the_command(self):
        folder = self.stage(pier_listen="kill -PIPE $$; echo survived\n")
        self.assertEqual(run([str(folder / "pier"), "listen"]).code, 141)

    def test_every_command_is_named_in_help(self):
        done = run(["pier", "--help"])
        self.assertEqual((done.code, done.err), (0, ""))
        for name in ("listen", "connect", "scan", "whoami-port", "classify-port", "nc"):
            self.assertRegex(done.text, rf"(?m)^  {name} +\S")
        self.assertLess(done.text.index("Examples:"), done.text.index("Usage:"))

    def test_version_names_the_libraries(self):
        done = run(["pier", "--version"])
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertRegex(done.text, r"\Apier \d+\.\d+\.\d+\nfmt \d+\.\d+\.\d+\nCLI11 \d[\d.]+\nglibc \d[\d.]+\n\Z")

    def test_wrong_words_are_one_line(self):
        self.assert_usage_error(run(["pier"]), "no command")
        self.assert_usage_error(run(["pier", "lisen"]), "'lisen'", "did you mean pier listen?")
        self.assert_usage_error(run(["pier", "lisen", "--port-file"]), "'lisen'")
        self.assert_usage_error(run(["pier", "whoami"]), "'whoami'", "pier whoami-port")
        self.assert_usage_error(run(["pier", "classify"]), "'classify'", "pier classify-port")
        self.assert_usage_error(run(["pier", "zzzz"]), "'zzzz'", "pier --help")
        self.assert_usage_error(run(["pier", "a\nb"]), r"'a\x0ab'")
        self.assert_usage_error(run(["pier", ""]), "''")
        self.assert_usage_error(run(["pier", "-q", "listen"]), "'listen'", "pier listen")
        self.assert_usage_error(run(["pier", "help", "lisen"]), "'lisen'", "listen")
        self.assert_usage_error(run(["pier", "help", "listen", "scan"]), "'scan'")
        self.assert_usage_error(run(["pier", "--helq"]), "'--helq'", "--help")

    def test_help_runs_the_commands_own_where_nobody_can_page(self):
        folder = self.stage(pier_listen='echo "own $*"\n', man="echo page; exit 0\n")
        env = {"PATH": f"{folder}:{os.environ['PATH']}"}
        pier = str(folder / "pier")
        for name in ("listen", "pier-listen"):
            self.assertEqual(run([pier, "help", name], env=env), (0, b"own --help\n", ""))
        self.assertIn("usage: pier-nc", "".join(map(str, run(["pier", "help", "nc"]))))
        self.assertEqual(run([pier, "help"]).out, run([pier, "--help"]).out)
        self.assertEqual(run([pier, "help", "pier"]).out, run([pier, "--help"]).out)

    def test_help_is_the_man_page_on_a_terminal(self):
        folder = self.stage(pier_listen='echo "own $*"\n', man='[ "$1" = -w ] || echo "page $*"\n')
        done = run([str(folder / "pier"), "help", "listen"], stdout=PTY,
                   env={"PATH": f"{folder}:{os.environ['PATH']}"})
        self.assertEqual((done.code, done.text), (0, "page pier-listen\r\n"))

    def test_help_without_a_page_is_the_commands_own(self):
        folder = self.stage(pier_listen='echo "own $*"\n', man="exit 16\n")
        done = run([str(folder / "pier"), "help", "listen"], stdout=PTY,
                   env={"PATH": f"{folder}:{os.environ['PATH']}"})
        self.assertEqual((done.code, done.text), (0, "own --help\r\n"))


class Start(TestCase):
    """What every command does before and around its own work (cli/app)."""

    def test_help_into_a_closed_pipe_is_141_and_silent(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = run(["pier", "--help"], stdout=write_end)
        os.close(write_end)
        self.assertEqual((done.code, done.err), (141, ""))

    def test_help_onto_a_full_disk_is_2_and_one_line(self):
        with open("/dev/full", "wb") as full:
            done = run(["pier", "--help"], stdout=full)
        self.assertEqual((done.code, done.err), (2, "pier: write standard output: no space left on device\n"))

    def test_closed_descriptors_are_made_safe(self):
        for closed in ({"stdin": harness.CLOSED}, {"stdout": harness.CLOSED}, {"stderr": harness.CLOSED}):
            self.assertEqual(run(["pier", "--help"], **closed).code, 0, closed)
        self.assertEqual(run(["pier", "lisen"], stderr=harness.CLOSED).code, 2)

    def test_help_fits_the_terminal(self):
        done = run(["pier", "--help"], stdout=PTY)
        self.assertEqual(done.code, 0)
        self.assertTrue(all(len(line) <= 120 for line in done.lines))
