"""What looks like private data and is none: numbers of books, orders, versions, times; hashes; code.

In: a source of randomness. Out: a sentence without private data. The first half of LOOKALIKES is for mending the
finder, the second is set aside.
"""

import uuid
from collections.abc import Callable
from random import Random

from pii_set.check_digits import legacy_address, luhn_digit
from pii_set.values import HEX, digits, iban, letters

Make = Callable[[Random], str]


def _wrong_card(draw: Random) -> str:
    number = "4" + digits(draw, 14)
    number += str((int(luhn_digit(number)) + draw.randint(1, 9)) % 10)
    return " ".join(number[i : i + 4] for i in range(0, 16, 4))


def _wrong_iban(draw: Random) -> str:
    right = iban(draw)
    return f"{right[:2]}{(int(right[2:4]) - 2 + draw.randint(1, 90)) % 97 + 2:02d}{right[4:]}"


def _wrong_address(draw: Random) -> str:
    right = legacy_address(0, draw.randbytes(20))
    return right[:-2] + ("ab" if right[-2:] != "ab" else "cd")


def _isbn(draw: Random) -> str:
    number = "978" + digits(draw, 9)
    check = str(-sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(number)) % 10)
    return draw.choice([number + check, f"978-{number[3]}-{number[4:7]}-{number[7:12]}-{check}"])


def _day(draw: Random) -> tuple[int, int, int]:
    return draw.randint(1900, 2030), draw.randint(1, 12), draw.randint(1, 28)


def _date(draw: Random) -> str:
    y, m, d = _day(draw)
    return draw.choice(
        [
            f"{y}-{m:02d}-{d:02d}",
            f"{d:02d}.{m:02d}.{y}",
            f"{m}/{d}/{y}",
            f"{d:02d}-{m:02d}-{y}",
            f"{y}/{m:02d}/{d:02d}",
        ]
    )


def _time(draw: Random) -> str:
    return f"{draw.randint(0, 23):02d}:{draw.randint(0, 59):02d}:{draw.randint(0, 59):02d}"


def _version(draw: Random) -> str:
    return ".".join(str(draw.randint(0, 30)) for _ in range(draw.choice([3, 4])))


def _table(draw: Random) -> str:
    rows = [
        " ".join(f"{draw.uniform(0, 99):.{draw.choice([2, 3])}f}" for _ in range(6))
        for _ in range(3)
    ]
    return "\n".join(rows)


def _years(draw: Random) -> str:
    y = draw.randint(1500, 1990)
    return draw.choice(
        [f"{y}-{y + 5}", f"{y}–{y + 30}", f"{y}, {y + 3} and {y + 8}", f"{y} {y + 1} {y + 2}"]
    )


N = Random.randint
# Those at even places are for mending, those at odd ones are set aside; related ones stand in pairs.
LOOKALIKES: tuple[Make, ...] = (
    lambda d: f"The book has ISBN {_isbn(d)}.",
    lambda d: f"Sein Katalog führt es als ISBN: {_isbn(d)}, gebunden.",
    lambda d: f"Your order no. {digits(d, 10)} has been shipped.",
    lambda d: f"Bestellung {digits(d, 3)}-{digits(d, 7)}-{digits(d, 7)} ist da.",
    lambda d: f"We run version {_version(d)} of the server.",
    lambda d: f"Upgraded from v{_version(d)} to v{_version(d)} overnight.",
    lambda d: f"It happened on {_date(d)} at {_time(d)}.",
    lambda d: f"[{_date(d)} {_time(d)},{digits(d, 3)}] INFO worker {N(d, 1, 99)} started",
    lambda d: f"He reigned {_years(d)} in the north.",
    lambda d: f"The editions of {_years(d)} differ little.",
    lambda d: f"It costs ${N(d, 1, 999):,},{digits(d, 3)}.{digits(d, 2)} in all.",
    lambda d: f"Der Umsatz stieg auf {N(d, 1, 9)}.{digits(d, 3)}.{digits(d, 3)},{digits(d, 2)} €.",
    lambda d: f"The summit lies at {d.uniform(-90, 90):.6f}, {d.uniform(-180, 180):.6f}.",
    lambda d: f"Position {N(d, 0, 89)}°{N(d, 10, 59)}'{N(d, 10, 59)}\"N {N(d, 0, 179)}°{N(d, 10, 59)}'{N(d, 10, 59)}\"E was logged.",
    lambda d: f"The test number {_wrong_card(d)} was refused.",
    lambda d: f"A line of figures, {_wrong_card(d)}, means nothing.",
    lambda d: f"The account {_wrong_iban(d)} does not exist.",
    lambda d: f"Die Angabe {_wrong_iban(d)} ist falsch.",
    lambda d: f"In the manual the host is {d.choice(['192.0.2', '198.51.100', '203.0.113'])}.{N(d, 1, 254)}.",
    lambda d: f"Open http://127.0.0.1:{digits(d, 4)}/ or 0.0.0.0 in a browser; the docs say 192.0.2.{N(d, 1, 254)}.",
    lambda d: f"Write to user{N(d, 1, 99)}@example.com for a demonstration.",
    lambda d: f"The form shows name@{d.choice(['example.org', 'mail.example.net', 'host.test'])} in grey.",
    lambda d: f"It is commit {letters(d, 40, HEX)} of the project.",
    lambda d: f"sha256 {letters(d, 64, HEX)}, md5 {letters(d, 32, HEX)}",
    lambda d: f"The object {uuid.UUID(int=d.getrandbits(128))} was deleted.",
    lambda d: f"request_id={uuid.UUID(int=d.getrandbits(128)).hex} status={N(d, 200, 599)}",
    lambda d: f"See pp. {N(d, 100, 400)}-{N(d, 401, 900)} and {N(d, 100, 999)}-{N(d, 100, 999)}.",
    lambda d: f"J. Hist. {N(d, 10, 99)} ({N(d, 1900, 2020)}), {N(d, 1000, 4000)}-{N(d, 4001, 9000)}.",
    lambda d: f"Compare Genesis {N(d, 1, 50)}:{N(d, 1, 30)}-{N(d, 31, 40)} and chapter {N(d, 1, 99)}, verse {N(d, 100, 150)}.",
    lambda d: f"Ps. {N(d, 1, 150)}:{N(d, 1, 20)}, {N(d, 1, 150)}:{N(d, 1, 20)}; Book {N(d, 10, 24)}, lines {N(d, 100, 300)}–{N(d, 301, 800)}.",
    lambda d: f"We have {digits(d, 7)} + {digits(d, 7)} = {digits(d, 8)}.",
    lambda d: f"Let x = {N(d, 2, 9)}^{N(d, 10, 31)} - {digits(d, 6)}*{digits(d, 5)} / {digits(d, 4)}.",
    lambda d: f"Part number {digits(d, 3)}-{digits(d, 4)}-{digits(d, 2)} is out of stock.",
    lambda d: f"Serial {digits(d, 12)}, batch {digits(d, 4)}-{digits(d, 6)}.",
    lambda d: f"doi:10.{N(d, 1000, 9999)}/s{digits(d, 5)}-0{digits(d, 2)}-{digits(d, 4)}-{N(d, 0, 9)}",
    lambda d: f"See https://doi.org/10.{N(d, 1000, 9999)}/{digits(d, 7)}.{digits(d, 7)} for it.",
    lambda d: f"She won {N(d, 15, 21)}-{N(d, 10, 21)}, {N(d, 15, 21)}-{N(d, 10, 21)}, {N(d, 15, 21)}-{N(d, 10, 21)}.",
    lambda d: f"The final scores were {N(d, 60, 120)}:{N(d, 60, 120)} and {N(d, 60, 120)}:{N(d, 60, 120)}.",
    lambda d: f"@app.route('/v{N(d, 1, 9)}')\ndef page_{digits(d, 3)}(): return {digits(d, 5)}",
    lambda d: f"class A:\n    @functools.lru_cache(maxsize={digits(d, 4)})\n    def f(self): ...  # thanks @dev_{digits(d, 3)}",
    _table,
    lambda d: _table(d).replace(" ", "\t"),
    lambda d: f"The population grew to {N(d, 1, 99)} {digits(d, 3)} {digits(d, 3)}.",
    lambda d: f"There were {N(d, 1, 9)},{digits(d, 3)},{digits(d, 3)} of {N(d, 10, 99)},{digits(d, 3)},{digits(d, 3)}.",
    lambda d: f"Mozilla/5.0 Chrome/{N(d, 80, 130)}.0.0.0 Safari/537.{N(d, 10, 99)}",
    lambda d: f"Chrome {N(d, 80, 130)}.0.{N(d, 3000, 7000)}.{N(d, 10, 200)} on build {_version(d)}",
    lambda d: f"The address {_wrong_address(d)} has a wrong checksum.",
    lambda d: f"Tracking 1Z{digits(d, 3)}AA{digits(d, 10)} says delivered.",
    lambda d: f"std::array<int, {N(d, 10, 99)}> a; ns::deep::type b = 0x{letters(d, 8, HEX)};",
    lambda d: f"color: #{letters(d, 6, HEX)}; margin: {N(d, 10, 99)}px {N(d, 10, 99)}px; ratio {N(d, 1, 30)}:{N(d, 1, 30)}:{N(d, 1, 30)}",
    lambda d: "Enter your password: it must have 8 characters, and the password is required.",
    lambda d: f"password = getpass() # line {digits(d, 3)}; api_key = os.environ['KEY']",
    lambda d: f"timestamp {N(d, 10**9, 2 * 10**9)} and {N(d, 10**12, 2 * 10**12)} ms",
    lambda d: f"The id is {N(d, 10**9, 10**10 - 1)}; the other {N(d, 10**17, 10**18)}.",
)  # fmt: skip
