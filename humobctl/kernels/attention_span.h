/* One head of a span by a version of `attend`: ROWS queries at a time; included by attention_rows.h
 * and attention_pairs.h, which have PAIRED and WIDTH. */

TARGET static void VERSION(span)(struct head *head, const struct rows *rows, const int64_t *span,
                                 int64_t number)
{
    /* Weights are powers of 2: log2(e) goes into the scale. */
    const float scale = 1.4426950408889634f / sqrtf((float)WIDTH);
    float query[ROWS * WIDTH], found[ROWS * WIDTH], shift[ROWS];
    uint16_t halves[PAIRED ? ROWS * WIDTH : 1];
    const int bf16 = PAIRED || rows->bf16;
    fill(head, (int)span[3], rows, span[2] * rows->step + number, WIDTH, PAIRED);
    for (int64_t s = 0; s < span[1]; s += ROWS) {
        int count = span[1] - s < ROWS ? (int)(span[1] - s) : ROWS;
        for (int r = 0; r < ROWS; r++) {
            /* Where rows are missing, the last one is taken again. */
            int64_t row = span[0] + s + (r < count ? r : count - 1);
            int64_t from = row * rows->query_step + number;
            widen(rows->query, from, WIDTH, bf16, query + r * WIDTH);
            if (PAIRED)
                memcpy(halves + r * WIDTH, (const uint16_t *)rows->query + from, 2 * WIDTH);
        }
        shifts_of(head, query, ROWS, scale, WIDTH, PAIRED, shift);
        VERSION(attend)(head, PAIRED ? (void *)halves : (void *)query, shift, scale, found);
        for (int r = 0; r < count; r++)
            narrow(found + r * WIDTH, WIDTH, bf16, rows->out,
                   (span[0] + s + r) * rows->out_step + number);
    }
}
#undef VERSION
#undef WIDTH
#undef PAIRED
