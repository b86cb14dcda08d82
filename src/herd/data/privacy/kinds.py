"""The kinds of private data that are looked for, each by a pattern, a hint and a check.

A pattern is tried only where its hint occurs in the text, which in most text it does not. Patterns have
bounded repetitions, so that their time is linear in any text.
In: nothing. Out: the table of kinds, those that are surest first.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from herd.data.privacy import checksums

Check = Callable[[str, str], bool]  # what was matched, and what stands before it


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a kind of private data is written.

    It is looked for from BEFORE_CHARS before one of its `hints` to `reach_chars` after it; DIGIT as
    hints means: near numbers.
    """

    name: str
    pattern: re.Pattern[str]
    hints: tuple[str, ...] = ()
    check: Check | None = None
    group: int = 0  # the part that is private
    reach_chars: int = 300


EXAMPLES = ("example.com", "example.org", "example.net", "example", "test", "localhost", "invalid")
PHONE_WORDS = re.compile(
    r"(?i)\b(tel|telephone|phone|fon|telefon|tél|téléphone|teléfono|telefono|telefone|mobile?|mobil|cell|"
    r"celular|móvil|cellulare|portable|call|ring|fax|whatsapp|sms|text me|contact|appelez|rufen|anruf|"
    r"llame|chiamare|ligue|handy|numéro|nummer|number|โทร|फ़ोन|फोन)\W{0,20}(\w{1,12}\W{1,3}){0,3}$"
)
NOT_PHONE_WORDS = re.compile(
    r"(?i)(isbn|issn|order|invoice|ref(erence)?|id|no\.|part|item|version|build|ticket|case|doi|pmid|sku|"
    r"batch|serial|tracking|bestellung|artikel|commande|facture|pedido|ordine|rechnung)\W{0,6}$"
)
BEFORE_CHARS = 60


def _is_email(text: str, before: str) -> bool:
    domain = text.rpartition("@")[2].lower()
    return not any(domain == one or domain.endswith(f".{one}") for one in EXAMPLES)


def _is_public_address(text: str, before: str) -> bool:
    """An address of somebody's: not this machine's, not a documentation's, not a version number."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if re.search(r"(?i)(version|ver\.?|release|v|section|§|build)\s*$", before):
        return False
    documentation = (
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32",
    )  # fmt: skip
    in_docs = any(address in ipaddress.ip_network(net) for net in documentation)
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or in_docs)


def _is_phone(text: str, before: str) -> bool:
    digits = checksums.digits_of(text)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3 or NOT_PHONE_WORDS.search(before):
        return False
    if before.endswith((".", ",", "/", "-", "_", "#", "$", "€", "£", ":", "=")) and not (
        before.endswith(":") and PHONE_WORDS.search(before)
    ):
        return False
    if text.startswith("+"):
        return len(digits) >= 9
    if text.startswith("00"):
        return len(digits) >= 11 and digits[2] != "0"
    if PHONE_WORDS.search(before):
        return True
    return bool(NORTH_AMERICA.fullmatch(text) or NATIONAL.fullmatch(text))


def _checked(check: Callable[[str], bool]) -> Check:
    return lambda text, before: check(text)


def _after(words: str, check: Callable[[str], bool] | None = None) -> Check:
    """A check that also wants one of some words shortly before."""
    pattern = re.compile(rf"(?i)({words})[^\n]{{0,40}}$")
    return lambda text, before: bool(pattern.search(before)) and (check is None or check(text))


NORTH_AMERICA = re.compile(r"(1[-. ])?(\([2-9]\d{2}\) ?|[2-9]\d{2}[-. ])[2-9]\d{2}[-. ]\d{4}")
NATIONAL = re.compile(
    r"\(?0\d{2,4}\)?[ ]\d{3,4}[ ]?\d{3,4}|0\d([ .]\d{2}){4}|0\d{2,4}[/-]\d{5,8}|\(0\d{1,4}\) ?\d{4}[ -]?\d{4}"
)
DIGIT = tuple("0123456789")
KINDS: tuple[Kind, ...] = (
    Kind(
        "secret",
        re.compile(
            r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----[A-Za-z0-9+/=\s:,-]{16,8000}?-----END (?:[A-Z]+ ){0,3}PRIVATE KEY-----"
        ),
        ("PRIVATE KEY-----",),
        reach_chars=8200,
    ),
    Kind("secret", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), ("AKIA", "ASIA")),
    Kind(
        "secret",
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,80}|github_pat_[A-Za-z0-9_]{60,90})"),
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    Kind("secret", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,60}"), ("glpat-",)),
    Kind("secret", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,100}"), ("xox",)),
    Kind("secret", re.compile(r"\bAIza[A-Za-z0-9_-]{35}"), ("AIza",)),
    Kind("secret", re.compile(r"\bsk-[A-Za-z0-9_-]{20,200}"), ("sk-",)),
    Kind("secret", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,100}"), ("k_live_", "k_test_")),
    Kind("secret", re.compile(r"\bhf_[A-Za-z]{30,40}\b"), ("hf_",)),
    Kind(
        "secret",
        re.compile(r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}"),
        (".eyJ",),
    ),
    Kind(
        "credentials",
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://([^\s/:@\"'<>]{1,100}:[^\s/@\"'<>]{1,100})@"),
        ("://",),
        group=1,
    ),
    Kind(
        "credentials",
        re.compile(
            r"(?i)\b(?:password|passwd|pwd|passwort|contraseña|senha|mot de passe|api[_-]?key|secret[_-]?key|"
            r"access[_-]?token|auth[_-]?token|client[_-]?secret)[\"']?\s{0,3}(?:[:=]|is|ist|es)\s{0,3}"
            r"[\"']?([^\s\"'<>,;()]{6,100})"
        ),
        (
            *("assword", "asswd", "ASSW", "pwd", "PWD", "asswort", "ontrase", "senha", "ot de passe"),
            *("pi_key", "pi-key", "pikey", "PI_KEY", "PIKey", "piKey", "ret_key", "ret-key", "RET_KEY"),
            *("ess_token", "ess-token", "essToken", "SS_TOKEN", "th_token", "TH_TOKEN", "thToken"),
            *("nt_secret", "NT_SECRET", "ntSecret"),
        ),
        lambda text, before: any(c.isdigit() for c in text) and "(" not in text,
        group=1,
    ),
    Kind(
        "email",
        re.compile(r"(?<![\w.+-])[\w.+%-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}\b"),
        ("@",),
        _is_email,
    ),
    Kind(
        "email",
        re.compile(
            r"(?i)\b[\w.+-]{1,64}\s?(?:\[at\]|\(at\)|\{at\}| at )\s?[a-z0-9-]{1,63}\s?"
            r"(?:\[dot\]|\(dot\)|\{dot\}| dot )\s?[a-z]{2,24}\b"
        ),
        ("[at]", "(at)", "{at}", " dot "),
    ),
    Kind(
        "iban",
        re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?(?![A-Za-z0-9])"),
        DIGIT,
        _checked(checksums.is_iban),
    ),
    Kind(
        "card",
        re.compile(r"(?<![\d.,-])(?:\d[ -]?){12,18}\d(?![\d-]|[.,]\d)"),
        DIGIT,
        _checked(checksums.is_card),
    ),
    Kind("ipv6", re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"), DIGIT,
         lambda text, before: len(text) > 6 and _is_public_address(text, before)),
    Kind(
        "mac",
        re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])"),
        DIGIT,
    ),
    Kind(
        "ipv4",
        re.compile(r"(?<![\w.-])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w-]|\.\d)"),
        DIGIT,
        _is_public_address,
    ),
    Kind("ssn", re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"), DIGIT, _checked(checksums.is_ssn)),
    Kind(
        "ssn",
        re.compile(r"(?<![\d-])\d{3}[ ]?\d{2}[ ]?\d{4}(?![\d-])"),
        ("SSN", "ssn", "ocial"),
        _after(r"\bssn\b|social security", checksums.is_ssn),
    ),
    Kind("national_id", re.compile(r"\b(?:\d{8}|[XYZ]\d{7})[- ]?[A-HJ-NP-TV-Z]\b"), DIGIT, _checked(checksums.is_dni)),
    Kind("national_id", re.compile(r"(?<!\d)[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\d)"), DIGIT, _checked(checksums.is_nir)),
    Kind(
        "national_id",
        re.compile(r"\b[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b"),
        DIGIT,
        _checked(checksums.is_codice_fiscale),
    ),
    Kind("national_id", re.compile(r"(?<![\d.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)"), DIGIT, _checked(checksums.is_cpf)),
    Kind("national_id", re.compile(r"(?<!\d)\d{11}(?!\d)"), ("CPF", "cpf"), _after(r"\bcpf\b", checksums.is_cpf)),
    Kind(
        "national_id",
        re.compile(r"(?<![\d-])[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}(?![\d-])"),
        ("adhaar", "ADHAAR", "UID", "आधार"),
        _after(r"aadhaar|\buid|आधार", checksums.is_aadhaar),
    ),
    Kind(
        "national_id",
        re.compile(r"(?<!\d)\d{2} ?\d{3} ?\d{3} ?\d{3}(?!\d)"),
        ("teuer", "IdNr", "TIN"),
        _after(r"steuer|idnr|\btin\b", checksums.is_german_tax_id),
    ),
    Kind(
        "national_id",
        re.compile(r"\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),
        DIGIT,
    ),
    Kind("wallet", re.compile(r"\b(?:bc1[ac-hj-np-z02-9]{25,71}|0x[a-fA-F0-9]{40})\b"), ("bc1", "0x")),
    Kind(
        "wallet",
        re.compile(r"\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b"),
        DIGIT,
        lambda text, before: (
            any(c.isupper() for c in text) and any(c.islower() for c in text) and any(c.isdigit() for c in text[1:])
        ),
    ),
    Kind("phone", re.compile(r"(?<![\w.+])(?:\+|00)?\(?\d(?:[ ./()-]{0,2}\d){6,14}(?![\w]|[.,/-]\d)"), DIGIT, _is_phone),
)  # fmt: skip
