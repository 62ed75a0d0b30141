"""What pyproject.toml cannot say: a wheel that carries machine code, and a README that is read elsewhere.

    python -m build --no-isolation                          the source, and a wheel that compiles on demand
    HEAPSTER_SHIP=1 python -m build --no-isolation --wheel  a wheel for this platform, with its code in it
    CC=aarch64-linux-gnu-gcc HEAPSTER_SHIP=1 ...            or for that of a cross compiler
"""

import os
import platform
import re
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
SHIPS = os.environ.get("HEAPSTER_SHIP", "") not in ("", "0")
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")         # to a file of the checkout


class Project(Distribution):
    """Tells that it has machine code, if it has."""

    def has_ext_modules(self) -> bool:
        """Whether it is for one platform."""
        return SHIPS


class BuildWithCode(build_py):
    """Puts the code beside the Python that it was made of."""

    oldest_glibc = 17           # of manylinux2014; what is shipped may need a later one
    machine = platform.machine()

    def run(self) -> None:
        """Build, and compile if that was asked for."""
        super().run()
        if SHIPS and not self.editable_mode:
            sys.path.insert(0, str(HERE))
            self._ship(Path(self.build_lib) / "heapster" / "native" / "shipped")

    def _ship(self, folder: Path) -> None:
        """Compile, for `CC`'s machine: the library, and what judges others' allocators."""
        from heapster.checkers.blackbox.build import ship_judge  # noqa: PLC0415  a wheel without code needs none of it
        from heapster.native.shipped import PROGRAMS  # noqa: PLC0415
        from heapster.native.shipping import oldest_glibc, ship  # noqa: PLC0415
        from heapster.native.toolchain import machine_compiled_for  # noqa: PLC0415

        BuildWithCode.machine = machine_compiled_for()
        needed = ship(folder)
        judge = ship_judge(folder / PROGRAMS / BuildWithCode.machine)
        BuildWithCode.oldest_glibc = max(needed, oldest_glibc(judge))


class WheelOfPlatform(bdist_wheel):
    """Is named for the platform if it carries code: any Python 3, this processor, the glibc that the code needs."""

    def get_tag(self) -> tuple[str, str, str]:
        """The tag in the wheel's name."""
        if not SHIPS:
            tag: tuple[str, str, str] = super().get_tag()
            return tag
        return "py3", "none", f"manylinux_2_{BuildWithCode.oldest_glibc}_{BuildWithCode.machine}"


def readme() -> str:
    """The README without links that lead nowhere once it stands on an index of packages."""
    return LINK.sub(r"\1", (HERE / "README.md").read_text(encoding="utf-8"))


setup(distclass=Project, cmdclass={"build_py": BuildWithCode, "bdist_wheel": WheelOfPlatform},
      long_description=readme(), long_description_content_type="text/markdown")
