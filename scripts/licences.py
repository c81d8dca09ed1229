"""Turns the JSON of cargo-bundle-licenses (stdin) into text (stdout): each licence text once, with the crates that it applies to."""

import json
import sys

crates_of = {}
unknown = []
for crate in json.load(sys.stdin)["third_party_libraries"]:
    name = f"{crate['package_name']} {crate['package_version']}"
    texts = [it for it in crate["licenses"] if it["text"] not in ("", "NOT FOUND")]
    if not texts:
        unknown.append(f"{name} ({crate['license']})")
    for it in texts:
        crates_of.setdefault((it["license"], it["text"].strip()), []).append(name)

print("Licences of the crates that are part of mien. Where a crate offers several, each stands here.\n")
if unknown:
    print("Without a text of their own, under the licence that is named: " + ", ".join(unknown) + "\n")
for (licence, text), crates in sorted(crates_of.items()):
    print("-" * 80 + f"\n{licence}: {', '.join(crates)}\n\n{text}\n")
