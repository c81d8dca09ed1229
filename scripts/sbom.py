"""Adds what else the packages contain to the list of crates from cargo-cyclonedx (stdin to stdout).

    sbom.py CLONE WHEELS PACKAGES

CLONE: the folder in which the list was made; its path is removed from the list. WHEELS: a requirements file of pip with the wheels that
libtorch comes from. PACKAGES: the Debian packages whose libraries are in the archive, a line for each: name, version.
"""

import json
import re
import sys

clone, wheels, packages = sys.argv[1:]
# Cargo adds `mien@` to the package's ID if its folder has another name.
listed = sys.stdin.read().replace(f"path+file://{clone}#mien@", f"path+file://{clone}#")
bom = json.loads(listed.replace(f"path+file://{clone}", "path+file:///mien"))


def component(name, version, purl, found_in, **more):
    place = {"name": "mien:found-in", "value": found_in}
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "properties": [place], **more}


for line in open(wheels, encoding="utf-8"):
    if found := re.match(r"(\S+)==(\S+) --hash=sha256:(\w+)", line):
        name, version, digest = found.groups()
        hashes = [{"alg": "SHA-256", "content": digest}]
        bom["components"].append(component(name, version, f"pkg:pypi/{name}@{version}", "all packages", hashes=hashes))
for line in open(packages, encoding="utf-8"):
    name, version = line.split()
    bom["components"].append(component(name, version, f"pkg:deb/debian/{name}@{version.replace(':', '%3A')}?arch=amd64", "the archive"))
json.dump(bom, sys.stdout, indent=2)
print()
