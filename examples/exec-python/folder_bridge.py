#!/usr/bin/env python3
"""A wayside bridge in Python's standard library: a folder that two people share.

    wayside bridge add exec --command "python3 /path/to/folder_bridge.py /path/to/folder"

One file a record, numbered in the order of publication; its name is receipt and cursor at once.
"""
import fcntl, json, os, pathlib, re, sys, uuid

folder = pathlib.Path(sys.argv[1])
with open(folder / ".mark", "a+") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.seek(0)
    if not (mark := lock.read()):  # tells this folder from others, the same for all who share it, at whatever path
        lock.write(mark := uuid.uuid4().hex)
OURS = re.compile(rf"[0-9]{{12}}-{mark}")


def publish(record, **_):
    last = folder / ".last"  # outlives the records, so that no number is used twice
    number = int(last.read_text()) + 1 if last.exists() else 1
    name = f"{number:012}-{mark}"
    for file, text in (".last", str(number)), (name, json.dumps(record)):
        (folder / ".new").write_text(text)
        (folder / ".new").replace(folder / file)  # whole or not at all
    return {"receipt": name}


def fetch(keys, limit, cursor=None, **_):
    cursor = cursor if OURS.fullmatch(cursor or "") else ""  # another folder's: from the beginning
    names = sorted(name for name in os.listdir(folder) if name > cursor and OURS.fullmatch(name))
    records, skipped = [], 0
    for cursor in names[:limit]:
        try:
            found = json.loads((folder / cursor).read_text())
            record = {name: str(found[name]) for name in ("key", "class", "bytes")}
            record["not_after"] = int(found["not_after"])
            if keys == "all" or record["key"] in keys:
                records.append(record)
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            skipped += 1  # junk: whoever shares the folder may leave anything there
    return {"records": records, "cursor": cursor or None, "more": len(names) > limit, "skipped": skipped}


def retract(receipts, **_):
    for name in filter(OURS.fullmatch, receipts):
        (folder / name).unlink(missing_ok=True)


def say(**message):
    print(json.dumps(message), flush=True)


CLASS = {"max_record": 65536, "retention": 30 * 86400, "collision": "append", "retract": True}
say(type="hello", version=1, title=f"the folder {folder.name}", locators=[f"folder:{mark}"], capability={
    "classes": {"meeting": CLASS, "custody": CLASS, "pointer": CLASS},
    "lookup": "list", "delivery": {"mode": "poll", "interval": 200}, "writers": "shared", "wake": "never",
    "visible": {"service": ["what readers see"], "readers": ["how many records there are, how large, since when"]}})
DO = {"publish": publish, "fetch": fetch, "retract": retract, "probe": lambda **_: None}
for request in map(json.loads, filter(str.strip, sys.stdin)):  # until the node closes it
    if request["type"] in DO:  # unknown types are ignored
        try:
            with open(folder / ".mark", "r+") as lock:  # one at a time: no number is seen before a lower one
                fcntl.flock(lock, fcntl.LOCK_EX)
                answer = DO[request["type"]](**request) or {}
            say(type="answer", id=request["id"], **answer)
        except OSError as error:
            say(type="error", id=request["id"], kind="unreachable", message=str(error))
