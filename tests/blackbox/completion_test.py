"""The completion scripts, loaded into the real shells and asked."""

import os
import pty
import select
import shlex
import time

import harness
from harness import TestCase, need_program, run

# What the programs are called when a script is asked of them.
FOLDER = {"bash": "bash/{}", "zsh": "zsh/_{}", "fish": "fish/{}.fish"}


class Completion(TestCase):
    def scripts(self, shell):
        """A folder with the scripts of every built program, printed by the programs themselves."""
        folder = self.tmp()
        for path in sorted(harness.BIN_DIR.glob("pier*")):
            if not path.is_file() or not os.access(path, os.X_OK):
                continue
            done = run([path.name, "--print-completion", shell])
            self.assertEqual((done.code, done.err), (0, ""), path.name)
            file = folder / FOLDER[shell].format(path.name)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(done.out)
        return folder / shell

    def check_syntax(self, shell):
        program = need_program(shell)
        files = list(self.scripts(shell).iterdir())
        self.assertGreaterEqual(len(files), 3)
        for file in files:
            done = run([program, "-n", str(file)])
            self.assertEqual((done.code, done.err), (0, ""), file.name)

    def test_bash_takes_every_script(self):
        self.check_syntax("bash")

    def test_zsh_takes_every_script(self):
        self.check_syntax("zsh")

    def test_fish_takes_every_script(self):
        self.check_syntax("fish")

    def bash(self, *words, cwd=None):
        """What bash offers for the last of the words; the function is called as bash calls it."""
        folder = self.scripts("bash")
        text = f"""source {shlex.quote(str(folder / words[0]))}
COMP_WORDS=({" ".join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}
_{words[0].replace("-", "_")}
printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = run([need_program("bash"), "--norc", "-c", text], cwd=cwd)
        self.assertEqual((done.code, done.err), (0, ""))
        return [line for line in done.lines if line]

    def test_bash_completes_options_and_values(self):
        self.assertEqual(self.bash("pier-listen", "--accept-t"), ["--accept-timeout"])
        self.assertIn("-k", self.bash("pier-listen", "-"))
        self.assertEqual(self.bash("pier-listen", "-v", "--color", "a"), ["auto", "always"])
        self.assertEqual(self.bash("pier-listen", "--color", "=", "n"), ["never"])
        self.assertEqual(self.bash("pier-listen", "--color", "="), ["auto", "always", "never"])
        self.assertEqual(self.bash("pier-listen", "--accept-timeout", "--"), [])

    def test_bash_completes_files(self):
        folder = self.tmp()
        (folder / "a file").touch()
        self.assertEqual(self.bash("pier-listen", "--port-file", "a", cwd=folder), ["a file"])

    def test_bash_completes_the_command_after_the_dashes(self):
        self.assertEqual(self.bash("pier-listen", "--", "--accept-t"), [])
        self.assertIn("printf", self.bash("pier-connect", "--wait", "1s", "db:1", "--", "print"))

    def test_bash_completes_the_front_door(self):
        self.assertEqual(self.bash("pier", "li"), ["listen"])
        self.assertEqual(self.bash("pier", "help", "sc"), ["scan"])
        self.assertEqual(self.bash("pier", "listen", "--accept-t"), ["--accept-timeout"])
        self.assertEqual(self.bash("pier", "connect", "--color", "ne"), ["never"])
        self.assertEqual(self.bash("pier", "nothing", "x"), [])

    def fish(self, line, cwd=None):
        folder = self.scripts("fish")
        need_program("fish")
        text = "; ".join(f"source {shlex.quote(str(f))}" for f in sorted(folder.iterdir()))
        home = self.tmp()
        done = run(["fish", "--no-config", "-c", f"{text}; complete -C {shlex.quote(line)}"], cwd=cwd,
                   env={"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home)})
        self.assertEqual(done.code, 0, done)
        return [offer.split("\t")[0] for offer in done.lines]

    def test_fish_completes_options_and_values(self):
        self.assertEqual(self.fish("pier-listen --accept-t"), ["--accept-timeout"])
        self.assertEqual(self.fish("pier-listen --color n"), ["never"])
        self.assertEqual(self.fish("pier-listen --color=al"), ["--color=always"])
        folder = self.tmp()
        (folder / "afile").touch()
        self.assertEqual(self.fish("pier-listen --port-file af", cwd=folder), ["afile"])
        self.assertEqual(self.fish("pier-listen af", cwd=folder), [])

    def test_fish_completes_the_command_after_the_dashes(self):
        self.assertIn("printf", self.fish("pier-connect --wait 1s db:1 -- print"))
        self.assertNotIn("--accept-timeout", self.fish("pier-listen -- --accept-t"))

    def test_fish_completes_the_front_door(self):
        self.assertEqual(self.fish("pier li"), ["listen"])
        self.assertEqual(self.fish("pier help sc"), ["scan"])
        self.assertEqual(self.fish("pier listen --accept-t"), ["--accept-timeout"])
        self.assertEqual(self.fish("pier connect --color ne"), ["never"])

    def zsh(self, line, expected):
        """Types the line and a TAB into an interactive zsh, and waits for what it makes of it."""
        program = need_program("zsh")
        folder = self.scripts("zsh")
        setup = (f"fpath=({shlex.quote(str(folder))} $fpath); PS1='%# '; unsetopt zle_bracketed_paste; "
                 "autoload -Uz compinit; compinit -D -u; print rea''dy\n")
        pid, master = pty.fork()
        if pid == 0:
            os.execve(program, ["zsh", "-f"], dict(harness.clean_env(), TERM="dumb", HOME=str(folder)))
        self.addCleanup(os.close, master)
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, 9)
        os.write(master, setup.encode())
        self.read_until(master, b"\nready")
        os.write(master, line.encode() + b"\t")
        self.read_until(master, expected.encode())

    def read_until(self, fd, expected):
        seen, end = b"", time.monotonic() + harness.SAFETY
        while expected not in seen:
            if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                self.fail(f"{expected!r} was not seen in {seen!r}")
            seen += os.read(fd, 4096)

    def test_zsh_completes_options_and_values(self):
        self.zsh("pier-listen --accept-t", "--accept-timeout=")

    def test_zsh_completes_choices(self):
        self.zsh("pier-listen --color n", "--color never")

    def test_zsh_completes_subcommands(self):
        self.zsh("pier whoam", "pier whoami-port")

    def test_zsh_completes_the_options_of_subcommands(self):
        self.zsh("pier listen --accept-t", "--accept-timeout=")

    def test_zsh_completes_the_command_after_the_dashes(self):
        self.zsh("pier-connect --wait 1s db:1 -- printen", "-- printenv")

    def test_a_shell_nobody_knows_is_a_usage_error(self):
        self.assert_usage_error(run(["pier", "--print-completion", "tcsh"]), "--print-completion")
