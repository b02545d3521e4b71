"""Lists the tests of files for CMake, without importing them: one line FILE|CLASS|METHOD a test."""

import ast
import sys


def tests_of(path):
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for cls in tree.body:
        if isinstance(cls, ast.ClassDef):
            for item in cls.body:
                if isinstance(item, ast.FunctionDef) and item.name.startswith("test"):
                    yield cls.name, item.name


for name in sys.argv[1:]:
    found = list(tests_of(name))
    if not found:
        sys.exit(f"{name}: no test in it")
    if len(set(found)) != len(found):
        sys.exit(f"{name}: two tests of one name")
    for class_name, method in found:
        print(f"{name}|{class_name}|{method}")
