"""A Python file of the user's as a module: recipes that are not part of the package.

In: a path. Out: the module, under a name that a worker process gives it too, so that objects of its
classes can travel between them. Never: a file the user did not name.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from herd.foundation.errors import UserError


def load_python_file(path: Path | str) -> ModuleType:
    """Run a Python file and return its module; once in each process.

    Raises UserError when there is no such file, or it does not run.
    """
    path = Path(path).resolve()
    name = f"herd_recipe_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the file look themselves up here
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, UserError) or not isinstance(error, Exception | SystemExit):
            raise
        raise UserError(f"{path} does not run: {type(error).__name__}: {error}") from error
    return module
