#include "session.h"

#include "cursor.h"
#include "memory.h"
#include "span.h"

#define FIRST_SPANS 2
#define FOLD_AT_LEAST 4
#define FIRST_SKIPS 4
#define SKIPS_DEFAULT 1000
#define NO_SPAN SIZE_MAX

/* ---- Spans --------------------------------------------------------------------------------------- */

/* The stamp of the newest entry of a span that its log dropped, 0 if it dropped none. */
static uint64_t dropped_stamp_of(const kedge_session_span *span)
{
    if (span->log->passing || span->log->base < span->first) {
        return 0;
    }
    return span->log->base <= kedge_span_newest(span) ? span->log->base_stamp : span->end_stamp;
}

uint64_t kedge_span_entries_until(const kedge_session_span *span, uint64_t stamp)
{
    if (span->log->passing || kedge_span_newest_stamp(span) <= stamp) {
        return kedge_span_entries(span);
    }
    uint64_t after = kedge_log_after(span->log, stamp);
    return after <= span->first ? 0 : after - span->first;
}

uint64_t kedge_session_dropped_stamp(const kedge_session *session)
{
    uint64_t stamp = session->checkpoint_stamp;
    for (size_t i = 0; i < session->span_count; i++) {
        uint64_t dropped = dropped_stamp_of(&session->spans[i]);
        stamp = dropped > stamp ? dropped : stamp;
    }
    return stamp;
}

/* The index of the span by which the session follows a log, NO_SPAN if it does not. */
static size_t find_open(const kedge_session *session, const kedge_log *log)
{
    for (size_t i = 0; i < session->span_count; i++) {
        if (session->spans[i].log == log && session->spans[i].end == KEDGE_SPAN_OPEN) {
            return i;
        }
    }
    return NO_SPAN;
}

/* The span that ended where the log still ends: following again is as if it had not been left. */
static size_t find_reopenable(const kedge_session *session, const kedge_log *log)
{
    for (size_t i = 0; i < session->span_count; i++) {
        if (session->spans[i].log == log && session->spans[i].end == log->last) {
            return i;
        }
    }
    return NO_SPAN;
}

static kedge_cursor *first_reading(kedge_cursor *cursor)
{
    while (cursor != NULL && cursor->private_outrun) {
        cursor = cursor->private_next;
    }
    return cursor;
}

/* Every cursor of the session that was not outrun. */
#define FOR_EACH_CURSOR(session, cursor)                                                           \
    for (kedge_cursor *cursor = first_reading((session)->cursors); cursor != NULL;                 \
         cursor = first_reading(cursor->private_next))

/* Removes a span that has nothing to give any more; the last one takes its index. */
static void remove_span(kedge_session *session, size_t i)
{
    kedge_log *log = session->spans[i].log;
    FOR_EACH_CURSOR(session, lagging)
    {
        kedge_cursor_check_read(lagging, i);
    }
    size_t last = session->span_count - 1;
    FOR_EACH_CURSOR(session, cursor)
    {
        kedge_cursor_remove_place(cursor, i, last);
    }
    session->spans[i] = session->spans[last];
    session->span_count--;
    kedge_log_unrefer(log);
}

static void drop_skips(kedge_skips *skips, size_t count)
{
    skips->count -= count;
    for (size_t i = 0; i < skips->count; i++) {
        skips->stamps[i] = skips->stamps[i + count];
    }
}

/* All that has a stamp up to this one, which is not less than that of any entry that was dropped. */
static void fold_to(kedge_session *session, uint64_t stamp)
{
    if (stamp > session->checkpoint_stamp) {
        for (size_t i = session->span_count; i-- > 0;) {
            kedge_session_span *span = &session->spans[i];
            uint64_t folded = kedge_span_entries_until(span, stamp);
            span->first += folded;
            session->checkpoint_number += folded;
            if (span->end != KEDGE_SPAN_OPEN && span->first > span->end) {
                session->ended_count--;
                remove_span(session, i);
            }
        }
        size_t skipped = kedge_skips_until(&session->skips, stamp);
        session->checkpoint_number -= skipped;
        drop_skips(&session->skips, skipped);
        session->checkpoint_stamp = stamp;
    }
    session->fold_at = FOLD_AT_LEAST + 2 * session->ended_count;
}

/* A cursor may not have come yet to what lies before a dropped entry that the session was left out of. */
static bool is_read_before(const kedge_session *session, uint64_t number)
{
    FOR_EACH_CURSOR(session, cursor)
    {
        if (cursor->private_number < number) {
            return true;
        }
    }
    return false;
}

void kedge_session_fold(kedge_session *session)
{
    if (session->skips.count > 0 && is_read_before(session, kedge_session_base(session))) {
        return;
    }
    fold_to(session, kedge_session_dropped_stamp(session));
}

/* ---- Skips --------------------------------------------------------------------------------------- */

size_t kedge_skips_until(const kedge_skips *skips, uint64_t stamp)
{
    size_t low = 0;
    size_t high = skips->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skips->stamps[middle] > stamp) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

bool kedge_skips_has(const kedge_skips *skips, uint64_t stamp)
{
    if (skips->count == 0) {
        return false;
    }
    size_t until = kedge_skips_until(skips, stamp);
    return until > 0 && skips->stamps[until - 1] == stamp;
}

static kedge_skips *skips_of(kedge_session *session, bool passing)
{
    return passing ? &session->passing_skips : &session->skips;
}

kedge_status kedge_session_reserve_skip(kedge_session *session, bool passing)
{
    kedge_skips *skips = skips_of(session, passing);
    if (skips->count < skips->capacity) {
        return KEDGE_OK;
    }
    uint64_t *stamps = kedge_memory_grow(session->allocator, skips->stamps, &skips->capacity,
                                         skips->count + 1, FIRST_SKIPS, sizeof *stamps);
    if (stamps == NULL) {
        return KEDGE_NO_MEMORY;
    }
    skips->stamps = stamps;
    return KEDGE_OK;
}

/* Whether a cursor still has to read what was told before. */
static bool is_lagging(const kedge_session *session)
{
    FOR_EACH_CURSOR(session, cursor)
    {
        if (cursor->private_pending > 0) {
            return true;
        }
    }
    return false;
}

bool kedge_session_skip(kedge_session *session, kedge_log *log, uint64_t stamp)
{
    kedge_skips *skips = skips_of(session, log->passing);
    log->skipped = true;
    if (kedge_skips_has(skips, stamp)) {
        return false;
    }
    if (log->passing && !is_lagging(session)) {
        skips->count = 0;
    }
    skips->stamps[skips->count++] = stamp;
    return true;
}

void kedge_session_unskip(kedge_session *session, bool passing, uint64_t stamp)
{
    kedge_skips *skips = skips_of(session, passing);
    skips->count -= kedge_skips_has(skips, stamp);
}

/* The cursors that have not read up to this number, nor passing entries up to now. */
static void stop_lagging(const kedge_session *session, uint64_t number, bool passing)
{
    FOR_EACH_CURSOR(session, cursor)
    {
        if (cursor->private_number < number || (passing && cursor->private_pending > 0)) {
            kedge_cursor_stop(cursor);
        }
    }
}

/* The history so far counts as lost. */
static void forget(kedge_session *session)
{
    uint64_t newest = session->checkpoint_stamp;
    for (size_t i = 0; i < session->span_count; i++) {
        const kedge_session_span *span = &session->spans[i];
        if (!span->log->passing && kedge_span_newest_stamp(span) > newest) {
            newest = kedge_span_newest_stamp(span);
        }
    }
    stop_lagging(session, kedge_session_last(session), false);
    fold_to(session, newest);
}

bool kedge_session_bound_skips(kedge_session *session)
{
    if (session->passing_skips.count <= session->skips_max &&
        session->skips.count <= session->skips_max) {
        return false;
    }
    kedge_log_tell_all(session->own.teller); /* so that who lags is known to lag */
    if (session->passing_skips.count > session->skips_max) {
        stop_lagging(session, 0, true);
        session->passing_skips.count = 0;
    }
    if (session->skips.count > session->skips_max) {
        kedge_session_fold(session);
    }
    if (session->skips.count <= session->skips_max) {
        return false;
    }
    forget(session);
    return true;
}

static kedge_status reserve_spans(kedge_session *session, size_t count)
{
    if (count <= session->span_capacity) {
        return KEDGE_OK;
    }
    kedge_session_span *spans =
        kedge_memory_grow(session->allocator, session->spans, &session->span_capacity, count,
                          FIRST_SPANS, sizeof *spans);
    if (spans == NULL) {
        return KEDGE_NO_MEMORY;
    }
    session->spans = spans;
    return KEDGE_OK;
}

kedge_status kedge_session_reserve(kedge_session *session, size_t more)
{
    if (more > session->spans_max - (session->span_count - 1)) {
        kedge_session_fold(session);
        if (more > session->spans_max - (session->span_count - 1)) {
            return KEDGE_TOO_MANY_TOPICS;
        }
    }
    size_t count = session->span_count + more;
    kedge_status status = reserve_spans(session, count);
    FOR_EACH_CURSOR(session, cursor)
    {
        if (status == KEDGE_OK) {
            status = kedge_cursor_reserve(cursor, session->allocator, count);
        }
    }
    return status;
}

/* Room for the readers that the session's cursors need in a log. */
static kedge_status reserve_readers(const kedge_session *session, kedge_log *log)
{
    size_t readers = 0;
    FOR_EACH_CURSOR(session, cursor)
    {
        readers++;
    }
    return kedge_log_reserve_readers(log, readers);
}

/* ---- Sessions ------------------------------------------------------------------------------------ */

static bool config_right(const kedge_session_config *config)
{
    return config != NULL && kedge_log_limits_right(&config->own_limits) &&
           !kedge_span_is_missing(config->id) && !kedge_span_is_missing(config->user) &&
           config->spans_max < SIZE_MAX && config->first_number <= UINT64_MAX / 2 &&
           config->id.size <= SIZE_MAX / 4 && config->user.size <= SIZE_MAX / 4;
}

static kedge_span copy_span(uint8_t *to, kedge_span from)
{
    if (from.size > 0) {
        memcpy(to, from.data, from.size);
    }
    return kedge_span_of(to, from.size);
}

static void init_session(kedge_session *session, const kedge_session_config *config, size_t size,
                         kedge_allocator allocator)
{
    uint8_t *text = (uint8_t *)(session + 1);
    *session = (kedge_session){0};
    session->allocator = allocator;
    session->size = size;
    session->id = copy_span(text, config->id);
    session->user = copy_span(text + config->id.size, config->user);
    session->spans_max = config->spans_max;
    session->skips_max = config->skips_max == 0 ? SKIPS_DEFAULT : config->skips_max;
    session->fold_at = FOLD_AT_LEAST;
    session->checkpoint_number = config->first_number == 0 ? 0 : config->first_number - 1;
    kedge_log_init(&session->own, &config->own_limits, allocator);
    session->own.own = true;
}

kedge_status kedge_session_create(kedge_session **session, const kedge_session_config *config,
                                  kedge_allocator allocator)
{
    if (session == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *session = NULL;
    if (!config_right(config) || allocator.resize == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    size_t size = sizeof **session + config->id.size + config->user.size;
    kedge_session *made = kedge_memory_new(allocator, size);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    init_session(made, config, size, allocator);
    if (reserve_spans(made, 1) != KEDGE_OK) {
        kedge_memory_free(allocator, made, size);
        return KEDGE_NO_MEMORY;
    }
    kedge_session_span own = {&made->own, 1, KEDGE_SPAN_OPEN, 0};
    made->spans[0] = own;
    made->span_count = 1;
    kedge_log_refer(&made->own);
    *session = made;
    return KEDGE_OK;
}

void kedge_session_destroy(kedge_session *session)
{
    if (session == NULL) {
        return;
    }
    while (session->cursors != NULL) {
        kedge_cursor_end(session->cursors);
    }
    for (size_t i = 1; i < session->span_count; i++) {
        session->spans[i].log->following -= session->spans[i].end == KEDGE_SPAN_OPEN;
        kedge_log_unrefer(session->spans[i].log);
    }
    kedge_log_clear(&session->own);
    kedge_memory_free(session->allocator, session->spans,
                      session->span_capacity * sizeof *session->spans);
    kedge_memory_free(session->allocator, session->skips.stamps,
                      session->skips.capacity * sizeof *session->skips.stamps);
    kedge_memory_free(session->allocator, session->passing_skips.stamps,
                      session->passing_skips.capacity * sizeof *session->passing_skips.stamps);
    kedge_memory_free(session->allocator, session, session->size);
}

kedge_span kedge_session_id(const kedge_session *session)
{
    return session == NULL ? kedge_span_of(NULL, 0) : session->id;
}

kedge_span kedge_session_user(const kedge_session *session)
{
    return session == NULL ? kedge_span_of(NULL, 0) : session->user;
}

uint64_t kedge_session_last(const kedge_session *session)
{
    uint64_t number = session == NULL ? 0 : session->checkpoint_number;
    for (size_t i = 0; session != NULL && i < session->span_count; i++) {
        number += kedge_span_entries(&session->spans[i]);
    }
    return session == NULL ? 0 : number - session->skips.count;
}

uint64_t kedge_session_base(const kedge_session *session)
{
    if (session == NULL) {
        return 0;
    }
    uint64_t number = session->checkpoint_number;
    uint64_t stamp = kedge_session_dropped_stamp(session);
    for (size_t i = 0; stamp > session->checkpoint_stamp && i < session->span_count; i++) {
        number += kedge_span_entries_until(&session->spans[i], stamp);
    }
    return number - kedge_skips_until(&session->skips, stamp);
}

/* Follows again by a span that ended where its log still ends. */
static kedge_status reopen(kedge_session *session, size_t i)
{
    kedge_session_span *span = &session->spans[i];
    kedge_status status = reserve_readers(session, span->log);
    if (status != KEDGE_OK) {
        return status;
    }
    span->end = KEDGE_SPAN_OPEN;
    session->ended_count--;
    span->log->following++;
    FOR_EACH_CURSOR(session, cursor)
    {
        kedge_cursor_reopen_place(cursor, i, span);
    }
    return KEDGE_OK;
}

static kedge_status add_span(kedge_session *session, kedge_log *log)
{
    kedge_status status = kedge_session_reserve(session, 1);
    if (status == KEDGE_OK) {
        status = reserve_readers(session, log);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_session_span span = {log, log->last + 1, KEDGE_SPAN_OPEN, 0};
    FOR_EACH_CURSOR(session, cursor)
    {
        kedge_cursor_enter(cursor, session->span_count, &span, span.first);
    }
    session->spans[session->span_count++] = span;
    log->following++;
    kedge_log_refer(log);
    return KEDGE_OK;
}

kedge_status kedge_session_follow(kedge_session *session, kedge_log *log)
{
    if (session == NULL || log == NULL || (log->own && log != &session->own)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (find_open(session, log) != NO_SPAN) {
        return KEDGE_OK;
    }
    size_t ended = find_reopenable(session, log);
    return ended == NO_SPAN ? add_span(session, log) : reopen(session, ended);
}

static void end_span(kedge_session *session, size_t i)
{
    kedge_session_span *span = &session->spans[i];
    kedge_log_tell_all(span->log->teller); /* what is read of an ended span has been told */
    span->end = span->log->last;
    span->end_stamp = span->log->last_stamp;
    session->ended_count++;
    FOR_EACH_CURSOR(session, cursor)
    {
        kedge_cursor_end_place(cursor, i, span->end);
    }
    if (session->ended_count > session->fold_at) {
        kedge_session_fold(session);
    }
}

kedge_status kedge_session_unfollow(kedge_session *session, kedge_log *log)
{
    if (session == NULL || log == NULL || log == &session->own) {
        return KEDGE_INVALID_ARGUMENT;
    }
    size_t i = find_open(session, log);
    if (i == NO_SPAN) {
        return KEDGE_UNKNOWN;
    }
    log->following--;
    if (log->passing || session->spans[i].first > log->last) {
        remove_span(session, i);
    } else {
        end_span(session, i);
    }
    return KEDGE_OK;
}

bool kedge_session_follows(const kedge_session *session, const kedge_log *log)
{
    return session != NULL && find_open(session, log) != NO_SPAN;
}

bool kedge_session_refers(const kedge_session *session, const kedge_log *log)
{
    for (size_t i = 0; session != NULL && i < session->span_count; i++) {
        if (session->spans[i].log == log) {
            return true;
        }
    }
    return false;
}

kedge_status kedge_session_send(kedge_session *session, uint64_t stamp,
                                kedge_publication *publication, kedge_time now)
{
    return kedge_log_append(kedge_session_own_log(session), stamp, publication, now);
}

kedge_log *kedge_session_own_log(kedge_session *session)
{
    return session == NULL ? NULL : &session->own;
}

/* ---- Restore ------------------------------------------------------------------------------------- */

/* The stamp at an index that the log has given, as far as it is known: of those that were dropped only
 * the newest one's is. */
static uint64_t stamp_known(const kedge_log *log, uint64_t index)
{
    return index > log->base ? kedge_log_entry_of(log, index)->stamp : log->base_stamp;
}

static bool restored_end_right(const kedge_session_span *span)
{
    const kedge_log *log = span->log;
    if (span->end < span->first || span->end > log->last) {
        return false;
    }
    uint64_t known = stamp_known(log, span->end);
    return span->end < log->base ? span->end_stamp < known : span->end_stamp == known;
}

/* The checkpoint stands for all that came before the spans: what they hold is newer. */
static bool restored_span_right(const kedge_session_span *span, uint64_t checkpoint_stamp)
{
    const kedge_log *log = span->log;
    if (log == NULL || span->first == 0 || span->first > log->last + 1 ||
        (span->end != KEDGE_SPAN_OPEN && !restored_end_right(span))) {
        return false;
    }
    return kedge_span_entries(span) == 0 || stamp_known(log, span->first) > checkpoint_stamp;
}

static kedge_status check_restored(const kedge_session *session, uint64_t checkpoint_stamp,
                                   const kedge_session_span *spans, size_t count)
{
    if (spans == NULL || count == 0 || spans[0].end != KEDGE_SPAN_OPEN) {
        return KEDGE_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < count; i++) {
        kedge_session_span span = spans[i];
        if (i == 0) {
            span.log = (kedge_log *)&session->own;
        }
        if (!restored_span_right(&span, checkpoint_stamp) || (i > 0 && span.log->own)) {
            return KEDGE_INVALID_ARGUMENT;
        }
    }
    return count - 1 > session->spans_max ? KEDGE_TOO_MANY_TOPICS : KEDGE_OK;
}

static void take_span(kedge_session *session, const kedge_session_span *span)
{
    session->spans[session->span_count++] = *span;
    kedge_log_refer(span->log);
    if (span->end == KEDGE_SPAN_OPEN) {
        span->log->following++;
    } else {
        session->ended_count++;
    }
}

kedge_status kedge_session_restore(kedge_session *session, uint64_t checkpoint_number,
                                   uint64_t checkpoint_stamp, const kedge_session_span *spans,
                                   size_t count)
{
    if (session == NULL || checkpoint_number > UINT64_MAX / 2 ||
        checkpoint_stamp == KEDGE_STAMP_NONE) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (session->cursors != NULL || session->span_count > 1 || session->checkpoint_stamp > 0) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = check_restored(session, checkpoint_stamp, spans, count);
    if (status == KEDGE_OK) {
        status = reserve_spans(session, count);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    session->checkpoint_number = checkpoint_number;
    session->checkpoint_stamp = checkpoint_stamp;
    session->spans[0].first = spans[0].first;
    for (size_t i = 1; i < count; i++) {
        take_span(session, &spans[i]);
    }
    return KEDGE_OK;
}

static bool is_held(const kedge_session *session, uint64_t stamp)
{
    for (size_t i = 0; i < session->span_count; i++) {
        const kedge_session_span *span = &session->spans[i];
        uint64_t index = kedge_log_after(span->log, stamp - 1);
        if (!span->log->passing && index >= span->first && index <= kedge_span_newest(span) &&
            kedge_log_entry_of(span->log, index)->stamp == stamp) {
            return true;
        }
    }
    return false;
}

/* What was dropped since cannot be looked at; then there must be as many entries as skips. */
kedge_status kedge_session_restore_skip(kedge_session *session, uint64_t stamp)
{
    uint64_t dropped = kedge_session_dropped_stamp(session);
    uint64_t above = session->skips.count == 0 ? session->checkpoint_stamp
                                               : session->skips.stamps[session->skips.count - 1];
    if (stamp <= above ||
        (stamp <= dropped ? kedge_session_base(session) == session->checkpoint_number
                          : !is_held(session, stamp))) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (kedge_session_reserve_skip(session, false) != KEDGE_OK) {
        return KEDGE_NO_MEMORY;
    }
    session->skips.stamps[session->skips.count++] = stamp;
    for (size_t i = 0; i < session->span_count; i++) {
        session->spans[i].log->skipped = true;
    }
    return KEDGE_OK;
}
