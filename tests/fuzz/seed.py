#!/usr/bin/env python3
"""Writes the seeds of the corpora from the golden vectors. Run it after those changed."""

import base64
import importlib.util
import json
import pathlib

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "vectors"
spec = importlib.util.spec_from_file_location("check", VECTORS / "check.py")
check = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check)


def seed(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    size = 1 if n < 1 << 8 else 2 if n < 1 << 16 else 4
    return bytes([major << 5 | (24 + size.bit_length() - 1)]) + n.to_bytes(size, "big")


def cbor(value):
    if isinstance(value, bool) or value is None:
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int) and value < 0:
        return head(1, -1 - value)
    if isinstance(value, int):
        return head(0, value) if value < 1 << 32 else b"\x1b" + value.to_bytes(8, "big")
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    return head(4, len(value)) + b"".join(map(cbor, value))


for i, v in enumerate(check.vectors("payloads")):
    data = bytes.fromhex(v["bytes"])
    seed(v["kind"], f"vector-{i}", data)
    if v["kind"] == "update":
        seed("candidates", "vector", cbor(check.whole(data)[0]))
        seed("nat", f"vector-{i}", cbor((*check.whole(data)[1:], None)[0]))
        if len(check.whole(data)) > 2:
            seed("relay_tags", f"vector-{i}", cbor(check.whole(data)[2]))
    if v["kind"] == "welcome" and len(check.whole(data)[1]) == 8:
        seed("reflectors", f"vector-{i}", cbor(check.whole(data)[1][7]))
seed("nat", "sequential", cbor([[3, 40_123, -2], []]))
seed("nat", "of-the-future", cbor([[9, b"x", 1], [], 7]))

seed("relay_tags", "three", cbor([bytes([n] * 6) for n in range(3)]))
seed("relay_tags", "four", cbor([bytes([n] * 6) for n in range(4)]))
seed("relay_tags", "long", cbor([bytes(7)]))

for i, v in enumerate(check.vectors("tokens")):
    if v["kind"] == "token":
        token = bytes.fromhex(v["token"])
        seed("token", f"vector-{i}", token)
        if "error" not in v:
            blocks = [says for says, _ in check.whole(token)]
            seed("token_signed", f"vector-{i}", blocks[0])
            for says in blocks[1:2]:
                seed("token_handed_on", f"vector-{i}", says)

for i, v in enumerate(check.vectors("identity")):
    card = bytes.fromhex(v["card"])
    assert cbor(check.whole(card)) == card
    (roster, _, entries), statuses = check.whole(card)
    account, seq, previous, issued, expires, name, ids = check.whole(roster)
    seed("card", f"vector-{i}", card)
    seed("roster_signed", f"vector-{i}", roster)
    # The fixed entry's device must be named.
    seed("roster_entries", f"vector-{i}", cbor(entries[:1]))
    seed("roster_entries", f"twice-{i}", cbor(entries[:1] * 2))
    for body, _, _ in statuses:
        seed("status_signed", f"vector-{i}", body)
        seed("card_signed", f"vector-{i}", body)
        seed("point", f"vector-{i}", cbor(check.whole(body)[3][0]))
    seed("account_text", f"vector-{i}", v["account_text"].encode())
    shown = cbor([check.whole(card)[0], []])
    if len(shown) <= 4096:
        seed("introduction", f"proposal-{i}", cbor([0, [bytes(16), shown, "two words", 604_800]]))

FRAMES = ["access", "put", "answer", "ask", "told", "offer", "carry"]
for i, v in enumerate(check.vectors("mail")):
    if v["kind"] == "blob":
        seed("mail_open", f"vector-{i}", bytes.fromhex(v["blob"]))
    elif v["kind"] == "item":
        seed("mail_item", f"vector-{i}", bytes.fromhex(v["bytes"]))
    elif v["kind"] == "frame":
        seed("mail_frames", f"{v['name']}-{i}", bytes([FRAMES.index(v["name"])]) + bytes.fromhex(v["bytes"]))
    elif v["kind"] == "card":
        card = bytes.fromhex(v["card"])
        seed("card", "mailbox", card)
        seed("status_signed", "mailbox", check.whole(card)[1][0][0])
for text in ("plain", ""):
    padded = len(text).to_bytes(4, "big") + text.encode()
    seed("mail_open", f"padded-{len(text)}", padded + bytes(512 - len(padded)))
seed("mail_open", "padding-not-zero", bytes(511) + b"x")
seed("mail_open", "length-beyond", b"\0\0\1\xfd" + bytes(508))
for name in ("..", "a/b", "a\\b", "exe\u202etxt"):
    item = [bytes(16), [0, [[2, 1, 1, 0, [0, [bytes(16), "text", [[bytes(16), name, 1, bytes(32)]]]]]]]]
    seed("mail_item", f"name-{name.encode().hex()}", cbor(item))
seed("mail_item", "many-beyond", cbor([bytes(16), [1, [[1, [bytes(16), 7, list(range(8, 80))]]]]]))

# Codes: made up here, as nothing of them is signed.
point = bytes([1, 5]) + b"place"
element = bytes([0x66]) * 32
seed("code_text", "words", b"7-crossover-clockwork-amulet")
seed("code_text", "spoken", b" 999 Crossover, clockwork. ")
seed("code_text", "mistyped", b"7-crosover-clockwork")
seed("code_records", "call", bytes([1]) + (1_800_000_000).to_bytes(4, "big") + bytes([9]) * 32 + element * 8 + point)
seed("code_records", "burnt", bytes([2]))
seed("code_records", "response", bytes([1]) + element + bytes(16))
seed("code_records", "verdict", bytes([1]) + bytes(16) + bytes([7]))

for i, v in enumerate(check.vectors("replies")):
    seed("reply_text", f"vector-{i}", v["line"].encode())
    if "error" not in v:
        text = v["line"].removeprefix("wayside-reply:")
        seed("reply_body", f"vector-{i}", base64.b32decode(text + "=" * (-len(text) % 8))[:-4])

for i, v in enumerate(check.vectors("greetings")):
    if v["kind"] == "reply":
        seed("carried_join", f"vector-{i}", bytes.fromhex(v["payload"]))
        seed("reply_text", f"carried-{i}", v["line"].encode())
        continue
    seed("greeting_text", f"vector-{i}", v["text"].encode())
    if v["kind"] == "greeting":
        data = bytes.fromhex(v["bytes"])
        seed("greeting", f"vector-{i}", data)
        seed("greeting", f"unsigned-{i}", data[:-1] + bytes([data[-1] ^ 1]))
        lines = [v["text"][at : at + 64] for at in range(0, len(v["text"]), 64)]
        seed("greeting_text", f"in-lines-{i}", "\n".join(["# from Anna", *lines, ""]).encode())

for i, v in enumerate(check.vectors("invite")):
    seed("invite_text", f"vector-{i}", v["link"].encode())
    if "error" not in v:
        text = v["link"].removeprefix("wayside:")
        seed("invite_body", f"vector-{i}", base64.b32decode(text + "=" * (-len(text) % 8))[:-4])
        for point in v["points"]:
            seed("locator", point.split(":")[0], point.encode())

for i, v in enumerate(check.vectors("pointers")):
    if v["kind"] == "pointer":
        seed("pointer", f"vector-{i}", bytes.fromhex(v["bytes"]))
        seed("pointer", f"text-{i}", f"# somebody\n{v['text'].lower()}\n".encode())
        seed("room_words", f"join-{i}", f"!join {v['text']}\n\n--\na footer".encode())
        seed("room_words", f"meet-{i}", f"words\n\nwayside-bot: meet @ben:x you-asked {v['text']}".encode())
        says, _ = check.whole(bytes.fromhex(v["bytes"]))
        seed("pointer_signed", f"vector-{i}", cbor(check.whole(says)[2]))
    elif v["kind"] == "none":
        seed("pointer", f"none-{i}", bytes.fromhex(v["contents"]))

for i, v in enumerate(check.vectors("envelope")):
    record, message = bytes.fromhex(v["record"]), bytes.fromhex(v["message"])
    seed("envelope" if v["kind"] == "slot" else "tray", f"vector-{i}", record)
    seed("unpad", f"vector-{i}", message)

for v in check.vectors("noise"):
    kind = {"IKpsk0": "contact", "KKpsk0": "meeting", "NKpsk0": "knock"}[v["pattern"]]
    for n in (1, 2):
        seed(f"noise_{kind}_{n}", "vector", bytes.fromhex(v[f"message{n}"]))

places = ["dir:/srv/shared", "matrix:#room:example.org"]
seed("introduction", "consent", cbor([1, [bytes(16), places]]))
seed("introduction", "agreed", cbor([2, [bytes(16), bytes(16), places, True]]))
seed("introduction", "invite", cbor([3, [bytes(16), bytes(16), bytes(300)]]))
seed("introduction", "many-places", cbor([1, [bytes(16), places * 5]]))

for word in ["help", "list", "meet @ben:example.org", "yes ann@example.org, please", "quiet off", "forget @eve:x", "dance", "meet"]:
    seed("room_words", word.split()[0], f"!{word}".encode())
for line in ["joined", "asked @ann:x", "unmet ben@x limited", "over @ben:x", "tomorrow"]:
    seed("room_words", f"notice-{line.split()[0]}", f"words\n\nwayside-bot: {line}\n--\nfooter".encode())

seed("pair_secret", "plain", cbor([20_717, bytes(32)]))
seed("pair_secret", "last", cbor([(1 << 32) - 1, bytes(32)]))

link = json.loads((HERE / "../../transports/noise/tests/vectors/link.json").read_text())
seed("link_header", "vector", bytes.fromhex(link["gate"]["first_datagram"]))
seed("link_header", "short", b"\x40" + bytes(40))
seed("link_header", "handshake", b"\xe0" + bytes.fromhex(link["version"]) + b"\x0ctwelve bytes\x00" + bytes(40))
framed = bytes.fromhex(link["handshakes"][0]["message_1_framed"])
crypto = lambda offset, data: b"\x06" + (0x4000 | offset).to_bytes(2, "big") + (0x4000 | len(data)).to_bytes(2, "big") + data
seed("link_initial", "vector", crypto(0, framed))
seed("link_initial", "pieces", b"\x01\x00" + crypto(90, framed[90:]) + b"\x00" + crypto(0, framed[:95]))
for shake in link["handshakes"][1:]:
    suite = ("MLKEM768" in shake["protocol"]) + 2 * ("_NK" in shake["protocol"])
    seed("link_message_1", f"vector-{suite}", bytes([suite]) + bytes.fromhex(shake["message_1"]))
    # Nothing written over the good one, and a tag that is wrong.
    seed("link_message_2", f"good-{suite}", bytes([suite]))
    seed("link_message_2", f"changed-{suite}", bytes([suite, 0, 60, 1, 2, 3]))
seed("link_parameters", "none", b"")
seed("link_parameters", "some", b"\x0f\x0ctwelve bytes\x04\x04\x80\x10\x00\x00\x01\x02\x7a\x98\x40\xff\x01\x07")
seed("link_frames", "two", b"\x03\x00\x03a" + b"\x06bc\x00\x01x\x00" + b"\x02\x02y")
seed("link_segments", "two-of-three", b"\x00\x14" + b"\x40\x01" + bytes(18) + b"\xc0" * 20 + b"\x40\x01" + bytes(14))
number = lambda n: n.to_bytes(8, "big")
seed("link_probes", "question", b"\x00" + number(1))
seed("link_probes", "question-from-elsewhere", b"\x01" + number(70))
seed("link_probes", "answer", b"\x02" + number(1))
seed("link_probes", "changed", b"\x00" + number(1) + b"\x00\x05x")
seed("link_meeting", "question", b"\x00" + number(1))
seed("link_meeting", "question-from-elsewhere", b"\x01" + number(70))
seed("link_meeting", "answer", b"\x02" + number(1))
seed("link_meeting", "changed", b"\x00" + number(1) + b"\x00\x05x")
seed("link_tcp", "two-in-three", b"\x03\x00\x03a" + b"\x04bc\x00\x02" + b"\x02xy")
seed("link_held", "in-order", bytes([0, 0, 137, 0, 0, 137, 255, 0, 0, 0, 137, 0]))
seed("link_held", "overlapping", bytes([1, 100, 255, 0, 1, 0, 50, 0, 3, 0, 137, 0, 1, 40, 80, 0, 2, 0, 137, 0, 2, 130, 255, 0]))
seed("link_held", "forged", bytes([0, 0, 137, 255, 0, 137, 255, 0, 0, 0, 137, 0]))

attribute = lambda kind, data: kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data + bytes(-len(data) % 4)
change, response_port, padding = attribute(0x0003, b"\0\0\0\x06"), attribute(0x0027, b"\x10\0\0\0"), attribute(0xD754, bytes(72))
seed("stun_request", "padding", padding)
seed("stun_request", "behaviour", change + response_port + padding)
seed("stun_request", "check", attribute(0xD752, bytes(24)) + padding)
seed("stun_request", "login", attribute(0x0006, b"ann") + attribute(0x0008, bytes(20)) + padding)
seed("stun_request", "unknown", b"".join(attribute(0x7F00 + n, b"") for n in range(20)))
for v in json.loads((HERE / "../../transports/stun/tests/vectors/stun.json").read_text())["messages"]:
    seed("stun_request" if v["kind"] == "request" else "stun_answer", v["name"].replace(" ", "-"), bytes.fromhex(v["bytes"]))
address = attribute(0x0001, b"\0\x01\x10\0\xc6\x33\x64\x01")
seed("stun_answer", "mapped", address)
seed("stun_answer", "old", address + attribute(0x0004, address[4:]) + attribute(0x0005, address[4:]))
seed("stun_answer", "xor-6", attribute(0x0020, b"\0\x02\x10\0" + bytes(16)) + attribute(0x802C, b"\0\x02\x10\0" + bytes(16)))
seed("stun_answer", "refused", attribute(0x0009, b"\0\0\4\x14no") + attribute(0x000A, b"\0\3\0\x27"))

spec = importlib.util.spec_from_file_location("relay", HERE / "../../transports/relay/tests/vectors/check.py")
relay = importlib.util.module_from_spec(spec)
spec.loader.exec_module(relay)
for length in (1, 64, 200):
    covered = b"\x80\0\0\7" + length.to_bytes(2, "big") + bytes([length]) * min(length, 64)
    seed("relay_frame", f"of-{length}", covered[:4] + relay.siphash_2_4(bytes(16), covered) + bytes([length]) * length)
seed("relay_frame", "short", b"\x80" + bytes(11))
seed("relay_frame", "tampered", b"\xbf" + bytes(40))
# Steps of three bytes, and bytes after a step 3: see src/relay.rs.
meet = bytes([0, 0, 1, 0, 1, 1])
seed("relay_switch", "both-ways", meet + bytes([4, 20, 8, 7, 0, 0, 4, 20, 9, 7, 0, 0, 1, 0, 0, 7, 0, 0]))
seed("relay_switch", "tampered", meet + bytes([5, 20, 8, 7, 0, 0, 5, 20, 16, 7, 0, 0, 7, 0, 0]))
seed("relay_switch", "garbage", meet + bytes([3, 20, 32]) + bytes(32) + bytes([4, 9, 16, 7, 0, 0]))
seed("relay_switch", "flood", meet + bytes([4, 200, 248] * 4) + bytes([7, 0, 0] * 3) + bytes([2, 1, 0, 7, 0, 0]))
seed("relay_switch", "slow", meet + bytes([6, 0, 3]) + bytes([4, 30, 240] * 3) + bytes([7, 0, 0, 6, 4, 3] * 6))
seed("relay_switch", "circuits", b"".join(bytes([0, n, n]) for n in range(12)) + bytes([6, 255, 0, 6, 255, 0, 1, 3, 1, 2, 2, 0]))
