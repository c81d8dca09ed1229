#!/usr/bin/env python3
"""Sends the emotions of a live camera to Lab Streaming Layer, so that LabRecorder records them beside EEG and other streams.

    mien live --headless --camera 0 --jsonl - | python3 lsl_bridge.py
    python3 lsl_bridge.py --face 2 --name Mien2 < lines
    python3 lsl_bridge.py --classes tired,wide_awake < lines      for a model with custom classes, named as in its columns

Needs pylsl: python3 -m venv ~/lsl && ~/lsl/bin/pip install pylsl (on Debian and Ubuntu with the package python3-venv), and then
~/lsl/bin/python instead of python3. Each line of JSON (Mien's docs/tables.md) of the chosen face becomes a sample, with a channel for
each smoothed probability (of the seven emotions or the custom classes) and one for the face's number. The stream has an irregular rate,
because a frame without the face gives no sample. Samples are time-stamped on arrival here, some ten milliseconds after the camera saw
the face.
"""

import argparse
import json
import sys

import pylsl

EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def outlet(name, classes):
    """Returns an LSL stream with named channels."""
    kind = "Emotion" if classes == EMOTIONS else "Class"
    info = pylsl.StreamInfo(name, kind, len(classes) + 1, pylsl.IRREGULAR_RATE, pylsl.cf_float32, f"mien-{name}")
    described = info.desc().append_child("channels")
    for label in [*classes, "face"]:
        channel = described.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "none" if label == "face" else "probability")
    return pylsl.StreamOutlet(info)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="Mien", help="what the stream is called (default: Mien)")
    parser.add_argument("--face", type=int, help="only the face with this number (default: the first on each frame)")
    parser.add_argument("--classes", type=lambda word: word.split(","), default=EMOTIONS, metavar="NAME,…",
                        help="columns of the model's own classes (default: the seven emotions)")
    options = parser.parse_args()
    columns = [f"smoothed_{name}" for name in options.classes]
    stream = outlet(options.name, options.classes)
    frame = None
    for line in sys.stdin:
        row = json.loads(line)
        # The lines of a frame are consecutive. Without --face, the first of them is chosen.
        is_chosen = row["face"] == options.face if options.face else row["frame"] != frame
        frame = row["frame"]
        if is_chosen:
            absent = [column for column in columns if column not in row]
            if absent:
                sys.exit(f"the lines have no {absent[0]}; name the classes of the model with --classes")
            stream.push_sample([row[column] for column in columns] + [float(row["face"])])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
