#include "session.h"

#include "memory.h"

#define FIRST_SPANS 2
#define FIRST_PLACES 2
#define FOLD_AT_LEAST 4
#define NO_SPAN SIZE_MAX

/* ---- The heap of a cursor ------------------------------------------------------------------------
 *
 * The places that have something to read, by the stamp of what it is. The earliest lies in the cursor, the
 * others in the heap, the earliest of them in front: a cursor that reads along in one place at a time
 * never touches it. */

static void rise(kedge_cursor_head *heap, size_t at, kedge_cursor_head head)
{
    while (at > 0 && head.private_stamp < heap[(at - 1) / 2].private_stamp) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = head;
}

static void sink(kedge_cursor_head *heap, size_t count, kedge_cursor_head head)
{
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1].private_stamp < heap[child].private_stamp) {
            child++;
        }
        if (head.private_stamp <= heap[child].private_stamp) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = head;
}

static void add_head(kedge_cursor *cursor, uint64_t stamp, size_t place)
{
    kedge_cursor_head head = {stamp, place};
    size_t others = cursor->private_pending;
    cursor->private_pending++;
    if (others == 0) {
        cursor->private_first = head;
        return;
    }
    if (stamp < cursor->private_first.private_stamp) {
        head = cursor->private_first;
        cursor->private_first.private_stamp = stamp;
        cursor->private_first.private_place = place;
    }
    rise(cursor->private_heap, others - 1, head);
}

/* The first place has now something with this stamp. */
static void change_first(kedge_cursor *cursor, uint64_t stamp)
{
    kedge_cursor_head *heap = cursor->private_heap;
    kedge_cursor_head head = {stamp, cursor->private_first.private_place};
    if (cursor->private_pending == 1 || stamp < heap[0].private_stamp) {
        cursor->private_first = head;
        return;
    }
    cursor->private_first = heap[0];
    sink(heap, cursor->private_pending - 1, head);
}

/* The first place has nothing any more. */
static void remove_first(kedge_cursor *cursor)
{
    kedge_cursor_head *heap = cursor->private_heap;
    cursor->private_pending--;
    if (cursor->private_pending == 0) {
        return;
    }
    cursor->private_first = heap[0];
    sink(heap, cursor->private_pending - 1, heap[cursor->private_pending - 1]);
}

static void rename_head(kedge_cursor *cursor, size_t from, size_t to)
{
    for (size_t i = 0; i < cursor->private_pending; i++) {
        kedge_cursor_head *head =
            i == 0 ? &cursor->private_first : &cursor->private_heap[i - 1];
        if (head->private_place == from) {
            head->private_place = to;
        }
    }
}

/* ---- What logs tell a cursor --------------------------------------------------------------------- */

static void wake(kedge_cursor *cursor)
{
    if (cursor->private_wake != NULL) {
        cursor->private_wake(cursor);
    }
}

static void drain(struct kedge_cursor_place *place)
{
    if (place->slot != KEDGE_CURSOR_DRAINED) {
        kedge_log_remove_reader(place->log, place->slot);
        place->slot = KEDGE_CURSOR_DRAINED;
    }
}

/* An outrun cursor has no places any more: it is passed over when its session's spans change. */
static void leave_places(kedge_cursor *cursor)
{
    size_t count = cursor->private_outrun ? 0 : cursor->private_session->span_count;
    for (size_t i = 0; i < count; i++) {
        drain(&cursor->private_places[i]);
    }
    cursor->private_pending = 0;
}

static void place_arrived(void *owner, size_t place, uint64_t stamp)
{
    kedge_cursor *cursor = owner;
    add_head(cursor, stamp, place);
    if (cursor->private_pending == 1) {
        wake(cursor);
    }
}

static void place_outrun(void *owner)
{
    kedge_cursor *cursor = owner;
    leave_places(cursor);
    cursor->private_outrun = true;
    wake(cursor);
}

static void place_moved(void *owner, size_t place, size_t slot)
{
    kedge_cursor *cursor = owner;
    cursor->private_places[place].slot = slot;
}

static const kedge_log_listener listener = {place_arrived, place_outrun, place_moved};

/* ---- Places -------------------------------------------------------------------------------------- */

/* Heap and places are one block. */
static size_t block_size(size_t capacity)
{
    return capacity * (sizeof(kedge_cursor_head) + sizeof(struct kedge_cursor_place));
}

/* Room for as many places; what there is stays. */
static kedge_status reserve_places(kedge_cursor *cursor, kedge_allocator allocator, size_t count)
{
    if (count <= cursor->private_capacity) {
        return KEDGE_OK;
    }
    size_t capacity =
        kedge_memory_grown(cursor->private_capacity, count, FIRST_PLACES, block_size(1));
    kedge_cursor_head *heap =
        capacity == 0 ? NULL : kedge_memory_new(allocator, block_size(capacity));
    if (heap == NULL) {
        return KEDGE_NO_MEMORY;
    }
    struct kedge_cursor_place *places = (struct kedge_cursor_place *)(void *)(heap + capacity);
    for (size_t i = 0; i < cursor->private_capacity; i++) {
        heap[i] = cursor->private_heap[i];
        places[i] = cursor->private_places[i];
    }
    kedge_memory_free(allocator, cursor->private_heap, block_size(cursor->private_capacity));
    cursor->private_heap = heap;
    cursor->private_places = places;
    cursor->private_capacity = capacity;
    return KEDGE_OK;
}

static void free_places(kedge_cursor *cursor, kedge_allocator allocator)
{
    kedge_memory_free(allocator, cursor->private_heap, block_size(cursor->private_capacity));
    cursor->private_heap = NULL;
    cursor->private_places = NULL;
    cursor->private_capacity = 0;
}

/* Registers a cursor's place as a reader of its span. Room for both was reserved. */
static void enter_place(kedge_cursor *cursor, size_t i, const kedge_session_span *span,
                        uint64_t next)
{
    kedge_log_reader reader = {cursor, i, next};
    struct kedge_cursor_place *place = &cursor->private_places[i];
    place->log = span->log;
    place->end = span->end;
    place->slot = kedge_log_add_reader(span->log, &listener, reader);
}

/* A place that may be removed has nothing to read. Where stamps did not rise from log to log, against the
 * contract, a span can be folded before its reader was there: the reader is outrun. */
static void check_place_read(kedge_cursor *cursor, size_t i)
{
    const struct kedge_cursor_place *place = &cursor->private_places[i];
    if (place->end != KEDGE_SPAN_OPEN && place->slot != KEDGE_CURSOR_DRAINED) {
        place_outrun(cursor);
    }
}

/* Removes a place; the last one takes its index. */
static void remove_place(kedge_cursor *cursor, size_t i, size_t last)
{
    struct kedge_cursor_place *places = cursor->private_places;
    drain(&places[i]);
    if (i == last) {
        return;
    }
    places[i] = places[last];
    if (places[i].slot != KEDGE_CURSOR_DRAINED) {
        places[i].log->readers[places[i].slot].place = i;
        rename_head(cursor, last, i);
    }
}

/* A span ended: its place stays registered only while there is something to read in it. */
static void end_place(struct kedge_cursor_place *place, uint64_t end)
{
    place->end = end;
    if (place->log->readers[place->slot].next > end) {
        drain(place);
    }
}

static void reopen_place(kedge_cursor *cursor, size_t i, const kedge_session_span *span)
{
    if (cursor->private_places[i].slot == KEDGE_CURSOR_DRAINED) {
        enter_place(cursor, i, span, span->log->last + 1);
    } else {
        cursor->private_places[i].end = KEDGE_SPAN_OPEN;
    }
}

/* ---- Spans --------------------------------------------------------------------------------------- */

static uint64_t newest_of(const kedge_session_span *span)
{
    return span->end == KEDGE_SPAN_OPEN ? span->log->last : span->end;
}

static uint64_t newest_stamp_of(const kedge_session_span *span)
{
    return span->end == KEDGE_SPAN_OPEN ? span->log->last_stamp : span->end_stamp;
}

static uint64_t entries_of(const kedge_session_span *span)
{
    return newest_of(span) + 1 - span->first;
}

/* The stamp of the newest entry of a span that its log dropped, 0 if it dropped none. */
static uint64_t dropped_stamp_of(const kedge_session_span *span)
{
    if (span->log->base < span->first) {
        return 0;
    }
    return span->log->base <= newest_of(span) ? span->log->base_stamp : span->end_stamp;
}

/* How many entries of a span have a stamp up to this one, which is not less than that of any entry that
 * was dropped. */
static uint64_t entries_until(const kedge_session_span *span, uint64_t stamp)
{
    if (newest_stamp_of(span) <= stamp) {
        return entries_of(span);
    }
    uint64_t after = kedge_log_after(span->log, stamp);
    return after <= span->first ? 0 : after - span->first;
}

/* The stamp behind which all of the history is held. */
static uint64_t dropped_stamp(const kedge_session *session)
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
    FOR_EACH_CURSOR(session, lagging) {
        check_place_read(lagging, i);
    }
    size_t last = session->span_count - 1;
    FOR_EACH_CURSOR(session, cursor) {
        remove_place(cursor, i, last);
    }
    session->spans[i] = session->spans[last];
    session->span_count--;
    kedge_log_unrefer(log);
}

void kedge_session_fold(kedge_session *session)
{
    uint64_t stamp = dropped_stamp(session);
    if (stamp > session->checkpoint_stamp) {
        for (size_t i = session->span_count; i-- > 0;) {
            kedge_session_span *span = &session->spans[i];
            uint64_t folded = entries_until(span, stamp);
            span->first += folded;
            session->checkpoint_number += folded;
            if (span->end != KEDGE_SPAN_OPEN && span->first > span->end) {
                session->ended_count--;
                remove_span(session, i);
            }
        }
        session->checkpoint_stamp = stamp;
    }
    session->fold_at = FOLD_AT_LEAST + 2 * session->ended_count;
}

static kedge_status reserve_spans(kedge_session *session, size_t count)
{
    if (count <= session->span_capacity) {
        return KEDGE_OK;
    }
    size_t size = sizeof *session->spans;
    size_t grown = kedge_memory_grown(session->span_capacity, count, FIRST_SPANS, size);
    kedge_session_span *spans =
        grown == 0 ? NULL
                   : session->allocator.resize(session->allocator.context, session->spans,
                                               session->span_capacity * size, grown * size);
    if (spans == NULL) {
        return KEDGE_NO_MEMORY;
    }
    session->spans = spans;
    session->span_capacity = grown;
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
    FOR_EACH_CURSOR(session, cursor) {
        if (status == KEDGE_OK) {
            status = reserve_places(cursor, session->allocator, count);
        }
    }
    return status;
}

/* Room for the readers that the session's cursors need in a log. */
static kedge_status reserve_readers(const kedge_session *session, kedge_log *log)
{
    size_t readers = 0;
    FOR_EACH_CURSOR(session, cursor) {
        readers++;
    }
    return kedge_log_reserve_readers(log, readers);
}

/* ---- Sessions ------------------------------------------------------------------------------------ */

static bool span_right(kedge_span span)
{
    return span.data != NULL || span.size == 0;
}

static bool config_right(const kedge_session_config *config)
{
    return config != NULL && kedge_log_limits_right(&config->own_limits) &&
           span_right(config->id) && span_right(config->user) &&
           config->spans_max < SIZE_MAX && config->id.size <= SIZE_MAX / 4 &&
           config->user.size <= SIZE_MAX / 4;
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
    session->fold_at = FOLD_AT_LEAST;
    kedge_log_init(&session->own, &config->own_limits, allocator);
    session->own.own = true;
}

kedge_status kedge_session_create(kedge_session **session, const kedge_session_config *config,
                                  kedge_allocator allocator)
{
    if (session == NULL || !config_right(config) || allocator.resize == NULL) {
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

/* Takes a cursor out of its session and its logs; what it tells of itself stays. */
static void leave_session(kedge_cursor *cursor)
{
    leave_places(cursor);
    free_places(cursor, cursor->private_session->allocator);
    *cursor->private_link = cursor->private_next;
    if (cursor->private_next != NULL) {
        cursor->private_next->private_link = cursor->private_link;
    }
    cursor->private_session = NULL;
}

static void end_cursors(kedge_session *session)
{
    while (session->cursors != NULL) {
        kedge_cursor *cursor = session->cursors;
        leave_session(cursor);
        cursor->private_outrun = true;
        wake(cursor);
    }
}

void kedge_session_destroy(kedge_session *session)
{
    if (session == NULL) {
        return;
    }
    end_cursors(session);
    for (size_t i = 1; i < session->span_count; i++) {
        session->spans[i].log->following -= session->spans[i].end == KEDGE_SPAN_OPEN;
        kedge_log_unrefer(session->spans[i].log);
    }
    kedge_log_clear(&session->own);
    kedge_memory_free(session->allocator, session->spans,
                      session->span_capacity * sizeof *session->spans);
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
        number += entries_of(&session->spans[i]);
    }
    return number;
}

uint64_t kedge_session_base(const kedge_session *session)
{
    if (session == NULL) {
        return 0;
    }
    uint64_t number = session->checkpoint_number;
    uint64_t stamp = dropped_stamp(session);
    for (size_t i = 0; stamp > session->checkpoint_stamp && i < session->span_count; i++) {
        number += entries_until(&session->spans[i], stamp);
    }
    return number;
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
    FOR_EACH_CURSOR(session, cursor) {
        reopen_place(cursor, i, span);
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
    FOR_EACH_CURSOR(session, cursor) {
        enter_place(cursor, session->span_count, &span, span.first);
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
    span->end = span->log->last;
    span->end_stamp = span->log->last_stamp;
    session->ended_count++;
    FOR_EACH_CURSOR(session, cursor) {
        end_place(&cursor->private_places[i], span->end);
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
    if (session->spans[i].first > log->last) {
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

static bool restored_span_right(const kedge_session_span *span)
{
    const kedge_log *log = span->log;
    if (log == NULL || span->first == 0 || span->first > log->last + 1) {
        return false;
    }
    return span->end == KEDGE_SPAN_OPEN ||
           (span->end >= span->first && span->end <= log->last &&
            span->end_stamp <= log->last_stamp);
}

static kedge_status check_restored(const kedge_session *session, const kedge_session_span *spans,
                                   size_t count)
{
    if (spans == NULL || count == 0 || spans[0].end != KEDGE_SPAN_OPEN) {
        return KEDGE_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < count; i++) {
        kedge_session_span span = spans[i];
        if (i == 0) {
            span.log = (kedge_log *)&session->own;
        }
        if (!restored_span_right(&span) || (i > 0 && span.log->own)) {
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
    if (session == NULL || checkpoint_number > checkpoint_stamp ||
        checkpoint_number > UINT64_MAX / 2 || checkpoint_stamp == KEDGE_STAMP_NONE) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (session->cursors != NULL || session->span_count > 1 || session->checkpoint_stamp > 0) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = check_restored(session, spans, count);
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

/* ---- Cursors ------------------------------------------------------------------------------------- */

static kedge_status reserve_cursor(kedge_cursor *cursor, const kedge_session *session)
{
    kedge_status status = reserve_places(cursor, session->allocator, session->span_count);
    for (size_t i = 0; status == KEDGE_OK && i < session->span_count; i++) {
        status = kedge_log_reserve_readers(session->spans[i].log, 1);
    }
    return status;
}

static kedge_log_reader *reader_of(const struct kedge_cursor_place *place)
{
    return &place->log->readers[place->slot];
}

/* The stamp of an entry of a span that is held, or was the newest of the span that its log dropped. */
static uint64_t stamp_of(const kedge_session_span *span, uint64_t index)
{
    if (index > span->log->base) {
        return kedge_log_entry_of(span->log, index)->stamp;
    }
    return index == span->log->base ? span->log->base_stamp : span->end_stamp;
}

/* Walks back over so many entries from the end of the history, the newest first: the same heap, with the
 * stamps turned over. False where one of them was dropped. */
static bool walk_back(kedge_cursor *cursor, const kedge_session *session, uint64_t missed)
{
    for (size_t i = 0; missed > 0 && i < session->span_count; i++) {
        if (entries_of(&session->spans[i]) > 0) {
            add_head(cursor, ~newest_stamp_of(&session->spans[i]), i);
        }
    }
    for (; missed > 0; missed--) {
        size_t i = cursor->private_first.private_place;
        const kedge_session_span *span = &session->spans[i];
        kedge_log_reader *reader = reader_of(&cursor->private_places[i]);
        reader->next--;
        if (reader->next <= span->log->base) {
            return false;
        }
        if (reader->next == span->first) {
            remove_first(cursor);
        } else {
            change_first(cursor, ~stamp_of(span, reader->next - 1));
        }
    }
    return true;
}

/* What each place has to read from where the walk came to a halt. */
static void settle(kedge_cursor *cursor, const kedge_session *session)
{
    cursor->private_pending = 0;
    for (size_t i = 0; i < session->span_count; i++) {
        struct kedge_cursor_place *place = &cursor->private_places[i];
        kedge_log *log = place->log;
        uint64_t next = reader_of(place)->next;
        if (next <= newest_of(&session->spans[i])) {
            log->slowest = next < log->slowest ? next : log->slowest;
            add_head(cursor, kedge_log_entry_of(log, next)->stamp, i);
        } else if (place->end != KEDGE_SPAN_OPEN) {
            drain(place);
        }
    }
}

static kedge_status place_cursor(kedge_cursor *cursor, kedge_session *session, uint64_t missed)
{
    kedge_status status = reserve_cursor(cursor, session);
    if (status != KEDGE_OK) {
        return status;
    }
    for (size_t i = 0; i < session->span_count; i++) {
        const kedge_session_span *span = &session->spans[i];
        enter_place(cursor, i, span, newest_of(span) + 1);
    }
    cursor->private_session = session;
    if (!walk_back(cursor, session, missed)) {
        leave_places(cursor);
        return KEDGE_HISTORY_LOST;
    }
    settle(cursor, session);
    return KEDGE_OK;
}

static void link_cursor(kedge_cursor *cursor, kedge_session *session)
{
    cursor->private_next = session->cursors;
    cursor->private_link = &session->cursors;
    if (cursor->private_next != NULL) {
        cursor->private_next->private_link = &cursor->private_next;
    }
    session->cursors = cursor;
}

kedge_status kedge_cursor_open(kedge_cursor *cursor, kedge_session *session, uint64_t position)
{
    if (cursor == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *cursor = (kedge_cursor){0};
    if (session == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (session->ended_count > 0) {
        kedge_session_fold(session);
    }
    uint64_t last = kedge_session_last(session);
    if (position > last) {
        return KEDGE_HISTORY_AHEAD;
    }
    if (position < session->checkpoint_number) {
        return KEDGE_HISTORY_LOST;
    }
    kedge_status status = place_cursor(cursor, session, last - position);
    if (status != KEDGE_OK) {
        free_places(cursor, session->allocator);
        *cursor = (kedge_cursor){0};
        return status;
    }
    cursor->private_number = position;
    link_cursor(cursor, session);
    return KEDGE_OK;
}

/* Moves behind the entry that the first place has. */
static void step_over(kedge_cursor *cursor, struct kedge_cursor_place *place)
{
    kedge_log_reader *reader = reader_of(place);
    cursor->private_number++;
    reader->next++;
    if (reader->next <= place->end && reader->next <= place->log->last) {
        change_first(cursor, kedge_log_entry_of(place->log, reader->next)->stamp);
        return;
    }
    remove_first(cursor);
    if (place->end != KEDGE_SPAN_OPEN) {
        drain(place);
    }
}

kedge_status kedge_cursor_next(kedge_cursor *cursor, kedge_step *step)
{
    if (cursor == NULL || step == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (cursor->private_outrun) {
        return KEDGE_HISTORY_LOST;
    }
    if (cursor->private_session == NULL) {
        return KEDGE_WRONG_STATE;
    }
    if (cursor->private_pending == 0) {
        return KEDGE_PARTIAL;
    }
    struct kedge_cursor_place *place =
        &cursor->private_places[cursor->private_first.private_place];
    step->number = cursor->private_number + 1;
    step->stamp = cursor->private_first.private_stamp;
    step->log = place->log;
    step->index = reader_of(place)->next;
    step->publication = kedge_log_entry_of(place->log, step->index)->publication;
    step_over(cursor, place);
    return KEDGE_OK;
}

uint64_t kedge_cursor_position(const kedge_cursor *cursor)
{
    return cursor == NULL ? 0 : cursor->private_number;
}

bool kedge_cursor_outrun(const kedge_cursor *cursor)
{
    return cursor != NULL && cursor->private_outrun;
}

bool kedge_cursor_pending(const kedge_cursor *cursor)
{
    return cursor != NULL && cursor->private_pending > 0;
}

void kedge_cursor_close(kedge_cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    if (cursor->private_session != NULL) {
        leave_session(cursor);
    }
    *cursor = (kedge_cursor){0};
}
