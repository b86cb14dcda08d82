/* One step of a Llama on a CPU: all layers for the tokens of several sequences, in one call.
 *
 * In: packed weights, a paged cache, embedded tokens with their positions and block tables. Out: logits of the
 * rows that are wanted; keys and values in the cache. Never: memory management beyond its own scratch space,
 * or a result for one row that depends on the other rows.
 *
 * Read from the bottom: herd_step calls run_step on every member of the team; a layer is the calls in run_layer.
 */
#include "attention.h"
#include "matrix.h"
#include "team.h"
#include "vector.h"
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

static int tile_tokens(const Model *model) {
    const int group = model->n_heads / model->n_kv_heads, tokens = TILE_QUERIES / group;
    return tokens > 0 ? tokens : 1; /* a group larger than a tile is refused before */
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

/* ---- phases; each ends before the next begins ---- */

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

static void rms_norm(const float *x, const float *weight, int n, float eps, float *out) {
    double squares = 0.0;
    vec sums = splat(0.0f);
    int i = 0;
    for (; i + LANES <= n; i += LANES) sums += load(x + i) * load(x + i);
    squares = sum_lanes(sums);
    for (; i < n; i++) squares += (double)x[i] * x[i];
    const float inverse = 1.0f / sqrtf((float)(squares / n) + eps);
    for (i = 0; i + LANES <= n; i += LANES) store(out + i, load(x + i) * splat(inverse) * load(weight + i));
    for (; i < n; i++) out[i] = x[i] * inverse * weight[i];
}

static void quantize(const Rows *rows, int row, int n, const Matrix *matrix) {
    if (matrix->kind != INT8) return;
    const size_t groups = (size_t)matrix->n_in / GROUP;
    quantize_row(rows->x + (size_t)row * rows->stride, n, matrix->n_in, (narrow *)rows->q + row * groups * GROUP,
                 (float *)rows->scale + row * groups, (int32_t *)rows->offset + row * groups);
}

static void norm_rows(Player *me, const float *weight, const Matrix *next) {
    const Model *model = me->work->model;
    atomic_int *counter = next_counter(me);
    for (int i, end; take_rows(me, counter, &i, &end);)
        for (; i < end; i++) {
            rms_norm(me->work->step->x + (size_t)i * model->dim, weight, model->dim, model->norm_eps, me->work->normed + (size_t)i * model->dim);
            quantize(&me->work->input, i, model->dim, next);
        }
    barrier(me->team);
}

/* A product is shared out in pieces: some panels for a strip of rows. The strip's activations stay in the second cache
 * while the panels pass by; runs of panels, in whole units, read memory in order, short ones share the end out evenly. */
typedef struct {
    int n_panels, n_rows, run, strip, n_runs, n_pieces;
} Cut;

#define STRIP_BYTES (192 * 1024)
#define STRIP_STEP 24 /* a multiple of every height of tile */

static Cut cut_product(const Team *team, const Matrix *matrix, int n_rows, int unit) {
    const int row_bytes = matrix->n_in * (matrix->kind == INT8 ? (int)sizeof(narrow) : (int)sizeof(float));
    int strip = STRIP_BYTES / row_bytes / STRIP_STEP * STRIP_STEP;
    if (strip < 2 * STRIP_STEP) strip = 2 * STRIP_STEP;
    const int n_panels = matrix->n_out / PANEL;
    int run = n_panels / (team->size * 8) / unit * unit;
    if (run < unit) run = unit;
    const int n_runs = (n_panels + run - 1) / run, n_strips = (n_rows + strip - 1) / strip;
    return (Cut){n_panels, n_rows, run, strip, n_runs, n_runs * n_strips};
}

/* Take a piece: panels [*p0, *p1) of rows [*m0, *m1). Returns 0 when there is none left. */
static int take_piece(const Cut *cut, atomic_int *counter, int *p0, int *p1, int *m0, int *m1) {
    const int piece = take(counter, 1, cut->n_pieces);
    if (piece == cut->n_pieces) return 0;
    *p0 = piece % cut->n_runs * cut->run;
    *p1 = *p0 + cut->run < cut->n_panels ? *p0 + cut->run : cut->n_panels;
    *m0 = piece / cut->n_runs * cut->strip;
    *m1 = *m0 + cut->strip < cut->n_rows ? *m0 + cut->strip : cut->n_rows;
    return 1;
}

static void multiply(Player *me, const Matrix *matrix, const Rows *in, float *out, int stride) {
    const Cut cut = cut_product(me->team, matrix, me->n_rows, TILE_PANELS);
    atomic_int *counter = next_counter(me);
    for (int p, p1, m, m1; take_piece(&cut, counter, &p, &p1, &m, &m1);)
        multiply_panels(matrix, p, p1 - p, p1, in, m, m1, out + (size_t)m * stride + (size_t)p * PANEL, stride);
    barrier(me->team);
}

#define TILE_WIDTH (TILE_PANELS * PANEL)
#define ROWS_AT_HAND 96 /* rows whose products wait in the first cache for what is done with them */

/* x += in . matrix */
static void multiply_onto_x(Player *me, const Matrix *matrix, const Rows *in) {
    const Step *step = me->work->step;
    const int dim = me->work->model->dim;
    const Cut cut = cut_product(me->team, matrix, me->n_rows, TILE_PANELS);
    float product[ROWS_AT_HAND][TILE_WIDTH] __attribute__((aligned(64)));
    atomic_int *counter = next_counter(me);
    for (int p, p1, m0, m1; take_piece(&cut, counter, &p, &p1, &m0, &m1);)
        for (; p < p1; p += TILE_PANELS)
            for (int m = m0; m < m1; m += ROWS_AT_HAND) {
                const int rows = m1 - m < ROWS_AT_HAND ? m1 - m : ROWS_AT_HAND, panels = p1 - p < TILE_PANELS ? p1 - p : TILE_PANELS;
                const int width = dim - p * PANEL < panels * PANEL ? dim - p * PANEL : panels * PANEL;
                multiply_panels(matrix, p, panels, p1, in, m, m + rows, product[0], TILE_WIDTH);
                for (int r = 0; r < rows; r++) {
                    float *x = step->x + (size_t)(m + r) * dim + p * PANEL;
                    for (int i = 0; i < width; i++) x[i] += product[r][i];
                }
            }
    barrier(me->team);
}

/* hidden = silu(gate) * up */
static void multiply_gate_up(Player *me, const Matrix *matrix, const Rows *in) {
    Work *work = me->work;
    const Cut cut = cut_product(me->team, matrix, me->n_rows, 2);
    float product[ROWS_AT_HAND][2 * PANEL] __attribute__((aligned(64)));
    atomic_int *counter = next_counter(me);
    for (int p, p1, m0, m1; take_piece(&cut, counter, &p, &p1, &m0, &m1);)
        for (; p < p1; p += 2)
            for (int m = m0; m < m1; m += ROWS_AT_HAND) {
                const int rows = m1 - m < ROWS_AT_HAND ? m1 - m : ROWS_AT_HAND;
                multiply_panels(matrix, p, 2, p1, in, m, m + rows, product[0], 2 * PANEL);
                for (int r = 0; r < rows; r++)
                    for (int i = 0; i < PANEL; i += LANES) {
                        const vec gate = load(product[r] + i), up = load(product[r] + PANEL + i);
                        const vec silu = gate / (splat(1.0f) + vexp(-gate));
                        store(work->hidden + (size_t)(m + r) * work->hidden_width + p / 2 * PANEL + i, silu * up);
                    }
            }
    barrier(me->team);
}

static void quantize_rows(Player *me, const Rows *rows, int n, const Matrix *next) {
    if (next->kind != INT8) return;
    atomic_int *counter = next_counter(me);
    for (int i, end; take_rows(me, counter, &i, &end);)
        for (; i < end; i++) quantize(rows, i, n, next);
    barrier(me->team);
}

static void rotate(const float *x, const float *cos, const float *sin, int head_dim, float scale, float *out) {
    const int half = head_dim / 2;
    for (int i = 0; i < half; i++) {
        const float a = x[i], b = x[half + i];
        out[i] = (a * cos[i] - b * sin[i]) * scale;
        out[half + i] = (b * cos[i] + a * sin[i]) * scale;
    }
}

static void rotate_token(Work *work, int layer, int block, int t) {
    const Model *model = work->model;
    const Step *step = work->step;
    const int c = model->head_dim, group = model->n_heads / model->n_kv_heads;
    const float *q = work->qkv + (size_t)t * work->qkv_width, *k = q + model->n_heads * c, *v = k + model->n_kv_heads * c;
    const float *cos = step->cos + (size_t)t * c / 2, *sin = step->sin + (size_t)t * c / 2;
    float key[c];
    for (int h = 0; h < model->n_heads; h++) /* [kv head][token][query of its group]: tiles lie together */
        rotate(q + h * c, cos, sin, c, 1.0f / sqrtf((float)c), work->q + (((size_t)(h / group) * step->n_tokens + t) * group + h % group) * c);
    for (int h = 0; h < model->n_kv_heads; h++) {
        rotate(k + h * c, cos, sin, c, 1.0f, key);
        write_token(&model->cache, layer, block, step->position[t] % BLOCK_TOKENS, h, key, v + h * c);
    }
}

static int chunk_of(const Step *step, int token) {
    int low = 0, high = step->n_chunks - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (step->chunk_start[middle] <= token)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Rotate queries and keys; scale queries; put keys and values where the block tables say. */
static void rotate_and_store(Player *me, int layer) {
    const Step *step = me->work->step;
    atomic_int *counter = next_counter(me);
    for (int t, end; take_rows(me, counter, &t, &end);)
        for (int s = chunk_of(step, t); t < end; t++) {
            while (t >= step->chunk_start[s + 1]) s++;
            const int32_t *blocks = step->blocks + step->table_start[s];
            const int place = step->position[t], slot = place % BLOCK_TOKENS, n_here = t - step->chunk_start[s];
            rotate_token(me->work, layer, blocks[place / BLOCK_TOKENS], t);
            if (t + 1 == step->chunk_start[s + 1] && slot <= n_here) /* the block was begun in this chunk, and ends it */
                clear_values(&me->work->model->cache, layer, blocks[place / BLOCK_TOKENS], slot + 1);
        }
    barrier(me->team);
}

static void finish_query(const Work *work, int token, int head, const Softmax *state, const float *mix) {
    const int c = work->model->head_dim;
    float *out = work->attended + ((size_t)token * work->model->n_heads + head) * c;
    for (int i = 0; i < c; i += LANES) store(out + i, load(mix + i) / splat(state->total));
}

static void attend_piece(const Work *work, int layer, const Piece *piece, float *part_mix, float *mix) {
    const Model *model = work->model;
    const Step *step = work->step;
    const int c = model->head_dim, group = model->n_heads / model->n_kv_heads, n = piece->n_tokens * group;
    const float *q = work->q + ((size_t)piece->head * step->n_tokens + piece->first_token) * group * c;
    const int32_t *blocks = step->blocks + step->table_start[piece->chunk];
    int32_t position[TILE_QUERIES] = {0};
    for (int r = 0; r < n; r++) position[r] = step->position[piece->first_token + r / group];
    const int end = position[n - 1] + 1;
    if (piece->slot >= 0) {
        const int begin = piece->part * PART, stop = end < begin + PART ? end : begin + PART;
        attend_part(&model->cache, layer, piece->head, blocks, q, position, n, begin, stop,
                    work->part_state + (size_t)piece->slot * TILE_QUERIES, work->part_mix + (size_t)piece->slot * TILE_QUERIES * c);
        return;
    }
    Softmax state[TILE_QUERIES], part[TILE_QUERIES];
    for (int r = 0; r < n; r++) state[r] = (Softmax){-INFINITY, 0.0f};
    memset(mix, 0, sizeof(float) * (size_t)n * c);
    for (int begin = 0; begin < end; begin += PART) {
        const int stop = end < begin + PART ? end : begin + PART;
        attend_part(&model->cache, layer, piece->head, blocks, q, position, n, begin, stop, part, part_mix);
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
    for (int i; (i = take(counter, 1, work->n_pieces)) < work->n_pieces;) attend_piece(work, layer, &work->pieces[i], part_mix, mix);
    barrier(me->team);
    if (!work->n_slots) return;
    counter = next_counter(me);
    for (int i; (i = take(counter, 1, work->n_pieces)) < work->n_pieces;)
        if (work->pieces[i].slot >= 0 && work->pieces[i].part == 0) merge_piece(work, &work->pieces[i]);
    barrier(me->team);
}

/* Go on with the wanted rows alone: nothing reads what the last layer makes of the others. */
static void keep_wanted_rows(Player *me) {
    const Work *work = me->work;
    const Step *step = work->step;
    const size_t dim = (size_t)work->model->dim, width = (size_t)work->model->n_heads * work->model->head_dim;
    for (int i = 0; me->rank == 0 && i < step->n_rows; i++) { /* ascending, so none is overwritten before its turn */
        memmove(step->x + i * dim, step->x + step->rows[i] * dim, sizeof(float) * dim);
        memmove(work->attended + i * width, work->attended + step->rows[i] * width, sizeof(float) * width);
    }
    me->n_rows = step->n_rows;
    barrier(me->team);
}

static void run_layer(Player *me, int index) {
    Work *work = me->work;
    const Model *model = work->model;
    const Layer *layer = &model->layers[index];
    norm_rows(me, layer->attention_norm, &layer->qkv);
    multiply(me, &layer->qkv, &work->input, work->qkv, work->qkv_width);
    rotate_and_store(me, index);
    attend(me, index);
    if (index == model->n_layers - 1) keep_wanted_rows(me);
    quantize_rows(me, &work->mixed, model->n_heads * model->head_dim, &layer->o);
    multiply_onto_x(me, &layer->o, &work->mixed);
    norm_rows(me, layer->feed_forward_norm, &layer->gate_up);
    multiply_gate_up(me, &layer->gate_up, &work->input);
    quantize_rows(me, &work->inner, work->hidden_width, &layer->down);
    multiply_onto_x(me, &layer->down, &work->inner);
}

static void run_step(Team *team, int rank, void *context) {
    Work *work = context;
    const Model *model = work->model;
    Player me = {team, rank, work, 0, work->step->n_tokens};
    for (int i = 0; i < model->n_layers; i++) run_layer(&me, i);
    norm_rows(&me, model->final_norm, &model->head);
    multiply(&me, &model->head, &work->input, work->step->logits, model->head.n_out);
}

/* ---- what a step consists of ---- */

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
                const int n = t - first < most ? t - first : most;
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

typedef struct {
    Team *team;
    Arena arena;
} Engine;

/* ---- the door: what Python calls ---- */

#define PHASES_OF_LAYER 12

int herd_lanes(void) { return LANES; }

void *herd_open(int n_threads) {
    Engine *engine = calloc(1, sizeof *engine);
    if (!engine) return NULL;
    engine->team = start_team(n_threads);
    if (engine->team) return engine;
    free(engine);
    return NULL;
}

void herd_close(void *handle) {
    Engine *engine = handle;
    stop_team(engine->team);
    free(engine->arena.memory);
    free(engine);
}

/* Returns 0, or 1 where there is no memory for the scratch space; nothing is written then. */
int herd_step(void *handle, const Model *model, const Step *step) {
    Engine *engine = handle;
    Work work = {.model = model, .step = step, .n_counters = (model->n_layers + 1) * PHASES_OF_LAYER};
    cut_attention(model, step, NULL, &work.n_pieces, &work.n_slots);
    Arena plan = {0};
    reserve(&plan, sizeof(Piece) * (size_t)work.n_pieces);
    lay_out(&plan, &work);
    if (plan.used > engine->arena.size) {
        free(engine->arena.memory);
        engine->arena = (Arena){0};
        if (posix_memalign((void **)&engine->arena.memory, HUGE_PAGE, plan.used)) {
            engine->arena.memory = NULL;
            return 1;
        }
        ask_for_huge_pages(engine->arena.memory, plan.used);
        engine->arena.size = plan.used;
    }
    engine->arena.used = 0;
    work.pieces = reserve(&engine->arena, sizeof(Piece) * (size_t)work.n_pieces);
    lay_out(&engine->arena, &work);
    cut_attention(model, step, work.pieces, &work.n_pieces, &work.n_slots);
    memset(work.counters, 0, sizeof(atomic_int) * (size_t)work.n_counters);
    run_job(engine->team, run_step, &work);
    return 0;
}

/* One product on the caller's thread, out [n_rows][matrix->n_out]: what tests compare with the plain version. */
int herd_multiply(const Matrix *matrix, const float *x, int n_rows, int n_in, float *out) {
    const size_t groups = (size_t)matrix->n_in / GROUP;
    narrow *q = malloc((size_t)n_rows * groups * GROUP * sizeof(narrow) + 1);
    float *scale = malloc((size_t)n_rows * groups * sizeof(float) + 1);
    int32_t *offset = malloc((size_t)n_rows * groups * sizeof(int32_t) + 1);
    const int failed = !q || !scale || !offset;
    if (!failed) {
        const Rows rows = {x, n_in, q, scale, offset};
        for (int r = 0; r < n_rows; r++) quantize(&rows, r, n_in, matrix);
        multiply_panels(matrix, 0, matrix->n_out / PANEL, 0, &rows, 0, n_rows, out, matrix->n_out);
    }
    free(q);
    free(scale);
    free(offset);
    return failed;
}

void herd_pack_float32(const float *w, int n_out, int n_in, float *packed) { pack_float32(w, n_out, n_in, packed); }
void herd_pack_bfloat16(const uint16_t *w, int n_out, int n_in, uint16_t *packed) { pack_bfloat16(w, n_out, n_in, packed); }
void herd_pack_int8(const int8_t *q, const uint16_t *scale, int n_out, int n_in, int8_t *packed, uint16_t *scales) {
    pack_int8(q, scale, n_out, n_in, packed, scales);
}
