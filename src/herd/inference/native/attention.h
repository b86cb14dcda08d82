/* Attention of a few queries of one key-value head over the keys in their sequence's blocks.
 *
 * In: rotated, scaled queries; the cache; a block table. Out: the mix of values of every query.
 * Never: a result that depends on the other queries of the tile. Keys are read in spans of 64 with one running
 * softmax for each part of 256 keys; parts are merged in ascending order, by whoever computed them.
 */
#ifndef HERD_ATTENTION_H
#define HERD_ATTENTION_H

#include "matrix.h"

#define BLOCK_TOKENS 16
#define SPAN 64 /* keys between two looks at the maximum */
#define PART 256
#define TILE_QUERIES 24

typedef struct {
    int32_t is_half;        /* float16, else float32 */
    void *keys, *values;    /* [block][layer][head][channel][16], [block][layer][head][16][channel] */
    int32_t n_layers, n_heads, head_dim;
} Cache;

/* The running softmax of one query: maximum, sum of weights; the mix of values lies beside it. */
typedef struct {
    float top, total;
} Softmax;

INLINE size_t place_of(const Cache *cache, int layer, int block, int head) {
    const size_t layer_index = (size_t)block * cache->n_layers + layer;
    return (layer_index * cache->n_heads + head) * cache->head_dim * BLOCK_TOKENS;
}

/* Call a block of one head to the caches: the next ones lie elsewhere, which no processor foresees. */
INLINE void expect_block(const Cache *cache, const void *numbers, size_t place) {
    const size_t width = cache->is_half ? sizeof(uint16_t) : sizeof(float), n = (size_t)cache->head_dim * BLOCK_TOKENS * width;
    for (size_t i = 0; i < n; i += 64) __builtin_prefetch((const char *)numbers + place * width + i);
}

static void write_token(const Cache *cache, int layer, int block, int slot, int head, const float *k, const float *v) {
    const size_t place = place_of(cache, layer, block, head);
    const int n = cache->head_dim;
    if (!cache->is_half) {
        for (int c = 0; c < n; c++) ((float *)cache->keys)[place + (size_t)c * BLOCK_TOKENS + slot] = k[c];
        memcpy((float *)cache->values + place + (size_t)slot * n, v, sizeof(float) * (size_t)n);
        return;
    }
    uint16_t half[n];
    for (int c = 0; c < n; c += LANES) store_half(half + c, load(k + c));
    for (int c = 0; c < n; c++) ((uint16_t *)cache->keys)[place + (size_t)c * BLOCK_TOKENS + slot] = half[c];
    for (int c = 0; c < n; c += LANES) store_half((uint16_t *)cache->values + place + (size_t)slot * n + c, load(v + c));
}

/* Clear the values from `slot` on: a masked place is multiplied by 0, which would not hide an old NaN. */
static void clear_values(const Cache *cache, int layer, int block, int slot) {
    const size_t width = cache->is_half ? sizeof(uint16_t) : sizeof(float), n = (size_t)cache->head_dim;
    for (int head = 0; head < cache->n_heads; head++) {
        const size_t place = place_of(cache, layer, block, head) + (size_t)slot * n;
        memset((char *)cache->values + place * width, 0, width * n * (size_t)(BLOCK_TOKENS - slot));
    }
}

/* The keys or values of some blocks of one head, as they lie in the cache. */
typedef struct {
    int kind; /* FLOAT32 or FLOAT16 */
    int n;
    const char *at[SPAN / BLOCK_TOKENS];
} Blocks;

typedef struct {
    Blocks keys, values;
} Span;

static Blocks find_blocks(const Cache *cache, const void *numbers, int layer, int head, const int32_t *blocks, int n) {
    const size_t width = cache->is_half ? sizeof(uint16_t) : sizeof(float);
    Blocks found = {.kind = cache->is_half ? FLOAT16 : FLOAT32, .n = n};
    for (int i = 0; i < n; i++) found.at[i] = (const char *)numbers + place_of(cache, layer, blocks[i], head) * width;
    return found;
}

/* The span of keys [begin, end), cut to SPAN; empty where there is none. */
static Span find_span(const Cache *cache, int layer, int head, const int32_t *blocks, int begin, int end) {
    const int n_keys = at_most(end - begin, SPAN), n = n_keys > 0 ? (n_keys + BLOCK_TOKENS - 1) / BLOCK_TOKENS : 0;
    blocks += begin / BLOCK_TOKENS;
    return (Span){find_blocks(cache, cache->keys, layer, head, blocks, n), find_blocks(cache, cache->values, layer, head, blocks, n)};
}

/* Call part `i` of `n` of each block to the caches. Where the next blocks lie no processor foresees; called all at once,
 * they would be waited for. */
INLINE void expect_part(const Blocks *blocks, int i, int n, int block_bytes) {
    const int bytes = block_bytes / n;
    if (i * bytes % 64 >= bytes) return; /* the line was called before */
    for (int b = 0; b < blocks->n; b++)
        for (int at = 0; at < bytes; at += 64) __builtin_prefetch(blocks->at[b] + i * bytes + at);
}

/* scores[r][keys of `panels` blocks] = q[r] . keys */
INLINE void score_tile(const int rows, const int panels, const int kind, const char *const *keys, const float *q, int head_dim,
                       const Blocks *next, float *scores) {
    const int block_bytes = head_dim * BLOCK_TOKENS * (kind == FLOAT16 ? (int)sizeof(uint16_t) : (int)sizeof(float));
    vec sum[SPAN_ROWS][SPAN_PANELS * VECS];
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < panels * VECS; j++) sum[m][j] = splat(0.0f);
    for (int c = 0; c < head_dim; c++) {
        if (next) expect_part(next, c, head_dim, block_bytes);
        vec key[SPAN_PANELS * VECS];
        UNROLL for (int j = 0; j < panels * VECS; j++) key[j] = load_weight(keys[j / VECS], (size_t)c * PANEL + j % VECS * LANES, kind);
        UNROLL for (int m = 0; m < rows; m++) {
            const vec value = splat(q[(size_t)m * head_dim + c]);
            UNROLL for (int j = 0; j < panels * VECS; j++) sum[m][j] += key[j] * value;
        }
    }
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < panels * VECS; j++) store(scores + (size_t)m * SPAN + j * LANES, sum[m][j]);
}

/* scores[r][keys of the span] = q[r] . keys */
INLINE void score_rows(const int rows, const int kind, const Blocks *keys, const float *q, int head_dim, const Blocks *next, float *scores) {
    int i = 0;
    for (; i + SPAN_PANELS <= keys->n; i += SPAN_PANELS)
        score_tile(rows, SPAN_PANELS, kind, keys->at + i, q, head_dim, i ? NULL : next, scores + i * BLOCK_TOKENS);
    if (SPAN_PANELS > 2 && keys->n - i >= 2) {
        score_tile(rows, 2, kind, keys->at + i, q, head_dim, i ? NULL : next, scores + i * BLOCK_TOKENS);
        i += 2;
    }
    for (; i < keys->n; i++) score_tile(rows, 1, kind, keys->at + i, q, head_dim, i ? NULL : next, scores + i * BLOCK_TOKENS);
}

/* mix[r][channels of `panels` panels] += weights[r][keys of the span] . values */
INLINE void mix_tile(const int rows, const int panels, const int kind, const Blocks *values, int channel, const float *weights, int head_dim,
                     const Blocks *next, float *mix) {
    const int block_bytes = head_dim * BLOCK_TOKENS * (kind == FLOAT16 ? (int)sizeof(uint16_t) : (int)sizeof(float));
    vec sum[SPAN_ROWS][SPAN_PANELS * VECS];
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < panels * VECS; j++) sum[m][j] = load(mix + (size_t)m * head_dim + channel + j * LANES);
    for (int b = 0; b < values->n; b++)
        for (int i = 0; i < BLOCK_TOKENS; i++) {
            if (next) expect_part(next, b * BLOCK_TOKENS + i, values->n * BLOCK_TOKENS, block_bytes);
            vec value[SPAN_PANELS * VECS];
            UNROLL for (int j = 0; j < panels * VECS; j++)
                value[j] = load_weight(values->at[b], (size_t)i * head_dim + channel + j * LANES, kind);
            UNROLL for (int m = 0; m < rows; m++) {
                const vec weight = splat(weights[(size_t)m * SPAN + b * BLOCK_TOKENS + i]);
                UNROLL for (int j = 0; j < panels * VECS; j++) sum[m][j] += value[j] * weight;
            }
        }
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < panels * VECS; j++) store(mix + (size_t)m * head_dim + channel + j * LANES, sum[m][j]);
}

/* mix[r] += weights[r][keys of the span] . values */
INLINE void mix_rows(const int rows, const int kind, const Blocks *values, const float *weights, int head_dim, const Blocks *next, float *mix) {
    int c = 0;
    for (; c + SPAN_PANELS * PANEL <= head_dim; c += SPAN_PANELS * PANEL)
        mix_tile(rows, SPAN_PANELS, kind, values, c, weights, head_dim, c ? NULL : next, mix);
    for (; c < head_dim; c += PANEL) mix_tile(rows, 1, kind, values, c, weights, head_dim, c ? NULL : next, mix);
}

#define EACH_KIND(KIND, ROWS)                                                                                                  \
    if (KIND == FLOAT32) {                                                                                                     \
        const int kind = FLOAT32;                                                                                              \
        EACH_HEIGHT(SPAN_ROWS, ROWS)                                                                                           \
    } else {                                                                                                                   \
        const int kind = FLOAT16;                                                                                              \
        EACH_HEIGHT(SPAN_ROWS, ROWS)                                                                                           \
    }

static void score_span(int n_rows, const float *q, int head_dim, const Blocks *keys, const Blocks *next, float *scores) {
    for (int m = 0; m < n_rows; m += SPAN_ROWS, q += SPAN_ROWS * head_dim, scores += SPAN_ROWS * SPAN, next = NULL) {
        const int rows = at_most(n_rows - m, SPAN_ROWS);
#define CALL(R) score_rows(R, kind, keys, q, head_dim, next, scores)
        EACH_KIND(keys->kind, CALL)
#undef CALL
    }
}

static void mix_span(int n_rows, const float *weights, const Blocks *values, int head_dim, const Blocks *next, float *mix) {
    for (int m = 0; m < n_rows; m += SPAN_ROWS, weights += SPAN_ROWS * SPAN, mix += SPAN_ROWS * head_dim, next = NULL) {
        const int rows = at_most(n_rows - m, SPAN_ROWS);
#define CALL(R) mix_rows(R, kind, values, weights, head_dim, next, mix)
        EACH_KIND(values->kind, CALL)
#undef CALL
    }
}

/* Turn a span of scores into weights and rescale what was mixed so far. `seen` keys of the span are visible. */
static void softmax_span(float *scores, int n_keys, int seen, Softmax *state, float *mix, int head_dim) {
    for (int i = seen; i < n_keys; i++) scores[i] = -INFINITY;
    vec top = load(scores);
    for (int i = LANES; i < n_keys; i += LANES) top = vmax(top, load(scores + i));
    const float highest = max_lanes(top), now = highest > state->top ? highest : state->top;
    vec total = splat(0.0f);
    for (int i = 0; i < n_keys; i += LANES) {
        const vec weight = vexp(load(scores + i) - splat(now));
        store(scores + i, weight);
        total += weight;
    }
    if (now != state->top) {
        const vec fade = vexp(splat(state->top - now));
        state->total *= fade[0];
        for (int c = 0; c < head_dim; c += LANES) store(mix + c, load(mix + c) * fade);
    }
    state->total += sum_lanes(total);
    state->top = now;
}

/* Attend over keys [begin, end) of one part. Query r stands at `position[r]`, ascending, and sees keys up to there;
 * `q` and `mix` are [n_rows][head_dim]. Rows that stand before `begin` keep an empty state. `then` is read after this. */
static void attend_part(const Cache *cache, int layer, int head, const int32_t *blocks, const float *q, const int32_t *position,
                        int n_rows, int begin, int end, const Span *then, Softmax *state, float *mix) {
    const int n = cache->head_dim;
    float scores[TILE_QUERIES][SPAN] __attribute__((aligned(64)));
    int first = 0; /* the first row that sees anything here */
    while (first < n_rows && position[first] < begin) first++;
    for (int r = 0; r < n_rows; r++) state[r] = (Softmax){-INFINITY, 0.0f};
    memset(mix, 0, sizeof(float) * (size_t)n_rows * n);
    Span span = find_span(cache, layer, head, blocks, begin, end);
    for (int key = begin; key < end; key += SPAN) {
        const Span next = key + SPAN < end ? find_span(cache, layer, head, blocks, key + SPAN, end) : *then;
        while (first < n_rows && position[first] < key) first++;
        score_span(n_rows - first, q + (size_t)first * n, n, &span.keys, &next.keys, scores[first]);
        for (int r = first; r < n_rows; r++) {
            const int seen = position[r] - key + 1, n_keys = span.keys.n * BLOCK_TOKENS;
            softmax_span(scores[r], n_keys, seen < n_keys ? seen : n_keys, &state[r], mix + (size_t)r * n, n);
        }
        mix_span(n_rows - first, scores[first], &span.values, n, &next.values, mix + (size_t)first * n);
        span = next;
    }
}

/* Join a later part to what was gathered before it. */
static void merge_part(Softmax *state, float *mix, Softmax part, const float *part_mix, int head_dim) {
    if (part.total == 0.0f) return;
    const float now = part.top > state->top ? part.top : state->top;
    const vec old = vexp(splat(state->top - now)), new = vexp(splat(part.top - now));
    state->total = state->total * old[0] + part.total * new[0];
    state->top = now;
    for (int c = 0; c < head_dim; c += LANES) store(mix + c, load(mix + c) * old + load(part_mix + c) * new);
}

#endif
