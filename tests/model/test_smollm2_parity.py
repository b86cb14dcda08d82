"""Real weights: SmolLM2-135M-Instruct out of its GGUF file, against transformers and llama.cpp.

Skipped where `herd pull smollm2-135m` has not put the model into the cache.
"""

import pytest
import torch

from herd.foundation import cache_directory
from herd.inference import Request, SamplingConfig, generate
from herd.model import load_weights, save_gguf, save_hf
from herd.tokenizer import load

TOLERANCE = 1e-4  # of logits in float32; they reach about 30
N_NEW = 64
PROMPTS = (
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n    ",
    "Water boils at",
    "The three laws of robotics are",
    "A sheep walked into a bar and",
    "To make bread, you need",
    "In 1969, the first",
    "The derivative of x^2 is",
    "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
)
FILES = sorted((cache_directory() / "models" / "smollm2-135m").glob("*.gguf"))

pytestmark = pytest.mark.skipif(not FILES, reason="run `herd pull smollm2-135m` first")


@pytest.fixture(scope="module")
def tokenizer():
    return load(FILES[0])


@pytest.fixture(scope="module")
def ours():
    return load_weights(FILES[0]).eval()


@pytest.fixture(scope="module")
def theirs(ours, tokenizer, tmp_path_factory):
    from transformers import AutoModelForCausalLM

    directory = tmp_path_factory.mktemp("exported") / "model"
    save_hf(ours, directory, tokenizer=tokenizer)
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def prompts(tokenizer):
    return [tokenizer.encode(prompt, allowed_special="all") for prompt in PROMPTS]


@pytest.fixture(scope="module")
def continuation_of(ours):
    """Our own greedy continuation of a prompt, with the cache that `herd chat` uses."""
    known = {}

    def generated(ids):
        key = tuple(ids)
        if key not in known:
            greedy = SamplingConfig(temperature=0.0)
            request = Request(prompt=key, max_new_tokens=N_NEW, sampling=greedy)
            known[key] = list(generate(ours, request).tokens)
        return known[key]

    return generated


def test_the_exported_tokenizer_cuts_the_prompts_alike(theirs, tokenizer, prompts):
    from transformers import AutoTokenizer

    exported = AutoTokenizer.from_pretrained(theirs.config.name_or_path)
    for text, ids in zip(PROMPTS, prompts, strict=True):
        assert exported.encode(text, add_special_tokens=False) == ids


def test_logits_equal_those_of_transformers_on_the_exported_model(ours, theirs, prompts):
    for ids in prompts:
        tokens = torch.tensor([ids])
        with torch.no_grad():
            difference = (ours(tokens) - theirs(tokens).logits).abs().max().item()
        assert difference <= TOLERANCE


@pytest.mark.parametrize("n_prompts", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_greedy_continuations_of_64_tokens_are_those_of_transformers(
    theirs, prompts, continuation_of, n_prompts
):
    """Given the same prefix, their likeliest token is ours at every place: so both go one way."""
    for ids in prompts[:n_prompts]:
        continuation = continuation_of(ids)
        assert len(continuation) == N_NEW
        assert _likeliest_after(ids, continuation, lambda t: theirs(t).logits) == continuation


@pytest.mark.slow
def test_transformers_own_generation_gives_the_same_64_tokens(theirs, prompts, continuation_of):
    for ids in prompts:
        out = theirs.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
            max_new_tokens=N_NEW,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert out[0, len(ids) :].tolist() == continuation_of(ids)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["f32", "f16"])
def test_llama_cpp_on_the_exported_file_continues_as_we_do(
    ours, tokenizer, prompts, tmp_path, kind
):
    path = tmp_path / "exported.gguf"
    save_gguf(ours, path, tokenizer=tokenizer, kind=kind)
    as_stored = load_weights(path, dtype=torch.float32)
    for ids, (continuation, text) in zip(prompts, _llama_cpp(path, prompts), strict=True):
        assert tokenizer.decode(continuation, skip_special=True) == text
        assert _likeliest_after(ids, continuation, as_stored) == continuation


def _likeliest_after(ids, continuation, logits_of):
    """The likeliest token at each place of the continuation, given all that stands before it."""
    with torch.no_grad():
        logits = logits_of(torch.tensor([ids + continuation]))[0]
    return logits[len(ids) - 1 : -1].argmax(dim=-1).tolist()


def _llama_cpp(path, prompts):
    """llama.cpp's greedy continuations: ids up to a stop token, and text."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 256, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup, params.verbosity = False, -1
    server = xllamacpp.Server(params)
    request = {"n_predict": N_NEW, "temperature": 0.0, "n_probs": 1, "cache_prompt": False}
    for ids in prompts:
        choice = server.handle_completions(request | {"prompt": ids})["choices"][0]
        yield [step["id"] for step in choice["logprobs"]["content"]], choice["text"]
