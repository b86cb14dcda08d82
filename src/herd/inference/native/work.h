/* What a step works on: the model, the tokens, and the scratch memory that lies between two phases.
 *
 * In: a model and a step as Python hands them over. Out: `Work`, laid out in one arena that grows and stays, and
 * `Player`, a member of the team at work. Never: arithmetic.
 */
#ifndef HERD_WORK_H
#define HERD_WORK_H

#include "attention.h"
#include "matrix.h"
#include "team.h"
#include <sys/mman.h>

typedef struct {
    const float *attention_norm, *feed_forward_norm;
    Matrix qkv, o, gate_up, down; /* gate_up alternates panels of both */
} Layer;

typedef struct {
    int32_t n_layers, dim, n_heads, n_kv_heads, head_dim;
    float norm_eps;
    const Layer *layers;
    const float *final_norm;
    Matrix head;
    Cache cache;
} Model;

typedef struct {
    int32_t n_tokens, n_chunks, n_rows;
    const int32_t *position;    /* [n_tokens], ascending inside a chunk */
    const int32_t *chunk_start; /* [n_chunks + 1]: the first token of each chunk */
    const int32_t *table_start; /* [n_chunks]: where each chunk's block table begins in `blocks` */
    const int32_t *blocks;
    const int32_t *rows; /* [n_rows]: the tokens whose logits are wanted, ascending */
    const float *cos, *sin; /* [n_tokens][head_dim / 2] */
    float *x;      /* [n_tokens][dim]: embeddings; overwritten */
    float *logits; /* [n_rows][head.n_out]: the vocabulary in whole panels */
} Step;

/* A piece of attention: some queries of one head, over all keys or, where `slot` >= 0, over one part of them. */
typedef struct {
    int32_t chunk, head, first_token, n_tokens, part, slot;
} Piece;

typedef struct {
    const Model *model;
    const Step *step;
    Rows input;     /* what the next product reads: normed activations */
    Rows mixed;     /* the output of attention */
    Rows inner;     /* gate times up */
    float *normed, *qkv, *q, *attended, *hidden;
    int qkv_width, hidden_width;
    Piece *pieces;
    int n_pieces, n_slots;
    Softmax *part_state; /* [slot][query of the tile] */
    float *part_mix;     /* [slot][query of the tile][head_dim] */
    atomic_int *counters; /* one a shared-out phase, all zero at the start */
    int n_counters;
} Work;

/* ---- scratch memory: one arena that grows and stays ---- */

typedef struct {
    char *memory;
    size_t size, used;
} Arena;

#define HUGE_PAGE ((size_t)2 << 20)

static void ask_for_huge_pages(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE) madvise(memory, bytes, MADV_HUGEPAGE); /* it may say no */
#endif
}

static void *reserve(Arena *arena, size_t bytes) {
    void *here = arena->memory ? arena->memory + arena->used : NULL;
    arena->used += (bytes + 63) / 64 * 64;
    return here;
}

static Rows reserve_rows(Arena *arena, const float *x, int stride, const Matrix *matrix, int n_rows) {
    Rows rows = {.x = x, .stride = stride};
    if (matrix->kind == INT8) {
        const size_t groups = (size_t)matrix->n_in / GROUP * (size_t)n_rows;
        rows.q = reserve(arena, groups * GROUP * sizeof(narrow));
        rows.scale = reserve(arena, groups * sizeof(float));
        rows.offset = reserve(arena, groups * sizeof(int32_t));
    }
    return rows;
}

/* Lay out the scratch memory of a step; with an empty arena only its size is found. */
static void lay_out(Arena *arena, Work *work) {
    const Model *model = work->model;
    const Layer *layer = &model->layers[0];
    const int n = work->step->n_tokens;
    const size_t rows = (size_t)n, f = sizeof(float);
    work->qkv_width = layer->qkv.n_out;
    work->hidden_width = layer->gate_up.n_out / 2;
    work->normed = reserve(arena, rows * model->dim * f);
    work->qkv = reserve(arena, rows * work->qkv_width * f);
    work->q = reserve(arena, rows * model->n_heads * model->head_dim * f);
    work->attended = reserve(arena, rows * model->n_heads * model->head_dim * f);
    work->hidden = reserve(arena, rows * work->hidden_width * f);
    const Matrix *widest = layer->qkv.kind == INT8 ? &layer->qkv : &model->head;
    work->input = reserve_rows(arena, work->normed, model->dim, widest, n);
    work->mixed = reserve_rows(arena, work->attended, model->n_heads * model->head_dim, &layer->o, n);
    work->inner = reserve_rows(arena, work->hidden, work->hidden_width, &layer->down, n);
    const size_t queries = (size_t)work->n_slots * TILE_QUERIES;
    work->part_state = reserve(arena, queries * sizeof(Softmax));
    work->part_mix = reserve(arena, queries * model->head_dim * f);
    work->counters = reserve(arena, (size_t)work->n_counters * sizeof(atomic_int));
}

/* ---- a member of the team ---- */

typedef struct {
    Team *team;
    int rank;
    Work *work;
    int n_phases; /* how many shared-out phases this member has entered: all members count alike */
    int n_rows;   /* rows under way: all tokens, and those whose logits are wanted after the last attention */
} Player;

static atomic_int *next_counter(Player *me) { return &me->work->counters[me->n_phases++]; }

/* Take the next few rows under way, [*first, *end). Returns 0 when there are none left. */
static int take_rows(Player *me, atomic_int *counter, int *first, int *end) {
    const int share = me->n_rows / (me->team->size * 8), n = share < 1 ? 1 : share > 16 ? 16 : share;
    *first = take(counter, n, me->n_rows);
    *end = *first + n < me->n_rows ? *first + n : me->n_rows;
    return *first < me->n_rows;
}

#endif
