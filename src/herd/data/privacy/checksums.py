"""Check digits of cards, accounts and national numbers, which tell them from other digits.

In: a number as written. Out: whether its check digits fit. Sources: ISO/IEC 7812 (Luhn), ISO 13616
(IBAN), BIP 13 (Bitcoin), and the issuing authorities' rules, named at each function.
"""

import hashlib

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_IBAN_COUNTRIES = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBAN_LENGTHS = {one[:2]: int(one[2:]) for one in _IBAN_COUNTRIES.split()}
DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
CODICE_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21]
        + [2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
        strict=True,
    )
)
VERHOEFF_TIMES = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
VERHOEFF_TURNED = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def digits_of(text: str) -> str:
    """Return the ASCII digits of a text."""
    return "".join(c for c in text if "0" <= c <= "9")


def is_card(text: str) -> bool:
    """Whether it is a payment card's number: a known issuer's beginning, its length, Luhn."""
    digits = digits_of(text)
    n = len(digits)
    issuers = (
        digits[0] == "4" and n in (13, 16, 19),
        n == 16 and (51 <= int(digits[:2]) <= 55 or 2221 <= int(digits[:4]) <= 2720),
        n == 15 and digits[:2] in ("34", "37"),
        n == 14 and digits[:2] in ("36", "38", "30"),
        n == 16 and (digits[:2] in ("65", "62", "60", "81") or 3528 <= int(digits[:4]) <= 3589),
    )
    return any(issuers) and len(set(digits)) > 1 and is_luhn(digits)


def is_luhn(digits: str) -> bool:
    """Luhn's check over all digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """Whether it is an account number: the country's length, and 97 divides it with a rest of 1."""
    plain = text.replace(" ", "").replace("-", "").upper()
    if IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def is_ssn(text: str) -> bool:
    """Whether the parts of a US social security number are ones that were given out."""
    digits = digits_of(text)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_dni(text: str) -> bool:
    """Spain's DNI or NIE: the letter is the number's rest by 23."""
    plain = text.upper().replace("-", "").replace(" ", "").replace(".", "")
    number = plain[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return number.isdigit() and DNI_LETTERS[int(number) % 23] == plain[-1]


def is_nir(text: str) -> bool:
    """France's number: 97 minus the rest of the first 13 digits by 97."""
    plain = text.upper().replace(" ", "")
    number = plain[:13].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and plain[13:].isdigit() and 97 - int(number) % 97 == int(plain[13:])


def is_codice_fiscale(text: str) -> bool:
    """Italy's code: odd places by table, even ones by value, the rest by 26 is the last letter."""
    plain = text.upper()
    total = sum(
        CODICE_ODD[c] if place % 2 == 0 else (int(c) if c.isdigit() else ord(c) - 65)
        for place, c in enumerate(plain[:15])
    )
    return chr(65 + total % 26) == plain[15]


def is_cpf(text: str) -> bool:
    """Brazil's CPF: two check digits modulo 11."""
    digits = [int(c) for c in digits_of(text)]
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for n in (9, 10):
        total = sum(digit * (n + 1 - place) for place, digit in enumerate(digits[:n]))
        if total * 10 % 11 % 10 != digits[n]:
            return False
    return True


def is_aadhaar(text: str) -> bool:
    """India's Aadhaar: Verhoeff's check, and it begins with 2 to 9."""
    digits = digits_of(text)
    if len(digits) != 12 or digits[0] in "01":
        return False
    check = 0
    for place, digit in enumerate(reversed(digits)):
        turned = int(VERHOEFF_TURNED[place % 8][int(digit)])
        check = int(VERHOEFF_TIMES[check][turned])
    return check == 0


def is_german_tax_id(text: str) -> bool:
    """Germany's Steuer-ID: ISO 7064 MOD 11,10, and one digit of the first ten two or three times."""
    digits = digits_of(text)
    if len(digits) != 11 or digits[0] == "0":
        return False
    counts = sorted(digits[:10].count(d) for d in set(digits[:10]))
    if counts[-1] not in (2, 3) or (len(counts) > 1 and counts[-2] > 1):
        return False
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def is_bitcoin_address(text: str) -> bool:
    """An address of 25 bytes in base 58: the last four are of the hash of the hash of the others."""
    number = 0
    for sign in text:
        number = number * 58 + BASE58.index(sign)
    if number >> 200:
        return False
    data = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]
