# SPDX-License-Identifier: MIT
"""Runs one test of a checkout of the Paho suite in this process: `paho_child FOLDER MODULE TEST HOST PORT`.

The suite's scripts set their globals (topics, host, port) under `if __name__ == "__main__"`, and read options that
unittest does not understand. So the module is imported, the plain assignments of that block are executed, and one test
is run. Exit code 0: passed, 1: failed. The output is that of the test.
"""

import ast
import importlib
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def names_of_main(module: ModuleType) -> None:
    """Execute the assignments that the script makes before it runs its tests."""
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "__name__ == '__main__'":
            for statement in block.body:
                if isinstance(statement, ast.Assign):
                    code = compile(ast.Module([statement], []), module.__file__, "exec")
                    exec(code, module.__dict__)


def strict(method: Callable[[Any], object]) -> Callable[[Any], None]:
    """A test that also fails if it returns False. Some tests do that instead of raising."""

    def test(self: Any) -> None:
        if method(self) is False:
            self.fail("the test returned False")

    return test


def main(arguments: list[str]) -> int:
    """Run the test and return the exit code."""
    folder, name, test, host, port = arguments
    sys.path.insert(0, folder)
    sys.argv = [f"{name}.py"]
    module = importlib.import_module(name)
    names_of_main(module)
    module.__dict__.update(host=host, port=int(port))
    case = module.__dict__["Test"]
    setattr(case, test, strict(getattr(case, test)))
    suite = unittest.TestSuite([case(test)])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun == 1 and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
