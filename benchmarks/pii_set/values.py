"""Private data made up, each kind by the public rules of its formats and not by the finder's patterns.

In: a source of randomness. Out: one item; where a label belongs to it ("Aadhaar no. ..."), what is private
stands between OPEN and CLOSE. Never: a real person's data (all is drawn).
Sources: ISO/IEC 7812 and the networks' published ranges, the SWIFT registry of IBANs, the authorities' rules
of national numbers, the token formats that the services document, BIP 13, BIP 173, BIP 350.
"""

import base64
import json
import string
from collections.abc import Callable
from random import Random

from pii_set.check_digits import (
    bech32_address,
    codice_letter,
    cpf_digits,
    iban_check,
    legacy_address,
    luhn_digit,
    mod_11_10_digit,
    verhoeff_digit,
)

OPEN, CLOSE = "⟦", "⟧"
Make = Callable[[Random], str]
# Country and its account number: n digits, a capitals, c either.
IBAN_RULES = (
    "AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BR23n1a1c CH5n12c CR18n CY8n16c CZ20n DE18n "
    "DK14n DO4c20n EE16n EG25n ES20n FI14n FO14n FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n GR7n16c GT24c HR17n HU24n "
    "IE4a14n IL19n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LI5n12c LT16n LU3n13c LV4a13c MC10n11c2n MD20c "
    "ME18n MK3n10c2n MT4a5n18c MU4a19n3a NL4a10n NO11n PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n SA2n18c "
    "SE20n SI15n SK20n SM1a10n12c SV4a20n TN20n TR6n16c UA6n19c VG4a16n XK16n"
)
FIRST_NAMES = (
    "anna marek juan li sophie omar priya james giulia kenji fatima lars chloe ivan maria tom"
)
LAST_NAMES = "novak garcia wang dupont hassan patel smith rossi sato haddad nielsen martin petrov silva oneil"
HOST_NAMES = (
    "gmail.com yahoo.co.uk web.de orange.fr libero.it uol.com.br cs.stanford.edu mail.ru hotmail.com "
    "posteo.net kth.se iitb.ac.in u-tokyo.ac.jp atelier.photography acme-tools.io gov.bc.ca"
)
IBANS, FIRST = IBAN_RULES.split(), FIRST_NAMES.split()
LAST, HOSTS = LAST_NAMES.split(), HOST_NAMES.split()
WORD = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def digits(draw: Random, n: int) -> str:
    return "".join(draw.choice(string.digits) for _ in range(n))


def letters(draw: Random, n: int, alphabet: str = WORD) -> str:
    return "".join(draw.choice(alphabet) for _ in range(n))


def email(draw: Random) -> str:
    first, last = draw.choice(FIRST), draw.choice(LAST)
    number = str(draw.randint(1, 99))
    local = draw.choice(
        [f"{first}.{last}", f"{first[0]}{last}{number}", f"{first}_{last}", f"{first}+news{number}", last,
         f"{first.title()}.{last.title()}", f"{first}-{last}", f"{first[0]}.{last}.{number}"]
    )  # fmt: skip
    host = draw.choice(HOSTS)
    dotted = host.replace(".", " dot ")
    bracketed = host.replace(".", draw.choice(["[dot]", " [dot] "]))
    round_ones = host.replace(".", draw.choice(["(dot)", " (dot) "]))
    plain = f"{local}@{host}"
    return draw.choice(
        [plain, plain, plain, plain.upper(), f"<{OPEN}{plain}{CLOSE}>", f"mailto:{OPEN}{plain}{CLOSE}",
         f"{local} at {dotted}", f"{local} [at] {bracketed}", f"{local}[at]{bracketed}", f"{local} (at) {round_ones}",
         f"{local} AT {dotted.replace(' dot ', ' DOT ')}", f"{local} [at] {host}", f"{local}(at){host}",
         f"{local}{{at}}{host.replace('.', '{dot}')}"]
    )  # fmt: skip


def card(draw: Random) -> str:
    begin, n = draw.choice(
        [("4", 16), ("4", 16), (str(draw.randint(51, 55)), 16), (str(draw.randint(2221, 2720)), 16),
         (draw.choice(["34", "37"]), 15), ("36", 14), ("6011", 16), ("65", 16),
         (str(draw.randint(3528, 3589)), 16), ("62", 16)]
    )  # fmt: skip
    number = begin + digits(draw, n - len(begin) - 1)
    number += luhn_digit(number)
    sizes = {16: (4, 4, 4, 4), 15: (4, 6, 5), 14: (4, 6, 4)}[n]
    return draw.choice(["", " ", "-", " "]).join(_cut(number, sizes))


def iban(draw: Random) -> str:
    row = draw.choice(IBANS)
    country, rules, account = row[:2], row[2:], ""
    alphabets = {
        "n": string.digits,
        "a": string.ascii_uppercase,
        "c": string.ascii_uppercase + string.digits,
    }
    count = ""
    for sign in rules:
        if sign.isdigit():
            count += sign
        else:
            account += letters(draw, int(count), alphabets[sign])
            count = ""
    number = f"{country}{iban_check(country, account)}{account}"
    grouped = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    return draw.choice([number, grouped, grouped])


def phone(draw: Random) -> str:
    d = "".join(
        draw.choice("2346789") for _ in range(12)
    )  # no digit that a rule of some country forbids
    mobile = f"{draw.choice('67')} {d[:2]} {d[2:4]} {d[4:6]} {d[6:8]}"
    return draw.choice(
        [f"({d[:3]}) {d[3:6]}-{d[6:10]}", f"{d[:3]}-{d[3:6]}-{d[6:10]}", f"{d[:3]}.{d[3:6]}.{d[6:10]}",
         f"+1 {d[:3]} {d[3:6]} {d[6:10]}", f"1-800-{d[:3]}-{d[3:7]}", f"+1 ({d[:3]}) {d[3:6]}-{d[6:10]}",
         f"+44 20 7{d[:3]} {d[3:7]}", f"020 7{d[:3]} {d[3:7]}", f"07{d[:3]} {d[3:9]}", f"+44 (0)7{d[:3]} {d[3:9]}",
         f"+49 30 {d[:7]}", f"030 {d[:7]}", f"0170/{d[:7]}", f"+49 (0)89 {d[:3]} {d[3:7]}", f"0049 89 {d[:7]}",
         f"0{mobile}", f"+33 {mobile}", f"0{mobile}".replace(" ", "."), f"+34 6{d[:2]} {d[2:4]} {d[4:6]} {d[6:8]}",
         f"+39 3{d[:2]} {d[2:5]} {d[5:9]}", f"(11) 9{d[:4]}-{d[4:8]}", f"+55 11 9{d[:4]}-{d[4:8]}",
         f"+91 9{d[:4]} {d[4:9]}", f"+66 8{d[0]} {d[1:4]} {d[4:8]}", f"08{d[0]}-{d[1:4]}-{d[4:8]}",
         f"+49{d[:10]}", f"+1{d[:10]}", f"+81 90-{d[:4]}-{d[4:8]}", f"+86 13{d[0]} {d[1:5]} {d[5:9]}",
         f"+61 4{d[:2]} {d[2:5]} {d[5:8]}", f"+7 (9{d[:2]}) {d[2:5]}-{d[5:7]}-{d[7:9]}"]
    )  # fmt: skip


def ssn(draw: Random) -> str:
    area = draw.choice([one for one in range(1, 900) if one != 666])
    parts = (f"{area:03d}", f"{draw.randint(1, 99):02d}", f"{draw.randint(1, 9999):04d}")
    dashed, spaced = "-".join(parts), " ".join(parts)
    return draw.choice(
        [dashed, dashed, f"SSN: {OPEN}{spaced}{CLOSE}", f"SSN {OPEN}{''.join(parts)}{CLOSE}",
         f"social security number is {OPEN}{spaced}{CLOSE}", f"Social Security No. {OPEN}{dashed}{CLOSE}"]
    )  # fmt: skip


def national_id(draw: Random) -> str:
    return draw.choice([_dni, _nie, _nir, _codice_fiscale, _cpf, _aadhaar, _tax_id, _nino])(draw)


def ipv4(draw: Random) -> str:
    first = draw.choice(
        [n for n in range(1, 224) if n not in (10, 100, 127, 169, 172, 192, 198, 203)]
    )
    return f"{first}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.{draw.randint(1, 254)}"


def ipv6(draw: Random) -> str:
    prefix = draw.choice(
        ["2a00:1450", "2a02:908", "2001:41d0", "2600:1f18", "2405:200", "2804:14c"]
    )
    groups = [f"{draw.randint(4096, 0xFFFF):x}" for _ in range(6)]
    full = ":".join([prefix, *groups])
    return draw.choice([full, full.upper(), f"{prefix}:{groups[0]}::{groups[1]}", f"{prefix}::{groups[0]}:{groups[1]}",
                        f"fe80::{':'.join(groups[:4])}", f"{prefix}:{groups[0]}:{groups[1]}::1"])  # fmt: skip


def mac(draw: Random) -> str:
    pairs = [letters(draw, 2, HEX) for _ in range(6)]
    cisco = ".".join(a + b for a, b in zip(pairs[::2], pairs[1::2], strict=True))
    return draw.choice(
        [":".join(pairs), ":".join(pairs).upper(), "-".join(pairs), "-".join(pairs).upper(), cisco]
    )


def secret(draw: Random) -> str:
    upper = string.ascii_uppercase + "234567"
    return draw.choice(
        [f"AKIA{letters(draw, 16, upper)}", f"ASIA{letters(draw, 16, upper)}", f"ghp_{letters(draw, 36)}",
         f"gho_{letters(draw, 36)}", f"github_pat_{letters(draw, 22)}_{letters(draw, 59)}", f"glpat-{letters(draw, 20)}",
         f"xoxb-{digits(draw, 12)}-{digits(draw, 12)}-{letters(draw, 24)}", f"xoxp-{digits(draw, 11)}-{letters(draw, 32)}",
         f"AIza{letters(draw, 35)}", f"sk-{letters(draw, 48)}", f"sk-proj-{letters(draw, 60)}",
         f"sk-ant-api03-{letters(draw, 90)}", f"sk_live_{letters(draw, 24)}", f"rk_live_{letters(draw, 24)}",
         f"hf_{letters(draw, 34, string.ascii_letters)}", _jwt(draw), _jwt(draw), _pem(draw), _pem(draw)]
    )  # fmt: skip


def credentials(draw: Random) -> str:
    word = _password(draw)
    marked, key = f"{OPEN}{word}{CLOSE}", f"{OPEN}{letters(draw, 32)}{CLOSE}"
    user, host = draw.choice(FIRST), draw.choice(HOSTS)
    pair = f"{OPEN}{user}:{word}{CLOSE}"
    return draw.choice(
        [f"https://{pair}@{host}/login", f"postgres://{pair}@db.{host}:5432/app", f"ftp://{pair}@{host}",
         f"redis://{OPEN}:{word}{CLOSE}@{host}:6379", f"mongodb+srv://{pair}@{host}/x", f"password: {marked}",
         f"Password = {marked}", f"DB_PASSWORD={marked}", f'"password": "{marked}"', f"passwd={marked}",
         f"the password is {marked}", f"Passwort: {marked}", f"das Passwort ist {marked}", f"contraseña: {marked}",
         f"la contraseña es {marked}", f"mot de passe : {marked}", f"senha: {marked}", f"API_KEY={key}",
         f'api_key = "{key}"', f"client_secret: {key}", f"aws_secret_access_key = {key}", f"ACCESS_TOKEN={key}",
         f'"apiKey": "{key}"']
    )  # fmt: skip


def wallet(draw: Random) -> str:
    return draw.choice(
        [lambda: legacy_address(0, draw.randbytes(20)), lambda: legacy_address(5, draw.randbytes(20)),
         lambda: bech32_address(0, draw.randbytes(20)), lambda: bech32_address(0, draw.randbytes(32)),
         lambda: bech32_address(1, draw.randbytes(32)), lambda: f"0x{letters(draw, 40, HEX)}",
         lambda: f"0x{letters(draw, 40, HEX + 'ABCDEF')}"]
    )()  # fmt: skip


def _dni(draw: Random) -> str:
    number = digits(draw, 8)
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]
    dotted = f"{number[:2]}.{number[2:5]}.{number[5:]}-{letter}"
    return draw.choice([number + letter, f"{number}-{letter}", dotted])


def _nie(draw: Random) -> str:
    place, number = draw.randint(0, 2), digits(draw, 7)
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int(f"{place}{number}") % 23]
    return draw.choice(["", "-"]).join(["XYZ"[place], number, letter])


def _nir(draw: Random) -> str:
    parts = (draw.choice("12"), digits(draw, 2), f"{draw.randint(1, 12):02d}", f"{draw.randint(1, 95):02d}",
             f"{draw.randint(1, 990):03d}", f"{draw.randint(1, 999):03d}")  # fmt: skip
    key = 97 - int("".join(parts)) % 97
    return draw.choice(["", " "]).join([*parts, f"{key:02d}"])


def _codice_fiscale(draw: Random) -> str:
    consonants = "BCDFGLMNPRSTVZ"
    day = draw.randint(1, 31) + draw.choice([0, 40])
    plain = (f"{letters(draw, 6, consonants)}{digits(draw, 2)}{draw.choice('ABCDEHLMPRST')}{day:02d}"
             f"{draw.choice('ABCDEFGHILZ')}{digits(draw, 3)}")  # fmt: skip
    return plain + codice_letter(plain)


def _cpf(draw: Random) -> str:
    number = cpf_digits(digits(draw, 8) + str(draw.randint(0, 9)))
    dotted = f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"
    return draw.choice(
        [dotted, dotted, f"CPF: {OPEN}{number}{CLOSE}", f"CPF nº {OPEN}{dotted}{CLOSE}"]
    )


def _aadhaar(draw: Random) -> str:
    number = draw.choice("23456789") + digits(draw, 10)
    number += verhoeff_digit(number)
    spaced = " ".join(_cut(number, (4, 4, 4)))
    written = draw.choice([spaced, spaced, number])
    return f"{draw.choice(['Aadhaar', 'Aadhaar No.', 'Aadhaar number:', 'AADHAAR'])} {OPEN}{written}{CLOSE}"


def _tax_id(draw: Random) -> str:
    twice, *others = draw.sample(string.digits, 9)
    number = "0"
    while number[0] == "0":
        number = "".join(draw.sample([twice, twice, *others], 10))
    number += mod_11_10_digit(number)
    written = draw.choice([number, " ".join(_cut(number, (2, 3, 3, 3)))])
    return f"{draw.choice(['Steuer-ID', 'Steueridentifikationsnummer:', 'IdNr.', 'Steuer-IdNr.:'])} {OPEN}{written}{CLOSE}"


def _nino(draw: Random) -> str:
    begin = draw.choice(["AB", "CE", "JK", "PW", "SX", "TL", "YZ", "NX"])
    parts = [begin, digits(draw, 2), digits(draw, 2), digits(draw, 2), draw.choice("ABCD")]
    return draw.choice(["", " "]).join(parts)


def _password(draw: Random) -> str:
    """A word as people choose it, never without a digit."""
    signs = draw.choice(["", "", "!", "#", "$", "_", "*"])
    return draw.choice(
        [f"{draw.choice(LAST).title()}{draw.randint(10, 9999)}{signs}", letters(draw, 9) + str(draw.randint(0, 9)),
         f"{draw.choice(FIRST)}{signs or '-'}{draw.choice(LAST)}{draw.randint(1, 99)}",
         draw.choice(LAST).replace("o", "0").replace("i", "1").replace("a", "4") + f"!{draw.randint(1, 9)}"]
    )  # fmt: skip


def _jwt(draw: Random) -> str:
    header: dict[str, str] = {"alg": draw.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    if draw.random() < 0.5:
        header["kid"] = letters(draw, 40)
    claims = {
        "sub": digits(draw, 10),
        "name": draw.choice(FIRST),
        "iat": draw.randint(10**9, 2 * 10**9),
    }
    parts = [
        json.dumps(header).encode(),
        json.dumps(claims).encode(),
        draw.randbytes(draw.choice([32, 256])),
    ]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _pem(draw: Random) -> str:
    name = draw.choice(["RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED ", "DSA "])
    body = base64.b64encode(draw.randbytes(draw.choice([118, 600, 1190, 2350]))).decode()
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return f"-----BEGIN {name}PRIVATE KEY-----\n{lines}\n-----END {name}PRIVATE KEY-----"


def _cut(number: str, sizes: tuple[int, ...]) -> list[str]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(number[at : at + size])
        at += size
    return pieces


VALUES: dict[str, Make] = {
    "email": email, "phone": phone, "card": card, "iban": iban, "ssn": ssn, "national_id": national_id,
    "ipv4": ipv4, "ipv6": ipv6, "mac": mac, "secret": secret, "credentials": credentials, "wallet": wallet,
}  # fmt: skip
