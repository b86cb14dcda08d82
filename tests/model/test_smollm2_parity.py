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
def continuations(ours, prompts):
    greedy = SamplingConfig(temperature=0.0)
    requests = [Request(prompt=tuple(p), max_new_tokens=N_NEW, sampling=greedy) for p in prompts]
    return [list(generate(ours, request).tokens) for request in requests]


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


def test_greedy_continuations_of_64_tokens_are_those_of_transformers(
    theirs, prompts, continuations
):
    """Given the same prefix, their likeliest token is ours at every place: so both go the same way."""
    for ids, continuation in zip(prompts, continuations, strict=True):
        assert len(continuation) == N_NEW
        with torch.no_grad():
            logits = theirs(torch.tensor([ids + continuation])).logits[0]
        assert logits[len(ids) - 1 : -1].argmax(dim=-1).tolist() == continuation


@pytest.mark.slow
def test_transformers_own_generation_gives_the_same_64_tokens(theirs, prompts, continuations):
    for ids, continuation in zip(prompts, continuations, strict=True):
        out = theirs.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
            max_new_tokens=N_NEW,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert out[0, len(ids) :].tolist() == continuation


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["f32", "f16"])
def test_llama_cpp_on_the_exported_file_gives_the_same_text(
    ours, tokenizer, prompts, continuations, tmp_path, kind
):
    path = tmp_path / "exported.gguf"
    save_gguf(ours, path, tokenizer=tokenizer, kind=kind)
    for continuation, text in zip(continuations, _llama_cpp(path, prompts), strict=True):
        stops = [i for i, token in enumerate(continuation) if token in tokenizer.stop_ids]
        expected = tokenizer.decode(continuation[: stops[0]] if stops else continuation)
        print(kind, repr(text), repr(expected))
        assert text == expected


def _llama_cpp(path, prompts):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 256, 1, 0
    params.warmup, params.verbosity = False, -1
    server = xllamacpp.Server(params)
    request = {"n_predict": N_NEW, "temperature": 0.0, "cache_prompt": False}
    answers = [server.handle_completions(request | {"prompt": ids}) for ids in prompts]
    return [answer["choices"][0]["text"] for answer in answers]
