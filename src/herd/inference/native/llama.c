/* One step of a Llama on a CPU: all layers for the tokens of several sequences, in one call.
 *
 * In: packed weights, a paged cache, embedded tokens with their positions and block tables. Out: logits of the
 * rows that are wanted; keys and values in the cache. Never: memory management beyond its own scratch space,
 * or a result for one row that depends on the other rows.
 */
#include "pieces.h"
#include "products.h"
#include "rows.h"

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
