"""Check digits made: the other direction of what `herd.data.privacy.checksums` tests, written apart from it.

In: a number without its check digits. Out: the check digits, or the whole. Sources: ISO/IEC 7064, ISO 13616,
Verhoeff 1969, the Italian decree of 23 December 1976, Receita Federal, BIP 13, BIP 173, BIP 350.
"""

import hashlib

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32_CONSTANT, BECH32M_CONSTANT = 1, 0x2BC830A3


def luhn_digit(number: str) -> str:
    total = 0
    for i, sign in enumerate(reversed(number)):
        doubled = int(sign) * 2 if i % 2 == 0 else int(sign)
        total += sum(int(one) for one in str(doubled))
    return str(-total % 10)


def iban_check(country: str, account: str) -> str:
    rest = 0
    for sign in f"{account}{country}00":
        value = int(sign) if sign.isdigit() else ord(sign) - ord("A") + 10
        rest = (rest * (10 if value < 10 else 100) + value) % 97
    return f"{98 - rest:02d}"


def verhoeff_digit(number: str) -> str:
    """By the dihedral group of ten elements itself, without its tables."""
    check = 0
    for place, sign in enumerate(reversed(number), start=1):
        value = int(sign)
        for _ in range(place % 8):
            value = int("1576283094"[value])
        check = _dihedral(check, value)
    return str(next(one for one in range(10) if _dihedral(check, one) == 0))


def _dihedral(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def mod_11_10_digit(number: str) -> str:
    product = 10
    for sign in number:
        product = (((int(sign) + product) % 10 or 10) * 2) % 11
    return str((11 - product) % 10)


def cpf_digits(number: str) -> str:
    for _ in range(2):
        weights = range(len(number) + 1, 1, -1)
        rest = sum(int(sign) * weight for sign, weight in zip(number, weights, strict=True)) % 11
        number += str(0 if rest < 2 else 11 - rest)
    return number


def codice_letter(plain: str) -> str:
    odd = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True))
    odd |= dict(
        zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True)
    )  # fmt: skip
    total = sum(odd[sign] for sign in plain[::2])
    total += sum(int(sign) if sign.isdigit() else ord(sign) - 65 for sign in plain[1::2])
    return chr(65 + total % 26)


def legacy_address(version: int, payload: bytes) -> str:
    data = bytes([version]) + payload
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, signs = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        signs = BASE58[rest] + signs
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + signs


def bech32_address(version: int, program: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in program)
    bits += "0" * (-len(bits) % 5)
    values = [version] + [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]
    constant = BECH32M_CONSTANT if version else BECH32_CONSTANT
    spread = [ord(sign) >> 5 for sign in "bc"] + [0] + [ord(sign) & 31 for sign in "bc"]
    check = _polymod([*spread, *values, 0, 0, 0, 0, 0, 0]) ^ constant
    values += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return "bc1" + "".join(BECH32[value] for value in values)


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    return check
