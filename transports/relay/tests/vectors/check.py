#!/usr/bin/env python3
"""A second implementation of the frames between an end and its relay, from PROTOCOL.md and the paper on SipHash alone, held against relay.json."""

import json
import pathlib

MASK = (1 << 64) - 1


def siphash_2_4(key, message):
    k0, k1 = (int.from_bytes(key[n : n + 8], "little") for n in (0, 8))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    turn = lambda x, by: (x << by | x >> (64 - by)) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) % 256])
    for n in range(0, len(padded), 8):
        word = int.from_bytes(padded[n : n + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")


# The paper's own vector, appendix A.
assert siphash_2_4(bytes(range(16)), bytes(range(15))).hex() == "e545be4961ca29a1"

stored = json.loads((pathlib.Path(__file__).parent / "relay.json").read_text())
keys = bytes.fromhex(stored["keys"])
for v in stored["frames"]:
    key = keys[:16] if v["direction"] == "up" else keys[16:]
    datagram = bytes(n % 256 for n in range(v["length"]))
    circuit = v["circuit"].to_bytes(4, "big")
    assert v["circuit"] >> 30 == 0b10
    mac = siphash_2_4(key, circuit + len(datagram).to_bytes(2, "big") + datagram[:64])
    assert v["header"] == (circuit + mac).hex(), v
    assert len(circuit + mac) == stored["header"]
assert [v["number"] for v in stored["reasons"]] == list(range(1, len(stored["reasons"]) + 1))
print(f"relay: {len(stored['frames'])} frames agree")
