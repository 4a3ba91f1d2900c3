/*
 * A load generator for line protocols over TLS: one thread, closed loop.
 *
 * It opens the connections, lets each say its setup lines one at a time, then keeps a fixed number of requests
 * in flight on each and times their replies. Its lines `begin` and `end` on stdout tell whoever reads the
 * server's CPU when to look; the JSON object after them has what was seen from here. With rooms it counts what
 * arrives at those who listen instead (rooms.h). Where a figure could not be
 * trusted (a setup refused, a connection lost) it stops with an error instead. README.md has the options.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ULL          /* all times are nanoseconds of the monotonic clock */
#define OPENING_AT_ONCE 32            /* below the 50 that Twisted lets wait for accept */
#define OPENING_SECONDS 120           /* for all connections and their setup */
#define DRAIN_SECONDS 10              /* for the replies that are under way at the end */
#define ERRORS_SHOWN 5
#define MOST_PIECES 32
#define READ_SIZE 65536
#define FINENESS 128                  /* steps of the latency histogram in each power of two: below 1 % */

/* ---- small things ---- */

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t clock_now(clockid_t id) {
    struct timespec time;
    clock_gettime(id, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t monotonic(void) { return clock_now(CLOCK_MONOTONIC); }

static void say(const char *word) {
    puts(word);
    fflush(stdout);
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) die("out of memory");
    return memory;
}

static uint64_t random_below(uint64_t bound) {
    static uint64_t state = 88172645463325252ULL;     /* xorshift64: the same sequence in every run */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

struct buffer {
    char *bytes;
    size_t length, capacity;
};

static void reserve(struct buffer *buffer, size_t more) {
    if (buffer->length + more <= buffer->capacity) return;
    buffer->capacity = 2 * (buffer->length + more);
    buffer->bytes = realloc(buffer->bytes, buffer->capacity);
    if (!buffer->bytes) die("out of memory");
}

static void append(struct buffer *buffer, const char *bytes, size_t length) {
    if (!length) return;
    reserve(buffer, length);
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

static void append_number(struct buffer *buffer, uint64_t number) {
    char digits[20];
    size_t start = sizeof digits;
    do digits[--start] = (char)('0' + number % 10); while (number /= 10);
    append(buffer, digits + start, sizeof digits - start);
}

static void drop_front(struct buffer *buffer, size_t length) {
    buffer->length -= length;
    if (buffer->length) memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}

/* ---- what is asked for ---- */

struct piece {
    enum { TEXT, CONNECTION, NUMBER, OTHER, VALUE, RANDOM, ROOM, MARK } kind;
    const char *text;
    size_t length;
    uint64_t low, high;
};

struct template {
    struct piece pieces[MOST_PIECES];
    size_t count;
};

struct lines {
    char **line;
    size_t count;
};

static struct {
    const char *host, *port;
    unsigned connections, in_flight;
    double warmup, seconds;
    bool idle;
    struct template request, *setup;
    char **expected;                      /* for each line of the setup what ends the reply to it; NULL for OK or ERR */
    size_t setup_lines;
    unsigned rooms, senders;              /* rooms: 0 for none; senders in each */
    double rate;                          /* messages a second; 0 for a closed loop */
    struct lines values;
} options = {.host = "127.0.0.1", .port = "5555", .connections = 1, .in_flight = 1, .senders = 1, .warmup = 1, .seconds = 3};

/* The placeholder at the start of `text`, if there is one; returns its length. Other braces are text: JSON has many. */
static size_t placeholder(const char *text, struct piece *piece) {
    int length = 0;
    if (sscanf(text, "{r:%lu:%lu}%n", &piece->low, &piece->high, &length) == 2 && length) {
        if (piece->high < piece->low) die("the range is empty: %s", text);
        piece->kind = RANDOM;
        return (size_t)length;
    }
    const char *letter = text[0] == '{' && text[1] && text[2] == '}' ? strchr("cnovgm", text[1]) : NULL;
    if (!letter) return 0;
    static const int kinds[] = {['c'] = CONNECTION, ['n'] = NUMBER, ['o'] = OTHER, ['v'] = VALUE, ['g'] = ROOM, ['m'] = MARK};
    piece->kind = kinds[(int)*letter];
    return 3;
}

static struct template parse_template(const char *text) {
    struct template template = {.count = 0};
    while (*text) {
        if (template.count == MOST_PIECES) die("more than %d parts in a template", MOST_PIECES);
        struct piece *piece = &template.pieces[template.count++];
        size_t length = placeholder(text, piece);
        if (!length) {
            struct piece next;
            *piece = (struct piece){.kind = TEXT, .text = text};
            do length++; while (text[length] && !placeholder(text + length, &next));
            piece->length = length;
        }
        text += length;
    }
    return template;
}

static uint64_t requests_made;

/* `{o}` with one connection is 1: a neighbour that is not there. */
static uint64_t another(unsigned index) {
    if (options.connections == 1) return 1;
    uint64_t other = random_below(options.connections - 1);
    return other < index ? other : other + 1;
}

static void append_mark(struct buffer *line);

static void render(const struct template *template, unsigned index, struct buffer *line) {
    uint64_t number = requests_made++;
    for (size_t i = 0; i < template->count; i++) {
        const struct piece *piece = &template->pieces[i];
        switch (piece->kind) {
        case TEXT: append(line, piece->text, piece->length); break;
        case CONNECTION: append_number(line, index); break;
        case NUMBER: append_number(line, number); break;
        case OTHER: append_number(line, another(index)); break;
        case VALUE: append(line, options.values.line[index], strlen(options.values.line[index])); break;
        case RANDOM: append_number(line, piece->low + random_below(piece->high - piece->low + 1)); break;
        case ROOM: append_number(line, index % options.rooms); break;
        case MARK: append_mark(line); break;
        }
    }
    append(line, "\n", 1);
}

/* ---- what is counted ---- */

static struct {
    uint64_t operations, errors, slowest;
    uint64_t latencies[64 * FINENESS];
} seen;

static size_t step_of(uint64_t latency) {
    if (latency < FINENESS) return latency;
    unsigned power = 63 - (unsigned)__builtin_clzll(latency);
    unsigned shift = power - (unsigned)__builtin_ctz(FINENESS);
    return (size_t)(shift + 1) * FINENESS + ((latency >> shift) & (FINENESS - 1));
}

static uint64_t start_of(size_t step) {
    if (step < FINENESS) return step;
    return (FINENESS + step % FINENESS) << (step / FINENESS - 1);
}

static void count_reply(uint64_t latency, bool error) {
    seen.operations++;
    seen.errors += error;
    seen.latencies[step_of(latency)]++;
    if (latency > seen.slowest) seen.slowest = latency;
}

static double quantile_ms(double share) {
    uint64_t below = 0, wanted = (uint64_t)(share * (double)seen.operations);
    size_t step = 0;
    while (step < 64 * FINENESS - 1 && (below += seen.latencies[step]) <= wanted) step++;
    return seen.operations ? (double)start_of(step) / 1e6 : 0;
}

/* ---- connections ---- */

struct connection {
    unsigned index;
    int descriptor;
    SSL *tls;
    enum { OPENING, SETUP, READY } state;
    size_t setup_done;
    struct buffer unread, unsent;         /* the start of a line; what the kernel has not taken yet */
    uint64_t *sent_at;                    /* ring of options.in_flight times, oldest at `oldest` */
    unsigned oldest, waiting, answered;   /* `answered`: replies since this connection last sent */
    bool watched_for_writing;
};

static struct connection *connections;
static unsigned opening, ready;
static uint64_t waiting_in_all;
static int poll_descriptor;
static SSL_CTX *context;
static bool running;                      /* replies are followed by new requests */
static bool stdin_closed;

static void lost(const struct connection *connection, const char *when) {
    unsigned long reason = ERR_peek_error();
    die("connection %u was lost %s: %s", connection->index, when,
        reason ? ERR_error_string(reason, NULL) : errno ? strerror(errno) : "closed by the server");
}

static void watch(struct connection *connection, bool writing) {
    if (connection->watched_for_writing == writing) return;
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(poll_descriptor, EPOLL_CTL_MOD, connection->descriptor, &event);
    connection->watched_for_writing = writing;
}

/* A TLS call did not succeed: it has to be tried again (returns whether that is when one can write), or all is lost. */
static bool waits_for_writing(struct connection *connection, int result, const char *when) {
    int error = SSL_get_error(connection->tls, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) lost(connection, when);
    return error == SSL_ERROR_WANT_WRITE;
}

static void flush(struct connection *connection) {
    struct buffer *unsent = &connection->unsent;
    size_t done = 0;
    bool writing = false;
    while (done < unsent->length) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_write(connection->tls, unsent->bytes + done, (int)(unsent->length - done));
        if (result <= 0) {
            writing = waits_for_writing(connection, result, "while sending");
            break;
        }
        done += (size_t)result;
    }
    drop_front(unsent, done);
    watch(connection, writing);
}

static void send_requests(struct connection *connection, unsigned count) {
    uint64_t now = monotonic();
    for (unsigned i = 0; i < count; i++) {
        render(&options.request, connection->index, &connection->unsent);
        connection->sent_at[(connection->oldest + connection->waiting++) % options.in_flight] = now;
    }
    waiting_in_all += count;
    flush(connection);
}

static void go_on_with_setup(struct connection *connection) {
    if (connection->setup_done < options.setup_lines) {
        render(&options.setup[connection->setup_done], connection->index, &connection->unsent);
        flush(connection);
        return;
    }
    connection->state = READY;
    opening--;
    ready++;
}

static bool has(const char *line, size_t length, const char *name) {
    return memmem(line, length, name, strlen(name)) != NULL;
}

#include "rooms.h"

static void take_reply(struct connection *connection, bool error, const char *line, int length, uint64_t now) {
    if (connection->state == SETUP) {
        if (options.expected[connection->setup_done]) return;
        if (error) die("the setup of connection %u was refused: %.*s", connection->index, length, line);
        connection->setup_done++;
        go_on_with_setup(connection);
        return;
    }
    if (options.rooms) {
        seen.errors += error;
        return;
    }
    if (!connection->waiting) die("connection %u got a reply too many: %.*s", connection->index, length, line);
    static unsigned shown;
    if (error && shown++ < ERRORS_SHOWN) fprintf(stderr, "load: %.*s\n", length, line);
    if (running) count_reply(now - connection->sent_at[connection->oldest], error);
    connection->oldest = (connection->oldest + 1) % options.in_flight;
    connection->waiting--;
    connection->answered++;
    waiting_in_all--;
}

/* Events, data lines and notifications are passed over; what ends a reply is its status line, or its one line of JSON. */
static void take_line(struct connection *connection, const char *line, size_t length, uint64_t now) {
    if (options.rooms && take_room_line(connection, line, length, now)) return;
    if (!length || line[0] == '*' || line[0] == ' ') return;
    bool error;
    if (line[0] == '{') {
        if (!has(line, length, "\"id\"")) return;
        error = has(line, length, "\"error\"");
    } else if (length >= 2 && !memcmp(line, "OK", 2)) {
        error = false;
    } else if (length >= 3 && !memcmp(line, "ERR", 3)) {
        error = true;
    } else {
        die("connection %u got what is no reply: %.*s", connection->index, (int)length, line);
        return;
    }
    take_reply(connection, error, line, (int)length, now);
}

/* Reads what is there; returns whether there was anything. */
static bool receive(struct connection *connection) {
    struct buffer *unread = &connection->unread;
    reserve(unread, READ_SIZE);
    ERR_clear_error();
    errno = 0;
    int result = SSL_read(connection->tls, unread->bytes + unread->length, READ_SIZE);
    if (result <= 0) {
        waits_for_writing(connection, result, "while reading");
        return false;
    }
    uint64_t now = monotonic();
    size_t end = unread->length + (size_t)result, start = 0, from = unread->length;
    char *newline;
    while ((newline = memchr(unread->bytes + from, '\n', end - from))) {
        size_t stop = (size_t)(newline - unread->bytes);
        take_line(connection, unread->bytes + start, stop - start, now);
        start = from = stop + 1;
    }
    unread->length = end;
    drop_front(unread, start);
    return true;
}

static void shake_hands(struct connection *connection) {
    ERR_clear_error();
    errno = 0;
    int result = SSL_connect(connection->tls);
    if (result == 1) {
        watch(connection, false);
        connection->state = SETUP;
        go_on_with_setup(connection);
    } else {
        watch(connection, waits_for_writing(connection, result, "in the handshake"));
    }
}

static void serve(struct connection *connection) {
    if (connection->state == OPENING) {
        shake_hands(connection);
        return;
    }
    if (connection->unsent.length) flush(connection);
    /* Asking again only when TLS holds more saves a system call that would find nothing. */
    while (receive(connection) && SSL_has_pending(connection->tls));
    unsigned answered = connection->answered;
    connection->answered = 0;
    if (running && answered) send_requests(connection, answered);
}

static int connect_to_server(void) {
    static struct addrinfo *address;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (!address && getaddrinfo(options.host, options.port, &hints, &address)) die("no such host: %s", options.host);
    int descriptor = socket(address->ai_family, SOCK_STREAM, 0), on = 1;
    if (descriptor < 0 || connect(descriptor, address->ai_addr, address->ai_addrlen))
        die("cannot connect to %s:%s: %s", options.host, options.port, strerror(errno));
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    return descriptor;
}

static void open_connection(unsigned index) {
    struct connection *connection = &connections[index];
    connection->index = index;
    connection->descriptor = connect_to_server();
    connection->sent_at = allocate(options.in_flight, sizeof *connection->sent_at);
    connection->tls = SSL_new(context);
    if (!connection->tls || !SSL_set_fd(connection->tls, connection->descriptor)) die("cannot make a TLS connection");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poll_descriptor, EPOLL_CTL_ADD, connection->descriptor, &event)) die("epoll: %s", strerror(errno));
    opening++;
    shake_hands(connection);
}

static void close_connection(struct connection *connection) {
    SSL_shutdown(connection->tls);
    SSL_free(connection->tls);
    close(connection->descriptor);
    free(connection->unread.bytes);
    free(connection->unsent.bytes);
    free(connection->sent_at);
}

static void take_stdin(void) {
    char ignored[512];
    if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0) stdin_closed = true;
}

/* Waits for something to happen, though not beyond `until`, and serves it; returns the time. */
static uint64_t turn(uint64_t until) {
    struct epoll_event events[256];
    uint64_t now = monotonic();
    int patience_ms = until > now ? (int)((until - now) / 1000000) + 1 : 0;
    if (options.rate > 0 && running && patience_ms > 1) patience_ms = 1;
    int count = epoll_wait(poll_descriptor, events, 256, patience_ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr) serve(events[i].data.ptr);
        else take_stdin();
    }
    if (running && options.rooms) say_what_is_due();
    return monotonic();
}

/* ---- the run ---- */

static void open_all(void) {
    uint64_t now = monotonic(), deadline = now + OPENING_SECONDS * SECOND;
    unsigned next = 0;
    while (ready < options.connections) {
        while (next < options.connections && opening < OPENING_AT_ONCE) open_connection(next++);
        if (ready < options.connections) now = turn(deadline);
        if (now >= deadline) die("only %u connections were ready in %d s", ready, OPENING_SECONDS);
    }
}

static void hold(void) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    say("ready");
    /* A file cannot be watched, and has its end at once. */
    if (epoll_ctl(poll_descriptor, EPOLL_CTL_ADD, STDIN_FILENO, &event)) stdin_closed = true;
    while (!stdin_closed) turn(monotonic() + SECOND);
}

static uint64_t run_until(uint64_t deadline) {
    uint64_t now;
    do now = turn(deadline); while (now < deadline);
    return now;
}

static void drain(uint64_t deadline) {
    while (waiting_in_all && turn(deadline) < deadline);
}

static void measure(void) {
    running = true;
    if (options.rooms) begin_to_talk();
    else
        for (unsigned i = 0; i < options.connections; i++) send_requests(&connections[i], options.in_flight);
    run_until(monotonic() + (uint64_t)(options.warmup * 1e9));

    say("begin");
    memset(&seen, 0, sizeof seen);
    uint64_t used = clock_now(CLOCK_PROCESS_CPUTIME_ID), begin = monotonic();
    uint64_t end = run_until(begin + (uint64_t)(options.seconds * 1e9));
    say("end");
    used = clock_now(CLOCK_PROCESS_CPUTIME_ID) - used;
    running = false;
    double seconds = (double)(end - begin) / 1e9;

    drain(end + DRAIN_SECONDS * SECOND);
    printf("{\"operations\": %lu, \"seconds\": %.3f, \"per_second\": %.1f, \"errors\": %lu, \"unanswered\": %lu, "
           "\"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f, \"cpu_seconds\": %.3f}\n",
           seen.operations, seconds, (double)seen.operations / seconds, seen.errors, waiting_in_all,
           quantile_ms(0.5), quantile_ms(0.99), (double)seen.slowest / 1e6, (double)used / 1e9);
}

/* ---- options ---- */

static struct lines read_lines(const char *path) {
    struct lines lines = {.line = NULL};
    FILE *file = fopen(path, "r");
    if (!file) die("cannot read %s: %s", path, strerror(errno));
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) >= 0) {
        line[strcspn(line, "\r\n")] = 0;
        lines.line = realloc(lines.line, (lines.count + 1) * sizeof *lines.line);
        if (!lines.line || !(lines.line[lines.count++] = strdup(line))) die("out of memory");
    }
    free(line);
    fclose(file);
    return lines;
}

/* A line may end with a tab and what ends the reply to it; a `|` in it starts another line. */
static char *split_expected(char *line) {
    char *tab = strchr(line, '\t');
    if (!tab) return NULL;
    *tab = 0;
    for (char *bar = line; (bar = strchr(bar, '|')); *bar = '\n');
    return tab + 1;
}

static void read_setup(const char *path) {
    struct lines lines = read_lines(path);
    options.setup = allocate(lines.count, sizeof *options.setup);
    options.expected = allocate(lines.count, sizeof *options.expected);
    /* A template points into its text, which therefore stays. */
    for (size_t i = 0; i < lines.count; i++) {
        if (!*lines.line[i]) {
            free(lines.line[i]);
            continue;
        }
        options.expected[options.setup_lines] = split_expected(lines.line[i]);
        options.setup[options.setup_lines++] = parse_template(lines.line[i]);
    }
    free(lines.line);
}

static double number(const char *name, const char *text, double least) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least && value <= 1e6)) die("--%s %s: not a number from %g on", name, text, least);
    return value;
}

static bool uses(const struct template *template, int kind) {
    for (size_t i = 0; i < template->count; i++)
        if ((int)template->pieces[i].kind == kind) return true;
    return false;
}

static void check_options(void) {
    bool values = uses(&options.request, VALUE);
    for (size_t i = 0; i < options.setup_lines; i++) values |= uses(&options.setup[i], VALUE);
    if (values && options.values.count < options.connections)
        die("{v} needs --values with a line for each of %u connections", options.connections);
    if (!options.idle && !options.request.count) die("--request is missing");
    if (options.rooms && (!uses(&options.request, MARK) || options.connections % options.rooms || options.connections < 2 * options.rooms))
        die("--rooms needs {m} in the request, and as many connections in each room, at least two");
    if (options.rooms && options.senders > options.connections / options.rooms) die("more senders than members");
}

static void read_options(int count, char **words) {
    static const struct option known[] = {
        {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"connections", 1, 0, 'c'}, {"inflight", 1, 0, 'i'},
        {"warmup", 1, 0, 'w'}, {"seconds", 1, 0, 's'}, {"setup", 1, 0, 'u'}, {"values", 1, 0, 'v'},
        {"request", 1, 0, 'r'}, {"idle", 0, 0, 'I'}, {"rooms", 1, 0, 'g'}, {"senders", 1, 0, 'S'}, {"rate", 1, 0, 'R'},
        {0, 0, 0, 0}};
    int letter, which;
    while ((letter = getopt_long(count, words, "", known, &which)) != -1) {
        switch (letter) {
        case 'h': options.host = optarg; break;
        case 'p': options.port = optarg; break;
        case 'c': options.connections = (unsigned)number(known[which].name, optarg, 1); break;
        case 'i': options.in_flight = (unsigned)number(known[which].name, optarg, 1); break;
        case 'w': options.warmup = number(known[which].name, optarg, 0); break;
        case 's': options.seconds = number(known[which].name, optarg, 0.001); break;
        case 'u': read_setup(optarg); break;
        case 'v': options.values = read_lines(optarg); break;
        case 'r': options.request = parse_template(optarg); break;
        case 'I': options.idle = true; break;
        case 'g': options.rooms = (unsigned)number(known[which].name, optarg, 1); break;
        case 'S': options.senders = (unsigned)number(known[which].name, optarg, 1); break;
        case 'R': options.rate = number(known[which].name, optarg, 0.001); break;
        default: exit(2);
        }
    }
    if (optind < count) die("what is %s?", words[optind]);
    check_options();
}

static void prepare(void) {
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poll_descriptor = epoll_create1(0);
    context = SSL_CTX_new(TLS_client_method());
    if (!context) die("cannot set up TLS");
    /* Whom it talks to is not its question: the certificate is not verified. */
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    connections = allocate(options.connections, sizeof *connections);
}

int main(int count, char **words) {
    read_options(count, words);
    prepare();
    open_all();
    if (options.idle) hold();
    else measure();
    for (unsigned i = 0; i < options.connections; i++) close_connection(&connections[i]);
    SSL_CTX_free(context);
    free(connections);
    return 0;
}
