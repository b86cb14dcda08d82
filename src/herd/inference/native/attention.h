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

/* A block of one head: float32 where it lies, or float16, which a few queries read as it is and many widen first. */
typedef struct {
    const void *numbers;
    int kind;
} Block;

static Block read_block(const Cache *cache, const void *numbers, size_t place, int n_rows, float *wide) {
    if (!cache->is_half) return (Block){(const float *)numbers + place, FLOAT32};
    const uint16_t *half = (const uint16_t *)numbers + place;
    if (n_rows <= TILE_ROWS) return (Block){half, FLOAT16};
    for (int i = 0; i < cache->head_dim * BLOCK_TOKENS; i += LANES) store(wide + i, load_half(half + i));
    return (Block){wide, FLOAT32};
}

/* Call a block of one head to the caches: the next ones lie elsewhere, which no processor foresees. */
INLINE void expect_block(const Cache *cache, const void *numbers, size_t place) {
    const size_t width = cache->is_half ? sizeof(uint16_t) : sizeof(float), n = (size_t)cache->head_dim * BLOCK_TOKENS * width;
    for (size_t i = 0; i < n; i += 64) __builtin_prefetch((const char *)numbers + place * width + i);
}

static void write_token(const Cache *cache, int layer, int block, int slot, int head, const float *k, const float *v) {
    const size_t place = place_of(cache, layer, block, head);
    const int n = cache->head_dim;
    if (slot == 0) { /* a masked place is multiplied by 0, which would not hide an old NaN */
        const size_t width = cache->is_half ? sizeof(uint16_t) : sizeof(float);
        memset((char *)cache->values + place * width, 0, width * (size_t)n * BLOCK_TOKENS);
    }
    for (int c = 0; c < n; c++) {
        const size_t key = place + (size_t)c * BLOCK_TOKENS + slot, value = place + (size_t)slot * n + c;
        if (cache->is_half) {
            ((uint16_t *)cache->keys)[key] = float_to_half(k[c]);
            ((uint16_t *)cache->values)[value] = float_to_half(v[c]);
        } else {
            ((float *)cache->keys)[key] = k[c];
            ((float *)cache->values)[value] = v[c];
        }
    }
}

static void score_rows(int rows, Block keys, const float *q, int head_dim, float *scores, int stride) {
#define CALL(R) float_tile(R, 1, FLOAT16, &keys.numbers, 0, q, head_dim, head_dim, scores, stride, 1)
    if (keys.kind == FLOAT32)
        float_rows(rows, 1, FLOAT32, &keys.numbers, 0, q, head_dim, head_dim, scores, stride, 1);
    else
        EACH_HEIGHT(CALL)
#undef CALL
}

/* scores[r][0..16) = q[r] . keys */
static void score_block(int n_rows, const float *q, int head_dim, Block keys, float *scores, int stride) {
    for (int m = 0; m < n_rows; m += TILE_ROWS)
        score_rows(n_rows - m < TILE_ROWS ? n_rows - m : TILE_ROWS, keys, q + (size_t)m * head_dim, head_dim,
                   scores + (size_t)m * stride, stride);
}

/* mix[r] += weights[r][0..16) . values */
INLINE void mix_tile(const int rows, const int kind, const void *values, const float *weights, int stride, int head_dim, float *mix) {
    for (int c = 0; c < head_dim; c += PANEL) {
        vec sum[TILE_ROWS][VECS];
        UNROLL for (int m = 0; m < rows; m++)
            UNROLL for (int j = 0; j < VECS; j++) sum[m][j] = load(mix + (size_t)m * head_dim + c + j * LANES);
        for (int i = 0; i < BLOCK_TOKENS; i++) {
            vec value[VECS];
            UNROLL for (int j = 0; j < VECS; j++) value[j] = load_weight(values, (size_t)i * head_dim + c + j * LANES, kind);
            UNROLL for (int m = 0; m < rows; m++) {
                const vec weight = splat(weights[(size_t)m * stride + i]);
                UNROLL for (int j = 0; j < VECS; j++) sum[m][j] += value[j] * weight;
            }
        }
        UNROLL for (int m = 0; m < rows; m++)
            UNROLL for (int j = 0; j < VECS; j++) store(mix + (size_t)m * head_dim + c + j * LANES, sum[m][j]);
    }
}

static void mix_rows(int rows, Block values, const float *weights, int stride, int head_dim, float *mix) {
#define CALL(R) mix_tile(R, FLOAT32, values.numbers, weights, stride, head_dim, mix)
    if (values.kind == FLOAT32) EACH_HEIGHT(CALL)
#undef CALL
#define CALL(R) mix_tile(R, FLOAT16, values.numbers, weights, stride, head_dim, mix)
    if (values.kind == FLOAT16) EACH_HEIGHT(CALL)
#undef CALL
}

static void mix_block(int n_rows, const float *weights, int stride, Block values, int head_dim, float *mix) {
    for (int m = 0; m < n_rows; m += TILE_ROWS)
        mix_rows(n_rows - m < TILE_ROWS ? n_rows - m : TILE_ROWS, values, weights + (size_t)m * stride, stride, head_dim,
                 mix + (size_t)m * head_dim);
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
 * `q` and `mix` are [n_rows][head_dim]. Rows that stand before `begin` keep an empty state. */
static void attend_part(const Cache *cache, int layer, int head, const int32_t *blocks, const float *q, const int32_t *position,
                        int n_rows, int begin, int end, Softmax *state, float *mix, float *wide) {
    const int n = cache->head_dim;
    float scores[TILE_QUERIES][SPAN] __attribute__((aligned(64)));
    int first = 0; /* the first row that sees anything here */
    while (first < n_rows && position[first] < begin) first++;
    for (int r = 0; r < n_rows; r++) state[r] = (Softmax){-INFINITY, 0.0f};
    memset(mix, 0, sizeof(float) * (size_t)n_rows * n);
    for (int key = begin; key < end; key += SPAN) {
        const int n_keys = end - key < SPAN ? (end - key + BLOCK_TOKENS - 1) / BLOCK_TOKENS * BLOCK_TOKENS : SPAN;
        while (first < n_rows && position[first] < key) first++;
        const int n_seeing = n_rows - first;
        for (int i = 0; i < n_keys; i += BLOCK_TOKENS) {
            const size_t place = place_of(cache, layer, blocks[(key + i) / BLOCK_TOKENS], head);
            expect_block(cache, cache->values, place);
            score_block(n_seeing, q + (size_t)first * n, n, read_block(cache, cache->keys, place, n_seeing, wide), &scores[first][i], SPAN);
        }
        for (int r = first; r < n_rows; r++) {
            const int seen = position[r] - key + 1;
            softmax_span(scores[r], n_keys, seen < n_keys ? seen : n_keys, &state[r], mix + (size_t)r * n, n);
        }
        for (int i = 0; i < n_keys; i += BLOCK_TOKENS) {
            const size_t place = place_of(cache, layer, blocks[(key + i) / BLOCK_TOKENS], head);
            if (key + SPAN + i < end) expect_block(cache, cache->keys, place_of(cache, layer, blocks[(key + SPAN + i) / BLOCK_TOKENS], head));
            mix_block(n_seeing, &scores[first][i], SPAN, read_block(cache, cache->values, place, n_seeing, wide), n, mix + (size_t)first * n);
        }
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
