"""Causal graphs of descriptors: DirectLiNGAM and PC, with prior knowledge and a block bootstrap.

This is pathway 3 of the abstract. A graph is an array of 0 and 1, shape (k, k). [i, j] is 1 for an
arrow from i to j; an edge without direction has both [i, j] and [j, i].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from replicate.causal import library

#: Level of the tests of conditional independence.
ALPHA = 0.01

#: Effects below this, between standardised variables, are no edge.
WEAK = 0.05


def pc(values: np.ndarray, first: Sequence[int] = ()) -> np.ndarray:
    """Find a graph by the PC algorithm with Fisher's z test.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    first : sequence of int
        Variables that no other variable causes.

    Returns
    -------
    ndarray of int, shape (k, k)

    Raises
    ------
    ReplicationError
        If causal-learn is not installed.
    """
    search = library("causallearn.search.ConstraintBased.PC").pc
    nodes = [f"X{i + 1}" for i in range(values.shape[1])]
    pattern = search(
        values,
        ALPHA,
        "fisherz",
        background_knowledge=_knowledge(nodes, first) if len(first) else None,
        node_names=nodes,
        show_progress=False,
        verbose=False,
    )
    return _as_graph(pattern.G.graph)


def _as_graph(marks):
    """Turn causal-learn's marks, (k, k), into a graph.

    [i, j] is the mark at i of the edge between i and j: -1 for a tail, 1 for a head.
    """
    is_edge = marks != 0
    points_back = (marks == 1) & (marks.T == -1)
    return (is_edge & ~points_back).astype(int)


def _knowledge(nodes, first):
    """Return for causal-learn that no variable causes any of the variables `first`."""
    graph_node = library("causallearn.graph.GraphNode").GraphNode
    knowledge = library("causallearn.utils.PCUtils.BackgroundKnowledge").BackgroundKnowledge()
    for i, name in enumerate(nodes):
        tier = 0 if i in first else 1
        knowledge.add_node_to_tier(graph_node(name), tier)
    for i in first:
        for j in first:
            if i != j:
                knowledge.add_forbidden_by_node(graph_node(nodes[i]), graph_node(nodes[j]))
    return knowledge


def direct_lingam(values: np.ndarray, first: Sequence[int] = ()) -> np.ndarray:
    """Find a graph by DirectLiNGAM: Shimizu et al., J. Mach. Learn. Res. 2011.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    first : sequence of int
        Variables that no other variable causes.

    Returns
    -------
    ndarray of int, shape (k, k)

    Raises
    ------
    ReplicationError
        If lingam is not installed.
    """
    lingam = library("lingam")
    knowledge = None
    if len(first):
        knowledge = library("lingam.utils").make_prior_knowledge(
            values.shape[1], exogenous_variables=list(first)
        )
    standardised = (values - values.mean(axis=0)) / values.std(axis=0)
    model = lingam.DirectLiNGAM(prior_knowledge=knowledge).fit(standardised)
    return (np.abs(model.adjacency_matrix_.T) > WEAK).astype(int)


def effect(values: np.ndarray, cause: int, target: int) -> float:
    """Return the effect of one variable on another in the graph that DirectLiNGAM finds.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    cause, target : int
        Columns of `values`.

    Returns
    -------
    float
        In units of the target per unit of the cause.

    Raises
    ------
    ReplicationError
        If lingam is not installed.
    """
    model = library("lingam").DirectLiNGAM().fit(values)
    return float(model.adjacency_matrix_[target, cause])


def hamming(graph: np.ndarray, true: np.ndarray) -> int:
    """Return the structural Hamming distance of two graphs.

    Parameters
    ----------
    graph, true : ndarray of int, shape (k, k)

    Returns
    -------
    int
        Number of pairs of variables between which they differ.
    """
    differ = (graph != true) | (graph != true).T
    return int(np.triu(differ, 1).sum())


def skeleton(graph: np.ndarray) -> np.ndarray:
    """Return graphs without their directions.

    Parameters
    ----------
    graph : ndarray of int, shape (..., k, k)

    Returns
    -------
    ndarray of int, shape (..., k, k)
    """
    return graph | np.swapaxes(graph, -1, -2)


def equivalence(graph: np.ndarray) -> np.ndarray:
    """Return the graph of a DAG's Markov equivalence class, which is all that PC can find.

    Parameters
    ----------
    graph : ndarray of int, shape (k, k)

    Returns
    -------
    ndarray of int, shape (k, k)

    Raises
    ------
    ReplicationError
        If causal-learn is not installed.
    """
    graph_node = library("causallearn.graph.GraphNode").GraphNode
    nodes = [graph_node(f"X{i + 1}") for i in range(len(graph))]
    dag = library("causallearn.graph.Dag").Dag(nodes)
    for i, j in np.argwhere(graph):
        dag.add_directed_edge(nodes[i], nodes[j])
    return _as_graph(library("causallearn.utils.DAG2CPDAG").dag2cpdag(dag).graph)


def random_graph(
    rng: np.random.Generator, k: int = 7, density: float = 0.37
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a DAG and its weights, with the variables in a random order.

    Parameters
    ----------
    rng : Generator
    k : int
        Number of variables.
    density : float
        Probability of an arrow between two variables.

    Returns
    -------
    graph : ndarray of int, shape (k, k)
    weights : ndarray of float, shape (k, k)
        [i, j] is the effect of i on j, of a size between 0.5 and 1.5; 0 where there is no arrow.
    """
    graph = np.triu(rng.random((k, k)) < density, 1).astype(int)
    order = rng.permutation(k)
    graph = graph[np.ix_(order, order)]
    sizes = rng.uniform(0.5, 1.5, (k, k))
    signs = rng.choice([-1, 1], (k, k))
    return graph, graph * sizes * signs


def simulate(weights: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return values of the linear model with these weights and this noise.

    Parameters
    ----------
    weights : ndarray, shape (k, k)
        [i, j] is the effect of i on j.
    noise : ndarray, shape (n, k)

    Returns
    -------
    ndarray, shape (n, k)
    """
    return noise @ np.linalg.inv(np.eye(len(weights)) - weights)


def block_sample(blocks: np.ndarray, per_block: int, rng: np.random.Generator) -> np.ndarray:
    """Draw as many blocks as there are, with replacement, and pixels of each.

    Parameters
    ----------
    blocks : ndarray of int, shape (n,)
        The spatial block of each pixel.
    per_block : int
        Number of pixels taken of each block, without replacement.
    rng : Generator

    Returns
    -------
    ndarray of int, shape (n_blocks * per_block,)
        Indices of the pixels, sorted.
    """
    _, member = np.unique(blocks, return_inverse=True)
    n_blocks = member.max() + 1
    pixels = []
    for block in rng.integers(n_blocks, size=n_blocks):
        pixels.append(rng.choice(np.flatnonzero(member == block), per_block, replace=False))
    return np.sort(np.concatenate(pixels))


def resampled(
    search: Callable[[np.ndarray, Sequence[int]], np.ndarray],
    values: np.ndarray,
    blocks: np.ndarray,
    per_block: int,
    n_boot: int,
    first: Sequence[int] = (),
    seed: int = 0,
) -> np.ndarray:
    """Search for a graph again and again with other blocks of pixels.

    Parameters
    ----------
    search : callable
        `pc` or `direct_lingam`.
    values : ndarray, shape (n, k)
    blocks : ndarray of int, shape (n,)
        The spatial block of each pixel.
    per_block : int
        Number of pixels taken of each block: one where neighbours say the same.
    n_boot : int
        Number of searches.
    first : sequence of int
        Variables that no other variable causes.
    seed : int

    Returns
    -------
    ndarray of int, shape (n_boot, k, k)
        The graph of each search. The mean of their skeletons is how much each edge can be trusted.

    Raises
    ------
    ReplicationError
        If the library of the search is not installed.
    """
    rng = np.random.default_rng(seed)
    graphs = []
    for _ in range(n_boot):
        pixels = block_sample(blocks, per_block, rng)
        graphs.append(search(values[pixels], first))
    return np.array(graphs)


def placebo(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle each column by itself, so that nothing causes anything.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    rng : Generator

    Returns
    -------
    ndarray, shape (n, k)
    """
    return np.column_stack([rng.permutation(column) for column in values.T])
