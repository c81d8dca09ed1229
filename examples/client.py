#!/usr/bin/env python3
"""Prints the emotions that `mien serve --camera 0` (or --video, --recording) sees, as they come.

    python3 client.py 'http://127.0.0.1:7878/#token=...'

The argument is the link that the server printed. Needs nothing beside Python 3. Ctrl-C ends it.
"""

import json
import sys
import urllib.request
from urllib.parse import urlsplit


def scenes(link):
    """Gives each frame of the server's source as a dictionary; docs/tables.md of Mien describes the names in it."""
    parts = urlsplit(link)
    token = parts.fragment.removeprefix("token=")
    request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/api/v1/live")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for scene in scenes(sys.argv[1]):
        words = []
        for face in scene["faces"]:
            share = face[f"smoothed_{face['label']}"]
            words.append(f"face {face['face']}: {face['verdict']} ({face['label']} {share:.0%})")
        print(f"{scene['time_s']:8.2f} s  {', '.join(words) or 'no face'}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
