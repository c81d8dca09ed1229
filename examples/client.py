#!/usr/bin/env python3
"""Prints the emotions that `mien serve --camera 0` (or --video, --recording) sees, as they come.

    python3 client.py 'http://127.0.0.1:7878/#token=...'

The argument is the link that the server printed. Needs only Python 3. Ctrl-C ends it.
"""

import http.client
import json
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit


def ask(link, path):
    """Requests a path of the server, with the token from the link."""
    parts = urlsplit(link)
    token = parts.fragment.removeprefix("token=")
    request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}{path}")
    request.add_header("Authorization", f"Bearer {token}")
    return urllib.request.urlopen(request)


def columns(link):
    """Maps each class's label to the end of its fields' names: those of a custom class "wide awake" end with wide_awake."""
    with ask(link, "/api/v1/about") as answer:
        return {one["label"]: one["column"] for one in json.load(answer)["classes"]}


def scenes(link):
    """Yields each frame of the server's source as a dictionary. Mien's docs/tables.md describes its fields."""
    with ask(link, "/api/v1/live") as answer:
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def explanation(answer):
    """What the server says about a request that it refused."""
    text = answer.read().decode(errors="replace").strip()
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text or f"the server answered {answer.code} {answer.reason}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    column = columns(sys.argv[1])
    for scene in scenes(sys.argv[1]):
        words = []
        for face in scene["faces"]:
            share = face[f"smoothed_{column[face['label']]}"]
            words.append(f"face {face['face']}: {face['verdict']} ({face['label']} {share:.0%})")
        print(f"{scene['time_s']:8.2f} s  {', '.join(words) or 'no face'}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    except urllib.error.HTTPError as answer:
        sys.exit(explanation(answer))
    except urllib.error.URLError as error:
        sys.exit(f"can't reach the server: {error.reason}")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"the connection to the server is lost: {error}")
    except ValueError:
        sys.exit("this is not the link that the server printed, such as http://127.0.0.1:7878/#token=...")
