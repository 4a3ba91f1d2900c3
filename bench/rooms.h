/*
 * Rooms: the first connections of each room say something, and what is counted is what arrives at all others there.
 *
 * Connection i is in room i % rooms. A message carries a mark, `^number^`, by which whoever hears it is known to have
 * heard it; any line form will do, so servers of different protocols meet the same load. A message is done when all
 * members but the sender have it, and then its sender says the next one (closed loop); or messages are said at a rate.
 * Included by load.c alone.
 */

#define MESSAGES 65536                    /* under way at once; a power of two */

static struct {
    uint64_t number, said_at;
    unsigned left, sender;
} messages[MESSAGES];

static uint64_t messages_said, rate_began;
static unsigned *due, due_count;          /* connections that may say another message, one entry for each */
static const char IRC_PING[] = "PING ";

static void append_mark(struct buffer *line) {
    append(line, "^", 1);
    append_number(line, messages_said);
    append(line, "^", 1);
}

static unsigned members_of_a_room(void) { return options.connections / options.rooms; }

/* Notes a message that a connection is about to say; `said` goes on with flush(). */
static void say_message(struct connection *connection, uint64_t now) {
    uint64_t place = messages_said % MESSAGES;
    if (messages[place].left) die("message %lu has not arrived everywhere: %u are left", messages[place].number, messages[place].left);
    messages[place].number = messages_said;
    messages[place].said_at = now;
    messages[place].left = members_of_a_room() - 1;
    messages[place].sender = connection->index;
    render(&options.request, connection->index, &connection->unsent);
    messages_said++;
    waiting_in_all++;
}

static void hear_message(uint64_t number, uint64_t now) {
    uint64_t place = number % MESSAGES;
    if (messages[place].number != number || !messages[place].left) die("message %lu arrived too often", number);
    if (running) count_reply(now - messages[place].said_at, false);
    if (--messages[place].left) return;
    waiting_in_all--;
    if (options.rate == 0) due[due_count++] = messages[place].sender;
}

/* Takes what load.c does not know of; returns whether that was all there is to a line. */
static bool take_room_line(struct connection *connection, const char *line, size_t length, uint64_t now) {
    if (length > sizeof IRC_PING - 1 && !memcmp(line, IRC_PING, sizeof IRC_PING - 1)) {
        append(&connection->unsent, "PONG ", 5);
        append(&connection->unsent, line + 5, length - 5);
        append(&connection->unsent, "\n", 1);
        flush(connection);
        return true;
    }
    if (connection->state == SETUP && options.expected[connection->setup_done]) {
        if (has(line, length, options.expected[connection->setup_done])) {
            connection->setup_done++;
            go_on_with_setup(connection);
        }
        return true;
    }
    if (connection->state != READY) return false;
    const char *mark = memchr(line, '^', length);
    if (!mark) return options.expected[0] != NULL;   /* an IRC server says this and that */
    uint64_t number = 0;
    for (mark++; mark < line + length && *mark != '^'; mark++) number = 10 * number + (uint64_t)(*mark - '0');
    hear_message(number, now);
    return true;
}

static void begin_to_talk(void) {
    uint64_t now = monotonic();
    unsigned senders = options.rooms * options.senders;
    due = allocate((size_t)senders * options.in_flight, sizeof *due);
    rate_began = now;
    if (options.rate > 0) return;
    for (unsigned i = 0; i < senders; i++) {
        for (unsigned n = 0; n < options.in_flight; n++) say_message(&connections[i], now);
        flush(&connections[i]);
    }
}

/* What has become due in a turn is sent together, as a client would that has read several lines at once. */
static void say_what_is_due(void) {
    uint64_t now = monotonic();
    if (options.rate > 0) {
        unsigned senders = options.rooms * options.senders;
        uint64_t wanted = (uint64_t)((double)(now - rate_began) / 1e9 * options.rate);
        while (messages_said < wanted) {
            struct connection *sender = &connections[messages_said % senders];
            say_message(sender, now);
            flush(sender);
        }
        return;
    }
    unsigned count = due_count;
    for (unsigned i = 0; i < count; i++) say_message(&connections[due[i]], now);
    for (unsigned i = 0; i < count; i++)
        if (connections[due[i]].unsent.length) flush(&connections[due[i]]);
    due_count = 0;
}
