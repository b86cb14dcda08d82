/* The attention of a step, cut into pieces that members of the team take in turns.
 *
 * In: rotated queries, the cache. Out: the attended rows. Never: a result that depends on the cut: parts of the keys
 * are merged in ascending order, whoever computed them.
 */
#ifndef HERD_PIECES_H
#define HERD_PIECES_H

#include "work.h"

#define PIECES_IN_A_ROW 4 /* taken together: each calls the next one's first blocks to the caches */

static int tile_tokens(const Model *model) {
    const int group = model->n_heads / model->n_kv_heads, tokens = TILE_QUERIES / group;
    return tokens > 0 ? tokens : 1; /* a group larger than a tile is refused before */
}

/* A few new tokens over many keys are split by parts of the keys, so that every member has work; the numbers are
 * the same either way. With `pieces` NULL they are only counted. */
static void cut_attention(const Model *model, const Step *step, Piece *pieces, int *n_pieces, int *n_slots) {
    const int most = tile_tokens(model);
    *n_pieces = *n_slots = 0;
    for (int s = 0; s < step->n_chunks; s++) {
        const int first = step->chunk_start[s], last = step->chunk_start[s + 1];
        const int n_parts = step->position[last - 1] / PART + 1;
        for (int h = 0; h < model->n_kv_heads; h++)
            for (int t = last; t > first;) { /* the longest first: short ones even the end out */
                const int n = at_most(t - first, most);
                const int is_split = last - first <= most && n_parts > 1;
                t -= n;
                for (int part = 0; part < (is_split ? n_parts : 1); part++) {
                    const int slot = is_split ? (*n_slots)++ : -1;
                    if (pieces) pieces[*n_pieces] = (Piece){s, h, t, n, part, slot};
                    (*n_pieces)++;
                }
            }
    }
}

static void finish_query(const Work *work, int token, int head, const Softmax *state, const float *mix) {
    const int c = work->model->head_dim;
    float *out = work->attended + ((size_t)token * work->model->n_heads + head) * c;
    for (int i = 0; i < c; i += LANES) store(out + i, load(mix + i) / splat(state->total));
}

/* The keys [*begin, *end) of a piece. */
static void keys_of(const Work *work, const Piece *piece, int *begin, int *end) {
    *begin = piece->slot >= 0 ? piece->part * PART : 0;
    *end = work->step->position[piece->first_token + piece->n_tokens - 1] + 1;
    if (piece->slot >= 0 && *end > *begin + PART) *end = *begin + PART;
}

static Span first_span(const Work *work, int layer, const Piece *piece) {
    int begin, end;
    keys_of(work, piece, &begin, &end);
    return find_span(&work->model->cache, layer, piece->head, work->step->blocks + work->step->table_start[piece->chunk], begin, end);
}

/* `then` is what will be read after this piece. */
static void attend_piece(const Work *work, int layer, const Piece *piece, const Span *then, float *part_mix, float *mix) {
    const Model *model = work->model;
    const Step *step = work->step;
    const int c = model->head_dim, group = model->n_heads / model->n_kv_heads, n = piece->n_tokens * group;
    const float *q = work->q + ((size_t)piece->head * step->n_tokens + piece->first_token) * group * c;
    const int32_t *blocks = step->blocks + step->table_start[piece->chunk];
    int32_t position[TILE_QUERIES] = {0};
    for (int r = 0; r < n; r++) position[r] = step->position[piece->first_token + r / group];
    int begin, end;
    keys_of(work, piece, &begin, &end);
    if (piece->slot >= 0) {
        const size_t at = (size_t)piece->slot * TILE_QUERIES;
        attend_part(&model->cache, layer, piece->head, blocks, q, position, n, begin, end, then, work->part_state + at, work->part_mix + at * c);
        return;
    }
    Softmax state[TILE_QUERIES], part[TILE_QUERIES];
    for (int r = 0; r < n; r++) state[r] = (Softmax){-INFINITY, 0.0f};
    memset(mix, 0, sizeof(float) * (size_t)n * c);
    for (; begin < end; begin += PART) {
        const int stop = at_most(end, begin + PART);
        const Span next = stop < end ? find_span(&model->cache, layer, piece->head, blocks, stop, end) : *then;
        attend_part(&model->cache, layer, piece->head, blocks, q, position, n, begin, stop, &next, part, part_mix);
        for (int r = 0; r < n; r++) merge_part(&state[r], mix + (size_t)r * c, part[r], part_mix + (size_t)r * c, c);
    }
    for (int r = 0; r < n; r++)
        finish_query(work, piece->first_token + r / group, piece->head * group + r % group, &state[r], mix + (size_t)r * c);
}

/* Merge the parts of a piece that was split: its first part calls for it, the others follow it in the list. */
static void merge_piece(const Work *work, const Piece *piece) {
    const int c = work->model->head_dim, group = work->model->n_heads / work->model->n_kv_heads, n = piece->n_tokens * group;
    const Piece *end = work->pieces + work->n_pieces;
    float mix[c];
    for (int r = 0; r < n; r++) {
        Softmax state = {-INFINITY, 0.0f};
        memset(mix, 0, sizeof mix);
        for (const Piece *part = piece; part < end && (part == piece || part->part > 0); part++) {
            const size_t at = (size_t)part->slot * TILE_QUERIES + r;
            merge_part(&state, mix, work->part_state[at], work->part_mix + at * c, c);
        }
        finish_query(work, piece->first_token + r / group, piece->head * group + r % group, &state, mix);
    }
}

static void attend(Player *me, int layer) {
    const Work *work = me->work;
    const int c = work->model->head_dim;
    float part_mix[TILE_QUERIES * c] __attribute__((aligned(64))), mix[TILE_QUERIES * c] __attribute__((aligned(64)));
    atomic_int *counter = next_counter(me);
    const int run = work->n_pieces / (me->team->size * 8), n = run < 1 ? 1 : run > PIECES_IN_A_ROW ? PIECES_IN_A_ROW : run;
    for (int i, end; (i = take(counter, n, work->n_pieces)) < work->n_pieces;)
        for (end = at_most(i + n, work->n_pieces); i < end; i++) {
            const Span then = i + 1 < end ? first_span(work, layer, &work->pieces[i + 1]) : (Span){0};
            attend_piece(work, layer, &work->pieces[i], &then, part_mix, mix);
        }
    barrier(me->team);
    if (!work->n_slots) return;
    counter = next_counter(me);
    for (int i; (i = take(counter, 1, work->n_pieces)) < work->n_pieces;)
        if (work->pieces[i].slot >= 0 && work->pieces[i].part == 0) merge_piece(work, &work->pieces[i]);
    barrier(me->team);
}

#endif
