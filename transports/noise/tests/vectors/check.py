#!/usr/bin/env python3
"""Computes link.json anew from section 16 of docs/PROTOCOL.md alone, sharing no code with the crate. Needs python3-cryptography."""

import hashlib
import hmac
import ipaddress
import json
import pathlib
import struct

import mlkem
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand_label(prk, label, context=b"", length=32):
    label = b"wayside1 " + label.encode()
    info = struct.pack(">HB", length, len(label)) + label + bytes([len(context)]) + context
    return mac(prk, info + b"\x01")[:length]


def directions(prk, label):
    return {"initiator": expand_label(prk, label + " i"), "responder": expand_label(prk, label + " r")}


def packet_keys(secret):
    return {
        "secret": secret.hex(),
        "key": expand_label(secret, "key").hex(),
        "iv": expand_label(secret, "iv", length=12).hex(),
        "hp": expand_label(secret, "hp").hex(),
    }


def shown(pair):
    return {side: packet_keys(secret) for side, secret in pair.items()}


def updated(pair):
    return {side: expand_label(secret, "ku") for side, secret in pair.items()}


CHACHA, AES = 1, 2


def protect(cipher, secret, path, number, header, number_at, payload):
    key, iv = expand_label(secret, "key"), expand_label(secret, "iv", length=12)
    nonce = bytes(a ^ b for a, b in zip(iv, struct.pack(">IQ", path, number)))
    seal = {CHACHA: ChaCha20Poly1305, AES: AESGCM}[cipher]
    packet = bytearray(header + seal(key).encrypt(nonce, payload, header))
    sample = bytes(packet[number_at + 4 : number_at + 20])
    hp = expand_label(secret, "hp")
    if cipher == AES:
        # RFC 9001, section 5.4.3: the sample is one block of AES.
        mask = Cipher(algorithms.AES256(hp), modes.ECB()).encryptor().update(sample)
    else:
        # RFC 9001, section 5.4.4: the sample is ChaCha20's counter (little endian) and nonce.
        mask = Cipher(algorithms.ChaCha20(hp, sample), None).encryptor().update(bytes(5))
    number_len = (packet[0] & 3) + 1
    packet[0] ^= mask[0] & (0x0F if packet[0] & 0x80 else 0x1F)
    for i in range(number_len):
        packet[number_at + i] ^= mask[1 + i]
    return bytes(packet)


def public(secret):
    key = X25519PrivateKey.from_private_bytes(secret).public_key()
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def dh(secret, peer):
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(peer))


class Noise:
    """SymmetricState of the Noise specification, revision 34, section 5.2."""

    def __init__(self, name, prologue):
        self.h = name if len(name) == 32 else hashlib.sha256(name).digest()
        self.h = self.h.ljust(32, b"\0")
        self.ck, self.k, self.n = self.h, None, 0
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def hkdf(self, ikm, count):
        temp, out, last = mac(self.ck, ikm), [], b""
        for i in range(count):
            last = mac(temp, last + bytes([i + 1]))
            out.append(last)
        return out

    def mix_key(self, ikm):
        self.ck, self.k = self.hkdf(ikm, 2)
        self.n = 0

    def mix_key_and_hash(self, ikm):
        self.ck, temp, self.k = self.hkdf(ikm, 3)
        self.mix_hash(temp)
        self.n = 0

    def encrypt_and_hash(self, plain):
        nonce = bytes(4) + struct.pack("<Q", self.n)
        self.n += 1
        sealed = ChaCha20Poly1305(self.k).encrypt(nonce, plain, self.h)
        self.mix_hash(sealed)
        return sealed

    def e(self, key):
        self.mix_hash(key)
        self.mix_key(key)
        return key


def kem(given):
    public, shared = mlkem.decapsulate(*(bytes.fromhex(given[name]) for name in ("decapsulation_key", "ciphertext")))
    # A ciphertext that was rejected would give a secret too: see to it that this one was made for this key.
    message = mlkem.decrypt(bytes.fromhex(given["decapsulation_key"])[: 384 * mlkem.K], bytes.fromhex(given["ciphertext"]))
    assert hashlib.sha3_512(message + hashlib.sha3_256(public).digest()).digest()[:32] == shared
    return dict(given, algorithm="ML-KEM-768", encapsulation_key=public.hex(), shared_secret=shared.hex())


def handshake(given, kem):
    get = lambda name: bytes.fromhex(given[name])
    sr, ei, er, psk = map(get, ("responder_static", "initiator_ephemeral", "responder_ephemeral", "psk"))
    # A guest has no static key.
    si = get("initiator_static") if "initiator_static" in given else None
    prologue = b"wayside link" + bytes.fromhex("77790002")
    chosen = AES if given["initiator_ciphers"] & given["responder_ciphers"] & AES else CHACHA
    hybrid = "MLKEM768" in given["protocol"]
    modifiers, dhs = ("hfs+psk0", "25519+MLKEM768") if hybrid else ("psk0", "25519")
    protocol = "Noise_%s%s_%s_ChaChaPoly_SHA256" % ("IK" if si else "NK", modifiers, dhs)
    noise = Noise(protocol.encode(), prologue)
    noise.mix_hash(public(sr))
    # -> psk, e, es, with ML-KEM e1, and of a device s, ss
    noise.mix_key_and_hash(psk)
    one = noise.e(public(ei))
    noise.mix_key(dh(ei, public(sr)))
    if hybrid:
        one += noise.encrypt_and_hash(bytes.fromhex(kem["encapsulation_key"]))
    if si:
        one += noise.encrypt_and_hash(public(si))
        noise.mix_key(dh(si, public(sr)))
    one += noise.encrypt_and_hash(bytes([given["initiator_ciphers"]]) + get("initiator_parameters"))
    # <- e, ee, with ML-KEM ekem1, and to a device se
    two = noise.e(public(er))
    noise.mix_key(dh(er, public(ei)))
    if hybrid:
        two += noise.encrypt_and_hash(bytes.fromhex(kem["ciphertext"]))
        noise.mix_key(bytes.fromhex(kem["shared_secret"]))
    if si:
        noise.mix_key(dh(er, public(si)))
    two += noise.encrypt_and_hash(bytes([chosen]) + get("responder_parameters"))
    prk = mac(noise.h, b"".join(noise.hkdf(b"", 2)))
    application = directions(prk, "app")
    confirm = directions(prk, "confirm")
    return dict(
        given,
        protocol=protocol,
        chosen_cipher=chosen,
        **({"initiator_static_public": public(si).hex()} if si else {}),
        responder_static_public=public(sr).hex(),
        prologue=prologue.hex(),
        message_1=one.hex(),
        message_1_framed=(struct.pack(">H", len(one)) + one).hex(),
        message_2=two.hex(),
        secrets={
            "handshake": shown(directions(prk, "hs")),
            "application": shown(application),
            "application_1": shown(updated(application)),
            "application_2": shown(updated(updated(application))),
            "confirm_initiator": confirm["initiator"].hex(),
            "confirm_responder": confirm["responder"].hex(),
            "export_of_label_test": expand_label(
                expand_label(prk, "exporter"), "export", hashlib.sha256(b"test").digest()
            ).hex(),
        },
    )


def gate(given, message):
    gamma, random = bytes.fromhex(given["gamma"]), bytes.fromhex(given["random"])
    first_id = mac(expand_label(gamma, "gate tag"), random)[:8] + random
    initial = directions(mac(expand_label(gamma, "gate initial"), first_id), "in")
    header = b"\xc0" + bytes.fromhex("77790002") + b"\x14" + first_id + b"\x0ctwelve bytes" + b"\0"
    number_at = len(header) + 2
    header += struct.pack(">H", 0x4000 | (1200 - number_at)) + b"\0"
    framed = struct.pack(">H", len(message)) + message
    frames = b"\x06\x00" + struct.pack(">H", 0x4000 | len(framed)) + framed
    frames = frames.ljust(1200 - 16 - len(header), b"\0")
    datagram = protect(CHACHA, initial["initiator"], 0, 0, header, number_at, frames)
    return dict(given, first_destination_id=first_id.hex(), initial=shown(initial), first_datagram=datagram.hex())


def packet(given):
    secret, header, payload = (bytes.fromhex(given[name]) for name in ("secret", "header", "payload"))
    return dict(given, protected=protect(given["cipher"], secret, given["path"], given["number"], header, 13, payload).hex())


def meeting(given):
    get = lambda name: bytes.fromhex(given[name])
    keys = directions(mac(get("gate"), get("psk")), "punch")
    first = bytes([get("first")[0] & 0xBF])

    def probe(side, kind, seen=None):
        address = bytes(18)
        if seen:
            ip, port = seen.rsplit(":", 1)
            ip = ipaddress.ip_address(ip.strip("[]"))
            address = (bytes(10) + b"\xff\xff" if ip.version == 4 else b"") + ip.packed + struct.pack(">H", int(port))
        body = bytes([kind]) + get("number") + address + bytes(8)
        return (first + get("nonce") + ChaCha20Poly1305(keys[side]).encrypt(get("nonce"), body, first)).hex()

    return dict(
        given,
        **{side: key.hex() for side, key in keys.items()},
        ask=probe("initiator", 0),
        answer_v4=probe("responder", 1, given["seen_v4"]),
        answer_v6=probe("responder", 1, given["seen_v6"]),
    )


def main():
    given = json.loads((pathlib.Path(__file__).parent / "link.json").read_text())
    shakes = [handshake(shake, given["kem"]) for shake in given["handshakes"]]
    computed = dict(
        given,
        version="77790002",
        kem=kem(given["kem"]),
        handshakes=shakes,
        gate=gate(given["gate"], bytes.fromhex(shakes[0]["message_1"])),
        packets=[packet(p) for p in given["packets"]],
        meeting=meeting(given["meeting"]),
    )
    for part in given:
        print("ok  " if computed[part] == given[part] else "DIFF", part)
    return computed == given


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
