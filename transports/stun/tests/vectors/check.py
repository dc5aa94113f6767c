#!/usr/bin/env python3
"""A second implementation of what friends say over STUN, from the standards alone, held against stun.json."""

import binascii
import hashlib
import hmac
import ipaddress
import json
import pathlib

stored = json.loads((pathlib.Path(__file__).parent / "stun.json").read_text())
SECRET, TRANSACTION = bytes.fromhex(stored["secret"]), bytes.fromhex(stored["transaction"])
TOKEN, ATTEST, CHECK, OK, PADDING = (
    stored["attributes"]["WAYSIDE-" + name] for name in ("TOKEN", "ATTEST", "ATTEST-CHECK", "ATTEST-OK", "PADDING")
)
COOKIE = bytes.fromhex("2112a442")
WEEK, HOUR = 7 * 24 * 3600, 3600


def mac(*parts):
    return hmac.new(SECRET, b"".join(parts), hashlib.sha256).digest()


def token(friend, seconds):
    holder = mac(b"wayside stun holder", friend)[:2]
    return holder + mac(b"wayside stun token", holder, (seconds // WEEK).to_bytes(8, "big"))[:6]


def sixteen(ip):
    ip = ipaddress.ip_address(ip)
    return (b"\0" * 10 + b"\xff\xff" if ip.version == 4 else b"") + ip.packed


def attest(ip, seconds):
    return mac(b"wayside attest", sixteen(ip), (seconds // HOUR).to_bytes(8, "big"))[:8]


def attribute(kind, value):
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def message(kind, attributes, fingerprint):
    head = lambda more: kind.to_bytes(2, "big") + (len(attributes) + more).to_bytes(2, "big") + COOKIE + TRANSACTION
    if not fingerprint:
        return head(0) + attributes
    sum_ = binascii.crc32(head(8) + attributes) ^ 0x5354554E
    return head(8) + attributes + attribute(0x8028, sum_.to_bytes(4, "big"))


def address(text, xor):
    ip, port = text.rsplit(":", 1)
    ip, port = ipaddress.ip_address(ip.strip("[]")), int(port).to_bytes(2, "big")
    mask = COOKIE + TRANSACTION if xor else bytes(16)
    masked = lambda data: bytes(a ^ b for a, b in zip(data, mask))
    return bytes([0, 1 if ip.version == 4 else 2]) + masked(port) + masked(ip.packed)


for v in stored["tokens"]:
    assert token(bytes.fromhex(v["id"]), v["seconds"]) == bytes.fromhex(v["token"]), v
for v in stored["attestations"]:
    assert attest(v["ip"], v["seconds"]) == bytes.fromhex(v["attestation"]), v

NOW = stored["tokens"][0]["seconds"]
ours = attribute(TOKEN, token(b"ann", NOW))
first, second = (a["ip"] for a in stored["attestations"])
asked = {
    "plain": b"",
    "plain with fingerprint": b"",
    "token": ours,
    "token with fingerprint": ours,
    "change port": ours + attribute(3, b"\0\0\0\2"),
    "change address": ours + attribute(3, b"\0\0\0\4"),
    "response port": ours + attribute(0x27, (4321).to_bytes(2, "big") + b"\0\0"),
    "check": ours + attribute(CHECK, sixteen(first) + attest(first, NOW)),
    "check of another": ours + attribute(CHECK, sixteen(second) + attest(first, NOW)),
}
for v in stored["messages"]:
    name, _, family = v["name"].partition(" answered over ")
    body, fingerprint = asked[name], "fingerprint" in name
    if v["kind"] == "request":
        if ours in body:
            body += attribute(PADDING, bytes(96 - 20 - len(body) - 4 - 8 * fingerprint))
        expected = message(1, body, fingerprint)
        assert len(expected) == (96 if ours in body else 28 if fingerprint else 20)
    elif name == "change address":
        expected = message(0x111, attribute(9, b"\0\0\4\x14") + attribute(10, b"\0\3"), False)
    else:
        body = attribute(0x20, address(v["from"], True))
        if "plain" not in name:
            body += attribute(0x802C, address("203.0.113.5:2222" if family == "4" else "[2001:db8::5]:2222", False))
            body += attribute(ATTEST, attest(first if family == "4" else second, NOW))
        if name == "check":
            body += attribute(OK, b"")
        expected = message(0x101, body, fingerprint)
        port = "4321" if name == "response port" else "40000"
        assert v["to"].rsplit(":", 1) == [v["from"].rsplit(":", 1)[0], port], v
        assert v["second_port"] == (name == "change port"), v
    assert expected.hex() == v["bytes"], (v["name"], expected.hex(), v["bytes"])
print(f"stun: {len(stored['tokens'])} tokens, {len(stored['attestations'])} attestations, {len(stored['messages'])} messages agree")
