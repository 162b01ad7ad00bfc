/* messaging_messages.c: the tables of messaging.md, see messaging_messages.h. */
#include "messaging_messages.h"

#include "envelope.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- errors --------------------------------------------------------------------------------- */

const char *kedge_messaging_error_word(kedge_messaging_error error)
{
    static const char *const words[] = {
#define ERROR_WORD(name, word, message) word,
        KEDGE_MESSAGING_ERROR_LIST(ERROR_WORD)
#undef ERROR_WORD
    };
    return words[error];
}

const char *kedge_messaging_error_message(kedge_messaging_error error)
{
    static const char *const messages[] = {
#define ERROR_MESSAGE(name, word, message) message,
        KEDGE_MESSAGING_ERROR_LIST(ERROR_MESSAGE)
#undef ERROR_MESSAGE
    };
    return messages[error];
}

/* ---- requests ------------------------------------------------------------------------------- */

kedge_messaging_request kedge_messaging_find_request(const kedge_envelope_name *name)
{
    static const char *const words[] = {
#define REQUEST_WORD(name, word) word,
        KEDGE_MESSAGING_REQUEST_LIST(REQUEST_WORD)
#undef REQUEST_WORD
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (kedge_envelope_name_is(name, kedge_text(words[i]))) {
            return (kedge_messaging_request)(i + 1);
        }
    }
    return KEDGE_MESSAGING_OTHER_REQUEST;
}

#define CHAT_ID KEDGE_MEMBER_REQUIRED("chatId", KEDGE_MEMBER_TEXT_OR_INTEGER)
#define MESSAGE_ID KEDGE_MEMBER_OPTIONAL("messageId", KEDGE_MEMBER_TEXT_OR_INTEGER)
#define ORIGINAL_ID KEDGE_MEMBER_OPTIONAL("originalMessageId", KEDGE_MEMBER_TEXT_OR_INTEGER)
#define MESSAGE KEDGE_MEMBER_REQUIRED("message", KEDGE_MEMBER_TEXT)
#define ATTACHMENTS KEDGE_MEMBER_OPTIONAL("attachments", KEDGE_MEMBER_ARRAY)

static const kedge_member new_members[] = {
    CHAT_ID,
    MESSAGE,
    KEDGE_MEMBER_OPTIONAL("clientMessageId", KEDGE_MEMBER_TEXT_OR_INTEGER),
    ATTACHMENTS,
    KEDGE_MEMBER_OPTIONAL("replyTo", KEDGE_MEMBER_TEXT_OR_INTEGER),
};
static const kedge_member edit_members[] = {MESSAGE_ID, ORIGINAL_ID, CHAT_ID, MESSAGE, ATTACHMENTS};
static const kedge_member delete_members[] = {MESSAGE_ID, ORIGINAL_ID, CHAT_ID};
static const kedge_member mark_members[] = {CHAT_ID, MESSAGE_ID};
static const kedge_member messages_members[] = {
    KEDGE_MEMBER_OPTIONAL("startId", KEDGE_MEMBER_TEXT_OR_INTEGER),
    KEDGE_MEMBER_OPTIONAL("endId", KEDGE_MEMBER_TEXT_OR_INTEGER),
    KEDGE_MEMBER_OPTIONAL("count", KEDGE_MEMBER_UNSIGNED),
    CHAT_ID,
};
static const kedge_member chat_members[] = {CHAT_ID};
static const kedge_member subscribe_members[] = {
    KEDGE_MEMBER_OPTIONAL("lastEventId", KEDGE_MEMBER_UNSIGNED),
};

static const kedge_messaging_row rows[] = {
    [KEDGE_MESSAGING_REQUEST_NEW] = {new_members, COUNT_OF(new_members),
                                     KEDGE_MESSAGING_BINDS_NOTHING},
    [KEDGE_MESSAGING_REQUEST_EDIT] = {edit_members, COUNT_OF(edit_members),
                                      KEDGE_MESSAGING_BINDS_EITHER},
    [KEDGE_MESSAGING_REQUEST_DELETE] = {delete_members, COUNT_OF(delete_members),
                                        KEDGE_MESSAGING_BINDS_EITHER},
    [KEDGE_MESSAGING_REQUEST_DELIVERED] = {mark_members, COUNT_OF(mark_members),
                                           KEDGE_MESSAGING_BINDS_NOTHING},
    [KEDGE_MESSAGING_REQUEST_READ] = {mark_members, COUNT_OF(mark_members),
                                      KEDGE_MESSAGING_BINDS_NOTHING},
    [KEDGE_MESSAGING_REQUEST_MESSAGES] = {messages_members, COUNT_OF(messages_members),
                                          KEDGE_MESSAGING_BINDS_NOT_BOTH},
    [KEDGE_MESSAGING_REQUEST_CHAT] = {chat_members, COUNT_OF(chat_members),
                                      KEDGE_MESSAGING_BINDS_NOTHING},
    [KEDGE_MESSAGING_REQUEST_CHATS] = {NULL, 0, KEDGE_MESSAGING_BINDS_NOTHING},
    [KEDGE_MESSAGING_REQUEST_SUBSCRIBE] = {subscribe_members, COUNT_OF(subscribe_members),
                                           KEDGE_MESSAGING_BINDS_NOTHING},
};

const kedge_messaging_row *kedge_messaging_row_of(kedge_messaging_request request)
{
    return &rows[request];
}

static kedge_result check_either(kedge_span payload, const kedge_json_value *values)
{
    if (kedge_envelope_has(values[0]) || kedge_envelope_has(values[1])) {
        return (kedge_result){KEDGE_OK, payload.size};
    }
    return (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING, payload.size - 1};
}

static kedge_result check_page(kedge_span payload, const kedge_json_value *values)
{
    uint64_t count = 1;
    kedge_json_unsigned(values[2], &count);
    if (kedge_envelope_has(values[0]) && kedge_envelope_has(values[1])) {
        kedge_json_value second = values[0].raw.data > values[1].raw.data ? values[0] : values[1];
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_EXCLUSIVE,
                              kedge_members_offset(payload, second)};
    }
    if (count == 0 || count > 500) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_VALUE,
                              kedge_members_offset(payload, values[2])};
    }
    return (kedge_result){KEDGE_OK, payload.size};
}

kedge_result kedge_messaging_check_payload(kedge_messaging_request request, kedge_span payload)
{
    if (request == KEDGE_MESSAGING_OTHER_REQUEST) {
        return (kedge_result){KEDGE_UNKNOWN_TYPE, 0};
    }
    kedge_json_value values[KEDGE_MEMBERS_MAXIMUM];
    const kedge_messaging_row *row = &rows[request];
    kedge_result result =
        kedge_members_read_payload(row->members, row->count, payload, NULL, values);
    if (result.status != KEDGE_OK || row->binding == KEDGE_MESSAGING_BINDS_NOTHING) {
        return result;
    }
    return row->binding == KEDGE_MESSAGING_BINDS_EITHER ? check_either(payload, values)
                                                        : check_page(payload, values);
}

kedge_result kedge_messaging_read_subscribe(kedge_span payload,
                                            kedge_messaging_subscribe *subscribe)
{
    kedge_json_value id;
    kedge_result result = kedge_members_read_payload(subscribe_members, COUNT_OF(subscribe_members),
                                                     payload, NULL, &id);
    if (result.status == KEDGE_OK) {
        subscribe->last_event_id = 0;
        subscribe->has_last_event_id =
            kedge_json_unsigned(id, &subscribe->last_event_id) == KEDGE_OK;
    }
    return result;
}

/* ---- events --------------------------------------------------------------------------------- */

kedge_messaging_event kedge_messaging_classify_event(kedge_span name)
{
    static const struct {
        const char *word;
        kedge_messaging_event event;
    } events[] = {
#define EVENT(word, kind) {word, KEDGE_MESSAGING_##kind##_EVENT},
        KEDGE_MESSAGING_EVENT_LIST(EVENT)
#undef EVENT
    };
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        if (kedge_span_equal(name, kedge_text(events[i].word))) {
            return events[i].event;
        }
    }
    return KEDGE_MESSAGING_OTHER_EVENT;
}

/* ---- responses ------------------------------------------------------------------------------ */

kedge_result kedge_messaging_read_subscribed(kedge_span payload,
                                             kedge_messaging_subscribed *subscribed)
{
    enum { LAST_EVENT_ID, EVENT_COUNT, COUNT };
    static const kedge_member members[COUNT] = {
        [LAST_EVENT_ID] = KEDGE_MEMBER_REQUIRED("lastEventId", KEDGE_MEMBER_UNSIGNED),
        [EVENT_COUNT] = KEDGE_MEMBER_REQUIRED("count", KEDGE_MEMBER_UNSIGNED),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status == KEDGE_OK) {
        kedge_json_unsigned(values[LAST_EVENT_ID], &subscribed->last_event_id);
        kedge_json_unsigned(values[EVENT_COUNT], &subscribed->count);
    }
    return result;
}

static kedge_result read_error(kedge_span error, kedge_messaging_refusal *refusal)
{
    enum { CODE, MESSAGE_TEXT, FIRST_EVENT_ID, COUNT };
    static const kedge_member members[COUNT] = {
        [CODE] = KEDGE_MEMBER_OPTIONAL("code", KEDGE_MEMBER_TEXT),
        [MESSAGE_TEXT] = KEDGE_MEMBER_OPTIONAL("message", KEDGE_MEMBER_TEXT),
        [FIRST_EVENT_ID] = KEDGE_MEMBER_OPTIONAL("firstEventId", KEDGE_MEMBER_UNSIGNED),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, error, NULL, values);
    if (result.status == KEDGE_OK) {
        refusal->code = values[CODE];
        refusal->message = values[MESSAGE_TEXT];
        refusal->has_first_event_id =
            kedge_json_unsigned(values[FIRST_EVENT_ID], &refusal->first_event_id) == KEDGE_OK;
    }
    return result;
}

kedge_result kedge_messaging_read_refusal(kedge_span payload, kedge_messaging_refusal *refusal)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("error", KEDGE_MEMBER_ANY),
    };
    const kedge_result other = {KEDGE_OK, payload.size};
    memset(refusal, 0, sizeof *refusal);
    if (kedge_envelope_part_kind(payload) != KEDGE_JSON_KIND_OBJECT) {
        return other;
    }
    kedge_result result =
        kedge_members_read_payload(members, COUNT_OF(members), payload, NULL, &refusal->error);
    if (result.status != KEDGE_OK) {
        return result;
    }
    refusal->refused = refusal->error.kind == KEDGE_JSON_KIND_OBJECT;
    if (!refusal->refused) {
        return other;
    }
    result = read_error(refusal->error.raw, refusal);
    if (result.status != KEDGE_OK) {
        result.offset += kedge_members_offset(payload, refusal->error);
        return result;
    }
    return other;
}
