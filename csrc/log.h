/* csrc/log.h: what a log is made of, for those who read it as it grows and who save it.
 *
 * Entries lie in a ring whose capacity is a power of two, so that an entry's slot follows from its index
 * and stays until the ring grows.
 *
 * Readers: whoever wants to be told about a log registers a *reader* in it, which holds the index of the
 * entry that is wanted next. They lie side by side, so that an append passes over thousands of them
 * without touching what owns them, but for those who had read everything and are told that something
 * came. Sessions that nobody reads have no reader: what they follow costs nothing by that.
 *
 * Telling thousands of readers may be put off: a log of a *teller* that has many is only put on its list, and
 * what was appended is not shown to readers until somebody wants it (a cursor that has nothing else to read,
 * a hub whose ready links were all given). While the list is not empty, the other logs of the teller put
 * off too: so nobody reads what has a greater stamp before what has not been told yet. Only a reader that was
 * there before can rely on that (what is restored is older than what was shown; `slowest` knows of no index
 * that was never shown): hence all is told before a cursor is opened, which goes back to what it missed.
 */
#ifndef KEDGE_PRIVATE_LOG_H
#define KEDGE_PRIVATE_LOG_H

#include "kedge/log.h"
#include "kedge/zstd.h"

/* No stamp of an entry: greater than all of them. */
#define KEDGE_STAMP_NONE UINT64_MAX

/* What comes from elsewhere has no greater one: there must be as many left as anybody can use. */
#define KEDGE_STAMP_MOST (UINT64_MAX / 2)

typedef struct kedge_log_slot {
    kedge_log_entry entry;
    size_t charged; /* bytes that the log counts for it */
} kedge_log_slot;

/* `owner` and `place` are the owner's words for it (a cursor and one of its places). */
typedef struct kedge_log_reader {
    void *owner;
    size_t place;
    uint64_t next; /* the index it wants next; the owner moves it forward */
} kedge_log_reader;

/* What the owners of readers are told. They note it, and may remove readers within `outrun`; they append
 * to no log and drop nothing. */
typedef struct kedge_log_listener {
    /* The entry that a reader waits for is there, maybe since it was told before. */
    void (*arrived)(void *owner, size_t place);
    /* The entry that a reader wants next was dropped: it leaves, or moves its `next` forward. */
    void (*outrun)(void *owner, size_t place);
    /* A reader lies in another slot now. */
    void (*moved)(void *owner, size_t place, size_t slot);
} kedge_log_listener;

/* Of all logs that one session can follow. All zero but for `least`: nothing is put off. */
typedef struct kedge_log_teller {
    kedge_log *first; /* the logs whose readers have to be told */
    size_t least;     /* a log puts off from so many readers on */
} kedge_log_teller;

struct kedge_log {
    kedge_allocator allocator;
    kedge_log_limits limits;

    kedge_log_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    uint64_t base;   /* the entries held are those of base + 1 .. last */
    uint64_t base_stamp;
    uint64_t last;
    uint64_t last_stamp; /* stays when that entry is dropped */
    size_t bytes;
    kedge_time now; /* the latest time that it was told */

    const kedge_log_listener *listener;
    kedge_log_reader *readers;
    size_t reader_count;
    size_t reader_capacity;
    uint64_t slowest; /* no reader wants an index below this one */

    kedge_log_teller *teller; /* null: readers are told at once */
    uint64_t shown;           /* what readers can see: entries up to this one */
    bool untold;              /* it is on the teller's list: by `untold_next`, from `untold_link` */
    kedge_log *untold_next;
    kedge_log **untold_link;
    bool halfway;          /* some readers have been told: those in the slots before ... */
    size_t telling;        /* ... this one, */
    uint64_t telling_from; /* of the entries from this one on, which are shown to all */
    uint64_t telling_slowest;

    size_t following; /* sessions that follow it now */
    size_t referring; /* spans of sessions, open and ended, their own logs' included */
    bool own;         /* a session's own: no other session may follow it */
    bool passing;     /* its entries are no part of anybody's history */
    bool lossy;       /* readers that it outruns count what they lost, and go on */
    bool skipped;     /* a session may have been left out of one of its entries */
    bool doomed;      /* destroyed while spans referred to it: goes with the last of them */

    /* Called, where set, when `referring` fell to 0. It may be called within any function of a session, so
     * it notes the fact, and whoever set it looks at `referring` again before it destroys the log. */
    void (*unreferred)(kedge_log *log);
};

/* A log within another struct: init and clear, in place of create and destroy. Nothing may refer to it
 * when it is cleared. Limits must be right. */
void kedge_log_init(kedge_log *log, const kedge_log_limits *limits, kedge_allocator allocator);
void kedge_log_clear(kedge_log *log);

/* Whether a log can be made with these (null: no). */
bool kedge_log_limits_right(const kedge_log_limits *limits);

/* A log to which nothing was appended yet goes on where another one ended: as if the entries up to `base`
 * had been appended and dropped. WRONG_STATE, INVALID_ARGUMENT. */
kedge_status kedge_log_restore(kedge_log *log, uint64_t base, uint64_t base_stamp);

/* Appends an entry of the former log, which is of that age by now; the oldest first. As kedge_log_append;
 * where it is over the age limit already, it is dropped at once. Its time may lie before the origin of
 * this machine's clock: then it has wrapped around, and only its difference to now is right. */
kedge_status kedge_log_restore_entry(kedge_log *log, uint64_t stamp, kedge_publication *publication,
                                     kedge_time age, kedge_time now);

/* Makes the compressed form of an entry, unless it is there, and charges what it takes: where that is
 * more than the byte limit leaves, the oldest entries go, this one at last. So hold the publication.
 * UNKNOWN: the entry is not held. Otherwise as kedge_publication_compress; then nothing was changed. */
kedge_status kedge_log_compress(kedge_log *log, uint64_t index, kedge_zstd_encoder *encoder);

/* Spans come and go. */
void kedge_log_refer(kedge_log *log);
void kedge_log_unrefer(kedge_log *log);

/* Room for `more` readers; NO_MEMORY. Then adding never fails; it returns the slot. */
kedge_status kedge_log_reserve_readers(kedge_log *log, size_t more);
size_t kedge_log_add_reader(kedge_log *log, const kedge_log_listener *listener,
                            kedge_log_reader reader);
void kedge_log_remove_reader(kedge_log *log, size_t slot);

/* Who takes an entry over for readers, in place of their being told. */
typedef struct kedge_log_taker {
    /* The reader's owner wants this entry next, and no more came for it. False: it is told. */
    bool (*take)(struct kedge_log_taker *taker, void *owner, kedge_publication *publication);
} kedge_log_taker;

/* Tells the readers what was put off (a null pointer: nothing was): all, or so many of them (false: there is
 * nothing to tell), or lets somebody take it for them (null: nobody). */
void kedge_log_tell_all(const kedge_log_teller *teller);
bool kedge_log_tell_some(const kedge_log_teller *teller, size_t readers, kedge_log_taker *taker);

/* The entry at an index that is held. */
static inline const kedge_log_entry *kedge_log_entry_of(const kedge_log *log, uint64_t index)
{
    return &log->slots[(size_t)(index & (uint64_t)(log->capacity - 1))].entry;
}

#endif
