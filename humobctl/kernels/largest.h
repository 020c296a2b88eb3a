/* Shared by the kernels that match greedily. */
#ifndef HUMOB_LARGEST_H
#define HUMOB_LARGEST_H

/* Largest of n >= 1 numbers. Four running maxima, so that none waits for the one before. */
static inline double largest(const double *v, int n)
{
    double a = v[0], b = a, c = a, d = a;
    int j = 0;
    for (; j + 4 <= n; j += 4) {
        a = v[j] > a ? v[j] : a;
        b = v[j + 1] > b ? v[j + 1] : b;
        c = v[j + 2] > c ? v[j + 2] : c;
        d = v[j + 3] > d ? v[j + 3] : d;
    }
    for (; j < n; j++) a = v[j] > a ? v[j] : a;
    a = a > b ? a : b;
    c = c > d ? c : d;
    return a > c ? a : c;
}

#endif
