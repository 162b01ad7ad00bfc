/* stream.h: what the examples share, and any program on poll() needs once: clocks, entropy, signals,
 * files, sockets, and moving bytes between a socket and a connection. */
#ifndef EXAMPLES_STREAM_H
#define EXAMPLES_STREAM_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <kedge/kedge.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* CLOCK_MONOTONIC is the library's time; CLOCK_REALTIME is for what outlives the process. */
static inline uint64_t stream_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * KEDGE_SECOND + (uint64_t)time.tv_nsec;
}

static inline kedge_entropy stream_entropy(void)
{
    kedge_entropy entropy;
    if (getentropy(entropy.bytes, sizeof entropy.bytes) != 0)
        abort();
    return entropy;
}

/* The latest signal of those that are caught; 0 if there was none. */
static volatile sig_atomic_t stream_signal;

static inline void stream_note_signal(int number)
{
    stream_signal = number;
}

/* Whether that signal came; then it is forgotten. */
static inline bool stream_take_signal(int number)
{
    bool came = stream_signal == number;
    stream_signal = came ? 0 : stream_signal;
    return came;
}

/* Without SA_RESTART, so that poll comes back at once. */
static inline void stream_catch(int number)
{
    struct sigaction action = {.sa_handler = stream_note_signal};
    sigaction(number, &action, NULL);
}

/* What every program here begins with: its lines go out one by one, and it is asked to end by signals. */
static inline void stream_begin(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    stream_catch(SIGINT);
    stream_catch(SIGTERM);
    signal(SIGPIPE, SIG_IGN); /* writing to who is gone is an error like others */
}

/* A socket that listens on this machine alone; -1 if that cannot be. Port 0 becomes the one it got. */
static inline int stream_listen(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t size = sizeof address;
    int yes = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        fcntl(listener, F_SETFL, O_NONBLOCK) != 0) {
        close(listener);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return listener;
}

/* The next client's socket; -1 if there is none. */
static inline int stream_accept(int listener)
{
    int socket = accept(listener, NULL, NULL);
    if (socket >= 0)
        fcntl(socket, F_SETFL, O_NONBLOCK);
    return socket;
}

/* A socket that connects, or -1; whether it succeeds shows when it is written to. Only addresses and
 * localhost: a name of the network would keep everybody waiting. */
static inline int stream_connect(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -1;
    int stream = socket(found->ai_family, found->ai_socktype, 0);
    if (stream >= 0 &&
        (fcntl(stream, F_SETFL, O_NONBLOCK) != 0 ||
         (connect(stream, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS))) {
        close(stream);
        stream = -1;
    }
    freeaddrinfo(found);
    return stream;
}

/* Reads a file, into memory to be freed; empty if there is none. */
static inline kedge_span stream_load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return kedge_text(NULL);
    long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    uint8_t *bytes = end > 0 ? malloc((size_t)end) : NULL;
    rewind(file);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, (size_t)end, file);
    fclose(file);
    return kedge_span_of(bytes, size);
}

static inline bool stream_save(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && fwrite(bytes, 1, size, file) == size;
    return file != NULL && fclose(file) == 0 && written;
}

/* What poll should wait for. */
static inline struct pollfd stream_wish(int socket, const kedge_connection *connection)
{
    struct pollfd wish = {.fd = socket};
    if (kedge_connection_reading_wanted(connection))
        wish.events |= POLLIN;
    if (kedge_connection_output_waiting(connection))
        wish.events |= POLLOUT;
    return wish;
}

/* Waits until something comes or that time is there; a second at most, since a signal may have come just
 * before. */
static inline void stream_poll(struct pollfd *wishes, size_t count, kedge_time until)
{
    kedge_time now = stream_clock(CLOCK_MONOTONIC);
    kedge_time wait = until <= now ? 0 : (until - now) / KEDGE_MILLISECOND + 1;
    poll(wishes, count, (int)(wait < 1000 ? wait : 1000));
}

/* Gives the connection what poll found; events must be pulled after it, while `buffer` is as it is. */
static inline void stream_read(const struct pollfd *found, kedge_connection *connection,
                               uint8_t *buffer, size_t size, kedge_time now)
{
    if ((found->revents & (POLLIN | POLLHUP | POLLERR)) == 0)
        return;
    ssize_t got = read(found->fd, buffer, size);
    if (got > 0)
        kedge_connection_receive_mutable(connection, buffer, (size_t)got, now);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        kedge_connection_lost(connection, now);
}

/* Writes what the connection has to say, as far as the socket takes it. */
static inline void stream_write(int socket, kedge_connection *connection, kedge_time now)
{
    kedge_span parts[64];
    size_t count;
    while ((count = kedge_connection_output(connection, parts, 64, now)) > 0) {
        struct iovec vector[64];
        for (size_t i = 0; i < count; i++)
            vector[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].size};
        ssize_t written = writev(socket, vector, (int)count);
        if (written < 0 && errno != EAGAIN && errno != EINTR)
            kedge_connection_lost(connection, now);
        if (written < 0)
            return;
        kedge_connection_consumed(connection, (size_t)written, now);
    }
}

#endif
