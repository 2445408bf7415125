"""The header of an emitted theory."""

from __future__ import annotations

import re

from pertheory.emit.quoting import c_comment
from pertheory.kernels.language import Program
from pertheory.rulebook.names import checked, local_names

#: What stands behind the name of a theory, besides its tensors and hyperparameters.
_OWN = re.compile(
    "tensors|hyperparameters|theory|state_size|tensor_size|tensor_offset|workspace_size|unpack|pack|first_layer|step|run|"
    "(update|recursion|builtin)(_.*)?"
)


def at_level(program: Program, number: int) -> str:
    """What functions of one sublayer carry at the end of their name."""
    return f"_at_{number}" if len(program.levels) > 1 else ""


def signature(name: str, at: str, kernel: str) -> str:
    """How a function of given averages is called: that of one kernel or, without a name, of all of a sublayer."""
    given = "(size_t inputs, const double *below, double *const *averages,"
    room = "double *workspace, size_t workspace_size)"
    if not kernel:
        return f"int {name}_update{at}{given} const double *hyper,\n    double ratio, double *above, {room}"
    return f"int {name}_recursion_{kernel}{at}{given}\n    const double *hyper, double ratio, double *result, {room}"


def print_header(program: Program, name: str, activation: str) -> str:
    """NAME.h."""
    one = program.inputs == "one"
    upper = name.upper()
    last = program.levels[-1]
    tensors = [f"    {name}_{checked(kernel.function)} = {number}," for number, kernel in enumerate(last.kernels)]
    taken = {kernel.function for kernel in last.kernels}
    own = local_names((s for s, _ in program.hyperparameters), lambda s: s in taken or _OWN.fullmatch(s) is not None)
    symbols = [f"    {name}_{symbol} = {number}," for number, symbol in enumerate(own.values())]
    per_level = []
    for number, level in enumerate(program.levels):
        at = at_level(program, number)
        per_level += [f"{signature(name, at, own)};" for own in ("", *(kernel.function for kernel in level.kernels))]
    gram = (
        "inputs x inputs, row-major: x_i . x_j / n_0 (the lower triangle is read)"
        if not one
        else "one value for each input: x . x / n_0"
    )
    builtin = ""
    if activation:
        builtin = f"""
/* The built-in Gaussian averages, for {c_comment(activation)}; see pt_average_fn. */
int {name}_builtin_average(void *context, size_t inputs, const double *covariance, int field, size_t count,
    const int *requests, double *const *out, double *workspace, size_t workspace_size, double *worst_error);
size_t {name}_builtin_workspace(size_t inputs);
"""
    newline = "\n"
    return f"""/* {name}.h: finite-width recursions to order 1/n^{program.order}; see {name}.c. */
#ifndef PERTHEORY_{upper}_H
#define PERTHEORY_{upper}_H

#include "pertheory.h"

#if PERTHEORY_ABI != 1
#error "this header needs version 1 of pertheory.h"
#endif

#ifdef __cplusplus
extern "C" {{
#endif

/* Tensors, in the order in which they stand in a state. */
enum {{
{newline.join(tensors)}
    {name}_tensors = {len(last.kernels)}
}};

/* Hyperparameters, in the order in which their values are handed in. */
enum {{
{newline.join(symbols)}
    {name}_hyperparameters = {len(program.hyperparameters)}
}};

/* Name, order, tensors, requests, hash of the source, version of the interface. */
extern const pt_theory {name}_theory;

/* All sizes count doubles; 0 means: no inputs, or more than size_t counts. */

/* A state: all tensors of a layer one after the other, each packed (see pt_tensor). */
size_t {name}_state_size(size_t inputs);
size_t {name}_tensor_size(int tensor, size_t inputs);
size_t {name}_tensor_offset(int tensor, size_t inputs);

/* Workspace that step, run, update and the recursions need. */
size_t {name}_workspace_size(size_t inputs);

/* From a packed tensor to a dense row-major one (inputs^rank), and back. */
int {name}_unpack(int tensor, size_t inputs, const double *packed, double *dense);
int {name}_pack(int tensor, size_t inputs, const double *dense, double *packed);

/* The state of layer 1.
 *   gram   {gram}
 *   hyper  hyperparameters of the layer */
int {name}_first_layer(size_t inputs, const double *gram, const double *hyper, double *state);

/* One layer up.
 *   ratio        for each sublayer n / n_prev of the neurons that it sums over; NULL means 1
 *   average      Gaussian averages{"; NULL means the built-in ones" if activation else ""}
 *   above        the new state; must not overlap the one below
 *   worst_error  may be NULL; is raised to the largest estimated error of an average */
int {name}_step(size_t inputs, const double *below, const double *hyper, const double *ratio,
    pt_average_fn average, void *context, double *above, double *workspace, size_t workspace_size,
    double *worst_error);

/* Layers 1 .. depth.
 *   hyper   depth x hyperparameters
 *   widths  n_0 .. n_(depth-1); NULL means equal ones
 *   states  depth states, layer 1 first */
int {name}_run(size_t inputs, size_t depth, const double *gram, const double *hyper, const double *widths,
    pt_average_fn average, void *context, double *states, double *workspace, size_t workspace_size,
    double *worst_error);

/* One sublayer up, all tensors or one of them, from averages that are given.
 *   averages  a packed array for each request of the sublayer (see pt_average_fn), in their order; a single recursion
 *             reads only those that occur in it, and the others may be NULL
 *   ratio     n / n_prev */
{newline.join(per_level)}
{builtin}
#ifdef __cplusplus
}}
#endif

#endif
"""
