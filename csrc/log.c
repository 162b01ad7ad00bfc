#include "log.h"

#include "memory.h"

#define FIRST_SLOTS 2
#define FIRST_READERS 1

/* So many readers before their turn the owners' memory is fetched. */
#define AHEAD 8

/* ---- The ring ----------------------------------------------------------------------------------- */

static kedge_log_slot *slot_of(kedge_log *log, uint64_t index)
{
    return &log->slots[(size_t)(index & (uint64_t)(log->capacity - 1))];
}

static size_t held(const kedge_log *log)
{
    return (size_t)(log->last - log->base);
}

/* Room for one entry more, or for as many as the limit allows: then appending drops one first. In a ring
 * of twice the size an entry stays in its slot, or lies one old size further. */
static kedge_status reserve_slot(kedge_log *log)
{
    size_t needed = held(log) < log->limits.count ? held(log) + 1 : log->limits.count;
    if (needed <= log->capacity) {
        return KEDGE_OK;
    }
    size_t before = log->capacity;
    kedge_log_slot *slots = kedge_memory_grow(log->allocator, log->slots, &log->capacity, needed,
                                              FIRST_SLOTS, sizeof *slots);
    if (slots == NULL) {
        return KEDGE_NO_MEMORY;
    }
    log->slots = slots;
    for (uint64_t index = log->base + 1; index <= log->last; index++) {
        *slot_of(log, index) = slots[(size_t)(index & (uint64_t)(before - 1))];
    }
    return KEDGE_OK;
}

/* Readers that were not told yet may stand before entries that their sessions were left out of: those do
 * not outrun them. */
static void drop_oldest(kedge_log *log)
{
    if (log->untold && log->slowest <= log->base + 1) {
        kedge_log_tell_all(log->teller);
    }
    kedge_log_slot *slot = slot_of(log, log->base + 1);
    log->base++;
    log->base_stamp = slot->entry.stamp;
    log->bytes -= slot->charged;
    kedge_publication_release(slot->entry.publication);
}

static bool oldest_is_over_age(const kedge_log *log)
{
    kedge_time age = log->now - kedge_log_entry_of(log, log->base + 1)->time;
    return log->limits.age != KEDGE_NEVER && age >= log->limits.age;
}

/* Drops until what is held is within the limits, with room for so much more. */
static void drop_excess(kedge_log *log, size_t more_entries, size_t more_bytes)
{
    while (held(log) > 0 &&
           (held(log) > log->limits.count - more_entries ||
            log->bytes > log->limits.bytes - more_bytes || oldest_is_over_age(log))) {
        drop_oldest(log);
    }
}

/* A clock that runs backwards stands still. */
static void pass_time(kedge_log *log, kedge_time now)
{
    log->now = now > log->now ? now : log->now;
}

/* ---- Readers ------------------------------------------------------------------------------------ */

kedge_status kedge_log_reserve_readers(kedge_log *log, size_t more)
{
    if (more <= log->reader_capacity - log->reader_count) {
        return KEDGE_OK;
    }
    kedge_log_reader *readers =
        kedge_memory_grow(log->allocator, log->readers, &log->reader_capacity,
                          log->reader_count + more, FIRST_READERS, sizeof *readers);
    if (readers == NULL) {
        return KEDGE_NO_MEMORY;
    }
    log->readers = readers;
    return KEDGE_OK;
}

size_t kedge_log_add_reader(kedge_log *log, const kedge_log_listener *listener,
                            kedge_log_reader reader)
{
    log->listener = listener;
    log->readers[log->reader_count] = reader;
    if (reader.next < log->slowest) {
        log->slowest = reader.next;
    }
    return log->reader_count++;
}

static void move_reader(const kedge_log *log, size_t from, size_t to)
{
    if (from != to) {
        log->readers[to] = log->readers[from];
        log->listener->moved(log->readers[to].owner, log->readers[to].place, to);
    }
}

/* Another moves into its slot; those that were told stay before those that were not. */
void kedge_log_remove_reader(kedge_log *log, size_t slot)
{
    if (slot < log->telling) {
        log->telling--;
        move_reader(log, log->telling, slot);
        slot = log->telling;
    }
    log->reader_count--;
    move_reader(log, log->reader_count, slot);
}

/* Tells those whose next entry was dropped. Who is told may remove readers, its own: what then moves into
 * a freed slot comes from the end, which has been passed already. */
static void tell_outrun(kedge_log *log)
{
    if (log->base < log->slowest) {
        return;
    }
    for (size_t i = log->reader_count; i-- > 0;) {
        if (i < log->reader_count && log->readers[i].next <= log->base) {
            log->listener->outrun(log->readers[i].owner, log->readers[i].place);
        }
    }
    log->slowest = log->base + 1;
}

/* ---- Telling ------------------------------------------------------------------------------------ */

static void put_off(kedge_log *log)
{
    kedge_log_teller *teller = log->teller;
    log->untold = true;
    log->untold_next = teller->first;
    log->untold_link = &teller->first;
    if (log->untold_next != NULL) {
        log->untold_next->untold_link = &log->untold_next;
    }
    teller->first = log;
}

static void put_off_no_longer(kedge_log *log)
{
    if (log->untold) {
        log->untold = false;
        *log->untold_link = log->untold_next;
        if (log->untold_next != NULL) {
            log->untold_next->untold_link = log->untold_link;
        }
    }
}

/* What lies around the begin of a reader's owner: a cursor within a link. */
static void fetch_owner(const kedge_log *log, size_t slot)
{
    if (slot < log->reader_count) {
        uintptr_t owner = (uintptr_t)log->readers[slot].owner;
        kedge_fetch_ahead((const void *)(owner - KEDGE_CACHE_LINE));
        kedge_fetch_ahead((const void *)owner);
    }
}

static void begin_telling(kedge_log *log)
{
    if (!log->halfway) {
        log->halfway = true;
        log->telling = 0;
        log->telling_from = log->shown + 1;
        log->telling_slowest = log->last + 1;
        log->shown = log->last;
    }
}

/* Tells so many of those who had read everything. */
static void tell(kedge_log *log, size_t readers, kedge_log_taker *taker)
{
    size_t left = log->reader_count - log->telling;
    size_t end = left > readers ? log->telling + readers : log->reader_count;
    uint64_t slowest = log->telling_slowest;
    kedge_publication *newest = kedge_log_entry_of(log, log->last)->publication;
    if (log->skipped) {
        taker = NULL; /* who was left out of what is asked of the sessions */
    }
    for (size_t i = log->telling; i < end; i++) {
        kedge_log_reader *reader = &log->readers[i];
        fetch_owner(log, i + AHEAD);
        if (taker != NULL && reader->next == log->last &&
            taker->take(taker, reader->owner, newest)) {
            reader->next++;
            continue;
        }
        slowest = reader->next < slowest ? reader->next : slowest;
        if (reader->next >= log->telling_from && reader->next <= log->last) {
            log->listener->arrived(reader->owner, reader->place);
        }
    }
    log->telling = end;
    log->telling_slowest = slowest;
    if (log->telling == log->reader_count) {
        log->halfway = false;
        log->telling = 0;
        log->slowest = slowest;
        put_off_no_longer(log);
    }
}

static void tell_rest(kedge_log *log)
{
    begin_telling(log);
    tell(log, SIZE_MAX, NULL);
}

void kedge_log_tell_all(const kedge_log_teller *teller)
{
    while (teller != NULL && teller->first != NULL) {
        tell_rest(teller->first);
    }
}

/* One log alone may be told little by little; an append to it tells the rest first. */
bool kedge_log_tell_some(const kedge_log_teller *teller, size_t readers, kedge_log_taker *taker)
{
    kedge_log *log = teller->first;
    if (log == NULL) {
        return false;
    }
    if (log->untold_next != NULL) {
        kedge_log_tell_all(teller);
        return true;
    }
    begin_telling(log);
    tell(log, readers, taker);
    return true;
}

/* An entry was appended. What passes is told at once: it is dropped when it was read. */
static void tell_or_put_off(kedge_log *log)
{
    const kedge_log_teller *teller = log->teller;
    if (log->passing) {
        kedge_log_tell_all(teller);
    }
    bool others = teller != NULL && teller->first != NULL;
    if (teller == NULL || log->passing || (!others && log->reader_count < teller->least)) {
        tell_rest(log);
    } else if (!log->untold) {
        put_off(log);
    }
}

/* ---- Life --------------------------------------------------------------------------------------- */

kedge_log_limits kedge_log_limits_default(void)
{
    kedge_log_limits limits = {1000, (size_t)4 * 1024 * 1024, 600 * KEDGE_SECOND};
    return limits;
}

bool kedge_log_limits_right(const kedge_log_limits *limits)
{
    return limits != NULL && limits->count > 0 && limits->bytes > 0 && limits->age > 0;
}

void kedge_log_init(kedge_log *log, const kedge_log_limits *limits, kedge_allocator allocator)
{
    *log = (kedge_log){0};
    log->allocator = allocator;
    log->limits = *limits;
    log->slowest = UINT64_MAX;
}

kedge_status kedge_log_create(kedge_log **log, const kedge_log_limits *limits,
                              kedge_allocator allocator)
{
    if (log == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    *log = NULL;
    if (!kedge_log_limits_right(limits) || allocator.resize == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_log *made = kedge_memory_new(allocator, sizeof *made);
    if (made == NULL) {
        return KEDGE_NO_MEMORY;
    }
    kedge_log_init(made, limits, allocator);
    *log = made;
    return KEDGE_OK;
}

void kedge_log_clear(kedge_log *log)
{
    kedge_log_trim(log, UINT64_MAX);
    kedge_memory_free(log->allocator, log->slots, log->capacity * sizeof *log->slots);
    kedge_memory_free(log->allocator, log->readers, log->reader_capacity * sizeof *log->readers);
    put_off_no_longer(log);
    log->slots = NULL;
    log->capacity = 0;
    log->readers = NULL;
    log->reader_capacity = 0;
}

void kedge_log_destroy(kedge_log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->referring > 0) {
        kedge_log_trim(log, UINT64_MAX);
        log->doomed = true;
        return;
    }
    kedge_log_clear(log);
    kedge_memory_free(log->allocator, log, sizeof *log);
}

void kedge_log_refer(kedge_log *log)
{
    log->referring++;
}

void kedge_log_unrefer(kedge_log *log)
{
    log->referring--;
    if (log->referring > 0) {
        return;
    }
    if (log->doomed) {
        kedge_log_destroy(log);
    } else if (log->unreferred != NULL) {
        log->unreferred(log);
    }
}

kedge_status kedge_log_restore(kedge_log *log, uint64_t base, uint64_t base_stamp)
{
    if (log == NULL || base > base_stamp || base > UINT64_MAX / 2 ||
        base_stamp == KEDGE_STAMP_NONE || (base == 0 && base_stamp != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (log->last > 0 || log->referring > (log->own ? 1U : 0U)) {
        return KEDGE_WRONG_STATE;
    }
    log->base = base;
    log->last = base;
    log->base_stamp = base_stamp;
    log->last_stamp = base_stamp;
    log->shown = base;
    return KEDGE_OK;
}

/* ---- Change ------------------------------------------------------------------------------------- */

kedge_status kedge_log_append(kedge_log *log, uint64_t stamp, kedge_publication *publication,
                              kedge_time now)
{
    if (log == NULL || publication == NULL || stamp <= log->last_stamp ||
        stamp == KEDGE_STAMP_NONE) {
        return KEDGE_INVALID_ARGUMENT;
    }
    size_t charged = kedge_publication_memory(publication);
    if (charged > log->limits.bytes) {
        return KEDGE_LIMIT;
    }
    kedge_status status = reserve_slot(log);
    if (status != KEDGE_OK) {
        return status;
    }
    if (log->halfway) {
        tell_rest(log);
    }
    pass_time(log, now);
    drop_excess(log, 1, charged);
    tell_outrun(log);
    kedge_log_slot slot = {{stamp, log->now, kedge_publication_hold(publication)}, charged};
    log->last++;
    log->last_stamp = stamp;
    log->bytes += charged;
    *slot_of(log, log->last) = slot;
    tell_or_put_off(log);
    return KEDGE_OK;
}

kedge_status kedge_log_restore_entry(kedge_log *log, uint64_t stamp, kedge_publication *publication,
                                     kedge_time age, kedge_time now)
{
    kedge_status status = kedge_log_append(log, stamp, publication, now);
    if (status == KEDGE_OK) {
        slot_of(log, log->last)->entry.time = log->now - age;
        kedge_log_expire(log, now);
    }
    return status;
}

void kedge_log_expire(kedge_log *log, kedge_time now)
{
    if (log == NULL) {
        return;
    }
    pass_time(log, now);
    drop_excess(log, 0, 0);
    tell_outrun(log);
}

kedge_time kedge_log_deadline(const kedge_log *log)
{
    if (log == NULL || held(log) == 0) {
        return KEDGE_NEVER;
    }
    kedge_time age = log->now - kedge_log_entry_of(log, log->base + 1)->time;
    kedge_time left = age < log->limits.age ? log->limits.age - age : 0;
    if (log->limits.age == KEDGE_NEVER || left > KEDGE_NEVER - log->now) {
        return KEDGE_NEVER;
    }
    return log->now + left;
}

void kedge_log_trim(kedge_log *log, uint64_t to)
{
    if (log == NULL) {
        return;
    }
    while (log->base < log->last && log->base < to) {
        drop_oldest(log);
    }
    tell_outrun(log);
}

kedge_status kedge_log_set_lossy(kedge_log *log, bool lossy)
{
    if (log == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    log->lossy = lossy;
    return KEDGE_OK;
}

kedge_status kedge_log_set_passing(kedge_log *log)
{
    if (log == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (log->last > 0 || log->referring > 0) {
        return KEDGE_WRONG_STATE;
    }
    log->passing = true;
    return KEDGE_OK;
}

kedge_status kedge_log_set_limits(kedge_log *log, const kedge_log_limits *limits, kedge_time now)
{
    if (log == NULL || !kedge_log_limits_right(limits)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    log->limits = *limits;
    kedge_log_expire(log, now);
    return KEDGE_OK;
}

/* Counts what an entry's publication takes by now. */
static void charge(kedge_log *log, uint64_t index)
{
    kedge_log_slot *slot = slot_of(log, index);
    size_t growth = kedge_publication_memory(slot->entry.publication) - slot->charged;
    while (log->base < index && growth > log->limits.bytes - log->bytes) {
        drop_oldest(log);
    }
    if (log->base < index) {
        slot->charged += growth;
        log->bytes += growth;
    }
    tell_outrun(log);
}

kedge_status kedge_log_compress(kedge_log *log, uint64_t index, kedge_zstd_encoder *encoder)
{
    const kedge_log_entry *entry = kedge_log_at(log, index);
    if (entry == NULL) {
        return KEDGE_UNKNOWN;
    }
    kedge_status status = kedge_publication_compress(entry->publication, encoder);
    if (status == KEDGE_OK) {
        charge(log, index);
    }
    return status;
}

/* ---- What there is ------------------------------------------------------------------------------ */

uint64_t kedge_log_last(const kedge_log *log)
{
    return log == NULL ? 0 : log->last;
}

uint64_t kedge_log_base(const kedge_log *log)
{
    return log == NULL ? 0 : log->base;
}

uint64_t kedge_log_base_stamp(const kedge_log *log)
{
    return log == NULL ? 0 : log->base_stamp;
}

size_t kedge_log_bytes(const kedge_log *log)
{
    return log == NULL ? 0 : log->bytes;
}

const kedge_log_entry *kedge_log_at(const kedge_log *log, uint64_t index)
{
    if (log == NULL || index <= log->base || index > log->last) {
        return NULL;
    }
    return kedge_log_entry_of(log, index);
}

uint64_t kedge_log_after(const kedge_log *log, uint64_t stamp)
{
    if (log == NULL) {
        return 1;
    }
    uint64_t low = log->base + 1;
    uint64_t high = log->last + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (kedge_log_entry_of(log, middle)->stamp > stamp) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}
