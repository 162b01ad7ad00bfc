/* flowlayer_continuity.c: see flowlayer_continuity.h. */
#include "flowlayer_continuity.h"

#include "envelope.h"
#include "memory.h"

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- Fingerprints ------------------------------------------------------------------------------- */

/* FNV-1a: nobody gains by a collision but the server, which may say what it likes anyway. */
#define FINGERPRINT_BASIS UINT64_C(0xCBF29CE484222325)
#define FINGERPRINT_PRIME UINT64_C(0x100000001B3)

static uint64_t mix(uint64_t hash, kedge_span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        hash = (hash ^ bytes.data[i]) * FINGERPRINT_PRIME;
    }
    return hash;
}

/* How much of a checked text the escape takes that stands at its beginning: a pair of surrogates is one,
 * and the first of a pair is the only one from D800 on that can stand there below E000. */
static size_t escape_size(const uint8_t *text)
{
    if (text[1] != 'u') {
        return 2;
    }
    return (text[2] == 'd' || text[2] == 'D') && text[3] >= '8' ? 12 : 6;
}

/* The value's own bytes before and after stand for the quotes, as json.h has it. */
static uint64_t mix_escape(uint64_t hash, const uint8_t *escape, size_t size)
{
    uint8_t decoded[16];
    size_t length = 0;
    kedge_json_value value = {KEDGE_JSON_KIND_TEXT, true, {escape - 1, size + 2}};
    (void)kedge_json_text(value, decoded, sizeof decoded, &length);
    return mix(hash, kedge_span_of(decoded, length));
}

static uint64_t mix_text(uint64_t hash, kedge_json_value value)
{
    static const uint8_t separator[2] = {0xFF, 0xFE}; /* in no UTF-8 text */
    kedge_span text = kedge_json_text_raw(value);
    size_t i = 0;
    while (i < text.size) {
        if (text.data[i] == '\\') {
            size_t size = escape_size(text.data + i);
            hash = mix_escape(hash, text.data + i, size);
            i += size;
        } else {
            hash = mix(hash, kedge_span_of(text.data + i, 1));
            i++;
        }
    }
    return mix(hash, kedge_span_of(separator, kedge_envelope_has(value) ? 2 : 1));
}

uint64_t kedge_flowlayer_fingerprint(const kedge_flowlayer_log *log)
{
    uint64_t hash = mix_text(FINGERPRINT_BASIS, log->service);
    hash = mix_text(hash, log->phase);
    hash = mix_text(hash, log->stream);
    hash = mix_text(hash, log->message);
    return mix_text(hash, log->timestamp);
}

/* ---- What is held ------------------------------------------------------------------------------- */

static void free_pages(kedge_continuity *continuity, kedge_continuity_page **list)
{
    while (*list != NULL) {
        kedge_continuity_page *page = *list;
        *list = page->next;
        kedge_memory_free(continuity->allocator, page, page->size);
    }
}

static void free_held(kedge_continuity *continuity, kedge_continuity_held **list)
{
    while (*list != NULL) {
        kedge_continuity_held *held = *list;
        *list = held->next;
        kedge_memory_free(continuity->allocator, held, sizeof *held + held->size);
    }
}

void kedge_continuity_init(kedge_continuity *continuity, size_t hold, kedge_allocator allocator)
{
    memset(continuity, 0, sizeof *continuity);
    continuity->allocator = allocator;
    continuity->hold = hold;
    continuity->hold_bytes = SIZE_MAX;
}

void kedge_continuity_tidy(kedge_continuity *continuity)
{
    free_pages(continuity, &continuity->spent_pages);
    free_held(continuity, &continuity->spent_held);
}

/* The next entry of the page becomes its head. */
static void turn(kedge_continuity *continuity, kedge_continuity_page *page)
{
    continuity->held -= page->has_head ? 1 : 0;
    page->has_head = kedge_flowlayer_next_log(&page->reader, &page->head, &page->head_raw);
}

static void spend_page(kedge_continuity *continuity)
{
    kedge_continuity_page *page = continuity->pages;
    continuity->pages = page->next;
    continuity->bytes -= page->size;
    page->next = continuity->spent_pages;
    continuity->spent_pages = page;
}

static void spend_held(kedge_continuity *continuity)
{
    kedge_continuity_held *held = continuity->first_held;
    continuity->first_held = held->next;
    if (held->next == NULL) {
        continuity->last_held = NULL;
    }
    held->next = continuity->spent_held;
    continuity->spent_held = held;
    continuity->held--;
    continuity->bytes -= sizeof *held + held->size;
}

void kedge_continuity_end(kedge_continuity *continuity)
{
    while (continuity->pages != NULL) {
        spend_page(continuity);
    }
    while (continuity->first_held != NULL) {
        spend_held(continuity);
    }
    continuity->held = 0;
    continuity->direct = kedge_text(NULL);
    continuity->state = KEDGE_CONTINUITY_IDLE;
    continuity->verify = false;
    continuity->unverified = false;
}

void kedge_continuity_free(kedge_continuity *continuity)
{
    kedge_continuity_end(continuity);
    kedge_continuity_tidy(continuity);
}

/* Passes over what was handed out already. */
static void skip(kedge_continuity *continuity)
{
    kedge_continuity_page *page = continuity->pages;
    while (page != NULL && (!page->has_head || page->head.seq <= continuity->last)) {
        if (page->has_head) {
            turn(continuity, page);
        } else {
            spend_page(continuity);
            page = continuity->pages;
        }
    }
    while (continuity->first_held != NULL && continuity->first_held->seq <= continuity->last) {
        continuity->duplicates++;
        spend_held(continuity);
    }
}

/* The seq of the entry that comes next; 0: there is none. */
static uint64_t next_seq(const kedge_continuity *continuity)
{
    uint64_t page = continuity->pages == NULL ? UINT64_MAX : continuity->pages->head.seq;
    uint64_t held = continuity->first_held == NULL ? UINT64_MAX : continuity->first_held->seq;
    if (continuity->direct.data != NULL) {
        return continuity->direct_seq;
    }
    if (continuity->pages == NULL && continuity->first_held == NULL) {
        return 0;
    }
    return page < held ? page : held;
}

/* ---- Questions ---------------------------------------------------------------------------------- */

static void want_range(kedge_continuity *continuity, uint64_t before)
{
    continuity->question.after = continuity->last - 1;
    continuity->question.before = before;
    continuity->question.limit = continuity->hold;
    continuity->question.ranged = true;
    continuity->state = KEDGE_CONTINUITY_WANTED;
}

/* The entry `last` alone. */
static void want_last(kedge_continuity *continuity)
{
    want_range(continuity, continuity->last + 1);
    continuity->question.limit = 1;
}

/* Which is compared, not kept. */
static bool is_about_last(const kedge_continuity *continuity)
{
    return continuity->question.before == continuity->last + 1 && continuity->question.limit == 1;
}

static void want_newest(kedge_continuity *continuity)
{
    memset(&continuity->question, 0, sizeof continuity->question);
    continuity->question.limit = 1;
    continuity->state = KEDGE_CONTINUITY_WANTED;
}

static bool jumps(const kedge_continuity *continuity, uint64_t seq)
{
    return continuity->last > 0 && seq - 1 > greater(continuity->last, continuity->gap_told);
}

/* Turned to their ends, for each entry is counted. */
static void drop_pages(kedge_continuity *continuity)
{
    while (continuity->pages != NULL) {
        while (continuity->pages->has_head) {
            turn(continuity, continuity->pages);
        }
        spend_page(continuity);
    }
}

/* Nothing is asked: is there a hole to ask for? Pages behind it, those of an epoch that they overtook, come
 * again with the answer, and would be held twice. */
static void settle(kedge_continuity *continuity)
{
    if (continuity->state != KEDGE_CONTINUITY_IDLE) {
        return;
    }
    skip(continuity);
    uint64_t seq = next_seq(continuity);
    if (seq > 0 && jumps(continuity, seq) && seq - 1 > continuity->authority) {
        drop_pages(continuity);
        want_range(continuity, 0);
    }
}

void kedge_continuity_begin(kedge_continuity *continuity)
{
    continuity->authority = 0;
    continuity->overflow = 0;
    continuity->highest = 0;
    continuity->gap_told = 0;
    continuity->differs = false;
    if (continuity->last > 0) {
        continuity->verify = true;
        want_range(continuity, 0);
    }
}

void kedge_continuity_asked(kedge_continuity *continuity)
{
    continuity->asked_at = continuity->highest;
    continuity->state = KEDGE_CONTINUITY_ASKED;
}

/* ---- Epochs ------------------------------------------------------------------------------------- */

/* What was asked went out from the numbers of before: of those below nobody has asked. */
static void start_epoch(kedge_continuity *continuity)
{
    continuity->authority = continuity->overflow;
    continuity->epoch_waits = true;
    continuity->epoch_last = continuity->last;
    continuity->last = 0;
    continuity->gap_told = 0;
    continuity->fingerprint = 0;
}

/* The server could not be asked. What it told before may be enough; and on a new connection a live entry is
 * newer than all that there was: one that is not above `last` is another process's. */
static void give_verifying_up(kedge_continuity *continuity)
{
    const kedge_continuity_held *live = continuity->first_held;
    continuity->verify = false;
    if (continuity->differs || (live != NULL && live->seq <= continuity->last)) {
        start_epoch(continuity);
    } else {
        continuity->unverified = live == NULL;
    }
}

/* ---- Live --------------------------------------------------------------------------------------- */

/* No room for one more entry of that many bytes? */
static bool is_full(const kedge_continuity *continuity, size_t size)
{
    return continuity->held >= continuity->hold || continuity->bytes >= continuity->hold_bytes ||
           size > continuity->hold_bytes - continuity->bytes;
}

static kedge_status hold(kedge_continuity *continuity, const kedge_flowlayer_log *log,
                         kedge_span raw)
{
    if (is_full(continuity, sizeof(kedge_continuity_held) + raw.size)) {
        continuity->lost++;
        continuity->overflow = log->seq;
        continuity->authority = greater(continuity->authority, log->seq);
        return KEDGE_OK;
    }
    kedge_continuity_held *held = kedge_memory_new(continuity->allocator, sizeof *held + raw.size);
    if (held == NULL) {
        return KEDGE_NO_MEMORY;
    }
    held->next = NULL;
    held->seq = log->seq;
    held->fingerprint = kedge_flowlayer_fingerprint(log);
    held->size = raw.size;
    memcpy(held->bytes, raw.data, raw.size);
    if (continuity->last_held == NULL) {
        continuity->first_held = held;
    } else {
        continuity->last_held->next = held;
    }
    continuity->last_held = held;
    continuity->held++;
    continuity->bytes += sizeof *held + held->size;
    return KEDGE_OK;
}

static void give_direct(kedge_continuity *continuity, const kedge_flowlayer_log *log,
                        kedge_span raw)
{
    continuity->direct = raw;
    continuity->direct_seq = log->seq;
    continuity->direct_fingerprint = kedge_flowlayer_fingerprint(log);
}

/* Is it the very next, with nothing that comes before it? */
static bool is_next(const kedge_continuity *continuity, uint64_t seq)
{
    return continuity->state == KEDGE_CONTINUITY_IDLE && next_seq(continuity) == 0 &&
           (continuity->last == 0 || seq - 1 == continuity->last);
}

/* Is it the entry that was handed out last, for the first time on this connection, and says something else? */
static bool is_another(const kedge_continuity *continuity, const kedge_flowlayer_log *log)
{
    return log->seq == continuity->last && log->seq > continuity->highest &&
           kedge_flowlayer_fingerprint(log) != continuity->fingerprint;
}

kedge_status kedge_continuity_live(kedge_continuity *continuity, const kedge_flowlayer_log *log,
                                   kedge_span raw)
{
    kedge_status status = KEDGE_OK;
    bool differs = is_another(continuity, log);
    if (differs && continuity->verify) {
        continuity->differs = true;
    } else if (differs || (continuity->unverified && log->seq <= continuity->last)) {
        start_epoch(continuity);
    }
    continuity->unverified = false;
    if (log->seq <= continuity->highest || (!continuity->verify && log->seq <= continuity->last)) {
        continuity->duplicates++;
        return KEDGE_OK;
    }
    if (is_next(continuity, log->seq)) {
        give_direct(continuity, log, raw);
    } else {
        status = hold(continuity, log, raw);
    }
    if (status == KEDGE_OK) {
        continuity->highest = log->seq;
        settle(continuity);
    }
    return status;
}

/* ---- Answers ------------------------------------------------------------------------------------ */

/* What an answer's entries are, before any is kept. */
typedef struct survey {
    size_t count;
    uint64_t first;
    uint64_t newest;
    uint64_t newest_fingerprint;
    bool known; /* the entry `last` is among them */
    bool same;  /* as it was */
} survey;

static survey look(const kedge_continuity *continuity, kedge_json_value entries)
{
    survey seen;
    kedge_json_reader reader;
    kedge_flowlayer_log log;
    memset(&seen, 0, sizeof seen);
    memset(&log, 0, sizeof log);
    kedge_flowlayer_list_begin(&reader, entries);
    while (kedge_flowlayer_next_log(&reader, &log, NULL)) {
        seen.count++;
        seen.first = seen.count == 1 ? log.seq : seen.first;
        if (log.seq == continuity->last) {
            seen.known = true;
            seen.same = kedge_flowlayer_fingerprint(&log) == continuity->fingerprint;
        }
        if (log.seq >= seen.newest) {
            seen.newest = log.seq;
            seen.newest_fingerprint = kedge_flowlayer_fingerprint(&log);
        }
    }
    return seen;
}

static kedge_status keep_page(kedge_continuity *continuity, kedge_json_value entries,
                              const survey *seen)
{
    if (seen->count == 0) {
        return KEDGE_OK;
    }
    size_t size = sizeof(kedge_continuity_page) + entries.raw.size;
    kedge_continuity_page *page = kedge_memory_new(continuity->allocator, size);
    if (page == NULL) {
        return KEDGE_NO_MEMORY;
    }
    memcpy(page->bytes, entries.raw.data, entries.raw.size);
    kedge_json_value copy = {KEDGE_JSON_KIND_ARRAY, false,
                             kedge_span_of(page->bytes, entries.raw.size)};
    page->size = size;
    page->has_head = false;
    kedge_flowlayer_list_begin(&page->reader, copy);
    turn(continuity, page);
    page->next = continuity->pages;
    continuity->pages = page;
    continuity->held += seen->count;
    continuity->bytes += size;
    return KEDGE_OK;
}

/* The newest entry decides: is there less than was seen, or something else? Where there is none, since all
 * may have left the ring, nobody can say. */
static void judge_newest(kedge_continuity *continuity, bool truncated, const survey *seen)
{
    if (seen->count == 0 && truncated) {
        give_verifying_up(continuity);
        return;
    }
    continuity->verify = false;
    if (seen->newest < continuity->last || continuity->differs || (seen->known && !seen->same)) {
        start_epoch(continuity);
    }
}

/* Is there a page before this one? */
static bool goes_on(const kedge_continuity *continuity, bool truncated, const survey *seen)
{
    uint64_t before = continuity->question.before;
    bool brings = seen->count > 0 && (before == 0 || seen->first < before);
    return truncated && brings && seen->first > continuity->last;
}

/* Pages that cannot be held are not asked for, but for the entry that must come back. */
static void turn_back(kedge_continuity *continuity, uint64_t first)
{
    if (!is_full(continuity, 0)) {
        want_range(continuity, first);
    } else if (continuity->verify) {
        want_last(continuity);
    }
}

static void judge_range(kedge_continuity *continuity, bool truncated, const survey *seen)
{
    if (continuity->question.before == 0) {
        continuity->authority =
            greater(continuity->authority, greater(seen->newest, continuity->asked_at));
    }
    if (goes_on(continuity, truncated, seen)) {
        turn_back(continuity, seen->first);
    } else if (continuity->verify && !seen->same) {
        continuity->differs |= seen->known;
        want_newest(continuity);
    } else {
        continuity->verify = false;
    }
}

kedge_status kedge_continuity_answer(kedge_continuity *continuity, const kedge_flowlayer_logs *logs)
{
    survey seen = look(continuity, logs->entries);
    bool ranged = continuity->question.ranged;
    bool kept = ranged && !is_about_last(continuity);
    kedge_status status = kept ? keep_page(continuity, logs->entries, &seen) : KEDGE_OK;
    if (status != KEDGE_OK) {
        return status;
    }
    continuity->state = KEDGE_CONTINUITY_IDLE;
    if (ranged) {
        judge_range(continuity, logs->truncated, &seen);
    } else {
        judge_newest(continuity, logs->truncated, &seen);
    }
    settle(continuity);
    return KEDGE_OK;
}

void kedge_continuity_failed(kedge_continuity *continuity)
{
    continuity->state = KEDGE_CONTINUITY_IDLE;
    continuity->authority = greater(continuity->authority, continuity->asked_at);
    if (continuity->verify) {
        give_verifying_up(continuity);
    }
    settle(continuity);
}

/* ---- What is told ------------------------------------------------------------------------------- */

bool kedge_continuity_waiting(const kedge_continuity *continuity)
{
    return continuity->epoch_waits ||
           (continuity->state == KEDGE_CONTINUITY_IDLE && next_seq(continuity) > 0);
}

static void tell_epoch(kedge_continuity *continuity, kedge_continuity_item *item)
{
    item->kind = KEDGE_CONTINUITY_EPOCH;
    item->first = continuity->epoch_last;
    continuity->epoch_waits = false;
}

static void tell_gap(kedge_continuity *continuity, kedge_continuity_item *item, uint64_t seq)
{
    item->kind = KEDGE_CONTINUITY_GAP;
    item->first = greater(continuity->last, continuity->gap_told) + 1;
    item->last = seq - 1;
    continuity->gaps += item->last - item->first + 1;
    continuity->gap_told = item->last;
}

static void tell_entry(kedge_continuity *continuity, kedge_continuity_item *item, uint64_t seq)
{
    item->kind = KEDGE_CONTINUITY_ENTRY;
    item->first = seq;
    if (continuity->direct.data != NULL) {
        item->entry = continuity->direct;
        continuity->fingerprint = continuity->direct_fingerprint;
        continuity->direct = kedge_text(NULL);
    } else if (continuity->pages != NULL && continuity->pages->head.seq == seq) {
        item->entry = continuity->pages->head_raw;
        continuity->fingerprint = kedge_flowlayer_fingerprint(&continuity->pages->head);
    } else {
        kedge_continuity_held *held = continuity->first_held;
        item->entry = kedge_span_of(held->bytes, held->size);
        continuity->fingerprint = held->fingerprint;
        spend_held(continuity);
    }
    continuity->last = seq;
    settle(continuity);
}

bool kedge_continuity_next(kedge_continuity *continuity, kedge_continuity_item *item)
{
    memset(item, 0, sizeof *item);
    if (!kedge_continuity_waiting(continuity)) {
        return false;
    }
    uint64_t seq = next_seq(continuity);
    if (continuity->epoch_waits) {
        tell_epoch(continuity, item);
    } else if (jumps(continuity, seq)) {
        tell_gap(continuity, item, seq);
    } else {
        tell_entry(continuity, item, seq);
    }
    return true;
}
