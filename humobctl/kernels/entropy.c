/* Match lengths of sequences, for the entropy estimate of Lempel and Ziv.
 *
 * Sequences stand one after another: that of user u is symbols[first[u]] to
 * symbols[first[u + 1] - 1]. For each place i of a sequence of n symbols, L is the length of the
 * longest piece that begins at i and occurs in the symbols before i. A suffix automaton (Blumer et
 * al., Theoretical Computer Science 40, 1985) of the symbols before i grows by one symbol at a time,
 * and the state of the piece moves along in it: i takes constant time on average, since L falls by
 * one at most from i to i + 1.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t length, link, edges; /* edges: the first of a list, -1 for none */
} State;

typedef struct {
    int64_t symbol;
    int32_t from, to, next;
} Edge;

typedef struct {
    State *states;
    Edge *edges;
    int32_t *table; /* hash table of edges, -1 for free */
    uint64_t mask;
    int32_t state_count, edge_count, last;
} Automaton;

static uint64_t slot_of(const Automaton *a, int32_t from, int64_t symbol)
{
    uint64_t h = ((uint64_t)symbol ^ ((uint64_t)(uint32_t)from << 32 | (uint32_t)from)) *
                 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93u;
    uint64_t at = (h ^ (h >> 32)) & a->mask;
    for (; a->table[at] >= 0; at = (at + 1) & a->mask) {
        const Edge *edge = a->edges + a->table[at];
        if (edge->from == from && edge->symbol == symbol) break;
    }
    return at;
}

static int32_t follow(const Automaton *a, int32_t from, int64_t symbol)
{
    int32_t edge = a->table[slot_of(a, from, symbol)];
    return edge < 0 ? -1 : a->edges[edge].to;
}

static void connect(Automaton *a, int32_t from, int64_t symbol, int32_t to)
{
    uint64_t at = slot_of(a, from, symbol);
    if (a->table[at] >= 0) {
        a->edges[a->table[at]].to = to;
        return;
    }
    a->edges[a->edge_count] = (Edge){symbol, from, to, a->states[from].edges};
    a->states[from].edges = a->table[at] = a->edge_count++;
}

static int32_t add_state(Automaton *a, int32_t length)
{
    a->states[a->state_count] = (State){length, -1, -1};
    return a->state_count++;
}

/* Append a symbol. A state that is split tells of it: pieces of state *split up to the length of
 * *part are of state *part from now on. */
static void append(Automaton *a, int64_t symbol, int32_t *split, int32_t *part)
{
    int32_t whole = add_state(a, a->states[a->last].length + 1), p = a->last, q = -1;
    *split = *part = -1;
    for (; p >= 0 && (q = follow(a, p, symbol)) < 0; p = a->states[p].link)
        connect(a, p, symbol, whole);
    a->last = whole;
    if (p < 0) {
        a->states[whole].link = 0;
        return;
    }
    if (a->states[q].length == a->states[p].length + 1) {
        a->states[whole].link = q;
        return;
    }
    int32_t clone = add_state(a, a->states[p].length + 1);
    for (int32_t e = a->states[q].edges; e >= 0; e = a->edges[e].next)
        connect(a, clone, a->edges[e].symbol, a->edges[e].to);
    a->states[clone].link = a->states[q].link;
    a->states[q].link = a->states[whole].link = clone;
    for (; p >= 0 && follow(a, p, symbol) == q; p = a->states[p].link) connect(a, p, symbol, clone);
    *split = q;
    *part = clone;
}

static int begin(Automaton *a, int64_t n, int64_t *room)
{
    uint64_t slots = 8;
    while (slots < 4 * (uint64_t)n + 8) slots *= 2; /* at most 3 n edges */
    if (n > *room) {
        free(a->states);
        free(a->edges);
        free(a->table);
        a->states = malloc((size_t)(2 * n + 2) * sizeof *a->states);
        a->edges = malloc((size_t)(3 * n + 4) * sizeof *a->edges);
        a->table = malloc((size_t)slots * sizeof *a->table);
        if (!a->states || !a->edges || !a->table) return 0;
        *room = n;
    }
    a->mask = slots - 1;
    memset(a->table, 0xff, (size_t)slots * sizeof *a->table);
    a->state_count = a->edge_count = 0;
    a->last = add_state(a, 0);
    return 1;
}

static double add_lengths(Automaton *a, const int64_t *symbols, int64_t n)
{
    double sum = n ? 1 : 0; /* of the first symbol */
    int32_t state = 0, split, part;
    int64_t match = 0; /* symbols[i] to symbols[i + match - 1] is a piece of `state` */
    for (int64_t i = 1; i < n; i++) {
        append(a, symbols[i - 1], &split, &part);
        if (state == split && match <= a->states[part].length) state = part;
        if (match > 0) match--; /* the piece without its first symbol */
        while (state > 0 && match <= a->states[a->states[state].link].length)
            state = a->states[state].link;
        for (int32_t to; i + match < n && (to = follow(a, state, symbols[i + match])) >= 0; match++)
            state = to;
        sum += (double)(i + match + 1 < n ? match + 1 : n - i + 1);
    }
    return sum;
}

/* For each user the sum over i of the length of the shortest piece that begins at i and does not
 * occur before i: L + 1, and n - i + 1 where that reaches the last symbol, after which an end of its
 * own is counted. Returns 0, or 1 where memory is not enough. Sequences have less than 2^29
 * symbols. */
int humob_match_lengths(int64_t users, const int64_t *first, const int64_t *symbols, double *sums)
{
    Automaton a = {0};
    int64_t room = 0;
    int failed = 0;
    for (int64_t u = 0; u < users && !failed; u++) {
        int64_t n = first[u + 1] - first[u];
        failed = n >= (int64_t)1 << 29 || !begin(&a, n, &room);
        if (!failed) sums[u] = add_lengths(&a, symbols + first[u], n);
    }
    free(a.states);
    free(a.edges);
    free(a.table);
    return failed;
}
