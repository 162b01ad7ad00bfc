/* load.c: what asks the servers of the Python rows: many WebSockets of one process, on epoll.
 *
 *     bench-load PORT CONNECTIONS echo IN_FLIGHT SIZE
 *     bench-load PORT CONNECTIONS bare IN_FLIGHT SIZE
 *     bench-load PORT CONNECTIONS listen [TEXT]
 *
 * It connects, upgrades each (`listen` then sends TEXT, the first message of a session), says "ready"
 * and reads commands, a line each:
 *
 *     run MILLISECONDS    echo, bare: each connection sends IN_FLIGHT texts in one go and awaits their
 *                         answers, again and again; prints how many were answered in all. An answer that
 *                         is not what was sent ends the program; of `bare` only sizes are compared
 *     await COUNT TAIL    listen: prints how many messages came that end with TAIL, once each
 *                         connection has had COUNT of them in all
 *
 * It ends with its input. No code of the library is in it: it could not find that one's faults. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define VARIANTS 64
#define READY_MAX 256
#define BUFFER_SIZE 65536
#define PATIENCE_MS 20000

static const uint8_t mask_key[4] = {0x37, 0xfa, 0x21, 0x3d};

typedef struct connection {
    int fd;
    unsigned variant; /* of what is asked */
    size_t answered;  /* bytes of its answer */
    uint8_t head[10]; /* listen: of the frame that comes */
    size_t head_size;
    uint64_t left; /* of its payload */
    uint8_t tail[32];
    unsigned long count; /* messages that ended with the tail */
} connection;

/* Texts sent in one go, and what comes back. */
typedef struct burst {
    uint8_t *question;
    size_t question_size;
    uint8_t *answer;
    size_t answer_size;
} burst;

typedef struct load {
    connection *connections;
    size_t count;
    size_t in_flight;
    bool compares;
    int epoll;
    burst bursts[VARIANTS];
    unsigned long answered;
    char tail[64];
} load;

static void fail(const char *sentence)
{
    (void)fprintf(stderr, "bench-load: %s (%s)\n", sentence, strerror(errno));
    exit(1);
}

static void *memory(size_t size)
{
    void *block = calloc(1, size);
    if (block == NULL) {
        fail("no memory");
    }
    return block;
}

static uint64_t milliseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Frames ---------------------------------------------------------------------------------------- */

static size_t write_header(uint8_t *out, size_t size, bool masked)
{
    uint8_t mask = masked ? 0x80 : 0;
    size_t used = 2;
    out[0] = 0x81;
    if (size < 126) {
        out[1] = (uint8_t)(mask | size);
    } else {
        out[1] = (uint8_t)(mask | 126);
        out[2] = (uint8_t)(size >> 8);
        out[3] = (uint8_t)size;
        used = 4;
    }
    if (masked) {
        memcpy(out + used, mask_key, sizeof mask_key);
        used += sizeof mask_key;
    }
    return used;
}

static size_t write_masked(uint8_t *out, const uint8_t *text, size_t size)
{
    size_t used = write_header(out, size, true);
    for (size_t i = 0; i < size; i++) {
        out[used + i] = (uint8_t)(text[i] ^ mask_key[i % 4]);
    }
    return used + size;
}

/* Distinct texts, some not of ASCII alone. */
static void write_text(uint8_t *text, size_t size, unsigned number)
{
    static const char start[] = "{\"type\":\"typing\",\"d\":{\"feed_id\":";
    int used = snprintf((char *)text, size, "%s%u,\"note\":\"", start, number);
    for (size_t i = (size_t)used; i < size; i++) {
        text[i] = (uint8_t)('a' + (i * 7 + number) % 26);
    }
    for (size_t i = (size_t)used; number % 4 == 0 && i + 8 < size; i += 8) {
        memcpy(text + i, "\xe2\x9a\x93", 3);
    }
    memcpy(text + size - 3, "\"}}", 3);
}

static void make_burst(load *self, burst *made, unsigned variant, size_t size)
{
    uint8_t *text = memory(size + 1);
    made->question = memory(self->in_flight * (size + 8));
    made->answer = memory(self->in_flight * (size + 4));
    for (size_t i = 0; i < self->in_flight; i++) {
        write_text(text, size, (unsigned)(variant * self->in_flight + i));
        made->question_size += write_masked(made->question + made->question_size, text, size);
        made->answer_size += write_header(made->answer + made->answer_size, size, false);
        memcpy(made->answer + made->answer_size, text, size);
        made->answer_size += size;
    }
    free(text);
}

/* ---- Sockets --------------------------------------------------------------------------------------- */

static void send_all(int fd, const void *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) {
        fail("a server does not read");
    }
}

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        fail("cannot connect");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Byte by byte, so that nothing behind the head is taken with it. */
static void upgrade(int fd)
{
    static const char request[] =
        "GET /gateway HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char head[4096];
    size_t size = 0;
    send_all(fd, request, sizeof request - 1);
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        if (size == sizeof head || recv(fd, head + size, 1, 0) != 1) {
            fail("no upgrade");
        }
        size++;
    }
    if (memcmp(head, "HTTP/1.1 101 ", 13) != 0) {
        fail("the upgrade was refused");
    }
}

static void open_all(load *self, uint16_t port, const char *first)
{
    uint8_t frame[4096];
    size_t size =
        first == NULL ? 0 : write_masked(frame, (const uint8_t *)first, strnlen(first, 4000));
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < self->count; i++) {
        connection *each = &self->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = each}};
        each->fd = dial(port);
        upgrade(each->fd);
        if (size > 0) {
            send_all(each->fd, frame, size);
        }
        if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, each->fd, &event) < 0) {
            fail("epoll");
        }
    }
}

static size_t receive(connection *from, uint8_t *buffer, size_t size)
{
    ssize_t got = recv(from->fd, buffer, size, 0);
    if (got <= 0) {
        fail("a server hung up");
    }
    return (size_t)got;
}

static int wait_ready(const load *self, struct epoll_event *ready)
{
    int count = epoll_wait(self->epoll, ready, READY_MAX, PATIENCE_MS);
    if (count <= 0) {
        fail("a server does not answer");
    }
    return count;
}

/* ---- Echo ------------------------------------------------------------------------------------------ */

static void ask(load *self, connection *each)
{
    each->variant = (each->variant + 1) % VARIANTS;
    each->answered = 0;
    const burst *next = &self->bursts[each->variant];
    send_all(each->fd, next->question, next->question_size);
}

/* True once the whole answer is there. */
static bool take_answer(load *self, connection *each)
{
    static uint8_t buffer[BUFFER_SIZE];
    const burst *asked = &self->bursts[each->variant];
    size_t got = receive(each, buffer, sizeof buffer);
    if (got > asked->answer_size - each->answered ||
        (self->compares && memcmp(buffer, asked->answer + each->answered, got) != 0)) {
        fail("an answer is wrong");
    }
    each->answered += got;
    return each->answered == asked->answer_size;
}

static void run(load *self, uint64_t duration)
{
    struct epoll_event ready[READY_MAX];
    uint64_t end = milliseconds() + duration;
    size_t open = self->count;
    self->answered = 0;
    for (size_t i = 0; i < self->count; i++) {
        ask(self, &self->connections[i]);
    }
    while (open > 0) {
        int count = wait_ready(self, ready);
        bool goes_on = milliseconds() < end;
        for (int i = 0; i < count; i++) {
            connection *each = ready[i].data.ptr;
            if (!take_answer(self, each)) {
                continue;
            }
            self->answered += self->in_flight;
            if (goes_on) {
                ask(self, each);
            } else {
                open--;
            }
        }
    }
    (void)printf("%lu\n", self->answered);
}

/* ---- Listening ------------------------------------------------------------------------------------- */

/* How long the header is that begins with these bytes; two are needed to tell. */
static size_t header_size(const connection *each)
{
    if (each->head_size < 2 || each->head[1] < 126) {
        return 2;
    }
    return each->head[1] == 126 ? 4 : 10;
}

static uint64_t payload_size(const connection *each)
{
    uint64_t size = 0;
    size_t count = header_size(each);
    if (count == 2) {
        return each->head[1];
    }
    for (size_t i = 2; i < count; i++) {
        size = size << 8 | each->head[i];
    }
    return size;
}

static void take_payload(load *self, connection *each, const uint8_t *bytes, size_t size)
{
    size_t room = sizeof each->tail;
    if (size >= room) {
        memcpy(each->tail, bytes + size - room, room);
    } else {
        memmove(each->tail, each->tail + size, room - size);
        memcpy(each->tail + room - size, bytes, size);
    }
    each->left -= size;
    if (each->left == 0) {
        size_t wanted = strnlen(self->tail, room);
        each->count += memcmp(each->tail + room - wanted, self->tail, wanted) == 0;
        each->head_size = 0;
    }
}

static void take_frames(load *self, connection *each)
{
    static uint8_t buffer[BUFFER_SIZE];
    size_t got = receive(each, buffer, sizeof buffer);
    for (size_t i = 0; i < got;) {
        if (each->head_size < header_size(each)) {
            each->head[each->head_size++] = buffer[i++];
            each->left = payload_size(each);
            continue;
        }
        size_t piece = got - i < each->left ? got - i : (size_t)each->left;
        take_payload(self, each, buffer + i, piece);
        i += piece;
    }
}

static void await(load *self, unsigned long wanted)
{
    struct epoll_event ready[READY_MAX];
    unsigned long total = 0;
    size_t served = 0;
    for (size_t i = 0; i < self->count; i++) {
        served += self->connections[i].count >= wanted;
    }
    while (served < self->count) {
        int count = wait_ready(self, ready);
        for (int i = 0; i < count; i++) {
            connection *each = ready[i].data.ptr;
            bool was = each->count >= wanted;
            take_frames(self, each);
            served += !was && each->count >= wanted;
        }
    }
    for (size_t i = 0; i < self->count; i++) {
        total += self->connections[i].count;
    }
    (void)printf("%lu\n", total);
}

/* ---- The program ----------------------------------------------------------------------------------- */

static unsigned long number(const char *text)
{
    return strtoul(text, NULL, 10);
}

static void obey(load *self, const char *line)
{
    unsigned long count = number(line + 6);
    if (strncmp(line, "run ", 4) == 0) {
        run(self, number(line + 4));
        return;
    }
    const char *tail = strncmp(line, "await ", 6) == 0 ? strchr(line + 6, ' ') : NULL;
    if (tail == NULL) {
        fail("what is that?");
    }
    (void)snprintf(self->tail, sizeof self->tail, "%.*s", (int)strcspn(tail + 1, "\n"), tail + 1);
    await(self, count);
}

int main(int count, char **arguments)
{
    static load self;
    char line[256];
    if (count < 4) {
        fail("PORT CONNECTIONS echo|bare|listen ...");
    }
    bool listens = strcmp(arguments[3], "listen") == 0;
    self.count = number(arguments[2]);
    self.connections = memory(self.count * sizeof *self.connections);
    self.compares = strcmp(arguments[3], "bare") != 0;
    self.in_flight = !listens && count > 4 ? number(arguments[4]) : 0;
    for (unsigned i = 0; !listens && count > 5 && i < VARIANTS; i++) {
        make_burst(&self, &self.bursts[i], i, number(arguments[5]));
    }
    open_all(&self, (uint16_t)number(arguments[1]), listens && count > 4 ? arguments[4] : NULL);
    (void)printf("ready\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(&self, line);
        (void)fflush(stdout);
    }
    return 0;
}
