"""Which vectors have the largest products with given ones, by faiss: exactly, all against all, in blocks.

A block's answer is that of one thread whatever the number of threads that take blocks, so labels do not depend on it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

#: Queries that a thread answers at once.
_BLOCK_QUERIES = 2048


def nearest(queries: np.ndarray, keys: np.ndarray, count: int, threads: int = 1) -> np.ndarray:
    """For each query the keys of largest product, best first: positions (q, count) int32, -1 where there are fewer.

    queries: (q, d) float32; keys: (k, d) float32. The caller keeps BLAS to one thread.
    """
    # Here alone: small titles do without faiss.
    import faiss

    index = faiss.IndexFlatIP(keys.shape[1])
    index.add(np.ascontiguousarray(keys))
    positions = np.full((len(queries), count), -1, np.int32)

    def answer(start: int) -> None:
        faiss.omp_set_num_threads(1)  # of this thread
        part = slice(start, start + _BLOCK_QUERIES)
        _, found = index.search(np.ascontiguousarray(queries[part]), min(count, len(keys)))
        positions[part, : found.shape[1]] = found

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(answer, range(0, len(queries), _BLOCK_QUERIES)))
    return positions
