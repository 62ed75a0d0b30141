"""objects.py N: N rounds of what scripts do: make objects, sort and group them, write and read them as JSON."""

import json
import sys
from collections import defaultdict

RECORDS = 2000


def records(seed: int) -> list[dict[str, object]]:
    """Records of mixed types and sizes."""
    made: list[dict[str, object]] = []
    for number in range(RECORDS):
        key = (number * 7919 + seed) % 1009
        made.append({"id": number, "key": f"key-{key}", "tags": [f"{key}-{i}" for i in range(key % 7)],
                     "text": "x" * (key % 300), "weight": key / 7})
    return made


def round_of(seed: int) -> int:
    """Group the records by key, through JSON and back; how many groups there are."""
    again = json.loads(json.dumps(records(seed)))
    groups = defaultdict(list)
    for record in sorted(again, key=lambda one: (one["key"], -one["id"])):
        groups[record["key"]].append(record)
    return len(groups)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        round_of(number)
