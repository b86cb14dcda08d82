"""What we export continues a prompt in transformers and in llama.cpp as it does here."""

import pytest
import torch

from herd.model import RopeScaling
from herd.model.formats import load_weights, save_gguf, save_hf

N_NEW = 24
PROMPTS = ("The sheep of", "A shepherd counts", "Ein Schaf", "17, 18")
SHAPES = {
    "plain": {},
    "grouped, scaled rotary, tied": {
        "n_kv_heads": 2,
        "rope_scaling": RopeScaling(factor=8.0, original_context=32),
        "tie_embeddings": True,
        "max_context": 128,
    },
    "wide heads": {"head_dim": 32, "n_kv_heads": 1},
}


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def trained(request, train_on_text, byte_level):
    return train_on_text(byte_level, **request.param)


def _greedy(model, ids, n_new=N_NEW):
    """Our continuation without a cache, and the smallest lead of a choice over the next best."""
    ids, leads = list(ids), []
    with torch.no_grad():
        for _ in range(n_new):
            best = model(torch.tensor([ids]))[0, -1].topk(2)
            leads.append((best.values[0] - best.values[1]).item())
            ids.append(best.indices[0].item())
    return ids[-n_new:], min(leads)


def _llama_cpp(path, prompts, n_new=N_NEW):
    """llama.cpp's greedy continuations, by ids."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 128, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup, params.verbosity = False, -1
    params.use_jinja = False
    server = xllamacpp.Server(params)
    request = {"n_predict": n_new, "temperature": 0.0, "n_probs": 1, "cache_prompt": False}
    answers = [server.handle_completions(request | {"prompt": ids}) for ids in prompts]
    steps = [answer["choices"][0]["logprobs"]["content"] for answer in answers]
    return [[step["id"] for step in content] for content in steps]


def _until_stop(ids, stop_ids):
    """llama.cpp ends at a stop token, and reports it or not; compare what comes before."""
    stops = [index for index, token in enumerate(ids) if token in stop_ids]
    return ids[: stops[0]] if stops else ids


def test_greedy_continuations_are_equal_in_transformers(tmp_path, trained, byte_level):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    save_hf(trained, tmp_path / "model", tokenizer=byte_level, max_shard_bytes=50_000)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt, add_special_tokens=False)
        assert ids == byte_level.encode(prompt)
        out = theirs.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
            max_new_tokens=N_NEW,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert out[0, len(ids) :].tolist() == _greedy(trained, ids)[0]


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "q8_0", "q4_0"])
def test_greedy_continuations_are_equal_in_llama_cpp(tmp_path, trained, byte_level, kind):
    path = tmp_path / "model.gguf"
    save_gguf(trained, path, tokenizer=byte_level, kind=kind)
    as_stored = load_weights(path, dtype=torch.float32)  # rounded as llama.cpp will see it
    prompts = [byte_level.encode(prompt) for prompt in PROMPTS]
    n_compared = 0
    for ids, theirs in zip(prompts, _llama_cpp(path, prompts), strict=True):
        ours, lead = _greedy(as_stored, ids)
        if kind != "f32" and lead < 0.3:
            continue  # llama.cpp rounds activations to the weights' type; near ties may turn
        assert _until_stop(theirs, byte_level.stop_ids) == _until_stop(ours, byte_level.stop_ids)
        n_compared += 1
    assert n_compared >= 2


def test_a_sentencepiece_model_continues_text_equally_in_llama_cpp(
    tmp_path, train_on_text, sentence_piece
):
    model = train_on_text(sentence_piece, rope_theta=10_000.0)
    path = tmp_path / "model.gguf"
    save_gguf(model, path, tokenizer=sentence_piece, kind="f32")
    prompts = [sentence_piece.encode(prompt) for prompt in PROMPTS]
    for ids, theirs in zip(prompts, _llama_cpp(path, prompts), strict=True):
        ours = _greedy(model, ids)[0]
        stop_ids = sentence_piece.stop_ids
        assert _until_stop(theirs, stop_ids) == _until_stop(ours, stop_ids)


def test_llama_cpp_cuts_text_into_the_ids_that_we_do(tmp_path, trained, byte_level):
    """A prompt given as text must continue as the same prompt given by our ids."""
    path = tmp_path / "model.gguf"
    save_gguf(trained, path, tokenizer=byte_level, kind="f32")
    start = [byte_level.bos_id] if byte_level.adds_bos else []
    by_ids = _llama_cpp(path, [start + byte_level.encode(prompt) for prompt in PROMPTS])
    assert by_ids == _llama_cpp(path, PROMPTS)
