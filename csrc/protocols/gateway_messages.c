/* gateway_messages.c: the tables of gateway.md, see gateway_messages.h. */
#include "gateway_messages.h"

#include "members.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- identify, resume ----------------------------------------------------------------------- */

/* A token or session id; an empty one is none. */
static kedge_json_value credential(kedge_json_value value)
{
    return kedge_json_text_raw(value).size == 0 ? KEDGE_NO_VALUE : value;
}

kedge_result kedge_gateway_read_identify(kedge_span payload, kedge_gateway_identify *identify)
{
    enum { TOKEN, VERSION, CAPABILITIES, COUNT };
    static const kedge_member members[COUNT] = {
        [TOKEN] = KEDGE_MEMBER_OPTIONAL("token", KEDGE_MEMBER_TEXT),
        [VERSION] = KEDGE_MEMBER_OPTIONAL("protocol_version", KEDGE_MEMBER_INTEGER),
        [CAPABILITIES] = KEDGE_MEMBER_OPTIONAL("capabilities", KEDGE_MEMBER_TEXTS),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status == KEDGE_OK) {
        identify->token = credential(values[TOKEN]);
        identify->has_protocol_version = values[VERSION].kind != KEDGE_JSON_KIND_NONE;
        identify->protocol_version = 0;
        if (kedge_json_integer(values[VERSION], &identify->protocol_version) == KEDGE_JSON_RANGE) {
            identify->protocol_version = INT64_MAX;
        }
        identify->capabilities = values[CAPABILITIES];
    }
    return result;
}

kedge_result kedge_gateway_read_resume(kedge_span payload, kedge_gateway_resume *resume)
{
    enum { TOKEN, SESSION_ID, LAST_SEQ, COUNT };
    static const kedge_member members[COUNT] = {
        [TOKEN] = KEDGE_MEMBER_OPTIONAL("token", KEDGE_MEMBER_TEXT),
        [SESSION_ID] = KEDGE_MEMBER_OPTIONAL("session_id", KEDGE_MEMBER_TEXT),
        [LAST_SEQ] = KEDGE_MEMBER_REQUIRED("last_seq", KEDGE_MEMBER_UNSIGNED),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status == KEDGE_OK) {
        resume->token = credential(values[TOKEN]);
        resume->session_id = credential(values[SESSION_ID]);
        kedge_json_unsigned(values[LAST_SEQ], &resume->last_seq);
    }
    return result;
}

/* ---- what servers send ---------------------------------------------------------------------- */

kedge_result kedge_gateway_read_hello(kedge_span payload, kedge_gateway_hello *hello)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_REQUIRED("heartbeat_interval", KEDGE_MEMBER_UNSIGNED),
    };
    kedge_json_value interval;
    kedge_result result =
        kedge_members_read_payload(members, COUNT_OF(members), payload, NULL, &interval);
    if (result.status != KEDGE_OK) {
        return result;
    }
    kedge_json_unsigned(interval, &hello->heartbeat_interval);
    if (hello->heartbeat_interval == 0) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_VALUE, kedge_members_offset(payload, interval)};
    }
    return result;
}

kedge_result kedge_gateway_read_ready(kedge_span payload, kedge_gateway_ready *ready)
{
    enum { SESSION_ID, VERSION, CAPABILITIES, COUNT };
    static const kedge_member members[COUNT] = {
        [SESSION_ID] = KEDGE_MEMBER_REQUIRED("session_id", KEDGE_MEMBER_TEXT),
        [VERSION] = KEDGE_MEMBER_OPTIONAL("protocol_version", KEDGE_MEMBER_ANY),
        [CAPABILITIES] = KEDGE_MEMBER_OPTIONAL("capabilities", KEDGE_MEMBER_ANY),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status != KEDGE_OK) {
        return result;
    }
    if (kedge_json_text_raw(values[SESSION_ID]).size == 0) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING,
                              kedge_members_offset(payload, values[SESSION_ID])};
    }
    ready->session_id = values[SESSION_ID];
    ready->protocol_version = values[VERSION];
    ready->capabilities = values[CAPABILITIES];
    return result;
}

kedge_result kedge_gateway_read_resumed(kedge_span payload, kedge_gateway_resumed *resumed)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("seq", KEDGE_MEMBER_UNSIGNED),
    };
    kedge_json_value seq = KEDGE_NO_VALUE;
    kedge_result result = {KEDGE_OK, 0};
    if (payload.size > 0) {
        result = kedge_members_read_payload(members, COUNT_OF(members), payload, NULL, &seq);
    }
    if (result.status == KEDGE_OK) {
        resumed->seq = 0;
        resumed->has_seq = kedge_json_unsigned(seq, &resumed->seq) == KEDGE_OK;
    }
    return result;
}

kedge_result kedge_gateway_read_error(kedge_span payload, kedge_gateway_error *error)
{
    enum { CODE, MESSAGE, COUNT };
    static const kedge_member members[COUNT] = {
        [CODE] = KEDGE_MEMBER_OPTIONAL("code", KEDGE_MEMBER_ANY),
        [MESSAGE] = KEDGE_MEMBER_OPTIONAL("message", KEDGE_MEMBER_ANY),
    };
    kedge_json_value values[COUNT] = {KEDGE_NO_VALUE, KEDGE_NO_VALUE};
    kedge_result result = {KEDGE_OK, 0};
    if (payload.size > 0) {
        result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    }
    if (result.status == KEDGE_OK) {
        error->code = values[CODE];
        error->message = values[MESSAGE];
    }
    return result;
}

/* ---- what clients send ---------------------------------------------------------------------- */

enum { STATUS_WORDS, MLS_WORDS, CPACE_WORDS, MEDIA_WORDS, WORD_LISTS };

static const char *const statuses[] = {"online", "idle", "dnd", "offline", "invisible"};
static const char *const mls_types[] = {"welcome", "commit", "proposal"};
static const char *const cpace_types[] = {"isi", "rsi", "confirm", "new_device_key"};
static const char *const media_types[] = {"audio", "video", "screen"};

static const kedge_member voice_state_update[] = {
    KEDGE_MEMBER_OPTIONAL("self_mute", KEDGE_MEMBER_BOOLEAN),
    KEDGE_MEMBER_OPTIONAL("self_deaf", KEDGE_MEMBER_BOOLEAN),
    KEDGE_MEMBER_OPTIONAL("video", KEDGE_MEMBER_BOOLEAN),
    KEDGE_MEMBER_OPTIONAL("streaming", KEDGE_MEMBER_BOOLEAN),
};

static const kedge_member presence_update[] = {
    KEDGE_MEMBER_REQUIRED_WORD("status", STATUS_WORDS),
    KEDGE_MEMBER_OPTIONAL("custom_status", KEDGE_MEMBER_TEXT_OR_OBJECT),
    KEDGE_MEMBER_OPTIONAL("activity", KEDGE_MEMBER_OBJECT),
};

static const kedge_member typing[] = {
    KEDGE_MEMBER_OPTIONAL("feed_id", KEDGE_MEMBER_INTEGER),
    KEDGE_MEMBER_OPTIONAL("dm_id", KEDGE_MEMBER_INTEGER),
};

static const kedge_member mls_relay[] = {
    KEDGE_MEMBER_REQUIRED_WORD("mls_type", MLS_WORDS),
    KEDGE_MEMBER_REQUIRED("data", KEDGE_MEMBER_TEXT),
};

static const kedge_member cpace_relay[] = {
    KEDGE_MEMBER_REQUIRED_WORD("cpace_type", CPACE_WORDS),
    KEDGE_MEMBER_REQUIRED("pair_id", KEDGE_MEMBER_TEXT),
    KEDGE_MEMBER_REQUIRED("data", KEDGE_MEMBER_TEXT),
};

static const kedge_member voice_codec_neg[] = {
    KEDGE_MEMBER_REQUIRED_WORD("media_type", MEDIA_WORDS),
    KEDGE_MEMBER_REQUIRED("codec", KEDGE_MEMBER_TEXT),
    KEDGE_MEMBER_OPTIONAL("spatial_layers", KEDGE_MEMBER_INTEGER),
    KEDGE_MEMBER_OPTIONAL("temporal_layers", KEDGE_MEMBER_INTEGER),
    KEDGE_MEMBER_OPTIONAL("target_bitrates", KEDGE_MEMBER_INTEGERS),
    KEDGE_MEMBER_OPTIONAL("dependency_templates", KEDGE_MEMBER_TEXTS),
};

static const kedge_member stage_response[] = {
    KEDGE_MEMBER_REQUIRED("room_id", KEDGE_MEMBER_INTEGER),
    KEDGE_MEMBER_REQUIRED("response_type", KEDGE_MEMBER_TEXT),
    KEDGE_MEMBER_REQUIRED("accepted", KEDGE_MEMBER_BOOLEAN),
};

static const kedge_gateway_payload client_payloads[] = {
    {"voice_state_update", voice_state_update, COUNT_OF(voice_state_update), false},
    {"presence_update", presence_update, COUNT_OF(presence_update), false},
    {"typing", typing, COUNT_OF(typing), true},
    {"typing_start", typing, COUNT_OF(typing), true},
    {"mls_relay", mls_relay, COUNT_OF(mls_relay), false},
    {"cpace_relay", cpace_relay, COUNT_OF(cpace_relay), false},
    {"voice_codec_neg", voice_codec_neg, COUNT_OF(voice_codec_neg), false},
    {"stage_response", stage_response, COUNT_OF(stage_response), false},
};

static const kedge_gateway_payload *find_payload(const kedge_envelope_name *type)
{
    for (size_t i = 0; i < COUNT_OF(client_payloads); i++) {
        if (kedge_envelope_name_is(type, kedge_text(client_payloads[i].type))) {
            return &client_payloads[i];
        }
    }
    return NULL;
}

const kedge_gateway_payload *kedge_gateway_payload_at(size_t index)
{
    return index < COUNT_OF(client_payloads) ? &client_payloads[index] : NULL;
}

kedge_words kedge_gateway_documented_words(uint8_t list)
{
    static const kedge_words lists[WORD_LISTS] = {
        [STATUS_WORDS] = {statuses, COUNT_OF(statuses)},
        [MLS_WORDS] = {mls_types, COUNT_OF(mls_types)},
        [CPACE_WORDS] = {cpace_types, COUNT_OF(cpace_types)},
        [MEDIA_WORDS] = {media_types, COUNT_OF(media_types)},
    };
    return lists[list];
}

static kedge_words choose(const kedge_words *given, uint8_t list)
{
    return given != NULL && given->words != NULL ? *given : kedge_gateway_documented_words(list);
}

static kedge_result check_exactly_one(kedge_span payload, kedge_json_value a, kedge_json_value b)
{
    bool has_a = a.kind != KEDGE_JSON_KIND_NONE;
    bool has_b = b.kind != KEDGE_JSON_KIND_NONE;
    if (has_a != has_b) {
        return (kedge_result){KEDGE_OK, payload.size};
    }
    if (!has_a) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING, payload.size - 1};
    }
    kedge_json_value second = a.raw.data > b.raw.data ? a : b;
    return (kedge_result){KEDGE_ENVELOPE_MEMBER_EXCLUSIVE, kedge_members_offset(payload, second)};
}

kedge_result kedge_gateway_check_payload(const kedge_envelope_name *type, kedge_span payload,
                                         const kedge_gateway_words *words)
{
    const kedge_gateway_payload *known = find_payload(type);
    if (known == NULL) {
        return (kedge_result){KEDGE_UNKNOWN_TYPE, 0};
    }
    const kedge_words lists[WORD_LISTS] = {
        [STATUS_WORDS] = kedge_gateway_documented_words(STATUS_WORDS),
        [MLS_WORDS] = choose(words == NULL ? NULL : &words->mls_types, MLS_WORDS),
        [CPACE_WORDS] = choose(words == NULL ? NULL : &words->cpace_types, CPACE_WORDS),
        [MEDIA_WORDS] = choose(words == NULL ? NULL : &words->media_types, MEDIA_WORDS),
    };
    kedge_json_value values[KEDGE_MEMBERS_MAXIMUM];
    kedge_result result =
        kedge_members_read_payload(known->members, known->count, payload, lists, values);
    if (result.status != KEDGE_OK || !known->exactly_one) {
        return result;
    }
    return check_exactly_one(payload, values[0], values[1]);
}
