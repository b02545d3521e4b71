"""`cmake --install`: everything is where Debian looks for it, and the installed programs find each other."""

import os

import harness
from harness import TestCase, need_program, run


class Install(TestCase):
    def installed(self):
        cmake = need_program("cmake")
        prefix = self.tmp() / "usr"
        done = run([cmake, "--install", str(harness.BIN_DIR), "--prefix", str(prefix)])
        self.assertEqual(done.code, 0, done.err)
        return prefix

    def test_every_program_comes_with_its_completions(self):
        prefix = self.installed()
        programs = sorted(p.name for p in (prefix / "bin").iterdir())
        built = sorted(p.name for p in harness.BIN_DIR.glob("pier*") if p.is_file() and os.access(p, os.X_OK))
        self.assertEqual(programs, built)
        self.assertIn("pier", programs)
        share = prefix / "share"
        for name in programs:
            for file in (f"bash-completion/completions/{name}", f"zsh/site-functions/_{name}",
                         f"fish/vendor_completions.d/{name}.fish"):
                self.assertIn(name, (share / file).read_text(), file)

    def test_every_page_is_installed(self):
        prefix = self.installed()
        for page in (harness.ROOT / "man").glob("*.[17]"):
            installed = prefix / "share/man" / f"man{page.suffix[1:]}" / page.name
            self.assertEqual(installed.read_bytes(), page.read_bytes())

    def test_destdir_goes_before_the_prefix(self):
        root = self.tmp()
        done = run([need_program("cmake"), "--install", str(harness.BIN_DIR), "--prefix", "/usr"],
                   env={"DESTDIR": str(root)})
        self.assertEqual(done.code, 0, done.err)
        self.assertTrue((root / "usr/bin/pier").exists())

    def test_the_installed_front_door_finds_the_installed_commands(self):
        prefix = self.installed()
        done = run([str(prefix / "bin/pier"), "listen", "--version"], env={"PATH": "/nonexistent"})
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertRegex(done.text, r"\Apier-listen ")
