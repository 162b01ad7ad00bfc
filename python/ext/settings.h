/* The settings of clients and hubs: tables of rows, each a name in Python and a place in a struct of
 * the library's.
 *
 * The defaults are those that the library's own functions give; nothing here repeats one. From the
 * tables come the reading of arguments, the text signatures and the lists in docstrings. */
#ifndef KEDGE_EXT_SETTINGS_H
#define KEDGE_EXT_SETTINGS_H

#include "core.h"

typedef enum core_setting_kind {
    CORE_SET_DURATION,       /* kedge_time */
    CORE_SET_SIZE,           /* size_t */
    CORE_SET_NUMBER32,       /* uint32_t */
    CORE_SET_NUMBER64,       /* uint64_t */
    CORE_SET_BOOLEAN,        /* bool */
    CORE_SET_TEXT,           /* kedge_span */
    CORE_SET_CHOICE,         /* an enumeration; `choices` has its words, by value */
    CORE_SET_WORDS,          /* kedge_words */
    CORE_SET_OPTIONAL_WORDS, /* the same, or None; `second` is a bool that tells which */
    CORE_SET_RATE,           /* two uint32_t: at once, a second */
    CORE_SET_BACKOFF,        /* two kedge_time: at first, at most */
    CORE_SET_HISTORY,        /* kedge_log_limits */
    CORE_SET_WORD_LISTS,     /* several kedge_words, by the names of `parts` */
    CORE_SET_WORD_NUMBERS    /* const uint64_t *, a number a word of the kedge_words at `second` */
} core_setting_kind;

typedef struct core_setting {
    const char *name;
    core_setting_kind kind;
    size_t offset;
    size_t second;
    const char *const *choices;       /* up to a null */
    const struct core_setting *parts; /* up to a row without a name */
    const char *doc;                  /* null: the next row's goes for both */
} core_setting;

#define CORE_SETTING_PARTS 6

/* All that a constructor takes. */
typedef struct core_settings {
    const char *function;
    unsigned required; /* the first rows of the first part */
    struct {
        const core_setting *rows; /* up to a row without a name */
        size_t base;              /* of the struct that they speak of, in the whole */
    } parts[CORE_SETTING_PARTS];  /* up to one without rows */
    const char *doc;              /* what stands before the list of settings */
} core_settings;

/* The settings that all links have; offsets in a kedge_link_config. */
extern const core_setting core_link_settings[];

/* Those of a protocol's links besides; likewise. */
extern const core_setting core_gateway_client_settings[];
extern const core_setting core_gateway_server_settings[];
extern const core_setting core_flowlayer_client_settings[];
extern const core_setting core_flowlayer_server_settings[];
extern const core_setting core_messaging_client_settings[];
extern const core_setting core_messaging_server_settings[];
extern const core_setting core_blobhub_client_settings[];
extern const core_setting core_blobhub_server_settings[];

/* Of the messenger's timestamps, both roles. */
extern const char *const core_timestamp_units[];

/* What the library borrows: blocks, and the texts that they point into. */
typedef struct core_kept core_kept;
void core_kept_free(core_kept **kept);

/* What every constructor takes besides. */
typedef struct core_common {
    PyObject *decoder; /* or null */
    PyObject *clock;
    kedge_entropy entropy;
    kedge_time wall;
    kedge_time now;
} core_common;

/* Sorts what a constructor was called with, for the two calls below. -1 with a TypeError. */
int core_settings_sort(const core_settings *settings, PyObject *arguments, PyObject *keywords,
                       PyObject **values);

/* Writes what was given into `config`, which has the defaults. */
int core_settings_read(core_state *state, const core_settings *settings, PyObject *const *values,
                       void *config, core_kept **kept);

/* Reads the others. `decoder` and `clock` are set as soon as they are read, also where the rest
 * fails. */
int core_common_read(core_state *state, const core_settings *settings, PyObject *const *values,
                     core_common *common);

/* Raises an ArgumentError that names the first of the given settings with which `attempt` says that
 * the configuration is not usable; `fresh` has the defaults and is written to. Returns -1. */
int core_settings_blame(core_state *state, const core_settings *settings, PyObject *const *values,
                        const void *config, void *fresh, kedge_status (*attempt)(const void *));

/* The docstring of a type, with its signature; a new str. `config` has the defaults. */
PyObject *core_settings_doc(const core_settings *settings, const void *config);

#endif
