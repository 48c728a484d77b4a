"""Causal graphs of descriptors: DirectLiNGAM and PC, with what is known put first, and blocks of pixels drawn again.

Pathway 3 of the abstract. A graph is an array of 0 and 1, (k, k): [i, j] is 1 for an arrow from i to j, and so are [i, j] and [j, i] for
an edge without direction.
"""

from __future__ import annotations

import numpy as np

from replicate.causal import library

ALPHA = 0.01
"""Level of the tests of conditional independence."""

WEAK = 0.05
"""Effects below it, between standardised variables, are no edge."""


def pc(values, first=()):
    """Find a graph by the PC algorithm with Fisher's z test.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    first : sequence of int
        Variables that nothing else causes.

    Returns
    -------
    ndarray of int, shape (k, k)
    """
    search = library("causallearn.search.ConstraintBased.PC").pc
    nodes = [f"X{i + 1}" for i in range(values.shape[1])]
    known = tiers(nodes, first) if len(first) else None
    found = search(
        values,
        ALPHA,
        "fisherz",
        background_knowledge=known,
        node_names=nodes,
        show_progress=False,
        verbose=False,
    )
    return as_graph(found.G.graph)


def as_graph(ends):
    """Turn causal-learn's marks, (k, k), into a graph: [i, j] is the mark at i of the edge of i and j, -1 a tail and 1 a head."""
    return ((ends != 0) & ~((ends == 1) & (ends.T == -1))).astype(int)


def tiers(nodes, first):
    """Tell causal-learn that the variables `first` come before the others and cause, but are not caused by, them or each other."""
    graph_node = library("causallearn.graph.GraphNode").GraphNode
    known = library("causallearn.utils.PCUtils.BackgroundKnowledge").BackgroundKnowledge()
    for i, name in enumerate(nodes):
        known.add_node_to_tier(graph_node(name), 0 if i in first else 1)
    for i in first:
        for j in first:
            if i != j:
                known.add_forbidden_by_node(graph_node(nodes[i]), graph_node(nodes[j]))
    return known


def direct_lingam(values, first=()):
    """Find a graph by DirectLiNGAM (Shimizu et al., J. Mach. Learn. Res. 2011); the parameters are those of `pc`."""
    lingam = library("lingam")
    k = values.shape[1]
    known = (
        library("lingam.utils").make_prior_knowledge(k, exogenous_variables=list(first))
        if len(first)
        else None
    )
    model = lingam.DirectLiNGAM(prior_knowledge=known).fit(
        (values - values.mean(axis=0)) / values.std(axis=0)
    )
    return (np.abs(model.adjacency_matrix_.T) > WEAK).astype(int)


def effect(values, cause, target):
    """Return the total effect of one column of values, (n, k), on another by DirectLiNGAM's graph of them, in their own units."""
    model = library("lingam").DirectLiNGAM().fit(values)
    return float(model.adjacency_matrix_[target, cause])


def hamming(found, true):
    """Return the structural Hamming distance: pairs of variables between which two graphs differ."""
    differ = (found != true) | (found != true).T
    return int(np.triu(differ, 1).sum())


def skeleton(graph):
    """Return the graph without directions."""
    return graph | np.swapaxes(graph, -1, -2)


def equivalence(graph):
    """Return the graph of a DAG's Markov equivalence class, which is all that PC can find."""
    graph_node = library("causallearn.graph.GraphNode").GraphNode
    nodes = [graph_node(f"X{i + 1}") for i in range(len(graph))]
    dag = library("causallearn.graph.Dag").Dag(nodes)
    for i, j in np.argwhere(graph):
        dag.add_directed_edge(nodes[i], nodes[j])
    return as_graph(library("causallearn.utils.DAG2CPDAG").dag2cpdag(dag).graph)


def random_graph(rng, k=7, density=0.37):
    """Draw a DAG and its weights, each (k, k), in a random order of its variables."""
    graph = np.triu(rng.random((k, k)) < density, 1).astype(int)
    order = rng.permutation(k)
    graph = graph[np.ix_(order, order)]
    return graph, graph * rng.uniform(0.5, 1.5, (k, k)) * rng.choice([-1, 1], (k, k))


def simulate(weights, noise):
    """Return values, (n, k), of the linear model with these weights, [i, j] of i on j, and noise, (n, k)."""
    return noise @ np.linalg.inv(np.eye(len(weights)) - weights)


def block_sample(blocks, per_block, rng):
    """Draw pixels: as many blocks as there are, again and again the same if it so falls, and `per_block` pixels of each; sorted indices."""
    _, member = np.unique(blocks, return_inverse=True)
    drawn = rng.integers(member.max() + 1, size=member.max() + 1)
    return np.sort(
        np.concatenate(
            [
                rng.choice(np.flatnonzero(member == block), per_block, replace=False)
                for block in drawn
            ]
        )
    )


def resampled(search, values, blocks, per_block, n_boot, first=(), seed=0, progress=None):
    """Search for a graph again and again with other blocks of pixels.

    Parameters
    ----------
    search : callable
        `pc` or `direct_lingam`.
    values : ndarray, shape (n, k)
    blocks : ndarray of int, shape (n,)
    per_block : int
        Pixels taken of each block: one where neighbours say the same.
    n_boot : int
    first : sequence of int
    seed : int
    progress : callable, optional
        Called with 1 after each.

    Returns
    -------
    ndarray of int, shape (n_boot, k, k)
        The graph of each; the mean of their `skeleton` is how much each edge is to be trusted.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_boot):
        found.append(search(values[block_sample(blocks, per_block, rng)], first))
        if progress:
            progress(1)
    return np.array(found)


def placebo(values, rng):
    """Return values, (n, k), with each column in an order of its own: nothing causes anything."""
    return np.column_stack([rng.permutation(column) for column in values.T])
