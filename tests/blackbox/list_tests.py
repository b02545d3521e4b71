"""Lists the tests of files for CMake, without importing them: one line FILE|CLASS|METHOD a test.

A class counts when it comes from a TestCase, also by way of classes of its own file, whose methods it has too.
"""

import ast
import sys


def tests_of(path):
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    classes = {c.name: c for c in tree.body if isinstance(c, ast.ClassDef)}

    def bases(cls):
        return [b.attr if isinstance(b, ast.Attribute) else b.id for b in cls.bases]

    def is_case(name):
        if name in classes:
            return any(is_case(base) for base in bases(classes[name]))
        return name.endswith("TestCase")

    def methods(name):
        if name not in classes:
            return []
        own = [i.name for i in classes[name].body
               if isinstance(i, ast.FunctionDef) and i.name.startswith("test")]
        if len(set(own)) != len(own):
            sys.exit(f"{path}: {name} has two tests of one name")
        return list(dict.fromkeys(own + [m for base in bases(classes[name]) for m in methods(base)]))

    for name in classes:
        if is_case(name):
            for method in methods(name):
                yield name, method


for name in sys.argv[1:]:
    found = list(tests_of(name))
    if not found:
        sys.exit(f"{name}: no test in it")
    for class_name, method in found:
        print(f"{name}|{class_name}|{method}")
