#include "cursor.h"

#include "memory.h"

#define FIRST_PLACES 2

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
    cursor->private_places[place].pending = true;
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
    cursor->private_places[cursor->private_first.private_place].pending = false;
    cursor->private_pending--;
    if (cursor->private_pending == 0) {
        return;
    }
    cursor->private_first = heap[0];
    sink(heap, cursor->private_pending - 1, heap[cursor->private_pending - 1]);
}

/* A place that has something, maybe, is gone: the others make a new heap. */
static void forget_head(kedge_cursor *cursor, size_t place)
{
    kedge_cursor_head *heap = cursor->private_heap;
    if (cursor->private_pending == 0) {
        return;
    }
    if (cursor->private_first.private_place == place) {
        remove_first(cursor);
        return;
    }
    size_t others = cursor->private_pending - 1;
    cursor->private_pending = 1;
    for (size_t i = 0; i < others; i++) {
        kedge_cursor_head head = heap[i];
        if (head.private_place != place) {
            add_head(cursor, head.private_stamp, head.private_place);
        }
    }
}

static void rename_head(kedge_cursor *cursor, size_t from, size_t to)
{
    for (size_t i = 0; i < cursor->private_pending; i++) {
        kedge_cursor_head *head = i == 0 ? &cursor->private_first : &cursor->private_heap[i - 1];
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

static kedge_log_reader *reader_of(const struct kedge_cursor_place *place)
{
    return &place->log->readers[place->slot];
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

static bool is_skipped(const kedge_cursor *cursor, const struct kedge_cursor_place *place,
                       uint64_t stamp)
{
    const kedge_session *session = cursor->private_session;
    if (!place->log->skipped) {
        return false;
    }
    return kedge_skips_has(place->passing ? &session->passing_skips : &session->skips, stamp);
}

/* Moves over what the session was left out of; whether the place has something to read then. */
static bool find_next(const kedge_cursor *cursor, const struct kedge_cursor_place *place)
{
    const kedge_log *log = place->log;
    kedge_log_reader *reader = reader_of(place);
    uint64_t newest = place->end < log->shown ? place->end : log->shown;
    while (reader->next <= newest &&
           is_skipped(cursor, place, kedge_log_entry_of(log, reader->next)->stamp)) {
        reader->next++;
    }
    return reader->next <= newest;
}

static void place_arrived(void *owner, size_t at)
{
    kedge_cursor *cursor = owner;
    const struct kedge_cursor_place *place = &cursor->private_places[at];
    if (place->pending || !find_next(cursor, place)) {
        return;
    }
    add_head(cursor, kedge_log_entry_of(place->log, reader_of(place)->next)->stamp, at);
    if (cursor->private_pending == 1) {
        wake(cursor);
    }
}

void kedge_cursor_stop(kedge_cursor *cursor)
{
    leave_places(cursor);
    cursor->private_outrun = true;
    wake(cursor);
}

/* What each place has to read from where it stands. */
static void settle(kedge_cursor *cursor, const kedge_session *session)
{
    cursor->private_pending = 0;
    for (size_t i = 0; i < session->span_count; i++) {
        struct kedge_cursor_place *place = &cursor->private_places[i];
        kedge_log *log = place->log;
        place->pending = false;
        if (place->slot == KEDGE_CURSOR_DRAINED) {
            continue;
        }
        if (find_next(cursor, place)) {
            uint64_t next = reader_of(place)->next;
            log->slowest = next < log->slowest ? next : log->slowest;
            add_head(cursor, kedge_log_entry_of(log, next)->stamp, i);
        } else if (place->end != KEDGE_SPAN_OPEN) {
            drain(place);
        }
    }
}

/* Passes over what its history has lost: all numbered places go on behind the newest stamp that was
 * dropped. */
static void pass_over_lost(kedge_cursor *cursor, const kedge_session *session)
{
    uint64_t stamp = kedge_session_dropped_stamp(session);
    for (size_t i = 0; i < session->span_count; i++) {
        const kedge_session_span *span = &session->spans[i];
        const struct kedge_cursor_place *place = &cursor->private_places[i];
        if (place->slot != KEDGE_CURSOR_DRAINED) {
            uint64_t next = span->first + kedge_span_entries_until(span, stamp);
            kedge_log_reader *reader = reader_of(place);
            reader->next = next > reader->next ? next : reader->next;
        }
    }
    uint64_t base = kedge_session_base(session);
    cursor->private_lost += base - cursor->private_number;
    cursor->private_number = base;
}

/* Of a log that is not numbered only the dropped entries are lost. */
static void pass_over_dropped(kedge_cursor *cursor, const struct kedge_cursor_place *place)
{
    kedge_log_reader *reader = reader_of(place);
    cursor->private_lost += place->log->base + 1 - reader->next;
    reader->next = place->log->base + 1;
}

static void place_outrun(void *owner, size_t at)
{
    kedge_cursor *cursor = owner;
    const struct kedge_cursor_place *place = &cursor->private_places[at];
    if (!place->log->lossy) {
        kedge_cursor_stop(cursor);
        return;
    }
    if (place->passing) {
        pass_over_dropped(cursor, place);
    } else {
        pass_over_lost(cursor, cursor->private_session);
    }
    settle(cursor, cursor->private_session);
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

kedge_status kedge_cursor_reserve(kedge_cursor *cursor, kedge_allocator allocator, size_t count)
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

void kedge_cursor_enter(kedge_cursor *cursor, size_t i, const kedge_session_span *span,
                        uint64_t next)
{
    kedge_log_reader reader = {cursor, i, next};
    struct kedge_cursor_place *place = &cursor->private_places[i];
    place->log = span->log;
    place->end = span->end;
    place->passing = span->log->passing;
    place->pending = false;
    place->slot = kedge_log_add_reader(span->log, &listener, reader);
    cursor->private_count = i < cursor->private_count ? cursor->private_count : i + 1;
}

void kedge_cursor_check_read(kedge_cursor *cursor, size_t i)
{
    const struct kedge_cursor_place *place = &cursor->private_places[i];
    if (!place->passing && place->slot != KEDGE_CURSOR_DRAINED &&
        reader_of(place)->next <= place->log->last) {
        kedge_cursor_stop(cursor);
    }
}

void kedge_cursor_remove_place(kedge_cursor *cursor, size_t i, size_t last)
{
    struct kedge_cursor_place *places = cursor->private_places;
    if (places[i].passing) {
        forget_head(cursor, i);
    }
    drain(&places[i]);
    cursor->private_count = last;
    if (i == last) {
        return;
    }
    places[i] = places[last];
    if (places[i].slot != KEDGE_CURSOR_DRAINED) {
        places[i].log->readers[places[i].slot].place = i;
        rename_head(cursor, last, i);
    }
}

/* Its place stays registered only while there is something to read in it. */
void kedge_cursor_end_place(kedge_cursor *cursor, size_t i, uint64_t end)
{
    struct kedge_cursor_place *place = &cursor->private_places[i];
    place->end = end;
    if (reader_of(place)->next > end) {
        drain(place);
    }
}

void kedge_cursor_reopen_place(kedge_cursor *cursor, size_t i, const kedge_session_span *span)
{
    if (cursor->private_places[i].slot == KEDGE_CURSOR_DRAINED) {
        kedge_cursor_enter(cursor, i, span, span->log->last + 1);
    } else {
        cursor->private_places[i].end = KEDGE_SPAN_OPEN;
    }
}

/* ---- Cursors ------------------------------------------------------------------------------------- */

/* Whether one of its places is among those that are still to be told. */
static bool is_untold(const kedge_cursor *cursor)
{
    if (cursor->private_session == NULL || cursor->private_teller == NULL) {
        return false;
    }
    const kedge_log *log = cursor->private_teller->first;
    if (log == NULL || cursor->private_outrun) {
        return false;
    }
    if (log->untold_next != NULL) {
        return true; /* or one of several logs that have to be told may be its own */
    }
    for (size_t i = 0; i < cursor->private_count; i++) {
        const struct kedge_cursor_place *place = &cursor->private_places[i];
        if (place->log == log && place->slot != KEDGE_CURSOR_DRAINED &&
            reader_of(place)->next <= log->last) {
            return true;
        }
    }
    return false;
}

/* Whether it has something to read; what was put off is told first where it may be its. */
static bool is_pending(const kedge_cursor *cursor)
{
    if (cursor->private_pending == 0 && is_untold(cursor)) {
        kedge_log_tell_all(cursor->private_teller);
    }
    return cursor->private_pending > 0;
}

/* Registers the cursor behind the end of every span. Where that fails, leave_places takes back what was
 * done. */
static kedge_status enter_places(kedge_cursor *cursor)
{
    const kedge_session *session = cursor->private_session;
    for (size_t i = 0; i < session->span_count; i++) {
        cursor->private_places[i].slot = KEDGE_CURSOR_DRAINED;
    }
    kedge_status status = KEDGE_OK;
    for (size_t i = 0; status == KEDGE_OK && i < session->span_count; i++) {
        const kedge_session_span *span = &session->spans[i];
        status = kedge_log_reserve_readers(span->log, 1);
        if (status == KEDGE_OK) {
            kedge_cursor_enter(cursor, i, span, kedge_span_newest(span) + 1);
        }
    }
    return status;
}

/* The stamp of an entry that is held, or is the newest that was dropped. */
static uint64_t stamp_of(const kedge_log *log, uint64_t index)
{
    return index > log->base ? kedge_log_entry_of(log, index)->stamp : log->base_stamp;
}

/* Walks back over so many entries from the end of the history, the newest first: the same heap, with the
 * stamps turned over. False where one of them was dropped. */
static bool walk_back(kedge_cursor *cursor, const kedge_session *session, uint64_t missed)
{
    for (size_t i = 0; missed > 0 && i < session->span_count; i++) {
        if (kedge_span_entries(&session->spans[i]) > 0) {
            add_head(cursor, ~kedge_span_newest_stamp(&session->spans[i]), i);
        }
    }
    /* unreachable: none pending while some are missed, as the last number counts the entries */
    while (missed > 0 && cursor->private_pending > 0) {
        uint64_t stamp = ~cursor->private_first.private_stamp;
        size_t i = cursor->private_first.private_place;
        const kedge_session_span *span = &session->spans[i];
        kedge_log_reader *reader = reader_of(&cursor->private_places[i]);
        reader->next--;
        if (reader->next <= span->log->base) {
            return false;
        }
        missed -= !kedge_skips_has(&session->skips, stamp);
        if (reader->next == span->first) {
            remove_first(cursor);
        } else {
            change_first(cursor, ~stamp_of(span->log, reader->next - 1));
        }
    }
    return missed == 0;
}

static kedge_status place_cursor(kedge_cursor *cursor, kedge_session *session, uint64_t missed)
{
    kedge_status status = kedge_cursor_reserve(cursor, session->allocator, session->span_count);
    if (status != KEDGE_OK) {
        return status;
    }
    cursor->private_session = session;
    status = enter_places(cursor);
    if (status == KEDGE_OK && !walk_back(cursor, session, missed)) {
        status = KEDGE_HISTORY_LOST;
    }
    if (status == KEDGE_OK) {
        settle(cursor, session);
    } else {
        leave_places(cursor);
    }
    return status;
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

/* Nothing stays put off where a cursor begins: it goes back to what was appended before, so all of that is
 * shown, and no reader stands before what has yet to be told. */
kedge_status kedge_cursor_open(kedge_cursor *cursor, kedge_session *session, uint64_t position)
{
    if (cursor == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *cursor = (kedge_cursor){0};
    if (session == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_log_tell_all(session->own.teller);
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
    cursor->private_teller = session->own.teller;
    link_cursor(cursor, session);
    return KEDGE_OK;
}

bool kedge_cursor_peek(kedge_cursor *cursor, kedge_step *step)
{
    if (!is_pending(cursor)) {
        return false;
    }
    const struct kedge_cursor_place *place =
        &cursor->private_places[cursor->private_first.private_place];
    step->passing = place->passing;
    step->number = cursor->private_number + (place->passing ? 0 : 1);
    step->stamp = cursor->private_first.private_stamp;
    step->log = place->log;
    step->index = reader_of(place)->next;
    step->publication = kedge_log_entry_of(place->log, step->index)->publication;
    return true;
}

void kedge_cursor_pass(kedge_cursor *cursor)
{
    struct kedge_cursor_place *place = &cursor->private_places[cursor->private_first.private_place];
    kedge_log_reader *reader = reader_of(place);
    cursor->private_number += !place->passing;
    reader->next++;
    if (find_next(cursor, place)) {
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
    if (!kedge_cursor_peek(cursor, step)) {
        return KEDGE_PARTIAL;
    }
    kedge_cursor_pass(cursor);
    return KEDGE_OK;
}

uint64_t kedge_cursor_lost(const kedge_cursor *cursor)
{
    return cursor == NULL ? 0 : cursor->private_lost;
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
    return cursor != NULL && is_pending(cursor);
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

void kedge_cursor_end(kedge_cursor *cursor)
{
    leave_session(cursor);
    cursor->private_outrun = true;
    wake(cursor);
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
