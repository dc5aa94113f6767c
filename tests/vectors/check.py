#!/usr/bin/env python3
"""Checks the golden vectors against a second implementation, written from docs/PROTOCOL.md alone.

Needs Python 3.9 and the `cryptography` package (for X25519, Ed25519, ChaCha20-Poly1305 and AES-SIV). Run it from anywhere.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent
FILES = sorted(file.stem for file in HERE.glob("*.json"))
un = bytes.fromhex


def vectors(name):
    return json.loads((HERE / f"{name}.json").read_text())["vectors"]


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def derive(ikm, label, parts, length):
    info = b"".join(len(p).to_bytes(2, "big") + p for p in [label.encode(), *parts])
    prk, block, out = mac(b"wayside/1", ikm), b"", b""
    while len(out) < length:
        block = mac(prk, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


def check_kdf():
    for v in vectors("kdf"):
        assert derive(un(v["ikm"]), v["label"], [un(p) for p in v["parts"]], 48) == un(v["output"])


def tag_of(space):
    return hashlib.sha256(b"wayside/1 point" + space.encode()).digest()[:8]


def check_slots():
    for v in vectors("slots"):
        kind, be4 = v["kind"], lambda n: n.to_bytes(4, "big")
        key, label, parts = {
            "offer": lambda: ("pair", "slot", [un(v["tag"]), un(v["from"]), un(v["to"]), bytes([v["index"]])]),
            "answer": lambda: ("pair", "ans", [un(v["tag"]), un(v["h1"])]),
            "update": lambda: ("meeting", "upd", [un(v["tag"]), bytes([v["offerer"]])]),
            "join": lambda: ("secret", "join", [bytes([v["point"]]), be4(v["day"]), bytes([v["lane"]])]),
            "welcome": lambda: ("secret", "wel", [bytes([v["point"]]), un(v["h1"])]),
            "own join": lambda: ("secret", "own join", [tag_of(v["space"]), be4(v["day"])]),
            "contact index": lambda: ("secret", "contact index", [tag_of(v["space"]), be4(v["epoch"])]),
            "knock": lambda: ("door", "knock", [un(v["tag"]), be4(v["day"]), bytes([v["lane"]])]),
            "knock answer": lambda: ("door", "knock answer", [un(v["tag"]), un(v["h1"])]),
            "index": lambda: ("tray", "index", [un(v["tag"]), be4(v["epoch"])]),
            "tray": lambda: ("tray", "tray", [un(v["tag"]), be4(v["epoch"]), bytes([v["lane"]])]),
        }[kind]()
        expected = un(v["id"]) + un(v.get("siv", ""))
        assert derive(un(v[key]), label, parts, len(expected)) == expected, kind


def check_envelope():
    for v in vectors("envelope"):
        siv, message, record = AESSIV(un(v["siv"])), un(v["message"]), un(v["record"])
        assert len(record) in (376, 960) and len(message) == len(record) - 32
        if v["kind"] == "slot":
            assert siv.encrypt(message + bytes(16), None) == record
        else:
            assert un(v["slot"]) + siv.encrypt(message, None) == record


def check_pair():
    for v in vectors("pair"):
        steps, secret = v["epoch"] - v["epoch_0"], un(v["secret_0"])
        if not 0 <= steps <= 4000:
            assert v["secret"] is None
            continue
        for _ in range(steps):
            secret = derive(secret, "next", [], 32)
        assert secret == un(v["secret"])


def cbor(data, at=0):
    """As much of CBOR as the protocol writes. Returns the value and where it ends."""
    major, n = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[n], at
    if n >= 24:
        size = 1 << (n - 24)
        n, at = int.from_bytes(data[at : at + size], "big"), at + size
    if major in (0, 1):
        return n if major == 0 else -1 - n, at
    if major in (2, 3):
        return (data[at : at + n] if major == 2 else data[at : at + n].decode()), at + n
    assert major == 4
    items = []
    for _ in range(n):
        item, at = cbor(data, at)
        items.append(item)
    return items, at


def whole(data):
    value, end = cbor(data)
    assert end == len(data)
    return value


def verify(key, context, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, b"wayside/1 " + context + b"\0" + message)
        return True
    except InvalidSignature:
        return False


def device_id(sign, noise):
    return hashlib.sha256(b"wayside/1 device" + sign + noise).digest()[:16]


def check_card(data):
    (roster, roster_signature, entries), statuses = whole(data)
    account, seq, previous, issued, expires, name, ids = whole(roster)
    assert verify(account, b"roster", roster, roster_signature) and seq >= 1
    assert 0 < expires - issued <= 30 * 86_400_000 and 1 <= len(name.encode()) <= 64
    keys = {}
    for (sign, noise), consent in entries:
        assert device_id(sign, noise) in ids
        assert verify(sign, b"device of account", account + sign + noise, consent)
        keys[device_id(sign, noise)] = sign
    for body, signature, beside in statuses:
        device, seq, issued, points, *mailbox = whole(body)
        assert verify(keys[device], b"status", body, signature) and beside == []
        for first, prekeys, hosts in mailbox:
            assert 0 < first < 1 << 32 and len(prekeys) <= 8 and all(len(key) == 32 for key in prekeys)
            assert len(hosts) <= 4
            for host in hosts:
                check_host(host)
                assert host[2] != ""
        tray = None
        for locator, tag, own_tray, one_writer in points:
            tray = own_tray or tray
            assert ":" in locator and len(tag) == 8 and len(tray) == 32 and one_writer in (True, False)
    return account, hashlib.sha256(roster).digest()


def check_identity():
    for v in vectors("identity"):
        account, roster_hash = check_card(un(v["card"]))
        assert account == un(v["account"]) and roster_hash == un(v["roster_hash"])
        assert base64.b32encode(account).decode().rstrip("=").lower() == v["account_text"]
        for device in v["devices"]:
            assert device_id(un(device["sign"]), un(device["noise"])) == un(device["id"])


KINDS = {1: "dir", 2: "exec", 3: "git", 4: "github", 5: "matrix", 6: "email", 7: "dns", 8: "web"}


def check_invite():
    for v in vectors("invite"):
        text = v["link"].removeprefix("wayside:")
        if "error" in v:
            try:
                data = base64.b32decode(text + "=" * (-len(text) % 8))
            except ValueError:
                continue
            broken = hashlib.sha256(b"wayside/1 invite" + data[:-4]).digest()[:4] != data[-4:]
            assert broken or not v["link"].startswith("wayside:")
            continue
        data = base64.b32decode(text + "=" * (-len(text) % 8))
        body, checksum = data[:-4], data[-4:]
        assert hashlib.sha256(b"wayside/1 invite" + body).digest()[:4] == checksum
        assert hashlib.sha256(data).digest() == un(v["sha256"])
        assert body[0] == 1 and body[1] == v["uses"] and int.from_bytes(body[2:6], "big") == v["expires"]
        assert body[6:38] == un(v["key"]) and body[38:54] == un(v["secret"])
        points, own, at = [], [], 54
        while at < len(body):
            if body[at] & 0x80:
                own.append(len(points))
            point, length = read_point(body[at:])
            points.append(point)
            at += length
        assert points == v["points"] and own == v["own"]


def read_point(data):
    code, length = data[0] & 0x7F, data[1]
    address = data[2 : 2 + length].decode()
    return (address if code == 0 else f"{KINDS.get(code, f'kind-{code}')}:{address}"), 2 + length


def check_replies():
    for v in vectors("replies"):
        text = v["line"].removeprefix("wayside-reply:")
        if "error" in v:
            continue
        data = base64.b32decode(text + "=" * (-len(text) % 8))
        said, mac, checksum = data[:-12], data[-12:-4], data[-4:]
        assert hashlib.sha256(b"wayside/1 reply" + data[:-4]).digest()[:4] == checksum
        assert derive(un(v["secret"]), "reply", [said], 8) == mac
        assert said[0] == 1 and said[1] == v["point"]
        if said[2] == 1:
            assert read_point(said[3:]) == (v["space"], len(said) - 3)
        else:
            assert said[2] == 2 and said[3:] == un(v["message"])


def check_greetings():
    for v in vectors("greetings"):
        if v["kind"] == "reply":
            check_carried(v)
            continue
        text = v["text"].removeprefix("wayside-invite:")
        try:
            assert text != v["text"]
            data = base64.b32decode(text + "=" * (-len(text) % 8))
            assert hashlib.sha256(b"wayside/1 invite file" + data[:-4]).digest()[:4] == data[-4:]
        except (AssertionError, ValueError):
            assert v["kind"] == "none"
            continue
        assert v["kind"] == "greeting" and data[:-4] == un(v["bytes"]) and len(data) - 4 <= 6656
        says, signature = whole(data[:-4])
        version, invite, card, device, epoch, sent, candidates, *later = whole(says)
        (roster, _, entries), _ = whole(card)
        signer = [sign for (sign, noise), _ in entries if noise == device]
        assert version == 1 and len(signer) == 1 and verify(signer[0], b"greeting", says, signature)
        check_card(card)
        check_candidates(candidates)
        for nat in later[:1]:
            check_nat(nat)
        for relays in later[1:]:
            check_tags(relays)
        points, at = [], 54
        while at < len(invite) - 4:
            point, length = read_point(invite[at:-4])
            points.append(point)
            at += length
        assert invite[0] == 1 and hashlib.sha256(b"wayside/1 invite" + invite[:-4]).digest()[:4] == invite[-4:]
        assert points == v["points"] and hashlib.sha256(invite).digest() == un(v["invite_hash"])
        assert (whole(roster)[0], device) == (un(v["account"]), un(v["device"]))
        assert (epoch, sent) == (v["epoch"], v["sent"])
        assert hashlib.sha256(b"wayside/1 carried" + un(v["bytes"])).digest() == un(v["prologue"])


def check_carried(v):
    text = v["line"].removeprefix("wayside-reply:")
    data = base64.b32decode(text + "=" * (-len(text) % 8))
    said, its_mac = data[:-12], data[-12:-4]
    assert said[:3] == b"\x01\x00\x03" and derive(un(v["secret"]), "reply", [said], 8) == its_mac
    s, e, rs = un(v["joiner"]), un(v["ephemeral"]), public(un(v["key"]))
    state = Symmetric(b"Noise_IKpsk0_25519_ChaChaPoly_SHA256", un(v["prologue"]))
    state.mix_hash(rs)
    # -> psk, e, es, s, ss, and nothing comes back
    state.mix_key_and_hash(derive(un(v["secret"]), "invite psk", [], 32))
    state.mix_hash(public(e))
    state.mix_key(public(e))
    state.mix_key(dh(e, rs))
    message = public(e) + state.encrypt(public(s))
    state.mix_key(dh(s, rs))
    payload = un(v["payload"])
    message += state.encrypt(len(payload).to_bytes(2, "big") + payload)
    assert message == said[3:] and state.h == un(v["h1"])
    (card, candidates, sent, *_), seed = whole(payload)
    check_card(card)
    assert seed == un(v["seed"])
    assert derive(seed, "carried pair", [state.h], 32) == un(v["pair"])
    assert derive(seed, "carried meeting", [state.h], 32) == un(v["meeting"])


# The PGP word list by syllables: SHA-256 of its words, lower case, in the order of the bytes, with a space between.
WORDS = {
    3: "995bb1017581b4f8c0fd824323ef0f83051d7559cb88969ff679f868cbade3a5",
    2: "60c4b44eb39b83922a3593b21b41c7ff634fdf9ea0bb63654450cec8c9aa6833",
}


def read_code(text, lists):
    """Nameplate, bytes and password of a code, or ValueError with what is wrong."""
    number, *words = [part for part in re.split(r"[\s,._-]+", text) if part] or [""]
    if not re.fullmatch("[0-9]{1,3}", number) or int(number) == 0 or not re.fullmatch("[A-Za-z]+", "".join(words[:1])):
        raise ValueError("not one")
    words, read = [word.lower() for word in words], []
    for nth, word in enumerate(words):
        here, elsewhere = (lists[3], lists[2]) if nth % 2 == 0 else (lists[2], lists[3])
        if word not in here:
            raise ValueError("order" if word in elsewhere else "word")
        read.append(here.index(word))
    if not 2 <= len(words) <= 4:
        raise ValueError("length")
    return int(number), bytes(read), "-".join(words)


def refusal(read, *what):
    try:
        read(*what)
    except ValueError as error:
        return str(error)


def check_codes():
    all_vectors = vectors("codes")
    lists = {v["syllables"]: v["words"].split(" ") for v in all_vectors if v["kind"] == "list"}
    assert set(lists) == {2, 3}
    for v in all_vectors:
        if v["kind"] == "list":
            assert hashlib.sha256(v["words"].encode()).hexdigest() == WORDS[v["syllables"]]
        elif v["kind"] == "code":
            number, words, password = read_code(v["typed"], lists)
            assert (number, words, f"{number}-{password}") == (v["nameplate"], un(v["words"]), v["text"])
        elif v["kind"] == "none":
            assert refusal(read_code, v["typed"], lists) == v["why"]
        elif v["kind"] == "no call":
            assert refusal(read_call, un(v["bytes"])) == v["why"]
        else:
            assert v["kind"] == "call"
            check_call(v, lists)


def read_call(data):
    """What stands before the elements, the elements and the places of a call; nothing of a burnt code. Or ValueError with what is wrong."""
    if data[:1] not in (b"\x01", b"\x02"):
        raise ValueError("another version" if data else "empty")
    if data[:1] == b"\x02":
        if len(data) > 1:
            raise ValueError("bytes are left over")
        return None
    if len(data) < 293:
        raise ValueError("it ends too early")
    head, elements, rest, points = data[:37], data[37:293], data[293:], []
    while rest:
        if len(rest) < 2 or len(rest) < 2 + rest[1]:
            raise ValueError("a place that is none")
        if rest[0] & 0x80 or len(points) == 3:
            raise ValueError("more than three places, or one that nobody else writes in")
        point, length = read_point(rest)
        points.append(point)
        rest = rest[length:]
    if not points:
        raise ValueError("no place")
    return head, [elements[at : at + 32] for at in range(0, 256, 32)], points


def write_point(point):
    kind, address = point.split(":", 1)
    code = {known: code for code, known in KINDS.items()}.get(kind, 0)
    text = (address if code else point).encode()
    return bytes([code, len(text)]) + text


def check_left(slots, points, payload, key, label, last):
    """What lies in the slots of this label, one in each place."""
    message = len(payload).to_bytes(2, "big") + payload
    message += bytes((344 if len(message) <= 344 else 928) - len(message))
    assert len(slots) == len(points)
    for slot, point in zip(slots, points):
        tag, siv = tag_of(point), un(slot["siv"])
        assert tag == un(slot["tag"]) and derive(key, label, [tag, last], 48) == un(slot["id"]) + siv
        assert AESSIV(siv).encrypt(message + bytes(16), None) == un(slot["record"])


def check_call(v, lists):
    number, _, password = read_code(v["code"], lists)
    assert v["code"] == f"{number}-{password}"
    head = b"\x01" + v["expires"].to_bytes(4, "big") + public(un(v["one_time"]))
    points = b"".join(map(write_point, v["points"]))
    id_a = hashlib.sha256(b"wayside/1 code" + head + points).digest()
    inviter = [Spake2(password, id_a, un(drawn), ours="A") for drawn in v["drawn"]]
    elements = [side.element for side in inviter]
    call = head + b"".join(elements) + points
    h = hashlib.sha256(b"wayside/1 call" + call).digest()
    assert len(elements) == 8 and (id_a, call, h) == (un(v["id_a"]), un(v["call"]), un(v["h"]))
    assert read_call(call) == (head, elements, v["points"]) and read_call(b"\x02") is None
    plate, day = number.to_bytes(2, "big"), v["day"].to_bytes(4, "big")
    check_left(v["call_slots"], v["points"], call, plate, "code call", day)
    check_left(v["burnt_slots"], v["points"], b"\x02", plate, "code burnt", day)
    for nth, answer in enumerate(v["answers"]):
        said_number, _, said = read_code(answer["said"], lists)
        assert answer["said"] == f"{number}-{said}" and said_number == number
        index = bytes([answer["index"]])
        accepter = Spake2(said, id_a, un(answer["drawn"]), ours="B")
        k_b = accepter.key(elements[answer["index"]])
        response = b"\x01" + accepter.element + derive(k_b, "code mac", [h, index], 16)
        assert k_b == un(answer["k_b"]) and response == un(answer["response"])
        check_left(answer["response_slots"], v["points"], response, h, "code response", index)
        # The inviter has the response alone.
        k_a = inviter[answer["index"]].key(response[1:33])
        assert k_a == un(answer["k_a"])
        right = derive(k_a, "code mac", [h, index], 16) == response[33:]
        assert right == (said == password) == (k_a == k_b)
        if right:
            secret = derive(k_a, "code secret", [h], 16)
            link = b"\x01\x01" + head[1:] + secret + points
            link += hashlib.sha256(b"wayside/1 invite" + link).digest()[:4]
            assert secret == un(answer["secret"])
            assert answer["invite"] == "wayside:" + base64.b32encode(link).decode().rstrip("=")
            assert "verdict" not in answer and nth == len(v["answers"]) - 1
        else:
            verdict = b"\x01" + hashlib.sha256(b"wayside/1 response" + response).digest()[:16] + bytes([7 - nth])
            assert verdict == un(answer["verdict"])
            check_left(answer["verdict_slots"], v["points"], verdict, h, "code verdict", index)


class Spake2:
    """One side of SPAKE2 as `python-spake2` has it, over Ed25519's group."""

    BLINDS = {
        "A": un("15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312"),
        "B": un("f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3"),
    }

    def __init__(self, password, id_a, drawn, ours):
        self.password, self.id_a, self.ours = password.encode(), id_a, ours
        prk, info = mac(b"", self.password), b"SPAKE2 pw"
        first = mac(prk, info + b"\x01")
        wide = first + mac(prk, first + info + b"\x02")[:16]
        self.blind = int.from_bytes(wide, "big") % ORDER
        assert len(drawn) == 64
        self.scalar = int.from_bytes(drawn, "little") % ORDER
        blind = times(self.blind, decompress(self.BLINDS[ours]))
        self.element = compress(plus(times(self.scalar, BASE), blind))

    def key(self, theirs):
        blind = decompress(self.BLINDS["B" if self.ours == "A" else "A"])
        bare = plus(decompress(theirs), times(ORDER - self.blind, blind))
        elements = [self.element, theirs] if self.ours == "A" else [theirs, self.element]
        hashes = [hashlib.sha256(part).digest() for part in (self.password, self.id_a, b"")]
        return hashlib.sha256(b"".join(hashes + elements) + compress(times(self.scalar, bare))).digest()


# Edwards25519 in extended coordinates: RFC 8032, section 5.1.4. Not in constant time.
FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, FIELD) % FIELD


def plus(p, q):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = (b - a) % FIELD, (d - c) % FIELD, (d + c) % FIELD, (b + a) % FIELD
    return e * f % FIELD, g * h % FIELD, f * g % FIELD, e * h % FIELD


def times(n, p):
    out = (0, 1, 1, 0)
    for bit in bin(n)[2:]:
        out = plus(out, out)
        if bit == "1":
            out = plus(out, p)
    return out


def compress(p):
    inverse = pow(p[2], -1, FIELD)
    x, y = p[0] * inverse % FIELD, p[1] * inverse % FIELD
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(data):
    y, sign = int.from_bytes(data, "little") & ((1 << 255) - 1), data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, FIELD) % FIELD
    x = pow(square, (FIELD + 3) // 8, FIELD)
    if x * x % FIELD != square:
        x = x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD
    assert x * x % FIELD == square
    if x & 1 != sign:
        x = FIELD - x
    return x, y, 1, x * y % FIELD


BASE = decompress((4 * pow(5, -1, FIELD) % FIELD).to_bytes(32, "little"))


def check_pointers():
    for v in vectors("pointers"):
        if v["kind"] == "comparison":
            assert comparison([un(account) for account in v["accounts"]]) == v["text"]
            continue
        if v["kind"] == "none":
            contents = un(v["contents"])
            try:
                if contents[0] != 0x82:
                    text = contents.decode()
                    assert text.upper().startswith("WAYSIDE-CARD:")
                    body = text.split(":", 1)[1]
                    contents = base64.b32decode(body + "=" * (-len(body) % 8))
                says, signature = whole(contents)
                assert verify(whole(says)[1], b"pointer", says, signature)
            except (AssertionError, ValueError, IndexError):
                continue
            raise AssertionError("it is one")
        data = un(v["bytes"])
        assert "wayside-card:" + base64.b32encode(data).decode().rstrip("=") == v["text"] and len(data) <= 900
        says, signature = whole(data)
        version, account, (name, seq, expires, key, public_bytes, points) = whole(says)
        assert version == 1 and verify(account, b"pointer", says, signature)
        assert (account, name, seq, expires) == (un(v["account"]), v["name"], v["seq"], v["expires"])
        assert (key, public_bytes) == (un(v["key"]), un(v["public"]))
        assert hashlib.sha256(b"wayside/1 pointer" + account + key + public_bytes).digest() == un(v["prologue"])
        assert derive(public_bytes, "public psk", [], 32) == un(v["psk"])
        assert points == [point["locator"] for point in v["points"]] and 1 <= len(set(points)) == len(points) <= 3
        for point in v["points"]:
            tag = hashlib.sha256(b"wayside/1 point" + point["locator"].encode()).digest()[:8]
            assert tag == un(point["tag"])
            day, lane = v["day"].to_bytes(4, "big"), bytes([v["lane"]])
            join = derive(public_bytes, "public join", [tag, day, lane], 48)
            welcome = derive(public_bytes, "public wel", [tag, un(v["h1"])], 48)
            assert join == un(point["join_id"] + point["join_siv"])
            assert welcome == un(point["welcome_id"] + point["welcome_siv"])


def comparison(accounts):
    digits = ""
    for account in sorted(accounts):
        h = hashlib.sha256(b"wayside/1 comparison" + account).digest()
        for _ in range(8192):
            h = hashlib.sha256(h + account).digest()
        digits += str(int.from_bytes(h[:16], "big") % 10**15).zfill(15)
    return " ".join(digits[n : n + 5] for n in range(0, 30, 5))


def check_candidates(candidates):
    assert len(candidates) <= 6 and all(len(c) in (7, 19) for c in candidates)
    for c in candidates:
        kind, by_tcp, port = c[0] & 0x0F, c[0] >> 4, int.from_bytes(c[-2:], "big")
        assert kind <= 3 and by_tcp <= 1 and port != 0


def check_address(address):
    assert len(address) in (6, 18) and int.from_bytes(address[-2:], "big") != 0


def check_nat(nat):
    if nat is None:
        return
    mapping, attestations, *filtering = nat
    assert filtering in ([], [1], [2], [3])
    if isinstance(mapping, list):
        number, last, step = mapping
        assert number == 3 and 0 <= last < 1 << 16 and -(1 << 15) <= step < 1 << 15 and step != 0
    else:
        assert mapping in (0, 1, 2, 4)
    assert len(attestations) <= 2
    for attestation in attestations:
        check_address(attestation[8:])


def check_tags(relays):
    assert 1 <= len(relays) <= 3 and all(len(tag) == 6 for tag in relays)


def check_reflectors(reflectors):
    if reflectors is None:
        return
    assert 1 <= len(reflectors) <= 2
    for token, addresses in reflectors:
        assert len(token) == 8 and 1 <= len(addresses) <= 2
        for address in addresses:
            check_address(address)


def check_payloads():
    for v in vectors("payloads"):
        fields = whole(un(v["bytes"]))
        if v["kind"] == "join":
            card, candidates, sent, *later = fields
            check_card(card)
        elif v["kind"] == "welcome" and fields[0] == 0:
            card, noise, proof, candidates, epoch, sent, *later = fields[1]
            check_card(card)
            assert len(noise) == 32 and len(proof) == 64
            for reflectors in later[1:2]:
                check_reflectors(reflectors)
            del later[1:2]
        elif v["kind"] == "welcome":
            assert fields[0] == 1 and fields[1][0] in (0, 1, 2)
            continue
        elif v["kind"] == "offer":
            no, lifetime, candidates, roster_seq, status_seq, *later = fields
        elif v["kind"] == "answer":
            lifetime, candidates, roster_seq, status_seq, sent, *later = fields
        elif v["kind"] == "knock":
            candidates, *later = fields
            assert all(nat is None or nat[1] == [] for nat in later) and len(later) <= 1
        else:
            candidates, *later = fields
        check_candidates(candidates)
        for nat in later[:1]:
            check_nat(nat)
        for relays in later[1:]:
            check_tags(relays)
        assert len(later) <= 2


def check_relays():
    for v in vectors("relays"):
        if v["kind"] == "tag":
            assert derive(un(v["key"]), "relay", [un(v["relay"])], 6) == un(v["tag"])
        elif v["kind"] == "circuit":
            assert derive(un(v["gate"]), "circuit", [un(v["relay"])], 16) == un(v["circuit"])
        else:
            theirs, common = whole(un(v["theirs"])) or [], []
            for place, relay in enumerate(map(un, v["ours"])):
                tag = derive(un(v["key"]), "relay", [relay], 6)
                if tag in theirs:
                    common.append((place + theirs.index(tag), relay))
            assert [relay for _, relay in sorted(common)] == [un(relay) for relay in v["common"]]


DAY, MONTH = 86_400_000, 30 * 86_400_000


def read_token(token, sign, noise, purpose, now):
    """What a token entitles to, or None where it does not count."""
    try:
        blocks = whole(token)
    except (AssertionError, IndexError):
        return None
    if not 1 <= len(blocks) <= 4 or len(token) > 1024:
        return None
    before, signer, expires, hands = b"", sign, None, 4
    for nth, (says, signature) in enumerate(blocks):
        if nth == 0:
            given, issuer, subject, serial, issued, ends, may = whole(says)
            if given != purpose or issuer != device_id(sign, noise) or not 0 < ends - issued <= MONTH:
                return None
            first = subject
        else:
            subject, ends, may = whole(says)
            if ends > expires:
                return None
        context = b"token handed on" if nth else b"token"
        if may >= hands or not verify(signer, context, before + says, signature):
            return None
        before, signer = hashlib.sha256(before + says + signature).digest(), subject
        expires, hands = ends, may
    if issued > now + DAY or now >= expires:
        return None
    return {
        "first": first.hex(), "last": signer.hex(), "serial": serial,
        "issued": issued, "expires": expires, "hands": hands,
    }


def check_tokens():
    for v in vectors("tokens"):
        if v["kind"] == "proof":
            holds = verify(un(v["subject"]), b"guest proof", un(v["exported"]), un(v["proof"]))
            assert holds == v["holds"]
            continue
        issuer = v["issuer"]
        read = read_token(un(v["token"]), un(issuer["sign"]), un(issuer["noise"]), v["purpose"], v["now"])
        assert read == v.get("verified") and (read is None) == ("error" in v), v["name"]


class Symmetric:
    """Noise, section 5.2."""

    def __init__(self, name, prologue):
        self.h = name if len(name) == 32 else hashlib.sha256(name).digest()
        self.ck, self.k, self.n = self.h, None, 0
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def hkdf(self, ikm, count):
        temp, out = mac(self.ck, ikm), [b""]
        for i in range(count):
            out.append(mac(temp, out[-1] + bytes([i + 1])))
        return out[1:]

    def mix_key(self, ikm):
        self.ck, self.k = self.hkdf(ikm, 2)
        self.n = 0

    def mix_key_and_hash(self, ikm):
        self.ck, temp, self.k = self.hkdf(ikm, 3)
        self.mix_hash(temp)
        self.n = 0

    def encrypt(self, plain):
        nonce = bytes(4) + self.n.to_bytes(8, "little")
        self.n += 1
        sealed = ChaCha20Poly1305(self.k).encrypt(nonce, plain, self.h)
        self.mix_hash(sealed)
        return sealed


def padme(length):
    """Padme, as its paper has it, at least 512."""
    if length <= 512:
        return 512
    exponent = length.bit_length() - 1
    zeros = exponent - exponent.bit_length()
    return -(-length >> zeros) << zeros


def check_host(host):
    guest, secret, name, points, candidates = host
    assert len(guest) == len(secret) == 32 and len(name.encode()) <= 64 and len(points) <= 2
    for locator, tag in points:
        assert ":" in locator and len(tag) == 8
    check_candidates(candidates)


def check_access(access):
    device, root, weeks = access
    assert len(device) == 16 and len(root) == 32 and len(weeks) <= 8
    assert all(0 <= id < 1 << 32 and len(psk) == 32 for id, psk in weeks)


def check_item(item):
    device, (kind, (fields,)) = item
    assert len(device) == 16
    if kind == 1:
        seq, receipt, floor, card, access = fields + [None] * (5 - len(fields))
        if receipt:
            reader, upto, beyond = receipt
            assert len(reader) == 16 and len(beyond) <= 64 and all(number > upto for number in beyond)
        if access:
            check_access(access)
        assert card is None or isinstance(card, bytes)
        return
    assert kind == 0
    seq, previous, floor, sent, (kind, content) = fields
    assert previous < seq and floor <= seq
    if kind == 0:
        id, text, files = content
        assert len(id) == 16 and len(text.encode()) <= 65_536 and len(files) <= 16
        for id, name, size, digest in files:
            assert len(id) == 16 and len(digest) == 32 and 1 <= len(name.encode()) <= 255 and "/" not in name
    else:
        id, start, data = content
        assert kind == 1 and len(id) == 16 and len(data) <= 61_440


def check_put(put):
    queue, digest, lifetime, its_mac, blob = put
    assert len(queue) == 16 and len(its_mac) == 32 and lifetime <= 30 * 86_400
    assert hashlib.sha256(blob).digest() == digest
    return queue + digest + lifetime.to_bytes(4, "big"), its_mac


def check_frame(name, frame):
    lists = {"ask": (2, 2, 1, 1, 1), "told": (0, 2, 2)}
    if name == "access":
        check_access(frame)
    elif name == "put":
        check_put(frame)
    elif name == "answer":
        number, fields = frame
        assert number <= 3 and len(fields) == (number == 1)
    elif name == "offer":
        host, size = frame
        if host is not None:
            check_host(host)
    elif name == "carry":
        check_host(frame[0])
        check_put(frame[1])
    else:
        number, fields = frame
        # Absent at the end: no bell, no blob.
        assert len(fields) <= lists[name][number]


def check_blob(v):
    sender, item, blob = un(v["sender"]), un(v["item"]), b"\x01" + bytes([len(v["recipients"])])
    for to in v["recipients"]:
        device, id, e = un(to["device"]), to["id"].to_bytes(4, "big"), un(to["ephemeral"])
        prekey = public(un(to["prekey"]))
        prologue = b"wayside/1 mail\x01" + un(v["from"]) + un(v["to"]) + device + id
        state = Symmetric(b"Noise_Kpsk0_25519_ChaChaPoly_SHA256", prologue)
        state.mix_hash(public(sender))
        state.mix_hash(prekey)
        # -> psk, e, es, ss
        state.mix_key_and_hash(un(to["psk"]))
        state.mix_hash(public(e))
        state.mix_key(public(e))
        state.mix_key(dh(e, prekey))
        state.mix_key(dh(sender, prekey))
        message = public(e) + state.encrypt(un(v["content_key"]))
        tag = derive(un(to["psk"]), "mail tag", [public(sender), device, public(e)], 8)
        blob += tag + id + message
    plain = len(item).to_bytes(4, "big") + item
    plain += bytes(padme(len(plain)) - len(plain))
    blob += ChaCha20Poly1305(un(v["content_key"])).encrypt(bytes(12), plain, blob)
    assert blob == un(v["blob"]) and hashlib.sha256(blob).digest() == un(v["hash"])


def check_mail():
    for v in vectors("mail"):
        if v["kind"] == "padding":
            assert padme(v["length"]) == v["padded"]
        elif v["kind"] == "week":
            prekey = derive(un(v["seed"]), "prekey", [], 32)
            assert prekey == un(v["prekey"]) and public(prekey) == un(v["public"])
            assert derive(un(v["seed"]), "mail psk", [un(v["friend"])], 32) == un(v["psk"])
        elif v["kind"] == "queue":
            root, guest, digest = derive(un(v["mail_root"]), "mail queues", [un(v["friend"])], 32), un(v["guest"]), un(v["hash"])
            queue, key = derive(root, "queue", [guest], 16), derive(root, "queue mac", [guest], 32)
            assert (root, queue, key) == (un(v["root"]), un(v["queue"]), un(v["key"]))
            assert hashlib.sha256(un(v["blob"])).digest() == digest
            assert mac(key, queue + digest + v["lifetime"].to_bytes(4, "big")) == un(v["mac"])
        elif v["kind"] == "blob":
            check_blob(v)
        elif v["kind"] == "item":
            check_item(whole(un(v["bytes"])))
        elif v["kind"] == "frame":
            check_frame(v["name"], whole(un(v["bytes"])))
        else:
            assert v["kind"] == "card"
            check_card(un(v["card"]))


def dh(secret, public):
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))


def public(secret):
    key = X25519PrivateKey.from_private_bytes(secret).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def check_noise():
    for v in vectors("noise"):
        contact, guest = v["pattern"] == "IKpsk0", v["pattern"] == "NKpsk0"
        e, rs, re = (un(v[k]) for k in ("initiator_ephemeral", "responder", "responder_ephemeral"))
        s = None if guest else un(v["initiator"])
        assert guest or public(s) == un(v["initiator_public"])
        assert public(rs) == un(v["responder_public"])
        state = Symmetric(f"Noise_{v['pattern']}_25519_ChaChaPoly_SHA256".encode(), un(v["prologue"]))
        if not contact and not guest:
            state.mix_hash(public(s))
        state.mix_hash(public(rs))
        # -> psk, e, es, (s,) ss; a guest has no s
        state.mix_key_and_hash(un(v["psk"]))
        state.mix_hash(public(e))
        state.mix_key(public(e))
        message = public(e)
        state.mix_key(dh(e, public(rs)))
        if contact:
            message += state.encrypt(public(s))
        if not guest:
            state.mix_key(dh(s, public(rs)))
        message += state.encrypt(un(v["payload1"]))
        assert message == un(v["message1"]) and state.h == un(v["h1"])
        # <- e, ee, se
        state.mix_hash(public(re))
        state.mix_key(public(re))
        message = public(re)
        state.mix_key(dh(re, public(e)))
        if not guest:
            state.mix_key(dh(re, public(s)))
        message += state.encrypt(un(v["payload2"]))
        assert message == un(v["message2"]) and state.h == un(v["h2"])
        split = b"".join(state.hkdf(b"", 2))
        for label, expected in v["secrets"].items():
            assert derive(split, label, [state.h], 32) == un(expected), label


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_") and name.removeprefix("check_") in FILES:
            check()
            print(f"{name.removeprefix('check_')}: {len(vectors(name.removeprefix('check_')))} vectors agree")
