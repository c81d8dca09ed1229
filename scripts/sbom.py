"""Completes the list of crates that cargo-cyclonedx writes (stdin to stdout) by what else a package holds.

    sbom.py CLONE WHEELS PACKAGES

CLONE: the folder that the list was made in, which is left out of it. WHEELS: the wheels of PyPI that libtorch comes out of, one a line as
pip reads them. PACKAGES: Debian's packages whose libraries lie in the archive, one a line: name, version.
"""

import json
import re
import sys

clone, wheels, packages = sys.argv[1:]
# Cargo names a package apart from its folder where the folder is called otherwise.
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
