#!/usr/bin/env python3
"""A drop for wayside as a CGI script: wayside.php for servers without PHP. docs/bridges/web.md says what it answers.

Each user's line is made with:  python3 wayside.cgi PASSWORD
"""
import base64, fcntl, hashlib, hmac, os, re, struct, sys, time

USERS = {"NAME": "HASH"}  # who may write; everybody may read what is sealed anyway
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wayside-data")
MOST_RECORDS, MOST_BYTES, MOST_OF_ONE, MOST_DAYS = 2000, 4194304, 65536, 400  # of each user
NAME = re.compile(r"(\d{1,20})-([0-9a-f]{32})-([0-9a-f]{16})\.rec")


def hashed(password, salt):
    return salt + "$" + hashlib.scrypt(password.encode(), salt=salt.encode(), n=16384, r=8, p=1, dklen=32).hex()


def say(status, body=b"", headers=()):
    lines = [f"Status: {status}", "Content-Type: application/octet-stream", "Cache-Control: no-cache", f"Content-Length: {len(body)}"]
    lines += [f"Wayside-Address: {os.environ.get('REMOTE_ADDR', '')}", *headers]
    sys.stdout.buffer.write("\r\n".join([*lines, "", ""]).encode() + body)
    sys.exit()


def records(everything):
    """Check, end and file of each record; None where anything else is among them."""
    found, at = [], 0
    while at < len(everything):
        head = everything[at:at + 40]
        if len(head) < 40 or head[:9] != b"wayside\n\x01":
            return None
        after, length = struct.unpack(">QI", head[12:24])
        file = everything[at:at + 40 + head[11] + length]
        check = hashlib.sha256(file[:24] + file[40:]).digest()[:16]
        if len(file) < 40 + head[11] + length or length > MOST_OF_ONE or head[11] > 64 or check != head[24:]:
            return None
        found.append((check.hex(), after, file))
        at += len(file)
    return found


def user():
    try:
        name, password = base64.b64decode(os.environ.get("HTTP_AUTHORIZATION", "")[6:]).decode().split(":", 1)
    except ValueError:
        return None
    stored = USERS.get(name, "")
    return name if hmac.compare_digest(hashed(password, stored.split("$")[0]), stored) else None


def there():
    return [match for match in map(NAME.fullmatch, sorted(os.listdir(FOLDER))) if match]


def post():
    who = user()
    if who is None:
        say("401 Unauthorized", headers=['WWW-Authenticate: Basic realm="wayside"'])
    length = int(os.environ.get("CONTENT_LENGTH") or 0)
    if length > MOST_BYTES:
        say("413 Too Large")
    new = records(sys.stdin.buffer.read(length))
    if new is None:
        say("422 Not Records")
    mine = hashlib.sha256(who.encode()).hexdigest()[:16]
    gone = set(re.findall(r"[0-9a-f]{32}", os.environ.get("QUERY_STRING", "")))
    count = size = 0
    for match in there():
        path, (after, check, owner) = os.path.join(FOLDER, match[0]), match.groups()
        about = os.stat(path)
        over = int(after) + 86400 < time.time() or about.st_mtime + MOST_DAYS * 86400 < time.time()
        if over or (owner == mine and check in gone):
            os.unlink(path)
        elif owner == mine:
            count, size = count + 1, size + about.st_size
    kept = [(os.path.join(FOLDER, f"{after}-{check}-{mine}.rec"), file) for check, after, file in new]
    kept = [(path, file) for path, file in kept if not os.path.exists(path)]
    if count + len(kept) > MOST_RECORDS or size + sum(len(file) for _, file in kept) > MOST_BYTES:
        say("507 Full")
    try:
        for path, file in kept:
            with open(path + ".new", "wb") as out:
                out.write(file)
            os.rename(path + ".new", path)
    except OSError:
        say("507 Full")
    say("204 Kept")


def main():
    method = os.environ.get("REQUEST_METHOD")
    if method is None:
        print(hashed(sys.argv[1], os.urandom(8).hex()))
        return
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if method == "POST" else fcntl.LOCK_SH)
        if method == "POST":
            post()
        live = [match[0] for match in there() if int(match[1]) + 86400 >= time.time()]
        tag = '"' + hashlib.sha256("\n".join(live).encode()).hexdigest() + '"'
        if os.environ.get("HTTP_IF_NONE_MATCH") == tag:
            say("304 Not Modified", headers=[f"ETag: {tag}"])
        body = b"".join(open(os.path.join(FOLDER, name), "rb").read() for name in live) if method == "GET" else b""
        say("200 OK", body, [f"ETag: {tag}"])


main()
