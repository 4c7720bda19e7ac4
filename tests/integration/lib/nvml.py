"""NVIDIA GPUs that are not there: the stand-in library of tests/stand, and the script that it plays."""
import os
import pathlib

STAND = os.environ.get("SALLYPORT_NVML_STAND", "libnvidia-ml.so.1")


class Gpus:
    """Two GPUs that are well, until play() says otherwise (its lines: tests/stand/nvml_script.h)."""

    def __init__(self, world, name="gpus"):
        self.script = world.path(f"{name}.script")
        self.play()
        self.env = {**os.environ, "LD_LIBRARY_PATH": str(pathlib.Path(STAND).parent),
                    "SALLYPORT_NVML_SCRIPT": str(self.script)}

    def play(self, *lines):
        """In one step: the library reads whenever it likes."""
        new = self.script.with_suffix(".new")
        new.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        new.rename(self.script)
