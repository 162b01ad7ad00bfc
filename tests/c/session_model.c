#include "session_model.h"

#include <stdlib.h>
#include <string.h>

#include "container.h"
#include "log.h"
#include "quick_assert.h"
#include "session.h"

size_t model_random(model_world *model, size_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return (size_t)(model->random >> 11) % below;
}

/* ---- The plain side ------------------------------------------------------------------------------ */

static size_t bytes_of(const model_log *log)
{
    size_t bytes = 0;
    for (uint64_t index = log->base + 1; index <= log->last; index++) {
        bytes += log->entries[index - 1].charged;
    }
    return bytes;
}

/* Whether there is room for so much more. */
static bool is_within(const model_log *log, kedge_time now, size_t entries, size_t bytes)
{
    return log->base == log->last || (log->last - log->base + entries <= log->limits.count &&
                                      bytes_of(log) + bytes <= log->limits.bytes &&
                                      (log->limits.age == KEDGE_NEVER ||
                                       now - log->entries[log->base].time < log->limits.age));
}

static bool is_dropped(const model_world *model, const model_session *session, uint64_t number)
{
    const model_item *item = &session->history[number - session->start - 1];
    return item->index <= model->logs[item->log].base;
}

/* The lowest position to begin at: behind what was dropped, be it that the session was left out of it. */
static uint64_t start_of(const model_world *model, const model_session *session);

/* The highest number of which the entry is gone; if none is, the one before the first. */
static uint64_t base_of(const model_world *model, const model_session *session)
{
    uint64_t base = session->last;
    while (base > session->start && !is_dropped(model, session, base)) {
        base--;
    }
    return base;
}

static uint64_t start_of(const model_world *model, const model_session *session)
{
    uint64_t base = base_of(model, session);
    for (uint64_t i = session->left_out_count; i-- > 0 && session->left_out_at[i] > base;) {
        if (session->left_out[i].index <= model->logs[session->left_out[i].log].base) {
            base = session->left_out_at[i];
        }
    }
    return base;
}

/* A list that has room for one element more: it grows when its length is a power of two. */
static void *grown(void *list, uint64_t length, size_t size)
{
    if ((length & (length - 1)) != 0) {
        return list;
    }
    void *longer = realloc(list, (length == 0 ? 1 : 2 * (size_t)length) * size);
    QUICK_ASSERT(longer != NULL);
    return longer;
}

static void remember(model_session *session, size_t log, uint64_t index)
{
    uint64_t count = session->last - session->start;
    session->history = grown(session->history, count, sizeof *session->history);
    session->history[count].log = log;
    session->history[count].index = index;
    session->last++;
}

static void remember_left_out(model_session *session, size_t log, uint64_t index)
{
    uint64_t count = session->left_out_count;
    session->left_out = grown(session->left_out, count, sizeof *session->left_out);
    session->left_out_at = grown(session->left_out_at, count, sizeof *session->left_out_at);
    session->left_out[count].log = log;
    session->left_out[count].index = index;
    session->left_out_at[count] = session->last;
    session->left_out_count++;
}

static bool is_pending(const model_session *session, const model_cursor *cursor)
{
    return cursor->position < session->last || cursor->unread_count > 0;
}

static void outrun_plainly(model_cursor *cursor)
{
    cursor->outrun = true;
    cursor->pending = false;
    cursor->woken_right++;
}

/* The entries of a log, up to its base, are no longer there to be read. Tells how many that were. */
static size_t forget_unread(model_cursor *cursor, size_t log, uint64_t base)
{
    size_t kept = 0;
    for (size_t i = 0; i < cursor->unread_count; i++) {
        if (cursor->unread[i].log != log || cursor->unread[i].index > base) {
            cursor->unread[kept++] = cursor->unread[i];
        }
    }
    size_t forgotten = cursor->unread_count - kept;
    cursor->unread_count = kept;
    return forgotten;
}

/* What it means for a cursor that a log dropped something. */
static void lose(const model_world *model, const model_session *session, model_cursor *cursor,
                 size_t which)
{
    const model_log *log = &model->logs[which];
    bool outrun = base_of(model, session) > cursor->position;
    uint64_t lost = 0;
    if (log->passing) {
        lost = forget_unread(cursor, which, log->base);
    } else if (outrun) {
        lost = start_of(model, session) - cursor->position;
    }
    if (lost == 0) {
        return;
    }
    if (!log->lossy) {
        outrun_plainly(cursor);
        return;
    }
    cursor->lost += lost;
    cursor->position += log->passing ? 0 : lost;
    cursor->pending = is_pending(session, cursor);
    cursor->woken_right++;
}

static void drop_to(model_world *model, size_t which, uint64_t base)
{
    model->logs[which].base = base;
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        for (size_t c = 0; c < MODEL_CURSORS; c++) {
            model_cursor *cursor = &model->sessions[i].cursors[c];
            if (cursor->open && !cursor->outrun) {
                lose(model, &model->sessions[i], cursor, which);
            }
        }
    }
}

static void drop_plainly(model_world *model, size_t which, size_t entries, size_t bytes)
{
    model_log log = model->logs[which];
    while (!is_within(&log, model->now, entries, bytes)) {
        log.base++;
    }
    drop_to(model, which, log.base);
}

static void pass_plainly(model_session *session, size_t log, uint64_t index)
{
    for (size_t c = 0; c < MODEL_CURSORS; c++) {
        model_cursor *cursor = &session->cursors[c];
        if (cursor->open && !cursor->outrun) {
            QUICK_ASSERT(cursor->unread_count < MODEL_UNREAD);
            cursor->unread[cursor->unread_count].log = log;
            cursor->unread[cursor->unread_count].index = index;
            cursor->unread_count++;
        }
    }
}

static void append_plainly(model_world *model, size_t which, kedge_publication *publication)
{
    model_log *log = &model->logs[which];
    drop_plainly(model, which, 1, kedge_publication_memory(publication));
    log->entries = grown(log->entries, log->last, sizeof *log->entries);
    model_entry entry = {model->stamp, model->now, kedge_publication_memory(publication),
                         publication};
    log->entries[log->last++] = entry;
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        bool gets =
            which < MODEL_TOPICS ? model->sessions[i].follows[which] : which - MODEL_TOPICS == i;
        if (gets && model->sessions[i].skipping) {
            if (!log->passing) {
                remember_left_out(&model->sessions[i], which, log->last);
            }
        } else if (gets && log->passing) {
            pass_plainly(&model->sessions[i], which, log->last);
        } else if (gets) {
            remember(&model->sessions[i], which, log->last);
        }
    }
}

/* What was appended means for a cursor that it has something to read. */
static void notice(const model_session *session, model_cursor *cursor)
{
    if (cursor->open && !cursor->outrun) {
        bool pending = is_pending(session, cursor);
        cursor->woken_right += pending && !cursor->pending;
        cursor->pending = pending;
    }
}

/* ---- Comparing ----------------------------------------------------------------------------------- */

static void compare_log(const model_world *model, const model_log *log)
{
    QUICK_ASSERT(kedge_log_last(log->real) == log->last);
    QUICK_ASSERT(kedge_log_base(log->real) == log->base);
    QUICK_ASSERT(kedge_log_base_stamp(log->real) ==
                 (log->base == 0 ? 0 : log->entries[log->base - 1].stamp));
    QUICK_ASSERT(kedge_log_bytes(log->real) == bytes_of(log));
    QUICK_ASSERT(is_within(log, model->now, 0, 0));
    kedge_time deadline = KEDGE_NEVER;
    if (log->base < log->last && log->limits.age != KEDGE_NEVER) {
        deadline = log->entries[log->base].time + log->limits.age;
        QUICK_ASSERT(kedge_log_at(log->real, log->base + 1)->publication ==
                     log->entries[log->base].publication);
    }
    QUICK_ASSERT(kedge_log_deadline(log->real) == deadline);
}

static void compare_cursor(model_world *model, const model_cursor *cursor)
{
    if (!cursor->open) {
        return;
    }
    QUICK_ASSERT(kedge_cursor_position(&cursor->real) == cursor->position);
    QUICK_ASSERT(kedge_cursor_outrun(&cursor->real) == cursor->outrun);
    QUICK_ASSERT(kedge_cursor_lost(&cursor->real) == cursor->lost);
    if (!model->lazy || model_random(model, 60) == 0) {
        QUICK_ASSERT(kedge_cursor_pending(&cursor->real) == cursor->pending);
    }
    QUICK_ASSERT(model->lazy || cursor->woken == cursor->woken_right);
}

static void compare_session(model_world *model, model_session *session)
{
    QUICK_ASSERT(kedge_session_last(session->real) == session->last);
    QUICK_ASSERT(kedge_session_base(session->real) == start_of(model, session));
    for (size_t topic = 0; topic < MODEL_TOPICS; topic++) {
        QUICK_ASSERT(kedge_session_follows(session->real, model->logs[topic].real) ==
                     session->follows[topic]);
    }
    for (size_t i = 0; i < MODEL_CURSORS; i++) {
        notice(session, &session->cursors[i]);
        compare_cursor(model, &session->cursors[i]);
    }
}

/* A log's readers and counts are those that the sessions have. */
static void compare_counts(const model_world *model, size_t topic)
{
    const kedge_log *log = model->logs[topic].real;
    size_t following = 0;
    size_t referring = 0;
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        const kedge_session *session = model->sessions[i].real;
        following += model->sessions[i].follows[topic];
        for (size_t span = 0; span < session->span_count; span++) {
            referring += session->spans[span].log == log;
        }
        QUICK_ASSERT(kedge_session_refers(session, log) || !model->sessions[i].follows[topic]);
    }
    QUICK_ASSERT(log->following == following);
    QUICK_ASSERT(log->referring == referring);
    QUICK_ASSERT(log->reader_count <= referring * MODEL_CURSORS);
}

static void compare(model_world *model)
{
    for (size_t i = 0; i < MODEL_LOGS; i++) {
        compare_log(model, &model->logs[i]);
    }
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        compare_session(model, &model->sessions[i]);
    }
    for (size_t i = 0; i < MODEL_TOPICS; i++) {
        compare_counts(model, i);
    }
}

/* ---- Steps --------------------------------------------------------------------------------------- */

/* Until `succeeded`, memory fails at some call; what failed must have changed nothing. */
static void fail_soon(model_world *model, bool failing)
{
    model->probe.fails_at = failing && model_random(model, 4) == 0
                                ? model->probe.calls + 1 + model_random(model, 3)
                                : 0;
}

static bool succeeded(model_world *model, kedge_status status)
{
    model->probe.fails_at = 0;
    if (status == KEDGE_NO_MEMORY) {
        model->failures++;
        compare(model);
        return false;
    }
    QUICK_ASSERT(status == KEDGE_OK);
    return true;
}

static kedge_publication *publication_new(model_world *model)
{
    char text[402];
    size_t size = 2 + model_random(model, 400);
    memset(text, (int)('a' + model_random(model, 26)), sizeof text);
    text[0] = '"';
    text[size - 1] = '"';
    kedge_publication_source source = {0};
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("event");
    source.payload = kedge_span_of(text, size);
    kedge_publication *publication = NULL;
    kedge_allocator allocator = memory_probe_allocator(&model->plain_probe);
    QUICK_ASSERT(kedge_publication_create(&publication, allocator, &source) == KEDGE_OK);
    return publication;
}

/* Leaves some of the followers out of the entry that comes; but what a lossy passing log drops of such
 * counts as lost, which the model does not tell. */
static void skip_some(model_world *model, size_t which)
{
    bool passing = model->logs[which].passing;
    bool counted = passing && model->logs[which].lossy;
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        model_session *session = &model->sessions[i];
        session->skipping =
            !counted && which < MODEL_TOPICS && session->follows[which] &&
            model_random(model, 6) == 0 &&
            kedge_session_reserve_skip(session->real, passing) == KEDGE_OK &&
            kedge_session_skip(session->real, model->logs[which].real, model->stamp);
    }
}

static void unskip(model_world *model, size_t which)
{
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        if (model->sessions[i].skipping) {
            kedge_session_unskip(model->sessions[i].real, model->logs[which].passing, model->stamp);
        }
    }
}

static void step_append(model_world *model, bool failing)
{
    size_t which = model_random(model, MODEL_LOGS);
    model_log *log = &model->logs[which];
    kedge_publication *publication = publication_new(model);
    if (model_random(model, 4) == 0) {
        QUICK_ASSERT(kedge_publication_compress(publication, model->encoder) == KEDGE_OK);
    }
    model->stamp += 1 + model_random(model, 3);
    skip_some(model, which);
    fail_soon(model, failing);
    kedge_status status = which < MODEL_TOPICS
                              ? kedge_log_append(log->real, model->stamp, publication, model->now)
                              : kedge_session_send(model->sessions[which - MODEL_TOPICS].real,
                                                   model->stamp, publication, model->now);
    if (kedge_publication_memory(publication) > log->limits.bytes) {
        QUICK_ASSERT(status == KEDGE_LIMIT);
        model->probe.fails_at = 0;
        unskip(model, which);
        kedge_publication_release(publication);
    } else if (status == KEDGE_NO_MEMORY) {
        unskip(model, which);
        (void)succeeded(model, status);
        kedge_publication_release(publication);
    } else if (succeeded(model, status)) {
        append_plainly(model, which, publication);
    }
}

static void step_follow(model_world *model, bool failing)
{
    size_t topic = model_random(model, MODEL_TOPICS);
    model_session *session = &model->sessions[model_random(model, MODEL_SESSIONS)];
    kedge_log *log = model->logs[topic].real;
    if (session->follows[topic] && model_random(model, 3) > 0) {
        QUICK_ASSERT(kedge_session_unfollow(session->real, log) == KEDGE_OK);
        QUICK_ASSERT(kedge_session_unfollow(session->real, log) == KEDGE_UNKNOWN);
        session->follows[topic] = false;
        for (size_t c = 0; c < MODEL_CURSORS; c++) {
            model_cursor *cursor = &session->cursors[c];
            (void)forget_unread(cursor, topic, UINT64_MAX);
            cursor->pending = cursor->pending && is_pending(session, cursor);
        }
    } else {
        fail_soon(model, failing);
        if (succeeded(model, kedge_session_follow(session->real, log))) {
            session->follows[topic] = true;
        }
    }
}

static uint64_t stamp_of(const model_world *model, const model_item *item)
{
    return model->logs[item->log].entries[item->index - 1].stamp;
}

/* What the cursor has to read next, and steps over it; null at the end. */
static const model_item *read_plainly(const model_world *model, const model_session *session,
                                      model_cursor *cursor, model_item *passing)
{
    const model_item *item = cursor->position < session->last
                                 ? &session->history[cursor->position - session->start]
                                 : NULL;
    if (cursor->unread_count > 0 &&
        (item == NULL || stamp_of(model, item) > stamp_of(model, &cursor->unread[0]))) {
        *passing = cursor->unread[0];
        cursor->unread_count--;
        memmove(cursor->unread, cursor->unread + 1, cursor->unread_count * sizeof *passing);
        item = passing;
    } else {
        cursor->position += item != NULL;
    }
    cursor->pending = is_pending(session, cursor);
    return item;
}

static void read_one(const model_world *model, const model_session *session, model_cursor *cursor)
{
    kedge_step step;
    kedge_status status = kedge_cursor_next(&cursor->real, &step);
    if (cursor->outrun) {
        QUICK_ASSERT(status == KEDGE_HISTORY_LOST);
        return;
    }
    model_item passing;
    const model_item *item = read_plainly(model, session, cursor, &passing);
    if (item == NULL) {
        QUICK_ASSERT(status == KEDGE_PARTIAL);
        return;
    }
    QUICK_ASSERT(status == KEDGE_OK);
    const model_log *log = &model->logs[item->log];
    QUICK_ASSERT(step.number == cursor->position);
    QUICK_ASSERT(step.passing == log->passing);
    QUICK_ASSERT(step.log == log->real);
    QUICK_ASSERT(step.index == item->index);
    QUICK_ASSERT(step.stamp == stamp_of(model, item));
    QUICK_ASSERT(step.publication == log->entries[item->index - 1].publication);
}

static void step_read(model_world *model)
{
    model_session *session = &model->sessions[model_random(model, MODEL_SESSIONS)];
    model_cursor *cursor = &session->cursors[model_random(model, MODEL_CURSORS)];
    size_t times = model_random(model, 8) == 0 ? 1000 : model_random(model, 4);
    for (; cursor->open && times > 0; times--) {
        read_one(model, session, cursor);
        times = cursor->pending ? times : 1;
    }
}

static void count_waking(kedge_cursor *cursor)
{
    KEDGE_CONTAINER(cursor, model_cursor, real)->woken++;
}

static kedge_status expected(const model_world *model, const model_session *session,
                             uint64_t position)
{
    if (position > session->last) {
        return KEDGE_HISTORY_AHEAD;
    }
    return position < start_of(model, session) ? KEDGE_HISTORY_LOST : KEDGE_OK;
}

static void step_open(model_world *model, bool failing)
{
    model_session *session = &model->sessions[model_random(model, MODEL_SESSIONS)];
    model_cursor *cursor = &session->cursors[model_random(model, MODEL_CURSORS)];
    kedge_cursor_close(&cursor->real);
    cursor->open = false;
    if (model_random(model, 4) == 0) {
        return;
    }
    uint64_t base = start_of(model, session);
    uint64_t position = base + model_random(model, (size_t)(session->last - base) + 1);
    fail_soon(model, failing);
    if (!succeeded(model, kedge_cursor_open(&cursor->real, session->real, position))) {
        return;
    }
    cursor->real.private_wake = count_waking;
    cursor->open = true;
    cursor->outrun = false;
    cursor->position = position;
    cursor->lost = 0;
    cursor->unread_count = 0;
    cursor->pending = position < session->last;
}

static void step_drop(model_world *model)
{
    size_t which = model_random(model, MODEL_LOGS);
    const model_log *log = &model->logs[which];
    uint64_t held = log->last - log->base;
    if (model_random(model, 2) == 0) {
        model->now += model_random(model, 20);
        for (size_t i = 0; i < MODEL_LOGS; i++) {
            kedge_log_expire(model->logs[i].real, model->now);
            drop_plainly(model, i, 0, 0);
        }
    } else {
        uint64_t to = log->base + model_random(model, (size_t)held / 4 + 1);
        kedge_log_trim(log->real, to);
        drop_to(model, which, to);
    }
}

static void set_random_limits(model_world *model, kedge_log_limits *limits)
{
    limits->count = 1 + model_random(model, model_random(model, 2) == 0 ? 5 : 60);
    limits->bytes = 300 + model_random(model, 12000);
    limits->age = model_random(model, 3) == 0 ? KEDGE_NEVER : 1 + model_random(model, 600);
}

static void step_limits(model_world *model)
{
    size_t which = model_random(model, MODEL_LOGS);
    model_log *log = &model->logs[which];
    set_random_limits(model, &log->limits);
    QUICK_ASSERT(kedge_log_set_limits(log->real, &log->limits, model->now) == KEDGE_OK);
    drop_plainly(model, which, 0, 0);
    log->lossy = log->passing ? log->lossy : model_random(model, 3) == 0;
    QUICK_ASSERT(kedge_log_set_lossy(log->real, log->lossy) == KEDGE_OK);
}

static void step_compress(model_world *model)
{
    size_t which = model_random(model, MODEL_LOGS);
    model_log *log = &model->logs[which];
    uint64_t index = log->base + model_random(model, (size_t)(log->last - log->base) + 1);
    kedge_status status = kedge_log_compress(log->real, index, model->encoder);
    if (index == log->base) {
        QUICK_ASSERT(status == KEDGE_UNKNOWN);
        return;
    }
    QUICK_ASSERT(status == KEDGE_OK);
    model_entry *entry = &log->entries[index - 1];
    QUICK_ASSERT(kedge_publication_is_compressed(entry->publication));
    entry->charged = kedge_publication_memory(entry->publication);
    drop_plainly(model, which, 0, 0);
}

void model_step(model_world *model, bool failing)
{
    if (model_random(model, 3) == 0) {
        (void)kedge_log_tell_some(&model->teller, 1 + model_random(model, 3), NULL);
    }
    size_t what = model_random(model, 100);
    if (what < 45) {
        step_append(model, failing);
    } else if (what < 60) {
        step_follow(model, failing);
    } else if (what < 80) {
        step_read(model);
    } else if (what < 87) {
        step_open(model, failing);
    } else if (what < 91) {
        step_drop(model);
    } else if (what < 98) {
        step_compress(model);
    } else if (what == 98) {
        kedge_session_fold(model->sessions[model_random(model, MODEL_SESSIONS)].real);
    } else if (model_random(model, 10) == 0) {
        step_limits(model);
    }
    compare(model);
}

void model_check_positions(model_world *model, size_t which)
{
    model_session *session = &model->sessions[which];
    for (uint64_t position = 0; position <= session->last + 1; position++) {
        model_cursor cursor = {0};
        kedge_status status = kedge_cursor_open(&cursor.real, session->real, position);
        QUICK_ASSERT(status == expected(model, session, position));
        if (status == KEDGE_OK) {
            cursor.position = position;
            while (cursor.position < session->last) {
                QUICK_ASSERT(kedge_cursor_pending(&cursor.real));
                read_one(model, session, &cursor);
            }
            read_one(model, session, &cursor);
        }
        kedge_cursor_close(&cursor.real);
    }
}

/* ---- Life ---------------------------------------------------------------------------------------- */

static void start_log(model_world *model, size_t which)
{
    model_log *log = &model->logs[which];
    kedge_allocator allocator = memory_probe_allocator(&model->probe);
    set_random_limits(model, &log->limits);
    if (which < MODEL_TOPICS) {
        QUICK_ASSERT(kedge_log_create(&log->real, &log->limits, allocator) == KEDGE_OK);
        log->passing = which < MODEL_PASSING;
        log->lossy = which % 2 == 0;
        QUICK_ASSERT(kedge_log_set_lossy(log->real, log->lossy) == KEDGE_OK);
        if (log->passing) {
            QUICK_ASSERT(kedge_log_set_passing(log->real) == KEDGE_OK);
        }
        return;
    }
    kedge_session_config config = {0};
    config.id = kedge_text("session");
    config.user = kedge_text("user");
    config.own_limits = log->limits;
    config.spans_max = 100000;
    config.skips_max = 100000;
    config.first_number = model_random(model, 4) * 10;
    model_session *session = &model->sessions[which - MODEL_TOPICS];
    session->start = config.first_number == 0 ? 0 : config.first_number - 1;
    session->last = session->start;
    QUICK_ASSERT(kedge_session_create(&session->real, &config, allocator) == KEDGE_OK);
    log->real = kedge_session_own_log(session->real);
}

void model_start(model_world *model, uint64_t seed)
{
    memset(model, 0, sizeof *model);
    model->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    kedge_allocator allocator = memory_probe_allocator(&model->plain_probe);
    QUICK_ASSERT(kedge_zstd_encoder_create(&model->encoder, allocator, 1) == KEDGE_OK);
    model->lazy = seed % 2 == 1;
    model->teller.least = seed / 2 % 4;
    for (size_t i = 0; i < MODEL_LOGS; i++) {
        start_log(model, i);
        model->logs[i].real->teller = model->lazy ? &model->teller : NULL;
    }
}

static void end_sessions(model_world *model)
{
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        model_session *session = &model->sessions[i];
        kedge_session_destroy(session->real);
        for (size_t c = 0; c < MODEL_CURSORS; c++) {
            model_cursor *cursor = &session->cursors[c];
            kedge_step step;
            QUICK_ASSERT(kedge_cursor_outrun(&cursor->real) == cursor->open);
            QUICK_ASSERT(kedge_cursor_next(&cursor->real, &step) ==
                         (cursor->open ? KEDGE_HISTORY_LOST : KEDGE_WRONG_STATE));
            kedge_cursor_close(&cursor->real);
        }
        free(session->history);
        free(session->left_out);
        free(session->left_out_at);
    }
}

static void end_logs(model_world *model)
{
    for (size_t i = 0; i < MODEL_LOGS; i++) {
        model_log *log = &model->logs[i];
        for (uint64_t entry = 0; entry < log->last; entry++) {
            kedge_publication_release(log->entries[entry].publication);
        }
        if (i < MODEL_TOPICS) {
            QUICK_ASSERT(log->real->referring == 0);
            QUICK_ASSERT(log->real->following == 0);
            QUICK_ASSERT(log->real->reader_count == 0);
            kedge_log_destroy(log->real);
        }
        free(log->entries);
    }
}

void model_end(model_world *model)
{
    end_sessions(model);
    end_logs(model);
    kedge_zstd_encoder_free(model->encoder);
    QUICK_ASSERT(model->probe.blocks == 0);
    QUICK_ASSERT(model->plain_probe.blocks == 0);
}
