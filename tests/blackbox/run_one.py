"""Runs one test of a *_test.py file for ctest: run_one.py FILE [CLASS.METHOD]. Exit 77 = skipped, with the reason."""

import importlib.util
import pathlib
import sys
import unittest

SKIPPED = 77


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(path.parent)]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    suite = (loader.loadTestsFromName(sys.argv[2], module) if len(sys.argv) > 2
             else loader.loadTestsFromModule(module))
    if suite.countTestCases() == 0:
        sys.exit(f"no test in {path}")
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    for test, reason in result.skipped:
        print(f"skipped: {reason} [{test}]")
    if not result.wasSuccessful():
        return 1
    return SKIPPED if len(result.skipped) == result.testsRun else 0


sys.exit(main())
