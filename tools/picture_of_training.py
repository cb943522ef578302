"""Makes data/pictures/training.png and understanding.png: what two cells of lesson 02 show.

The notebook does not store their outputs, since they differ a little from machine to machine.
Nobody picks: the lesson runs once, as it stands. Takes a minute or two.
"""

import base64

import nbformat

from diffusion_lessons import workspace
from tools import notebooks

PICTURES = {"live": "training.png", "curves": "understanding.png"}
"""A cell of the lesson to the file of what it shows."""


def main() -> None:
    """Run the lesson, and write the pictures and the list of checksums."""
    path = next(path for path in notebooks.lessons() if path.name.startswith("02"))
    lesson = notebooks.execute(nbformat.read(path, as_version=4), path.parent)
    for cell in lesson.cells:
        shown = [o.data for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        if cell.id in PICTURES:
            picture = base64.b64decode(shown[-1]["image/png"])
            workspace.write_whole(workspace.data_path("pictures", PICTURES[cell.id]), picture)
    workspace.write_checksums(workspace.data_path())


if __name__ == "__main__":
    main()
