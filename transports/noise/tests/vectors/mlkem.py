"""Decapsulation of ML-KEM-768, written from FIPS 203 (August 2024) for check.py; neither fast nor constant in time."""

import hashlib

Q, K, ETA1, ETA2, DU, DV = 3329, 3, 2, 2, 10, 4


def bit_reversed(i):
    return int(f"{i:07b}"[::-1], 2)


ZETAS = [pow(17, bit_reversed(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * bit_reversed(i) + 1, Q) for i in range(128)]


def ntt(f):
    """Algorithm 9."""
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i + 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j], f[j + length] = (f[j] + t) % Q, (f[j] - t) % Q
        length //= 2
    return f


def inverse_ntt(f):
    """Algorithm 10."""
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i - 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [x * 3303 % Q for x in f]


def multiply(f, g):
    """Algorithm 11."""
    out = []
    for i in range(128):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a0 * b0 + a1 * b1 * GAMMAS[i]) % Q, (a0 * b1 + a1 * b0) % Q]
    return out


def add(*polynomials):
    return [sum(c) % Q for c in zip(*polynomials)]


def dot(left, right):
    return add(*(multiply(f, g) for f, g in zip(left, right)))


def decode(data, d):
    """Algorithm 6, of as many polynomials as there are."""
    number, count = int.from_bytes(data, "little"), len(data) * 8 // d
    values = [number >> d * i & (1 << d) - 1 for i in range(count)]
    return [[x % Q if d == 12 else x for x in values[i : i + 256]] for i in range(0, count, 256)]


def encode(polynomials, d):
    """Algorithm 5."""
    values = [x for f in polynomials for x in f]
    number = sum(x << d * i for i, x in enumerate(values))
    return number.to_bytes(len(values) * d // 8, "little")


def compress(f, d):
    return [((x << d + 1) + Q) // (2 * Q) % (1 << d) for x in f]


def decompress(f, d):
    return [(2 * Q * x + (1 << d)) >> d + 1 for x in f]


def sample_ntt(seed):
    """Algorithm 7."""
    stream, out = hashlib.shake_128(seed).digest(3 * 1024), []
    for i in range(0, len(stream), 3):
        a, b, c = stream[i : i + 3]
        out += [x for x in (a + 256 * (b % 16), b // 16 + 16 * c) if x < Q]
    return out[:256]


def sample_noise(seed, eta):
    """Algorithm 8."""
    number = int.from_bytes(hashlib.shake_256(seed).digest(64 * eta), "little")
    bit = lambda i: number >> i & 1
    return [
        (sum(bit(2 * i * eta + j) for j in range(eta)) - sum(bit((2 * i + 1) * eta + j) for j in range(eta))) % Q
        for i in range(256)
    ]


def encrypt(key, message, randomness):
    """K-PKE.Encrypt, algorithm 14."""
    t, rho = decode(key[: 384 * K], 12), key[384 * K :]
    noise = lambda n, eta: sample_noise(randomness + bytes([n]), eta)
    y = [ntt(noise(n, ETA1)) for n in range(K)]
    transposed = [[sample_ntt(rho + bytes([i, j])) for j in range(K)] for i in range(K)]
    u = [add(inverse_ntt(dot(transposed[i], y)), noise(K + i, ETA2)) for i in range(K)]
    mu = decompress(decode(message, 1)[0], 1)
    v = add(inverse_ntt(dot(t, y)), noise(2 * K, ETA2), mu)
    return encode([compress(f, DU) for f in u], DU) + encode([compress(v, DV)], DV)


def decrypt(key, ciphertext):
    """K-PKE.Decrypt, algorithm 15."""
    u = [decompress(f, DU) for f in decode(ciphertext[: 32 * DU * K], DU)]
    v = decompress(decode(ciphertext[32 * DU * K :], DV)[0], DV)
    product = inverse_ntt(dot(decode(key, 12), [ntt(f) for f in u]))
    w = [(a - b) % Q for a, b in zip(v, product)]
    return encode([compress(w, 1)], 1)


def decapsulate(key, ciphertext):
    """Algorithm 18; the encapsulation key within the decapsulation key, and the shared secret."""
    secret, public = key[: 384 * K], key[384 * K : 768 * K + 32]
    digest, z = key[768 * K + 32 : 768 * K + 64], key[768 * K + 64 :]
    assert hashlib.sha3_256(public).digest() == digest
    message = decrypt(secret, ciphertext)
    expanded = hashlib.sha3_512(message + digest).digest()
    if encrypt(public, message, expanded[32:]) != ciphertext:
        return public, hashlib.shake_256(z + ciphertext).digest(32)
    return public, expanded[:32]
