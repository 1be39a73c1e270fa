"""Which folder becomes which package; everything else about the project is in pyproject.toml.

``reference/``, ``conformance/`` and ``recipes/`` stand beside ``caduceus/`` in a checkout and are installed inside it.
"""

from setuptools import find_packages, setup

BESIDE = {
    "caduceus.reference": "reference",
    "caduceus.conformance": "conformance",
    "caduceus.recipes.shipped": "recipes",
}
NOT_INSTALLED = ["project", "project.*"]

packages = find_packages(include=["caduceus", "caduceus.*"])
for package, folder in BESIDE.items():
    packages += [package, *(f"{package}.{child}" for child in find_packages(folder, exclude=NOT_INSTALLED))]

setup(packages=packages, package_dir=BESIDE)
