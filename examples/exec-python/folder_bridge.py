#!/usr/bin/env python3
"""A wayside bridge in Python's standard library: a folder that two people share.

    wayside bridge add exec --command "python3 /path/to/folder_bridge.py /path/to/folder"

One file a record, numbered in the order of publication; its name is receipt and cursor at once.
"""
import contextlib, fcntl, json, os, pathlib, re, sys, uuid

folder = pathlib.Path(sys.argv[1])
LIMITS = {"max_record": 65536, "retention": 30 * 86400, "collision": "append", "retract": True}


@contextlib.contextmanager
def locked():
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write(name, text):  # whole or not at all: nobody reads half a file. Needs the lock.
    (folder / ".new").write_text(text)
    (folder / ".new").replace(folder / name)


def mark():  # tells this folder from others, the same for everybody who shares it, at whatever path
    with locked():
        if not (folder / ".mark").exists():
            write(".mark", uuid.uuid4().hex)
        return (folder / ".mark").read_text()


MARK = mark()
OURS = re.compile(rf"[0-9]{{12}}-{MARK}")


def publish(record, **_):
    with locked():  # so that nobody finds a later number before an earlier one
        last = int((folder / ".last").read_text()) if (folder / ".last").exists() else 0
        write(".last", str(last + 1))
        name = f"{last + 1:012}-{MARK}"
        write(name, json.dumps(record))
    return {"receipt": name}


def fetch(keys, limit, cursor=None, **_):
    cursor = cursor if OURS.fullmatch(cursor or "") else ""  # another folder's: from the beginning
    names = sorted(name for name in os.listdir(folder) if name > cursor and OURS.fullmatch(name))
    records, skipped = [], 0
    for name in names:
        if len(records) == limit:
            return {"records": records, "cursor": cursor, "more": True, "skipped": skipped}
        cursor = name
        try:
            record = json.loads((folder / name).read_text())
            if keys == "all" or record["key"] in keys:
                records.append(record)
        except FileNotFoundError:
            pass  # retracted just now
        except (ValueError, TypeError, KeyError):
            skipped += 1  # junk
    return {"records": records, "cursor": cursor or None, "skipped": skipped}


def retract(receipts, **_):
    for name in filter(OURS.fullmatch, receipts):
        (folder / name).unlink(missing_ok=True)
    return {}


def probe(**_):
    with locked():
        return {}


def say(**message):
    print(json.dumps(message), flush=True)


say(type="hello", version=1, title=f"the folder {folder.name}", locators=[f"folder:{MARK}"], capability={
    "classes": {"meeting": LIMITS, "custody": LIMITS, "pointer": LIMITS},
    "lookup": "list", "delivery": {"mode": "poll", "interval": 200}, "writers": "shared", "wake": "never",
    "visible": {"service": ["what readers see, to whoever keeps or syncs the folder"],
                "readers": ["how many records there are, how large, and when they came"]},
})
DO = {"publish": publish, "fetch": fetch, "retract": retract, "probe": probe}
for line in filter(str.strip, sys.stdin):  # until the node closes it
    request = json.loads(line)
    if request["type"] in DO:  # unknown types are ignored
        try:
            say(type="answer", id=request["id"], **DO[request["type"]](**request))
        except OSError as error:
            say(type="error", id=request["id"], kind="unreachable", message=str(error))
