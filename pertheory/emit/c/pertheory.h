/* pertheory.h: what all emitted theories share. Version 1 of the binary interface.
 *
 * Hand-written; the same file stands beside every emitted theory. C99 and C++.
 *
 * Nothing here or in an emitted theory allocates memory, keeps state between calls, or reads or writes files. All memory
 * is the caller's: ask a theory for the size of a state and of its workspace, both counted in doubles, and hand in that
 * much, aligned as malloc aligns. Several threads may call at once with workspaces of their own.
 */
#ifndef PERTHEORY_H
#define PERTHEORY_H

#include <stddef.h>

#define PERTHEORY_ABI 1

#ifdef __cplusplus
extern "C" {
#endif

/* What a call returns. Above PT_LAST_ERROR stand warnings: the results are written, and some entries are NaN
 * (PT_DIVERGENT, PT_UNDEFINED) or less accurate than 1e-9 of their scale (PT_ACCURACY). With PT_OK and PT_ACCURACY all
 * results are finite. After an error nobody should read them. */
typedef enum pt_status {
    PT_OK = 0,
    PT_BAD_ARGUMENT = 1,    /* a null pointer, no inputs, no layers, a number out of range, a workspace that overlaps a
                               state or is not aligned */
    PT_SHORT_WORKSPACE = 2, /* less workspace than the theory asks for */
    PT_NOT_FINITE = 3,      /* NaN or infinity in what was handed in, by a routine of averages too */
    PT_UNSUPPORTED = 4,     /* averages that the routine cannot do: too many distinct inputs, or G above 1e140 */
    PT_TOO_LARGE = 5,       /* sizes beyond what size_t counts */
    PT_OVERFLOW = 6,        /* a result left the range of doubles */
    PT_LAST_ERROR = 6,
    PT_DIVERGENT = 7,       /* an average is infinite, or NaN was handed in: the entries that need it are NaN */
    PT_ACCURACY = 8,        /* the estimated error of an average is above 1e-9 of its scale */
    PT_UNDEFINED = 9        /* an input of zeros is at a kink, where an average has no value: entries that depend on what
                               is put in its place are NaN */
} pt_status;

/* One line of English for a status; never NULL. */
static inline const char *pt_message(int status)
{
    switch (status) {
    case PT_OK: return "done";
    case PT_BAD_ARGUMENT: return "an argument is null or out of range";
    case PT_SHORT_WORKSPACE: return "the workspace is smaller than the theory asks for";
    case PT_NOT_FINITE: return "an argument holds NaN or infinity";
    case PT_UNSUPPORTED: return "averages that the routine cannot do: too many distinct inputs, or G above 1e140";
    case PT_TOO_LARGE: return "so many inputs or layers that sizes overflow";
    case PT_OVERFLOW: return "a result left the range of doubles";
    case PT_DIVERGENT: return "an average is infinite, or NaN was handed in: the entries that need it are NaN";
    case PT_ACCURACY: return "an average is less accurate than 1e-9 of its scale";
    case PT_UNDEFINED: return "an average is undefined at an input of zeros: the entries that need it are NaN";
    default: return "unknown status";
    }
}

/* Whether a status means that there are no results. */
static inline int pt_is_error(int status)
{
    return status != PT_OK && status <= PT_LAST_ERROR;
}

/* A tensor of the state at the end of a layer. Entries that are equal by symmetry are stored once: those whose indices,
 * written one after the other, are lexicographically the largest among equal ones, in lexicographic order. */
typedef struct pt_tensor {
    const char *name;                /* as "V" or "H{1}" */
    const char *observable;          /* what it is the cumulant of, and its pairs */
    const char *title;
    int rank;                        /* number of indices (slots), in the order of the observable's labels */
    int symmetries;                  /* number of index permutations that leave it unchanged */
    const unsigned char *symmetry;   /* symmetries x rank: T[i[g[0]], i[g[1]], ..] = T[i[0], i[1], ..] */
} pt_tensor;

/* A request for a Gaussian average: for each index a product of derivatives of functions, all at the same input. */
typedef struct pt_request {
    const char *name;                /* as "avg_s1_s0", for <s'_i s_j> */
    int level;                       /* sublayer that reads it */
    int field;                       /* whose covariance it is over */
    int rank;                        /* number of indices */
    int classes;                     /* runs of interchangeable indices */
    const unsigned char *class_size; /* lengths of these runs */
} pt_request;

/* All about an emitted theory. */
typedef struct pt_theory {
    int abi;                         /* PERTHEORY_ABI of the header that it was emitted with */
    const char *name;                /* prefix of its functions */
    const char *network;
    const char *activation;          /* of the built-in averages; "" if there are none */
    const char *hash;                /* SHA-256 of the source, in hexadecimal */
    int order;                       /* highest power of 1/n that is kept */
    int exact;                       /* 0: an approximation (pairs only) */
    int one;                         /* 1: every index is the same input, tensors have one index */
    int tensors;
    const pt_tensor *tensor;
    int hyperparameters;
    const char *const *hyperparameter;       /* names, in the order in which values are handed in */
    const double *hyperparameter_default;
    int levels;                      /* sublayers of a layer */
    int requests;
    const pt_request *request;
} pt_theory;

/* A routine for Gaussian averages, for those who bring their own; NULL means the built-in one.
 *
 *   context          as it was handed in
 *   inputs           n
 *   covariance       n x n, row-major, symmetric
 *   field            whose covariance it is
 *   count, requests  numbers into pt_theory.request, all of this field
 *   out              for each request the array to fill. Indices inside a class do not increase, i_1 >= i_2 >= .., and
 *                    entries stand in lexicographic order: a class of m has C(n + m - 1, m) places, and the place of
 *                    i_1 >= .. >= i_m is the sum over j of C(i_j + m - j, m - j + 1); places of classes combine
 *                    row-major. Without interchangeable indices that is a row-major array.
 *   workspace        workspace_size doubles to use freely (at least what the theory's NAME_builtin_workspace says)
 *   worst_error      may be NULL; is raised to the largest estimated error relative to the scale of an average
 *
 * It returns a status; PT_DIVERGENT, PT_UNDEFINED (some of what is written is NaN) and PT_ACCURACY let it go on. Of
 * functions with kinks only entries are read in which different indices are different inputs, and the built-in routine
 * leaves NaN in the others. A theory for one input ("one") asks for each input in turn, with n = 1. */
typedef int (*pt_average_fn)(void *context, size_t inputs, const double *covariance, int field, size_t count,
                             const int *requests, double *const *out, double *workspace, size_t workspace_size,
                             double *worst_error);

#ifdef __cplusplus
}
#endif

#endif
