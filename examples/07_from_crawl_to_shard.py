"""Walk four answers of a crawl from WARC to shard, in `valley/`: what became of each. Needs `llama-herd[data]`."""

from dataclasses import replace
from pathlib import Path

from herd.data import HeldOutStage, PackingConfig, ShardReader, SourceConfig, curate, why
from herd.recipes import find_curation

# fmt: off
STORY = (
    "The mill by the river was built by the father of the present owner, who came to the valley with two carts and a dog. "
    "Its wheel turned with a power of about <math><semantics><mi>P</mi><annotation encoding='application/x-tex'>P = \\rho g Q h"
    "</annotation></semantics></math>, which the owner wrote over the door in white letters, for he was a man of figures. "
    "Visitors who want to see it may write to the keeper at anna.keeper@valley-mill.org, and she will open the gate on any day "
    "but Monday, when the stones are dressed and nobody may stand near them."
)
PAGE = "<html><head><title>The mill | Valley news</title></head><body><nav>Home Shop</nav><article><p>{}</p></article></body></html>"
ANSWERS = (
    ("http://valley.org/mill", "2023-05-17", PAGE.format(STORY)),
    ("http://valley.org/mill?utm_source=mail", "2023-06-17", PAGE.format(STORY.replace("two carts", "three carts"))),
    ("http://mirror.net/a/mill", "2023-06-20", PAGE.format(STORY.replace("a dog", "a cat"))),
    ("http://valley.org/login", "2023-06-20", "<html><body><form>Log in to see this page</form></body></html>"),
)
# fmt: on
HERE = Path("valley")


def main() -> None:
    HERE.mkdir(exist_ok=True)
    (HERE / "crawl.warc").write_bytes(b"".join(record(*answer) for answer in ANSWERS))
    web = find_curation("web")
    stages = tuple(one for one in web.stages if not isinstance(one, HeldOutStage))  # one page stays
    source, packing = SourceConfig(location=str(HERE / "crawl.warc")), PackingConfig(vocab_size=520)
    curate(replace(web, sources=(source,), stages=stages, packing=packing), HERE / "corpus")
    for number in range(1, len(ANSWERS) + 1):
        fate = why(HERE / "corpus", f"crawl.warc#{number}")
        for stage, decision in fate.decisions:
            print(f"#{number} {stage}: {decision.action}, {decision.reason} ({decision.detail})")
        if fate.kept:
            print(f"#{number} kept: {fate.kept.text}")
    shard = ShardReader(HERE / "corpus/shards/train")
    print(f"shard: {shard.n_documents} document, {shard.n_tokens} tokens, which went through")
    print(", ".join(one["stage"] for one in shard.index.statistics["stages"]))


def record(url: str, date: str, html: str) -> bytes:
    """Return one answer as crawlers write it."""
    body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}".encode()
    head = f"WARC-Target-URI: {url}\r\nWARC-Date: {date}T10:00:00Z\r\nContent-Length: {len(body)}"
    kind = "Content-Type: application/http; msgtype=response"
    return (
        f"WARC/1.0\r\nWARC-Type: response\r\n{head}\r\n{kind}\r\n\r\n".encode() + body + b"\r\n\r\n"
    )


if __name__ == "__main__":
    main()
