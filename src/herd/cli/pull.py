"""`herd pull`: bring a model to this machine."""

from typing import Annotated

import typer


def pull(
    name: Annotated[str, typer.Argument(help="A known name (smollm2-135m) or hf:ORG/NAME.")],
) -> None:
    """Fetch a model into the cache.

    Verifies it, resumes what was interrupted, and prints where the model lies.
    """
    import sys

    from herd.model import pull as pull_model

    pulled = pull_model(name)
    state = "was already here" if pulled.was_there else "is ready"
    print(f"herd: {name} {state}; try: herd chat {name}", file=sys.stderr)
    print(pulled.path)
