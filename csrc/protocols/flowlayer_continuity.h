/* flowlayer_continuity.h: how a client's logs go on without a hole or a repetition, by get_logs. Private;
 * used by FlowLayer's client, and usable without a connection.
 *
 * Rule 1  `last` is the highest seq that was handed out. Entries are handed out in rising order, once; a
 *         jump is preceded by exactly one GAP.
 * Rule 2  While something is asked, what comes live is held. Pages and what is held are one merge.
 * Rule 3  A connection begins with a question if `last` > 0: the entry `last` must come back as it was. If
 *         it does not, one more question, for the newest entry, tells a new EPOCH from a gap. Where more
 *         was missed than can be held, that entry is asked for by itself.
 * Rule 4  A hole between live entries is asked for once. What was asked for and did not come is a gap. An
 *         epoch begins with nothing asked: an answer may have overtaken what is live, and a hole in front
 *         of its entries is one like any other.
 * Rule 5  What is held is bounded; past that live entries are counted as lost, and the hole they leave is
 *         told, not asked for.
 *
 *     IDLE --begin, hole--> WANTED --asked--> ASKED --answer--> IDLE, or WANTED again (the page before)
 *                              ^                 |
 *                              |                 v  the entry `last` did not come back
 *                              +-------- (newest wanted)
 */
#ifndef KEDGE_FLOWLAYER_CONTINUITY_H
#define KEDGE_FLOWLAYER_CONTINUITY_H

#include "flowlayer_messages.h"

/* What an entry says, whatever the order of its members and its escapes: for telling whether it is the
 * same that was seen before. */
uint64_t kedge_flowlayer_fingerprint(const kedge_flowlayer_log *log);

typedef enum kedge_continuity_state {
    KEDGE_CONTINUITY_IDLE,
    KEDGE_CONTINUITY_WANTED, /* a question is to be sent */
    KEDGE_CONTINUITY_ASKED
} kedge_continuity_state;

/* What is asked of get_logs. */
typedef struct kedge_continuity_question {
    uint64_t after;  /* after_seq, where `ranged` */
    uint64_t before; /* before_seq; 0: none */
    uint64_t limit;
    bool ranged; /* false: only the newest entry is wanted */
} kedge_continuity_question;

typedef enum kedge_continuity_kind {
    KEDGE_CONTINUITY_ENTRY = 1,
    KEDGE_CONTINUITY_GAP,
    KEDGE_CONTINUITY_EPOCH
} kedge_continuity_kind;

typedef struct kedge_continuity_item {
    kedge_continuity_kind kind;
    uint64_t first;   /* ENTRY: its seq; GAP: the first missing; EPOCH: the position that is void */
    uint64_t last;    /* GAP: the last missing */
    kedge_span entry; /* ENTRY: an object as it came; lives until kedge_continuity_tidy */
} kedge_continuity_item;

/* An answer's entries, copied: a page. Pages come newest first and are handed out oldest first. */
typedef struct kedge_continuity_page {
    struct kedge_continuity_page *next; /* the older ones come later, so it is a stack */
    kedge_json_reader reader;
    size_t size; /* of the allocation */
    bool has_head;
    kedge_flowlayer_log head;
    kedge_span head_raw;
    uint8_t bytes[];
} kedge_continuity_page;

typedef struct kedge_continuity_held {
    struct kedge_continuity_held *next;
    uint64_t seq;
    uint64_t fingerprint;
    size_t size; /* of the entry */
    uint8_t bytes[];
} kedge_continuity_held;

typedef struct kedge_continuity {
    kedge_allocator allocator;
    size_t hold;       /* entries held at most, those of pages included */
    size_t hold_bytes; /* and bytes, but for the last page; SIZE_MAX until it is set */
    kedge_continuity_state state;
    kedge_continuity_question question;

    uint64_t last;        /* handed out; 0: none yet */
    uint64_t fingerprint; /* of that entry */

    bool verify;     /* the entry `last` must come back */
    bool differs;    /* it did, otherwise */
    bool unverified; /* nobody could say: a live entry not above `last` will */
    bool epoch_waits;
    uint64_t epoch_last;
    uint64_t authority; /* up to here the server was asked in this epoch: a hole below is a gap */
    uint64_t overflow;  /* up to here live entries of this connection were lost */
    uint64_t highest;   /* that came live on this connection */
    uint64_t asked_at;  /* `highest` when the question went out */
    uint64_t gap_told;  /* up to here */

    kedge_continuity_page *pages;
    kedge_continuity_held *first_held;
    kedge_continuity_held *last_held;
    kedge_continuity_page *spent_pages; /* handed out, not freed yet */
    kedge_continuity_held *spent_held;
    size_t held; /* entries of both */
    size_t bytes;
    kedge_span direct; /* the live entry that needs no holding; null: none */
    uint64_t direct_seq;
    uint64_t direct_fingerprint;

    uint64_t duplicates; /* entries seen before */
    uint64_t gaps;       /* numbers told as gaps */
    uint64_t lost;       /* live entries past the bound */
} kedge_continuity;

/* All but the allocator and the bounds is zero. */
void kedge_continuity_init(kedge_continuity *continuity, size_t hold, kedge_allocator allocator);
void kedge_continuity_free(kedge_continuity *continuity);

/* The snapshot of a new connection is in: live entries follow. */
void kedge_continuity_begin(kedge_continuity *continuity);

/* The connection ended: what was held is forgotten, since it will be asked for again; what items pointed to
 * stays until it is tidied. */
void kedge_continuity_end(kedge_continuity *continuity);

/* A live entry. `raw` lives until the item was pulled or the next tidy. NO_MEMORY: nothing was
 * changed. */
kedge_status kedge_continuity_live(kedge_continuity *continuity, const kedge_flowlayer_log *log,
                                   kedge_span raw);

/* The question that is wanted was sent. */
void kedge_continuity_asked(kedge_continuity *continuity);

/* Its answer, whose `entries` were checked; or none came. NO_MEMORY: nothing was changed. */
kedge_status kedge_continuity_answer(kedge_continuity *continuity,
                                     const kedge_flowlayer_logs *logs);
void kedge_continuity_failed(kedge_continuity *continuity);

/* What is to be told next; false: nothing now. */
bool kedge_continuity_next(kedge_continuity *continuity, kedge_continuity_item *item);
bool kedge_continuity_waiting(const kedge_continuity *continuity);

/* Frees what items pointed to. */
void kedge_continuity_tidy(kedge_continuity *continuity);

#endif
