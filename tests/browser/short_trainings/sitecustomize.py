"""Makes live trainings a tenth as long, in the kernels of the browser tests and nowhere else.

Python imports this file as it starts, where this folder is on its path; only the server of the
browser tests puts it there (tests/browser/lab.py). What a training shows while it runs, and what
its controls do, is the same; how well it learns is seen by the lessons' own full pass.
"""

import importlib.abc
import importlib.util
import sys

NAME = "diffusion_lessons.training.fit"
SHARE, LEAST = 10, 8  # a tenth of the steps, and at least so many, for a curve to be seen


class _Shorten(importlib.abc.MetaPathFinder):
    """Finds the module with `Fit`, and changes it once it is loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            whole = module.Fit.__init__

            def __init__(self, model, steps, *given, **named):
                whole(self, model, min(steps, max(LEAST, steps // SHARE)), *given, **named)

            module.Fit.__init__ = __init__

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Shorten())
